"""Adaptive rates: one for each parameter, from the gradients that it has seen."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.functions import root
from chainrule.formula.constraints import fraction, non_negative, positive
from chainrule.optimizers.base import KERNELS, Rule, Slots, zeros
from chainrule.optimizers.schedules import Schedule, rate


class Adagrad(Rule):
    """A rate for each parameter that falls with all the gradients that it has seen.

    Reference: Duchi, Hazan & Singer, 2011, Adaptive subgradient methods for online learning.

    >>> sorted(Adagrad(0.1).init(jnp.ones(2)))
    ['G', 't']
    """

    learning_rate: float | Schedule = rate(0.01)
    epsilon: float = positive(1e-8, "ε, keeps the root away from 0")
    textbook = """
        G = G + g**2
        theta = theta - learning_rate / sqrt(G + epsilon) * g"""

    def slots(self, w):
        return {"G": zeros(w)}

    def constants(self, eta, t):
        return {"eta": eta, "epsilon": self.epsilon}

    def step(self, g, w, s, eta, t):
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
    textbook = """
        G = rho * G + (1 - rho) * g**2
        delta = -sqrt(D + epsilon) / sqrt(G + epsilon) * g
        D = rho * D + (1 - rho) * delta**2
        theta = theta + learning_rate * delta"""

    def slots(self, w):
        return {"G": zeros(w), "D": zeros(w)}

    def constants(self, eta, t):
        return {"eta": eta, "rho": self.rho, "rest": 1 - self.rho, "epsilon": self.epsilon}

    def step(self, g, w, s, eta, t):
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

    >>> sorted(RMSprop().init(jnp.ones(2)))
    ['G', 't']
    """

    learning_rate: float | Schedule = rate(0.001)
    rho: float = fraction(0.9, "ρ, the part of the running mean that is kept")
    epsilon: float = positive(1e-8, "ε, keeps the root away from 0")
    textbook = """
        G = rho * G + (1 - rho) * g**2
        theta = theta - learning_rate / sqrt(G + epsilon) * g"""

    def slots(self, w):
        return {"G": zeros(w)}

    def constants(self, eta, t):
        return {"eta": eta, "rho": self.rho, "rest": 1 - self.rho, "epsilon": self.epsilon}

    def step(self, g, w, s, eta, t):
        s = {"G": self.rho * s["G"] + (1 - self.rho) * g**2}
        return -self.rate(s, eta, t) * g, s

    def rate(self, s, eta, t):
        return eta / jnp.sqrt(s["G"] + self.epsilon)


class Moments(Rule):
    """Rules by running means of gradients and of squared gradients, corrected for their start at 0."""

    learning_rate: float | Schedule = rate(0.001)
    beta1: float = fraction(0.9, "β₁, the part of the gradients' mean that is kept")
    beta2: float = fraction(0.999, "β₂, the part of the squared gradients' mean that is kept")
    epsilon: float = positive(1e-8, "ε, keeps the quotient finite")

    def slots(self, w):
        return {"m": zeros(w), "v": zeros(w)}

    def constants(self, eta, t):
        hats = {"eta_hat": eta / _filled(self.beta1, t), "root_hat": _filled(self.beta2, t) ** -0.5}
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
        return -self.rate(s, eta / _filled(self.beta1, t), t) * s["m"]

    def rate(self, s, eta, t):
        return eta / (root(s["v"]) * _filled(self.beta2, t) ** -0.5 + self.epsilon)


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
    >>> updates, state = adamw.update(jnp.array([0.0]), adamw.init(jnp.array([3.0])), jnp.array([3.0]))
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


KERNELS |= {Adagrad: "adagrad", Adadelta: "adadelta", RMSprop: "rmsprop", Adam: "adam", AdamW: "adamw"}


def _filled(beta: Any, t: jax.Array) -> jax.Array:
    """1 − βᵗ, with all its digits where βᵗ is near 1."""
    return -jnp.expm1(t * jnp.log1p(beta - 1))
