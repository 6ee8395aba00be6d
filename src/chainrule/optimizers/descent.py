"""Descent: a step against the gradient, and with a velocity that gathers gradients."""

import jax.numpy as jnp

from chainrule.formula.constraints import fraction, positive_int, share
from chainrule.optimizers.base import KERNELS, Rule, zeros
from chainrule.optimizers.schedules import Schedule, rate


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

    def step(self, g, w, s, eta, t):
        return -eta * g, {}


class Momentum(Rule):
    """A heavy ball: the velocity v gathers gradients and loses a part of itself at each step.

    The rate is inside the velocity, as published; PyTorch has it outside, which differs under a schedule.

    Reference: Polyak, 1964, Some methods of speeding up the convergence of iteration methods.

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


class QHMomentum(Rule):
    """Quasi-hyperbolic momentum: a step along the gradient at hand and the mean of gradients, mixed.

    Momentum's velocity is a sum of gradients, its mean is 1 − β of that: hence the longer rate. With ν = β it is
    Nesterov, as PyTorch has it, of the rate η (1 − β); with ν = 1, PyTorch's momentum with as much dampening.

    Reference: Ma & Yarats, 2019, Quasi-hyperbolic momentum and Adam for deep learning, arXiv:1810.06801.

    >>> descent = QHMomentum(0.1)
    >>> updates, state = descent.update(jnp.array([4.0]), descent.init(jnp.array([3.0])))
    >>> round(updates.item(), 6), round(state["m"].item(), 6)
    (-0.12028, 0.004)
    """

    learning_rate: float | Schedule = rate(0.1)
    momentum: float = fraction(0.999, "β, the part of the gradients' mean that is kept")
    nu: float = share(0.7, "ν, the part of the gradients' mean in the step")
    textbook = """
        m = momentum * m + (1 - momentum) * g
        theta = theta - learning_rate * ((1 - nu) * g + nu * m)"""

    def slots(self, w):
        return {"m": zeros(w)}

    def step(self, g, w, s, eta, t):
        m = self.momentum * s["m"] + (1 - self.momentum) * g
        return -eta * ((1 - self.nu) * g + self.nu * m), {"m": m}


class AggMo(Rule):
    """Aggregated momentum: the mean of several velocities, which keep 0, 0.9, 0.99, … of themselves.

    The slow ones are damped by the fast ones, so that it overshoots less than momentum of 0.99 alone.

    Reference: Lucas, Sun, Zemel & Grosse, 2019, Aggregated momentum: stability through passive damping,
    arXiv:1804.00325.

    >>> AggMo(0.1).init(jnp.ones(2))["v"].shape
    (3, 2)
    """

    learning_rate: float | Schedule = rate(0.1)
    momentum: float = fraction(0.9, "γ, the part of the second velocity that is kept")
    velocities: int = positive_int(3, "how many there are")
    textbook = """
        v[i] = (1 - (1 - momentum)**i) * v[i] - g
        theta = theta + learning_rate * mean(v[i] for i)"""

    def slots(self, w):
        return {"v": zeros(w, (self.velocities, *w.shape))}

    def step(self, g, w, s, eta, t):
        rest = 1 - self.momentum
        v = jnp.stack([(1 - rest**i) * s["v"][i] - g for i in range(self.velocities)])
        return eta * jnp.mean(v, axis=0), {"v": v}

    def rate(self, s, eta, t):
        return eta * sum((1 - self.momentum) ** -i for i in range(self.velocities)) / self.velocities


KERNELS |= {GradientDescent: "gradient_descent", Momentum: "momentum", Nesterov: "nesterov"}
