"""Layer-wise rates: by how long a parameter is as a whole, beside its gradient or its step.

A parameter that is 0 altogether, or whose step is, has no such quotient: there it is 1.
"""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.functions import norm
from chainrule.formula.constraints import fraction, non_negative, positive
from chainrule.optimizers.base import Rule, Slots, zeros
from chainrule.optimizers.moments import Moments, filled
from chainrule.optimizers.schedules import Schedule, rate


class LARS(Rule):
    """Layer-wise adaptive rate scaling: momentum whose steps are in proportion to the length of the parameter.

    For large batches, with `Warmup` and a polynomial decay. The paper's rates are far above 1, as the trust of 0.001 is
    a factor on them. It scales and decays every parameter, as published, and takes ‖g‖ + λ‖θ‖ for the length of the
    step; Optax takes ‖g + λθ‖, and leaves the trust out where the parameter is 0.

    Reference: You, Gitman & Ginsburg, 2017, Large batch training of convolutional networks, arXiv:1708.03888.

    >>> lars, w = LARS(1.0, weight_decay=0.0), jnp.array([3.0, 4.0])
    >>> updates, state = lars.update(jnp.array([60.0, 80.0]), lars.init(w), w)
    >>> [round(update, 6) for update in updates.tolist()]
    [-0.003, -0.004]
    """

    learning_rate: float | Schedule = rate(1.0)
    momentum: float = fraction(0.9, "γ, the part of the velocity that is kept")
    weight_decay: float = non_negative(0.0005, "λ, the part of the weights that is added to the gradient")
    trust: float = positive(0.001, "the part of the parameter's length that a step is of")
    sees_parameters = True
    layerwise = True
    textbook = """
        a = trust * sqrt(sum(theta**2)) / (sqrt(sum(g**2)) + weight_decay * sqrt(sum(theta**2)))
        v = momentum * v + learning_rate * a * (g + weight_decay * theta)
        theta = theta - v"""

    def slots(self, w):
        return {"v": zeros(w), "a": zeros(w, ())}

    def step(self, g, w, s, eta, t):
        a = self.trust * _quotient(norm(w), norm(g) + self.weight_decay * norm(w))
        v = self.momentum * s["v"] + eta * a * (g + self.weight_decay * w)
        return -v, {"v": v, "a": a}

    def rate(self, s, eta, t):
        return eta * s["a"] / (1 - self.momentum)


class LAMB(Moments):
    """Adam with a decay of the weights, whose steps are as long as the parameter is, times the rate.

    For large batches of attention networks. It scales and decays every parameter, as published and as in Optax, whose
    default decay is 0; the authors' own runs leave biases and the scales of normalisations out of both.

    Reference: You et al., 2020, Large batch optimization for deep learning: training BERT in 76 minutes,
    arXiv:1904.00962.

    >>> lamb, w = LAMB(0.1, weight_decay=0.0), jnp.array([3.0, 4.0])
    >>> updates, state = lamb.update(jnp.array([1.0, 100.0]), lamb.init(w), w)
    >>> [round(update, 5) for update in updates.tolist()]
    [-0.35355, -0.35355]
    """

    epsilon: float = positive(1e-6, "ε, keeps the quotient finite")
    weight_decay: float = non_negative(0.01, "λ, the part of the weights that is added to the step")
    sees_parameters = True
    layerwise = True
    textbook = """
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        u = m_hat / (sqrt(v_hat) + epsilon) + weight_decay * theta
        a = sqrt(sum(theta**2)) / sqrt(sum(u**2))
        theta = theta - learning_rate * a * u"""

    def slots(self, w):
        return super().slots(w) | {"a": zeros(w, ())}

    def step(self, g, w, s, eta, t):
        s = self.gathered(g, s)
        u = super().rate(s, 1 / filled(self.beta1, t), t) * s["m"] + self.weight_decay * w
        a = _quotient(norm(w), norm(u))
        return -eta * a * u, s | {"a": a}

    def rate(self, s, eta, t):
        return s["a"] * super().rate(s, eta, t)


