"""The examples that are held out of a training: on the device once, measured after each epoch."""

from collections.abc import Iterable, Iterator

import jax

from chainrule.model.evaluation import figures, in_own_units
from chainrule.model.history import History
from chainrule.model.prediction import batches, most_rows
from chainrule.training.loop import Epoch
from chainrule.training.plan import Plan


def validated(plan: Plan, epochs: Iterable[Epoch]) -> Iterator[Epoch]:
    """The epochs with what `Model.evaluate` finds on the held-out examples in their rows, if there are any."""
    if plan.held_out is None:
        yield from epochs
        return
    x, E, weights = plan.held_out
    examples = jax.device_put([*batches(most_rows(plan.network, plan.shape), x, E)])
    for epoch in epochs:
        model = plan.model(epoch.state, History())
        found = figures(model, examples, in_own_units(model, E), weights, plan.metrics)
        yield epoch._replace(row=epoch.row | {f"validation_{name}": value for name, value in found.items()})
