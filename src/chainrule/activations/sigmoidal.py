"""Activations that saturate on both sides, and the logarithm of one."""

from chainrule.activations.base import Activation
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import number, positive
from chainrule.kernels.elementwise import sigmoid, tanh
from chainrule.kernels.sigmoidal import (
    arctan,
    binary_step,
    hard_sigmoid,
    hard_tanh,
    isru,
    log_sigmoid,
    soboleva_tanh,
    soft_clipping,
    softsign,
    sqnl,
)


class Tanh(Activation):
    """Hyperbolic tangent, from −1 to 1.

    Reference: LeCun, Bottou, Orr & Müller, 1998, Efficient BackProp.

    >>> import jax.numpy as jnp
    >>> Tanh()(jnp.array([0.0])).tolist()
    [0.0]
    """

    textbook = "(exp(x) - exp(-x)) / (exp(x) + exp(-x))"

    def __call__(self, x):
        return tanh(x)


class Sigmoid(Activation):
    """Logistic function, from 0 to 1. Behind CrossEntropy both are computed together.

    Reference: Rumelhart, Hinton & Williams, 1986, Learning representations by back-propagating errors.

    >>> import jax.numpy as jnp
    >>> Sigmoid()(jnp.array([0.0])).tolist()
    [0.5]
    """

    probable = True
    textbook = "1 / (1 + exp(-x))"

    def __call__(self, x):
        return sigmoid(x)


class LogSigmoid(Activation):
    """Logarithm of the logistic function, without loss where that is near 0 or 1.

    Reference: Dugas, Bengio, Bélisle, Nadeau & Garcia, 2001, Incorporating second-order functional knowledge for
    better option pricing: minus the softplus of −x.

    >>> import jax.numpy as jnp
    >>> LogSigmoid()(jnp.array([-1000.0, 1000.0])).tolist()
    [-1000.0, -0.0]
    """

    textbook = "-ln(1 + exp(-x))"

    def __call__(self, x):
        return log_sigmoid(x)


class BinaryStep(Activation):
    """Step from 0 to 1, which it is at 0 too. Nothing learns through it: its derivative is 0 everywhere.

    Of use behind what is trained already, and for teaching.

    Reference: McCulloch & Pitts, 1943, A logical calculus of the ideas immanent in nervous activity.

    >>> import jax.numpy as jnp
    >>> BinaryStep()(jnp.array([-0.5, 0.0, 2.0])).tolist()
    [0.0, 1.0, 1.0]
    """

    textbook = "0 if x < 0 else 1"

    def __call__(self, x):
        return binary_step(x)


class Softsign(Activation):
    """From −1 to 1 as tanh, which it approaches more slowly: its derivative falls with the square of x.

    Reference: Turian, Bergstra & Bengio, 2009, Quadratic features and deep architectures for chunking.

    >>> import jax.numpy as jnp
    >>> Softsign()(jnp.array([-1.0, 3.0])).tolist()
    [-0.5, 0.75]
    """

    textbook = "x / (1 + abs(x))"

    def __call__(self, x):
        return softsign(x)


class ArcTan(Activation):
    """Arc tangent, from −π/2 to π/2.

    Reference: Kamruzzaman & Aziz, 2002, A note on activation function in multilayer feedforward learning.

    >>> import jax.numpy as jnp
    >>> ArcTan()(jnp.array([0.0, jnp.inf])).tolist()
    [0.0, 1.5707963705062866]
    """

    textbook = "atan(x)"

    def __call__(self, x):
        return arctan(x)


class SQNL(Activation):
    """Square non-linearity: two halves of parabolas from −1 to 1, cheap and alike to tanh.

    Reference: Wuraola & Patel, 2018, SQNL: a new computationally efficient activation function.

    >>> import jax.numpy as jnp
    >>> SQNL()(jnp.array([-3.0, 0.0, 1.0])).tolist()
    [-1.0, 0.0, 0.75]
    """

    textbook = "1 if x > 2 else x - x**2 / 4 if x >= 0 else x + x**2 / 4 if x >= -2 else -1"

    def __call__(self, x):
        return sqnl(x)


