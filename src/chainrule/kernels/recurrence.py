"""Recurrences over time, with backpropagation through time written by hand.

The derived form carries the weights' gradients through the loop; here the backward loop only finds the gradients of
the gates, and the weights' gradients are a few large products after it. On the CPU native kernels serve the cells that
they know.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from chainrule.arrays.dtypes import of_axes
from chainrule.arrays.precision import exactly
from chainrule.kernels import native
from chainrule.kernels.derivatives import with_gradient
from chainrule.kernels.sharding import by_parts

Carry = Any  # what goes from step to step: a tuple of arrays (batch, units), the output h first


class Weights(NamedTuple):
    """What a recurrence learns, and how much of h it sees.

    Attributes:
        kernel: from x to its part of the gates, (features, gates).
        recurrent: from h to its part of the gates, (units, gates).
        bias: added to the gates' pre-activations, (sums,); or a tree of what else is learned of them.
        keep: factors on h, (batch, units), the same at each step (recurrent dropout), or None; without a gradient.
    """

    kernel: jax.Array
    recurrent: jax.Array
    bias: Any
    keep: jax.Array | None = None

    def seen(self, h: jax.Array) -> jax.Array:
        """What the gates see of h."""
        return h if self.keep is None else h * of_axes(self.keep, h)


class Steps(NamedTuple):
    """What each step is told beside its input.

    Attributes:
        mask: (time, batch), False where a step is padding, which leaves the carry as it is. None: none is.
        words: (time, 2), those of a key for each step, from which the cell draws noise. None: there is none.
    """

    mask: jax.Array | None = None
    words: jax.Array | None = None


class Cell(NamedTuple):
    """One step of a recurrence.

    Attributes:
        gates: from x's part of the gates, (batch, gates), what they see of h, and the weights, to the pre-activations,
            (batch, sums).
        carry: from the cell's formulas, the pre-activations, the last carry and the words of a key, or None, to the
            next carry.
        native: the name of the native kernel for this cell, whose formulas then have no numbers; None without one.
    """

    gates: Callable[[jax.Array, jax.Array, Weights], jax.Array]
    carry: Callable[[Any, jax.Array, Carry, jax.Array | None], Carry]
    native: str | None = None


@exactly
def plain(
    cell: Cell, whole: bool, formulas: Any, x: jax.Array, weights: Weights, start: Carry, steps: Steps
) -> jax.Array:
    """The definition: a loop over time.

    Args:
        cell: the step.
        whole: whether h after each step is wanted, (time, batch, units), or after the last one only, (batch, units).
        formulas: the cell's activations, with their numbers and parameters.
        x: the input, (time, batch, features).
        weights: the cell's weights.
        start: the carry before the first step.
        steps: what each step is told.
    """

    def step(carry: Carry, now: Any) -> tuple[Carry, Any]:
        a, (live, words) = now
        new = cell.carry(formulas, cell.gates(a, weights.seen(carry[0]), weights), carry, words)
        new = _if(live, new, carry)
        return new, new[0] if whole else None

    last, h = lax.scan(step, start, (x @ weights.kernel, steps))
    return h if whole else last[0]


def recurrence(
    cell: Cell, whole: bool, formulas: Any, x: jax.Array, weights: Weights, start: Carry, steps: Steps
) -> jax.Array:
    """`plain`, with the weights' gradients gathered after the backward loop."""
    if not x.size:
        return plain(cell, whole, formulas, x, weights, start, steps)
    numbers = jax.tree.map(lambda of: jnp.asarray(of, x.dtype), formulas)
    learned, given = (numbers, x, weights._replace(keep=None), start), (weights.keep, steps)
    n = "n" if steps.words is None else "_"  # noise is drawn for all rows together
    rule = f"*,_{n}*,*,{n}*,{n}*,_{n}*->{'_' * whole}{n}*"
    return by_parts(rule)(partial(_run, cell, whole))(*learned, *given)


def _run(cell: Cell, whole: bool, *arrays: Any) -> jax.Array:
    """`recurrence` of what is learned, and of the factors and steps, which have no gradient."""

    def definition(learned: tuple, given: tuple) -> jax.Array:
        return plain(cell, whole, *_as_defined(learned, given))

    def value(learned: tuple, given: tuple) -> jax.Array:
        def natively(cell: Cell, *arrays: Any) -> jax.Array:
            states, _ = _native_loop(cell, *arrays, kept=False, last=not whole)
            return states[0] if whole else states[0, -1]

        def by_definition(cell: Cell, *arrays: Any) -> jax.Array:
            return plain(cell, whole, *arrays)

        return _either(cell, natively, by_definition, *_as_defined(learned, given))

    def form(learned: tuple, given: tuple) -> tuple[jax.Array, tuple]:
        """h, and what its gradient needs: the states and the gates' pre-activations."""
        states, gates = _either(cell, _native_loop, _loop, *_as_defined(learned, given))
        return states[0] if whole else states[0, -1], (states, gates)

    def gradient(learned: tuple, given: tuple, kept: tuple, d_h: jax.Array) -> tuple:
        d_h = d_h if whole else d_h[None]
        return _either(cell, _native_loop_back, _loop_back, *_as_defined(learned, given), *kept, d_h)

    return with_gradient(definition, value, form, gradient, arrays[:4], arrays[4:])


def _as_defined(learned: tuple, given: tuple) -> tuple:
    """The arguments of `plain`, from those that have a gradient and those that have none."""
    (formulas, x, weights, start), (keep, steps) = learned, given
    return formulas, x, weights._replace(keep=keep), start, steps


