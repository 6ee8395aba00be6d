"""`chainrule evaluate`: how good a trained model is on data."""

from typing import Annotated

import typer

from chainrule.cli.reading import Blank, Decimal, Header, Separator


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, or its model.safetensors.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A named set or a file, with the target's column.")],
    metric: Annotated[list[str] | None, typer.Option(metavar="FORMULA", help='"F1()"; may be repeated.')] = None,
    every_row: Annotated[
        bool, typer.Option("--all", help="All rows, also those that the model was trained on.")
    ] = False,
    separator: Separator = None,
    decimal: Decimal = None,
    header: Header = None,
    blank: Blank = None,
) -> None:
    """Measure a trained model on data; on the data that it was trained on, on their test part.

    Example: `chainrule evaluate runs/digits digits`
    """
    from chainrule.cli import choices, output, reading
    from chainrule.cli.parts import redivide
    from chainrule.cli.raw import load_for_rows, read_rows

    metrics = choices.figures("--metric", metric or [])
    trained, preparation = load_for_rows(model)
    how = reading.said(separator, decimal, header, blank)
    table, chosen = read_rows(data, trained, how), trained.training
    same = (table.name, table.rows) == (chosen.get("data"), chosen.get("rows"))
    which = ", the training part among them" if same else ""
    if same and not every_row and (chosen["test"] or table.test):
        table = redivide(table, preparation.roles, chosen)["test"] if chosen["test"] else table.test
        which = " to test"
    table = preparation.complete(table)
    name = f"{table.name}, {table.rows:,} rows{which}"
    reading.say(table)
    output.figures({name: trained.evaluate(table, metrics=list(dict.fromkeys([*trained.metrics, *metrics])))})
