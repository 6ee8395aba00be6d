"""Batches of examples, of sequences of unequal length too: their rows and their shapes."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from chainrule.arrays.sparse import Sparse
from chainrule.errors import ChainruleError

Shape = tuple[int, ...]


class Masked(NamedTuple):
    """A batch of sequences of unequal length.

    Attributes:
        values: (batch, time, …), padded at the end.
        mask: (batch, time), False where a step is padding.
    """

    values: Any
    mask: Any

    def checked(self) -> "Masked":
        """Itself. Raises `ChainruleError` where the mask is that of other steps."""
        steps, own = jnp.shape(self.values)[:2], jnp.shape(self.mask)
        if len(steps) < 2 or steps != own:
            raise ChainruleError(
                f"Masked: expected values (rows, time, …) and a mask (rows, time), got shapes {jnp.shape(self.values)} "
                f"and {own}. Give a True or False for each step."
            )
        return self


def whole(y: Any) -> jax.Array:
    """A network's outputs. Raises `ChainruleError` for a `Masked`, whose padding nothing behind a network heeds yet."""
    if isinstance(y, Masked):
        raise ChainruleError(
            "The network has an output for each step of sequences of unequal length, which can't be trained or "
            "predicted yet. Put a global pooling behind its last layer over time, or give sequences of one length."
        )
    return y


def rows_of(x: Any) -> int:
    """The number of examples in a batch, masked, sparse or neither."""
    return jax.tree.leaves(x)[0].shape[0]


def shape_of(x: Any) -> Shape:
    """One example's shape in a batch, masked, sparse or neither."""
    return (x.features,) if isinstance(x, Sparse) else jax.tree.leaves(x)[0].shape[1:]
