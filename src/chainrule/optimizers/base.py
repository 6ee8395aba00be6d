"""What an optimizer is: `init` and `update` as Optax has them; and a rule, which treats each parameter alone."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import real_type, wide_type, widened
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.formula.network import of_each
from chainrule.kernels import native
from chainrule.kernels.sharding import each_its_part
from chainrule.optimizers.schedules import Schedule, rate_at

Slots = dict[str, jax.Array]
Slope = Callable[[Any], tuple[tuple[Any, Any], Any]]
"""Gives of parameters the cost, what was found on the way, and the gradient: `jax.value_and_grad(…, has_aux=True)`."""

Rest = Callable[[Any, Callable[[Any], Any]], Any]
"""Gives of parameters after a step, and of what tells their rates, those after a regulariser's proximal step."""

KERNELS: dict[type["Rule"], str] = {}
"""The native kernels of exactly these rules; a subclass may have another `step`."""

WORTH_A_CALL = 1 << 10  # parameters, from which on one call of a native kernel is faster than XLA's loops


class Optimizer(Formula):
    """What `fit` needs of an optimizer: Optax's protocol, rates for proximal steps, and the point that it publishes."""

    @property
    def has_rates(self) -> bool:
        """Whether its steps are in proportion to the gradient, by `rates`, which a regulariser with a kink asks for."""
        return True

    @property
    def whole_batch(self) -> bool:
        """Whether its steps mean nothing on parts of the examples, so that `fit` gives it all of them at once."""
        return False

    @property
    def publishes(self) -> bool:
        """Whether its result is not where it takes gradients: it has a `published` of its own."""
        return False

    @property
    def publishes_means(self) -> bool:
        """Whether its result is a mean of the parameters that its steps led to, each after its proximal step."""
        return False

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

    def descend(self, slope: Slope, params: Any, state: Any, rest: Rest | None = None) -> tuple[Any, Any, Any]:
        """A step down a cost, as `fit` makes it: new parameters, new state, and what was found at the old parameters.

        Most need the gradient there. What asks for it, or for the cost, elsewhere too has no `update`. A proximal step
        of what is regularised, if any, ends it.
        """
        (_, found), grads = slope(params)
        params, state = self.advance(params, grads, state)
        return self.rested(rest, params, state), state, found

    def rested(self, rest: Rest | None, params: Any, state: Any) -> Any:
        """The parameters after a proximal step, if there is one, by the rates of the step that led to this state."""
        return params if rest is None else rest(params, lambda params: self.rates(state, params))

    def published(self, params: Any, state: Any) -> Any:
        """The parameters that are evaluated, validated and saved: picked, not computed, so of several networks too."""
        return params

    def rates(self, state: Any, params: Any) -> Any:
        """How far a steady gradient of 1 would move each parameter, by the step that led to this state.

        A proximal step of this length has the minimum of the regularised cost as its fixed point.
        """
        raise ChainruleError(f"{self!r}: its steps are not in proportion to the gradient, and so have no rates.")


class Around(Optimizer):
    """An optimizer around another one, of whose kind it is; the state is that one's."""

    if TYPE_CHECKING:
        optimizer: Any  # a field of each, in the place that it has there

    @property
    def has_rates(self):
        return self.optimizer.has_rates

    @property
    def whole_batch(self):
        return self.optimizer.whole_batch

    @property
    def publishes(self):
        return self.optimizer.publishes

    @property
    def publishes_means(self):
        return self.optimizer.publishes_means

    def init(self, params):
        return self.optimizer.init(params)

    def published(self, params, state):
        return self.optimizer.published(params, state)

    def rates(self, state, params):
        return self.optimizer.rates(state, params)


