"""How good a model is on examples whose targets are known: its cost and its metrics."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.arrays.compilation import compiled
from chainrule.arrays.masked import Masked, Shape, shape_of, step_weights
from chainrule.arrays.memory import blocks
from chainrule.arrays.sparse import dense
from chainrule.costs import Cost
from chainrule.data.loaders import Loader, first, given
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain
from chainrule.metrics import MAE, R2, RMSE, Accuracy, Metric
from chainrule.model.examples import inputs, lengthened, longer, take
from chainrule.model.prediction import batches, joined, most_rows
from chainrule.model.targets import check_cells, class_count, expected, sample_weights
from chainrule.model.trained import Trained
from chainrule.notation import as_metrics, check_measured
from chainrule.regularizers import Regularizer, penalty

Figures = dict[str, Any]


class Part(NamedTuple):
    """Some of the examples that a model is measured on.

    Attributes:
        batches: of inputs and targets, as `prediction.batches` makes them; they may be on the device.
        E: the targets in their own units, (rows, …); metrics are computed on the host, in float64.
        weights: how much each example counts, (rows,), or each of its steps, (rows, time); None: all the same.
    """

    batches: Iterable[Any]
    E: np.ndarray
    weights: np.ndarray | None


def evaluate(
    model: Trained, x: Any, y: Any, sample_weight: Any, metrics: Sequence[Metric | str] | None, who: str = "evaluate"
) -> Figures:
    """The cost and the metrics of a model on rows, or on examples and their targets, as users give them.

    Rows are prepared, and measured, a block at a time, and the examples of a loader a part at a time.
    """
    preprocessor, E = model.preprocessor, None
    if isinstance(x, Loader):
        if y is not None or sample_weight is not None:
            raise ChainruleError(f"{who}: a loader gives the targets and the weights too. Leave the others out.")
        E, parts = _checked(model, *first(x, who), f"{who}, part 0")[1], _parts_of_loader(model, x, who)
    elif y is None and preprocessor is None:
        raise ChainruleError(f"{who}: this model takes arrays, not raw rows: give the targets y too.")
    elif y is None:
        parts = _parts_of_rows(model, x, sample_weight, who)
    else:
        x, E, weights = _checked(model, x, y, sample_weight, who)
        parts = measurable(model, x, E, weights)
    if metrics is None:
        measured = usual_metrics(model)
    else:
        measured = as_metrics(metrics, who)
        target = "y" if preprocessor is None else preprocessor.schema.target
        check_measured(measured, who, target, class_count(E, model.classes, preprocessor is not None))
    return figures(model, parts, measured)


def _parts_of_rows(model: Trained, rows: Any, sample_weight: Any, who: str) -> Iterator[Part]:
    """Raw rows that can be scored, of which a block at a time is prepared."""
    assert model.preprocessor is not None
    table = model.preprocessor.complete(rows)
    weights = sample_weights(sample_weight, table.rows, who)
    check_cells(table, model.preprocessor, model.cost)
    for some, x in model.preprocessor.in_blocks(table):
        x, E, _ = _checked(model, x, model.preprocessor.targets(table.take(some)), None, who)
        yield from measurable(model, x, E, None if weights is None else weights[some])


def _parts_of_loader(model: Trained, loader: Loader, who: str) -> Iterator[Part]:
    """The examples of a loader, of which a part at a time is read."""
    for index in range(len(loader.rows)):
        yield from measurable(model, *_of_loader(model, loader, index, who))


def _of_loader(model: Trained, loader: Loader, index: int, who: str) -> tuple[Any, np.ndarray, Any]:
    """A part of a loader as the model takes it."""
    who = f"{who}, part {index}"
    return _checked(model, *given(loader, index, who), who)


def _checked(model: Trained, x: Any, y: Any, weights: Any, who: str) -> tuple[Any, np.ndarray, Any]:
    """Inputs, targets and weights as the model takes them."""
    x = inputs(x, model.input_shape, who, model.network.tokens)
    return x, *expected(y, weights, x, model.network, model.cost, model.classes, who)[:2]


def measurable(model: Trained, x: Any, E: np.ndarray, weights: Any, cut: Callable = batches) -> Iterator[Part]:
    """Checked examples as `figures` takes them: a part for each block of them in which something counts.

    Args:
        model: what is to be measured.
        x, E, weights: on which examples.
        cut: makes batches of a block, as those of `prediction` do.
    """
    x = lengthened(x, model.input_shape, model.network)
    reached, most = model.network.output_shape(shape_of(x)), most_rows(model.network, model.input_shape)
    if isinstance(x, Masked) and len(reached) > 1:
        E, weights = longer(E, reached[0]), longer(weights, reached[0])
    for rows in blocks(len(E), math.prod(model.input_shape)):
        some = take((x, E, weights), rows)
        if weights is None or some[2].any():
            yield Part(cut(most, *some[:2]), in_own_units(model, some[1]), some[2])


def figures(model: Trained, parts: Iterable[Part], metrics: Sequence[Metric]) -> Figures:
    """The cost (regulariser included) and the metrics of a model, by name; of the parts only tallies are kept."""

    def through(x: Any, E: Any) -> tuple[jax.Array, jax.Array]:
        return _assess(model.network, model.cost, model.parameters, model.state, x, E)

    found = ((part, joined(through, part.batches, len(part.E))) for part in parts)
    return figured((tallies(model, *each, metrics) for each in found), added(model), metrics)


def figured(tallies: Iterable[list[Any]], penalty: float, metrics: Sequence[Metric]) -> Figures:
    """The figures that come of what is known of each part, and of what the regulariser adds."""
    (total, count), *others = reduce(_sums, tallies)
    found: Figures = {"cost": float(total / count) + penalty}
    return found | {metric.label(): metric.figure(tally) for metric, tally in zip(metrics, others, strict=True)}


def tallies(model: Any, part: Part, found: Sequence[np.ndarray], metrics: Sequence[Metric]) -> list[Any]:
    """What is to be known of a part: of its costs the sum and what they count together, and each metric's tally.

    Args:
        model: what is measured, or its plan.
        part: on which examples; its batches are not asked for.
        found: what came of them: the outputs, where sequences are of unequal length their mask, and each one's cost.
        metrics: what is measured.
    """
    a, *mask, each = found
    a = model.cost.estimate(a)
    weights = step_weights(mask[0].shape, part.weights, mask[0]) if mask else part.weights
    of_each = np.ones(()) if weights is None else step_weights(each.shape, weights, None).astype(np.float64)
    count = each.size if weights is None else of_each.sum()
    a = in_own_units(model, a)
    return [np.array([(each * of_each).sum(), count]), *(metric.tally(a, part.E, weights) for metric in metrics)]


def _sums(some: list[Any], more: list[Any]) -> list[Any]:
    """Tallies, one by one, with those of another part."""
    return [one + other for one, other in zip(some, more, strict=True)]


def usual_metrics(model: Trained) -> tuple[Metric, ...]:
    """The metrics that tell most about a model of its kind; none that would add the units of several targets."""
    if model.classes is not None:
        return (Accuracy(),)
    one = model.preprocessor is None or len(model.preprocessor.predicted) == 1
    return (R2(), RMSE(), MAE()) if one else (R2(),)


def in_own_units(model: Any, values: np.ndarray) -> np.ndarray:
    """Outputs or targets in the target's own units."""
    if model.preprocessor is None or model.classes is not None:
        return values
    return model.preprocessor.restore(values)


def added(model: Trained) -> float:
    """What the regulariser adds to the cost."""
    if model.regularizer is None:
        return 0.0
    return float(_penalty(model.regularizer, model.network, model.parameters, shape=model.input_shape))


@compiled()
def _assess(network: Chain, cost: Cost, parameters: Any, state: Any, x: Any, E: jax.Array) -> tuple[Any, Any]:
    a, each, _ = cost.through(network, parameters, state, dense(x), E)
    return a, each


@compiled()
def _penalty(regularizer: Regularizer, network: Chain, parameters: Any, *, shape: Shape) -> Any:
    return penalty(regularizer, network, shape, parameters)
