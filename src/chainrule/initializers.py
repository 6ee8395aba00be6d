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
from chainrule.formula.constraints import constrained, non_negative, number, one_of, positive


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
        return jax.device_put(self.mean + self.stddev * _truncated(key, shape))


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
            "truncated_normal": (_truncated, TRUNCATED),
            "normal": (_normal, 1.0),
            "uniform": (lambda key, shape: 2 * _uniform(key, shape) - 1, 3**-0.5),
        }[self.distribution]
        return jax.device_put(draw(key, shape) * ((self.scale / fan) ** 0.5 / deviation))


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


class Eye(Initializer):
    """The identity as a matrix, times a gain: each unit is given its own input, and what is more is given nothing.

    `RNN(64, activation=ReLU(), recurrent_initializer=Eye())` begins by keeping what it has seen.

    Reference: Le, Jaitly & Hinton, 2015, A simple way to initialize recurrent networks of rectified linear units,
    arXiv:1504.00941.

    >>> Eye()(jax.random.key(0), (2, 3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    gain: float = number(1.0, "every entry of the diagonal")
    textbook = "W[i, j] = gain if i == j else 0"

    def __call__(self, key, shape):
        if len(shape) != 2:
            raise ChainruleError(f"{self!r}: expected a matrix, got shape {shape}. Dirac() is for convolutions.")
        return jax.device_put(self.gain * np.eye(*shape).astype(np.float32))


class Dirac(Initializer):
    """The identity as a convolution, times a gain: the middle of the window gives each filter its own channel.

    With `padding="same"` it passes its input on, to as many filters as there are channels; with groups, each its own.
    Of a window of even size the middle is what that padding leaves in place, where PyTorch takes the one behind.

    Reference: Zagoruyko & Komodakis, 2017, DiracNets: training very deep neural networks without skip-connections,
    arXiv:1706.00388.

    >>> Dirac()(jax.random.key(0), (3, 1, 2)).tolist()
    [[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 0.0]]]
    """

    gain: float = number(1.0, "the weight of each filter's own channel")
    textbook = "W[k, c, f] = gain if k == middle and c == f else 0"

    def __call__(self, key, shape):
        if len(shape) < 3:
            raise ChainruleError(
                f"{self!r}: expected a convolution's kernel, got shape {shape}. Eye() is for matrices."
            )
        kernel = np.zeros(shape, np.float32)
        kernel[tuple((size - 1) // 2 for size in shape[:-2])] = np.eye(shape[-2], shape[-1])
        return jax.device_put(self.gain * kernel)


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


TRUNCATED = 0.87962566103423978  # the standard deviation that a normal distribution of 1 has within −2 and 2


def _truncated(key: jax.Array, shape: tuple[int, ...]) -> Any:
    def draw(generator: np.random.Generator) -> np.ndarray:
        values = np.array(generator.standard_normal(shape, np.float32))
        while (outside := np.abs(values) > 2).any():
            values[outside] = generator.standard_normal(int(outside.sum()), np.float32)
        return values

    return drawn(draw, key, shape)


def _uniform(key: jax.Array, shape: tuple[int, ...]) -> Any:
    return drawn(lambda generator: generator.random(shape, np.float32), key, shape)


def _symmetric(key: jax.Array, shape: tuple[int, ...], bound: float) -> jax.Array:
    return jax.device_put(bound * (2 * _uniform(key, shape) - 1))
