"""`chainrule evaluate`: how good a trained model is on data."""

from typing import Annotated

import typer


def evaluate(
    model: Annotated[str, typer.Argument(help="A run's folder, or its model.safetensors.")],
    data: Annotated[str, typer.Argument(help="A named set or a file, with the target's column.")],
    metric: Annotated[list[str] | None, typer.Option(help='"F1()"; may be repeated.')] = None,
    every_row: Annotated[
        bool, typer.Option("--all", help="All rows, also those that the model was trained on.")
    ] = False,
) -> None:
    """Measure a trained model on data; on the data that it was trained on, on their test part.

    Example: `chainrule evaluate runs/digits digits`
    """
    from chainrule.cli import output
    from chainrule.cli.parts import redivide
    from chainrule.cli.raw import load_for_rows
    from chainrule.data import read

    trained, preparation = load_for_rows(model)
    table, chosen = read(data, preparation.text), trained.training
    name = f"{table.name}, {table.rows:,} rows"
    same = (table.name, table.rows) == (chosen.get("data"), chosen.get("rows"))
    if same and chosen["test"] and not every_row:
        table = redivide(table, preparation.roles, chosen)["test"]
        name = f"{table.name}, the {table.rows:,} rows of its test part"
    output.say_unseen(preparation.unseen(table))
    output.figures({name: trained.evaluate(table, metrics=[*trained.metrics, *(metric or [])])})
