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
    from collections.abc import Iterable, Mapping, Sequence

    from chainrule.formula.base import Formula
    from chainrule.model.summary import Summary
    from chainrule.runs import Plan
    from chainrule.runs.comparison.comparison import Comparison

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


def family(name: str, kinships: "Mapping[str, Sequence[type[Formula]]]") -> None:
    """A family's formulas, each kinship below what it is: how each is written, and its mathematics."""
    from chainrule.formula.base import written
    from chainrule.textbook.equations import equations

    rows = {
        told: {written(formula): "; ".join(each.row() for each in equations(formula)) for formula in formulas}
        for told, formulas in kinships.items()
    }
    first = max(len(left) for some in rows.values() for left in some)
    _print(sys.stdout, Text(name, "bold"))
    for told, some in rows.items():
        if len(rows) > 1:
            _one_line(Text(f"  {told}", "italic"))
        _columns(some, first)
    say("")


def found(words: str, formulas: "Sequence[type[Formula]]") -> None:
    """The formulas that words tell of, with their first lines."""
    _print(sys.stdout, Text(words, "bold"))
    rows = {formula.__name__: formula.title() for formula in formulas}
    _columns(rows, max(map(len, rows)))


def _columns(rows: dict[str, str], first: int) -> None:
    """Lines of two columns, both cut to a terminal's width."""
    whole, width = not sys.stdout.isatty(), console(sys.stdout).width
    first = min(first, NOTATION if whole else (width - 6) // 2)
    for left, right in rows.items():
        shown = Text(left)
        shown.truncate(len(left) if whole else first, overflow="ellipsis")
        _one_line(Text.assemble("    ", shown, " " * max(first - len(shown), 0), (f"  {right}", "dim")))


def _one_line(line: Text) -> None:
    """A line that is cut to a terminal's width."""
    if sys.stdout.isatty():
        line.truncate(console(sys.stdout).width, overflow="ellipsis")
    _print(sys.stdout, line)


def layers(rows: "Summary") -> None:
    """A network's layers with their output shapes and numbers of parameters."""
    labels, sums = zip(*((label, f"{number:,}") for label, number in rows.totals), strict=True)
    table = _table("layer")
    table.add_column("output", justify="right", no_wrap=True, footer="\n".join(labels))
    table.add_column("parameters", justify="right", footer="\n".join(sums))
    for row in rows:
        table.add_row(Text(row.layer), " × ".join(map(str, row.output_shape)), f"{row.parameters:,}")
    _show(table)


def comparison(comparison: "Comparison") -> None:
    """What all trials share, a table of the candidates and one of each axis, and the answer."""
    from chainrule.runs.comparison import told

    _paragraphs(told.shared(comparison))
    tables = [("", told.table(comparison)), *(told.effect(comparison, each) for each in comparison.effects)]
    for title, columns in tables:
        say("")
        if title:
            _paragraphs([title])
        first, *others = columns
        table = _table(first)
        table.collapse_padding = True
        for name in others:
            table.add_column(name, justify="right", no_wrap="±" in "".join(columns[name]))
        for cells in zip(*columns.values(), strict=True):
            table.add_row(*map(Text, cells))
        console(sys.stdout).print(table)
    for words in filter(None, (told.legend(comparison), comparison.answer)):
        say("")
        _paragraphs([words])


def _paragraphs(texts: "Iterable[str]") -> None:
    """Texts, each from a new line on, which a terminal folds between words."""
    for text in texts:
        console(sys.stdout).print(Text(printable(text)), soft_wrap=not sys.stdout.isatty())


def plan(plan: "Plan") -> None:
    """What training minimises, by what, and for how long, in two lines."""
    terms, stopping = " + ".join(repr(term) for term in (plan.cost, plan.regularizer) if term), plan.early_stopping
    say(f"cost: {terms}, by {plan.optimizer!r}")
    until = f" at most, until {stopping.patience} in a row bring no {stopping.gain}" if stopping else ""
    within = f", in {plan.minutes:g} minutes at most" if plan.minutes else ""
    say(f"epochs: {plan.epochs:,}{until}{within}")
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
