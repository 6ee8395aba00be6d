"""Optimizers of Optax in the place of ours."""

import dataclasses
from typing import Any, ClassVar

import jax

from chainrule.optimizers.base import Optimizer


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class FromOptax:
    """One of Optax's optimizers (anything with `init` and `update`) in the place of one of ours."""

    transformation: Any
    has_rates: ClassVar[bool] = False
    whole_batch: ClassVar[bool] = False
    publishes: ClassVar[bool] = False
    publishes_means: ClassVar[bool] = False

    def init(self, params: Any) -> Any:
        """Optax's state before the first step."""
        return self.transformation.init(params)

    def update(self, grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        """Optax's steps and its new state."""
        return self.transformation.update(grads, state, params)

    advance, descend, rested = Optimizer.advance, Optimizer.descend, Optimizer.rested

    def __repr__(self) -> str:
        return f"FromOptax({type(self.transformation).__name__})"
