"""Activations that rise and fall: waves, and bumps around 0."""

from chainrule.activations.base import Activation
from chainrule.kernels.periodic import gaussian, sinc, sinusoid


class Sinusoid(Activation):
    """Sine, exact for large x too; NaN at infinity, where it has no limit.

    Reference: Gashler & Ashmore, 2014, Training deep Fourier neural networks to fit time-series data, arXiv:1405.2262.

    >>> import jax.numpy as jnp
    >>> Sinusoid()(jnp.array([0.0, 1e30])).tolist()
    [0.0, -0.791163444519043]
    """

    textbook = "sin(x)"

    def __call__(self, x):
        return sinusoid(x)


class Sinc(Activation):
    """Cardinal sine: a wave that fades away from 0.

    Reference: Efe, 2008, Novel neuronal activation functions for feedforward neural networks.

    >>> import jax.numpy as jnp
    >>> Sinc()(jnp.array([0.0, jnp.pi / 2])).tolist()
    [1.0, 0.6366197466850281]
    """

    textbook = "1 if x == 0 else sin(x) / x"

    def __call__(self, x):
        return sinc(x)


class Gaussian(Activation):
    """Bell curve around 0.

    Reference: Broomhead & Lowe, 1988, Multivariable functional interpolation and adaptive networks.

    >>> import jax.numpy as jnp
    >>> Gaussian()(jnp.array([0.0, 1.0])).tolist()
    [1.0, 0.3678794503211975]
    """

    textbook = "exp(-x**2)"

    def __call__(self, x):
        return gaussian(x)
