"""`chainrule predict`: what a trained model says of rows."""

import csv
import io
from typing import Annotated

import typer


def predict(
    model: Annotated[str, typer.Argument(help="A run's folder, or its model.safetensors.")],
    data: Annotated[str, typer.Argument(help="A file of rows, with or without the target's column.")],
    out: Annotated[str | None, typer.Option(help="The CSV file to write; else standard output.")] = None,
    probabilities: Annotated[bool, typer.Option(help="A column for each class's probability too.")] = False,
) -> None:
    """Predict the target of each row of a file, as CSV: one line for each row, in the file's order.

    Example: `chainrule predict runs/diamonds new.csv --out prices.csv`
    """
    from chainrule.cli import output
    from chainrule.cli.raw import load_for_rows
    from chainrule.data import read
    from chainrule.files import write_whole

    trained, preparation = load_for_rows(model)
    table = read(data, preparation.text)
    output.say_unseen(preparation.unseen(table))
    columns = {preparation.roles.target: trained.predict(table).tolist()}
    if probabilities and trained.classes:
        a = trained(table)
        a = a if a.shape[1] > 1 else 1 - abs([1, 0] - a)  # one output is the probability of the second class
        columns |= {f"p({name})": a[:, index].tolist() for index, name in enumerate(trained.classes)}
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *zip(*columns.values(), strict=True)])
    if out is None:
        print(text.getvalue(), end="")
    else:
        write_whole(out, text.getvalue())
        output.out.print(f"{table.rows:,} predictions in [bold]{out}[/bold].")
