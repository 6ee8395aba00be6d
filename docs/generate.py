"""Writes docs/reference/ from the registry: a page a family, with each formula's mathematics, plot, fields and example.

All that is said there comes from the formulas themselves, and the examples are run.
"""

import ast
import doctest
import inspect
import re
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.formula.base import DEFINED, Formula
from chainrule.notation import formulas, parse
from chainrule.notation.families import FAMILIES, kinships, members
from chainrule.pictures.race import SURFACES, race
from chainrule.pictures.sheet import activations, sheet
from chainrule.pictures.style import COLOURS, canvas, saved
from chainrule.textbook.curves import Curve, curves
from chainrule.textbook.equations import Equation
from chainrule.textbook.page import FieldRow, page, with_defaults

DOCS = Path(__file__).parent

INK, FAINT = "#8792a0", "#8792a03d"
"""Of the plots: seen on white and on black."""

IMPORTS = ast.Import | ast.ImportFrom

PEERS = re.compile(r"\b(Keras|PyTorch)\b")

RACERS = ("Momentum", "Nesterov", "Adagrad", "Adadelta", "RMSprop", "Adam")


def generate(into: Path = DOCS / "reference") -> None:
    """Write every page and figure anew.

    Raises:
        ChainruleError: for an example that does not do what its docstring says.
    """
    shutil.rmtree(into, ignore_errors=True)
    (into / "figures").mkdir(parents=True)
    measured = accuracies((DOCS / "accuracy.md").read_text())
    for family in FAMILIES:
        sections = []
        for kind in ours(family):
            program, names = example(kind)
            specimen = with_defaults(kind) or next((made for made in names.values() if isinstance(made, kind)), None)
            plots = {
                f"{kind.__name__}-{number}.svg": (f"{name} of {specimen!r}", drawing(name, curve, COLOURS[number]))
                for number, (name, curve) in enumerate(curves(specimen).items() if specimen else ())
            }
            for file, (_, drawn) in plots.items():
                (into / "figures" / file).write_bytes(drawn)
            shown = " ".join(f"![{said}](figures/{file})" for file, (said, _) in plots.items())
            sections.append(section(kind, program, shown, measured.get(kind.__name__, "")))
        (into / f"{family}.md").write_text("\n\n".join([*head(family), *sections]) + "\n")
    drawn = sheet(activations()[0], derivative=True, low=-4, high=4, kind="png")
    (into / "figures" / "sheet.png").write_bytes(drawn)
    racers = [parse(name) for name in RACERS]
    (into / "figures" / "race.png").write_bytes(race(racers, SURFACES["beale"], SURFACES["beale"].steps, "png"))


def ours(family: str) -> list[type[Formula]]:
    """The library's own formulas of a family, and none that a user has added."""
    return [kind for kind in members(family) if kind.__module__.startswith("chainrule.")]


# Pages, in Markdown.


def head(family: str) -> list[str]:
    """What a family is, and a table of what it has."""
    said = re.sub(r"^\w+: ", "", inspect.cleandoc(home(family).__doc__ or "")).split("\n\n")
    rooms = kinships(family)
    drawn = {
        "optimizers": f"![Paths of {', '.join(RACERS)}](figures/race.png)",
        "activations": "![All of one number, and their derivatives](figures/sheet.png)",
    }
    return [
        f"# {family.capitalize()}",
        *(text(each[0].upper() + each[1:]) for each in said),
        *filter(None, [drawn.get(family)]),
        *(part for kinship, its in rooms.items() for part in contents("" if said[0] in kinship else kinship, its)),
    ]


def contents(kinship: str, formulas: list[type[Formula]]) -> list[str]:
    """The formulas of a kinship as a table, below what it is, where a family has several."""
    rows = [
        [f"[{kind.__name__}](#{kind.__name__})", text(sentences(kind.title())[0])]
        for kind in formulas
        if kind.__module__.startswith("chainrule.")
    ]
    return [*filter(None, [kinship and f"**{text(kinship)}**"]), table(["", ""], rows)] if rows else []


