"""Optimizers: how the gradient g of the cost changes the parameters θ.

They keep Optax's protocol, `init(params)` and `update(grads, state, params)`, whose updates are added to the
parameters: ours stand inside `optax.chain`, Optax's inside `fit`.
"""

import dataclasses
from abc import abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.dtypes import real_type, wide_type
from chainrule.errors import ChainruleError
from chainrule.formula import Formula, fraction, positive
from chainrule.functions import root
from chainrule.kernels import native
from chainrule.notation import as_formula
from chainrule.schedules import Schedule, rate, rate_at

Slots = dict[str, jax.Array]
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


class GradientDescent(Rule):
    """A step against the gradient. Batch, stochastic or mini-batch is a matter of `batch_size`: "all", 1 or n.

    Reference: Cauchy, 1847, Méthode générale pour la résolution des systèmes d'équations simultanées; Robbins & Monro,
    1951, A stochastic approximation method.

    >>> descent = GradientDescent(0.5)
    >>> updates, state = descent.update(jnp.array([1.0]), descent.init(jnp.array([3.0])))
    >>> updates.tolist()
    [-0.5]
    """

    learning_rate: float | Schedule = rate(0.01)
    textbook = "theta = theta - learning_rate * g"

    def constants(self, eta, t):
        return {"eta": eta}

    def step(self, g, s, eta, t):
        return -eta * g, {}


class Momentum(Rule):
    """A heavy ball: the velocity v gathers gradients and loses a part of itself at each step.

    The rate is inside the velocity, as published; PyTorch has it outside, which differs under a schedule.

    Reference: Polyak, 1964, Some methods of speeding up the convergence of iteration methods.

    >>> Momentum(0.1).slots
    ('v',)
    """

    learning_rate: float | Schedule = rate(0.01)
    momentum: float = fraction(0.9, "γ, the part of the velocity that is kept")
    slots = ("v",)
    textbook = """
        v = momentum * v + learning_rate * g
        theta = theta - v"""

    def constants(self, eta, t):
        return {"eta": eta, "momentum": self.momentum}

    def step(self, g, s, eta, t):
        v = self.momentum * s["v"] + eta * g
        return -v, {"v": v}

    def rate(self, s, eta, t):
        return eta / (1 - self.momentum)


class Nesterov(Rule):
    """Momentum whose gradient is taken ahead, where the velocity alone would lead.

    The parameters that are kept are those at the look-ahead point φ = θ − γv; written for them, the rule needs no
    gradient elsewhere: φ ← φ − γv − ηg after v ← γv + ηg.

    Reference: Nesterov, 1983, A method of solving a convex programming problem with convergence rate O(1/k²);
    Sutskever, Martens, Dahl & Hinton, 2013, On the importance of initialization and momentum in deep learning.

    >>> Nesterov(0.1).slots
    ('v',)
    """

    learning_rate: float | Schedule = rate(0.01)
    momentum: float = fraction(0.9, "γ, the part of the velocity that is kept")
    slots = ("v",)
    textbook = """
        v = momentum * v + learning_rate * gradient(theta - momentum * v)
        theta = theta - v"""

    def constants(self, eta, t):
        return {"eta": eta, "momentum": self.momentum}

    def step(self, g, s, eta, t):
        v = self.momentum * s["v"] + eta * g
        return -self.momentum * v - eta * g, {"v": v}

    def rate(self, s, eta, t):
        return eta / (1 - self.momentum)


class Adagrad(Rule):
    """A rate for each parameter that falls with all the gradients that it has seen.

    Reference: Duchi, Hazan & Singer, 2011, Adaptive subgradient methods for online learning.

    >>> Adagrad(0.1).slots
    ('G',)
    """

    learning_rate: float | Schedule = rate(0.01)
    epsilon: float = positive(1e-8, "ε, keeps the root away from 0")
    slots = ("G",)
    textbook = """
        G = G + g**2
        theta = theta - learning_rate / sqrt(G + epsilon) * g"""

    def constants(self, eta, t):
        return {"eta": eta, "epsilon": self.epsilon}

    def step(self, g, s, eta, t):
        s = {"G": s["G"] + g**2}
        return -self.rate(s, eta, t) * g, s

    def rate(self, s, eta, t):
        return eta / jnp.sqrt(s["G"] + self.epsilon)


