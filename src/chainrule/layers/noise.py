"""Layers that draw noise in training, and leave their input as it is afterwards."""

from abc import abstractmethod

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import real_type, wide_type
from chainrule.arrays.masked import Shape
from chainrule.formula.constraints import fraction, non_negative
from chainrule.formula.layer import NoisyLayer
from chainrule.kernels.random import bernoulli


class _Noise(NoisyLayer):
    """Values that only noise changes."""

    def forward(self, p, x):
        return x


class _Dropout(_Noise):
    """Values that are set to 0 with a probability, the others scaled up to keep the mean."""

    rate: float = fraction(0.5, "the probability to be dropped")

    @abstractmethod
    def drawn(self, shape: Shape) -> Shape:
        """The shape of what is drawn for a batch of this shape: 1 along the axes that are dropped together."""

    def noisy(self, p, x, key):
        return jnp.where(_kept(key, self.rate, self.drawn(x.shape)), x.astype(real_type(x)) * (1 / (1 - self.rate)), 0)


class Dropout(_Dropout):
    """In training, each value is set to 0 with probability `rate` and the others are scaled up to keep the mean.

    Reference: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, 2014, Dropout: a simple way to prevent
    neural networks from overfitting.

    >>> Dropout(0.5).forward({}, jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    rate: float = fraction(0.5, "the probability of a value to be dropped")
    textbook = "x * B / (1 - rate), B ~ Bernoulli(1 - rate)"

    def drawn(self, shape):
        return shape


class SpatialDropout(_Dropout):
    """In training, each channel of an example is set to 0 as a whole with probability `rate`, in all its places.

    Neighbours in time or in an image are so alike that where one of them is dropped, the others still tell its value.
    It takes any number of axes before the channels: it is SpatialDropout1D to 3D of Keras, and Dropout1d to 3d of
    PyTorch, whose channels come first.

    Reference: Tompson, Goroshin, Jain, LeCun & Bregler, 2015, Efficient object localization using convolutional
    networks, arXiv:1411.4280.

    >>> SpatialDropout(0.2).output_shape((28, 28, 32))
    (28, 28, 32)
    """

    rate: float = fraction(0.5, "the probability of a channel to be dropped")
    textbook = "y[i, c] = x[i, c] * B[c] / (1 - rate), B[c] ~ Bernoulli(1 - rate)"

    def output_shape(self, shape):
        if len(shape) < 2:
            raise self.refuse("places of channels, at least 2 axes", shape, "Choose Dropout.")
        return shape

    def drawn(self, shape):
        return (shape[0], *(1,) * (len(shape) - 2), shape[-1])


class StochasticDepth(_Dropout):
    """In training, each example is set to 0 as a whole with probability `rate`; it ends a residual block's branch.

    Of `Identity() + (Dense(64) >> ReLU() >> Dense(8) >> StochasticDepth(0.2))` the identity is left for one example in
    five: training sees networks of all depths. Huang et al. drop more of the later blocks, rates from 0 to 0.5 in a
    line; a draw of theirs is for the whole batch, and kept branches are scaled down in inference rather than up in
    training. It is torchvision's StochasticDepth of mode "row", timm's DropPath, and Keras' Dropout whose noise_shape
    is 1 behind the batch.

    Reference: Huang, Sun, Liu, Sedra & Weinberger, 2016, Deep networks with stochastic depth, arXiv:1603.09382.

    >>> StochasticDepth(0.2).forward({}, jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    rate: float = fraction(0.5, "the probability of an example to be dropped")
    textbook = "y[i] = x[i] * B / (1 - rate), B ~ Bernoulli(1 - rate)"

    def drawn(self, shape):
        return (shape[0], *(1,) * (len(shape) - 1))


class AlphaDropout(_Noise):
    """Dropout for SELU, of which it keeps the mean 0 and the variance 1: what is dropped becomes SELU's lowest value.

    That is α = −1.7580993408473766. Klambauer et al. find rates of 0.05 and 0.1 good; PyTorch's is 0.5.

    Reference: Klambauer, Unterthiner, Mayr & Hochreiter, 2017, Self-normalizing neural networks, arXiv:1706.02515.

    >>> AlphaDropout().forward({}, jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    rate: float = fraction(0.1, "the probability of a value to be dropped")
    textbook = """
        alpha = -1.7580993408473766
        a = 1 / sqrt((1 - rate) * (1 + rate * alpha**2))
        y = a * (x * B + alpha * (1 - B - rate)), B ~ Bernoulli(1 - rate)"""

    def noisy(self, p, x, key):
        alpha, wide = -1.7580993408473766, wide_type(x)
        a = ((1 - self.rate) * (1 + self.rate * alpha**2)) ** -0.5
        values = jnp.where(_kept(key, self.rate, x.shape), x.astype(wide), alpha)
        return (a * (values - alpha * self.rate)).astype(real_type(x))


class GaussianNoise(_Noise):
    """In training, independent normal noise is added to each value.

    Reference: Bishop, 1995, Training with noise is equivalent to Tikhonov regularization.

    >>> GaussianNoise(0.1).forward({}, jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    stddev: float = non_negative(meaning="σ, the standard deviation of the noise")
    textbook = "x + Y, Y ~ N(0, stddev**2)"

    def noisy(self, p, x, key):
        return (x.astype(wide_type(x)) + self.stddev * _normal(key, x)).astype(real_type(x))


class GaussianDropout(_Noise):
    """In training, each value is multiplied by normal noise of mean 1, of the variance that Dropout's factor has.

    Reference: Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, 2014, Dropout: a simple way to prevent
    neural networks from overfitting, section 10.

    >>> GaussianDropout(0.5).forward({}, jnp.ones(3)).tolist()
    [1.0, 1.0, 1.0]
    """

    rate: float = fraction(0.5, "the rate of the Dropout whose variance it has")
    textbook = "x * Y, Y ~ N(1, rate / (1 - rate))"

    def noisy(self, p, x, key):
        deviation = (self.rate / (1 - self.rate)) ** 0.5
        return (x.astype(wide_type(x)) * (1 + deviation * _normal(key, x))).astype(real_type(x))


def _kept(key: jax.Array, rate: float, shape: Shape) -> jax.Array:
    """Which values are not dropped."""
    return bernoulli(key, 1 - rate, shape)


def _normal(key: jax.Array, x: jax.Array) -> jax.Array:
    """Standard normal values, as many as x has, of 32 bits at least."""
    return jax.random.normal(key, x.shape, jnp.float32).astype(wide_type(x))
