"""Quantiles: costs whose least mean is not at the mean of what is expected, but where a part of it is below."""

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.dtypes import of_axes
from chainrule.arrays.functions import relu
from chainrule.costs.base import Cost
from chainrule.costs.targets import NUMBERS
from chainrule.formula.constraints import constrained


def _levels() -> float | tuple[float, ...]:
    def inside(v: object) -> bool:
        return isinstance(v, float) and 0 < v < 1

    def holds(v: object) -> bool:
        return inside(v) or (type(v) is tuple and bool(v) and all(map(inside, v)))

    invalid = (0.0, 1.0, "1", None, (), (0.5, 2.0))
    return constrained(0.5, "the part that is to be below", "a number > 0 and < 1, or a tuple of them", holds, invalid)


class Quantile(Cost):
    """What is above a counts τ, and what is below it 1 − τ: the part τ of what is expected is then below the outputs.

    Its derivative by a is −τ where a is too small, 1 − τ where it is too large, and 0 where it is E. With a tuple,
    such as (0.1, 0.5, 0.9), a network has an output for each τ (of several values first those of the first τ), and the
    quantile nearest to the median is what metrics measure; a run answers that, and each in a column beside it. τ = 0.5
    is half of AbsoluteError; scikit-learn has it as `mean_pinball_loss`. Neither Keras nor PyTorch has it.

    Reference: Koenker & Bassett, 1978, Regression quantiles, Econometrica 46.

    >>> Quantile(0.75)(jnp.array([[1.0], [5.0]]), jnp.array([[3.0], [3.0]])).item()
    1.0
    >>> Quantile((0.25, 0.75)).each(jnp.array([[1.0, 5.0]]), jnp.array([[3.0]])).tolist()
    [1.0]
    """

    tau: float | tuple[float, ...] = _levels()

    targets = NUMBERS
    textbook = "sum(max(tau * (E - a), (tau - 1) * (E - a)))"

    @property
    def outputs_per_target(self):
        return len(self._levels)

    def estimate(self, a):
        distances = jnp.stack([jnp.abs(level - 0.5) for level in self._levels])
        nearest = jnp.argmin(distances)
        return self._by_level(a)[..., nearest if isinstance(a, jax.Array) else int(nearest), :]

    def details(self, a):
        if len(self._levels) == 1:
            return {}
        quantiles = np.split(a, len(self._levels), axis=-1)
        return {f"{level:g}": each for level, each in zip(self._levels, quantiles, strict=True)}

    def each(self, a, E):
        short = E[..., None, :] - self._by_level(a)
        tau = of_axes(jnp.stack([jnp.asarray(level, a.dtype) for level in self._levels])[:, None], short)
        return jnp.sum(tau * relu(short) + (1 - tau) * relu(-short), axis=(-2, -1))

    @property
    def _levels(self) -> tuple:
        return self.tau if isinstance(self.tau, tuple) else (self.tau,)

    def _by_level(self, a):
        return a.reshape(*a.shape[:-1], len(self._levels), -1)
