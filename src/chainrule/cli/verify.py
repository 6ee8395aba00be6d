"""`chainrule verify`: how exact the formulas are."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer


def verify(
    formulas: Annotated[
        list[str] | None,
        typer.Argument(metavar="FORMULA", help='ELU, "LeakyReLU(0.2)", CrossEntropy, …; all, if none is said.'),
    ] = None,
    sample: Annotated[
        str,
        typer.Option(metavar="N", help="Take every N-th float32 value; 1 takes all of them, in minutes a formula."),
    ] = "1009",
) -> int:
    """Compare formulas and their derivatives with the textbook in high precision, over all float32 values.

    Errors are in units in the last place. The exit code is 1 where one is larger than its bound.

    Example: `chainrule verify ELU --sample 1`
    """
    from chainrule.cli import choices
    from chainrule.textbook.accuracy.measure import accuracy, verifiable

    every = choices.whole("--sample", sample, 1, 2**31)
    chosen = [choices.single(formula) for formula in formulas] if formulas else verifiable()
    with _progress(len(chosen)) as step:
        found = [accuracy(each, every, lambda part, each=each: step(each, part)) for each in chosen]
    _show(found)
    return 0 if all(each.kept for each in found) else 1


def _show(found: list[Any]) -> None:
    from rich.text import Text

    from chainrule.cli import output

    table = output._table("formula")
    for side in ("value", "derivative"):
        table.add_column(f"{side} error", justify="right")
        table.add_column("at", overflow="fold")
    table.add_column("bound", justify="right")
    table.add_column("")
    for each in found:
        sides = [word for side in (each.value, each.derivative) for word in (f"{side.error:.4g}", _place(side))]
        verdict = Text("ok", "green") if each.kept else Text("broken", "bold red")
        table.add_row(Text(repr(each.formula)), *map(Text, sides), f"{each.bound:g}", verdict)
    output._show(table)


def _place(worst: Any) -> str:
    if not worst.error:
        return ""
    at = worst.at if isinstance(worst.at, tuple) else (worst.at,)
    return ", ".join(f"{x:.9g}" for x in at) + f" {worst.how}" * (worst.how != "compiled")


@contextmanager
def _progress(formulas: int) -> Iterator[Callable[[Any, float], None]]:
    """In a terminal a bar, moved by a part of one formula at a time."""
    if not sys.stdout.isatty():
        yield lambda formula, part: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(bar_width=16), TimeRemainingColumn(compact=True)
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=formulas)
        yield lambda formula, part: bar.update(task, advance=part, description=repr(formula))
