"""`chainrule plot`: formulas side by side in one picture."""

import math
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.errors import ChainruleError

STEPS = 10**6  # of an optimizer at most
TOGETHER = 8  # curves in one panel at most; more stand on a sheet


def plot(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="FORMULA...",
            help='Activations, schedules, or, with --on, optimizers; "activations" are all of them, on a sheet.',
        ),
    ],
    derivative: Annotated[bool, typer.Option("--derivative", help="Draw the derivatives beside them.")] = False,
    on: Annotated[
        str | None,
        typer.Option(metavar="SURFACE", help="For optimizers: beale, rosenbrock, saddle or ravine."),
    ] = None,
    low: Annotated[float, typer.Option("--from", metavar="X", help="Where activations begin.")] = -4.0,
    high: Annotated[float, typer.Option("--to", metavar="X", help="Where activations end.")] = 4.0,
    steps: Annotated[int | None, typer.Option(min=1, max=STEPS, help="How many steps the optimizers take.")] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="Optimizers keep their published rates; else each takes its fastest one."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A .png, .svg or .pdf file; with --on also a .gif. Named after them, if not said."
        ),
    ] = None,
) -> None:
    """Compare formulas in a picture: activations, schedules, or the paths of optimizers.

    Example: `chainrule plot Tanh Sigmoid ELU "LeakyReLU(0.2)" --derivative`

    Example: `chainrule plot activations`

    Example: `chainrule plot Momentum Nesterov Adagrad Adadelta RMSprop Adam --on rosenbrock --out race.gif`
    """
    from chainrule.cli import choices, output
    from chainrule.data.files import check_output, write_whole
    from chainrule.pictures.sheet import activations

    formulas, others = activations() if names == ["activations"] else ([*map(choices.single, names)], [])
    if on is None:
        family = _drawable(formulas)
        if not -math.inf < low < high < math.inf:
            raise ChainruleError(f"--from must be below --to, got {low:g} and {high:g}.")
        _unused("without --on", steps=steps, published=published)
        if family == "schedules":
            _unused("for schedules", derivative=derivative)
        target, kind = _file(out, names, "", ("png", "svg", "pdf"))
        check_output(target)
        from chainrule.pictures.comparison import comparison
        from chainrule.pictures.sheet import sheet

        drawn = comparison if len(formulas) <= TOGETHER else sheet
        content = drawn(formulas, derivative=derivative, low=low, high=high, kind=kind)
    else:
        from chainrule.pictures.race import SURFACES, race

        surface = SURFACES.get(on) or _no_surface(on, list(SURFACES))
        _optimizers(formulas)
        _unused("with --on", derivative=derivative)
        target, kind = _file(out, names, f"-on-{on}", ("png", "svg", "pdf", "gif"))
        check_output(target)
        content = race(formulas, surface, steps or surface.steps, kind, published)  # type: ignore[arg-type]
    write_whole(target, content)
    output.say(f"{len(formulas)} formula{'s are' if len(formulas) > 1 else ' is'} drawn in {target}.")
    if others:
        why = "as they take several numbers at once or have a field without a default"
        output.note(f"left out, {why}: {', '.join(others)}.")


def _drawable(formulas: list[Any]) -> str:
    """The family of formulas that are drawn as curves; refuses what has none, and two families at once."""
    from chainrule.optimizers import Optimizer
    from chainrule.optimizers.schedules import Schedule
    from chainrule.textbook.curves import curves

    for formula in formulas:
        if isinstance(formula, Optimizer):
            raise ChainruleError(f"{formula!r}: an optimizer is drawn on a surface. Choose one: --on rosenbrock.")
        if not curves(formula, points=3):
            raise ChainruleError(
                f"{formula!r}: expected an activation of one number, a schedule, or, with --on, an optimizer. "
                f"Its formula is shown by: chainrule show {type(formula).__name__}."
            )
    of = [isinstance(formula, Schedule) for formula in formulas]
    if len(set(of)) > 1:
        one, other = formulas[of.index(True)], formulas[of.index(False)]
        raise ChainruleError(
            f"{other!r} and {one!r}: an activation and a schedule have no axis in common. Plot them apart."
        )
    return "schedules" if of[0] else "activations"


def _optimizers(formulas: list[Any]) -> None:
    from chainrule.optimizers import Optimizer

    for formula in formulas:
        if not isinstance(formula, Optimizer):
            raise ChainruleError(
                f"{formula!r}: expected an optimizer, as --on is a surface. Leave out --on to draw curves."
            )


def _no_surface(name: str, known: list[str]) -> Any:
    from chainrule.errors import nearest

    raise ChainruleError(f"--on must be one of {', '.join(known)}, got {name}.{nearest(name, known)}")


def _unused(where: str, **options: Any) -> None:
    for name, value in options.items():
        if value:
            raise ChainruleError(f"--{name} has no meaning {where}. See: chainrule plot --help.")


def _file(out: Path | None, names: list[str], more: str, kinds: tuple[str, ...]) -> tuple[Path, str]:
    """The file to write, by default one named after the formulas, and its kind."""
    if out is None:
        words = [re.match(r"\w+", name.replace(" ", ""))[0] for name in names]  # type: ignore[index]
        out = Path("-".join(words)[:80] + more + ".png")
    kind = out.suffix.removeprefix(".").lower()
    if kind not in kinds:
        endings = " or ".join((", ".join(f".{each}" for each in kinds[:-1]), f".{kinds[-1]}"))
        raise ChainruleError(f"--out must name a file that ends in {endings}, got {out}.")
    return out, kind
