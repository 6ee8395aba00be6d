"""Values drawn from a distribution as it is said, whatever the kernel's shape."""

from typing import Any

import jax
import numpy as np

from chainrule.arrays.devices import put
from chainrule.arrays.random import drawn
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import non_negative, number
from chainrule.initializers.base import Initializer


class Normal(Initializer):
    """Independent normal values.

    >>> Normal(stddev=0.5)(jax.random.key(0), (2, 3)).shape
    (2, 3)
    """

    stddev: float = non_negative(0.05, "the distribution's standard deviation")
    mean: float = number(0.0, "the distribution's mean")
    textbook = "N(mean, stddev**2)"

    def __call__(self, key, shape):
        return put(self.mean + self.stddev * normal(key, shape))


class Uniform(Initializer):
    """Independent values, uniform from low to high.

    >>> bool((abs(Uniform(-1, 1)(jax.random.key(0), (100,))) <= 1).all())
    True
    """

    low: float = number(-0.05, "the smallest value")
    high: float = number(0.05, "the largest value")
    textbook = "U(low, high)"

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.low, float) and isinstance(self.high, float) and self.low > self.high:
            raise ChainruleError(f"Uniform: low must not be above high, got {self.low} and {self.high}. Swap them.")

    def __call__(self, key, shape):
        return put(self.low + (self.high - self.low) * uniform(key, shape))


class TruncatedNormal(Initializer):
    """Independent normal values, none further than two standard deviations from the mean: such are drawn again.

    As in Keras, `stddev` is that of the whole distribution; of what is left it is 0.88 times as much.

    >>> bool((abs(TruncatedNormal(0.5)(jax.random.key(0), (100,))) <= 1).all())
    True
    """

    stddev: float = non_negative(0.05, "the whole distribution's standard deviation")
    mean: float = number(0.0, "the distribution's mean")
    textbook = "N(mean, stddev**2), abs(W - mean) <= 2 * stddev"

    def __call__(self, key, shape):
        return put(self.mean + self.stddev * truncated(key, shape))


def normal(key: jax.Array, shape: tuple[int, ...]) -> Any:
    """Independent values of N(0, 1)."""
    return drawn(lambda generator: generator.standard_normal(shape, np.float32), key, shape)


TRUNCATED = 0.87962566103423978  # the standard deviation that a normal distribution of 1 has within −2 and 2


def truncated(key: jax.Array, shape: tuple[int, ...]) -> Any:
    """The same, none beyond −2 and 2: such are drawn again."""

    def draw(generator: np.random.Generator) -> np.ndarray:
        values = np.array(generator.standard_normal(shape, np.float32))
        while (outside := np.abs(values) > 2).any():
            values[outside] = generator.standard_normal(int(outside.sum()), np.float32)
        return values

    return drawn(draw, key, shape)


def uniform(key: jax.Array, shape: tuple[int, ...]) -> Any:
    """Independent values of U(0, 1)."""
    return drawn(lambda generator: generator.random(shape, np.float32), key, shape)
