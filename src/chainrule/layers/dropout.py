"""Layers that drop values at random in training."""

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import real_type
from chainrule.formula.constraints import fraction
from chainrule.formula.layer import NoisyLayer


class Dropout(NoisyLayer):
    """In training, each value is set to 0 with probability `rate` and the others are scaled up to keep the mean.

    Reference: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, 2014, Dropout: a simple way to prevent
    neural networks from overfitting.

    >>> Dropout(0.5).forward({}, jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    rate: float = fraction(0.5, "the probability of a value to be dropped")
    textbook = "x * B / (1 - rate), B ~ Bernoulli(1 - rate)"

    def forward(self, p, x):
        return x

    def noisy(self, p, x, key):
        kept = jax.random.bernoulli(key, jnp.asarray(1 - self.rate, jnp.float32), x.shape)
        return jnp.where(kept, x.astype(real_type(x)) / (1 - self.rate), 0)
