"""What a run will do: everything that is chosen for it, by the user or by the data, and checked before it begins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from chainrule.costs import Cost
from chainrule.data.dealing import Dealt
from chainrule.data.guesses import Task
from chainrule.data.loaders import Loader, Whole
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.schema import Missing
from chainrule.data.streams import is_folder_of_tables, is_large
from chainrule.data.table import Found
from chainrule.errors import ArgumentError, ChainruleError, warn
from chainrule.formula.layer import Chain, Layer
from chainrule.metrics import R2, Accuracy, Metric
from chainrule.model.model import is_probable
from chainrule.model.summary import Summary, summary
from chainrule.model.targets import balanced_weights, targets
from chainrule.notation import as_chain, as_formula, as_optimizer, check_measured
from chainrule.notation.choices import (
    BatchSize,
    batch_size_of,
)
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.runs.choosing import Choices, figures
from chainrule.runs.material import Material, Names, Part, material
from chainrule.training.defaults import (
    ADAM,
    Described,
    default,
    default_batch_size,
    default_epochs,
    default_patience,
)
from chainrule.training.ending import default_cost, ended
from chainrule.training.placement import check_shared


@dataclass(frozen=True)
class Plan:
    """A run before it begins.

    Attributes:
        source: where the data come from, as the user named it.
        said: what the user said of the data, by argument.
        chosen: how the rows are divided, enough to divide them so again.
        found: how the files of the parts were read.
        preprocessor: how rows become arrays.
        prepared: the inputs and targets of each part: train, and validation and test where there are any.
        network: with the end that its targets need.
        layers: its layers, with their shapes and numbers of parameters.
        cost, optimizer, regularizer: what is minimised, and by what.
        metrics: those that the user said.
        epochs, batch_size, early_stopping, seed: as in `fit`.
        balanced: whether every class counts alike.
        devices: what computes; none where it is left to JAX.
        minutes: that the training may take, if not as many as it takes.
        stream: whether the data are read block after block.
    """

    source: str
    said: dict[str, Any]
    chosen: dict[str, Any]
    found: tuple[Found, ...]
    preprocessor: Preprocessor
    prepared: dict[str, Loader]
    network: Chain
    layers: Summary
    cost: Cost
    optimizer: Any
    regularizer: Regularizer | None
    metrics: tuple[Metric, ...]
    epochs: int
    batch_size: int | Literal["all"]
    early_stopping: EarlyStopping | None
    seed: int
    balanced: bool
    devices: tuple[Any, ...] = ()
    stream: bool = False
    minutes: float | None = None

    @property
    def rows(self) -> dict[str, int]:
        """How many examples each part has."""
        return {name: sum(part.rows) for name, part in self.prepared.items()}

    def examples(self, name: str) -> tuple[Any, Any, Any]:
        """A part as `fit` takes it: inputs, targets and weights, or a loader alone, balanced if so chosen."""
        part = self.prepared[name]
        if not isinstance(part, Whole):
            return (part.balanced() if self.balanced and isinstance(part, Dealt) else part), None, None
        x, y = part.examples
        return x, y, balanced_weights(y) if self.balanced else None

    @property
    def held_out(self) -> tuple[Any, ...] | Loader | None:
        """The part to validate on as `fit` takes it."""
        if "validation" not in self.prepared:
            return None
        x, y, weights = self.examples("validation")
        return x if y is None else (x, y, weights)

    @property
    def asked(self) -> dict[str, Any]:
        """What `fit` is asked to do, without what it shows and where it is kept."""
        (x, y, weights), validation = self.examples("train"), self.held_out
        return {
            "network": self.network,
            "x": x,
            "y": y,
            "cost": self.cost,
            "optimizer": self.optimizer,
            "regularizer": self.regularizer,
            "metrics": self.measured if validation else (),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "sample_weight": weights,
            "validation": validation,
            "early_stopping": self.early_stopping,
            "seed": self.seed,
            "classes": self.preprocessor.classes or None,
            "preprocessor": self.preprocessor,
            "devices": self.devices or None,
        }

    @property
    def measured(self) -> tuple[Metric, ...]:
        """The metrics of each epoch and each part: those that were said, else the usual one."""
        return self.metrics or (Accuracy() if self.preprocessor.classes else R2(),)

    @property
    def followed(self) -> tuple[Metric, ...]:
        """The metrics of each epoch, and what early stopping watches."""
        return tuple(dict.fromkeys((*self.measured, *_watched(self.early_stopping))))

    @property
    def shown(self) -> tuple[Metric, ...]:
        """The metrics of each part that were said, also to be watched."""
        return (*self.metrics, *_watched(self.early_stopping))


def plan(
    data: Any,
    *,
    network: Layer | str | None = None,
    cost: Cost | str | None = None,
    optimizer: Any = None,
    regularizer: Regularizer | str | None = None,
    metrics: Sequence[Metric | str] = (),
    target: Names | None = None,
    task: Task | None = None,
    drop: Names = (),
    text: Names = (),
    words: Names = (),
    characters: Names = (),
    day_first: Names = (),
    month_first: Names = (),
    missing: Missing = None,
    balanced: bool = False,
    order_by: str | None = None,
    group: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    blank: Names | None = None,
    size: int | tuple[int, int] | str | None = None,
    test: Part = None,
    validation: Part = None,
    epochs: int | None = None,
    batch_size: int | Literal["all"] | None = None,
    early_stopping: EarlyStopping | int | str | None = None,
    monitor: Metric | str | None = None,
    seed: int = 0,
    devices: int | Literal["all"] | Sequence[Any] | None = None,
    minutes: float | None = None,
    stream: bool | None = None,
    progress: bool = False,
) -> Plan:
    """Read data, divide them, and choose whatever is not said for a training on them.

    Args:
        data: a named set ("digits", "iris", …), a file, a folder of images, or a table: a data frame, a mapping of
            columns, records.
        network: layers, or their notation; an open end is completed. By default one that suits the kind of data.
        cost: by default the one whose canonical activation ends the network; of a default network of classes, smoothed.
        optimizer: a formula, its notation, or one of Optax's; by default what suits a default network, else Adam().
        regularizer: L1, L2, … or a sum of them; constraints too, such as MaxNorm(3).
        metrics: measured beside the cost; by default accuracy for classes, and R² for values.
        target: the column to predict, or several of values; by default "target", or the last.
        task: "classification" or "regression", if the target and the cost leave it open.
        drop: columns to leave out.
        text: columns of numbers to read as text.
        words, characters: a column of text to read word by word, or letter by letter.
        day_first, month_first: columns of dates such as 31/1/2020, or 1/31/2020.
        missing: "median" fills blank cells, "drop" leaves their rows out; by default they are refused.
        balanced: whether every class counts alike, however rare.
        order_by: a column by which the earliest rows train, and the last test.
        group: a column whose rows of one value are kept in one part.
        separator, decimal, header, blank, size: how files are read, as in `chainrule.data.read`.
        test, validation: a fraction of the rows, or data of their own; by default 0.2 and 0.1.
        epochs: how often every example is seen; by default for 3,000 steps in all on tables, 2,000 on other data, 20
            (of tables 40) to 300 times.
        batch_size: examples a step, or "all"; by default 32 to 256, as there are rows, or "all" for an optimizer that
            asks for it.
        early_stopping: a rule, or its patience in epochs, or "never"; by default a third of the epochs, 5 at least,
            unless the epochs are said: all of them are then trained.
        monitor: the metric that early stopping watches, or "cost"; by default what its rule says.
        seed: of the first values, the shuffles and the parts.
        devices: how many share each batch, "all", or a list of JAX's; by default there is one.
        minutes: that the training may take; it then does as many of its epochs as there is room for, as in `fit`.
        stream: whether files are read block after block, and their prepared rows dealt into a cache; by default where
            they would take more than a quarter of the free memory, or are a folder of tables. Parts are then drawn row
            by row, and the defaults are 5 epochs of batches of 1,024.
        progress: whether to show how far the reading of such files is.

    Raises:
        ChainruleError: for data that can't be read or trained on, and choices that don't fit them or each other.

    >>> planned = plan("iris", network="Dense(3) >> Softmax()", epochs=5)
    >>> planned.network, planned.epochs, planned.rows
    (Dense(3) >> Softmax(), 5, {'train': 105, 'validation': 15, 'test': 30})
    """
    asked = Choices.of(
        network=network,
        cost=cost,
        optimizer=optimizer,
        regularizer=regularizer,
        metrics=metrics,
        balanced=balanced,
        epochs=epochs,
        batch_size=batch_size,
        early_stopping=early_stopping,
        monitor=monitor,
        seed=seed,
        devices=devices,
        minutes=minutes,
    )
    if stream is False and is_folder_of_tables(data):
        raise ArgumentError("{stream}: the files of a folder are read block after block. Leave it out.")
    stream = is_large(data) if stream is None else stream
    if stream and asked.optimizer is not None and asked.optimizer.whole_batch:
        raise ChainruleError(
            f"{asked.optimizer!r}: its steps are for all rows at once, and these are read block after block. "
            f"Choose Adam()."
        )
    if stream and batch_size == "all":
        raise ArgumentError(
            "{batch_size} all needs all rows at once, and these are read block after block. Choose a number: 1024."
        )
    found = material(
        data,
        target=target,
        task=task,
        drop=drop,
        text=text,
        words=words,
        characters=characters,
        day_first=day_first,
        month_first=month_first,
        missing=missing,
        order_by=order_by,
        group=group,
        separator=separator,
        decimal=decimal,
        header=header,
        blank=blank,
        size=size,
        test=test,
        validation=validation,
        seed=asked.seed,
        cost=asked.cost,
        stream=stream,
        progress=progress,
    )
    made = planned(found, asked)
    if made.preprocessor.classes:
        _warn_of_classes(made, asked.cost)
    return made


MANY, FEW = 1 / 2, 20
"""Classes for each row that are too many to be learned, where there are more than a few rows: those of scikit-learn."""


def _warn_of_classes(plan: Plan, said: Cost | None) -> None:
    """Say what may be and is seldom meant: more classes than rows tell of, and a cost that is not its activation's."""
    rows, classes = sum(sum(part.rows) for part in plan.prepared.values()), len(plan.preprocessor.classes)
    if rows > FEW and classes > round(MANY * rows):
        warn(
            f"The target {plan.preprocessor.schema.target!r} has {classes:,} classes in {rows:,} rows, more than half "
            f"as many: it may be a value, or a name of each row."
        )
    last, own = plan.network.layers[-1], default_cost(plan.network)
    if said and type(last) not in said.canonical_activations and type(last) in own.canonical_activations:
        warn(
            f"cost: {said!r} is taken as it is said; the one that belongs to {last!r}, and is computed with it, is "
            f"{own!r}."
        )


