"""Self-gated activations: x times a gate of x, which is near 1 far above 0, and near 0 below."""

from chainrule.activations.base import Activation
from chainrule.formula.constraints import positive
from chainrule.kernels.gated import elish, gelu, gelu_by_tanh, hard_elish, hard_swish, lisht, mish, silu, tanh_exp


class GELU(Activation):
    """Gaussian error linear unit, a smooth rectifier: x, as often as a normal number is below it.

    Far below 0 it keeps all its digits, which the written form loses. `approximate=True` is the form by tanh that
    GPT-2 was trained with: Keras' and PyTorch's default is the exact one too, where PyTorch writes 'none' and 'tanh'.

    Reference: Hendrycks & Gimpel, 2016, Gaussian error linear units, arXiv:1606.08415.

    >>> import jax.numpy as jnp
    >>> GELU()(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [-0.15865525603294373, 0.0, 1.9544997215270996]
    >>> GELU(approximate=True)(jnp.array([-1.0])).tolist()
    [-0.15880800783634186]
    """

    approximate: bool = False
    textbook = "x * (1 + erf(x / sqrt(2))) / 2"

    def in_textbook(self):
        return "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2" if self.approximate else self.textbook

    def __call__(self, x):
        return gelu_by_tanh(x) if self.approximate else gelu(x)


class SiLU(Activation):
    """Sigmoid linear unit, or Swish, a smooth rectifier: x times its sigmoid.

    With beta = 1.702 it is near GELU. PyTorch's SiLU and Keras' silu have no beta.

    Reference: Elfwing, Uchibe & Doya, 2018, Sigmoid-weighted linear units for neural network function approximation
    in reinforcement learning, arXiv:1702.03118; Ramachandran, Zoph & Le, 2017, Searching for activation functions,
    arXiv:1710.05941.

    >>> import jax.numpy as jnp
    >>> SiLU()(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [-0.2689414322376251, 0.0, 1.7615941762924194]
    """

    beta: float = positive(1.0, "how steep the gate is")
    textbook = "x / (1 + exp(-beta * x))"

    def __call__(self, x):
        return silu(x, self.beta)


class Mish(Activation):
    """A smooth rectifier: x times the tanh of its softplus.

    Reference: Misra, 2019, Mish: a self regularized non-monotonic activation function, arXiv:1908.08681.

    >>> import jax.numpy as jnp
    >>> Mish()(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [-0.30340147018432617, 0.0, 1.9439589977264404]
    """

    textbook = "x * tanh(ln(1 + exp(x)))"

    def __call__(self, x):
        return mish(x)


class TanhExp(Activation):
    """A smooth rectifier: x times the tanh of its exponential, above 0 almost x.

    Reference: Liu & Di, 2020, TanhExp: a smooth activation function with high convergence speed for lightweight neural
    networks, arXiv:2003.09855.

    >>> import jax.numpy as jnp
    >>> TanhExp()(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [-0.35213547945022583, 0.0, 1.9999984502792358]
    """

    textbook = "x * tanh(exp(x))"

    def __call__(self, x):
        return tanh_exp(x)


class LiSHT(Activation):
    """Linearly scaled hyperbolic tangent: x times its tanh, alike on both sides of 0, and never negative.

    Reference: Roy, Manna, Dubey & Chaudhuri, 2019, LiSHT: non-parametric linearly scaled hyperbolic tangent activation
    function for neural networks, arXiv:1901.05894.

    >>> import jax.numpy as jnp
    >>> LiSHT()(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [0.7615941762924194, 0.0, 1.9280551671981812]
    """

    textbook = "x * tanh(x)"

    def __call__(self, x):
        return lisht(x)


class ELiSH(Activation):
    """Exponential linear sigmoid squashing: ELU times the sigmoid.

    Reference: Basirat & Roth, 2018, The quest for the golden activation function, arXiv:1808.00783.

    >>> import jax.numpy as jnp
    >>> ELiSH()(jnp.array([-1.0, 0.0, 2.0])).tolist()
    [-0.17000339925289154, 0.0, 1.7615941762924194]
    """

    textbook = "x / (1 + exp(-x)) if x >= 0 else (exp(x) - 1) / (1 + exp(-x))"

    def __call__(self, x):
        return elish(x)


class HardELiSH(Activation):
    """ELU times a hard sigmoid, which is 0 up to −1 and 1 from 1 on. At −1 and 1 the derivative is that of the left.

    Reference: Basirat & Roth, 2018, The quest for the golden activation function, arXiv:1808.00783.

    >>> import jax.numpy as jnp
    >>> HardELiSH()(jnp.array([-1.0, -0.5, 2.0])).tolist()
    [-0.0, -0.09836733341217041, 2.0]
    """

    textbook = """
        0 if x <= -1 else (exp(x) - 1) * (x + 1) / 2 if x <= 0 else x * (x + 1) / 2 if x <= 1 else x"""

    def __call__(self, x):
        return hard_elish(x)


class HardSwish(Activation):
    """A rectifier near SiLU, without an exponential: x times a hard sigmoid, which is 0 up to −3 and 1 from 3 on.

    At −3 and 3 the derivative is that of the left, 0 and 1.5; PyTorch's at 3 is 1.

    Reference: Howard et al., 2019, Searching for MobileNetV3, arXiv:1905.02244.

    >>> import jax.numpy as jnp
    >>> HardSwish()(jnp.array([-1.0, 0.0, 4.0])).tolist()
    [-0.3333333432674408, 0.0, 4.0]
    """

    textbook = "0 if x <= -3 else x * (x + 3) / 6 if x <= 3 else x"

    def __call__(self, x):
        return hard_swish(x)
