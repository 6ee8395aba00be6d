"""`chainrule predict`: what a trained model says of rows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.cli.base import sharing
from chainrule.cli.interrupt import CTRL_C
from chainrule.cli.reading import READING
from chainrule.errors import counted


@sharing(READING)
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
    **shared: Any,
) -> None:
    """Predict the target of each row of a file: one line for each row, in the file's order.

    Example: `chainrule predict runs/diamonds new.csv --keep id --out prices.csv`
    """
    from chainrule.cli import output, reading
    from chainrule.data import writer
    from chainrule.data.files import abandon, check_output, write_whole
    from chainrule.data.writing import DELIMITED
    from chainrule.runs.answering import answers
    from chainrule.runs.folder import written
    from chainrule.runs.raw import load_for_rows

    inputs = [data, *written(model)]
    write = writer(out or "")
    if out is not None:
        check_output(out, inputs)
    trained, _ = load_for_rows(model)
    found = answers(trained, data, keep or [], probabilities, **reading.said(shared))
    odd: Counter[str] = Counter()
    kinds, blocks = found.kinds, iter(found)
    if spreadsheet:
        kinds, blocks = _for_spreadsheets(kinds, blocks)
    elif Path(out or "").suffix.lower() in DELIMITED:
        blocks = _counting(odd, kinds, blocks)
    content: Iterable[bytes] = write(kinds, blocks)
    if out is None:
        content = [*content]  # all is computed before anything is shown
    else:
        CTRL_C.before = abandon
        write_whole(out, content, inputs)
    reading.say(found.source.found)
    if odd:
        one = next(iter(odd))
        output.note(f"a spreadsheet would compute {odd.total():,} texts such as {one!r}. For one, add --spreadsheet.")
    if found.blank:
        output.note(f"{found.blank:,} rows have blank cells, which training left out: their answers are blank.")
    if out is None:
        for part in content:
            print(part.decode(errors="surrogateescape"), end="")
    else:
        output.say(f"{counted(found.rows, 'prediction', 'predictions')} in ", (out, "bold"), ".")


def _for_spreadsheets(kinds: Mapping[str, Any], blocks: Iterable[Any]) -> tuple[Mapping[str, Any], Iterator[Any]]:
    """Columns with an apostrophe before what a spreadsheet would compute, names included."""
    from chainrule.data import shown

    guarded = ({shown(name): [*map(shown, cells)] for name, cells in columns.items()} for columns in blocks)
    return {shown(name): kind for name, kind in kinds.items()}, guarded


def _counting(odd: Counter[str], kinds: Mapping[str, Any], blocks: Iterable[Any]) -> Iterator[Any]:
    """The blocks as they are; the texts that a spreadsheet would compute are counted on the way."""
    from chainrule.data import computed

    odd.update(computed(kinds))
    for columns in blocks:
        for cells in columns.values():
            odd.update(computed(cells))
        yield columns
