"""Rules for matrices, whose directions count, not their numbers one by one."""

from dataclasses import field
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.arrays.functions import root
from chainrule.arrays.precision import exactly
from chainrule.formula.constraints import fraction, non_negative
from chainrule.optimizers.base import Rule, zeros
from chainrule.optimizers.moments import AdamW
from chainrule.optimizers.schedules import Schedule, rate, rate_at

STEPS = 5
A, B, C = 3.4445, -4.7750, 2.0315  # of the iteration, which brings singular values near 1, fast rather than exactly


class Muon(Rule):
    """Momentum whose steps are made orthogonal: a matrix goes equally far in all of its directions.

    It is for kernels; what has one axis goes by `rest`. A kernel of more axes, such as a convolution's, is taken for a
    matrix of what it sees by its filters, and a recurrent layer's gates for one matrix. Singular values become 0.7 to
    1.2 by five steps of Newton and Schulz, in float32; PyTorch's `Muon` takes bfloat16 for them, matrices alone, and
    0.001 for the rate. Embeddings are tables, which the authors leave to AdamW: here each table is a kernel too. With
    L1 it has no place to rest, as its steps do not shrink with the gradient: `fit` refuses that.

    Reference: Jordan et al., 2024, Muon: an optimizer for hidden layers in neural networks; Liu et al., 2025, Muon is
    scalable for LLM training, arXiv:2502.16982.

    >>> muon, w = Muon(0.1, momentum=0.0), jnp.zeros((2, 2))
    >>> updates, state = muon.update(jnp.array([[300.0, 0.0], [0.0, 0.2]]), muon.init(w), w)
    >>> bool(abs(updates[0, 0] + 0.1) < 0.04)
    True
    """

    learning_rate: float | Schedule = rate(0.02)
    momentum: float = fraction(0.95, "γ, the part of the velocity that is kept")
    weight_decay: float = non_negative(0.0, "λ, the part of the weights that a step of length 1 takes away")
    rest: Rule = field(default=AdamW(0.0003, beta2=0.95), metadata={"meaning": "for what is no matrix"})
    sees_parameters = True
    layerwise = True
    textbook = """
        m = momentum * m + g
        O = orthogonal(g + momentum * m)
        theta = theta - learning_rate * (sqrt(max(1, columns / rows)) * O + weight_decay * theta)"""

    @property
    def has_rates(self):
        return False

    def slots(self, w):
        return {"m": zeros(w)} if w.ndim > 1 else self.rest.slots(w)

    def step(self, g, w, s, eta, t):
        if g.ndim < 2:
            return self.rest.step(g, w, s, jnp.asarray(rate_at(self.rest.learning_rate, t - 1), g.dtype), t)
        m = self.momentum * s["m"] + g
        ahead = (g + self.momentum * m).reshape(-1, g.shape[-1])
        rows, columns = ahead.shape
        way = max(1.0, columns / max(rows, 1)) ** 0.5 * orthogonal(ahead)
        return -eta * (way.reshape(g.shape) + self.weight_decay * w), {"m": m}


@exactly
def orthogonal(matrix: jax.Array) -> Any:
    """The matrix with its singular values near 1, by an iteration of products."""
    largest = jnp.clip(jnp.max(jnp.abs(matrix), initial=0), 1e-30, 1e30)
    x = matrix / largest
    x = x / (root(jnp.sum(x**2)) + 1e-7)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(STEPS):
        square = x @ x.T
        x = A * x + (B * square + C * square @ square) @ x
    return x.T if tall else x
