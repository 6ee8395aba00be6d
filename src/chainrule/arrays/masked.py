"""Batches of examples, of sequences of unequal length too: their rows and their shapes."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.sparse import Sparse
from chainrule.errors import ChainruleError

Shape = tuple[int, ...]


class Masked(NamedTuple):
    """A batch of sequences of unequal length, inputs or targets; a list of arrays is made one.

    Attributes:
        values: (batch, time, …), padded at the end.
        mask: (batch, time), False where a step is padding.

    >>> Masked(np.array([[3, 1, 4], [5, 0, 0]]), np.array([[True, True, True], [True, False, False]])).mask.sum(axis=1)
    array([3, 1])
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


def parts(batch: Any) -> tuple[Any, Any]:
    """The values of a batch, and its mask: None where no step is padding."""
    return batch if isinstance(batch, Masked) else (batch, None)


def filled(x: Any, mask: Any, fill: float = 0.0) -> Any:
    """The values of sequences, with one value in the place of padding."""
    return x if mask is None else jnp.where(over(mask, x.ndim), x, jnp.asarray(fill, x.dtype))


def over(steps: Any, axes: int) -> Any:
    """A number for each row or step, for arrays of so many axes."""
    return steps.reshape(steps.shape + (1,) * (axes - steps.ndim))


def step_weights(shape: Shape, weights: Any, mask: Any) -> Any:
    """How much each step counts, (rows, time, …): as its row does, or as is said of itself; nothing if it is padding.

    >>> step_weights((2, 3), np.array([2, 1]), np.array([[True, True, True], [True, False, False]])).tolist()
    [[2, 2, 2], [1, 0, 0]]
    """
    known = [over(each, len(shape)) for each in (weights, mask) if each is not None]
    xp = jnp if any(isinstance(each, jax.Array) for each in known) else np
    return xp.broadcast_to(math.prod(known), shape)


def rows_of(x: Any) -> int:
    """The number of examples in a batch, masked, sparse or neither."""
    return jax.tree.leaves(x)[0].shape[0]


def shape_of(x: Any) -> Shape:
    """One example's shape in a batch, masked, sparse or neither."""
    return (x.features,) if isinstance(x, Sparse) else jax.tree.leaves(x)[0].shape[1:]
