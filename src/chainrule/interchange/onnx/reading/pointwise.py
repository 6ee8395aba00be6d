"""Functions of each number, or of each row, that graphs spell in several nodes, and the formulas that they are.

x · σ(x) comes as two nodes, Mish as three, GELU as five, RMSNorm as six: what they compute is followed in double, and
the formula is found by its values.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import MISSING, replace

import jax.numpy as jnp
import numpy as np

from chainrule import activations
from chainrule.activations import Activation
from chainrule.activations.base import OfSeveral
from chainrule.errors import ChainruleError
from chainrule.formula.base import fields
from chainrule.formula.layer import Layer, NoisyLayer
from chainrule.interchange.onnx.reading.flow import Flow, Pointwise, Step, in_rows
from chainrule.interchange.onnx.reading.lines import scaled
from chainrule.layers import LayerNorm, RMSNorm
from chainrule.notation.families import family

Function = Callable[[np.ndarray], np.ndarray]

SOME = np.concatenate([side * np.geomspace(1e-3, 60, 101) for side in (-1, 1)])
"""The numbers by which functions are told apart: near 0 and far from it, at no kink."""

CLOSE = 1e-5  # attributes are float32


def functions(flow: Flow) -> tuple[Pointwise, ...]:
    """What a tensor is of others, the furthest first; and of itself, where it is made of layers."""
    itself = settled(flow) if flow.whole else None
    return flow.functions if itself is None else (*flow.functions, Pointwise(itself, lambda x: x, ""))


def applied(flow: Flow, function: Function, made_by: str, layer: Layer | None = None) -> Flow:
    """A function of each number, which is a layer of its own or none."""
    made = tuple(_behind(before, function, made_by, before.axes) for before in functions(flow))
    if layer is None or not flow.whole:
        return Flow(flow.steps, flow.view, made, whole=False)
    return Flow((*flow.steps, Step(layer, {}, {})), flow.view, made)


def along(flow: Flow, axes: tuple[int, ...], function: Function, made_by: str) -> tuple[Pointwise, ...]:
    """A function of all numbers along some axes; none where it was one along others."""
    known = (before for before in functions(flow) if before.axes in ((), axes))
    return tuple(_behind(before, function, made_by, axes) for before in known)


def _behind(before: Pointwise, function: Function, made_by: str, axes: tuple[int, ...]) -> Pointwise:
    names = f"{before.made_by}, {made_by}".removeprefix(", ")
    parts = (*(before.parts or (before.function,) * bool(before.made_by)), function)
    return Pointwise(before.base, lambda x: function(before.function(x)), names, axes, parts)


def met(flows: Sequence[Flow], function: Callable[..., np.ndarray], made_by: str) -> Flow | None:
    """A function of tensors that are functions of each number, or row, of the same one; None where they are not."""
    each_of = [{each.base: each for each in reversed(functions(flow))} for flow in flows]
    made: list[Pointwise] = []
    for base in (each.base for each in functions(flows[0])):
        known = [by_base[base] for by_base in each_of if base in by_base]
        axes = {each.axes for each in known if each.axes}
        if len(known) < len(flows) or len(axes) > 1:
            continue
        names = dict.fromkeys([*(name for each in known for name in each.made_by.split(", ") if name), made_by])

        def together(x: np.ndarray, known: Sequence[Pointwise] = known) -> np.ndarray:
            return function(*(each.function(x) for each in known))

        made.append(Pointwise(base, together, ", ".join(names), next(iter(axes), ())))
    if not made:
        return None
    base = made[0].base
    full = any(flow.view.sizes == base.view.sizes for flow in flows)
    return Flow(base.steps, base.view if full else flows[0].view, tuple(made), whole=False)


@functools.lru_cache(512)
def settled(flow: Flow) -> Flow | None:
    """A tensor made of layers alone; None where no layer is its function.

    It is the same whenever it is asked for, so that tensors that part from it share their steps.
    """
    if not flow.functions:
        return flow
    for made in flow.functions:
        if (", " in made.made_by or not flow.whole) and (found := _found(made)):
            return found
    if flow.whole:
        return replace(flow, functions=())
    return next(filter(None, (_in_two(made) for made in flow.functions)), None)


def _found(made: Pointwise) -> Flow | None:
    """The formula that a function is, behind what it is a function of."""
    if (base := settled(made.base)) is None:
        return None
    if made.axes:
        rows, order = base.ending(*made.axes)
        if (of_rows := found_of_rows(made.function, len(order))) is None:
            return None
        layer, arrays = of_rows
        return rows.then(layer, rows.view, {name: in_rows(values, order) for name, values in arrays.items()})
    if activation := found(made.function):
        return base.then(activation, base.view)
    line = straight(made.function)
    return scaled(base, *line) if line else None


def _in_two(made: Pointwise) -> Flow | None:
    """An activation behind what the first of several functions, one after another, are."""
    for cut in range(1, len(made.parts)) if not made.axes else ():
        first, last = (functools.partial(_through, parts) for parts in (made.parts[:cut], made.parts[cut:]))
        before = replace(made, function=first, parts=made.parts[:cut])
        if (activation := found(last)) and (front := _found(before) or _in_two(before)):
            return front.then(activation, front.view)
    return None


def _through(parts: Sequence[Function], x: np.ndarray) -> np.ndarray:
    """What functions one after another give."""
    for part in parts:
        x = part(x)
    return x


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


def found_of_rows(function: Function, n: int) -> tuple[Layer, dict[str, np.ndarray]] | None:
    """The formula that a function of rows of n numbers is, and its arrays."""
    rows = np.linspace(0.5, 3, 5)[:, None] * np.sin(np.arange(5 * n).reshape(5, n) ** 1.5)
    with np.errstate(all="ignore"):
        expected = function(rows)
        if expected.shape != rows.shape or not np.isfinite(expected).all():
            return None
        for candidate, arrays in _candidates_of_rows(function, rows):
            given = {name: np.float32(values) for name, values in arrays.items()}
            values = np.asarray(candidate.forward(given, jnp.asarray(rows, jnp.float32)))
            if np.allclose(values, expected, rtol=1e-4, atol=CLOSE):
                return candidate, arrays
    return None


def _candidates_of_rows(function: Function, rows: np.ndarray) -> Iterator[tuple[Layer, dict[str, np.ndarray]]]:
    """Activations of several values; and normalisations: 0 tells the offset, large numbers the scale, small ones ε."""
    yield from ((each, {}) for each in (activations.Softmax(), activations.LogSoftmax(), activations.Softmin()))
    yield activations.PReLU(), {"slope": -function(-np.ones_like(rows[:1]))[0]}
    offset, large, small = function(np.zeros_like(rows[:1]))[0], 1e6 * rows, 1e-3 * rows
    for kind in (LayerNorm, RMSNorm):
        (of_large, square), (of_small, few) = (_spread(kind, x) for x in (large, small))
        scale = np.nanmedian((function(large) - offset) * np.sqrt(square) / of_large, 0)
        epsilon = np.nanmedian((scale * of_small / (function(small) - offset)) ** 2 - few)
        told = {"scale": (scale, 1)} | ({"offset": (offset, 0)} if kind is LayerNorm else {})
        arrays = {name: values for name, (values, none) in told.items() if not np.allclose(values, none, atol=1e-7)}
        with suppress(ChainruleError):
            yield kind(epsilon=float(f"{epsilon:.6g}"), **{name: name in arrays for name in told}), arrays


def _spread(kind: type[Layer], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a normalisation divides, and the mean of its squares."""
    d = x - x.mean(-1, keepdims=True) if kind is LayerNorm else x
    return d, (d**2).mean(-1, keepdims=True)


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