def section(kind: type[Formula], program: str, plots: str, measured: str) -> str:
    """A formula: mathematics, plot, remarks, fields, example, and what else is known of it."""
    shown = page(kind)
    title, *told = map(told_apart, (shown.title, *shown.remarks))
    facts = {
        "Notation": f"`{shown.notation}`" if shown.fields else "",
        "Elsewhere": text(" ".join(peers for _, peers in (title, *told) if peers)),
        "[Accuracy](../accuracy.md)": measured,
        "Reference": linked(text(shown.reference)),
    }
    parts = [
        f"({kind.__name__})=\n## {kind.__name__}",
        text(title[0]),
        mathematics([*shown.equations, *shown.derivatives]),
        *(f"With `{setting}`:\n\n{mathematics(changed)}" for setting, changed in shown.settings.items()),
        plots,
        *(text(ours) for ours, _ in told),
        table(["field", "", "default", "allowed", "meaning"], list(map(field_row, shown.fields))),
        table(["parameter", "", "shape"], [[f"`{row.name}`", row.letter, row.shape] for row in shown.parameters]),
        program and f"```pycon\n{program}\n```",
        "\n\n".join(f"{name}\n: {fact}" for name, fact in facts.items() if fact),
    ]
    return "\n\n".join(filter(None, parts))


def mathematics(equations: list[Equation]) -> str:
    """Equations one below the other, as MathML, with their remarks."""
    rows = [f"<span>{each.remark}</span>" * bool(each.remark) + each.mathml() for each in equations]
    return f'<div class="equations">{"".join(f"<div>{row}</div>" for row in rows)}</div>' if rows else ""


def field_row(row: FieldRow) -> list[str]:
    """A field as the cells of a table; a family that it may be of is a link to its page."""
    allowed = re.sub(r"(a formula|formulas) of the family (\w+)", family_link, unbroken(text(row.allowed)))
    default = row.default if row.default == "required" else f"`{row.default}`"
    return [f"`{row.name}`", text(row.letter), default, allowed, text(row.meaning)]


def unbroken(words: str) -> str:
    """With signs that stay on the line of what they compare."""
    words = words.replace(">=", "≥").replace("\\<=", "≤")
    return re.sub(r"([≥≤><]) (?=[\d.]+)", "\\1\u00a0", words)


def family_link(named: re.Match) -> str:
    """The name of a family's class, as a link to the family's page."""
    kind = next(kind for kind in DEFINED if kind.__name__ == named[2])
    family = next(family for family, bases in FAMILIES.items() if issubclass(kind, bases))
    return f"[{named[2]}]({family}.md)"


