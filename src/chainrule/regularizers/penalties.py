"""Penalties: terms added to the cost for every regularised parameter."""

from abc import abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from chainrule.arrays.dtypes import widely
from chainrule.arrays.masked import Shape
from chainrule.formula.base import Formula, unchecked
from chainrule.formula.constraints import non_negative
from chainrule.formula.layer import Chain, Parameter
from chainrule.formula.network import is_parameter, of_each, regularized


class Regularizer(Formula):
    """A penalty on a parameter's size, in up to two parts.

    What is smooth goes into the gradient; what has a kink at 0 is a proximal step after the optimizer's,
    which reaches exact zeros.
    """

    has_kink: ClassVar[bool] = False
    """Whether a part of the term is left to a proximal step."""

    reach: ClassVar[int] = 0
    """Which proximal steps in a sum come first: 0 those of single weights, 1 of units, 2 constraints of units."""

    keeps_means: ClassVar[bool] = False
    """Whether its proximal step leaves a mean alone of parameters that it leaves alone: a convex set has its means."""

    @property
    def needs_rates(self) -> bool:
        """Whether its proximal step is as long as the optimizer's was, rather than always the same."""
        return self.has_kink

    @abstractmethod
    def __call__(self, w: jax.Array) -> jax.Array:
        """The term that is added to the cost."""

    def smooth(self, w: jax.Array) -> jax.Array:
        """The part of the term that is left to the gradient."""
        return self(w)

    def proximal(self, w: jax.Array, rate: jax.Array) -> jax.Array:
        """The rest's proximal step: argmin over u of rest(u) + (u − w)² / (2 rate)."""
        return w

    def __add__(self, other: "Regularizer") -> "Sum":
        if not isinstance(other, Regularizer):
            return NotImplemented
        return unchecked(Sum, [("terms", (*_terms(self), *_terms(other)))])


class L1(Regularizer):
    """Lasso: the sum of absolute values, whose proximal step makes irrelevant weights exactly 0.

    The gradient of |w| would leave them dithering around 0; the soft threshold after each step does not.

    Reference: Tibshirani, 1996, Regression shrinkage and selection via the lasso; Daubechies, Defrise & De Mol, 2004,
    An iterative thresholding algorithm for linear inverse problems with a sparsity constraint.

    >>> L1(0.5)(jnp.array([1.0, -3.0])).item()
    2.0
    >>> L1(0.5).proximal(jnp.array([0.04, -3.0]), 0.1).tolist()
    [0.0, -2.950000047683716]
    """

    strength: float = non_negative(meaning="λ, the weight of the term in the cost")
    has_kink = True
    textbook = "strength * sum(abs(w))"

    @widely
    def __call__(self, w):
        return self.strength * jnp.sum(jnp.abs(w))

    @widely
    def smooth(self, w):
        return jnp.zeros((), w.dtype)

    @widely
    def proximal(self, w, rate):
        return jnp.sign(w) * jnp.maximum(jnp.abs(w) - rate * self.strength, 0)


class L2(Regularizer):
    """Ridge: the sum of squares, in the gradient. (Decoupled weight decay is another formula, AdamW's.)

    λ Σ w² as in Keras; scikit-learn's alpha and PyTorch's weight_decay stand for λ/2 Σ w².

    Reference: Hoerl & Kennard, 1970, Ridge regression: biased estimation for nonorthogonal problems.

    >>> L2(0.5)(jnp.array([1.0, -3.0])).item()
    5.0
    """

    strength: float = non_negative(meaning="λ, the weight of the term in the cost")
    textbook = "strength * sum(w**2)"

    @widely
    def __call__(self, w):
        return self.strength * jnp.sum(w**2)


class Sum(Regularizer):
    """Several regularisers at once: `L1(0.001) + L2(0.0001)` is the elastic net.

    `L1(a) + GroupLasso(b)` is the sparse group lasso, and `L2(a) + MaxNorm(3)` a penalty under a constraint. In
    whatever order they are written, proximal steps are taken in the one whose end is the step of the sum: first those
    of single weights, then those of units, and constraints of units last.

    Reference: Zou & Hastie, 2005, Regularization and variable selection via the elastic net; Yu, 2013, On decomposing
    the proximal map.

    >>> L1(0.001) + L2(0.0001)
    L1(0.001) + L2(0.0001)
    """

    terms: tuple[Regularizer, ...]
    textbook = "sum(term(w) for term in terms)"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "terms", tuple(part for term in self.terms for part in _terms(term)))

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms)) if len(self.terms) > 1 else super().__repr__()

    @property
    def has_kink(self) -> bool:  # type: ignore[override]
        """Whether any of the terms has a kink."""
        return any(term.has_kink for term in self.terms)

    @property
    def keeps_means(self) -> bool:  # type: ignore[override]
        """Whether all that have a kink do."""
        return all(term.keeps_means for term in self.terms if term.has_kink)

    @property
    def needs_rates(self):
        return any(term.needs_rates for term in self.terms)

    @widely
    def __call__(self, w):
        return sum((term(w) for term in self.terms), start=jnp.zeros((), w.dtype))

    @widely
    def smooth(self, w):
        return sum((term.smooth(w) for term in self.terms), start=jnp.zeros((), w.dtype))

    def proximal(self, w, rate):
        for term in sorted(self.terms, key=lambda term: term.reach):
            w = term.proximal(w, rate)
        return w


def _terms(regularizer: Regularizer) -> tuple[Regularizer, ...]:
    return regularizer.terms if isinstance(regularizer, Sum) else (regularizer,)


def penalty(regularizer: Regularizer | None, network: Chain, shape: Shape, parameters: Any, part: str = "whole") -> Any:
    """What a regulariser adds to the cost: the whole term, or its smooth part, over the regularised parameters."""
    if regularizer is None:
        return 0.0
    term = regularizer if part == "whole" else regularizer.smooth

    def of(one: Parameter, it_is: bool, w: jax.Array) -> Any:
        return jnp.sum(of_each(one.repeated, term)(w)) if it_is else 0.0

    terms = jax.tree.map(of, network.parameters(shape), regularized(network, shape), parameters, is_leaf=is_parameter)
    return sum(jax.tree.leaves(terms))


def shrunk(regularizer: Regularizer, declared: Any, parameters: Any, rates: Any) -> Any:
    """The parameters after a regulariser's proximal steps, each of the length that its rate says."""

    def of(one: Parameter, w: jax.Array, rate: jax.Array) -> jax.Array:
        if not one.regularized:
            return w
        rate = jnp.broadcast_to(rate, w.shape) if one.repeated else rate
        return of_each(one.repeated, regularizer.proximal)(w, rate)

    return jax.tree.map(of, declared, parameters, rates, is_leaf=is_parameter)
