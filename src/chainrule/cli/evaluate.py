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
    from chainrule.cli.raw import load_for_rows, read_rows
    from chainrule.cli.seen import Seen, digests
    from chainrule.examples import take

    metrics = choices.figures("--metric", metric or [])
    trained, preparation = load_for_rows(model)
    table = read_rows(data, trained, reading.said(separator, decimal, header, blank))
    seen = Seen.beside(model)
    name, examples, which = table.name, preparation.examples(table), ""
    found = digests(*examples)
    if seen is None:
        output.note(f"no rows.safetensors is beside {model}: which rows training has seen is not known.")
    elif not every_row and (rows := seen.test_rows(found)) is not None:
        examples, which = take(examples, rows), " to test"
    elif not every_row and table.test is not None and seen.is_trained_on(found):
        name, examples, which = table.test.name, preparation.examples(table.test), " to test"
    elif count := seen.count(found):
        which = f", {count:,} of them seen in training"
    reading.say(table)
    x, y = examples
    figures = trained.evaluate(x, y, metrics=list(dict.fromkeys([*trained.metrics, *metrics])))
    output.figures({f"{name}, {len(y):,} rows{which}": figures})
