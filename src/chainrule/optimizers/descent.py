"""Descent: a step against the gradient, and with a velocity that gathers gradients."""

from chainrule.formula.constraints import fraction
from chainrule.optimizers.base import KERNELS, Rule, zeros
from chainrule.optimizers.schedules import Schedule, rate


class GradientDescent(Rule):
    """A step against the gradient. Batch, stochastic or mini-batch is a matter of `batch_size`: "all", 1 or n.

    Reference: Cauchy, 1847, Méthode générale pour la résolution des systèmes d'équations simultanées; Robbins & Monro,
    1951, A stochastic approximation method.

    >>> import jax.numpy as jnp
    >>> descent = GradientDescent(0.5)
    >>> updates, state = descent.update(jnp.array([1.0]), descent.init(jnp.array([3.0])))
    >>> updates.tolist()
    [-0.5]
    """

    learning_rate: float | Schedule = rate(0.01)
    textbook = "theta = theta - learning_rate * g"

    def constants(self, eta, t):
        return {"eta": eta}

    def step(self, g, w, s, eta, t):
        return -eta * g, {}


class Momentum(Rule):
    """A heavy ball: the velocity v gathers gradients and loses a part of itself at each step.

    The rate is inside the velocity, as published; PyTorch has it outside, which differs under a schedule.

    Reference: Polyak, 1964, Some methods of speeding up the convergence of iteration methods.

    >>> import jax.numpy as jnp
    >>> sorted(Momentum(0.1).init(jnp.ones(2)))
    ['t', 'v']
    """

    learning_rate: float | Schedule = rate(0.01)
    momentum: float = fraction(0.9, "γ, the part of the velocity that is kept")
    textbook = """
        v = momentum * v + learning_rate * g
        theta = theta - v"""

    def slots(self, w):
        return {"v": zeros(w)}

    def constants(self, eta, t):
        return {"eta": eta, "momentum": self.momentum}

    def step(self, g, w, s, eta, t):
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

    >>> import jax.numpy as jnp
    >>> sorted(Nesterov(0.1).init(jnp.ones(2)))
    ['t', 'v']
    """

    learning_rate: float | Schedule = rate(0.01)
    momentum: float = fraction(0.9, "γ, the part of the velocity that is kept")
    textbook = """
        v = momentum * v + learning_rate * gradient(theta - momentum * v)
        theta = theta - v"""

    def slots(self, w):
        return {"v": zeros(w)}

    def constants(self, eta, t):
        return {"eta": eta, "momentum": self.momentum}

    def step(self, g, w, s, eta, t):
        v = self.momentum * s["v"] + eta * g
        return -self.momentum * v - eta * g, {"v": v}

    def rate(self, s, eta, t):
        return eta / (1 - self.momentum)


KERNELS |= {GradientDescent: "gradient_descent", Momentum: "momentum", Nesterov: "nesterov"}
