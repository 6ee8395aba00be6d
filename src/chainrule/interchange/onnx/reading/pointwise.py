"""Functions of each number that graphs spell in several nodes, and the activations that they are.

x · σ(x) comes as two nodes, Mish as three, GELU as five: what they compute is followed in double, and an activation is
found by its values.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import MISSING, replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from chainrule import activations
from chainrule.activations import Activation
from chainrule.activations.base import OfSeveral
from chainrule.errors import ChainruleError
from chainrule.formula.base import fields
from chainrule.formula.layer import Layer, NoisyLayer
from chainrule.interchange.onnx.reading.flow import Flow, Pointwise, Step
from chainrule.layers import Affine
from chainrule.notation.families import family

Function = Callable[[np.ndarray], np.ndarray]

SOME = np.concatenate([side * np.geomspace(1e-3, 60, 101) for side in (-1, 1)])
"""The numbers by which functions are told apart: near 0 and far from it, at no kink."""

CLOSE = 1e-5  # attributes are float32


def pointwise(flow: Flow) -> Pointwise:
    """A tensor as a function of each number of another one: of itself where it is none."""
    return flow.pointwise or Pointwise(flow, lambda x: x, "")


def applied(flow: Flow, function: Function, made_by: str, layer: Layer | None = None) -> Flow:
    """A function of each number, which is a layer of its own or none."""
    before = pointwise(flow)
    made = Pointwise(
        before.base, lambda x: function(before.function(x)), f"{before.made_by}, {made_by}".removeprefix(", ")
    )
    if layer is None or not flow.whole:
        return Flow(flow.steps, flow.view, made, whole=False)
    return Flow((*flow.steps, Step(layer, {}, {})), flow.view, made)


def met(flows: Sequence[Flow], function: Callable[..., np.ndarray], made_by: str) -> Flow | None:
    """A function of tensors that are functions of each number of the same one; None where they are not."""
    for base in (pointwise(flows[0]).base, *flows):
        through = [Pointwise(each, lambda x: x, "") if each == base else each.pointwise for each in flows]
        if all(each and each.base == base for each in through):
            return _met(base, [each for each in through if each], function, made_by)
    return None


def _met(base: Flow, through: list[Pointwise], function: Callable[..., np.ndarray], made_by: str) -> Flow:
    names = [name for each in through for name in each.made_by.split(", ") if name]
    made = Pointwise(
        base, lambda x: function(*(each.function(x) for each in through)), ", ".join(dict.fromkeys([*names, made_by]))
    )
    return Flow(base.steps, base.view, made, whole=False)


@functools.lru_cache(512)
def settled(flow: Flow) -> Flow | None:
    """A tensor made of layers alone; None where no layer is its function.

    It is the same whenever it is asked for, so that tensors that part from it share their steps.
    """
    made = flow.pointwise
    if made is None:
        return flow
    if (base := settled(made.base)) is None:
        return None
    if (", " in made.made_by or not flow.whole) and (activation := found(made.function)):
        return base.then(activation, flow.view)
    if flow.whole:
        return replace(flow, pointwise=None)
    if line := straight(made.function):
        return scaled(base, *line)
    return None


def scaled(flow: Flow, scale: Any, offset: Any) -> Flow:
    """A tensor times a scale plus an offset, each a number or one for each entry of its last axis here."""
    size = flow.view.shape[-1:]
    given = {"scale": (scale, 1), "offset": (offset, 0)}
    arrays = {
        name: np.broadcast_to(np.float32(its), size) for name, (its, none) in given.items() if np.any(its != none)
    }
    return flow.then(Affine(**{name: name in arrays for name in given}), flow.view, arrays)


def found(function: Function) -> Activation | None:
    """The activation that a function is."""
    with np.errstate(all="ignore"):
        expected = function(SOME)
        if not np.isfinite(expected).all():
            return None
        for candidate in _candidates(function):
            values = np.asarray(candidate(jnp.asarray(SOME, jnp.float32)))
            if np.allclose(values, expected, rtol=CLOSE, atol=CLOSE):
                return candidate
    return None


def straight(function: Function) -> tuple[float, float] | None:
    """The scale and the offset of a function that is a straight line."""
    with np.errstate(all="ignore"):
        offset, *ends = (float(function(np.array([x]))[0]) for x in (0.0, 1.0))
        scale = ends[0] - offset
        line = np.allclose(function(SOME), scale * SOME + offset, rtol=1e-9, atol=1e-12)
    return (scale, offset) if line else None


def _candidates(function: Function) -> Iterator[Activation]:
    """Activations with their defaults, and those of one number with that which the function's values tell."""
    for formula in family(Activation):
        if not any(field.default is MISSING for field in fields(formula)):
            made = formula()
            if not (made.parameters((1,)) or isinstance(made, OfSeveral | NoisyLayer)):
                yield made
    low, high, one = (float(function(np.array([x]))[0]) for x in (-60.0, 60.0, -1.0))
    told: tuple[Callable[[], Activation], ...] = (
        lambda: activations.GELU(approximate=True),
        lambda: activations.LeakyReLU(-one),
        lambda: activations.ELU(-low),
        lambda: activations.CELU(-low),
        lambda: activations.HardTanh(low, high),
    )
    for make in told:
        with suppress(ChainruleError):
            yield make()
