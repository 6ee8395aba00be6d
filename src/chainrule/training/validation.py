"""The examples that are held out of a training, measured after each epoch; on the device once, if in memory."""

from collections.abc import Iterable, Iterator

import jax

from chainrule.data.loaders import Loader
from chainrule.model import Model
from chainrule.model.evaluation import Part, figures, measurable
from chainrule.model.history import History
from chainrule.training.loop import Epoch
from chainrule.training.plan import Plan


def validated(plan: Plan, epochs: Iterable[Epoch]) -> Iterator[Epoch]:
    """The epochs with what is found on the held-out examples in their rows, if there are any."""
    held_out = None if plan.held_out is None else HeldOut(plan.held_out)
    for epoch in epochs:
        yield epoch if held_out is None else held_out.measured(plan, epoch)


class HeldOut:
    """Examples that are held out of trainings; in memory they are on the device once."""

    def __init__(self, examples: Loader):
        self.examples, self.kept = examples, list[Part]()

    def measured(self, plan: Plan, epoch: Epoch) -> Epoch:
        """An epoch with what `Model.evaluate` finds on them in its row."""
        model = plan.model(epoch.state, History())
        parts: Iterable[Part] = self.kept or self._placed(model)
        if len(self.examples.rows) == 1:
            parts = self.kept = [*parts]
        found = figures(model, parts, plan.metrics)
        return epoch._replace(row=epoch.row | {f"validation_{name}": value for name, value in found.items()})

    def _placed(self, model: Model) -> Iterator[Part]:
        """The examples as a model is measured on them, on the device."""
        for index in range(len(self.examples.rows)):
            for part in measurable(model, *self.examples.part(index)):
                yield part._replace(batches=jax.device_put([*part.batches]))