class Rule(Optimizer):
    """An optimizer that treats each parameter alone, with slots of its own.

    Slots and steps are computed in 32 bits at least, since in 16 a square or ε may be none; a step is then of its
    parameter's type.
    """

    learning_rate: float | Schedule

    sees_parameters: ClassVar[bool] = False
    """Whether its steps depend on the parameters, which Optax need not give."""

    layerwise: ClassVar[bool] = False
    """Whether the step of a number depends on others of its parameter, so that repetitions in one array count."""

    def slots(self, w: Any) -> Slots:
        """The arrays that the rule keeps for a parameter w, by name, at their first values: `zeros(w)` for most."""
        return {}

    def constants(self, eta: Any, t: jax.Array) -> dict[str, Any]:
        """The numbers in the rule that are the same for all parameters at a step, in the native kernel's order."""
        return {}

    @abstractmethod
    def step(self, g: jax.Array, w: Any, s: Slots, eta: Any, t: jax.Array) -> tuple[jax.Array, Slots]:
        """Δw and the new slots, from the gradient g, the parameter w, its slots and the learning rate η at t = 1, 2, …

        w is None where Optax gave no parameters, which a rule that `sees_parameters` refuses.
        """

    def rate(self, s: Slots, eta: Any, t: jax.Array) -> Any:
        """How far a steady gradient of 1 would move the parameter, given its new slots."""
        return eta

    def init(self, params, repeated=()):
        leaves, tree = jax.tree.flatten(params)
        each = zip(map(_wide, leaves), repeated or [0] * len(leaves), strict=True)
        slots = [of_each(axes, self.slots)(w) for w, axes in each]
        return put({"t": np.zeros((), np.int32), **_columns(slots, tree)})

    def update(self, grads, state, params=None, repeated=()):
        self._check(grads, state, params, repeated)
        eta, t = rate_at(self.learning_rate, state["t"]), following(state["t"])
        gs, tree = jax.tree.flatten(grads)
        ws = [None] * len(gs) if params is None else jax.tree.leaves(params)
        rows = zip(gs, ws, _rows(state, tree), repeated or [0] * len(gs), strict=True)
        step = lambda g, w, s: self._step(g, w, s, eta, t)  # noqa: E731
        deltas, slots = zip(*(of_each(axes, step)(g, w, s) for g, w, s, axes in rows), strict=True) if gs else ((), ())
        return tree.unflatten(deltas), {"t": t, **_columns(slots, tree)}

    def _check(self, grads: Any, state: Any, params: Any, repeated: Sequence[int]) -> None:
        """Refuse parameters, or a state, that are not those of the gradients."""
        if params is None and self.sees_parameters:
            raise ChainruleError(f"{self!r}: its steps depend on the parameters. Call update(grads, state, params).")
        if _shapes(state) != _shapes(jax.eval_shape(partial(self.init, repeated=repeated), grads)):
            raise ChainruleError(
                f"{self!r}: expected the state of parameters like the gradients. Begin with init(parameters)."
            )
        if params is not None and _shapes(params) != _shapes(grads):
            raise ChainruleError(f"{self!r}: expected a gradient for each parameter, of its shape. Give both alike.")

    def _step(self, g: jax.Array, w: Any, s: Slots, eta: Any, t: jax.Array) -> tuple[jax.Array, Slots]:
        """`step` in 32 bits at least, its Δw of the gradient's type."""
        wide = wide_type(g)
        w = None if w is None else jnp.asarray(w, wide)
        delta, s = self.step(jnp.asarray(g, wide), w, s, jnp.asarray(eta, wide), t.astype(wide))
        return delta.astype(real_type(g)), s

    def advance(self, params, grads, state):
        worth = sum(map(jnp.size, jax.tree.leaves(params))) >= WORTH_A_CALL
        return (_in_one_pass if type(self) in KERNELS and worth else Optimizer.advance)(self, params, grads, state)

    def rates(self, state, params, repeated=()):
        eta, t = rate_at(self.learning_rate, state["t"] - 1), state["t"]
        leaves, tree = jax.tree.flatten(params)

        def of(w: jax.Array, s: Slots) -> Any:
            wide = wide_type(w)
            rate = self.rate(s, jnp.asarray(eta, wide), t.astype(wide))
            return jnp.broadcast_to(rate, w.shape) if repeated else rate

        each = zip(leaves, _rows(state, tree), repeated or [0] * len(leaves), strict=True)
        return tree.unflatten([of_each(axes, of)(w, s) for w, s, axes in each])


