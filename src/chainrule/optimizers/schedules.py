"""Schedules: a learning rate that changes with the step t, which counts from 0.

A schedule stands wherever a learning rate stands. Lengths are counted in steps (batches). Where a length is left
open, `fit` fills in the length of the whole run.
"""

import dataclasses
import math
from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp

from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.formula.constraints import constrained, fraction, non_negative, optional, positive, positive_int


class Schedule(Formula):
    """A learning rate as a function of the step."""

    @abstractmethod
    def __call__(self, t: Any) -> jax.Array:
        """The learning rate at step t, counted from 0."""

    def over(self, total: float) -> "Schedule":
        """The same schedule with open lengths filled in for a run of `total` steps."""
        if getattr(self, "steps", 0) is None:
            return dataclasses.replace(self, steps=total)  # type: ignore[arg-type]
        return self

    def progress(self, t: Any) -> jax.Array:
        """How much of the schedule has passed at step t, from 0 to 1."""
        steps: Any = getattr(self, "steps", None)
        if steps is None:
            raise ChainruleError(f"{self!r}: its length is known only inside fit. Outside, give it: steps=1000.")
        return jnp.clip(real(t) / steps, 0, 1)


def rate(default: float, meaning: str = "η, the length of a step") -> Any:
    """A field for a learning rate: a positive number or a schedule."""
    constraint = positive().metadata["constraint"]
    return constrained(
        default,
        meaning,
        "a number > 0 or a schedule",
        lambda v: isinstance(v, Schedule) or constraint.holds(v),
        constraint.invalid,
    )


class ConstantRate(Schedule):
    """The same rate at every step; a plain number says the same.

    >>> float(ConstantRate(0.5)(100))
    0.5
    """

    value: float = positive(meaning="the rate")
    textbook = "value"

    def __call__(self, t):
        return jnp.asarray(self.value)


class StepDecay(Schedule):
    """The rate drops by a factor at equal distances.

    Reference: He, Zhang, Ren & Sun, 2016, Deep residual learning for image recognition, arXiv:1512.03385.

    >>> schedule = StepDecay(1.0, every=100, factor=0.5)
    >>> [float(schedule(t)) for t in (0, 99, 100, 200)]
    [1.0, 1.0, 0.5, 0.25]
    """

    initial: float = positive(meaning="the rate at the beginning")
    every: float = positive(meaning="steps from one drop to the next")
    factor: float = positive(0.1, "what the rate is multiplied by at a drop")
    textbook = "initial * factor**floor(t / every)"

    def __call__(self, t):
        return self.initial * self.factor ** passed(real(t), self.every)


class ExponentialDecay(Schedule):
    """The rate falls by the same proportion at every step, and by `factor` over `steps`.

    >>> schedule = ExponentialDecay(1.0, factor=0.01, steps=100)
    >>> round(float(schedule(50)), 6)
    0.1
    """

    initial: float = positive(meaning="the rate at the beginning")
    factor: float = positive(0.01, "the part of the rate that is left after `steps`")
    steps: float | None = optional(positive(meaning="the length; None: the whole run"))
    textbook = "initial * factor**(t / steps)"

    def __call__(self, t):
        steps: Any = self.steps
        self.progress(t)  # refuses an open length
        return self.initial * self.factor ** (real(t) / steps)


class InverseTimeDecay(Schedule):
    """The rate falls as 1/t does, and has `factor` left after `steps`: fast at first, and never to 0.

    Keras' decay_rate is 1/factor − 1.

    Reference: Robbins & Monro, 1951, A stochastic approximation method.

    >>> schedule = InverseTimeDecay(1.0, factor=0.01, steps=99)
    >>> [round(float(schedule(t)), 6) for t in (0, 1, 9, 99)]
    [1.0, 0.5, 0.1, 0.01]
    """

    initial: float = positive(meaning="the rate at the beginning")
    factor: float = positive(0.01, "the part of the rate that is left after `steps`")
    steps: float | None = optional(positive(meaning="the length; None: the whole run"))
    textbook = "initial / (1 + (1 / factor - 1) * t / steps)"

    def __call__(self, t):
        steps: Any = self.steps
        self.progress(t)  # refuses an open length
        return self.initial / (1 + (1 / self.factor - 1) * real(t) / steps)


