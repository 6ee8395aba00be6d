"""The examples that are held out of a training, measured after each epoch; on the device once, if in memory."""

from collections.abc import Iterable, Iterator

import jax

from chainrule.model import Model
from chainrule.model.evaluation import Part, figures, measurable
from chainrule.model.history import History
from chainrule.training.loop import Epoch
from chainrule.training.plan import Plan


def validated(plan: Plan, epochs: Iterable[Epoch]) -> Iterator[Epoch]:
    """The epochs with what `Model.evaluate` finds on the held-out examples in their rows, if there are any."""
    if plan.held_out is None:
        yield from epochs
        return
    kept: list[Part] = []
    for epoch in epochs:
        model = plan.model(epoch.state, History())
        parts: Iterable[Part] = kept or _placed(plan, model)
        if len(plan.held_out.rows) == 1:
            parts = kept = [*parts]
        found = figures(model, parts, plan.metrics)
        yield epoch._replace(row=epoch.row | {f"validation_{name}": value for name, value in found.items()})


def _placed(plan: Plan, model: Model) -> Iterator[Part]:
    """The held-out examples as a model is measured on them, on the device."""
    assert plan.held_out is not None
    for index in range(len(plan.held_out.rows)):
        for part in measurable(model, *plan.held_out.part(index)):
            yield part._replace(batches=jax.device_put([*part.batches]))
