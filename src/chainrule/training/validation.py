"""The examples that are held out of a training: on the device once, measured after each epoch."""

from collections.abc import Iterable, Iterator

import jax

from chainrule.model.evaluation import figures, measurable
from chainrule.model.history import History
from chainrule.training.loop import Epoch
from chainrule.training.plan import Plan


def validated(plan: Plan, epochs: Iterable[Epoch]) -> Iterator[Epoch]:
    """The epochs with what `Model.evaluate` finds on the held-out examples in their rows, if there are any."""
    if plan.held_out is None:
        yield from epochs
        return
    examples = E = weights = None
    for epoch in epochs:
        model = plan.model(epoch.state, History())
        if examples is None:
            examples, E, weights = measurable(model, *plan.held_out.part(0))
            examples = jax.device_put([*examples])
        found = figures(model, examples, E, weights, plan.metrics)
        yield epoch._replace(row=epoch.row | {f"validation_{name}": value for name, value in found.items()})
