"""`chainrule predict`: what a trained model says of rows."""

import csv
import io
from typing import Annotated

import typer

from chainrule.cli.reading import Blank, Decimal, Header, Separator


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, or its model.safetensors.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file of rows, with or without the target's column.")],
    out: Annotated[
        str | None, typer.Option(metavar="FILE", help="The CSV file to write; else standard output.")
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="A column for each class's probability too.")
    ] = False,
    separator: Separator = None,
    decimal: Decimal = None,
    header: Header = None,
    blank: Blank = None,
) -> None:
    """Predict the target of each row of a file, as CSV: one line for each row, in the file's order.

    Example: `chainrule predict runs/diamonds new.csv --out prices.csv`
    """
    from chainrule.cli import output, reading
    from chainrule.cli.folder import written
    from chainrule.cli.raw import answerable, load_for_rows, read_rows
    from chainrule.files import check_output, write_whole

    inputs = [data, *written(model)]
    if out is not None:
        check_output(out, inputs)
    trained, preparation = load_for_rows(model)
    table = read_rows(data, trained, reading.said(separator, decimal, header, blank))
    whole = answerable(table, preparation)
    known = table if whole.all() else table.take(whole)
    answers = trained.predict(known).reshape(known.rows, len(preparation.predicted))
    columns = dict(zip(preparation.roles.targets, answers.T.tolist(), strict=True))
    if probabilities and trained.classes:
        a = trained(known)
        a = a if a.shape[1] > 1 else abs([1, 0] - a)  # one output is the probability of the second class
        columns |= {f"p({name})": a[:, index].tolist() for index, name in enumerate(trained.classes)}
    answers = zip(*([_written(cell) for cell in cells] for cells in columns.values()), strict=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(next(answers) if row else [""] * len(columns) for row in whole)
    reading.say(table)
    if not whole.all():
        output.note(f"{(~whole).sum():,} rows have blank cells, which training left out: their lines are empty.")
    if out is None:
        print(text.getvalue(), end="")
    else:
        write_whole(out, text.getvalue(), inputs)
        output.say(f"{whole.sum():,} predictions in ", (out, "bold"), ".")


def _written(cell: str | float) -> str:
    """A number with all the digits that a network computes."""
    return cell if isinstance(cell, str) else f"{cell:.9g}"