class LinearDecay(Schedule):
    """The rate falls in a straight line, from `initial` to `final`, and stays there.

    Reference: Li, Yumer & Ramanan, 2020, Budgeted training: rethinking deep neural network training under resource
    constraints, arXiv:1905.04753.

    >>> schedule = LinearDecay(1.0, steps=100)
    >>> [round(float(schedule(t)), 6) for t in (0, 25, 100, 200)]
    [1.0, 0.75, 0.0, 0.0]
    """

    initial: float = positive(meaning="the rate at the beginning")
    final: float = non_negative(0.0, "the rate at the end")
    steps: float | None = optional(positive(meaning="the length; None: the whole run"))
    textbook = "final + (initial - final) * (1 - min(t / steps, 1))"

    def __call__(self, t):
        return self.final + (self.initial - self.final) * (1 - self.progress(t))


class PolynomialDecay(Schedule):
    """The rate falls along a power of what is left of the run, from `initial` to `final`, and stays there.

    Keras' default is a power of 1, which is `LinearDecay`; LARS was published with 2.

    Reference: Chen, Papandreou, Kokkinos, Murphy & Yuille, 2017, DeepLab: semantic image segmentation with deep
    convolutional nets, atrous convolution, and fully connected CRFs, arXiv:1606.00915.

    >>> schedule = PolynomialDecay(1.0, power=2, steps=100)
    >>> [round(float(schedule(t)), 6) for t in (0, 50, 100, 200)]
    [1.0, 0.25, 0.0, 0.0]
    """

    initial: float = positive(meaning="the rate at the beginning")
    power: float = positive(0.9, "the power: above 1 it falls fast at first, below 1 at the end")
    final: float = non_negative(0.0, "the rate at the end")
    steps: float | None = optional(positive(meaning="the length; None: the whole run"))
    textbook = "final + (initial - final) * (1 - min(t / steps, 1))**power"

    def __call__(self, t):
        return self.final + (self.initial - self.final) * (1 - self.progress(t)) ** self.power


class CosineDecay(Schedule):
    """The rate falls along half a cosine, from `initial` to `final`, and stays there.

    Reference: Loshchilov & Hutter, 2017, SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983.

    >>> schedule = CosineDecay(1.0, steps=100)
    >>> [round(float(schedule(t)), 6) for t in (0, 50, 100, 200)]
    [1.0, 0.5, 0.0, 0.0]
    """

    initial: float = positive(meaning="the rate at the beginning")
    final: float = non_negative(0.0, "the rate at the end")
    steps: float | None = optional(positive(meaning="the length; None: the whole run"))
    textbook = "final + (initial - final) * (1 + cos(pi * min(t / steps, 1))) / 2"

    def __call__(self, t):
        return self.final + (self.initial - self.final) * (1 + jnp.cos(jnp.pi * self.progress(t))) / 2


