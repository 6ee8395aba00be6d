"""Averaging: an optimizer walks, and what is kept is a mean of where it was."""

from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import real_type, widened
from chainrule.errors import ChainruleError
from chainrule.formula.constraints import fraction, optional, positive_int
from chainrule.optimizers.base import Around, Optimizer, following, picked
from chainrule.optimizers.moments import filled


class Beside(Around):
    """An optimizer around one that walks, which keeps a point of its own beside it and publishes that."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optimizer.publishes:
            raise ChainruleError(
                f"{type(self).__name__}: {self.optimizer!r} has a point of its own to publish already. "
                f"Take one that has none, such as Adam()."
            )

    @property
    def has_rates(self):  # exact zeros of the walk are none of the mean
        return False

    @property
    def publishes(self):
        return True

    @abstractmethod
    def beside(self, point: Any, params: Any, t: jax.Array) -> tuple[Any, Any]:
        """The point after step t = 1, 2, … which led to some parameters, and where the walk goes on."""

    def init(self, params):
        began = {
            "t": np.zeros((), np.int32),
            "walk": self.optimizer.init(params),
            "point": jax.tree.map(widened, params),
        }
        return put(began)

    def update(self, grads, state, params=None):
        if params is None:
            raise ChainruleError(f"{self!r}: its steps depend on the parameters. Call update(grads, state, params).")
        after, state = self.advance(params, grads, state)
        return jax.tree.map(lambda new, p: (new - p).astype(real_type(p)), after, params), state

    def advance(self, params, grads, state):
        after, walk = self.optimizer.advance(params, grads, state["walk"])
        return self._joined(after, walk, state)

    def descend(self, slope, params, state, rest=None):
        after, walk, found = self.optimizer.descend(slope, params, state["walk"], rest)
        return *self._joined(after, walk, state), found

    def published(self, params, state):
        return picked(state["point"], params)

    def rates(self, state, params):
        return self.optimizer.rates(state["walk"], params)

    def _joined(self, params: Any, walk: Any, state: Any) -> tuple[Any, Any]:
        t = following(state["t"])
        point, after = self.beside(state["point"], params, t)
        return picked(after, params), {"t": t, "walk": walk, "point": point}


class Averaged(Beside):
    """The mean of all parameters that an optimizer came by, or one that forgets: it is evaluated, validated and saved.

    The optimizer walks on as if there were no mean, so its rate may stay high. With `decay` the mean is exponential,
    and its weights add up to 1 from the first step on; Keras' `ema_momentum` and PyTorch's `get_ema_multi_avg_fn` begin
    at a first value instead, whose part in the mean is decayᵗ. Without, it is PyTorch's `AveragedModel` updated at each
    step. Statistics of layers such as `BatchNorm` are gathered at the mean too, by a pass more over each batch: nothing
    is left to do like PyTorch's `update_bn`. With L1 the mean has no exact zeros: `fit` refuses that. Constraints hold
    for the mean as they do for what it is of, where the set is convex: NonNegative and MaxNorm.

    Reference: Polyak & Juditsky, 1992, Acceleration of stochastic approximation by averaging; Izmailov et al., 2018,
    Averaging weights leads to wider optima and better generalization, arXiv:1803.05407.

    >>> from chainrule.optimizers import GradientDescent
    >>> averaged = Averaged(GradientDescent(1.0))
    >>> w, state = jnp.array([4.0]), averaged.init(jnp.array([4.0]))
    >>> for _ in range(3):
    ...     w, state = averaged.advance(w, jnp.ones(1), state)
    >>> w.item(), averaged.published(w, state).item()
    (1.0, 2.0)
    """

    optimizer: Optimizer
    decay: float | None = optional(
        fraction(meaning="the part of the mean that is kept; None: all steps count the same")
    )
    textbook = """
        theta = optimizer(theta, g)
        mu = mu + (theta - mu) / t"""

    @property
    def publishes_means(self):
        return True

    def in_textbook(self):
        if self.decay is None:
            return self.textbook
        return self.textbook.replace("(theta - mu) / t", "(1 - decay) / (1 - decay**t) * (theta - mu)")

    def beside(self, point, params, t):
        def share(mean: jax.Array) -> Any:
            of = t.astype(mean.dtype)
            return 1 / of if self.decay is None else (1 - self.decay) / filled(self.decay, of)

        return jax.tree.map(lambda mean, w: mean + share(mean) * (w.astype(mean.dtype) - mean), point, params), params


class Lookahead(Beside):
    """A slow walk that goes a part of the way of every k steps of a fast one, which then begins again from there.

    The slow point is evaluated, validated and saved: where an epoch is one step, it moves every k epochs. The state of
    the fast optimizer is kept where it begins again, as in the paper. The slow point has no exact zeros with L1, and a
    part of the first values, which need not hold a constraint: `fit` refuses both.

    Reference: Zhang, Lucas, Hinton & Ba, 2019, Lookahead optimizer: k steps forward, 1 step back, arXiv:1907.08610.

    >>> from chainrule.optimizers import GradientDescent
    >>> lookahead = Lookahead(GradientDescent(1.0), k=2)
    >>> w, state = jnp.array([4.0]), lookahead.init(jnp.array([4.0]))
    >>> for _ in range(2):
    ...     w, state = lookahead.advance(w, jnp.ones(1), state)
    >>> w.item(), lookahead.published(w, state).item()
    (3.0, 3.0)
    """

    optimizer: Optimizer
    k: int = positive_int(5, "fast steps to one slow step")
    alpha: float = fraction(0.5, "α, the part of the way that the slow step goes")
    textbook = """
        theta = optimizer(theta, g)
        phi = phi + alpha * (theta - phi) if k * floor(t / k) == t else phi
        theta = phi if k * floor(t / k) == t else theta"""

    def beside(self, point, params, t):
        now = t % self.k == 0
        slow = jax.tree.map(
            lambda phi, w: jnp.where(now, phi + self.alpha * (w.astype(phi.dtype) - phi), phi), point, params
        )
        return slow, jax.tree.map(lambda phi, w: jnp.where(now, phi, w.astype(phi.dtype)), slow, params)
