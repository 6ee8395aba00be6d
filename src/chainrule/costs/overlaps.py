"""Overlaps: how far two directions are apart, and how little two masks cover each other."""

import jax.numpy as jnp

from chainrule.activations import Sigmoid
from chainrule.arrays.functions import root, sigmoid
from chainrule.costs.base import Cost, in_rows, summed
from chainrule.costs.logits import held, with_derivative_of
from chainrule.costs.targets import PROBABILITIES
from chainrule.kernels.doubles import through_double
from chainrule.kernels.sharding import by_parts


class CosineDistance(Cost):
    """1 less the cosine of the angle between a and E: only directions count. From 0 to 2; 1 where either is 0.

    Where either is 0, the derivative is 0. PyTorch's `cosine_embedding_loss` is this for pairs that belong together;
    Keras' CosineSimilarity is less by 1.

    Reference: Salton, Wong & Yang, 1975, A vector space model for automatic indexing, CACM 18.

    >>> a, E = jnp.array([[3.0, 0.0], [0.0, 1.0]]), jnp.array([[1.0, 0.0], [0.0, -1.0]])
    >>> CosineDistance()(a, E).item()
    1.0
    """

    textbook = "1 - sum(a * E) / (sqrt(sum(a**2)) * sqrt(sum(E**2)))"

    def each(self, a, E):
        return in_rows(_cosine_distance, a, E)


def _cosine_distance(a, E):
    norms = [root(jnp.sum(each**2, axis=-1, keepdims=True)) for each in (a, E)]
    zero = (norms[0] == 0) | (norms[1] == 0)
    a, E = (each / jnp.where(zero, 1, norm) for each, norm in zip((a, E), norms, strict=True))
    return jnp.where(zero[..., 0], 1, summed((a - E) ** 2) / 2)  # no digit lost near 0


class Dice(Cost):
    """How little of two masks is in both of them: for images in which each place is of an object or is not.

    All places and outputs of an example count together, so that few places of an object weigh as much as many others.
    Behind Sigmoid it is computed from z. Two empty masks cost 0. Keras adds 1e-7 above and below, and takes all of a
    batch for one example unless told otherwise.

    Reference: Milletari, Navab & Ahmadi, 2016, V-Net: fully convolutional neural networks for volumetric segmentation.

    >>> Dice()(jnp.array([[1.0, 1.0, 0.0, 0.0]]), jnp.array([[1.0, 0.0, 0.0, 0.0]])).item()
    0.3333333432674408
    """

    canonical_activations = (Sigmoid,)
    targets = PROBABILITIES
    takes_steps = False
    textbook = "1 - 2 * sum(a * E) / sum(a + E)"

    def each(self, a, E):
        return _of_examples(lambda a, E: _apart(a, 1 - a, E))(a, E)

    def behind(self, z, E, end=None):
        return _of_examples(lambda z, E: _apart(sigmoid(held(z)), sigmoid(-held(z)), E))(z, E)


def _of_examples(f):
    return by_parts("n*,n*->n")(through_double(f))


def _apart(a, rest, E):
    """Σ (a (1 − E) + (1 − a) E) / Σ (a + E), which is what is written."""
    axes = tuple(range(1, a.ndim))
    whole = jnp.sum(a + E, axis=axes)
    whole = jnp.where(whole == 0, 1, whole)
    written = 1 - 2 * jnp.sum(a * E, axis=axes) / whole
    return with_derivative_of(written, jnp.sum(a * (1 - E) + rest * E, axis=axes) / whole)
