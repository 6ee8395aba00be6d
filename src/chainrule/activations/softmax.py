"""Activations of several values, those of the last axis, that make probabilities of them, or their logarithms."""

from chainrule.activations.base import OfSeveral
from chainrule.arrays.dtypes import real_type
from chainrule.kernels.softmax import softmax, surprisal


class Softmax(OfSeveral):
    """Probabilities over the last axis. Behind CategoricalCrossEntropy both are computed together.

    Reference: Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs.

    >>> import jax.numpy as jnp
    >>> Softmax()(jnp.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """

    probable = True
    textbook = "exp(x[i]) / sum(exp(x))"

    def __call__(self, x):
        return softmax(x)


class LogSoftmax(OfSeveral):
    """The logarithms of Softmax's probabilities, to all digits where these are near 1, or too small for a number.

    A network of classes ends in Softmax instead, which CategoricalCrossEntropy is computed together with: that is
    PyTorch's LogSoftmax and NLLLoss.

    Reference: Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs.

    >>> import jax.numpy as jnp
    >>> LogSoftmax()(jnp.array([0.0, 0.0])).tolist()
    [-0.6931471824645996, -0.6931471824645996]
    """

    textbook = "x[i] - ln(sum(exp(x)))"

    def __call__(self, x):
        return -surprisal(x)


class Softmin(OfSeveral):
    """Softmax of the negative values: the smallest has the largest part.

    Reference: Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs.

    >>> import jax.numpy as jnp
    >>> Softmin()(jnp.array([0.0, 1000.0])).tolist()
    [1.0, 0.0]
    """

    probable = True
    textbook = "exp(-x[i]) / sum(exp(-x))"

    def __call__(self, x):
        return softmax(-x.astype(real_type(x)))
