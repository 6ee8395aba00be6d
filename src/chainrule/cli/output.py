"""What commands print: notes, tables of figures, tables of layers."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chainrule.cli.parts import Divided
from chainrule.model import SummaryRow
from chainrule.preparation import Preparation

out = Console(highlight=False)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """A remark that changes nothing, on standard error."""
    err.print(f"note: {text}", style="yellow", markup=False)


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Each warning is said once, as a note."""
    said: set[str] = set()

    def show(message: Any, *place: Any, **more: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            note(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


def data(divided: Divided, preparation: Preparation) -> None:
    """What was read, what it is for and how it is divided, in two lines."""
    roles, classes = divided.roles, preparation.classes
    aim = f"{len(classes)} classes" if classes else "a value (regression)"
    guess = " (the last column; --target names another)" if roles.guessed and roles.target != "target" else ""
    name = divided.chosen["data"]
    shape = " × ".join(map(str, preparation.input_shape))
    out.print(f"[bold]{name}[/bold]: {shape} inputs → {roles.target}, {aim}{guess}", markup=True)
    uses = {"train": "to train", "validation": "to validate", "test": "to test"}
    out.print("rows: " + ", ".join(f"{part.rows:,} {uses[name]}" for name, part in divided.parts.items()))


def figures(rows: dict[str, dict[str, Any]]) -> None:
    """A table of figures: a row for each part of the data, a column for each figure."""
    table = _table("")
    names = [name for name, value in next(iter(rows.values())).items() if isinstance(value, float)]
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for part, values in rows.items():
        table.add_row(part, *(f"{values[name]:,.4f}" for name in names))
    out.print(table)


def formulas(family: str, rows: list[tuple[str, str]]) -> None:
    """A family's formulas, one line each, cut to the terminal's width."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
    for written, mathematics in rows:
        table.add_row(Text(written), Text(mathematics))
    if not out.is_terminal:  # whole lines for files and pipes
        print(f"{family}\n" + "".join(f"  {written}  {mathematics}\n" for written, mathematics in rows))
        return
    out.print(f"[bold]{family}[/bold]")
    out.print(table)
    out.print()


def say_unseen(cells: dict[str, dict[str, int]]) -> None:
    """A note for each column of text with values that training never showed."""
    for column, counts in cells.items():
        values = ", ".join(f"{value} ({count:,})" for value, count in list(counts.items())[:5])
        note(f"column {column}: training never showed {values}; such cells count as none of the known values.")


def layers(rows: Iterable[SummaryRow]) -> None:
    """A network's layers with their output shapes and numbers of parameters."""
    rows = list(rows)
    table = _table("layer")
    table.add_column("output", justify="right")
    table.add_column("parameters", justify="right", footer=f"{sum(row.parameters for row in rows):,}")
    for row in rows:
        table.add_row(row.layer, " × ".join(map(str, row.output_shape)), f"{row.parameters:,}")
    out.print(table)


def _table(first: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", show_footer=first == "layer")
    table.add_column(first, overflow="fold")
    return table
