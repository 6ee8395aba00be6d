"""How good a trained model is on data; on those that it was trained on, on their test part."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table
from chainrule.errors import warn
from chainrule.metrics import Metric
from chainrule.notation import as_metrics
from chainrule.runs.raw import load_for_rows, read_rows
from chainrule.runs.seen import Seen, digests


@dataclass(frozen=True)
class Measured:
    """The figures of a model on data.

    Attributes:
        table: the data.
        name: what the rows are called that were measured: the data, or a test part of their own.
        rows: how many they are.
        to_test: whether they are the test part of the training.
        seen: how many of them training has seen, of other rows.
        figures: the cost and metrics.
    """

    table: Table
    name: str
    rows: int
    to_test: bool
    seen: int
    figures: dict[str, float]


def evaluate(
    model: str,
    data: Any,
    *,
    metrics: Sequence[Metric | str] = (),
    every_row: bool = False,
    **reading: Any,
) -> Measured:
    """Measure a trained model on data; on those that it was trained on, on their test part.

    The rows that training has seen are known by what is in them, whatever their file is called.

    Args:
        model: a run's folder, or its model's file.
        data: a named set, a file or a table, with the target's column.
        metrics: measured beside those of the training.
        every_row: whether to measure all rows, also those that the model was trained on.
        **reading: how a file is read, as in `chainrule.data.read`.

    Raises:
        ChainruleError: for a model that is damaged or takes no rows, and for rows that don't fit it.

    >>> from tempfile import TemporaryDirectory
    >>> from chainrule.runs import train
    >>> with TemporaryDirectory() as place:
    ...     run = train("iris", out=f"{place}/iris", network="Dense(3) >> Softmax()", epochs=5, progress=False)
    ...     measured = evaluate(f"{place}/iris", "iris")
    >>> measured.rows, measured.to_test, measured.figures == run.figures["test"]
    (30, True, True)
    """
    more = as_metrics(metrics, "evaluate")
    trained, preprocessor = load_for_rows(model)
    table = read_rows(data, trained, reading)
    seen = Seen.beside(model)
    measured, to_test, count = preprocessor.complete(table), False, 0
    found = _digests(preprocessor, measured, seen.one_in if seen else 1)
    if seen is None:
        warn(f"no rows.safetensors is beside {model}: which rows training has seen is not known.")
    elif not every_row and (rows := seen.test_rows(found)) is not None:
        measured, to_test = measured.take(rows), True
    elif not every_row and table.test is not None and seen.is_trained_on(found):
        measured, to_test = preprocessor.complete(table.test), True
    else:
        count = seen.count(found)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*training never showed")  # of all rows it is said already
        figures = trained.evaluate(measured, metrics=list(dict.fromkeys([*trained.metrics, *more])))
    return Measured(table, measured.name, measured.rows, to_test, count, figures)


def _digests(preprocessor: Preprocessor, table: Table, one_in: int) -> np.ndarray:
    """A digest of each row, or of one in so many; a block at a time is prepared."""
    found = [digests(x, preprocessor.targets(table.take(rows)), one_in) for rows, x in preprocessor.in_blocks(table)]
    return found[0] if len(found) == 1 else np.concatenate(found)
