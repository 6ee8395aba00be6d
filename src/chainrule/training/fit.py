"""`fit`: from a network and data to a model."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import jax
import numpy as np

from chainrule.arrays.compilation import refuse_fork
from chainrule.arrays.masked import rows_of, shape_of
from chainrule.costs import Cost
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError, DivergedError, warn
from chainrule.formula.layer import Layer
from chainrule.formula.network import check_sizes
from chainrule.metrics import Accuracy, MeanMetric, Metric
from chainrule.model import Model
from chainrule.model.examples import (
    as_names,
    as_targets,
    check_categories,
    class_count,
    inputs,
    sample_weights,
    take,
    targets,
)
from chainrule.model.history import History, Row
from chainrule.notation import as_chain, as_formula, as_metrics, as_optimizer, check_measured
from chainrule.optimizers.schedules import over
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training.batches import bucket, on_device
from chainrule.training.ending import default_cost, ended
from chainrule.training.interrupt import Interrupt
from chainrule.training.loop import Loop
from chainrule.training.progress import Progress
from chainrule.training.step import Checkpoint, Problem, State


@dataclass(frozen=True)
class EpochEnd:
    """What a callback is told at the end of each epoch.

    Attributes:
        row: the epoch's costs and metrics, as in the history.
        epochs: how many epochs are planned.
        model: called, gives the model as it stands.
        checkpoint: called, gives what `fit(…, after=…)` needs to go on from here.
    """

    row: Row
    epochs: int
    model: Callable[[], Model]
    checkpoint: Callable[[], Checkpoint]


def fit(
    network: Layer | str,
    x: Any,
    y: Any,
    *,
    cost: Cost | str | None = None,
    optimizer: Any = "Adam()",
    regularizer: Regularizer | str | None = None,
    epochs: int = 50,
    batch_size: int | Literal["all"] = 32,
    validation: float | tuple[Any, ...] | None = None,
    early_stopping: EarlyStopping | int | str | None = None,
    sample_weight: Any = None,
    metrics: Sequence[Metric | str] | None = None,
    callbacks: Iterable[Callable[[EpochEnd], Any]] = (),
    seed: int = 0,
    progress: bool = True,
    classes: tuple[Any, ...] | None = None,
    preprocessor: Preprocessor | None = None,
    after: Checkpoint | None = None,
) -> Model:
    """Train a network on examples.

    The same seed gives the same bits on the same machine, whatever is displayed. Ctrl-C ends training and returns what
    was trained so far (`model.history.stopped` is then "interrupted").

    Args:
        network: a composition of layers, or its notation. The end that its targets need is added where it is open,
            with a warning: Softmax for classes, Sigmoid for two of them behind one output, Dense behind an activation.
        x: examples, (rows, …), finite numbers; a sparse matrix of SciPy is made dense a batch at a time.
        y: class numbers or names of classes (rows,), or values (rows,) or (rows, …, outputs).
        cost: by default the one whose canonical activation ends the network (CategoricalCrossEntropy behind Softmax,
            CrossEntropy behind Sigmoid), else Quadratic.
        optimizer: a formula, its notation, or one of Optax's.
        regularizer: L1, L2 or a sum of them, on the kernels.
        epochs: how often every example is seen.
        batch_size: examples a step; 1 is stochastic descent, "all" batch gradient descent.
        validation: what to measure on after each epoch: (x, y) or (x, y, weights), or the fraction of the rows to
            set apart.
        early_stopping: a rule, or its patience in epochs; needs validation, and returns the best epoch's parameters. It
            watches the validation cost, or any metric: `EarlyStopping(10, monitor=F1())`.
        sample_weight: how much each example counts, (rows,).
        metrics: measured beside the cost; by default accuracy for classes.
        callbacks: called with an `EpochEnd` after each epoch; training stops when one returns True.
        seed: of the parameters' first values, the shuffles and the noise.
        progress: whether to show a bar (in a terminal) or lines (elsewhere).
        classes: the names of the classes that the numbers in y stand for.
        preprocessor: kept in the model, so that it takes raw rows.
        after: the checkpoint of an earlier training with the same seed, to train `epochs` more: parameters, optimizer,
            noise and history go on as if that training had never ended.

    Returns:
        The trained model, with its history.

    Raises:
        ChainruleError: for a choice, a shape or a value that does not fit.
        DivergedError: when the cost is no longer finite; its `model` has the last good parameters.

    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> model = fit("Dense(1)", x, 2 * x + 1, optimizer="Momentum(0.1)", epochs=100, progress=False)
    >>> bool(abs(model.predict([[3.0]]) - 7) < 0.01)
    True
    """
    refuse_fork()
    began = time.perf_counter()
    callbacks = _callbacks(callbacks)
    if after is not None and not isinstance(after, Checkpoint):
        raise ChainruleError(f"fit: after must be the checkpoint that a callback is told, got {type(after).__name__}.")
    classes = as_names(classes)
    network = as_chain(network)
    cost = None if cost is None else as_formula(cost, Cost)
    optimizer = as_optimizer(optimizer)
    regularizer = None if regularizer is None else as_formula(regularizer, Regularizer)
    if regularizer is not None and regularizer.has_kink and not optimizer.has_rates:
        raise ChainruleError(
            f"fit: {regularizer!r} needs the rates of the optimizer's steps, which {optimizer!r} does not tell. "
            f"Use another optimizer, such as Adam(0.001), or L2."
        )
    epochs, seed = _whole("epochs", epochs, 1, 10**9), _whole("seed", seed, 0, 2**32 - 1)
    patience = _early_stopping(early_stopping, validation)

    x, y = inputs(x, tokens=network.tokens), as_targets(y)
    shape, rows = shape_of(x), rows_of(x)
    if not network.output_shape(shape):
        raise ChainruleError(f"fit: expected examples of features, got x of shape {(rows,)}. Write x[:, None].")
    network = ended(network, shape, y, cost, classes)
    cost = cost or default_cost(network)
    outputs = network.output_shape(shape)
    check_categories(x, network.categories)
    E, classes = targets(y, rows, network, outputs, cost, classes)
    weights = sample_weights(sample_weight, rows)
    held_out = None
    if isinstance(validation, tuple) and len(validation) in (2, 3):
        xv = inputs(validation[0], shape, "validation", network.tokens)
        Ev, _ = targets(validation[1], rows_of(xv), network, outputs, cost, classes, "validation")
        held_out = (xv, Ev, sample_weights(validation[2] if validation[2:] else None, rows_of(xv), "validation"))
    elif validation is not None:
        (x, E, weights), held_out = _set_apart(validation, x, E, weights, seed)
    rows = len(E)
    batch_size = _batch_size(batch_size, rows)
    check_sizes(network, shape, rows if batch_size == "all" else batch_size, "fit")
    if metrics is None:
        metrics = () if classes is None else (Accuracy(),)
    watched = () if patience is None or patience.monitor is None else (patience.monitor,)
    named = dict.fromkeys((*as_metrics(metrics, "fit"), *watched))
    metrics = tuple(named)
    target = "y" if preprocessor is None else preprocessor.schema.target
    check_measured(metrics, "fit", target, class_count(E, classes, preprocessor is not None))
    for metric in metrics:
        if not metric.is_figure:
            raise ChainruleError(f"fit: {metric!r} is no single figure to follow. Measure it by model.evaluate.")
        if classes is None:
            metric(np.zeros((rows, *outputs)), E, weights)  # refuses values where it asks for classes

    choices = {
        "optimizer": repr(optimizer),
        "epochs": epochs,
        "batch_size": batch_size,
        "early_stopping": patience and repr(patience),
        "metrics": [repr(metric) for metric in metrics],
        "seed": seed,
    }
    steps = 1 if batch_size == "all" else math.ceil(rows / batch_size)
    in_own_units = classes is not None or preprocessor is None  # a table's values are trained on standardised
    followed = tuple(metric for metric in metrics if isinstance(metric, MeanMetric) and in_own_units)
    if held_out is None and (unseen := [metric for metric in metrics if metric not in followed]):
        raise ChainruleError(f"fit: {unseen[0]!r} is measured on validation data. Give it (x, y)", validation=0.1)
    done = len(after.history) if after else 0
    epochs += done
    problem = Problem(network, cost, over(optimizer, float(epochs * steps)), regularizer, followed)
    ctrl_c = Interrupt()
    with ctrl_c:
        size = bucket(rows) if batch_size == "all" else batch_size
        loop = Loop(problem, on_device(x, E, weights), rows, size, seed, after and after.state)

    def model_of(state: State) -> Model:
        so_far = replace(history, rows=list(history.rows))
        return Model(
            network, state.parameters, state.kept, shape, cost, regularizer, classes, preprocessor, so_far, choices
        )

    def checkpoint_of(state: State, best: State) -> Checkpoint:
        return Checkpoint(state, best, replace(history, rows=list(history.rows)))

    history = replace(after.history, rows=list(after.history.rows), stopped="epochs") if after else History()
    good, best = loop.state, after.best if after else loop.state
    with ctrl_c, Progress(progress, epochs, steps, rows, lambda: ctrl_c.came) as shown:

        def on_chunk(step: int, epoch: int) -> None:
            shown.step(epoch, step)
            ctrl_c.check()

        try:
            for epoch in range(done + 1, epochs + 1):
                row = loop.epoch(epoch, partial(on_chunk, epoch=epoch))
                if held_out is not None:
                    measured = model_of(loop.state).evaluate(*held_out, metrics=metrics)
                    row |= {f"validation_{name}": value for name, value in measured.items()}
                if not_finite := _not_finite(row, loop.state):
                    history.stopped = "diverged"
                    raise _diverged(not_finite, history, optimizer, model_of(best if history.best_epoch else good))
                good = loop.state
                history.rows.append(row)
                shown.epoch(row)
                if patience and patience.better(history[patience.watched], history.best_epoch):
                    best, history.best_epoch = good, epoch
                end = EpochEnd(row, epochs, partial(model_of, good), partial(checkpoint_of, good, best))
                answers = [callback(end) for callback in callbacks]
                if any(isinstance(answer, bool | np.bool_) and answer for answer in answers):
                    history.stopped = "callback"
                    break
                if patience and epoch - (history.best_epoch or 0) >= patience.patience:
                    history.stopped = "early stopping"
                    break
        except KeyboardInterrupt:
            history.stopped = "interrupted"
        ctrl_c.noticed = True  # what was trained is not lost any more
        history.seconds += time.perf_counter() - began
        return model_of(best if history.best_epoch else loop.state)


def _early_stopping(rule: EarlyStopping | int | str | None, validation: Any) -> EarlyStopping | None:
    if rule is None:
        return None
    if validation is None:
        raise ChainruleError("fit: early_stopping watches the validation cost: give validation too, such as 0.1.")
    return EarlyStopping(rule) if isinstance(rule, int) else as_formula(rule, EarlyStopping)


def _callbacks(callbacks: Any) -> tuple[Callable[[EpochEnd], Any], ...]:
    found = tuple(callbacks) if isinstance(callbacks, Iterable) else (callbacks,)
    if callable(callbacks) or not all(map(callable, found)):
        raise ChainruleError(f"fit: callbacks must be a list of functions, got {callbacks!r}. Write [tell] for one.")
    return found


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise ChainruleError(f"fit: {name} must be a whole number from {least} to {most}, got {value!r}.")
    return int(value)


def _batch_size(size: Any, rows: int) -> int | Literal["all"]:
    if isinstance(size, str) and size == "all":
        return "all"
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ChainruleError(f'fit: batch_size must be a whole number >= 1 or "all", got {size!r}.')
    if size > rows:
        warn(f'batch_size {size} is more than the {rows} training rows: it becomes "all".')
    return int(size) if size < rows else "all"


def _set_apart(fraction: Any, x: Any, E: np.ndarray, weights: np.ndarray | None, seed: int) -> tuple:
    """The rows for training and those for validation, each as (x, E, weights), by a random draw."""
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        got = repr(fraction) if isinstance(fraction, int | float | str) else type(fraction).__name__
        raise ChainruleError(f"fit: validation must be (x, y) or a fraction between 0 and 1, got {got}.")
    rows = len(E)
    count = round(rows * fraction)
    if not 0 < count < rows:
        raise ChainruleError(f"fit: validation={fraction} of {rows} rows leaves a part empty. Choose another fraction.")
    order = np.random.default_rng(seed).permutation(rows)
    parts = [take((x, E, weights), np.sort(part)) for part in (order[count:], order[:count])]
    if weights is not None and not all(part[2].any() for part in parts):
        raise ChainruleError(
            f"fit: validation={fraction} leaves a part where sample_weight is zero everywhere. Choose another fraction."
        )
    return tuple(parts)


def _not_finite(row: Row, state: State) -> str:
    """What is no longer finite at the end of an epoch, in words; empty where all is."""
    for name in ("cost", "validation_cost"):
        if not math.isfinite(row.get(name, 0.0)):
            return f"{name.replace('_', ' ')} became {row[name]}"
    finite = all(np.isfinite(array).all() for array in jax.tree.leaves(state.parameters))
    return "" if finite else "parameters became infinite"


def _diverged(what: str, history: History, optimizer: Any, model: Model) -> DivergedError:
    finite = f"the last finite cost was {history.rows[-1]['cost']:.4g}" if history.rows else "no epoch before was sound"
    return DivergedError(
        f"The {what} in epoch {len(history) + 1}; {finite}. Lower the learning rate of "
        f"{optimizer!r}, clip the gradient (ClipNorm(1.0) >> …), or standardise the data.",
        model,
    )
