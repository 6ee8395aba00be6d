"""Repetitions of a parameter in one array, as `Repeat` stacks them, told to what sees a parameter as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax

from chainrule.optimizers.base import Optimizer, Rule
from chainrule.optimizers.clipping import Clipping


@partial(jax.tree_util.register_dataclass, data_fields=["formula"], meta_fields=["repeated"])
@dataclass(frozen=True)
class OfEach:
    """A layer-wise rule or clipping that takes each repetition for a parameter of its own.

    Attributes:
        formula: the rule or clipping.
        repeated: of each parameter, how many of its first axes count repetitions.
    """

    formula: Any
    repeated: tuple[int, ...]

    whole_batch: ClassVar[bool] = False
    publishes: ClassVar[bool] = False
    publishes_means: ClassVar[bool] = False

    @property
    def has_rates(self) -> bool:
        """The rule's own."""
        return self.formula.has_rates

    def init(self, params: Any) -> Any:
        """The rule's state, with the repetitions in front."""
        return self.formula.init(params, self.repeated)

    def update(self, grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        """The rule's steps, and the new state."""
        return self.formula.update(grads, state, params, self.repeated)

    advance, descend, rested, published = Optimizer.advance, Optimizer.descend, Optimizer.rested, Optimizer.published

    def rates(self, state: Any, params: Any) -> Any:
        """The rule's rates."""
        return self.formula.rates(state, params, self.repeated)

    def __call__(self, grads: Any, params: Any = None) -> Any:
        """The clipped gradients."""
        return self.formula(grads, params, self.repeated)


def told_of(repeated: Sequence[int], optimizer: Any) -> Any:
    """An optimizer whose layer-wise rules and clippings know of repetitions, of which each parameter has so many axes.

    >>> from chainrule.optimizers import LAMB, Adam
    >>> told_of((1, 0), Adam())
    Adam(learning_rate=0.001)
    >>> told_of((1, 0), LAMB())
    OfEach(formula=LAMB(learning_rate=0.001), repeated=(1, 0))
    """
    if not any(repeated):
        return optimizer
    told = lambda node: OfEach(node, tuple(repeated)) if _is_layerwise(node) else node  # noqa: E731
    return jax.tree.map(told, optimizer, is_leaf=_is_layerwise)


def _is_layerwise(node: Any) -> bool:
    return isinstance(node, Rule | Clipping) and node.layerwise