def table(names: list[str], rows: list[list[str]]) -> str:
    """A table without the columns that nobody fills; empty without rows."""
    kept = [place for place in range(len(names)) if any(row[place] for row in rows)]
    lines = [[names[place] for place in kept], ["---"] * len(kept), *([row[place] for place in kept] for row in rows)]
    lines = [[re.sub(r"(?<!\\)\|", r"\|", cell) for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def text(words: str) -> str:
    """Words from a docstring, whose signs outside of `code` mean themselves."""
    code_and_rest = re.split(r"(`[^`]*`)", " ".join(words.split()))
    return "".join(part if part[:1] == "`" else re.sub(r"([\\*_\[\]<|])", r"\\\1", part) for part in code_and_rest)


def told_apart(paragraph: str) -> tuple[str, str]:
    """The sentences of a paragraph that speak of the formula, and those that compare it with Keras' or PyTorch's."""
    peers = [each for each in sentences(paragraph) if PEERS.search(each)]
    return " ".join(each for each in sentences(paragraph) if each not in peers), " ".join(peers)


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph."""
    return re.split(r"(?<=\.)(?<!\bal\.) (?=[(`]?\w)", paragraph)


def linked(reference: str) -> str:
    """A reference whose preprint is a link."""
    return re.sub(r"arXiv:([\d.]+\d)", r"[arXiv:\1](https://arxiv.org/abs/\1)", reference)


def accuracies(report: str) -> dict[str, str]:
    """For each formula in the table of docs/accuracy.md a sentence."""
    measured = report.partition("\n## ")[0].splitlines()
    lines = [line.split("|")[1:-1] for line in measured if line.startswith("|")]
    names, _, *rows = [[cell.strip() for cell in line] for line in lines]
    libraries = [name.partition(":")[0] for name in names[1::2]]
    said = {}
    for name, *errors in rows:
        (_, value, slope), *peers = zip(libraries, errors[::2], errors[1::2], strict=True)
        beside = [f"in {library} {theirs} and {slopes}" for library, theirs, slopes in peers if theirs]
        said[name] = f"within {value} units in the last place, the derivative within {slope}"
        said[name] += f"; {', '.join(beside)}" if beside else ""
    return said


# Examples.


def example(kind: type[Formula]) -> tuple[str, dict[str, Any]]:
    """The example of a docstring with the imports it needs, and the names that it leaves when it is run."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
    promised = "\n".join(each for each in paragraphs if each.startswith(">>>"))
    program = "\n".join([*(f">>> {line}" for line in imports(kind, promised)), promised])
    return program, run(program, kind.__name__)


def run_guide(guide: Path) -> None:
    """Run all that a guide shows of Python, from its beginning to its end."""
    run("\n".join(re.findall(r"^```pycon\n(.*?)^```", guide.read_text(), re.DOTALL | re.MULTILINE)), guide.name)


def run(program: str, name: str) -> dict[str, Any]:
    """The names that a program leaves, which is written as Python's own prompt shows it.

    Raises:
        ChainruleError: at the first line that gives something else than what is written.
    """
    test = doctest.DocTestParser().get_doctest(program, {"__name__": "example"}, name, None, None)
    try:
        doctest.DebugRunner().run(test, clear_globs=False)
    except doctest.DocTestFailure as error:
        line, went = error.example.source, f"gives {error.got.strip()} and not {error.example.want.strip()}."
    except doctest.UnexpectedException as error:
        line, went = error.example.source, f"fails: {error.exc_info[0].__name__}: {error.exc_info[1]}"
    else:
        return test.globs
    raise ChainruleError(" ".join(f"{name}: the example {line} {went}".split()))


def imports(kind: type[Formula], program: str) -> list[str]:
    """The imports by which a reader has the names that a docstring takes from its module."""
    around = vars(sys.modules[kind.__module__])
    sources = [each.source for each in doctest.DocTestParser().get_examples(program)]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    own = {alias.asname or alias.name for node in nodes if isinstance(node, IMPORTS) for alias in node.names}
    used = {node.id for node in nodes if isinstance(node, ast.Name)} - own
    modules = {
        f"import {around[name].__name__}" + f" as {name}" * (around[name].__name__ != name)
        for name in used
        if isinstance(around.get(name), ModuleType)
    }
    homes: dict[str, list[str]] = {}
    for name in sorted(name for name in used if name in formulas() and name in around):
        family = next(family for family in FAMILIES if formulas()[name] in members(family))
        homes.setdefault(shop(home(family).__name__, name), []).append(name)
    for name in sorted(used - formulas().keys()):
        if inspect.isclass(around.get(name)):
            homes.setdefault(around[name].__module__, []).append(name)
    return [*sorted(modules), *(f"from {place} import {', '.join(names)}" for place, names in homes.items())]


def home(family: str) -> ModuleType:
    """The module from which people import a family."""
    return import_module(name if find_spec(name := f"chainrule.{family}") else FAMILIES[family][0].__module__)


def shop(module: str, name: str) -> str:
    """The package around a module, where that has the name too; else the module."""
    package = module.rpartition(".")[0]
    return package if hasattr(import_module(package), name) else module


# Plots.


def drawing(name: str, curve: Curve, colour: str) -> bytes:
    """A curve as SVG, in an ink for light pages and dark ones."""
    from matplotlib import rc_context

    coloured = dict.fromkeys(("text.color", "axes.edgecolor"), INK)
    with rc_context(coloured | {"savefig.transparent": True}):
        figure, (axis,) = canvas(1, (3.75, 2.4))
        for line in (axis.axhline, axis.axvline) if curve.x[0] < 0 else ():
            line(0, color=INK, linewidth=0.8)
        axis.plot(*curve, color=colour, linewidth=2.2)
        axis.set_title(f"${name}$".replace("′", "'").replace("η", r"\eta"), math_fontfamily="cm", fontsize=14)
        axis.grid(color=FAINT, linewidth=0.6)
        axis.tick_params(colors=INK)
        axis.margins(x=0)
        return saved(figure, "svg")


if __name__ == "__main__":
    generate()
