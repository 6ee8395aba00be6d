"""Rectifiers: they let through what is above 0, and what is below in part."""

import jax
import jax.numpy as jnp

from chainrule.activations.base import Activation
from chainrule.arrays import functions
from chainrule.arrays.dtypes import real_type
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import non_negative, positive
from chainrule.formula.layer import NoisyLayer
from chainrule.kernels.elementwise import elu, leaky_relu, relu, softplus
from chainrule.kernels.rectifiers import celu, isrlu, selu


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


class RReLU(NoisyLayer, Activation):
    """Rectified linear unit with a slope below 0 that is drawn anew for each value in training; its mean afterwards.

    Called on values it is the mean; `noisy` draws. The bounds are PyTorch's.

    Reference: Xu, Wang, Chen & Li, 2015, Empirical evaluation of rectified activations in convolutional network,
    arXiv:1505.00853.

    >>> RReLU()(jnp.array([-1.0, 2.0])).tolist()
    [-0.2291666716337204, 2.0]
    """

    lower: float = non_negative(1 / 8, "the smallest slope")
    upper: float = non_negative(1 / 3, "the largest slope")
    textbook = "x if x > 0 else a * x, a ~ U(lower, upper)"

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.lower, float) and isinstance(self.upper, float) and self.lower > self.upper:
            raise ChainruleError(f"RReLU: lower must not be above upper, got {self.lower} and {self.upper}. Swap them.")

    def __call__(self, x):
        return functions.leaky_relu(x, (self.lower + self.upper) / 2)

    def noisy(self, p, x, key):
        x = x.astype(real_type(x))
        part = jax.random.uniform(key, x.shape, x.dtype)
        return functions.leaky_relu(x, self.lower + part * (self.upper - self.lower))


class ReLU6(Activation):
    """Rectified linear unit that ends at 6. The derivative at 0 is 0, at 6 it is 1.

    In Keras it is ReLU with a max_value of 6; PyTorch's derivative at 6 is 0.

    Reference: Krizhevsky, 2010, Convolutional deep belief networks on CIFAR-10.

    >>> ReLU6()(jnp.array([-1.0, 2.0, 7.0])).tolist()
    [0.0, 2.0, 6.0]
    """

    textbook = "0 if x <= 0 else x if x <= 6 else 6"

    def __call__(self, x):
        return jnp.where(x > 6, jnp.full_like(x, 6), functions.relu(x))


class SquaredReLU(Activation):
    """Rectified linear unit, squared: smooth at 0.

    Reference: So, Mańke, Liu, Dai, Shazeer & Le, 2021, Primer: searching for efficient transformers for language
    modeling, arXiv:2109.08668.

    >>> SquaredReLU()(jnp.array([-1.0, 3.0])).tolist()
    [0.0, 9.0]
    """

    textbook = "max(0, x)**2"

    def __call__(self, x):
        return functions.relu(x.astype(real_type(x))) ** 2


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


class SELU(Activation):
    """Scaled exponential linear unit: behind kernels drawn by LeCunNormal it keeps the mean 0 and the variance 1.

    The two numbers are those of the fixed point, and no choice. The derivative at 0 is λα.

    Reference: Klambauer, Unterthiner, Mayr & Hochreiter, 2017, Self-normalizing neural networks, arXiv:1706.02515.

    >>> SELU()(jnp.array([0.0, 2.0])).tolist()
    [0.0, 2.1014020442962646]
    """

    textbook = """
        lambda_ = 1.0507009873554805
        alpha = 1.6732632423543772
        lambda_ * x if x > 0 else lambda_ * alpha * (exp(x) - 1)"""

    def __call__(self, x):
        return selu(x)


class CELU(Activation):
    """Continuously differentiable exponential linear unit: ELU stretched by alpha, smooth at 0.

    Reference: Barron, 2017, Continuously differentiable exponential linear units, arXiv:1704.07483.

    >>> CELU(2.0)(jnp.array([-2.0, 0.0, 2.0])).tolist()
    [-1.264241099357605, 0.0, 2.0]
    """

    alpha: float = positive(1.0, "minus the value that it approaches far below 0")
    textbook = "x if x > 0 else alpha * (exp(x / alpha) - 1)"

    def __call__(self, x):
        return celu(x, self.alpha)


class ISRLU(Activation):
    """Inverse square root linear unit: smooth as ELU is, without an exponential.

    Reference: Carlile, Delamarter, Kinney, Marti & Whitney, 2017, Improving deep learning by inverse square root linear
    units, arXiv:1710.09967.

    >>> ISRLU()(jnp.array([-jnp.inf, 0.0, 2.0])).tolist()
    [-1.0, 0.0, 2.0]
    """

    alpha: float = positive(1.0, "1 over the square of what it approaches far below 0")
    textbook = "x if x >= 0 else x / sqrt(1 + alpha * x**2)"

    def __call__(self, x):
        return isrlu(x, self.alpha)


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
