"""What a training will do: everything that it was given, checked before it begins, and what follows from that."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import jax
import numpy as np

from chainrule.arrays.devices import hosted, on_device
from chainrule.arrays.masked import Shape, parts, rows_of, shape_of
from chainrule.arrays.random import keyed
from chainrule.arrays.sparse import Sparse, as_arrays
from chainrule.costs import Cost
from chainrule.data.loaders import Loader, Whole, first
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError, warn
from chainrule.formula.base import Formula
from chainrule.formula.layer import Chain, Layer
from chainrule.formula.network import check_sizes, check_trainable, is_parameter
from chainrule.metrics import Accuracy, MeanMetric, Metric
from chainrule.model import Model
from chainrule.model.examples import check_categories, inputs
from chainrule.model.history import History
from chainrule.model.targets import Classes, as_names, class_count, expected, for_steps
from chainrule.notation import as_chain, as_formula, as_metrics, as_optimizer, check_measured
from chainrule.notation.choices import (
    EPOCHS,
    SEEDS,
    BatchSize,
    as_early_stopping,
    as_whole,
    batch_size_of,
    is_batch_size,
)
from chainrule.notation.fields import below
from chainrule.optimizers.foreign import FromOptax
from chainrule.optimizers.plateau import plateaus, reduced
from chainrule.optimizers.repeated import told_of
from chainrule.optimizers.schedules import over
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training.checkpoint import Checkpoint, as_checkpoint, fitting
from chainrule.training.ending import default_cost, ended
from chainrule.training.examples import Checked, Examples, checked, sample
from chainrule.training.feed import first_values
from chainrule.training.placement import as_devices, check_shared
from chainrule.training.step import Problem, State, published
from chainrule.training.step import first as first_state

BATCH = 32  # examples a step where nothing is said


@dataclass(frozen=True)
class Plan:
    """A training before it begins.

    Attributes:
        network: with the end that its targets need.
        cost, optimizer, regularizer: what is minimised, and by what.
        metrics: what is measured beside the cost, also what early stopping watches.
        shape: one example's.
        examples: what is trained on.
        held_out: what is measured on after each epoch.
        classes, preprocessor: as the model keeps them.
        epochs: how many there will be in all, those before this training included.
        batch_size: examples a step, fewer than there are; or all of them.
        early_stopping: when training ends before its last epoch.
        seed: of the first values, the shuffles and the noise.
        before: how many of the epochs another training has done.
        start: what to go on from.
        devices: what computes; none where it is left to JAX.
    """

    network: Chain
    cost: Cost
    optimizer: Any
    regularizer: Regularizer | None
    metrics: tuple[Metric, ...]
    shape: Shape
    examples: Whole | Checked
    held_out: Loader | None
    classes: Classes
    preprocessor: Preprocessor | None
    epochs: int
    batch_size: BatchSize
    early_stopping: EarlyStopping | None
    seed: int
    before: int
    start: Checkpoint | None
    devices: tuple[Any, ...] = ()

    @property
    def rows(self) -> int:
        """How many examples are trained on."""
        return sum(self.examples.rows)

    @property
    def in_memory(self) -> bool:
        """Whether all examples are."""
        return all(isinstance(loader, Whole | None) for loader in (self.examples, self.held_out))

    @property
    def steps(self) -> int:
        """How many an epoch has."""
        return 1 if self.batch_size == "all" else -(-self.rows // self.batch_size)

    @property
    def left(self) -> range:
        """The numbers of the epochs that are to come; none where training ended before its last."""
        history = self.start.history if self.start else History()
        return range(len(history) + 1, (self.epochs if history.stopped == "epochs" else 0) + 1)

    @property
    def followed(self) -> tuple[MeanMetric, ...]:
        """The metrics that training itself can follow: means, of targets in their own units."""
        in_own_units = self.classes is not None or self.preprocessor is None
        return tuple(metric for metric in self.metrics if isinstance(metric, MeanMetric) and in_own_units)

    @cached_property
    def problem(self) -> Problem:
        """What the first steps minimise, and how."""
        return self.problem_after(self.start.history if self.start else History())

    def problem_after(self, history: History) -> Problem:
        """What the steps behind the epochs of a history minimise, and how: no more than numbers differ."""
        declared = jax.tree.leaves(self.network.parameters(self.shape), is_leaf=is_parameter)
        repeated = [one.repeated for one in declared if one.trainable]
        optimizer = reduced(over(self.optimizer, float(self.epochs * self.steps)), history.rows)
        return Problem(self.network, self.cost, told_of(repeated, optimizer), self.regularizer, self.followed)

    @property
    def first(self) -> State:
        """The state before the first step; some layers have learned their statistics of the inputs by then."""
        within = [each for one in (self.network, self.optimizer) for each in below(one)]
        others = (not type(each).__module__.startswith("chainrule.") for each in within if isinstance(each, Formula))
        ours = not any(others) and not any(isinstance(each, FromOptax) for each in within)
        with hosted() if ours else nullcontext():  # formulas of others may do what only JAX's arrays and keys can
            state = first_state(self.problem, keyed(first_values(self.seed)), self.shape)
        if not self.network.learns:
            return state
        x, mask = parts(sample(self.examples, math.prod(self.shape)))
        parameters, statistics = on_device((state.parameters, state.statistics))
        return state._replace(statistics=self.network.learned(parameters, statistics, x, mask))

    @property
    def begun(self) -> State:
        """The state before the next step: the first, or that from which the training goes on."""
        return fitting(self.start.state, self.problem, self.shape) if self.start else self.first

    @cached_property
    def choices(self) -> dict[str, Any]:
        """Every choice in notation, by name, as the model keeps them."""
        return {
            "optimizer": repr(self.optimizer),
            "epochs": self.epochs - self.before,
            "batch_size": self.batch_size,
            "early_stopping": self.early_stopping and repr(self.early_stopping),
            "metrics": [repr(metric) for metric in self.metrics],
            "seed": self.seed,
        }

    @property
    def identity(self) -> dict[str, Any]:
        """What the training is given beside its examples, in notation: what one that goes on with it must be given."""
        return {
            "network": repr(self.network),
            "cost": repr(self.cost),
            "regularizer": self.regularizer and repr(self.regularizer),
            **self.choices,
            "epochs": self.epochs,
            "classes": self.classes,
            "preprocessor": self.preprocessor and self.preprocessor.to_json(),
        }

    def prepared(self, state: State) -> "Plan":
        """The same with inputs in memory that the network has computed with already, as far as it can do so once."""
        if not self.network.prepares:
            return self

        def ready(examples: Any) -> Any:
            if not isinstance(examples, Whole):
                return examples
            x, *others = examples.part(0)
            return Whole(Examples(x if isinstance(x, Sparse) else self.network.prepared(state.statistics, x), *others))

        return replace(self, examples=ready(self.examples), held_out=ready(self.held_out))

    def published(self, state: State) -> State:
        """What is evaluated and kept of a state of the training."""
        return published(self.problem, state, self.shape)

    def model(self, state: State, history: History) -> Model:
        """The model of what is kept of a state."""
        parameters, statistics = on_device((state.parameters, state.statistics))
        several = {"devices": len(self.devices)} if len(self.devices) > 1 else {}
        return Model(
            self.network,
            parameters,
            statistics,
            self.shape,
            self.cost,
            self.regularizer,
            self.classes,
            self.preprocessor,
            history,
            self.choices | several,
        )


def plan(
    network: Layer | str,
    x: Any,
    y: Any,
    *,
    cost: Cost | str | None,
    optimizer: Any,
    regularizer: Regularizer | str | None,
    epochs: int,
    batch_size: int | Literal["all"] | None,
    validation: float | tuple[Any, ...] | Loader | None,
    early_stopping: EarlyStopping | int | str | None,
    sample_weight: Any,
    metrics: Sequence[Metric | str] | None,
    seed: int,
    classes: Classes,
    preprocessor: Preprocessor | None,
    after: Checkpoint | None,
    devices: Any = None,
) -> Plan:
    """The plan of what `fit` was given. Raises `ChainruleError` for a choice, a shape or a value that does not fit."""
    after, classes, chain = as_checkpoint(after), as_names(classes), as_chain(network)
    cost = None if cost is None else as_formula(cost, Cost)
    optimizer = as_optimizer(optimizer)
    regularizer = None if regularizer is None else as_formula(regularizer, Regularizer)
    _check_rates(regularizer, optimizer)
    epochs, seed = as_whole(epochs, "fit: epochs", *EPOCHS), as_whole(seed, "fit: seed", *SEEDS)
    stopping, devices = as_early_stopping(early_stopping), as_devices(devices)
    _check_watched(stopping, optimizer, validation)
    rules = [*[stopping] * (stopping is not None), *(plateau.rule for plateau in plateaus(optimizer))]

    batch_size = batch_size_of(optimizer, batch_size, BATCH)
    loader = x if isinstance(x, Loader) else None
    if loader:
        _check_alone(y, sample_weight, optimizer, batch_size, validation)
        x, y, sample_weight = first(loader, "fit")
    x = inputs(x, tokens=chain.tokens)
    shape, rows = shape_of(x), rows_of(x)
    _check_features(chain, shape, rows)
    y = for_steps(y, x, chain)
    chain = ended(chain, shape, y, cost, classes)
    cost = cost or default_cost(chain)
    check_categories(x, chain.categories)
    E, weights, classes = expected(y, sample_weight, x, chain, cost, classes)
    whole = Examples(as_arrays(x), E, weights)
    examples, held_out = Whole(whole), None
    before = len(after.history) if after else 0
    check = partial(checked, shape=shape, network=chain, cost=cost, classes=classes)
    if isinstance(validation, Loader):
        held_out = Checked.of(validation, check, "validation")
    elif isinstance(validation, tuple) and len(validation) in (2, 3):
        held_out = Whole(check(*validation, who="validation"))
    elif validation is not None:
        examples, held_out = set_apart(validation, whole, seed)
    if loader:
        examples = Checked.of(loader, check, "fit")
    rows = sum(examples.rows)
    size = _batch_size(batch_size, rows)
    check_shared(devices, rows if size == "all" else size)
    check_trainable(chain, shape, "fit")
    check_sizes(chain, shape, rows if size == "all" else size, "fit")
    planned = Plan(
        chain,
        cost,
        optimizer,
        regularizer,
        _metrics(metrics, classes, rules),
        shape,
        examples,
        held_out,
        classes,
        preprocessor,
        epochs + before,
        size,
        stopping,
        seed,
        before,
        after,
        devices,
    )
    _check_metrics(planned, E, weights)
    return planned


def _check_rates(regularizer: Regularizer | None, optimizer: Any) -> None:
    """Refuse a kink, which needs the rate of each step, where the optimizer does not tell it."""
    if regularizer is not None and regularizer.needs_rates and not optimizer.has_rates:
        raise ChainruleError(
            f"fit: {regularizer!r} needs the rates of the optimizer's steps, which {optimizer!r} does not tell. "
            f"Use another optimizer, such as Adam(0.001), or L2."
        )
    holds = not optimizer.publishes or (optimizer.publishes_means and regularizer and regularizer.keeps_means)
    if regularizer is not None and regularizer.has_kink and not holds:
        raise ChainruleError(
            f"fit: {regularizer!r} holds where {optimizer!r} walks, not for what it publishes. "
            f"Use another optimizer, such as Adam(0.001)."
        )


def _check_watched(stopping: EarlyStopping | None, optimizer: Any, validation: Any) -> None:
    """Refuse early stopping, and rates that follow the validation data, without anything to watch."""
    if validation is None and (found := plateaus(optimizer)):
        raise ChainruleError(f"fit: {found[0]!r} follows the validation data: give validation too, such as 0.1.")
    if stopping is not None and validation is None:
        raise ChainruleError("fit: early_stopping watches the validation cost: give validation too, such as 0.1.")


def _check_alone(y: Any, sample_weight: Any, optimizer: Any, batch_size: Any, validation: Any) -> None:
    """Refuse what can't be beside a loader."""
    if y is not None or sample_weight is not None:
        raise ChainruleError("fit: a loader gives the targets and the weights too. Leave y and sample_weight out.")
    if optimizer.whole_batch:
        raise ChainruleError(
            f"fit: the steps of {optimizer!r} are for all examples at once, and a loader gives parts. Choose Adam()."
        )
    if batch_size == "all":
        raise ChainruleError('fit: batch_size "all" needs all examples at once, and a loader gives parts. Choose 1024.')
    if isinstance(validation, float):
        raise ChainruleError("fit: no fraction can be set apart of a loader. Give validation=(x, y), or a loader.")