class Adafactor(Rule):
    """Adaptive rates in little memory: of a matrix's squared gradients, the means of its rows and columns are kept.

    Rows and columns are those of the last two axes; vectors keep all their squares, as V. A step is `learning_rate` of
    the parameter's size at most, less from step 10,000 on (1/√t), which a schedule of its own may lower. PyTorch's is
    the same but for its ε₁, which bounds V from below; Optax takes the two longest axes, where these have 128.

    Reference: Shazeer & Stern, 2018, Adafactor: adaptive learning rates with sublinear memory cost, arXiv:1804.04235.

    >>> state = Adafactor().init({"kernel": jnp.ones((300, 200)), "bias": jnp.ones(200)})
    >>> state["R"]["kernel"].shape, state["C"]["kernel"].shape, state["V"]["bias"].shape
    ((300, 1), (1, 200), (200,))
    """

    learning_rate: float | Schedule = rate(0.01, "ρ, the longest step, in parts of the parameter's size")
    decay: float = positive(0.8, "the power of t by which the means forget")
    threshold: float = positive(1.0, "the size from which on steps are clipped, in rates")
    smallest: float = positive(1e-3, "ε₂, the least size of a parameter")
    epsilon: float = positive(1e-30, "ε₁, keeps the quotient finite")
    sees_parameters = True
    layerwise = True
    textbook = """
        rest = t**(-decay)
        R = (1 - rest) * R + rest * mean_of_rows(g**2 + epsilon)
        C = (1 - rest) * C + rest * mean_of_columns(g**2 + epsilon)
        V = R @ C / mean(R)
        u = g / sqrt(V)
        a = min(learning_rate, 1 / sqrt(t)) * max(smallest, sqrt(mean(theta**2))) / max(1, sqrt(mean(u**2)) / threshold)
        theta = theta - a * u"""

    def slots(self, w):
        if w.ndim < 2:
            return {"V": zeros(w), "a": zeros(w, ())}
        *others, rows, columns = w.shape
        return {"R": zeros(w, (*others, rows, 1)), "C": zeros(w, (*others, 1, columns)), "a": zeros(w, ())}

    def step(self, g, w, s, eta, t):
        rest, squares = t**-self.decay, g**2 + self.epsilon
        means = {"V": squares} if g.ndim < 2 else {"R": _mean(squares, -1), "C": _mean(squares, -2)}
        s = {name: (1 - rest) * s[name] + rest * mean for name, mean in means.items()}
        u = _over_root(s) * g
        longest = jnp.minimum(eta, t**-0.5) * jnp.maximum(self.smallest, _size(w))
        a = longest / jnp.maximum(1, _size(u) / self.threshold)
        return -a * u, s | {"a": a}

    def rate(self, s, eta, t):
        return s["a"] * _over_root(s)


def _over_root(s: Slots) -> Any:
    """1/√V; of a matrix by its rows and columns, whose product may be too small for a float."""
    return 1 / jnp.sqrt(s["V"]) if "V" in s else jnp.sqrt(_mean(s["R"], -2) / s["R"]) / jnp.sqrt(s["C"])


def _quotient(above: Any, below: Any) -> Any:
    """The quotient of two lengths; 1 where one of them is 0, so that a parameter may leave 0."""
    both = (above > 0) & (below > 0)
    return jnp.where(both, above / jnp.where(both, below, 1), 1)


def _size(x: jax.Array) -> jax.Array:
    """The root of the mean square; 0 of no numbers."""
    return norm(x) / max(x.size, 1) ** 0.5


def _mean(x: jax.Array, axis: int) -> jax.Array:
    """The mean over an axis, which stays; 0 of no numbers."""
    return jnp.sum(x, axis, keepdims=True) / max(x.shape[axis], 1)
