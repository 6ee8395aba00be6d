"""Self-gated activations: x times a gate of x, which is near 1 above 0 and near 0 below."""

from chainrule.activations.base import Activation
from chainrule.kernels.gated import gelu


class GELU(Activation):
    """Gaussian error linear unit: x, as often as a normal number is below it.

    Far below 0 it keeps all its digits, which the written form loses.

    Reference: Hendrycks & Gimpel, 2016, Gaussian error linear units, arXiv:1606.08415.

    >>> import jax.numpy as jnp
    >>> GELU()(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [-0.15865525603294373, 0.0, 1.9544997215270996]
    """

    textbook = "x * (1 + erf(x / sqrt(2))) / 2"

    def __call__(self, x):
        return gelu(x)