class Adadelta(Rule):
    """A rate for each parameter from the sizes of its recent steps and gradients, without a global one.

    Published without a learning rate, which is one of 1.0 here; Keras' 0.001 makes it crawl.

    Reference: Zeiler, 2012, ADADELTA: an adaptive learning rate method, arXiv:1212.5701.

    >>> Adadelta()
    Adadelta(learning_rate=1.0)
    """

    learning_rate: float | Schedule = rate(1.0, "η, a factor on the published step")
    rho: float = fraction(0.95, "ρ, the part of the running means that is kept")
    epsilon: float = positive(1e-6, "ε, starts the steps off and keeps the root away from 0")
    slots = ("G", "D")
    textbook = """
        G = rho * G + (1 - rho) * g**2
        delta = -sqrt(D + epsilon) / sqrt(G + epsilon) * g
        D = rho * D + (1 - rho) * delta**2
        theta = theta + learning_rate * delta"""

    def constants(self, eta, t):
        return {"eta": eta, "rho": self.rho, "rest": 1 - self.rho, "epsilon": self.epsilon}

    def step(self, g, s, eta, t):
        G = self.rho * s["G"] + (1 - self.rho) * g**2
        delta = -jnp.sqrt((s["D"] + self.epsilon) / (G + self.epsilon)) * g
        D = self.rho * s["D"] + (1 - self.rho) * delta**2
        return eta * delta, {"G": G, "D": D}

    def rate(self, s, eta, t):
        return eta * jnp.sqrt((s["D"] + self.epsilon) / (s["G"] + self.epsilon))


class RMSprop(Rule):
    """A rate for each parameter from a running mean of its squared gradients.

    Keras and PyTorch put ε outside the root; here it is inside, as in Adadelta's derivation.

    Reference: Tieleman & Hinton, 2012, Lecture 6.5: RMSProp, COURSERA: Neural networks for machine learning.

    >>> RMSprop().slots
    ('G',)
    """

    learning_rate: float | Schedule = rate(0.001)
    rho: float = fraction(0.9, "ρ, the part of the running mean that is kept")
    epsilon: float = positive(1e-8, "ε, keeps the root away from 0")
    slots = ("G",)
    textbook = """
        G = rho * G + (1 - rho) * g**2
        theta = theta - learning_rate / sqrt(G + epsilon) * g"""

    def constants(self, eta, t):
        return {"eta": eta, "rho": self.rho, "rest": 1 - self.rho, "epsilon": self.epsilon}

    def step(self, g, s, eta, t):
        s = {"G": self.rho * s["G"] + (1 - self.rho) * g**2}
        return -self.rate(s, eta, t) * g, s

    def rate(self, s, eta, t):
        return eta / jnp.sqrt(s["G"] + self.epsilon)


class Adam(Rule):
    """Running means of gradients and of squared gradients, corrected for their start at 0.

    Keras' default epsilon is 1e-7; the published one, and PyTorch's, is 1e-8.

    Reference: Kingma & Ba, 2015, Adam: a method for stochastic optimization, arXiv:1412.6980.

    >>> adam = Adam(0.1)
    >>> updates, state = adam.update(jnp.array([4.0]), adam.init(jnp.array([3.0])))
    >>> round(updates.item(), 6)
    -0.1
    """

    learning_rate: float | Schedule = rate(0.001)
    beta1: float = fraction(0.9, "β₁, the part of the gradients' mean that is kept")
    beta2: float = fraction(0.999, "β₂, the part of the squared gradients' mean that is kept")
    epsilon: float = positive(1e-8, "ε, keeps the quotient finite")
    slots = ("m", "v")
    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - learning_rate * m_hat / (sqrt(v_hat) + epsilon)"""

    def constants(self, eta, t):
        hats = {"eta_hat": eta / _filled(self.beta1, t), "root_hat": _filled(self.beta2, t) ** -0.5}
        first = {"beta1": self.beta1, "rest1": 1 - self.beta1}
        second = {"beta2": self.beta2, "rest2": 1 - self.beta2}
        return {**hats, **first, **second, "epsilon": self.epsilon}

    def step(self, g, s, eta, t):
        m = self.beta1 * s["m"] + (1 - self.beta1) * g
        v = self.beta2 * s["v"] + (1 - self.beta2) * g**2
        return -self.rate({"v": v}, eta / _filled(self.beta1, t), t) * m, {"m": m, "v": v}

    def rate(self, s, eta, t):
        return eta / (root(s["v"]) * _filled(self.beta2, t) ** -0.5 + self.epsilon)


KERNELS: dict[type[Rule], str] = {
    GradientDescent: "gradient_descent",
    Momentum: "momentum",
    Nesterov: "nesterov",
    Adagrad: "adagrad",
    Adadelta: "adadelta",
    RMSprop: "rmsprop",
    Adam: "adam",
}
"""The native kernels of exactly these rules; a subclass may have another `step`."""


def _filled(beta: Any, t: jax.Array) -> jax.Array:
    """1 − βᵗ, with all its digits where βᵗ is near 1."""
    return -jnp.expm1(t * jnp.log1p(beta - 1))


def _next(t: jax.Array) -> jax.Array:
    """The next step's number; from the largest one on it stays, where nothing changes with it any more."""
    return jnp.where(t < jnp.iinfo(t.dtype).max, t + 1, t)


