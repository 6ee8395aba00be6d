"""Costs of probabilities, from information theory."""

import jax
import jax.numpy as jnp

from chainrule.activations import Sigmoid, Softmax
from chainrule.arrays import functions
from chainrule.costs.base import Cost, in_rows, summed
from chainrule.costs.logits import TINY, held, rest, times_log
from chainrule.costs.targets import CLASSES, PROBABILITIES
from chainrule.formula.constraints import fraction, non_negative, optional
from chainrule.kernels.elementwise import softplus
from chainrule.kernels.softmax import surprisal

SMOOTHING = "ε, the part of each target that is shared out among all classes"


class CrossEntropy(Cost):
    """Binary cross-entropy of each output, added up. Its derivative by a is (a − E) / ((1 − a) a).

    Behind Sigmoid it is computed from the pre-activation, where the derivative is a − E: exact however sure and
    wrong the network is. 0 ln 0 is 0. With `smoothing`, E is (1 − ε) E + ε/2, as in Keras.

    Reference: Hinton, 1989, Connectionist learning procedures.

    >>> CrossEntropy()(jnp.array([[0.5]]), jnp.array([[1.0]])).item()
    0.6931471824645996
    """

    smoothing: float | None = optional(fraction(meaning=SMOOTHING))

    canonical_activations = (Sigmoid,)
    is_default = True
    targets = PROBABILITIES
    textbook = "-sum(E * ln(a) + (1 - E) * ln(1 - a))"

    def in_textbook(self):
        if self.smoothing is None:
            return self.textbook
        return "-(1 - smoothing) * sum(E * ln(a) + (1 - E) * ln(1 - a)) - smoothing / 2 * sum(ln(a) + ln(1 - a))"

    def each(self, a, E):
        E = _smooth(E, self.smoothing, 2)
        return -summed(times_log(E, a) + times_log(1 - E, 1 - a))

    def behind(self, z, E, end=None):
        E = _smooth(E, self.smoothing, 2)
        return summed(_times(E, softplus(-z)) + _times(1 - E, softplus(z)))


class CategoricalCrossEntropy(Cost):
    """Cross-entropy of a distribution over classes. Its derivative by a is −E / a.

    Behind Softmax it is computed from the pre-activation, where the derivative is a − E. 0 ln 0 is 0. With `smoothing`,
    E is (1 − ε) E + ε/n of n classes, as in Keras and in PyTorch's `label_smoothing`.

    Reference: Bridle, 1990, Probabilistic interpretation of feedforward classification network outputs.

    >>> CategoricalCrossEntropy()(jnp.array([[0.25, 0.75]]), jnp.array([0])).item()
    1.3862943649291992
    """

    smoothing: float | None = optional(fraction(meaning=SMOOTHING))

    canonical_activations = (Softmax,)
    is_default = True
    targets = CLASSES
    textbook = "-sum(E * ln(a))"

    def in_textbook(self):
        if self.smoothing is None:
            return self.textbook
        return "-(1 - smoothing) * sum(E * ln(a)) - smoothing * mean(ln(a))"

    def each(self, a, E):
        return -summed(times_log(_smooth(E, self.smoothing, E.shape[-1]), a))

    def behind(self, z, E, end=None):
        return summed(_times(_smooth(E, self.smoothing, E.shape[-1]), surprisal(z)))


class Focal(Cost):
    """Binary cross-entropy in which an output that is nearly right hardly counts: for classes that are rare.

    With γ = 0 it is CrossEntropy. Behind Sigmoid it is computed from z. Where the paper balances the classes by α,
    `fit` weights them. Keras' BinaryFocalCrossentropy divides by the number of outputs and clips at 1e-7.

    Reference: Lin, Goyal, Girshick, He & Dollár, 2017, Focal loss for dense object detection, ICCV.

    >>> Focal()(jnp.array([[0.5]]), jnp.array([[1.0]])).item()
    0.1732867956161499
    """

    gamma: float = non_negative(2.0, "how fast what is nearly right ceases to count")

    canonical_activations = (Sigmoid,)
    targets = PROBABILITIES
    textbook = "-sum(E * (1 - a)**gamma * ln(a) + (1 - E) * a**gamma * ln(1 - a))"

    def each(self, a, E):
        return in_rows(_focal, a, E, self.gamma)

    def behind(self, z, E, end=None):
        return in_rows(_focal_behind_sigmoid, z, E, self.gamma)


class CategoricalFocal(Cost):
    """Cross-entropy of a distribution over classes in which an example that is nearly right hardly counts.

    With γ = 0 it is CategoricalCrossEntropy. Behind Softmax it is computed from z. Keras' CategoricalFocalCrossentropy
    multiplies it by α = 0.25, which another learning rate does as well, divides a by its sum and clips at 1e-7.

    Reference: Lin, Goyal, Girshick, He & Dollár, 2017, Focal loss for dense object detection, ICCV.

    >>> CategoricalFocal()(jnp.array([[0.5, 0.5]]), jnp.array([0])).item()
    0.1732867956161499
    """

    gamma: float = non_negative(2.0, "how fast what is nearly right ceases to count")

    canonical_activations = (Softmax,)
    targets = CLASSES
    textbook = "-sum(E * (1 - a)**gamma * ln(a))"

    def each(self, a, E):
        return in_rows(lambda a, E, gamma: summed(_fading(1 - a, gamma) * -times_log(E, a)), a, E, self.gamma)

    def behind(self, z, E, end=None):
        return in_rows(_focal_behind_softmax, z, E, self.gamma)


def _focal(a, E, gamma):
    return -summed(_fading(1 - a, gamma) * times_log(E, a) + _fading(a, gamma) * times_log(1 - E, 1 - a))


def _focal_behind_sigmoid(z, E, gamma):
    z = held(z)
    of_yes, of_no = functions.softplus(-z), functions.softplus(z)  # −ln a and −ln (1 − a)
    return summed(E * jnp.exp(-gamma * of_no) * of_yes + (1 - E) * jnp.exp(-gamma * of_yes) * of_no)


def _focal_behind_softmax(z, E, gamma):
    z = held(z)
    return summed(_fading(rest(z), gamma) * E * functions.surprisal(z))


def _fading(rest, gamma):
    """(1 − a)^γ; 1 − a is held above 0, where its power may have no derivative, and where it does not count."""
    return jnp.maximum(rest, TINY) ** gamma


def _smooth(E: jax.Array, smoothing: float | None, classes: int) -> jax.Array:
    """Targets of which a part is shared out among the classes."""
    return E if smoothing is None else (1 - smoothing) * E + smoothing / classes


def _times(E: jax.Array, cost: jax.Array) -> jax.Array:
    """E times a cost, where 0 ∞ is 0."""
    return E * jnp.where((E == 0) & jnp.isinf(cost), 0, cost)
