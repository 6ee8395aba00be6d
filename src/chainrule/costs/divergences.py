"""Divergences: costs of distributions and of positive numbers that are 0 where a is E, and nowhere else."""

import math

import jax.numpy as jnp

from chainrule.activations import Exp, Sigmoid, Softmax, Softplus
from chainrule.arrays.functions import surprisal
from chainrule.costs.base import in_rows, summed
from chainrule.costs.logits import excess, expm1, held, with_derivative_of
from chainrule.costs.positive import PositiveCost
from chainrule.costs.targets import CLASSES, NON_NEGATIVE, POSITIVE, PROBABILITIES


class Hellinger(PositiveCost):
    """The squared distance of the square roots of probabilities. Its derivative by a is (1 − √E / √a) / √2.

    That is infinite at 0, but not behind Sigmoid or Softmax, where cost and derivative are computed from z. The square
    of Hellinger's distance itself has 1/2 in the place of 1/√2. Neither Keras nor PyTorch has it.

    Reference: Hellinger, 1909, Neue Begründung der Theorie quadratischer Formen von unendlichvielen Veränderlichen.

    >>> Hellinger()(jnp.array([[0.25, 1.0]]), jnp.array([[0.0, 1.0]])).item()
    0.1767766922712326
    """

    canonical_activations = (Sigmoid, Softmax)
    targets = PROBABILITIES
    textbook = "sum((sqrt(a) - sqrt(E))**2) / sqrt(2)"

    def of_each(self, a, log_a, E):
        none = E == 0
        E = jnp.where(none, 1, E)
        return jnp.where(none, a, E * expm1((log_a - jnp.log(E)) / 2) ** 2) / math.sqrt(2)

    def each(self, a, E):
        return in_rows(_hellinger, a, E)

    def behind(self, z, E, end=None):
        return in_rows(_hellinger_behind_softmax, z, E, self) if end is Softmax else super().behind(z, E, end)


def _hellinger(a, E):
    none = E == 0
    b, E = jnp.where(none, 1, a), jnp.where(none, 1, E)
    return summed(jnp.where(none, a, ((b - E) / (jnp.sqrt(b) + jnp.sqrt(E))) ** 2)) / math.sqrt(2)


def _hellinger_behind_softmax(z, E, cost):
    """As of any others, but Σ a does not change."""
    log_a = -surprisal(held(z))
    value = summed(cost.of_each(jnp.exp(log_a), log_a, E))
    return with_derivative_of(-math.sqrt(2) * summed(jnp.sqrt(E) * jnp.exp(log_a / 2)), value)


class KullbackLeibler(PositiveCost):
    """How much more surprising a is than E, whose distribution it should be. Its derivative by a is −E / a.

    Behind Softmax it is computed from z, where the derivative is a − E. It is CategoricalCrossEntropy less what does
    not depend on a. 0 ln 0 is 0, where PyTorch's `kl_div` takes ln a for its input, and Keras clips both at 1e-7.

    Reference: Kullback & Leibler, 1951, On information and sufficiency, The Annals of Mathematical Statistics 22.

    >>> KullbackLeibler()(jnp.array([[0.25, 0.75]]), jnp.array([[0.0, 1.0]])).item()
    0.28768208622932434
    """

    canonical_activations = (Softmax,)
    targets = CLASSES
    textbook = "sum(E * ln(E / a))"

    def of_each(self, a, log_a, E):
        none = E == 0
        return jnp.where(none, 0, E * (jnp.log(jnp.where(none, 1, E)) - jnp.where(none, 0, log_a)))


class GeneralizedKL(PositiveCost):
    """The Kullback–Leibler divergence of numbers that need not add up to 1. Its derivative by a is 1 − E / a.

    Half of the deviance of Poisson's distribution, which scikit-learn has as `mean_poisson_deviance`: Poisson is the
    same but for what does not depend on a. Behind Exp and Softplus it is computed from z; 0 ln 0 is 0.

    Reference: Csiszár, 1991, Why least squares and maximum entropy?, The Annals of Statistics 19.

    >>> GeneralizedKL()(jnp.array([[2.0, 3.0]]), jnp.array([[2.0, 0.0]])).item()
    3.0
    """

    canonical_activations = (Softplus, Exp)
    targets = NON_NEGATIVE
    textbook = "sum(E * ln(E / a) - E + a)"

    def of_each(self, a, log_a, E):
        none = E == 0
        E = jnp.where(none, 1, E)
        return jnp.where(none, a, E * excess(log_a - jnp.log(E)))


class ItakuraSaito(PositiveCost):
    """A divergence of spectra, the same whatever their unit. Its derivative by a is (a − E) / a².

    Half of the deviance of the gamma distribution, which scikit-learn has as `mean_gamma_deviance`. Both a and E are
    above 0; behind Exp it is computed from z, without a loss of digits near a = E.

    Reference: Itakura & Saito, 1968, Analysis synthesis telephony based on the maximum likelihood method.

    >>> ItakuraSaito()(jnp.array([[1.0, 2.0]]), jnp.array([[1.0, 4.0]])).item()
    0.3068528175354004
    """

    canonical_activations = (Exp,)
    targets = POSITIVE
    textbook = "sum(E / a - ln(E / a) - 1)"

    def of_each(self, a, log_a, E):
        return excess(jnp.log(E) - log_a)