class CosineRestarts(Schedule):
    """The rate falls along half a cosine again and again, each time over a longer cycle.

    PyTorch's default is a growth of 1, cycles of one length.

    Reference: Loshchilov & Hutter, 2017, SGDR: stochastic gradient descent with warm restarts, arXiv:1608.03983.

    >>> schedule = CosineRestarts(1.0, every=100)
    >>> [round(float(schedule(t)), 6) for t in (0, 50, 100, 200, 300)]
    [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    initial: float = positive(meaning="the rate at the beginning of a cycle")
    every: float = positive(meaning="the length of the first cycle in steps")
    growth: int = positive_int(2, "how many times longer each cycle is than the one before")
    final: float = non_negative(0.0, "the rate at the end of a cycle")
    textbook = """
        i = floor(ln(1 + (growth - 1) * t / every) / ln(growth))
        start = every * (growth**i - 1) / (growth - 1)
        rate = final + (initial - final) * (1 + cos(pi * (t - start) / (every * growth**i))) / 2"""

    def in_textbook(self):
        if self.growth > 1:
            return self.textbook
        return """
        i = floor(t / every)
        rate = final + (initial - final) * (1 + cos(pi * (t / every - i))) / 2"""

    def __call__(self, t):
        t = real(t)
        start = self.start(t)
        part = (t - start) / (self.every + (self.growth - 1) * start)
        return self.final + (self.initial - self.final) * (1 + jnp.cos(jnp.pi * part)) / 2

    def start(self, t: jax.Array) -> jax.Array:
        """The step at which the cycle of step t began: of all at which one does, as a logarithm may miss it by one."""
        if self.growth == 1:
            return self.every * passed(t, self.every)
        cycles = range(1, math.ceil(32 / math.log2(self.growth)))
        starts = self.every * jnp.asarray([(self.growth**i - 1) // (self.growth - 1) for i in cycles], t.dtype)
        return jnp.max(jnp.where(starts <= t[..., None], starts, 0), axis=-1, initial=0)


class NoamDecay(Schedule):
    """The rate rises in a straight line through the warm-up, then falls as 1/√t does.

    It is as published a rate of its own, by the width of the network, with `factor` as a factor on that.

    Reference: Vaswani et al., 2017, Attention is all you need, arXiv:1706.03762.

    >>> schedule = NoamDecay(units=100, warmup=400)
    >>> [round(float(schedule(t)), 6) for t in (99, 199, 399, 1599)]
    [0.00125, 0.0025, 0.005, 0.0025]
    """

    units: float = positive(512.0, "the width of the network")
    warmup: float = positive(4000.0, "the steps of the warm-up")
    factor: float = positive(1.0, "what the published rate is multiplied by")
    textbook = "factor / sqrt(units) * min(1 / sqrt(t + 1), (t + 1) / warmup**1.5)"

    def __call__(self, t):
        t = real(t) + 1
        return self.factor * self.units**-0.5 * jnp.minimum(t**-0.5, t * self.warmup**-1.5)


class Warmup(Schedule):
    """The rate rises in a straight line for some steps; then another schedule begins.

    Reference: Goyal et al., 2017, Accurate, large minibatch SGD, arXiv:1706.02677.

    >>> schedule = Warmup(CosineDecay(1.0), steps=4).over(104)
    >>> [round(float(schedule(t)), 6) for t in (0, 1, 3, 4, 54, 104)]
    [0.25, 0.5, 1.0, 1.0, 0.5, 0.0]
    """

    then: float | Schedule = rate(meaning="the schedule, or the rate, after the warm-up", default=0.001)
    steps: float = positive(100.0, "the length of the warm-up")
    textbook = "then(0) * (t + 1) / steps if t < steps else then(t - steps)"

    def over(self, total):
        return dataclasses.replace(self, then=over(self.then, max(total - self.steps, 1.0)))

    def __call__(self, t):
        t = real(t)
        rising = rate_at(self.then, 0) * (t + 1) / self.steps
        return jnp.where(t < self.steps, rising, rate_at(self.then, jnp.maximum(t - self.steps, 0)))


class OneCycle(Schedule):
    """The rate rises to its maximum and then falls far below where it began, both along half a cosine.

    PyTorch's OneCycleLR counts a step less (its rise ends at rise · steps − 1) and cycles momentum too.

    Reference: Smith & Topin, 2018, Super-convergence: very fast training of neural networks using large learning
    rates, arXiv:1708.07120.

    >>> schedule = OneCycle(1.0, steps=100)
    >>> [round(float(schedule(t)), 6) for t in (0, 30, 100)]
    [0.04, 1.0, 4e-06]
    """

    maximum: float = positive(meaning="the rate at the top")
    rise: float = fraction(0.3, "the part of the length that rises")
    start: float = positive(25.0, "how many times lower than the maximum the rate begins")
    end: float = positive(250000.0, "how many times lower than the maximum the rate ends")
    steps: float | None = optional(positive(meaning="the length; None: the whole run"))
    textbook = """
        p = min(t / steps, 1)
        up = maximum / start + (maximum - maximum / start) * (1 - cos(pi * p / rise)) / 2
        down = maximum / end + (maximum - maximum / end) * (1 + cos(pi * (p - rise) / (1 - rise))) / 2
        rate = up if p < rise else down"""

    def __call__(self, t):
        p = self.progress(t)
        low, high, bottom = self.maximum / self.start, self.maximum, self.maximum / self.end
        up = low + (high - low) * (1 - jnp.cos(jnp.pi * p / jnp.maximum(self.rise, 1e-30))) / 2
        down = bottom + (high - bottom) * (1 + jnp.cos(jnp.pi * (p - self.rise) / (1 - self.rise))) / 2
        return jnp.where(p < self.rise, up, down)


def real(t: Any) -> jax.Array:
    """A step, counted in whole numbers, as a number to compute with."""
    return jnp.asarray(t, float)


def passed(t: jax.Array, every: Any) -> jax.Array:
    """How often so many steps have passed at step t; a rounded quotient would be a step early or late."""
    times = jnp.round(t / every)
    return jnp.where(times * every > t, times - 1, times)


def rate_at(rate: Any, t: Any) -> Any:
    """The learning rate at step t, of a schedule or a plain number."""
    return rate(t) if isinstance(rate, Schedule) else rate


def over(formula: Any, total: float) -> Any:
    """A formula with every schedule's open length filled in for a run of `total` steps."""
    return jax.tree.map(lambda node: node.over(total) if _is_schedule(node) else node, formula, is_leaf=_is_schedule)


def _is_schedule(node: Any) -> bool:
    return isinstance(node, Schedule)
