"""Moments: steps along the running mean of gradients, over the root of that of their squares.

Both begin at 0 and are corrected for that, but in Yogi, as published.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from chainrule.arrays.doubles import rounded_once
from chainrule.arrays.functions import root
from chainrule.formula.constraints import fraction, non_negative, positive, share
from chainrule.optimizers.base import KERNELS, Rule, Slots, zeros
from chainrule.optimizers.schedules import Schedule, rate


class Moments(Rule):
    """Rules by running means of gradients and of squared gradients, corrected for their start at 0."""

    learning_rate: float | Schedule = rate(0.001)
    beta1: float = fraction(0.9, "β₁, the part of the gradients' mean that is kept")
    beta2: float = fraction(0.999, "β₂, the part of the squared gradients' mean that is kept")
    epsilon: float = positive(1e-8, "ε, keeps the quotient finite")

    def slots(self, w):
        return {"m": zeros(w), "v": zeros(w)}

    def constants(self, eta, t):
        hats = {"eta_hat": eta / filled(self.beta1, t), "root_hat": filled(self.beta2, t) ** -0.5}
        first = {"beta1": self.beta1, "rest1": 1 - self.beta1}
        second = {"beta2": self.beta2, "rest2": 1 - self.beta2}
        return {**hats, **first, **second, "epsilon": self.epsilon}

    def gathered(self, g: Any, s: Slots) -> Slots:
        """The running means with a gradient more in them."""
        m = self.beta1 * s["m"] + (1 - self.beta1) * g
        v = self.beta2 * s["v"] + (1 - self.beta2) * g**2
        return {"m": m, "v": v}

    def along(self, s: Slots, eta: Any, t: Any) -> Any:
        """The step against the corrected mean of gradients."""
        return -self.rate(s, eta / filled(self.beta1, t), t) * s["m"]

    def rate(self, s, eta, t):
        return eta / (root(s["v"]) * filled(self.beta2, t) ** -0.5 + self.epsilon)


class Adam(Moments):
    """Running means of gradients and of squared gradients, corrected for their start at 0.

    Keras' default epsilon is 1e-7; the published one, and PyTorch's, is 1e-8.

    Reference: Kingma & Ba, 2015, Adam: a method for stochastic optimization, arXiv:1412.6980.

    >>> adam = Adam(0.1)
    >>> updates, state = adam.update(jnp.array([4.0]), adam.init(jnp.array([3.0])))
    >>> round(updates.item(), 6)
    -0.1
    """

    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - learning_rate * m_hat / (sqrt(v_hat) + epsilon)"""

    def step(self, g, w, s, eta, t):
        s = self.gathered(g, s)
        return self.along(s, eta, t), s