def planned(found: Material, asked: Choices) -> Plan:
    """The plan of what is said on data that are prepared, with whatever is not said chosen for them."""
    preprocessor, prepared = found.prepared.preprocessor, found.prepared.parts
    cost, epochs = asked.cost, asked.epochs
    if asked.balanced and not preprocessor.classes:
        raise ArgumentError(
            "{balanced} is for classes, but what is predicted ({}) is no class. Leave it out.",
            preprocessor.schema.target,
        )
    count, target = len(preprocessor.classes), preprocessor.schema.target
    check_measured(asked.metrics, "metric", target, count)
    _, y, *_ = prepared["train"].part(0)
    if cost is not None:
        check_cost(cost, target, bool(count))
    rows = sum(prepared["train"].rows)
    described = _described(preprocessor, rows, cost)
    untold = ADAM if asked.network else default(described)
    chain = asked.network or as_chain(untold.network)
    cost = cost or (None if untold.cost is None else as_formula(untold.cost, Cost))
    optimizer = asked.optimizer or as_optimizer(untold.optimizer)
    chain = ended(chain, preprocessor.input_shape, y, cost, preprocessor.classes)
    cost = cost or default_cost(chain)
    _check_end(chain, preprocessor, y, cost)
    batch: BatchSize = batch_size_of(optimizer, asked.batch_size, default_batch_size(rows, found.stream))
    check_shared(asked.devices, rows if batch == "all" else min(batch, rows))
    stopping = None if asked.early_stopping == "never" else asked.early_stopping
    if epochs is None:
        epochs = default_epochs(described, batch, found.stream)
        if asked.early_stopping is None and "validation" in prepared:
            stopping = EarlyStopping(default_patience(epochs))
    if stopping and "validation" not in prepared:
        raise ArgumentError("{early_stopping} watches the validation cost: choose {validation} too, such as 0.1.")
    stopping = _monitored(stopping, asked.monitor)
    check_measured(_watched(stopping), "monitor", target, count)
    return Plan(
        found.source,
        found.said,
        found.prepared.chosen,
        found.prepared.found,
        preprocessor,
        prepared,
        chain,
        summary(chain, preprocessor.input_shape),
        cost,
        optimizer,
        asked.regularizer,
        asked.metrics,
        epochs,
        batch,
        stopping,
        asked.seed,
        asked.balanced,
        asked.devices,
        found.stream,
        asked.minutes,
    )


