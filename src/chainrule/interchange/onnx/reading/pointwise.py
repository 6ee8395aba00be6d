"""Functions of each number, or of each row, that graphs spell in several nodes, and the formulas that they are.

x · σ(x) comes as two nodes, Mish as three, GELU as five, RMSNorm as six: what they compute is followed in double, and
the formula is found by its values.
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
from chainrule.layers import Affine, LayerNorm, RMSNorm
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
    names = f"{before.made_by}, {made_by}".removeprefix(", ")
    made = replace(before, function=lambda x: function(before.function(x)), made_by=names)
    if layer is None or not flow.whole:
        return Flow(flow.steps, flow.view, made, whole=False)
    return Flow((*flow.steps, Step(layer, {}, {})), flow.view, made)


def along(flow: Flow, axes: tuple[int, ...], function: Function, made_by: str) -> Pointwise | None:
    """A function of all numbers along some axes; None where it was one along others."""
    before = pointwise(flow)
    if before.axes not in ((), axes):
        return None
    names = f"{before.made_by}, {made_by}".removeprefix(", ")
    return Pointwise(before.base, lambda x: function(before.function(x)), names, axes)


def met(flows: Sequence[Flow], function: Callable[..., np.ndarray], made_by: str) -> Flow | None:
    """A function of tensors that are functions of each number, or row, of the same one; None where they are not."""
    for base in (pointwise(flows[0]).base, *flows):
        through = [Pointwise(each, lambda x: x, "") if each == base else each.pointwise for each in flows]
        known = [each for each in through if each and each.base == base]
        axes = {each.axes for each in known if each.axes}
        if len(known) == len(flows) and len(axes) < 2:
            names = [name for each in known for name in each.made_by.split(", ") if name]
            made = Pointwise(
                base,
                lambda x, known=known: function(*(each.function(x) for each in known)),
                ", ".join(dict.fromkeys([*names, made_by])),
                next(iter(axes), ()),
            )
            full = any(flow.view.sizes == base.view.sizes for flow in flows)
            view = base.view if full else flows[0].view
            return Flow(base.steps, view, made, whole=False)
    return None


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
    several = ", " in made.made_by or not flow.whole
    if made.axes:
        rows, _ = base.ending(*made.axes)
        if several and (layer := found_of_rows(made.function, rows.view.shape[-1])):
            return rows.then(layer, rows.view)
    elif several and (activation := found(made.function)):
        return base.then(activation, base.view)
    if flow.whole:
        return replace(flow, pointwise=None)
    if not made.axes and (line := straight(made.function)):
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


def found_of_rows(function: Function, n: int) -> Layer | None:
    """The formula that a function of rows of n numbers is; of normalisations without their scales and offsets."""
    rows = np.linspace(0.5, 3, 5)[:, None] * np.sin(np.arange(5 * n).reshape(5, n) ** 1.5)
    with np.errstate(all="ignore"):
        expected, few = function(rows), function(1e-3 * rows)
        if expected.shape != rows.shape or not np.isfinite(expected).all():
            return None
        for candidate in _candidates_of_rows(1e-3 * rows, few):
            values = np.asarray(candidate.forward({}, jnp.asarray(rows, jnp.float32)))
            if np.allclose(values, expected, rtol=1e-4, atol=CLOSE):
                return candidate
    return None


def _candidates_of_rows(x: np.ndarray, y: np.ndarray) -> Iterator[Layer]:
    """Activations of several values; and normalisations with the epsilon that small numbers tell."""
    yield from (activations.Softmax(), activations.LogSoftmax(), activations.Softmin())
    middle, off = x.shape[-1] // 2, x - x.mean(-1, keepdims=True)
    for kind, d in ((LayerNorm, off), (RMSNorm, x)):
        epsilons = (d / y)[:, middle] ** 2 - (d**2).mean(-1)
        with suppress(ChainruleError):
            fields = {"scale": False} | ({"offset": False} if kind is LayerNorm else {})
            yield kind(epsilon=float(f"{np.median(epsilons):.6g}"), **fields)


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
