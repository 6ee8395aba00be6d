"""What a layer is told beside a batch: what surrounds it."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Context:
    """What surrounds a batch.

    Attributes:
        key: what noise is drawn from; None: there is none.
        training: whether statistics are gathered, which inference only uses.
        weights: (batch,), how much each row counts: 0 of padding, which enters no statistic. None: all the same.
        mask: (batch, time), False where a step of a sequence is padding. None: no step is.
    """

    key: jax.Array | None = None
    training: bool = field(default=False, metadata={"static": True})
    weights: jax.Array | None = None
    mask: jax.Array | None = None

    def within(self, place: Any, mask: Any) -> "Context":
        """What a layer within another one is told, by its place there: its own noise, and the mask that reaches it."""
        return replace(self, key=None if self.key is None else jax.random.fold_in(self.key, place), mask=mask)


INFERENCE = Context()