class AdamW(Moments):
    """Adam, and beside its step a decay of the weights, which no running mean of gradients divides.

    It decays every parameter, as published and as in PyTorch; `L2` in the cost is for kernels alone. The decay is
    multiplied by the learning rate, as in PyTorch, Keras and Optax; the paper multiplies it by the schedule only, so
    that its λ is ours times the rate. The default is PyTorch's, as the paper has none.

    Reference: Loshchilov & Hutter, 2019, Decoupled weight decay regularization, arXiv:1711.05101.

    >>> adamw = AdamW(0.1, weight_decay=0.5)
    >>> w = jnp.array([3.0])
    >>> updates, state = adamw.update(jnp.array([0.0]), adamw.init(w), w)
    >>> round(updates.item(), 6)
    -0.15
    """

    weight_decay: float = non_negative(0.01, "λ, the part of the weights that a step of length 1 takes away")
    sees_parameters = True
    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - learning_rate * (m_hat / (sqrt(v_hat) + epsilon) + weight_decay * theta)"""

    def constants(self, eta, t):
        return super().constants(eta, t) | {"decay": eta * self.weight_decay}

    def step(self, g, w, s, eta, t):
        s = self.gathered(g, s)
        return self.along(s, eta, t) - eta * self.weight_decay * w, s


class AdaMax(Rule):
    """Adam by the largest gradient so far, which fades, in the place of the root of a mean of squares.

    ε is added where PyTorch and Optax add it, and Keras adds it to u; the paper has none, and leaves 0/0 where a
    parameter has had no gradient yet.

    Reference: Kingma & Ba, 2015, Adam: a method for stochastic optimization, arXiv:1412.6980, section 7.1.

    >>> adamax = AdaMax(0.1)
    >>> updates, state = adamax.update(jnp.array([4.0]), adamax.init(jnp.array([3.0])))
    >>> round(updates.item(), 6), state["u"].item()
    (-0.1, 4.0)
    """

    learning_rate: float | Schedule = rate(0.002)
    beta1: float = fraction(0.9, "β₁, the part of the gradients' mean that is kept")
    beta2: float = fraction(0.999, "β₂, the part of the largest gradient that is kept")
    epsilon: float = positive(1e-8, "ε, keeps the quotient finite")
    textbook = """
        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, abs(g) + epsilon)
        theta = theta - learning_rate / (1 - beta1**t) * m / u"""

    def slots(self, w):
        return {"m": zeros(w), "u": zeros(w)}

    def step(self, g, w, s, eta, t):
        m = self.beta1 * s["m"] + (1 - self.beta1) * g
        u = jnp.maximum(self.beta2 * s["u"], jnp.abs(g) + self.epsilon)
        return -eta / filled(self.beta1, t) * m / u, {"m": m, "u": u}

    def rate(self, s, eta, t):
        return eta / s["u"]


class Nadam(Moments):
    """Adam with Nesterov's look ahead: in the mean of gradients, the one at hand stands where the next will stand.

    The momentum μ rises from β₁/2 to β₁, at the pace that the report found; PyTorch's NAdam is the same. Keras' rises
    250 times as fast (`momentum_decay=1`), and Optax's is β₁ from the first step on.

    Reference: Dozat, 2016, Incorporating Nesterov momentum into Adam, ICLR workshop.

    >>> nadam = Nadam(0.1)
    >>> updates, state = nadam.update(jnp.array([4.0]), nadam.init(jnp.array([3.0])))
    >>> round(updates.item(), 6), round(state["P"].item(), 6)
    (-0.105645, 0.450073)
    """

    learning_rate: float | Schedule = rate(0.002)
    momentum_decay: float = positive(0.004, "ψ, how fast the momentum rises to β₁")
    textbook = """
        mu = beta1 * (1 - 0.96**(momentum_decay * t) / 2)
        mu1 = beta1 * (1 - 0.96**(momentum_decay * (t + 1)) / 2)
        P = P * mu
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = mu1 * m / (1 - P * mu1) + (1 - mu) * g / (1 - P)
        v_hat = v / (1 - beta2**t)
        theta = theta - learning_rate * m_hat / (sqrt(v_hat) + epsilon)"""

    def slots(self, w):
        return super().slots(w) | {"P": np.ones((), w.dtype)}

    def step(self, g, w, s, eta, t):
        now, then = self.momentum(t), self.momentum(t + 1)
        s = self.gathered(g, s) | {"P": s["P"] * now}
        mean = then / (1 - s["P"] * then) * s["m"] + (1 - now) / (1 - s["P"]) * g
        return -self.rate(s, eta, t) * mean, s

    def momentum(self, t: Any) -> Any:
        """μ at step t = 1, 2, …"""
        return self.beta1 * (1 - 0.96 ** (self.momentum_decay * t) / 2)


class AMSGrad(Moments):
    """Adam whose rates never rise: each is by the largest mean of squared gradients so far.

    The means are corrected for their start at 0 before the largest is taken, as in Optax; the paper leaves both
    corrections out for simplicity. PyTorch and Keras correct the largest mean, so that their rates rise when gradients
    fade early in training.

    Reference: Reddi, Kale & Kumar, 2018, On the convergence of Adam and beyond, arXiv:1904.09237.

    >>> sorted(AMSGrad().init(jnp.ones(2)))
    ['m', 't', 'v', 'v_hat']
    """

    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = max(v_hat, v / (1 - beta2**t))
        theta = theta - learning_rate * m_hat / (sqrt(v_hat) + epsilon)"""

    def slots(self, w):
        return super().slots(w) | {"v_hat": zeros(w)}

    def step(self, g, w, s, eta, t):
        means = self.gathered(g, s)
        s = means | {"v_hat": jnp.maximum(s["v_hat"], means["v"] / filled(self.beta2, t))}
        return self.along(s, eta, t), s

    def rate(self, s, eta, t):
        return eta / (root(s["v_hat"]) + self.epsilon)


class RAdam(Moments):
    """Rectified Adam: its rates are held back while few gradients make their variance large, and not used at first.

    n is about how many squared gradients are in their mean; the first steps, up to n = 4, are along the mean of
    gradients alone, as long as these are. PyTorch and Optax wait for n = 5, one step more.

    Reference: Liu et al., 2020, On the variance of the adaptive learning rate and beyond, arXiv:1908.03265.

    >>> radam = RAdam(0.1)
    >>> updates, state = radam.update(jnp.array([4.0]), radam.init(jnp.array([3.0])))
    >>> round(updates.item(), 6)
    -0.4
    """

    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        N = 2 / (1 - beta2) - 1
        n = N - 2 * t * beta2**t / (1 - beta2**t)
        r = sqrt((n - 4) * (n - 2) * N / ((N - 4) * (N - 2) * n))
        theta = theta - learning_rate * (r * m_hat / (sqrt(v_hat) + epsilon) if n > 4 else m_hat)"""

    def step(self, g, w, s, eta, t):
        s = self.gathered(g, s)
        return self.along(s, eta, t), s

    def rate(self, s, eta, t):
        r = _rectification(t, self.beta2)
        return jnp.where(r > 0, r * super().rate(s, eta, t), eta)


@rounded_once
def _rectification(t: Any, beta2: Any) -> Any:
    """RAdam's r, and 0 up to n = 4; in double, as n is a small difference of large numbers."""
    N = 2 / (1 - beta2) - 1
    n = N - 2 * t * beta2**t / (1 - beta2**t)
    long = n > 4
    return jnp.where(long, jnp.sqrt(jnp.where(long, (n - 4) * (n - 2) * N / ((N - 4) * (N - 2) * n), 1)), 0)


