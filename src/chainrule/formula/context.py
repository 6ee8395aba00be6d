"""What a layer is told beside a batch: what surrounds it."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax
from jax import lax
from jax.flatten_util import ravel_pytree

PROCESSES = "processes"
"""The axis of devices between which a sum is a message from process to process."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Context:
    """What surrounds a batch.

    Attributes:
        key: what noise is drawn from; None: there is none.
        training: whether statistics are gathered, which inference only uses.
        weights: (batch,), how much each row counts: 0 of padding, which enters no statistic. None: all the same.
        mask: (batch, time), False where a step of a sequence is padding. None: no step is.
        axis: of the devices that share the batch, each of which sees some of its rows. None: all of them are here.
    """

    key: jax.Array | None = None
    training: bool = field(default=False, metadata={"static": True})
    weights: jax.Array | None = None
    mask: jax.Array | None = None
    axis: str | None = field(default=None, metadata={"static": True})

    def within(self, place: Any, mask: Any) -> "Context":
        """What a layer within another one is told, by its place there: its own noise, and the mask that reaches it."""
        return replace(self, key=None if self.key is None else jax.random.fold_in(self.key, place), mask=mask)

    def total(self, of_rows: Any) -> Any:
        """Sums over the whole batch, from those over the rows that are here: what mixes rows takes these."""
        if self.axis != PROCESSES:
            return of_rows if self.axis is None else lax.psum(of_rows, self.axis)
        numbers, apart = ravel_pytree(of_rows)  # since a sum of many arrays takes the time of as many messages
        return apart(lax.psum(numbers, self.axis))


INFERENCE = Context()
