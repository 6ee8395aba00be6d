"""Rectifiers: they let through what is above 0, and what is below in part."""

from typing import Any

import jax
import jax.numpy as jnp

from chainrule.activations.base import Activation
from chainrule.arrays import functions
from chainrule.arrays.dtypes import of_axes, real_type
from chainrule.formula.constraints import non_negative, positive
from chainrule.formula.layer import NoisyLayer, Parameter
from chainrule.initializers import Constant
from chainrule.kernels.elementwise import elu, leaky_relu, relu, softplus


class ReLU(Activation):
    """Rectified linear unit. The derivative at 0 is 0.

    Reference: Nair & Hinton, 2010, Rectified linear units improve restricted Boltzmann machines.

    >>> ReLU()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    textbook = "max(0, x)"

    def __call__(self, x):
        return relu(x)

    def forward(self, p, x):
        return functions.relu(x)  # which XLA fuses with the layers beside it, however large x is


class NoisyReLU(NoisyLayer, Activation):
    """Rectified linear unit with noise of variance sigmoid(x) in training; ReLU afterwards.

    Called on values it is ReLU; `noisy` draws. The derivative takes in that the noise grows with x.

    Reference: Nair & Hinton, 2010, Rectified linear units improve restricted Boltzmann machines.

    >>> NoisyReLU()(jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    textbook = "max(0, x + Y), Y ~ N(0, 1 / (1 + exp(-x)))"

    def __call__(self, x):
        return functions.relu(x)

    def noisy(self, p, x, key):
        x = x.astype(real_type(x))
        deviation = jnp.exp(-softplus(-x) / 2)  # √σ(x), without √'s infinite slope at 0
        return functions.relu(x + deviation * jax.random.normal(key, x.shape, x.dtype))


class LeakyReLU(Activation):
    """Rectified linear unit that lets a little through below 0. The derivative at 0 is the slope.

    PyTorch's default slope is the same 0.01; Keras' is 0.3.

    Reference: Maas, Hannun & Ng, 2013, Rectifier nonlinearities improve neural network acoustic models.

    >>> LeakyReLU()(jnp.array([-1.0, 2.0])).tolist()
    [-0.009999999776482582, 2.0]
    """

    slope: float = non_negative(0.01, "the derivative below 0")
    textbook = "x if x > 0 else slope * x"

    def __call__(self, x):
        return leaky_relu(x, self.slope)

    def forward(self, p, x):
        return functions.leaky_relu(x, self.slope)  # as ReLU


class PReLU(Activation):
    """Rectified linear unit with a learned slope below 0: one a channel (the last axis), or one for all.

    The slopes are parameters and are not regularised.

    Reference: He, Zhang, Ren & Sun, 2015, Delving deep into rectifiers, arXiv:1502.01852.

    >>> PReLU()(jnp.array([-1.0, 2.0]), slope=0.5).tolist()
    [-0.5, 2.0]
    """

    initial: float = non_negative(0.25, "the slope before training")
    shared: bool = False
    textbook = "x if x > 0 else slope * x"

    def parameters(self, shape):
        return {"slope": Parameter(() if self.shared else shape[-1:], Constant(self.initial))}

    def forward(self, p, x):
        return self(x, of_axes(p["slope"], x))

    def __call__(self, x, slope: Any = None):
        return functions.leaky_relu(x, self.initial if slope is None else slope)


class ELU(Activation):
    """Exponential linear unit: smooth, and saturating at −alpha.

    Often misprinted as max(x, alpha (eˣ − 1)), which is wrong above 0. The derivative at 0 is alpha.

    Reference: Clevert, Unterthiner & Hochreiter, 2015, Fast and accurate deep network learning by exponential
    linear units, arXiv:1511.07289.

    >>> ELU()(jnp.array([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    alpha: float = positive(1.0, "minus the value that it approaches far below 0")
    textbook = "x if x > 0 else alpha * (exp(x) - 1)"

    def __call__(self, x):
        return elu(x, self.alpha)


class Softplus(Activation):
    """Smooth rectifier; its derivative is the sigmoid.

    Reference: Dugas, Bengio, Bélisle, Nadeau & Garcia, 2001, Incorporating second-order functional knowledge for
    better option pricing.

    >>> Softplus()(jnp.array([1000.0])).tolist()
    [1000.0]
    """

    textbook = "ln(1 + exp(x))"

    def __call__(self, x):
        return softplus(x)
