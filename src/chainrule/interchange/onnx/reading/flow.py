"""A tensor on its way through a graph: the layers that made it of the input, and how its axes stand there.

Two tensors that meet share the layers up to where they parted: `f >> g` and `f >> h` become `f >> (g + h)`.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np

from chainrule.activations import Identity
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain, Layer, Operation
from chainrule.interchange.onnx.reading.axes import Axis, Factor, View, axis_of, size
from chainrule.layers import Flatten, Permute, Reshape


@dataclass(frozen=True, eq=False)
class Step:
    """A layer with its arrays; and, where it does at once what several others did, these, of which the first is known.

    A tensor that parts from the first of them is found again so.
    """

    layer: Layer
    parameters: Any
    state: Any
    spelt: tuple["Step", ...] = ()


@dataclass(frozen=True)
class Pointwise:
    """A function of each number of another tensor, or of all those along some of its axes, and what it was made by.

    The function takes arrays whose last axis is these axes, as one. Where it is several one after another, they are its
    parts.
    """

    base: "Flow"
    function: Callable[[np.ndarray], np.ndarray]
    made_by: str
    axes: tuple[int, ...] = ()
    parts: tuple[Callable[[np.ndarray], np.ndarray], ...] = ()


@dataclass(frozen=True)
class Flow:
    """A tensor of the graph that depends on the input.

    Attributes:
        steps: the layers between the input and the array that it is here.
        view: its axes there, and the array's.
        functions: where it is a function of each number of other tensors, which ones; its own steps then say the same
            by the algebra of layers, where they can.
        whole: whether the steps say it; else only the functions do.
    """

    steps: tuple[Step, ...]
    view: View
    functions: tuple[Pointwise, ...] = ()
    whole: bool = True

    def then(self, layer: Layer, view: View, parameters: Any = None, state: Any = None) -> "Flow":
        """What a layer makes of it."""
        step = Step(layer, {} if parameters is None else parameters, {} if state is None else state)
        return Flow((*self.steps, step), view)

    def seen(self, view: View | None) -> "Flow":
        """The same numbers with other axes there."""
        return replace(self, view=view)

    def arranged(self, *here: Axis) -> "Flow":
        """The same numbers in an array of these axes here, by as few layers as that takes.

        It is the same whenever it is asked for, so that tensors that part from it share their steps.
        """
        return self if self.view.here == here else _arranged(self, here)

    def _in_shape(self, here: tuple[Axis, ...]) -> "Flow":
        """The array in another shape, whose factors are in the same order."""
        view = replace(self.view, here=here)
        if view.shape == self.view.shape:
            return replace(self, view=view)
        return self.then(Flatten() if len(here) == 2 else Reshape(view.shape), view)

    def as_there(self) -> "Flow":
        """With the axes here that it has there, behind the batch."""
        at = self.view.batch_axis
        others = (axis for place, axis in enumerate(self.view.there) if place != at)
        return self.arranged(self.view.there[at], *others)

    def ending(self, *axes: int) -> "tuple[Flow, np.ndarray]":
        """With some axes there as the last one here; and where each of their entries is found in it.

        Their factors stay in the order that they are in here, so that nothing moves that need not.
        """
        chosen = _flat(self.view.there[axis] for axis in axes)
        last = tuple(factor for factor in _flat(self.view.here) if factor in chosen)
        rest = (its for place, its in enumerate(self.view.there) if place not in axes)
        others = filter(None, (tuple(factor for factor in its if not factor.batch) for its in rest))
        here = self.view.here
        kept = _flat(here[1:]) == (*(factor for factor in _flat(here[1:]) if factor not in last), *last)
        if kept and here[-1] == last and len(here) > 1 and self.view.batch not in last:
            return self, rows_of(chosen, last)
        return self.arranged((self.view.batch,), *others, last), rows_of(chosen, last)

    def ending_as_there(self, axis: int) -> "Flow":
        """With an axis there as the last one here, its entries in their order."""
        flow, rows = self.ending(axis)
        if (rows == np.arange(len(rows))).all():
            return flow
        return flow.arranged(*flow.view.here[:-1], flow.view.there[axis])

    def reshaped(self, sizes: Sequence[int]) -> "Flow":
        """The tensor in another shape there."""
        if view := self.view.reshaped(sizes):
            return replace(self, view=view)
        there = self.as_there()
        glued = there.arranged(there.view.here[0], _flat(there.view.here[1:]))
        at = self.view.batch_axis
        if at or glued.view.batch.size != sizes[0]:
            raise ChainruleError("mixes the rows of a batch with other axes")
        axes = tuple(axis_of(size) for size in sizes[1:])
        there = (glued.view.here[0], *axes)
        view = View(there, there)
        return glued.then(Flatten() if len(axes) == 1 else Reshape(view.shape), view)


def network_of(steps: Iterable[Step]) -> Step:
    """Steps one after another as one."""
    return _composed(Chain, [*steps])


def joined(operation: type[Operation], one: Flow, other: Flow, view: View) -> Flow:
    """What an operator makes of two tensors, from where they parted."""
    one, other = spelt_out(one, other), spelt_out(other, one)
    common = _common(one.steps, other.steps)
    step = _composed(operation, [_branch(flow.steps[common:]) for flow in (one, other)])
    return Flow((*one.steps[:common], step), view)


@functools.lru_cache(1024)
def nearness(one: Flow, other: Flow) -> int:
    """How many layers two tensors have together from the input on; −1 where their ways cross behind these."""
    common = _common(one.steps, other.steps)
    rest = (((step.parameters, step.state) for step in flow.steps[common:]) for flow in (one, other))
    arrays, others = (set(map(id, jax.tree.leaves([*each]))) for each in rest)
    return -1 if arrays & others else common


def spread_over(one: Flow, other: Flow) -> tuple[Flow, Flow]:
    """Two tensors arranged so that one of them spreads out over the other as NumPy's arrays do."""
    a, b = one.view.aligned(other.view)
    one, other = replace(one, view=a), replace(other, view=b)
    if len(_flat(a.there)) < len(_flat(b.there)):
        more, fewer = spread_over(other, one)
        return fewer, more
    if not set(_flat(b.there)) <= set(_flat(a.there)):
        raise ChainruleError("each of two tensors spreads out over the other")
    if any(0 < len(_within(axis, b)) < len(axis) for axis in a.here):
        one = one.as_there()
    wanted = [_within(axis, b) for axis in one.view.here[1:]]
    while wanted and not wanted[0]:
        wanted.pop(0)
    return one, other.arranged(one.view.here[0], *wanted)


