"""Activations that learn their form: numbers of their own, one a channel (the last axis), which are not regularised."""

from typing import Any

from chainrule.activations.base import Activation
from chainrule.arrays import functions
from chainrule.arrays.dtypes import of_axes, promoted
from chainrule.formula.constraints import non_negative, number, positive, positive_int
from chainrule.formula.layer import Parameter
from chainrule.initializers import Constant, Normal, Uniform
from chainrule.kernels.learned import apl, snake, srelu


class PReLU(Activation):
    """Rectified linear unit with a learned slope below 0: one a channel (the last axis), or one for all.

    The slopes are parameters and are not regularised.

    Reference: He, Zhang, Ren & Sun, 2015, Delving deep into rectifiers, arXiv:1502.01852.

    >>> import jax.numpy as jnp
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


class Snake(Activation):
    """x and a wave around it, whose frequency is learned: for periodic series, which it continues.

    Reference: Ziyin, Hartwig & Ueda, 2020, Neural networks fail to learn periodic functions and how to fix it,
    arXiv:2006.08195.

    >>> import jax.numpy as jnp
    >>> Snake()(jnp.array([0.0, jnp.pi / 2]), alpha=2.0).tolist()
    [0.0, 1.5707963705062866]
    """

    initial: float = positive(1.0, "alpha before training: half the frequency of the wave")
    textbook = "x + sin(alpha * x)**2 / alpha"

    def parameters(self, shape):
        return {"alpha": Parameter(shape[-1:], Constant(self.initial))}

    def forward(self, p, x):
        return snake(*promoted(x, of_axes(p["alpha"], x)))

    def __call__(self, x, alpha: Any = None):
        return snake(x, self.initial if alpha is None else alpha)


class SReLU(Activation):
    """S-shaped rectified linear unit: x between two thresholds, and beyond each a line of a slope of its own.

    Thresholds and slopes are learned, t_l and a_l of the left line, t_r and a_r of the right one. Before training it is
    leaky: t_l is 0, t_r and a_r are 1. In the publication t_r is set by the data after some epochs.

    Reference: Jin, Xu, Feng, Wei, Xiong & Yan, 2016, Deep learning with S-shaped rectified linear activation units,
    arXiv:1512.07030.

    >>> import jax.numpy as jnp
    >>> SReLU()(jnp.array([-1.0, 0.5, 2.0])).tolist()
    [-0.20000000298023224, 0.5, 2.0]
    """

    initial: float = number(0.2, "the slope of the left line before training")
    textbook = "t_l + a_l * (x - t_l) if x <= t_l else x if x <= t_r else t_r + a_r * (x - t_r)"

    def _before(self) -> dict[str, float]:
        return {"t_l": 0.0, "a_l": self.initial, "t_r": 1.0, "a_r": 1.0}

    def parameters(self, shape):
        return {name: Parameter(shape[-1:], Constant(value)) for name, value in self._before().items()}

    def forward(self, p, x):
        return srelu(*promoted(x, *(of_axes(p[name], x) for name in self._before())))

    def __call__(self, x, **numbers: Any):
        return srelu(x, *(self._before() | numbers).values())


class APL(Activation):
    """Adaptive piecewise linear unit: a rectifier and a sum of hinges, whose slopes a and places b are learned.

    Called on values alone it is ReLU, its mean before training, when each a is drawn from −0.2 to 0.2, and each b with
    the standard deviation 0.5. The publication penalises both; here they are not regularised.

    Reference: Agostinelli, Hoffman, Sadowski & Baldi, 2015, Learning activation functions to improve deep neural
    networks, arXiv:1412.6830.

    >>> import jax.numpy as jnp
    >>> APL(1)(jnp.array([-1.0, 2.0]), a=[0.5], b=[0.0]).tolist()
    [0.5, 2.0]
    """

    hinges: int = positive_int(5, "how many hinges each channel has")
    textbook = "max(0, x) + sum(a[s] * max(0, b[s] - x) for s)"

    def parameters(self, shape):
        size = (self.hinges, *shape[-1:])
        return {"a": Parameter(size, Uniform(-0.2, 0.2)), "b": Parameter(size, Normal(0.5))}

    def forward(self, p, x):
        x, *numbers = promoted(x, *(of_axes(row, x) for name in "ab" for row in p[name]))
        return apl(self.hinges)(x, *numbers)

    def __call__(self, x, a: Any = None, b: Any = None):
        return functions.relu(x) if a is None else apl(self.hinges)(x, *a, *b)
