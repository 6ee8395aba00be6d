"""`chainrule show`: a formula as a book would print it."""

from pathlib import Path
from typing import Annotated

import typer

from chainrule.errors import ChainruleError


def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FORMULA",
            help='A name, such as ELU, notation, such as "LeakyReLU(0.2)", or words, such as "smooth rectifier".',
        ),
    ],
    latex: Annotated[bool, typer.Option("--latex", help="Print its equations in LaTeX, for papers.")] = False,
    mathml: Annotated[bool, typer.Option("--mathml", help="Print its equations in MathML, for web pages.")] = False,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw its equations, and its curve, into a file.")
    ] = None,
) -> None:
    """Show a formula: its mathematics, derivative, curve, fields and origin.

    Example: `chainrule show ELU`

    Example: `chainrule show "smooth rectifier"`
    """
    from chainrule.cli import output
    from chainrule.notation.search import search
    from chainrule.textbook.equations import aligned, derivatives, equations

    if latex + mathml + (png is not None) > 1:
        raise ChainruleError("--latex, --mathml and --png are three ways of saying the same. Choose one.")
    if _tells(name) and not latex + mathml + (png is not None) and (found := search(name)):
        output.found(name, found)
        return
    formula = _formula(name)
    values = not isinstance(formula, type)
    shown = [*equations(formula, values), *derivatives(formula, values)]
    if latex:
        print(aligned(shown))
    elif mathml:
        print("\n".join(equation.mathml() for equation in shown))
    elif png is not None:
        from chainrule.data.files import check_output, write_whole
        from chainrule.pictures.formula import picture

        if png.suffix.lower() != ".png":
            raise ChainruleError(f"--png must name a file that ends in .png, got {png}.")
        check_output(png)
        write_whole(png, picture(formula))
        output.say(f"{_name(formula)} is drawn in {png}.")
    else:
        from chainrule.cli.page import show_page
        from chainrule.textbook.page import page

        show_page(page(formula))


def _formula(text: str):
    """A formula's class from its bare name, or the formula that notation makes."""
    from chainrule.cli import choices
    from chainrule.notation import formulas, suggestion

    if not text.isidentifier():
        return choices.single(text)
    known = formulas()
    if text not in known:
        raise ChainruleError(f"There is no formula {text!r}.{suggestion(text)} They are listed by: chainrule list.")
    return known[text]


def _tells(text: str) -> bool:
    """Whether it is words that may tell of formulas, and neither a name nor a notation."""
    from chainrule.notation import formulas, suggestion

    words = text.replace("-", " ").split()
    return all(map(str.isidentifier, words)) and (len(words) > 1 or (text not in formulas() and not suggestion(text)))


def _name(formula) -> str:
    return formula.__name__ if isinstance(formula, type) else repr(formula)