def picked(point: Any, params: Any) -> Any:
    """A point that is kept in a wider type, as parameters."""
    return jax.tree.map(lambda at, w: at if at.dtype == real_type(w) else at.astype(real_type(w)), point, params)


def zeros(w: Any, shape: tuple[int, ...] | None = None) -> Any:
    """Zeros of a parameter's shape, as most slots begin; or of another."""
    return np.zeros(w.shape if shape is None else shape, w.dtype)  # by NumPy, since JAX would compile them


def _wide(w: Any) -> Any:
    """A parameter of 32 bits at least; NumPy's stays NumPy's."""
    return w if isinstance(w, np.ndarray) and w.dtype == np.float32 else widened(w)


def _columns(rows: Sequence[Slots], tree: Any) -> dict[str, Any]:
    """The slots of each parameter, in the order of the tree's leaves, as a tree for each name; None in it: no slot."""
    names = dict.fromkeys(name for slots in rows for name in slots)
    return {name: tree.unflatten([slots.get(name) for slots in rows]) for name in names}


def _rows(state: dict[str, Any], tree: Any) -> list[Slots]:
    """`_columns` undone, from a state."""
    columns = {name: tree.flatten_up_to(column) for name, column in state.items() if name != "t"}
    every = ({name: column[i] for name, column in columns.items()} for i in range(tree.num_leaves))
    return [{name: slot for name, slot in slots.items() if slot is not None} for slots in every]


def _shapes(tree: Any) -> tuple[Any, list]:
    leaves, structure = jax.tree.flatten(tree)
    return structure, [*map(jnp.shape, leaves)]


@jax.custom_jvp
def _in_one_pass(rule: Rule, params: Any, grads: Any, state: Any) -> tuple[Any, Any]:
    """`Optimizer.advance` by the rule's native kernel, which reads and writes each array once."""
    eta, t = rate_at(rule.learning_rate, state["t"]), following(state["t"])
    constants = rule.constants(eta, t.astype(jnp.float32)).values()
    if any(map(jnp.ndim, constants)):
        return Optimizer.advance(rule, params, grads, state)
    numbers = jnp.stack([jnp.asarray(c, jnp.float32) for c in constants])
    names = [*rule.slots(np.zeros((), np.float32))]
    columns = [params, *(state[name] for name in names)]
    kept, tree = jax.tree.flatten(jax.tree.map(jnp.asarray, columns))

    def by_kernel(numbers: jax.Array, kept: list[jax.Array], grads: list[jax.Array]) -> list[jax.Array]:
        return native.update(KERNELS[type(rule)], numbers, kept, grads)

    def by_formula(rule: Rule, t: jax.Array, kept: list[jax.Array], grads: list[jax.Array]) -> list[jax.Array]:
        old, *slots = tree.unflatten(kept)
        before = {"t": t - 1, **dict(zip(names, slots, strict=True))}
        new, after = Optimizer.advance(rule, old, jax.tree.structure(old).unflatten(grads), before)
        leaves = jax.tree.leaves([new, *(after[name] for name in names)])
        return [array.astype(was.dtype) for array, was in zip(leaves, kept, strict=True)]

    def either(kept: list[jax.Array], grads: list[jax.Array], rule: Rule, t: jax.Array, numbers: jax.Array) -> Any:
        return native.either(partial(by_kernel, numbers), partial(by_formula, rule, t), kept, grads)

    read = jax.tree.leaves(grads)
    axes, own, _ = native.update_rule(kept, read)
    arrays = kept, read, rule, t, numbers
    new, *slots = tree.unflatten(each_its_part(either, axes, [*own], *arrays))
    return new, {"t": t, **dict(zip(names, slots, strict=True))}


_in_one_pass.defjvp(lambda primals, tangents: jax.jvp(Optimizer.advance, primals, tangents))


def following(t: jax.Array) -> jax.Array:
    """The next step's number; from the largest one on it stays, where nothing changes with it any more."""
    return jnp.where(t < jnp.iinfo(t.dtype).max, t + 1, t)
