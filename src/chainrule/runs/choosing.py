"""What is said of a training beside its data, read and checked by itself."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from chainrule.costs import Cost
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.formula.base import check_single
from chainrule.formula.layer import Chain
from chainrule.metrics import Metric
from chainrule.notation import as_chain, as_formula, as_metrics, as_optimizer
from chainrule.notation.choices import EPOCHS, SEEDS, BatchSize, as_early_stopping, as_minutes, as_whole, is_batch_size
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training.placement import as_devices


@dataclass(frozen=True)
class Choices:
    """What is said of a training beside its data; None where nothing is."""

    network: Chain | None
    cost: Cost | None
    optimizer: Any
    regularizer: Regularizer | None
    metrics: tuple[Metric, ...]
    balanced: bool
    epochs: int | None
    batch_size: BatchSize | None
    early_stopping: EarlyStopping | Literal["never"] | None
    monitor: Metric | str | None
    seed: int
    devices: tuple[Any, ...]
    minutes: float | None

    @classmethod
    def of(
        cls,
        *,
        network: Any = None,
        cost: Any = None,
        optimizer: Any = None,
        regularizer: Any = None,
        metrics: Any = (),
        balanced: bool = False,
        epochs: Any = None,
        batch_size: Any = None,
        early_stopping: Any = None,
        monitor: Any = None,
        seed: Any = 0,
        devices: Any = None,
        minutes: float | None = None,
    ) -> Self:
        """From arguments of `plan`."""
        chain = None if network is None else as_chain(network)
        cost = None if cost is None else as_formula(cost, Cost)
        optimizer = None if optimizer is None else as_optimizer(optimizer)
        regularizer = None if regularizer is None else as_formula(regularizer, Regularizer)
        for formula in (chain, cost, optimizer, regularizer):
            check_single(formula, "Give one number; chainrule.fit trains a population.")
        return cls(
            chain,
            cost,
            optimizer,
            regularizer,
            figures("metrics", metrics),
            balanced,
            None if epochs is None else as_whole(epochs, "{epochs}", *EPOCHS),
            None if batch_size is None else _batch_size(batch_size),
            "never" if early_stopping == "never" else as_early_stopping(early_stopping),
            monitor,
            as_whole(seed, "{seed}", *SEEDS),
            as_devices(devices),
            as_minutes(minutes),
        )


def _batch_size(size: Any) -> BatchSize:
    if not is_batch_size(size):
        raise ArgumentError('{batch_size} must be a whole number of 1 or more, or "all", got {!r}.', size)
    return "all" if size == "all" else int(size)


def figures(name: str, metrics: Any) -> tuple[Metric, ...]:
    """Metrics that are single figures; the name is what they are given as."""
    found = as_metrics(metrics, "plan")
    for metric in found:
        if not metric.is_figure:
            raise ChainruleError(f"{name}: {metric!r} is a table, not a figure. A run keeps it as confusion.png.")
    return found
