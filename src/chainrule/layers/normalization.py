"""Normalisation: values brought to mean 0 and variance 1, then scaled and shifted, each channel by numbers of its own.

The layers differ in what shares a mean and a variance: a channel in the whole batch, the features of one place, or
channels of one example. Padding is in none of them. A mean is taken twice, the second time of what the first one
leaves, so that a large one costs the variance no digits.
"""

import math
import re
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import of_axes, real_type, wide_type
from chainrule.arrays.masked import filled
from chainrule.errors import ArgumentError
from chainrule.formula.constraints import constrained, positive, positive_int
from chainrule.formula.layer import INFERENCE, Context, Layer, Parameter
from chainrule.initializers import Constant, Zeros
from chainrule.layers.windows import KINDS


def _epsilon() -> Any:
    return positive(1e-5, "ε, added to the variance, so that values that have none become 0")


def _momentum() -> Any:
    meaning = "how much less a batch counts in the running statistics than the next one; 1: all count the same"

    def holds(v: Any) -> bool:
        return isinstance(v, float) and 0 <= v <= 1

    return constrained(0.9, meaning, "a number >= 0 and <= 1", holds, (-0.1, 1.1, math.nan, "1", None))


class Normalization(Layer):
    """Standardised values, then a scale γ and an offset β of each channel (the last axis), which begin as 1 and 0.

    Neither is regularised.
    """

    @abstractmethod
    def standardized(self, state: Any, x: jax.Array, context: Context) -> tuple[jax.Array, Any]:
        """The values, in 32 bits at least, with mean 0 and variance 1, and the new state."""

    def output_shape(self, shape):
        if not shape:
            raise self.refuse("examples of at least one axis", shape, "Put Reshape((1,)) before it.")
        return shape

    def output_mask(self, x, mask):
        if mask is not None and x.ndim != 3:
            raise self.refuse(f"{KINDS[1]} where steps are masked", x.shape[1:], "Put Reshape((time, 1)) before it.")
        return super().output_mask(x, mask)

    def parameters(self, shape):
        declared = {"scale": Parameter(shape[-1:], Constant(1.0)), "offset": Parameter(shape[-1:], Zeros())}
        return {name: each for name, each in declared.items() if getattr(self, name, False)}

    def in_textbook(self):
        return self.textbook if getattr(self, "scale", True) else re.sub(r"scale\[.*?\] \* ", "", self.textbook)

    def forward(self, p, x):
        return self.apply(p, {}, x)[0]

    def apply(self, p, state, x, context=INFERENCE):
        self.output_shape(x.shape[1:])
        dtype, wide = real_type(x, *p.values()), wide_type(x, *p.values())
        y, state = self.standardized(state, filled(x, context.mask).astype(wide), context)
        if "scale" in p:
            y = y * of_axes(p["scale"].astype(wide), y)
        if "offset" in p:
            y = y + of_axes(p["offset"].astype(wide), y)
        return y.astype(dtype), state


class BatchNorm(Normalization):
    """Batch normalisation: in training each channel has mean 0 and variance 1 over the rows and places of a batch.

    Afterwards it is standardised by running statistics: the mean of the batches' means, and of their variances times
    m / (m − 1), as published, for m values, whatever they weigh. A batch counts `momentum` times as much as the next
    one, and what the statistics were before the first has no part in them. In PyTorch and Keras they begin at mean 0
    and variance 1, which stay in them for a while. The momentum of 0.1 in PyTorch is 0.9 here, and Keras' is 0.99.
    Keras' variances are not multiplied by m / (m − 1), and its epsilon is 1e-3.

    A value counts as much as its row does, so that a row of weight 2 is as good as two, and padding rows and steps do
    not count at all. Training on batches of one value is refused, since it has no variance; where only one value of a
    batch counts, the running statistics stay as they are. Devices that share a batch have its statistics together, as
    with PyTorch's SyncBatchNorm.

    Reference: Ioffe & Szegedy, 2015, Batch normalization: accelerating deep network training by reducing internal
    covariate shift, arXiv:1502.03167.

    >>> layer = BatchNorm(scale=False, offset=False)
    >>> x = jnp.array([[1.0], [3.0]])
    >>> y, state = layer.apply({}, layer.state((1,)), x, Context(training=True))
    >>> y.round(3).tolist(), state["mean"].tolist(), state["variance"].tolist()
    ([[-1.0], [1.0]], [2.0], [2.0])
    """

    momentum: float = _momentum()
    epsilon: float = _epsilon()
    scale: bool = True
    offset: bool = True
    textbook = """
        mu[c] = mean(x[:, :, c])
        sigma[c] = sqrt(mean((x[:, :, c] - mu[c])**2))
        y[b, i, c] = scale[c] * (x[b, i, c] - mu[c]) / sqrt(sigma[c]**2 + epsilon) + offset[c]"""

    def state(self, shape):
        zeros = np.zeros(shape[-1:], np.float32)
        return put({"mean": zeros, "variance": zeros + 1, "count": np.zeros((), np.float32)})

    def forward(self, p, x):
        raise self.without_state()

    def standardized(self, state, x, context):
        if not context.training:
            mean, variance = (of_axes(state[name].astype(x.dtype), x) for name in ("mean", "variance"))
            return (x - mean) * lax.rsqrt(variance + self.epsilon), state
        if x.size == x.shape[-1]:
            raise ArgumentError(
                "BatchNorm: expected training batches of 2 values or more of each channel, got 1, which has no "
                "variance. Take a larger {batch_size}, or LayerNorm()."
            )
        axes = tuple(range(x.ndim - 1))
        weights = _weights(x, jnp.ones(len(x)) if context.weights is None else context.weights, context.mask)
        y, mean, variance = _standardized(x, axes, weights, self.epsilon, total=context.total)
        m = context.total(_total(x, axes, (weights > 0).astype(x.dtype))).reshape(())
        batch = {"mean": mean, "variance": variance * m / jnp.maximum(m - 1, 1)}
        after = self._after(state, {name: each.reshape(-1).astype(jnp.float32) for name, each in batch.items()})
        return y, jax.tree.map(lambda new, old: jnp.where(m > 1, new, old), after, state)

    def _after(self, state: Any, batch: Any) -> Any:
        """The running statistics after those of a batch."""
        count = self.momentum * state["count"] + 1
        return {"count": count} | {
            name: (1 - 1 / count) * state[name] + 1 / count * each for name, each in batch.items()
        }


