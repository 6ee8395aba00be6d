"""Costs of values: distances between what comes and what is expected."""

import jax.numpy as jnp

from chainrule.activations import Softplus
from chainrule.arrays.functions import relu, softplus
from chainrule.costs.base import Cost, in_rows, summed
from chainrule.costs.logits import exp, held
from chainrule.costs.targets import Targets
from chainrule.formula.constraints import positive


class Quadratic(Cost):
    """Half the squared distance. Its derivative by a is a − E.

    Keras' and PyTorch's mean squared error divide by the number of outputs instead of by 2.

    Reference: Rumelhart, Hinton & Williams, 1986, Learning representations by back-propagating errors.

    >>> import jax.numpy as jnp
    >>> Quadratic()(jnp.array([[1.0, 3.0]]), jnp.array([[1.0, 1.0]])).item()
    2.0
    """

    textbook = "sum((a - E)**2) / 2"

    def each(self, a, E):
        return summed((a - E) ** 2) / 2


class AbsoluteError(Cost):
    """The distance, whose least mean is at the median. Its derivative by a is the sign of a − E, and 0 where a is E.

    Keras' and PyTorch's mean absolute error divide by the number of outputs; where a is E, Keras' derivative is −1.

    Reference: Laplace, 1774, Mémoire sur la probabilité des causes par les évènements.

    >>> AbsoluteError()(jnp.array([[1.0, 3.0]]), jnp.array([[1.0, 1.0]])).item()
    2.0
    """

    textbook = "sum(abs(a - E))"

    def each(self, a, E):
        return summed(relu(a - E) + relu(E - a))


class Huber(Cost):
    """Half the squared distance up to δ, and beyond the straight line that goes on from there: outliers count less.

    Its derivative by a is a − E, held between −δ and δ. Keras and PyTorch divide by the number of outputs; PyTorch's
    `smooth_l1_loss` is this divided by δ.

    Reference: Huber, 1964, Robust estimation of a location parameter, The Annals of Mathematical Statistics 35.

    >>> Huber()(jnp.array([[1.5, 3.0]]), jnp.array([[1.0, 1.0]])).item()
    1.625
    """

    delta: float = positive(1.0, "the distance from which on it grows evenly")

    textbook = "sum((a - E)**2 / 2 if abs(a - E) <= delta else delta * (abs(a - E) - delta / 2))"

    def each(self, a, E):
        r = a - E
        near = jnp.abs(r) <= self.delta
        within = jnp.where(near, r, 0)
        return summed(jnp.where(near, within**2 / 2, self.delta * (jnp.abs(r) - self.delta / 2)))


class LogCosh(Cost):
    """ln cosh of the distance: half its square near 0, and the distance less ln 2 far out. Its derivative is tanh.

    Computed in double, without overflow far out and without a loss of digits near 0. Keras divides by the number of
    outputs.

    Reference: Green, 1990, Bayesian reconstructions from emission tomography data using a modified EM algorithm.

    >>> LogCosh().each(jnp.array([[1e-4], [1e4]]), jnp.zeros((2, 1))).tolist()
    [4.999999525523435e-09, 9999.306640625]
    """

    textbook = "sum(ln(cosh(a - E)))"

    def each(self, a, E):
        return in_rows(_log_cosh, a, E)


def _log_cosh(a, E):
    r = a - E
    near = jnp.abs(r) < 1
    within, beyond = jnp.where(near, r, 0), jnp.abs(jnp.where(near, 1, r))
    far = beyond + jnp.log1p(jnp.exp(-2 * beyond)) - jnp.log(2.0)
    return summed(jnp.where(near, jnp.log1p(jnp.sinh(within) ** 2) / 2, far))


class SquaredLog(Cost):
    """Half the squared distance of ln(1 + a) and ln(1 + E), which both are above −1: ratios count, not differences.

    Behind Softplus it is computed from z. scikit-learn and Keras divide by the number of outputs instead of by 2, and
    Keras takes what is below 1e-7 for that. The root of its mean, twice, is what competitions call RMSLE.

    >>> SquaredLog()(jnp.array([[3.0]]), jnp.array([[1.0]])).item()
    0.24022650718688965
    """

    canonical_activations = (Softplus,)
    targets = Targets(least=-1, above=True)
    textbook = "sum((ln(1 + a) - ln(1 + E))**2) / 2"

    def each(self, a, E):
        return in_rows(_squared_log, a, E)

    def behind(self, z, E, end=None):
        return in_rows(lambda z, E: _squared_log(softplus(held(z)), E), z, E)


def _squared_log(a, E):
    return summed(jnp.log1p((a - E) / (1 + E)) ** 2) / 2


class Exponential(Cost):
    """τ times e to the power of the squared distance over τ: far larger for what is far away.

    Its derivative by a is 2 (a − E) times the exponential; both are infinite where float32 ends. No default is
    published for τ. Neither Keras nor PyTorch has it.

    Reference: Jacobson, 1973, Optimal stochastic linear systems with exponential performance criteria, IEEE
    Transactions on Automatic Control 18.

    >>> Exponential(2.0)(jnp.array([[1.0, 3.0]]), jnp.array([[1.0, 1.0]])).item()
    14.778112411499023
    """

    tau: float = positive(1.0, "the squared distance at which it is e times what it is at 0")

    textbook = "tau * exp(sum((a - E)**2) / tau)"

    def each(self, a, E):
        return in_rows(lambda a, E, tau: tau * exp(summed((a - E) ** 2) / tau), a, E, self.tau)
