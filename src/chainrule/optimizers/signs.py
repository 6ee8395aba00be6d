"""Steps by the signs of gradients, whose sizes do not matter."""

import jax.numpy as jnp

from chainrule.formula.constraints import fraction, non_negative, positive
from chainrule.optimizers.base import Rule, zeros
from chainrule.optimizers.schedules import Schedule, rate


class Lion(Rule):
    """Evolved sign momentum: every parameter goes as far as every other, by the sign of its running mean of gradients.

    A step is larger than Adam's, so that a rate 3 to 10 times lower, and a decay as many times higher, than AdamW's are
    advised. It decays every parameter, as published. With L1 it has no place to rest, as its steps do not shrink with
    the gradient: `fit` refuses that.

    Reference: Chen et al., 2023, Symbolic discovery of optimization algorithms, arXiv:2302.06675.

    >>> lion = Lion(0.1, weight_decay=0.5)
    >>> w = jnp.array([3.0, 3.0])
    >>> updates, state = lion.update(jnp.array([0.001, -40.0]), lion.init(w), w)
    >>> [round(update, 6) for update in updates.tolist()]
    [-0.25, -0.05]
    """

    learning_rate: float | Schedule = rate(0.0001)
    beta1: float = fraction(0.9, "β₁, the part of the mean in what the sign is taken of")
    beta2: float = fraction(0.99, "β₂, the part of the gradients' mean that is kept")
    weight_decay: float = non_negative(0.0, "λ, the part of the weights that a step of length 1 takes away")
    sees_parameters = True
    textbook = """
        c = beta1 * m + (1 - beta1) * g
        m = beta2 * m + (1 - beta2) * g
        theta = theta - learning_rate * (sign(c) + weight_decay * theta)"""

    @property
    def has_rates(self):
        return False

    def slots(self, w):
        return {"m": zeros(w)}

    def step(self, g, w, s, eta, t):
        c = self.beta1 * s["m"] + (1 - self.beta1) * g
        m = self.beta2 * s["m"] + (1 - self.beta2) * g
        return -eta * (jnp.sign(c) + self.weight_decay * w), {"m": m}


class Rprop(Rule):
    """Resilient propagation: each parameter goes its own length by the sign of its gradient, longer while that holds.

    It compares whole gradients, and asks for all examples at once: `batch_size` is "all". Where a sign has changed, the
    length falls and the parameter rests for a step, as in PyTorch; the first form of the rule takes the last step back
    there, and Optax takes each step one later. With L1 it has no place to rest, as its steps do not shrink with the
    gradient: `fit` refuses that.

    Reference: Riedmiller & Braun, 1993, A direct adaptive method for faster backpropagation learning: the RPROP
    algorithm; Igel & Hüsken, 2000, Improving the Rprop learning algorithm.

    >>> rprop = Rprop(0.1)
    >>> updates, state = rprop.update(jnp.array([0.001, -40.0]), rprop.init(jnp.ones(2)))
    >>> [round(update, 6) for update in updates.tolist()]
    [-0.1, 0.1]
    """

    learning_rate: float = positive(0.1, "Δ₀, the length of the first step")
    decrease: float = fraction(0.5, "what the length is multiplied by where the sign of the gradient changes")
    increase: float = positive(1.2, "what it is multiplied by where the sign holds")
    shortest: float = positive(1e-6, "the shortest length")
    longest: float = positive(50.0, "the longest length")
    textbook = """
        change = increase if g * before > 0 else decrease if g * before < 0 else 1
        Delta = min(longest, max(shortest, change * Delta))
        before = 0 if g * before < 0 else g
        theta = theta - Delta * sign(before)"""

    @property
    def has_rates(self):
        return False

    @property
    def whole_batch(self):
        return True

    def slots(self, w):
        return {"Delta": zeros(w) + self.learning_rate, "before": zeros(w)}

    def step(self, g, w, s, eta, t):
        holds = jnp.sign(g) * jnp.sign(s["before"])  # the product of small gradients may be 0
        change = jnp.where(holds > 0, self.increase, jnp.where(holds < 0, self.decrease, 1))
        Delta = jnp.clip(change * s["Delta"], self.shortest, self.longest)
        g = jnp.where(holds < 0, 0, g)
        return -Delta * jnp.sign(g), {"Delta": Delta, "before": g}
