"""`chainrule predict`: what a trained model says of rows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.reading import Blank, Decimal, Header, Separator
from chainrule.errors import ChainruleError, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chainrule.data.table import Table
    from chainrule.model import Model


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, or its model.safetensors.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file of rows, with or without the target's column.")],
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The .csv, .tsv, .parquet or .jsonl file to write; else standard output."),
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A column to carry along; may be repeated.")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="A column for each class's probability too.")
    ] = False,
    spreadsheet: Annotated[
        bool, typer.Option("--spreadsheet", help="An apostrophe before texts such as =1+1, which it would compute.")
    ] = False,
    separator: Separator = None,
    decimal: Decimal = None,
    header: Header = None,
    blank: Blank = None,
) -> None:
    """Predict the target of each row of a file: one line for each row, in the file's order.

    Example: `chainrule predict runs/diamonds new.csv --keep id --out prices.csv`
    """
    from chainrule.cli import output, reading
    from chainrule.data import computed, for_spreadsheets, typed, writer
    from chainrule.data.columns import texts
    from chainrule.data.files import check_output, write_whole
    from chainrule.data.writing import DELIMITED
    from chainrule.runs.folder import written
    from chainrule.runs.raw import answerable, as_written, load_for_rows, read_rows

    inputs = [data, *written(model)]
    write = writer(out or "")
    if out is not None:
        check_output(out, inputs)
    trained, preprocessor = load_for_rows(model)
    keep, said = keep or [], reading.said(separator, decimal, header, blank)
    table = read_rows(data, trained, said, keep)
    found = as_written(data, table, keep, trained, said)
    kept = {name: typed(texts(found, name).tolist()) for name in keep}
    whole = answerable(table, preprocessor)
    answers = _answers(trained, table if whole.all() else table.take(whole), probabilities)
    for name in kept.keys() & answers.keys():
        raise ChainruleError(f"--keep {name}: a column of the answers has that name. Rename it in {data}.")
    columns = kept | {name: _in_place(cells, whole) for name, cells in answers.items()}
    content = write(for_spreadsheets(columns) if spreadsheet else columns)
    reading.say(table.found)
    if not spreadsheet and Path(out or "").suffix.lower() in DELIMITED and (found := computed(columns)):
        output.note(
            f"a spreadsheet would compute {len(found):,} texts such as {found[0]!r}. For one, add --spreadsheet."
        )
    if not whole.all():
        output.note(f"{(~whole).sum():,} rows have blank cells, which training left out: their answers are blank.")
    if out is None:
        print(content.decode(errors="surrogateescape"), end="")
    else:
        write_whole(out, content, inputs)
        output.say(f"{counted(whole.sum(), 'prediction', 'predictions')} in ", (out, "bold"), ".")


def _answers(trained: "Model", rows: "Table", probabilities: bool) -> "dict[str, Sequence[Any]]":
    """What a model says of rows, by column: the targets, and each class's probability where that is asked for."""
    assert trained.preprocessor is not None
    targets = trained.preprocessor.schema.targets
    found = trained.predict(rows).reshape(rows.rows, len(targets)).T
    if probabilities and trained.classes:
        targets = (*targets, *(f"p({name})" for name in trained.classes))
        found = [*found, *trained.predict_proba(rows).T]
    return {name: [_rounded(cell) for cell in cells.tolist()] for name, cells in zip(targets, found, strict=True)}


def _in_place(cells: "Sequence[Any]", rows: Any) -> list[Any]:
    """Cells at the places of the rows that they belong to; None at the others."""
    each = iter(cells)
    return [next(each) if row else None for row in rows]


def _rounded(cell: str | float) -> str | float:
    """A number with all the digits that a network computes."""
    return cell if isinstance(cell, str) else float(f"{cell:.9g}")