def _either(cell: Cell, native_loop: Callable, loop: Callable, *arrays: Any) -> Any:
    if cell.native is None:
        return loop(cell, *arrays)
    return native.either(partial(native_loop, cell), partial(loop, cell), *arrays, also=bool)


@exactly
def _loop(
    cell: Cell, formulas: Any, x: jax.Array, weights: Weights, start: Carry, steps: Steps
) -> tuple[jax.Array, jax.Array]:
    """The states after each step, (states, time, batch, units), and the gates' pre-activations, (time, batch, sums)."""

    def step(carry: Carry, now: Any) -> tuple[Carry, Any]:
        a, (live, words) = now
        gates = cell.gates(a, weights.seen(carry[0]), weights)
        new = _if(live, cell.carry(formulas, gates, carry, words), carry)
        return new, (new, gates)

    carries, gates = lax.scan(step, start, (x @ weights.kernel, steps))[1]
    return jnp.stack(carries), gates


@exactly
def _loop_back(
    cell: Cell,
    formulas: Any,
    x: jax.Array,
    weights: Weights,
    start: Carry,
    steps: Steps,
    states: jax.Array,
    gates: jax.Array,
    d_h: jax.Array,
) -> tuple[Any, jax.Array, Weights, Carry]:
    """The gradients of the formulas, of x, of the kernels and the bias, and of the first carry.

    `d_h` is that of h after the last steps, as many as it has.
    """
    before = tuple(jnp.concatenate([first[None], after[:-1]]) for first, after in zip(start, states, strict=True))
    d_h = jnp.pad(d_h, ((len(x) - len(d_h), 0), (0, 0), (0, 0)))

    def step(later: Any, now: Any) -> tuple[Any, jax.Array]:
        d_carry, d_formulas = later
        d_out, a, gates, last, (live, words) = now
        d_new = (d_carry[0] + d_out, *d_carry[1:])
        _, pull = jax.vjp(lambda own, a, last: cell.carry(own, a, last, words), formulas, gates, last)
        d_own, d_gates, d_last = pull(_if(live, d_new, jax.tree.map(jnp.zeros_like, d_new)))
        _, pull = jax.vjp(lambda h: cell.gates(a, weights.seen(h), weights), last[0])
        d_last = (d_last[0] + pull(d_gates)[0], *d_last[1:])
        return (_if(live, d_last, d_new), jax.tree.map(jnp.add, d_formulas, d_own)), d_gates

    zeros = jax.tree.map(jnp.zeros_like, (start, formulas))
    inputs = d_h, x @ weights.kernel, gates, before, steps
    (d_start, d_formulas), d_gates = lax.scan(step, zeros, inputs, reverse=True)

    def at_once(x: jax.Array, weights: Weights) -> jax.Array:
        return jax.vmap(cell.gates, (0, 0, None))(x @ weights.kernel, weights.seen(before[0]), weights)

    d_x, d_weights = jax.vjp(at_once, x, weights)[1](d_gates)
    return d_formulas, d_x, d_weights._replace(keep=None), d_start


@exactly
def _native_loop(
    cell: Cell,
    formulas: Any,
    x: jax.Array,
    weights: Weights,
    start: Carry,
    steps: Steps,
    kept: bool = True,
    last: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """As `_loop`; the gates only where they are kept, and of the states only the last ones, where these do."""
    time, batch = x.shape[:2]
    gates, states = native.call(
        str(cell.native),
        ((time, batch, len(weights.bias)) if kept else (0, 0, 0), (len(start), 1 if last else time, *start[0].shape)),
        *(x @ weights.kernel, weights.recurrent, weights.bias, *_around(weights, start, steps.mask)),
        rule="_n*,*,*,n*,_n*,_n->_n*,__n*",
        packed=0,
    )
    return states, gates


@exactly
def _native_loop_back(
    cell: Cell,
    formulas: Any,
    x: jax.Array,
    weights: Weights,
    start: Carry,
    steps: Steps,
    states: jax.Array,
    gates: jax.Array,
    d_h: jax.Array,
) -> tuple[Any, jax.Array, Weights, Carry]:
    kernel, recurrent, bias, _ = weights
    d_gates, d_start, *d_weights = native.call(
        f"{cell.native}_gradient",
        (gates.shape, (len(start), *start[0].shape), kernel.shape, recurrent.shape, bias.shape),
        *(x, recurrent.T, *_around(weights, start, steps.mask), gates, states, d_h),
        rule="_n*,*,n*,_n*,_n,_n*,__n*,_n*->_n*,_n*,*,*,*",
    )
    d_x = d_gates[..., : kernel.shape[-1]] @ kernel.T
    return formulas, d_x, Weights(*d_weights), tuple(d_start)  # such a cell's formulas have no numbers to learn


def _around(weights: Weights, start: Carry, mask: jax.Array | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Dropout's factors, the first states and the mask, as the native kernels take them: empty where there are none."""
    none = jnp.zeros((0, 0), jnp.float32)
    keep = none if weights.keep is None else weights.keep
    return keep, jnp.stack(start), none if mask is None else mask.astype(jnp.float32)


def _if(live: jax.Array | None, new: Carry, old: Carry) -> Carry:
    """The new carry for the examples whose step is live, the old one for the others."""
    return new if live is None else jax.tree.map(lambda n, o: jnp.where(live[:, None], n, o), new, old)
