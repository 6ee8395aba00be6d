"""`chainrule train`: from data to a trained model in a folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from chainrule.errors import ChainruleError

FORMULAS, DATA, RUN = "Formulas", "Data", "Run"
INTERRUPTED = 130  # the exit code that shells give to Ctrl-C
Text = str | None


def train(
    data: Annotated[str, typer.Argument(help="A named set (digits, iris, …), or a CSV, TSV, Parquet or NPZ file.")],
    network: Annotated[
        Text, typer.Option(help='Layers: "Dense(64) >> ReLU() >> Dense(1)".', rich_help_panel=FORMULAS)
    ] = None,
    cost: Annotated[Text, typer.Option(help='"Quadratic()".', rich_help_panel=FORMULAS)] = None,
    optimizer: Annotated[str, typer.Option(help='"Nesterov(0.01)".', rich_help_panel=FORMULAS)] = "Adam(0.001)",
    regularizer: Annotated[Text, typer.Option(help='"L1(1e-3) + L2(1e-4)".', rich_help_panel=FORMULAS)] = None,
    metric: Annotated[list[str] | None, typer.Option(help='"F1()"; may be repeated.', rich_help_panel=FORMULAS)] = None,
    target: Annotated[
        Text, typer.Option(help='The column to predict; else "target", or the last.', rich_help_panel=DATA)
    ] = None,
    task: Annotated[
        Text, typer.Option(help="classification or regression, if the target leaves it open.", rich_help_panel=DATA)
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(help="A column to leave out; may be repeated.", rich_help_panel=DATA)
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="A column of numbers to read as text; may be repeated.", rich_help_panel=DATA),
    ] = None,
    missing: Annotated[Text, typer.Option(help="Blank cells: median or drop.", rich_help_panel=DATA)] = None,
    test: Annotated[Text, typer.Option(help="A fraction of the rows [0.2], or a file.", rich_help_panel=DATA)] = None,
    validation: Annotated[
        Text, typer.Option(help="A fraction of the rows [0.1], or a file.", rich_help_panel=DATA)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="How often every example is seen [by the size of the data].", rich_help_panel=RUN)
    ] = None,
    batch_size: Annotated[str, typer.Option(help="Examples a step; 1, 32, … or all.", rich_help_panel=RUN)] = "32",
    early_stopping: Annotated[
        Text, typer.Option(help="Stop after so many epochs without a gain, or never.", rich_help_panel=RUN)
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of the first values, the shuffles and the parts.", rich_help_panel=RUN)
    ] = 0,
    out: Annotated[Text, typer.Option(help="The folder to write [runs/NAME].", rich_help_panel=RUN)] = None,
) -> int:
    """Train a network on a named data set or a file, and keep the result in a folder.

    Example: `chainrule train diamonds.csv --target price --network "Dense(64) >> ReLU() >> Dense(1)"
    --optimizer "Adam(0.003)" --regularizer "L2(1e-4)" --epochs 20 --batch-size 256 --seed 1`
    """
    from chainrule.cli import output
    from chainrule.cli.parts import divide
    from chainrule.cli.run import run_files, write_run
    from chainrule.defaults import default_epochs, default_network, default_patience
    from chainrule.errors import DivergedError
    from chainrule.metrics import R2, Accuracy
    from chainrule.model import as_chain, summary
    from chainrule.preparation import Preparation
    from chainrule.training import fit

    choices = {"target": target, "task": task, "drop": drop or [], "text": text or [], "missing": missing}
    choices |= {"test": test, "validation": validation}
    divided = divide(data, seed=seed, **choices)
    preparation = Preparation.fit(divided.parts["train"], divided.roles)
    prepared = {name: (preparation.inputs(part), preparation.targets(part)) for name, part in divided.parts.items()}
    chain = as_chain(network or default_network(preparation))
    size = int(batch_size) if batch_size.lstrip("-").isdecimal() else batch_size
    if epochs is None:
        rows = len(prepared["train"][0])
        epochs = default_epochs(rows, size if isinstance(size, int) and 0 < size < rows else rows)
        if early_stopping is None and "validation" in prepared:
            early_stopping = str(default_patience(epochs))
    output.data(divided, preparation)
    output.layers(summary(chain, preparation.input_shape))

    diverged = None
    with output.warnings_as_notes():
        try:
            model = fit(
                chain,
                *prepared["train"],
                cost=cost,
                optimizer=optimizer,
                regularizer=regularizer,
                metrics=metric or [Accuracy() if preparation.classes else R2()],
                epochs=epochs,
                batch_size=size,
                validation=prepared.get("validation"),
                early_stopping=_early_stopping(early_stopping),
                seed=seed,
                classes=preparation.classes or None,
                preparation=preparation,
            )
        except DivergedError as error:
            model, diverged = error.model, error
    model.training |= divided.chosen
    measured = {name: model.evaluate(x, y, metrics=_metrics(model, metric)) for name, (x, y) in prepared.items()}
    folder = write_run(Path(out or f"runs/{Path(data).stem}"), run_files(model, divided, measured, data, choices))
    if diverged:
        raise ChainruleError(f"{diverged} What was good before is in {folder}.")
    output.figures(measured)
    output.out.print(_ending(model, folder))
    return INTERRUPTED if model.history.stopped == "interrupted" else 0


def _early_stopping(text: str | None) -> Any:
    """A rule in notation, a number of epochs, or none for "never"."""
    if text is None or text == "never":
        return None
    return int(text) if text.isdecimal() else text


def _metrics(model: Any, named: list[str] | None) -> list[Any]:
    """The metrics that are named and those that every model of the kind has."""
    from chainrule.metrics import Metric
    from chainrule.notation import as_formula

    return list(dict.fromkeys([*model.metrics, *(as_formula(name, Metric) for name in named or [])]))


def _ending(model: Any, folder: Path) -> str:
    history = model.history
    ended = {
        "early stopping": f", stopped early; epoch {history.best_epoch} is kept",
        "interrupted": ", interrupted",
    }.get(history.stopped, f"; epoch {history.best_epoch} is kept" if history.best_epoch else "")
    return f"{len(history)} epochs in {history.seconds:.1f} s{ended}. All of it is in [bold]{folder}[/bold]."
