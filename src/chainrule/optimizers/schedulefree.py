"""Schedule-free rules: a mean of the walk takes the place of a rate that falls, and is what is evaluated."""

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from chainrule.arrays.functions import root
from chainrule.formula.constraints import fraction, non_negative, positive
from chainrule.optimizers.base import Rule, Slots, picked, zeros
from chainrule.optimizers.moments import filled
from chainrule.optimizers.schedules import Schedule, rate


class ScheduleFree(Rule):
    """Rules of three points: z walks, x is the mean of its places, and gradients are taken between them."""

    sees_parameters = True
    between: ClassVar[str]
    """The field that says how far from z to x gradients are taken."""

    @property
    def has_rates(self):  # exact zeros of z are none of x
        return False

    @property
    def publishes(self):
        return True

    def published(self, params, state):
        return picked(state["x"], params)

    def slots(self, w):
        return {"z": w, "x": w, "total": np.zeros((), w.dtype)}

    def walked(self, w: Any, z: Any, s: Slots, eta: Any) -> tuple[Any, Slots]:
        """Δw and the slots after z has walked at a rate; a place counts in the mean by the square of its rate."""
        beta, total = getattr(self, self.between), s["total"] + eta**2
        x = s["x"] + jnp.where(total > 0, eta**2 / jnp.where(total > 0, total, 1), 0) * (z - s["x"])
        return (1 - beta) * z + beta * x - w, {"z": z, "x": x, "total": total}


class ScheduleFreeDescent(ScheduleFree):
    """Descent without a schedule: gradients are taken between a walk z and its mean x, which is evaluated and saved.

    So no length of the run need be known. The rate stands far above that of descent, 1.0 in the authors' code; where
    that diverges take less, or a `Warmup` in front. With L1 the mean has no exact zeros: `fit` refuses that. Statistics
    of layers such as `BatchNorm` are gathered at the mean too, by a pass more over each batch.

    Reference: Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, 2024, The road less scheduled, arXiv:2405.15682.

    >>> descent, w = ScheduleFreeDescent(0.5, momentum=0.75), jnp.array([3.0])
    >>> for _ in range(2):
    ...     w, state = descent.advance(w, jnp.ones(1), descent.init(w) if w == 3 else state)
    >>> w.item(), descent.published(w, state).item()
    (2.1875, 2.25)
    """

    learning_rate: float | Schedule = rate(1.0)
    momentum: float = fraction(0.9, "β, how far from z to x gradients are taken")
    between = "momentum"
    textbook = """
        z = z - learning_rate * g
        total = total + learning_rate**2
        x = x + learning_rate**2 / total * (z - x)
        theta = (1 - momentum) * z + momentum * x"""

    def step(self, g, w, s, eta, t):
        return self.walked(w, s["z"] - eta * g, s, eta)


class ScheduleFreeAdamW(ScheduleFree):
    """AdamW without a schedule: gradients are taken between a walk z and its mean x, which is evaluated and saved.

    As in the paper the correction of the squares' mean is a factor of the rate, by which a place counts in the mean,
    and the decay acts where the gradient is taken; Optax' `schedule_free_adamw` counts by the rate alone. With L1 the
    mean has no exact zeros: `fit` refuses that. Statistics of layers such as `BatchNorm` are gathered at the mean too,
    by a pass more over each batch.

    Reference: Defazio, Yang, Mehta, Mishchenko, Khaled & Cutkosky, 2024, The road less scheduled, arXiv:2405.15682.

    >>> adamw = ScheduleFreeAdamW(0.5)
    >>> w, state = adamw.advance(jnp.array([3.0]), jnp.ones(1), adamw.init(jnp.array([3.0])))
    >>> round(adamw.published(w, state).item(), 6)
    2.5
    """

    learning_rate: float | Schedule = rate(0.0025)
    beta1: float = fraction(0.9, "β₁, how far from z to x gradients are taken")
    beta2: float = fraction(0.999, "β₂, the part of the squared gradients' mean that is kept")
    epsilon: float = positive(1e-8, "ε, keeps the quotient finite")
    weight_decay: float = non_negative(0.0, "λ, the part of the weights that a step of length 1 takes away")
    between = "beta1"
    textbook = """
        v = beta2 * v + (1 - beta2) * g**2
        eta_hat = learning_rate * sqrt(1 - beta2**t)
        z = z - eta_hat * (g / (sqrt(v) + epsilon) + weight_decay * theta)
        total = total + eta_hat**2
        x = x + eta_hat**2 / total * (z - x)
        theta = (1 - beta1) * z + beta1 * x"""

    def slots(self, w):
        return super().slots(w) | {"v": zeros(w)}

    def step(self, g, w, s, eta, t):
        v = self.beta2 * s["v"] + (1 - self.beta2) * g**2
        eta = eta * jnp.sqrt(filled(self.beta2, t))
        z = s["z"] - eta * (g / (root(v) + self.epsilon) + self.weight_decay * w)
        delta, s = self.walked(w, z, s, eta)
        return delta, s | {"v": v}