def _within(axis: Axis, view: View) -> Axis:
    known = _flat(view.there)
    return tuple(factor for factor in axis if factor in known)


def _branch(way: Sequence[Step]) -> Step:
    return _composed(Chain, way) if len(way) > 1 else way[0] if way else Step(Identity(), {}, {})


def _composed(operation: type[Operation], steps: Sequence[Step]) -> Step:
    """Steps under an operator, and flat, as compositions are."""
    flat: list[Step] = []
    for step in steps:
        if isinstance(step.layer, operation):
            parts = zip(step.layer.layers, step.parameters, step.state, strict=True)
            flat += [Step(*part) for part in parts]
        else:
            flat.append(step)
    layer = operation(tuple(step.layer for step in flat))
    return Step(layer, tuple(step.parameters for step in flat), tuple(step.state for step in flat))


def spelt_out(one: Flow, other: Flow) -> Flow:
    """A tensor whose steps are spelt out where the other has the first of what they do at once."""
    spelt = ((step.spelt if step.spelt[:1] and step.spelt[0] in other.steps else (step,)) for step in one.steps)
    return replace(one, steps=tuple(itertools.chain.from_iterable(spelt)))


def _common(one: Sequence[Step], other: Sequence[Step]) -> int:
    """How many steps two ways begin with together."""
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] is pair[1], zip(one, other, strict=False)))


def _flat(axes: Iterable[Axis]) -> Axis:
    return tuple(factor for axis in axes for factor in axis)


@functools.lru_cache(512)
def _arranged(flow: Flow, here: tuple[Axis, ...]) -> Flow:
    view, batch = flow.view, flow.view.here[0]
    if here[0] != batch or any(factor.batch for axis in here[1:] for factor in axis):
        raise ChainruleError("mixes the rows of a batch with other axes")
    parts = _parts(view.here[1:], here[1:])
    before = _flat(view.here[1:])
    order = sorted(range(len(parts)), key=lambda place: before.index(parts[place][0]))
    if order != sorted(order):
        flow = flow._in_shape((batch, *(parts[place] for place in order)))
        moved = Permute(tuple(order.index(place) + 1 for place in range(len(parts))))
        flow = flow.then(moved, replace(view, here=(batch, *parts)))
    return flow._in_shape(here)


def _parts(before: tuple[Axis, ...], after: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """The axes of `after` cut where their factors are not side by side in an axis of `before`."""
    follows = {(one, other) for axis in before for one, other in itertools.pairwise(axis)}
    parts: list[list[Factor]] = []
    for axis in after:
        for place, factor in enumerate(axis):
            if place and (axis[place - 1], factor) in follows:
                parts[-1].append(factor)
            else:
                parts.append([factor])
    return tuple(map(tuple, parts))


def rows_of(axis: Axis, order: Axis) -> np.ndarray:
    """Where the entries of an axis there are found in its factors' order here: the first is `found[0]`th here.

    >>> a, b = Factor(2), Factor(3)
    >>> rows_of((a, b), (b, a)).tolist()
    [0, 2, 4, 1, 3, 5]
    """
    places = np.arange(size(order)).reshape([factor.size for factor in order])
    return places.transpose([order.index(factor) for factor in axis]).reshape(size(axis))


def in_rows(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Entries of an axis there, put where they are found here: the first is `rows[0]`th."""
    found = np.empty_like(values, np.float32)
    found[rows] = values
    return found
