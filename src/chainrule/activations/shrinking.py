"""Activations that shrink what is near 0, as it may be noise. At a kink or jump the derivative is that of the left."""

from chainrule.activations.base import Activation
from chainrule.formula.constraints import non_negative, number
from chainrule.kernels.shrinking import hard_shrink, soft_shrink, tanh_shrink, threshold


class TanhShrink(Activation):
    """What tanh leaves of x, without loss near 0, where it is x³/3.

    >>> import jax.numpy as jnp
    >>> TanhShrink()(jnp.array([0.001, 5.0])).tolist()
    [3.3333324989115454e-10, 4.000090599060059]
    """

    textbook = "x - tanh(x)"

    def __call__(self, x):
        return tanh_shrink(x)


class SoftShrink(Activation):
    """x, nearer to 0 by the threshold. At minus the threshold the derivative is 1; in PyTorch it is 0.

    Reference: Donoho & Johnstone, 1994, Ideal spatial adaptation by wavelet shrinkage.

    >>> import jax.numpy as jnp
    >>> SoftShrink()(jnp.array([-2.0, 0.25, 2.0])).tolist()
    [-1.5, 0.0, 1.5]
    """

    threshold: float = non_negative(0.5, "λ, by how much numbers shrink")
    textbook = "x - threshold if x > threshold else x + threshold if x < -threshold else 0"

    def __call__(self, x):
        return soft_shrink(x, self.threshold)


class HardShrink(Activation):
    """x, or 0 up to the threshold. At minus the threshold the derivative is 1; in PyTorch it is 0.

    Reference: Donoho & Johnstone, 1994, Ideal spatial adaptation by wavelet shrinkage.

    >>> import jax.numpy as jnp
    >>> HardShrink()(jnp.array([-2.0, 0.25, 0.5])).tolist()
    [-2.0, 0.0, 0.0]
    """

    threshold: float = non_negative(0.5, "λ, the largest magnitude that becomes 0")
    textbook = "x if abs(x) > threshold else 0"

    def __call__(self, x):
        return hard_shrink(x, self.threshold)


class Threshold(Activation):
    """x above the threshold, and one value up to it. Keras' ThresholdedReLU; PyTorch's has no defaults.

    Reference: Konda, Memisevic & Krueger, 2014, Zero-bias autoencoders and the benefits of co-adapting features,
    arXiv:1402.3337.

    >>> import jax.numpy as jnp
    >>> Threshold()(jnp.array([-2.0, 1.0, 1.5])).tolist()
    [0.0, 0.0, 1.5]
    """

    threshold: float = number(1.0, "θ, the largest number that is replaced")
    value: float = number(0.0, "by what it is replaced")
    textbook = "x if x > threshold else value"

    def __call__(self, x):
        return threshold(x, self.threshold, self.value)
