"""How good a model is on examples whose targets are known: its cost and its metrics."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from chainrule.arrays.compilation import compiled
from chainrule.arrays.masked import Masked, shape_of, step_weights
from chainrule.arrays.sparse import dense
from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain
from chainrule.metrics import MAE, R2, RMSE, Accuracy, Metric
from chainrule.model.examples import inputs, lengthened, longer
from chainrule.model.prediction import batches, joined, most_rows
from chainrule.model.targets import class_count, expected
from chainrule.model.trained import Trained
from chainrule.notation import as_metrics, check_measured
from chainrule.regularizers import penalty

Figures = dict[str, Any]


def evaluate(
    model: Trained, x: Any, y: Any, sample_weight: Any, metrics: Sequence[Metric | str] | None, who: str = "evaluate"
) -> Figures:
    """The cost and the metrics of a model on rows, or on examples and their targets, as users give them."""
    network, preprocessor = model.network, model.preprocessor
    if y is None:
        if preprocessor is None:
            raise ChainruleError(f"{who}: this model takes arrays, not raw rows: give the targets y too.")
        x, y = preprocessor.examples(x)
    x = inputs(x, model.input_shape, who, network.tokens)
    E, weights, _ = expected(y, sample_weight, x, network, model.cost, model.classes, who)
    if metrics is None:
        measured = usual_metrics(model)
    else:
        measured = as_metrics(metrics, who)
        target = "y" if preprocessor is None else preprocessor.schema.target
        check_measured(measured, who, target, class_count(E, model.classes, preprocessor is not None))
    return figures(model, *measurable(model, x, E, weights), measured)


def measurable(model: Trained, x: Any, E: np.ndarray, weights: Any) -> tuple[Iterable[Any], np.ndarray, Any]:
    """Checked examples as `figures` takes them: in batches, the targets in their own units, and the weights."""
    x = lengthened(x, model.input_shape, model.network)
    reached = model.network.output_shape(shape_of(x))
    if isinstance(x, Masked) and len(reached) > 1:
        E, weights = longer(E, reached[0]), longer(weights, reached[0])
    examples = batches(most_rows(model.network, model.input_shape), x, E)
    return examples, in_own_units(model, E), weights


def figures(model: Trained, examples: Iterable[Any], E: Any, weights: Any, metrics: Iterable[Metric]) -> Figures:
    """The cost (regulariser included) and the metrics of a model, by name.

    Args:
        model: what is measured.
        examples: batches of inputs and targets, as `prediction.batches` makes them; they may be on the device.
        E: the targets in their own units, (rows, …); metrics are computed on the host, in float64.
        weights: how much each example counts, (rows,), or each of its steps, (rows, time); None: all the same.
        metrics: what is measured beside the cost.
    """

    def through(x: Any, E: Any) -> tuple[jax.Array, jax.Array]:
        return _assess(model.network, model.cost, model.parameters, model.state, x, E)

    a, *mask, each = joined(through, examples, len(E))
    if mask:
        weights = step_weights(mask[0].shape, weights, mask[0])
    of_each = None if weights is None else step_weights(each.shape, weights, None)
    found: Figures = {"cost": float(np.average(each.astype(np.float64), weights=of_each)) + added(model)}
    a = in_own_units(model, a)
    return found | {metric.label(): metric(a, E, weights) for metric in metrics}


def usual_metrics(model: Trained) -> tuple[Metric, ...]:
    """The metrics that tell most about a model of its kind; none that would add the units of several targets."""
    if model.classes is not None:
        return (Accuracy(),)
    if model.cost.outputs_per_target > 1:  # which of them is the value, the cost alone knows
        return ()
    one = model.preprocessor is None or len(model.preprocessor.predicted) == 1
    return (R2(), RMSE(), MAE()) if one else (R2(),)


def in_own_units(model: Trained, values: np.ndarray) -> np.ndarray:
    """Outputs or targets in the target's own units."""
    if model.preprocessor is None or model.classes is not None:
        return values
    return model.preprocessor.restore(values)


def added(model: Trained) -> float:
    """What the regulariser adds to the cost."""
    if model.regularizer is None:
        return 0.0
    return float(_penalty(model.regularizer, model.network, model.input_shape, model.parameters))


@compiled()
def _assess(network: Chain, cost: Cost, parameters: Any, state: Any, x: Any, E: jax.Array) -> tuple[Any, Any]:
    a, each, _ = cost.through(network, parameters, state, dense(x), E)
    return a, each


_penalty = compiled(static_argnames="shape")(penalty)
