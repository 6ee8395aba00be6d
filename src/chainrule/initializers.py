"""Initialisers: the parameters' first values, drawn from a key.

A kernel's shape is (…, inputs, outputs). Its fan_in is the number of values that one output sums over, its
fan_out the number of outputs that one input reaches. Kernels side by side in one array, which see nothing of each
other, are drawn one by one (`each_group`, `each_place`).
"""

import dataclasses
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import numpy as np
from jax.core import Tracer

from chainrule.arrays.random import drawn, keyed, words_of
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.formula.constraints import constrained, non_negative, number, positive


class Initializer(Formula):
    """The distribution that a parameter's first values are drawn from."""

    draws: ClassVar[bool] = True
    """Whether values are drawn for a kernel, rather than known for a whole array."""

    @abstractmethod
    def __call__(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Draw an array of this shape, float32."""


class Zeros(Initializer):
    """All zeros.

    >>> Zeros()(jax.random.key(0), (2,)).tolist()
    [0.0, 0.0]
    """

    textbook = "0"

    def __call__(self, key, shape):
        return jax.device_put(np.zeros(shape, np.float32))


class Constant(Initializer):
    """The same value everywhere.

    >>> Constant(0.25)(jax.random.key(0), (2,)).tolist()
    [0.25, 0.25]
    """

    value: float = number(meaning="every entry")
    textbook = "value"

    def __call__(self, key, shape):
        return jax.device_put(self.value + np.zeros(shape, np.float32))


class Normal(Initializer):
    """Independent normal values.

    >>> Normal(stddev=0.5)(jax.random.key(0), (2, 3)).shape
    (2, 3)
    """

    stddev: float = non_negative(0.05, "the distribution's standard deviation")
    mean: float = number(0.0, "the distribution's mean")
    textbook = "N(mean, stddev**2)"

    def __call__(self, key, shape):
        return jax.device_put(self.mean + self.stddev * _normal(key, shape))


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
        return jax.device_put(self.low + (self.high - self.low) * _uniform(key, shape))


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
        return jax.device_put(_normal(key, shape) * math.sqrt(2 / (fan_in(shape) + fan_out(shape))))


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
        return jax.device_put(_normal(key, shape) * math.sqrt(2 / fan_in(shape)))


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
        return jax.device_put(_normal(key, shape) * math.sqrt(1 / fan_in(shape)))


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

        return jax.device_put(self.gain * drawn(rotation, key, shape))


class Pretrained(Initializer):
    """Values that were trained elsewhere, from a `.npy` file of the parameter's shape.

    `Embedding(20000, 300, initializer=Pretrained("vectors.npy"))` begins with known word vectors, a row for each token.

    >>> Pretrained("vectors.npy")
    Pretrained('vectors.npy')
    """

    file: str = constrained(
        dataclasses.MISSING, "the file, as numpy.save writes it", "a file's name", lambda v: type(v) is str, (3, None)
    )
    draws = False
    textbook = "load(file)"

    def __call__(self, key, shape):
        try:
            values = np.load(self.file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ChainruleError(
                f"{self!r}: expected a .npy file of numbers: {error}. Write it by numpy.save."
            ) from None
        if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind not in "iuf":
            found = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else "several arrays"
            raise ChainruleError(f"{self!r}: expected numbers of shape {shape}, got {found}. Cut or fill the table.")
        return jax.device_put(values.astype(np.float32))


def each_place(initializer: Initializer, rank: int) -> Callable:
    """An initialiser for kernels that the first axes of an array count."""

    def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.device_put(_one_by_one(initializer, key, math.prod(shape[:rank]), shape[rank:]).reshape(shape))

    return draw if initializer.draws else initializer


def each_group(initializer: Initializer, groups: int) -> Callable:
    """An initialiser for kernels that stand side by side on an array's last axis."""

    def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        kernels = _one_by_one(initializer, key, groups, (*shape[:-1], shape[-1] // groups))
        return jax.device_put(kernels.transpose(*range(1, len(shape)), 0, len(shape)).reshape(shape))

    return draw if initializer.draws and groups > 1 else initializer


def _one_by_one(initializer: Initializer, key: jax.Array, count: int, shape: tuple[int, ...]) -> Any:
    """So many kernels of this shape, each from a key of its own."""

    def draw(words):
        return initializer(keyed(words), shape)

    words = words_of(key, count)
    return jax.vmap(draw)(words) if isinstance(words, Tracer) else np.stack([*map(draw, words)])


def fan_in(shape: tuple[int, ...]) -> int:
    """How many inputs one output of a kernel of this shape sums over; at least 1."""
    return max(math.prod(shape[:-1]), 1)


def fan_out(shape: tuple[int, ...]) -> int:
    """How many outputs one input of a kernel of this shape reaches; at least 1."""
    return max(math.prod(shape[:-2]) * shape[-1], 1) if shape else 1


def _normal(key: jax.Array, shape: tuple[int, ...]) -> Any:
    return drawn(lambda generator: generator.standard_normal(shape, np.float32), key, shape)


def _uniform(key: jax.Array, shape: tuple[int, ...]) -> Any:
    return drawn(lambda generator: generator.random(shape, np.float32), key, shape)


def _symmetric(key: jax.Array, shape: tuple[int, ...], bound: float) -> jax.Array:
    return jax.device_put(bound * (2 * _uniform(key, shape) - 1))