class Clipping(Formula):
    """A bound on the gradient, put before an optimizer: `ClipNorm(1.0) >> Adam(0.003)`."""

    @abstractmethod
    def __call__(self, grads: Any) -> Any:
        """The tree of gradients, clipped."""

    def __rshift__(self, optimizer: Optimizer) -> "Clipped":
        if not isinstance(optimizer, Optimizer):
            return NotImplemented
        return Clipped(self, optimizer)


class ClipNorm(Clipping):
    """Gradients longer than `max_norm`, all parameters taken together, are scaled down to it.

    Reference: Pascanu, Mikolov & Bengio, 2013, On the difficulty of training recurrent networks, arXiv:1211.5063.

    >>> ClipNorm(1.0)([jnp.array([3.0]), jnp.array([4.0])])
    [Array([0.6], dtype=float32), Array([0.8], dtype=float32)]
    """

    max_norm: float = positive(1.0, "the longest gradient that is let through")
    textbook = "g * min(1, max_norm / sqrt(sum(g**2)))"

    def __call__(self, grads):
        leaves, tree = jax.tree.flatten(grads)
        if not leaves:
            return grads
        wide = max(map(wide_type, leaves), key=lambda dtype: jnp.finfo(dtype).bits)
        gs = [jnp.asarray(g, wide) for g in leaves]
        largest = jnp.max(jnp.stack([jnp.max(jnp.abs(g), initial=0) for g in gs]))
        unit = lax.stop_gradient(jnp.clip(largest, 1e-30, 1e30))  # so that neither a square nor their sum overflows
        norm = root(sum(jnp.sum((g / unit) ** 2) for g in gs))
        long = norm > self.max_norm / unit
        share = self.max_norm / jnp.where(long, norm, 1)
        clip = lambda g: jnp.where(long, g / unit * share, g)  # noqa: E731
        return tree.unflatten([clip(g).astype(real_type(was)) for g, was in zip(gs, leaves, strict=True)])


class ClipValue(Clipping):
    """Every entry of the gradient is brought between −limit and limit.

    Reference: Mikolov, 2012, Statistical language models based on neural networks.

    >>> ClipValue(1.0)(jnp.array([-3.0, 0.5])).tolist()
    [-1.0, 0.5]
    """

    limit: float = positive(1.0, "the largest entry that is let through")
    textbook = "max(-limit, min(g, limit))"

    def __call__(self, grads):
        return jax.tree.map(lambda g: jnp.clip(jnp.asarray(g, real_type(g)), -self.limit, self.limit), grads)


class Clipped(Optimizer):
    """An optimizer whose gradients are clipped first: `ClipNorm(1.0) >> Adam(0.003)`.

    >>> ClipNorm(1.0) >> Adam(0.003)
    ClipNorm(max_norm=1.0) >> Adam(learning_rate=0.003)
    """

    clipping: Clipping
    optimizer: Optimizer
    textbook = """
        g = clipping(g)
        theta = optimizer(theta, g)"""

    def __repr__(self) -> str:
        inner = f"({self.optimizer!r})" if isinstance(self.optimizer, Clipped) else repr(self.optimizer)
        return f"{self.clipping!r} >> {inner}"

    def init(self, params):
        return self.optimizer.init(params)

    def update(self, grads, state, params=None):
        return self.optimizer.update(self.clipping(grads), state, params)

    def advance(self, params, grads, state):
        return self.optimizer.advance(params, self.clipping(grads), state)

    def rates(self, state, params):
        return self.optimizer.rates(state, params)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class FromOptax:
    """One of Optax's optimizers (anything with `init` and `update`) in the place of one of ours."""

    transformation: Any

    def init(self, params: Any) -> Any:
        """Optax's state before the first step."""
        return self.transformation.init(params)

    def update(self, grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        """Optax's steps and its new state."""
        return self.transformation.update(grads, state, params)

    advance = Optimizer.advance

    def __repr__(self) -> str:
        return f"FromOptax({type(self.transformation).__name__})"


def as_optimizer(value: Any) -> Optimizer | FromOptax:
    """An optimizer from itself, from its notation, or from one of Optax's."""
    if not isinstance(value, Formula) and hasattr(value, "init") and hasattr(value, "update"):
        return FromOptax(value)
    return as_formula(value, Optimizer)
