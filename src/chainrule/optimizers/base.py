"""What an optimizer is: `init` and `update` as Optax has them; and a rule, which treats each parameter alone."""

from abc import abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.dtypes import real_type, wide_type
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.kernels import native
from chainrule.optimizers.schedules import Schedule, rate_at

Slots = dict[str, jax.Array]
KERNELS: dict[type["Rule"], str] = {}
"""The native kernels of exactly these rules; a subclass may have another `step`."""

WORTH_A_CALL = 1 << 10  # parameters, from which on one call of a native kernel is faster than XLA's loops


class Optimizer(Formula):
    """What `fit` needs of an optimizer: Optax's protocol, and its rates for proximal steps."""

    @abstractmethod
    def init(self, params: Any) -> Any:
        """The state before the first step."""

    @abstractmethod
    def update(self, grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        """The steps Δθ to add to the parameters, and the new state."""

    def advance(self, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
        """The parameters after the step, and the new state: `update` and its addition, which `fit` asks for."""
        updates, state = self.update(grads, state, params)
        return jax.tree.map(lambda p, delta: (p + delta).astype(real_type(p)), params, updates), state

    @abstractmethod
    def rates(self, state: Any, params: Any) -> Any:
        """How far a steady gradient of 1 would move each parameter, by the step that led to this state.

        A proximal step of this length has the minimum of the regularised cost as its fixed point.
        """


class Rule(Optimizer):
    """An optimizer that treats each entry of the parameters alone, with slots of its own.

    Slots and steps are computed in 32 bits at least, since in 16 a square or ε may be none; a step is then of its
    parameter's type.
    """

    learning_rate: float | Schedule

    slots: ClassVar[tuple[str, ...]] = ()
    """The names of the arrays, of the parameter's shape and at first zero, that the rule keeps for each parameter."""

    def constants(self, eta: Any, t: jax.Array) -> dict[str, Any]:
        """The numbers in the rule that are the same for all parameters at a step, in the native kernel's order."""
        return {}

    @abstractmethod
    def step(self, g: jax.Array, s: Slots, eta: Any, t: jax.Array) -> tuple[jax.Array, Slots]:
        """Δθ and the new slots, from the gradient g, the slots and the learning rate η at step t = 1, 2, …"""

    def rate(self, s: Slots, eta: Any, t: jax.Array) -> Any:
        """How far a steady gradient of 1 would move the parameter, given its new slots."""
        return eta

    def init(self, params):
        zeros = lambda p: np.zeros(jnp.shape(p), wide_type(p))  # noqa: E731 - jax's own would be compiled
        first = {"t": np.zeros((), np.int32)} | {name: jax.tree.map(zeros, params) for name in self.slots}
        return jax.device_put(first)

    def update(self, grads, state, params=None):
        self._check(grads, state)
        eta, t = rate_at(self.learning_rate, state["t"]), _next(state["t"])
        leaves, tree = jax.tree.flatten(grads)
        stepped = [self._step(g, s, eta, t) for g, s in zip(leaves, self._slots_of(state, tree), strict=True)]
        new = {name: tree.unflatten([s[name] for _, s in stepped]) for name in self.slots}
        return tree.unflatten([delta for delta, _ in stepped]), {"t": t, **new}

    def _check(self, grads: Any, state: Any) -> None:
        """Refuse a state that is that of other parameters."""
        shapes = lambda tree: jax.tree.map(jnp.shape, tree)  # noqa: E731
        ours = isinstance(state, dict) and state.keys() == {"t", *self.slots}
        if not ours or any(shapes(state[name]) != shapes(grads) for name in self.slots):
            raise ChainruleError(
                f"{self!r}: expected the state of parameters like the gradients. Begin with init(parameters)."
            )

    def _step(self, g: jax.Array, s: Slots, eta: Any, t: jax.Array) -> tuple[jax.Array, Slots]:
        """`step` in 32 bits at least, its Δθ of the gradient's type."""
        wide = wide_type(g)
        delta, s = self.step(jnp.asarray(g, wide), s, jnp.asarray(eta, wide), t.astype(wide))
        return delta.astype(real_type(g)), s

    def advance(self, params, grads, state):
        worth = sum(map(jnp.size, jax.tree.leaves(params))) >= WORTH_A_CALL
        return (_in_one_pass if type(self) in KERNELS and worth else Optimizer.advance)(self, params, grads, state)

    def rates(self, state, params):
        eta, t = rate_at(self.learning_rate, state["t"] - 1), state["t"]
        leaves, tree = jax.tree.flatten(params)
        each = zip(map(wide_type, leaves), self._slots_of(state, tree), strict=True)
        return tree.unflatten([self.rate(s, jnp.asarray(eta, wide), t.astype(wide)) for wide, s in each])

    def _slots_of(self, state: dict[str, Any], tree: Any) -> list[Slots]:
        """The slots of each parameter, in the order of the tree's leaves."""
        columns = {name: jax.tree.leaves(state[name]) for name in self.slots}
        return [{name: column[i] for name, column in columns.items()} for i in range(tree.num_leaves)]


@jax.custom_jvp
def _in_one_pass(rule: Rule, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
    """`Optimizer.advance` by the rule's native kernel, which reads and writes each array once."""
    eta, t = rate_at(rule.learning_rate, state["t"]), _next(state["t"])
    constants = rule.constants(eta, t.astype(jnp.float32)).values()
    if any(map(jnp.ndim, constants)):
        return Optimizer.advance(rule, params, grads, state)
    numbers = jnp.stack([jnp.asarray(c, jnp.float32) for c in constants])
    columns = [params, *(state[name] for name in rule.slots)]
    kept, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, columns))

    def natively(kept: list[jax.Array], grads: list[jax.Array]) -> list[jax.Array]:
        return native.update(KERNELS[type(rule)], numbers, kept, grads)

    def by_formula(kept: list[jax.Array], grads: list[jax.Array]) -> list[jax.Array]:
        old, *slots = tree.unflatten(kept)
        before = {"t": t - 1, **dict(zip(rule.slots, slots, strict=True))}
        new, after = Optimizer.advance(rule, old, jax.tree.structure(old).unflatten(grads), before)
        leaves = jax.tree.leaves([new, *(after[name] for name in rule.slots)])
        return [array.astype(was.dtype) for array, was in zip(leaves, kept, strict=True)]

    new, *slots = tree.unflatten(native.either(natively, by_formula, kept, jax.tree.leaves(grads)))
    return new, {"t": t, **dict(zip(rule.slots, slots, strict=True))}


_in_one_pass.defjvp(lambda primals, tangents: jax.jvp(Optimizer.advance, primals, tangents))


def _next(t: jax.Array) -> jax.Array:
    """The next step's number; from the largest one on it stays, where nothing changes with it any more."""
    return jnp.where(t < jnp.iinfo(t.dtype).max, t + 1, t)