def _described(preprocessor: Preprocessor, rows: int, cost: Cost | None) -> Described:
    """What prepared data are, as far as it matters to what is chosen for them."""
    tokens, classes = preprocessor.schema.tokens, len(preprocessor.classes)
    outputs = (cost.outputs_per_target if cost else 1) * len(preprocessor.predicted)
    shape, vocabulary = preprocessor.input_shape, preprocessor.vocabulary
    return Described(preprocessor.kind, shape, rows, classes, outputs, vocabulary, tokens == "characters")


def _monitored(stopping: EarlyStopping | None, monitor: Metric | str | None) -> EarlyStopping | None:
    """A rule of early stopping that watches what is said: the cost, or a metric."""
    if monitor is None:
        return stopping
    if stopping is None:
        raise ArgumentError(
            "{monitor} says what early stopping watches, but nothing stops early. Choose {early_stopping} too."
        )
    return replace(stopping, monitor=None if monitor == "cost" else figures("monitor", [monitor])[0])


def _watched(stopping: EarlyStopping | None) -> tuple[Metric, ...]:
    """The metric that a rule of early stopping watches, if any."""
    return () if stopping is None or stopping.monitor is None else (stopping.monitor,)


def check_cost(cost: Cost, target: str, classes: bool) -> None:
    """Refuse a cost that can't take the classes or the values of a table."""
    targets = cost.targets
    if classes and not targets.have_classes:
        raise ChainruleError(
            f"cost: {cost!r} is for values, but {target} is a class. Choose CategoricalCrossEntropy()."
        )
    if not classes and (targets.of_all or targets.scores):
        raise ChainruleError(f"cost: {cost!r} is for classes, but {target} is a value. Choose Quadratic().")


def _check_end(network: Chain, preprocessor: Preprocessor, y: np.ndarray, cost: Cost) -> None:
    """Refuse a network whose outputs are not what its targets are, before a folder is claimed."""
    last, values, each = network.layers[-1], len(preprocessor.predicted), cost.outputs_per_target
    outputs = network.output_shape(preprocessor.input_shape)
    beyond = is_probable(last) and not ((y >= 0) & (y <= 1)).all()
    if not preprocessor.classes and (beyond or outputs[-1] != each * values):
        what = "is a value" if values == 1 else f"are {values} values"
        of_each = f", and {cost!r} takes {each} outputs for each" if each > 1 else ""
        raise ChainruleError(
            f"The network ends in {last!r}, but {preprocessor.schema.target} {what}{of_each}. "
            f"End it with Dense({each * values})."
        )
    targets(y, len(y), network, outputs, cost, preprocessor.classes or None)