class Yogi(Moments):
    """Adam whose mean of squared gradients falls no faster than it rises, so that rates rise slowly.

    The means are not corrected for their start at 0, as published; Optax corrects both, and begins them at 1e-6.

    Reference: Zaheer, Reddi, Sachan, Kale & Kumar, 2018, Adaptive methods for nonconvex optimization, NeurIPS.

    >>> yogi = Yogi(0.1)
    >>> updates, state = yogi.update(jnp.array([4.0]), yogi.init(jnp.array([3.0])))
    >>> round(updates.item(), 6), round(state["v"].item(), 6)
    (-0.313747, 0.016)
    """

    learning_rate: float | Schedule = rate(0.01)
    epsilon: float = positive(1e-3, "ε, keeps the quotient finite")
    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = v - (1 - beta2) * sign(v - g**2) * g**2
        theta = theta - learning_rate * m / (sqrt(v) + epsilon)"""

    def step(self, g, w, s, eta, t):
        m = self.beta1 * s["m"] + (1 - self.beta1) * g
        s = {"m": m, "v": s["v"] - (1 - self.beta2) * jnp.sign(s["v"] - g**2) * g**2}
        return -self.rate(s, eta, t) * m, s

    def rate(self, s, eta, t):
        return eta / (root(s["v"]) + self.epsilon)


class AdaBelief(Moments):
    """Adam by how far gradients are from their mean: steps are long where the next gradient is as expected.

    Optax's default epsilon is 1e-16, the authors' later choice.

    Reference: Zhuang et al., 2020, AdaBelief optimizer: adapting stepsizes by the belief in observed gradients,
    arXiv:2010.07468.

    >>> belief = AdaBelief(0.1)
    >>> updates, state = belief.update(jnp.array([4.0]), belief.init(jnp.array([3.0])))
    >>> round(updates.item(), 6)
    -0.111111
    """

    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * (g - m)**2 + epsilon
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - learning_rate * m_hat / (sqrt(v_hat) + epsilon)"""

    def step(self, g, w, s, eta, t):
        m = self.beta1 * s["m"] + (1 - self.beta1) * g
        s = {"m": m, "v": self.beta2 * s["v"] + (1 - self.beta2) * (g - m) ** 2 + self.epsilon}
        return self.along(s, eta, t), s


class QHAdam(Moments):
    """Quasi-hyperbolic Adam: both of its means are mixed with the gradient at hand.

    With ν₁ = ν₂ = 1 it is Adam; with ν₁ = 0 and ν₂ = 1, RMSprop with a corrected mean. With L1 ν₂ must be 1, as a rate
    by the gradient at hand is none to rest by: `fit` refuses others.

    Reference: Ma & Yarats, 2019, Quasi-hyperbolic momentum and Adam for deep learning, arXiv:1810.06801.

    >>> sorted(QHAdam().init(jnp.ones(2)))
    ['m', 't', 'v']
    """

    beta1: float = fraction(0.995, "β₁, the part of the gradients' mean that is kept")
    nu1: float = share(0.7, "ν₁, the part of the gradients' mean in the step")
    nu2: float = share(1.0, "ν₂, the part of the squared gradients' mean in the rate")
    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        a = (1 - nu1) * g + nu1 * m_hat
        b = (1 - nu2) * g**2 + nu2 * v_hat
        theta = theta - learning_rate * a / (sqrt(b) + epsilon)"""

    @property
    def has_rates(self):
        return isinstance(self.nu2, Tracer) or bool(np.all(np.equal(self.nu2, 1)))  # before anything is traced

    def step(self, g, w, s, eta, t):
        s = self.gathered(g, s)
        a = (1 - self.nu1) * g + self.nu1 / filled(self.beta1, t) * s["m"]
        b = (1 - self.nu2) * g**2 + self.nu2 / filled(self.beta2, t) * s["v"]
        return -eta * a / (root(b) + self.epsilon), s


KERNELS |= {Adam: "adam", AdamW: "adamw"}


def filled(beta: Any, t: jax.Array) -> jax.Array:
    """1 − βᵗ, with all its digits where βᵗ is near 1."""
    return -jnp.expm1(t * jnp.log1p(beta - 1))
