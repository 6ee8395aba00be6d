"""Likelihoods: costs that are −ln of the probability of E, less what does not depend on the outputs."""

import jax.numpy as jnp
import numpy as np

from chainrule.activations import Exp, Softplus
from chainrule.costs.base import Cost, in_rows, summed
from chainrule.costs.logits import exp
from chainrule.costs.positive import PositiveCost
from chainrule.costs.targets import NON_NEGATIVE, NUMBERS, POSITIVE
from chainrule.formula.constraints import constrained


class Poisson(PositiveCost):
    """The likelihood of counts whose mean is a. Its derivative by a is 1 − E / a; behind Exp it is a − E.

    Any numbers from 0 on will do, so also rates, weighted by their exposure. Keras adds 1e-7 to a; PyTorch's
    `poisson_nll_loss` takes ln a unless told otherwise, and scikit-learn's `mean_poisson_deviance` is twice
    GeneralizedKL, which differs by what does not depend on a.

    Reference: Nelder & Wedderburn, 1972, Generalized linear models.

    >>> Poisson()(jnp.array([[1.0], [2.0]]), jnp.array([[3.0], [0.0]])).item()
    1.5
    """

    canonical_activations = (Exp, Softplus)
    targets = NON_NEGATIVE
    textbook = "sum(a - E * ln(a))"

    def of_each(self, a, log_a, E):
        return a - E * jnp.where(E == 0, 0, log_a)


class Gamma(PositiveCost):
    """The likelihood of positive numbers whose mean is a, and whose deviation grows with it, as prices' does.

    Its derivative by a is (a − E) / a²; behind Exp it is 1 − E / a. scikit-learn's `mean_gamma_deviance` is twice
    ItakuraSaito, which differs by what does not depend on a. Neither Keras nor PyTorch has it.

    Reference: Nelder & Wedderburn, 1972, Generalized linear models.

    >>> Gamma()(jnp.array([[1.0]]), jnp.array([[3.0]])).item()
    3.0
    """

    canonical_activations = (Exp, Softplus)
    targets = POSITIVE
    textbook = "sum(ln(a) + E / a)"

    def of_each(self, a, log_a, E):
        return log_a + E * exp(-log_a)


def _power() -> float:
    def holds(v: object) -> bool:
        return isinstance(v, float) and 1 < v < 2

    return constrained(
        1.5, "the power of the mean to which the variance grows", "a number > 1 and < 2", holds, (1.0, 2.0, "1", None)
    )


class Tweedie(PositiveCost):
    """The likelihood of sums of a random number of positive ones, 0 among them, such as claims in a year.

    The variance is proportional to aᵖ: p = 1 would be Poisson's, p = 2 Gamma's. Its derivative by a is a⁻ᵖ (a − E).
    Half of scikit-learn's `mean_tweedie_deviance` but for what does not depend on a; neither Keras nor PyTorch has it.
    No default is published; 1.5 is the middle.

    Reference: Jørgensen, 1987, Exponential dispersion models, Journal of the Royal Statistical Society B 49.

    >>> Tweedie(1.5)(jnp.array([[1.0], [4.0]]), jnp.array([[0.0], [4.0]])).item()
    5.0
    """

    p: float = _power()

    canonical_activations = (Exp, Softplus)
    targets = NON_NEGATIVE
    textbook = "sum(a**(2 - p) / (2 - p) - E * a**(1 - p) / (1 - p))"

    def of_each(self, a, log_a, E):
        none = E == 0
        power = jnp.where(a == 0, 0, exp((2 - self.p) * log_a))
        expected = E * exp((1 - self.p) * jnp.where(none, 0, log_a))
        return power / (2 - self.p) + jnp.where(none, 0, expected) / (self.p - 1)


class GaussianNLL(Cost):
    """The likelihood of values whose mean is μ and the logarithm of whose variance is s: two outputs for each value.

    The first half of the outputs are the means, the second half the s, so that a network ends in Dense(2) for one
    value, and no variance is below 0; a run answers the mean, and the standard deviation in a column beside it. Its
    derivatives are (μ − E) / e^s and (1 − (E − μ)² / e^s) / 2. PyTorch's `gaussian_nll_loss` takes the variance itself,
    1e-6 at least; Keras has none.

    Reference: Nix & Weigend, 1994, Estimating the mean and variance of the target probability distribution.

    >>> GaussianNLL()(jnp.array([[1.0, 0.0]]), jnp.array([[3.0]])).item()
    2.0
    """

    targets = NUMBERS
    textbook = "sum(s + (E - mu)**2 * exp(-s)) / 2"

    @property
    def outputs_per_target(self):
        return 2

    def details(self, a):
        _, s = np.split(a, 2, axis=-1)
        return {"std": np.exp(s / 2)}

    def rescaled(self, a, scale, shift):
        mean, s = np.split(a, 2, axis=-1)
        return np.concatenate([mean * scale + shift, s + 2 * np.log(scale)], axis=-1)

    def each(self, a, E):
        return in_rows(_gaussian, a, E)


def _gaussian(a, E):
    mean, s = jnp.split(a, 2, axis=-1)
    return summed(s + (E - mean) ** 2 * jnp.exp(-s)) / 2
