"""Values drawn at a scale that the kernel's shape decides, so that values or gradients keep their variance."""

import math

import jax
import numpy as np

from chainrule.arrays.devices import put
from chainrule.arrays.random import drawn
from chainrule.formula.constraints import one_of, positive
from chainrule.initializers.base import Initializer
from chainrule.initializers.distributions import TRUNCATED, normal, truncated, uniform


class VarianceScaling(Initializer):
    """Values whose variance is a scale over the kernel's fan, from any of three distributions.

    `VarianceScaling(2, "fan_in", "normal")` is HeNormal, and `VarianceScaling(1, "fan_avg", "uniform")` GlorotUniform.
    The truncated normal is widened for its variance to be that of the others, as in Keras and JAX.

    Reference: Glorot & Bengio, 2010, Understanding the difficulty of training deep feedforward neural networks; He,
    Zhang, Ren & Sun, 2015, Delving deep into rectifiers, arXiv:1502.01852.

    >>> VarianceScaling(2, "fan_out", "normal")(jax.random.key(0), (3, 4)).shape
    (3, 4)
    """

    scale: float = positive(1.0, "s, the variance times the fan")
    mode: str = one_of("fan_in", "fan_out", "fan_avg", default="fan_in", meaning="which fan: avg is the mean of both")
    distribution: str = one_of(
        "truncated_normal", "normal", "uniform", default="truncated_normal", meaning="what values are drawn from"
    )
    textbook = "N(0, scale / (0.774 * fan_in)), abs(W) <= 2.27 * sqrt(scale / fan_in)"

    def in_textbook(self):
        fan = {"fan_avg": "((fan_in + fan_out) / 2)"}.get(self.mode, self.mode)
        return {
            "truncated_normal": f"N(0, scale / (0.774 * {fan})), abs(W) <= 2.27 * sqrt(scale / {fan})",
            "normal": f"N(0, scale / {fan})",
            "uniform": f"U(-sqrt(3 * scale / {fan}), sqrt(3 * scale / {fan}))",
        }[self.distribution]

    def __call__(self, key, shape):
        fans = fan_in(shape), fan_out(shape)
        fan = {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": sum(fans) / 2}[self.mode]
        draw, deviation = {
            "truncated_normal": (truncated, TRUNCATED),
            "normal": (normal, 1.0),
            "uniform": (lambda key, shape: 2 * uniform(key, shape) - 1, 3**-0.5),
        }[self.distribution]
        return put(draw(key, shape) * ((self.scale / fan) ** 0.5 / deviation))


class GlorotUniform(Initializer):
    """Uniform, keeping the variance of values and of gradients through a layer; for tanh and sigmoid.

    Reference: Glorot & Bengio, 2010, Understanding the difficulty of training deep feedforward neural networks.

    >>> bool((abs(GlorotUniform()(jax.random.key(0), (3, 3))) <= 1).all())
    True
    """

    textbook = "U(-sqrt(6 / (fan_in + fan_out)), sqrt(6 / (fan_in + fan_out)))"

    def __call__(self, key, shape):
        return _symmetric(key, shape, math.sqrt(6 / (fan_in(shape) + fan_out(shape))))


class GlorotNormal(Initializer):
    """Normal, keeping the variance of values and of gradients through a layer; for tanh and sigmoid.

    Keras draws from a normal truncated at two standard deviations; this is the published, whole one.

    Reference: Glorot & Bengio, 2010, Understanding the difficulty of training deep feedforward neural networks.

    >>> GlorotNormal()(jax.random.key(0), (3, 4)).shape
    (3, 4)
    """

    textbook = "N(0, 2 / (fan_in + fan_out))"

    def __call__(self, key, shape):
        return put(normal(key, shape) * math.sqrt(2 / (fan_in(shape) + fan_out(shape))))


class HeUniform(Initializer):
    """Uniform, keeping the variance of values through a layer that rectifies; for ReLU and its relatives.

    Reference: He, Zhang, Ren & Sun, 2015, Delving deep into rectifiers, arXiv:1502.01852.

    >>> bool((abs(HeUniform()(jax.random.key(0), (6, 3))) <= 1).all())
    True
    """

    textbook = "U(-sqrt(6 / fan_in), sqrt(6 / fan_in))"

    def __call__(self, key, shape):
        return _symmetric(key, shape, math.sqrt(6 / fan_in(shape)))


class HeNormal(Initializer):
    """Normal, keeping the variance of values through a layer that rectifies; for ReLU and its relatives.

    Keras draws from a normal truncated at two standard deviations; this is the published, whole one.

    Reference: He, Zhang, Ren & Sun, 2015, Delving deep into rectifiers, arXiv:1502.01852.

    >>> HeNormal()(jax.random.key(0), (3, 4)).shape
    (3, 4)
    """

    textbook = "N(0, 2 / fan_in)"

    def __call__(self, key, shape):
        return put(normal(key, shape) * math.sqrt(2 / fan_in(shape)))


class LeCunUniform(Initializer):
    """Uniform with variance 1 / fan_in; for self-normalising networks and plain sums.

    Reference: LeCun, Bottou, Orr & Müller, 1998, Efficient BackProp.

    >>> bool((abs(LeCunUniform()(jax.random.key(0), (3, 3))) <= 1).all())
    True
    """

    textbook = "U(-sqrt(3 / fan_in), sqrt(3 / fan_in))"

    def __call__(self, key, shape):
        return _symmetric(key, shape, math.sqrt(3 / fan_in(shape)))


class LeCunNormal(Initializer):
    """Normal with variance 1 / fan_in; for self-normalising networks and plain sums.

    Keras draws from a normal truncated at two standard deviations; this is the published, whole one.

    Reference: LeCun, Bottou, Orr & Müller, 1998, Efficient BackProp.

    >>> LeCunNormal()(jax.random.key(0), (3, 4)).shape
    (3, 4)
    """

    textbook = "N(0, 1 / fan_in)"

    def __call__(self, key, shape):
        return put(normal(key, shape) * math.sqrt(1 / fan_in(shape)))


class Orthogonal(Initializer):
    """A random matrix with orthonormal columns (or rows, where there are fewer), times a gain.

    The kernel is seen as a matrix of all axes but the last by the last.

    Reference: Saxe, McClelland & Ganguli, 2014, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, arXiv:1312.6120.

    >>> q = Orthogonal()(jax.random.key(0), (3, 3))
    >>> bool(abs(q @ q.T - np.eye(3)).max() < 1e-6)
    True
    """

    gain: float = positive(1.0, "every singular value")
    textbook = "gain * Q, Q.T @ Q == I"

    def __call__(self, key, shape):
        rows, columns = math.prod(shape[:-1]), shape[-1]

        def rotation(generator: np.random.Generator) -> np.ndarray:
            q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
            q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # so that every rotation is equally likely
            return (q if rows >= columns else q.T).reshape(shape)

        return put(self.gain * drawn(rotation, key, shape))


def fan_in(shape: tuple[int, ...]) -> int:
    """How many inputs one output of a kernel of this shape sums over; at least 1."""
    return max(math.prod(shape[:-1]), 1)


def fan_out(shape: tuple[int, ...]) -> int:
    """How many outputs one input of a kernel of this shape reaches; at least 1."""
    return max(math.prod(shape[:-2]) * shape[-1], 1) if shape else 1


def _symmetric(key: jax.Array, shape: tuple[int, ...], bound: float) -> jax.Array:
    return put(bound * (2 * uniform(key, shape) - 1))
