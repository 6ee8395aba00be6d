"""Adaptive rates: one for each parameter, from the gradients that it has seen."""

import jax.numpy as jnp

from chainrule.formula.constraints import fraction, positive
from chainrule.optimizers.base import KERNELS, Rule, zeros
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


KERNELS |= {Adagrad: "adagrad", Adadelta: "adadelta", RMSprop: "rmsprop"}
