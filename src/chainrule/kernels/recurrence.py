"""Recurrences over time, with backpropagation through time written by hand.

The derived form carries the weights' gradients through the loop; here the backward loop only finds the gradients of
the gates, and the weights' gradients are one large product after it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Carry = Any  # what goes from step to step: a tuple of arrays (batch, units), the output h first


class Cell(NamedTuple):
    """One step of a recurrence, apart from its product with the weights.

    Attributes:
        gates: from x's part and h's part of the gates, (batch, gates) each, to their pre-activations; linear.
        carry: from the cell's formulas, the pre-activations and the last carry to the next one.
    """

    gates: Callable[[jax.Array, jax.Array], jax.Array]
    carry: Callable[[Any, jax.Array, Carry], Carry]


class Weights(NamedTuple):
    """What a recurrence learns besides x's part, and how much of h it sees.

    Attributes:
        kernel: from h to its part of the gates, (units, gates).
        bias: added to h's part, (gates,), or None.
        keep: factors on h, (batch, units), the same at each step (recurrent dropout), or None; without a gradient.
    """

    kernel: jax.Array
    bias: jax.Array | None = None
    keep: jax.Array | None = None

    def part(self, h: jax.Array) -> jax.Array:
        """h's part of the gates."""
        product = (h if self.keep is None else h * self.keep) @ self.kernel
        return product if self.bias is None else product + self.bias


def plain(cell: Cell, formulas: Any, a: jax.Array, weights: Weights, start: Carry, mask: jax.Array | None) -> Carry:
    """The definition: a loop over time.

    Args:
        cell: the step.
        formulas: its activations, with their numbers.
        a: x's part of the gates, (time, batch, gates).
        weights: h's part.
        start: the carry before the first step.
        mask: (time, batch), False where a step is padding, which leaves the carry as it is.

    Returns:
        The carry after each step, (time, batch, units) each.
    """

    def step(carry: Carry, now: Any) -> tuple[Carry, Carry]:
        a, live = now
        new = _if(live, cell.carry(formulas, cell.gates(a, weights.part(carry[0])), carry), carry)
        return new, new

    return lax.scan(step, start, (a, mask))[1]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def recurrence(
    cell: Cell, formulas: Any, a: jax.Array, weights: Weights, start: Carry, mask: jax.Array | None
) -> Carry:
    """`plain`, with the weights' gradients gathered after the backward loop."""
    return plain(cell, formulas, a, weights, start, mask)


def _forward(cell: Cell, formulas: Any, a: jax.Array, weights: Weights, start: Carry, mask: Any) -> tuple:
    def step(carry: Carry, now: Any) -> tuple[Carry, Any]:
        a, live = now
        gates = cell.gates(a, weights.part(carry[0]))
        new = _if(live, cell.carry(formulas, gates, carry), carry)
        return new, (new, gates)

    _, (carries, gates) = lax.scan(step, start, (a, mask))
    return carries, (formulas, a, weights, start, mask, carries, gates)


def _backward(cell: Cell, saved: tuple, d_carries: Carry) -> tuple:
    formulas, a, weights, start, mask, carries, gates = saved
    before = jax.tree.map(lambda first, after: jnp.concatenate([first[None], after[:-1]]), start, carries)
    to_parts = jax.linear_transpose(cell.gates, a[0], a[0])

    def step(later: Any, now: Any) -> tuple[Any, Any]:
        d_carry, d_formulas = later
        d_out, gates, last, live = now
        d_new = jax.tree.map(jnp.add, d_out, d_carry)
        _, pull = jax.vjp(cell.carry, formulas, gates, last)
        d_own, d_gates, d_last = pull(_if(live, d_new, jax.tree.map(jnp.zeros_like, d_new)))
        d_a, d_part = to_parts(d_gates)
        d_h = d_part @ weights.kernel.T
        d_last = (d_last[0] + (d_h if weights.keep is None else d_h * weights.keep), *d_last[1:])
        d_last = _if(live, d_last, d_new)
        return (d_last, jax.tree.map(jnp.add, d_formulas, d_own)), (d_a, d_part)

    zeros = jax.tree.map(jnp.zeros_like, (start, formulas))
    (d_start, d_formulas), (d_a, d_parts) = lax.scan(step, zeros, (d_carries, gates, before, mask), reverse=True)
    seen = before[0] if weights.keep is None else before[0] * weights.keep
    d_weights = Weights(
        jnp.einsum("tbu,tbg->ug", seen, d_parts),
        None if weights.bias is None else d_parts.sum((0, 1)),
        None if weights.keep is None else jnp.zeros_like(weights.keep),
    )
    return d_formulas, d_a, d_weights, d_start, None


recurrence.defvjp(_forward, _backward)


def _if(live: jax.Array | None, new: Carry, old: Carry) -> Carry:
    """The new carry for the examples whose step is live, the old one for the others."""
    return new if live is None else jax.tree.map(lambda n, o: jnp.where(live[:, None], n, o), new, old)