class LayerNorm(Normalization):
    """Layer normalisation: the features (the last axis) of each place of each example have mean 0 and variance 1.

    PyTorch's LayerNorm over several axes is `GroupNorm(1)`, but for its scale and offset of every place. Keras' epsilon
    is 1e-3.

    Reference: Ba, Kiros & Hinton, 2016, Layer normalization, arXiv:1607.06450.

    >>> p = {"scale": jnp.ones(2), "offset": jnp.ones(2)}
    >>> LayerNorm().forward(p, jnp.array([[1.0, 3.0]])).round(3).tolist()
    [[0.0, 2.0]]
    """

    epsilon: float = _epsilon()
    scale: bool = True
    offset: bool = True
    textbook = """
        mu = mean(x[:])
        sigma = sqrt(mean((x[:] - mu)**2))
        y[c] = scale[c] * (x[c] - mu) / sqrt(sigma**2 + epsilon) + offset[c]"""

    def output_shape(self, shape):
        if shape[-1:] in ((), (1,)):
            raise self.refuse("examples of 2 features or more", shape, "One has no variance: leave the layer out.")
        return shape

    def standardized(self, state, x, context):
        return _standardized(x, (x.ndim - 1,), _weights(x), self.epsilon)[0], state


class RMSNorm(Normalization):
    """Root mean square normalisation: the features (the last axis) of each place divided by their root mean square.

    As published, nothing is subtracted and there is no offset; the published form has no epsilon either. It is 1e-6 in
    Keras, and in PyTorch the type's own, 1.2e-7 of float32.

    Reference: Zhang & Sennrich, 2019, Root mean square layer normalization, arXiv:1910.07467.

    >>> RMSNorm(scale=False).forward({}, jnp.array([[3.0, 3.0]])).round(3).tolist()
    [[1.0, 1.0]]
    """

    epsilon: float = _epsilon()
    scale: bool = True
    textbook = "y[c] = scale[c] * x[c] / sqrt(mean(x[:]**2) + epsilon)"

    def standardized(self, state, x, context):
        return x * lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + self.epsilon), state


