"""`chainrule evaluate`: how good a trained model is on data."""

from typing import Annotated, Any

import typer

from chainrule.cli.base import sharing
from chainrule.cli.reading import READING
from chainrule.errors import counted


@sharing(READING)
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run's folder, or its model.safetensors.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="A named set or a file, with the target's column.")],
    metric: Annotated[list[str] | None, typer.Option(metavar="FORMULA", help='"F1()"; may be repeated.')] = None,
    every_row: Annotated[
        bool, typer.Option("--all", help="All rows, also those that the model was trained on.")
    ] = False,
    **shared: Any,
) -> None:
    """Measure a trained model on data; on the data that it was trained on, on their test part.

    Example: `chainrule evaluate runs/digits digits`
    """
    from chainrule import runs
    from chainrule.cli import choices, output, reading

    metrics = choices.figures("--metric", metric or [])
    said = reading.said(shared)
    measured = runs.evaluate(model, data, metrics=metrics, every_row=every_row, **said)
    reading.say(measured.table.found)
    seen = f", {measured.seen:,} of them seen in training" if measured.seen else ""
    which = " to test" if measured.to_test else seen
    output.figures({f"{measured.name}, {counted(measured.rows, 'row', 'rows')}{which}": measured.figures})
