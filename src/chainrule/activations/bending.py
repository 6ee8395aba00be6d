"""Activations that bend a straight line, and saturate nowhere."""

from typing import Any

from chainrule.activations.base import Activation
from chainrule.arrays.dtypes import of_axes, promoted
from chainrule.formula.constraints import number
from chainrule.formula.layer import Parameter
from chainrule.initializers import Constant
from chainrule.kernels.bending import bent_identity, soft_exponential


class BentIdentity(Activation):
    """The identity with a smooth bend: half as steep far below 0, half as steep again far above.

    >>> import jax.numpy as jnp
    >>> BentIdentity()(jnp.array([0.0, 1e30])).tolist()
    [0.0, 1.500000098129063e+30]
    """

    textbook = "(sqrt(x**2 + 1) - 1) / 2 + x"

    def __call__(self, x):
        return bent_identity(x)


class SoftExponential(Activation):
    """Between logarithm, identity and exponential by a learned alpha: one a channel (the last axis), or one for all.

    It begins as the identity, and its derivatives are continuous where alpha passes through 0. Below 0 it is a
    logarithm, which has no value for x up to 1/alpha − alpha: NaN. The alphas are not regularised.

    Reference: Godfrey & Gashler, 2015, A continuum among logarithmic, linear, and exponential functions, and its
    potential to improve generalization in neural networks, arXiv:1602.01321.

    >>> import jax.numpy as jnp
    >>> SoftExponential()(jnp.array([-1.0, 2.0]), alpha=1.0).tolist()
    [0.3678794503211975, 7.389056205749512]
    """

    initial: float = number(0.0, "alpha before training")
    shared: bool = False
    textbook = (
        "-ln(1 - alpha * (x + alpha)) / alpha if alpha < 0 else x if alpha == 0 "
        "else (exp(alpha * x) - 1) / alpha + alpha"
    )

    def parameters(self, shape):
        return {"alpha": Parameter(() if self.shared else shape[-1:], Constant(self.initial))}

    def forward(self, p, x):
        return soft_exponential(*promoted(x, of_axes(p["alpha"], x)))

    def __call__(self, x, alpha: Any = None):
        return soft_exponential(x, self.initial if alpha is None else alpha)