class ISRU(Activation):
    """Inverse square root unit, from −1/√alpha to 1/√alpha.

    Reference: Carlile, Delamarter, Kinney, Marti & Whitney, 2017, Improving deep learning by inverse square root
    linear units (ISRLUs), arXiv:1710.09967.

    >>> import jax.numpy as jnp
    >>> ISRU()(jnp.array([0.0, 1e30])).tolist()
    [0.0, 1.0]
    """

    alpha: float = positive(1.0, "the inverse square of the value that it approaches")
    textbook = "x / sqrt(1 + alpha * x**2)"

    def __call__(self, x):
        return isru(x, self.alpha)


class SobolevaTanh(Activation):
    """Hyperbolic tangent with a rate for each of its exponentials; tanh itself, where all are 1.

    It stays finite where a is at most c, and b at most d; where a is less than c, it falls back to 0 on the right.

    Reference: Golev, Iliev & Kyurkchiev, 2017, A note on the Soboleva' modified hyperbolic tangent activation function.

    >>> import jax.numpy as jnp
    >>> SobolevaTanh(c=2)(jnp.array([-100.0, 0.0, 1000.0])).tolist()
    [-1.0, 0.0, 0.0]
    """

    a: float = positive(1.0, "how fast it rises on the right")
    b: float = positive(1.0, "how fast it falls on the left")
    c: float = positive(1.0, "how fast what divides it rises on the right")
    d: float = positive(1.0, "how fast what divides it rises on the left")
    textbook = "(exp(a * x) - exp(-b * x)) / (exp(c * x) + exp(-d * x))"

    def __call__(self, x):
        return soboleva_tanh(x, self.a, self.b, self.c, self.d)


class SoftClipping(Activation):
    """x clipped at 0 and 1, with smooth bends: the difference of two softplus, without the loss of such.

    alpha is the p of the publication, which is 50 there: between 0 and 1 it is nearly x itself.

    Reference: Klimek & Perelstein, 2020, Neural network-based approach to phase space integration, arXiv:1810.11509.

    >>> import jax.numpy as jnp
    >>> SoftClipping()(jnp.array([-1e30, 0.5, 1e30])).tolist()
    [0.0, 0.5, 1.0]
    """

    alpha: float = positive(50.0, "how sharp its bends are")
    textbook = "ln((1 + exp(alpha * x)) / (1 + exp(alpha * (x - 1)))) / alpha"

    def __call__(self, x):
        return soft_clipping(x, self.alpha)


class HardSigmoid(Activation):
    """Straight sigmoid: 0 up to −3, 1 from 3 on, and a line between. At 3 its derivative is that of the line.

    Keras and PyTorch have the same, with the derivative 0 at 3 in PyTorch; before version 3, Keras had 0.2 x + 0.5.

    Reference: Howard et al., 2019, Searching for MobileNetV3, arXiv:1905.02244.

    >>> import jax.numpy as jnp
    >>> HardSigmoid()(jnp.array([-3.0, 0.0, 5.0])).tolist()
    [0.0, 0.5, 1.0]
    """

    textbook = "0 if x <= -3 else 1 if x >= 3 else (x + 3) / 6"

    def __call__(self, x):
        return hard_sigmoid(x)


class HardTanh(Activation):
    """Straight tanh: x, clipped at both ends. At the high one its derivative is still 1; in PyTorch it is 0.

    Reference: Collobert, 2004, Large scale machine learning.

    >>> import jax.numpy as jnp
    >>> HardTanh()(jnp.array([-3.0, 0.5, 3.0])).tolist()
    [-1.0, 0.5, 1.0]
    """

    low: float = number(-1.0, "the least value")
    high: float = number(1.0, "the largest value")
    textbook = "low if x < low else high if x > high else x"

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.low, float) and isinstance(self.high, float) and self.low > self.high:
            raise ChainruleError(f"HardTanh: low must not be above high, got {self.low} and {self.high}. Swap them.")

    def __call__(self, x):
        return hard_tanh(x, self.low, self.high)
