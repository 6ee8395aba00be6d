"""What commands print: notes, tables of figures, tables of layers."""

import shlex
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chainrule.cli.words import options_of
from chainrule.data.columns import Category
from chainrule.data.dates import Date
from chainrule.errors import counted, cut, one_line, printable

if TYPE_CHECKING:
    from chainrule.model.summary import Summary
    from chainrule.runs import Plan

WIDE = 250  # columns of files and pipes, so that nothing is folded there
NOTATION = 64  # columns of a list there, in which formulas of common length stand


def say(*parts: str | tuple[str, str]) -> None:
    """A line on standard output, of texts, and of texts with their styles; nothing in them is read as markup."""
    styled = [(part, "") if isinstance(part, str) else part for part in parts]
    _print(sys.stdout, Text.assemble(*((printable(text), style) for text, style in styled)))


def note(text: str) -> None:
    """A remark that changes nothing, on standard error."""
    _print(sys.stderr, Text(f"note: {one_line(text)}", "yellow"))


def lost() -> bool:
    """Whether standard output could not be written."""
    sys.stdout.flush()
    return getattr(sys.stdout, "failure", None) is not None


def _print(stream: Any, line: Text) -> None:
    console(stream).print(line, soft_wrap=True)


def data(plan: "Plan") -> None:
    """What was read, what it is for and how it is divided, in two lines; and what is odd about it."""
    preprocessor = plan.preprocessor
    schema, classes = preprocessor.schema, preprocessor.classes
    values = "a value" if len(schema.targets) == 1 else f"{len(schema.targets)} values"
    aim = f"{len(classes)} classes" if classes else f"{values} (regression)"
    guess = " (the last column; --target names another)" if schema.guessed and len(schema.inputs) > 1 else ""
    guess = "" if schema.target == "target" else guess
    shape = " × ".join(map(str, preprocessor.input_shape))
    inputs = "input" if shape == "1" else "inputs"
    say((plan.chosen["data"], "bold"), f": {shape} {inputs} → {cut(schema.target)}, {aim}{guess}")
    uses = {"train": "to train", "validation": "to validate", "test": "to test"}
    way = f", in the order of {cut(schema.order_by)}" if schema.order_by else ""
    way += f", each {cut(schema.group)} in one part" if schema.group else ""
    say("rows: " + ", ".join(f"{rows:,} {uses[name]}" for name, rows in plan.rows.items()) + way)
    rows = plan.rows["train"]
    for column in preprocessor.columns:
        if isinstance(column, Date):
            say(str(column))
        if isinstance(column, Category) and 2 * len(column.values) > rows:
            note(
                f"column {column.name!r} is text with {counted(len(column.values), 'value', 'values')} in "
                f"{counted(rows, 'row', 'rows')}, too many to "
                f"learn from. Leave it out: {shlex.join(options_of('drop', column.name))}"
            )


def figures(rows: dict[str, dict[str, Any]]) -> None:
    """A table of figures: a row for each part of the data, a column for each figure."""
    table = _table("")
    names = list(next(iter(rows.values())))
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for part, values in rows.items():
        table.add_row(Text(printable(part)), *(f"{values[name]:,.4f}" for name in names))
    _show(table)


def formulas(family: str, rows: dict[str, str]) -> None:
    """A family's formulas, a line each: how it is written, and its mathematics; both are cut to a terminal's width."""
    out, whole = console(sys.stdout), not sys.stdout.isatty()
    first = min(max(map(len, rows)), NOTATION if whole else (out.width - 4) // 2)
    out.print(Text(family, "bold"))
    for written, mathematics in rows.items():
        left, line = Text(written), Text("  ")
        left.truncate(len(left) if whole else first, overflow="ellipsis")
        line.append(left).append(" " * max(first - len(left), 0)).append(f"  {mathematics}", "dim")
        line.truncate(len(line) if whole else out.width, overflow="ellipsis")
        out.print(line, soft_wrap=True)
    out.print()


def layers(rows: "Summary") -> None:
    """A network's layers with their output shapes and numbers of parameters."""
    labels, sums = zip(*((label, f"{number:,}") for label, number in rows.totals), strict=True)
    table = _table("layer")
    table.add_column("output", justify="right", no_wrap=True, footer="\n".join(labels))
    table.add_column("parameters", justify="right", footer="\n".join(sums))
    for row in rows:
        table.add_row(Text(row.layer), " × ".join(map(str, row.output_shape)), f"{row.parameters:,}")
    _show(table)


def plan(plan: "Plan") -> None:
    """What training minimises, by what, and for how long, in two lines."""
    terms, stopping = " + ".join(repr(term) for term in (plan.cost, plan.regularizer) if term), plan.early_stopping
    say(f"cost: {terms}, by {plan.optimizer!r}")
    until = f" at most, until {stopping.patience} in a row bring no {stopping.gain}" if stopping else ""
    say(f"epochs: {plan.epochs:,}{until}")
    if len(plan.devices) > 1:
        say(f"devices: {len(plan.devices)}, which share each batch")
    say("")


def _table(first: str) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, header_style="bold", show_footer=first == "layer")
    table.add_column(first, overflow="fold")
    return table


def _show(table: Table) -> None:
    say("")
    console(sys.stdout).print(table)
    say("")


def console(stream: Any) -> Console:
    """Where a command prints: as wide as the terminal, or wide enough for any line of a file."""
    return Console(file=stream, highlight=False, width=None if stream.isatty() else WIDE)
