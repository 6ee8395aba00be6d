"""Recurrences over time, with backpropagation through time written by hand.

The derived form carries the weights' gradients through the loop; here the backward loop only finds the gradients of
the gates, and the weights' gradients are one large product after it. On the CPU native kernels run the loops of the
cells that they know.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.kernels import native

Carry = Any  # what goes from step to step: a tuple of arrays (batch, units), the output h first


class Cell(NamedTuple):
    """One step of a recurrence, apart from its product with the weights.

    Attributes:
        gates: from x's part and h's part of the gates, (batch, gates) each, to their pre-activations; linear.
        carry: from the cell's formulas, the pre-activations and the last carry to the next one.
        native: the name of the native kernel for this cell, whose formulas then have no numbers; None without one.
    """

    gates: Callable[[jax.Array, jax.Array], jax.Array]
    carry: Callable[[Any, jax.Array, Carry], Carry]
    native: str | None = None


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
    return _forward(cell, formulas, a, weights, start, mask)[0]


def _forward(cell: Cell, formulas: Any, a: jax.Array, weights: Weights, start: Carry, mask: Any) -> tuple:
    carries, gates = _either(cell, _native_loop, _loop, formulas, a, weights, start, mask)
    return carries, (formulas, a, weights, start, mask, carries, gates)


def _backward(cell: Cell, saved: tuple, d_carries: Carry) -> tuple:
    _, a, weights, start, _, carries, _ = saved
    d_formulas, d_start, d_gates = _either(cell, _native_loop_back, _loop_back, *saved, d_carries)
    d_a, d_parts = jax.vmap(jax.linear_transpose(cell.gates, a[0], a[0]))(d_gates)
    before = jnp.concatenate([start[0][None], carries[0][:-1]])
    seen = before if weights.keep is None else before * weights.keep
    d_weights = Weights(
        jnp.einsum("tbu,tbg->ug", seen, d_parts),
        None if weights.bias is None else d_parts.sum((0, 1)),
        None if weights.keep is None else jnp.zeros_like(weights.keep),
    )
    return d_formulas, d_a, d_weights, d_start, None


recurrence.defvjp(_forward, _backward)


def _either(cell: Cell, native_loop: Callable, loop: Callable, *arrays: Any) -> Any:
    if cell.native is None:
        return loop(cell, *arrays)
    return native.either(partial(native_loop, cell), partial(loop, cell), *arrays, also=bool)


def _loop(
    cell: Cell, formulas: Any, a: jax.Array, weights: Weights, start: Carry, mask: jax.Array | None
) -> tuple[Carry, jax.Array]:
    """What `plain` returns, and the gates' pre-activations at each step."""

    def step(carry: Carry, now: Any) -> tuple[Carry, Any]:
        a, live = now
        gates = cell.gates(a, weights.part(carry[0]))
        new = _if(live, cell.carry(formulas, gates, carry), carry)
        return new, (new, gates)

    return lax.scan(step, start, (a, mask))[1]


def _loop_back(
    cell: Cell,
    formulas: Any,
    a: jax.Array,
    weights: Weights,
    start: Carry,
    mask: jax.Array | None,
    carries: Carry,
    gates: jax.Array,
    d_carries: Carry,
) -> tuple[Any, Carry, jax.Array]:
    """The gradients of the formulas, of the first carry, and of the gates' pre-activations at each step."""
    before = jax.tree.map(lambda first, after: jnp.concatenate([first[None], after[:-1]]), start, carries)
    to_parts = jax.linear_transpose(cell.gates, a[0], a[0])

    def step(later: Any, now: Any) -> tuple[Any, jax.Array]:
        d_carry, d_formulas = later
        d_out, gates, last, live = now
        d_new = jax.tree.map(jnp.add, d_out, d_carry)
        _, pull = jax.vjp(cell.carry, formulas, gates, last)
        d_own, d_gates, d_last = pull(_if(live, d_new, jax.tree.map(jnp.zeros_like, d_new)))
        d_h = to_parts(d_gates)[1] @ weights.kernel.T
        d_last = (d_last[0] + (d_h if weights.keep is None else d_h * weights.keep), *d_last[1:])
        return (_if(live, d_last, d_new), jax.tree.map(jnp.add, d_formulas, d_own)), d_gates

    zeros = jax.tree.map(jnp.zeros_like, (start, formulas))
    (d_start, d_formulas), d_gates = lax.scan(step, zeros, (d_carries, gates, before, mask), reverse=True)
    return d_formulas, d_start, d_gates


def _native_loop(
    cell: Cell, formulas: Any, a: jax.Array, weights: Weights, start: Carry, mask: jax.Array | None
) -> tuple[Carry, jax.Array]:
    wide = jax.eval_shape(cell.gates, a[0], a[0]).shape[-1]
    return native_forward(str(cell.native), wide, a, weights, start, mask)


def _native_loop_back(
    cell: Cell,
    formulas: Any,
    a: jax.Array,
    weights: Weights,
    start: Carry,
    mask: jax.Array | None,
    carries: Carry,
    gates: jax.Array,
    d_carries: Carry,
) -> tuple[Any, Carry, jax.Array]:
    d_gates, d_start = native_backward(str(cell.native), weights, start, mask, carries, gates, d_carries)
    return formulas, d_start, d_gates  # such a cell's formulas have no numbers to learn


def native_forward(
    name: str, wide: int, a: jax.Array, weights: Weights, start: Carry, mask: jax.Array | None
) -> tuple[Carry, jax.Array]:
    """The carry after each step and the gates' pre-activations, (time, batch, wide), by a native kernel."""
    bias = jnp.zeros(a.shape[2:]) if weights.bias is None else weights.bias
    gates, carries = native.call(
        name,
        ((*a.shape[:2], wide), (len(start), *a.shape[:2], start[0].shape[-1])),
        *(a, weights.kernel, bias, _factors(weights, start), jnp.stack(start), _live(mask, a)),
    )
    return tuple(carries), gates


def native_backward(
    name: str,
    weights: Weights,
    start: Carry,
    mask: jax.Array | None,
    carries: Carry,
    gates: jax.Array,
    d_carries: Carry,
) -> tuple[jax.Array, Carry]:
    """The gradients of the gates' pre-activations and of the first carry, by a native kernel."""
    first = jnp.stack(start)
    d_gates, d_start = native.call(
        f"{name}_gradient",
        (gates.shape, first.shape),
        *(gates, weights.kernel.T, _factors(weights, start), first, _live(mask, gates), jnp.stack(carries)),
        jnp.stack(d_carries),
    )
    return d_gates, tuple(d_start)


def _factors(weights: Weights, start: Carry) -> jax.Array:
    return jnp.ones_like(start[0]) if weights.keep is None else weights.keep


def _live(mask: jax.Array | None, a: jax.Array) -> jax.Array:
    return jnp.ones(a.shape[:2]) if mask is None else mask.astype(jnp.float32)


def _if(live: jax.Array | None, new: Carry, old: Carry) -> Carry:
    """The new carry for the examples whose step is live, the old one for the others."""
    return new if live is None else jax.tree.map(lambda n, o: jnp.where(live[:, None], n, o), new, old)