class GroupNorm(Normalization):
    """Group normalisation: a group of neighbouring channels of an example, in all places, has mean 0 and variance 1.

    The equations number the channels within each group; the paper has 32 groups. Masked steps do not count. Keras'
    epsilon is 1e-3.

    Reference: Wu & He, 2018, Group normalization, arXiv:1803.08494.

    >>> GroupNorm(8).output_shape((28, 28, 32))
    (28, 28, 32)
    """

    groups: int = positive_int(meaning="the number of groups, which must divide the channels")
    epsilon: float = _epsilon()
    scale: bool = True
    offset: bool = True
    textbook = """
        mu[g] = mean(x[:, g, :])
        sigma[g] = sqrt(mean((x[:, g, :] - mu[g])**2))
        y[i, g, c] = scale[g, c] * (x[i, g, c] - mu[g]) / sqrt(sigma[g]**2 + epsilon) + offset[g, c]"""

    def output_shape(self, shape):
        if not shape or shape[-1] % self.groups:
            raise self.refuse(f"channels that {self.groups} groups divide", shape, "Choose groups that do.")
        if math.prod(shape) == self.groups:
            raise self.refuse("groups of 2 values or more", shape, "One has no variance: choose fewer groups.")
        return shape

    def standardized(self, state, x, context):
        axes = tuple(range(1, x.ndim - 1))
        return _standardized(x, axes, _weights(x, context.mask), self.epsilon, self._shared)[0], state

    def _shared(self, means: jax.Array) -> jax.Array:
        """The mean of each channel made that of its group, which is faster than to add up a group's places at once."""
        apart = means.reshape(*means.shape[:-1], self.groups, means.shape[-1] // self.groups)
        return jnp.broadcast_to(apart.mean(axis=-1, keepdims=True), apart.shape).reshape(means.shape)


class InstanceNorm(Normalization):
    """Instance normalisation: each channel of each example has mean 0 and variance 1 over the places.

    As published, there is neither scale nor offset unless they are asked for. Masked steps do not count. In Keras it is
    GroupNormalization(groups=-1), which has both, and an epsilon of 1e-3.

    Reference: Ulyanov, Vedaldi & Lempitsky, 2016, Instance normalization: the missing ingredient for fast stylization,
    arXiv:1607.08022.

    >>> InstanceNorm().forward({}, jnp.array([[[1.0, 5.0], [3.0, 5.0]]])).round(3).tolist()
    [[[-1.0, 0.0], [1.0, 0.0]]]
    """

    epsilon: float = _epsilon()
    scale: bool = False
    offset: bool = False
    textbook = """
        mu[c] = mean(x[:, c])
        sigma[c] = sqrt(mean((x[:, c] - mu[c])**2))
        y[i, c] = (x[i, c] - mu[c]) / sqrt(sigma[c]**2 + epsilon)"""

    def in_textbook(self):
        scaled = self.textbook.replace("= (x", "= scale[c] * (x") if self.scale else self.textbook
        return scaled + " + offset[c]" * self.offset

    def output_shape(self, shape):
        if math.prod(shape[:-1]) == 1:
            raise self.refuse("examples of 2 places or more", shape, "One has no variance: choose LayerNorm().")
        return shape

    def standardized(self, state, x, context):
        return _standardized(x, tuple(range(1, x.ndim - 1)), _weights(x, context.mask), self.epsilon)[0], state


def _weights(x: jax.Array, *counts: Any) -> jax.Array:
    """How much each value counts, by the first axes, in as many axes as x has: 1 long where all count the same."""
    known = [jnp.reshape(each, each.shape + (1,) * (x.ndim - each.ndim)) for each in counts if each is not None]
    return math.prod((each.astype(x.dtype) for each in known), start=jnp.ones((1,) * x.ndim, x.dtype))


def _standardized(
    x: jax.Array,
    axes: tuple[int, ...],
    weights: jax.Array,
    epsilon: float,
    shared: Callable[[jax.Array], jax.Array] = lambda means: means,
    total: Callable[[jax.Array], jax.Array] = lambda sums: sums,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The values with mean 0 and variance 1 over some axes, or what shares them, and those that they had.

    `total` makes whole sums of those over the values that are here.
    """
    weight = total(_total(x, axes, weights))

    def mean(x: jax.Array) -> jax.Array:
        return shared(total(_sum(x, axes, weights)) / jnp.where(weight > 0, weight, 1))

    bits = jnp.finfo(x.dtype)
    # one bit fewer, or XLA subtracts the mean unrounded in one loop and rounded in another
    first = lax.stop_gradient(lax.reduce_precision(mean(x), bits.nexp, bits.nmant - 1))
    left = mean(x - first)
    deviation = x - first - left
    variance = mean(deviation**2)
    return deviation * lax.rsqrt(variance + epsilon), first + left, variance


def _sum(x: jax.Array, axes: tuple[int, ...], weights: jax.Array) -> jax.Array:
    """The weighted sum over some axes, which stay as 1."""
    added = jnp.sum(x, _alike(axes, weights), keepdims=True) * weights  # first, since XLA does several rows at a time
    return jnp.sum(added, axes, keepdims=True)


def _total(x: jax.Array, axes: tuple[int, ...], weights: jax.Array) -> jax.Array:
    """What the values weigh together, over the axes of a mean."""
    return jnp.sum(weights, axes, keepdims=True) * math.prod(x.shape[axis] for axis in _alike(axes, weights))


def _alike(axes: tuple[int, ...], weights: jax.Array) -> tuple[int, ...]:
    """The axes along which all values weigh the same."""
    return tuple(axis for axis in axes if weights.shape[axis] == 1)