def _check_features(network: Chain, shape: Shape, rows: int) -> None:
    """Refuse rows of one number each without an axis for it."""
    if not network.output_shape(shape):
        raise ChainruleError(f"fit: expected examples of features, got x of shape {(rows,)}. Write x[:, None].")


def _batch_size(size: Any, rows: int) -> BatchSize:
    """A batch size for so many rows: "all" where one batch holds them."""
    if not is_batch_size(size):
        raise ChainruleError(f'fit: batch_size must be a whole number >= 1 or "all", got {size!r}.')
    if size == "all":
        return "all"
    if size > rows:
        warn(f'batch_size {size} is more than the {rows} training rows: it becomes "all".')
    return int(size) if size < rows else "all"


def _metrics(metrics: Any, classes: Classes, rules: Sequence[EarlyStopping]) -> tuple[Metric, ...]:
    """What is measured beside the cost: what is said, else the usual, and what rules watch."""
    if metrics is None:
        metrics = () if classes is None else (Accuracy(),)
    watched = [rule.monitor for rule in rules if rule.monitor is not None]
    return tuple(dict.fromkeys((*as_metrics(metrics, "fit"), *watched)))


def _check_metrics(planned: Plan, E: np.ndarray, weights: np.ndarray | None) -> None:
    """Refuse metrics that are no figures, are of other targets, or need held-out examples that there are not."""
    target = "y" if planned.preprocessor is None else planned.preprocessor.schema.target
    check_measured(planned.metrics, "fit", target, class_count(E, planned.classes, planned.preprocessor is not None))
    shape = planned.cost.target_shape(planned.network.output_shape(planned.shape))
    for metric in planned.metrics:
        if not metric.is_figure:
            raise ChainruleError(f"fit: {metric!r} is no single figure to follow. Measure it by model.evaluate.")
        if planned.classes is None:  # it refuses values where it asks for classes
            metric(np.zeros((len(E), *shape)), E, weights)
    for metric in planned.metrics:
        if planned.held_out is None and metric not in planned.followed:
            raise ChainruleError(f"fit: {metric!r} is measured on validation data. Give it (x, y)", validation=0.1)


def set_apart(fraction: Any, examples: Examples, seed: int) -> tuple[Whole, Whole]:
    """The examples for training and those for validation, by a random draw."""
    if not isinstance(fraction, float) or not 0 < fraction < 1:
        got = repr(fraction) if isinstance(fraction, int | float | str) else type(fraction).__name__
        raise ChainruleError(f"fit: validation must be (x, y) or a fraction between 0 and 1, got {got}.")
    rows = len(examples.E)
    count = round(rows * fraction)
    if not 0 < count < rows:
        raise ChainruleError(f"fit: validation={fraction} of {rows} rows leaves a part empty. Choose another fraction.")
    order = np.random.default_rng(seed).permutation(rows)
    train, held_out = np.sort(order[count:]), np.sort(order[:count])
    if examples.weights is not None and not all(examples.weights[part].any() for part in (train, held_out)):
        raise ChainruleError(
            f"fit: validation={fraction} leaves a part where sample_weight is zero everywhere. Choose another fraction."
        )
    return Whole(examples, train), Whole(examples, held_out)
