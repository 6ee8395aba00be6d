"""Operators that move numbers and change none: most of them move nothing here."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.interchange.onnx.reading.axes import View, axis_of, size
from chainrule.interchange.onnx.reading.flow import Flow, Step
from chainrule.interchange.onnx.reading.node import Node, reads
from chainrule.interchange.onnx.reading.places import one_or_each, padding_of, places
from chainrule.layers import Crop1D, Dense, Flatten, Stride1D, Upsample1D, Upsample2D, ZeroPad1D, ZeroPad2D
from chainrule.layers.recurrent import Recurrent

UPSAMPLING: tuple[Any, ...] = (Upsample1D, Upsample2D)


@reads("Cast", "CastLike", "Dropout")
def same(node: Node) -> Any:
    """The same numbers, as far as inference goes."""
    for attribute in ("to", "saturate", "round_mode", "ratio", "seed", "is_test"):
        node.get(attribute)
    if node.operator == "Dropout" and np.any(node.constant(2, False)):
        raise node.refuse("it draws noise in inference")
    return (node.any(0), None) if node.operator == "Dropout" else node.any(0)


@reads("Transpose")
def transpose(node: Node) -> Flow:
    """The axes in another order."""
    x = node.x
    return x.seen(x.view.transposed(node.get("perm", [*range(len(x.view.there))][::-1])))


@reads("Reshape")
def reshape(node: Node) -> Flow:
    """The axes cut and glued."""
    x, wanted = node.x, [int(number) for number in np.ravel(node.constant(1, node.get("shape")))]
    if not node.get("allowzero", 0):
        wanted = [x.view.sizes[place] if number == 0 else number for place, number in enumerate(wanted)]
    if -1 in wanted:
        known = math.prod(number for number in wanted if number != -1)
        wanted[wanted.index(-1)] = math.prod(x.view.sizes) // max(known, 1)
    return x.reshaped(wanted)


@reads("Flatten")
def flatten(node: Node) -> Flow:
    """Two axes of all."""
    x = node.x
    axis = node.get("axis", 1)
    axis = axis + len(x.view.there) if axis < 0 else axis
    return x.reshaped((math.prod(x.view.sizes[:axis]), math.prod(x.view.sizes[axis:])))


@reads("Squeeze")
def squeeze(node: Node) -> Flow:
    """Axes of size 1 left out."""
    x = node.x
    every = [place for place, axis in enumerate(x.view.there) if not axis]
    axes = {axis % len(x.view.there) for axis in node.numbers(1, "axes", every)}
    return x.seen(View(tuple(a for place, a in enumerate(x.view.there) if place not in axes), x.view.here))


@reads("Unsqueeze")
def unsqueeze(node: Node) -> Flow:
    """Axes of size 1 put in."""
    x, axes = node.x, node.numbers(1, "axes")
    there = [*x.view.there]
    for axis in sorted(axis % (len(there) + len(axes)) for axis in axes):
        there.insert(axis, ())
    return x.seen(View(tuple(there), x.view.here))


@reads("Expand", "Tile")
def expand(node: Node) -> Flow:
    """Axes of one entry in more places; the others as they are."""
    x, wanted = node.x, node.numbers(1, "repeats")
    n = len(x.view.there)
    if len(wanted) > n:
        raise node.refuse(f"no formula makes {len(wanted)} axes of {n}")
    same = [1] * n if node.operator == "Tile" else [*x.view.sizes]
    for axis, times in enumerate(wanted, n - len(wanted)):
        if times in (1, same[axis]):
            continue
        if x.view.there[axis]:
            raise node.refuse("no formula repeats an axis of several places as a whole")
        x = _repeated(x, axis, times)
    return x


def _repeated(x: Flow, axis: int, times: int) -> Flow:
    """An axis of one entry in more places, which are so many for each place of the axis in front of it, if any."""
    batch, new = x.view.here[0], axis_of(times)
    before = x.view.there[axis - 1] if axis and x.view.batch not in x.view.there[axis - 1] else ()
    if not (before and before in x.view.here[1:-1] and len(x.view.shape) < 4):
        rest = (factor for its in x.view.there for factor in its if not factor.batch and factor not in before)
        x = x.arranged(batch, before, tuple(rest))
    places, last = x.view.here[1:-1], x.view.here[-1]
    each = [times if place == before else 1 for place in places]
    here = (batch, *((*place, *new) if place == before else place for place in places), last)
    there = tuple(new if place == axis else its for place, its in enumerate(x.view.there))
    return x.then(UPSAMPLING[len(places) - 1](one_or_each(each)), View(there, here))


@reads("DepthToSpace")
def depth_to_space(node: Node) -> Flow:
    """Blocks of channels as places: two reshapes and a transposition."""
    x, n = node.x, node.get("blocksize")
    batch, c, h, w = x.view.sizes
    if node.get("mode", "DCR") == "DCR":
        cut, order = (batch, n, n, c // n**2, h, w), (0, 3, 4, 1, 5, 2)
    else:
        cut, order = (batch, c // n**2, n, n, h, w), (0, 1, 4, 2, 5, 3)
    x = x.reshaped(cut)
    return x.seen(x.view.transposed(order)).reshaped((batch, c // n**2, h * n, w * n))


@reads("SpaceToDepth")
def space_to_depth(node: Node) -> Flow:
    """Blocks of places as channels."""
    x, n = node.x, node.get("blocksize")
    node.only(mode="DCR")
    batch, c, h, w = x.view.sizes
    x = x.reshaped((batch, c, h // n, n, w // n, n))
    return x.seen(x.view.transposed((0, 3, 5, 1, 2, 4))).reshaped((batch, c * n**2, h // n, w // n))


@reads("Slice")
def slices(node: Node) -> Flow:
    """Some of the places of an axis, or of several."""
    x = node.x
    starts, ends = node.numbers(1, "starts"), node.numbers(2, "ends")
    axes = node.numbers(3, "axes", [*range(len(starts))])
    for axis, start, end, step in zip(axes, starts, ends, node.numbers(4, "steps", [1] * len(starts)), strict=True):
        if step < 1:
            raise node.refuse(f"no formula goes backwards in steps of {step}")
        length = x.view.sizes[axis]
        start, end, _ = slice(start, end).indices(length)
        x = between(node, x, axis % len(x.view.there), start, max(end, start), step)
    return x


@reads("Split")
def split(node: Node) -> tuple[Flow, ...]:
    """Parts of an axis, side by side."""
    x, axis = node.x, node.get("axis", 0) % len(node.x.view.there)
    length, count = x.view.sizes[axis], node.get("num_outputs", len(node.outputs))
    parts = node.numbers(1, "split", None)
    if parts is None:
        part = -(-length // count)
        parts = [min(part, length - part * place) for place in range(count)]
    starts = np.cumsum([0, *parts])
    return tuple(between(node, x, axis, int(a), int(b)) for a, b in itertools.pairwise(starts))


def between(node: Node, x: Flow, axis: int, start: int, end: int, step: int = 1) -> Flow:
    """Every so many of the places of an axis between two of them."""
    length = x.view.sizes[axis]
    if (start, end, step) == (0, length, 1):
        return x
    if x.view.batch in x.view.there[axis]:
        raise node.refuse("it leaves out rows of the batch")
    if start == end:
        raise node.refuse("nothing is left")
    if len(range(start, end, step)) == 1 and (state := last_output(x, axis, start)):
        return state
    if part := _of_dense(x, axis, slice(start, end, step)):
        return part
    chosen, batch = x.view.there[axis], x.view.here[0]
    others = [its for place, its in enumerate(x.view.there) if place not in (axis, x.view.batch_axis) and its]
    x = x.arranged(batch, chosen, tuple(factor for its in others for factor in its))
    last = x.view.here[2]

    def with_places(places: int) -> View:
        new = axis_of(places)
        there = tuple(new if place == axis else its for place, its in enumerate(x.view.there))
        return View(there, (batch, new, last))

    if (start, end) != (0, length):
        x = x.then(Crop1D(**_cropping(start, length - end)), with_places(end - start))
    return x if step == 1 else x.then(Stride1D(step), with_places(-(-(end - start) // step)))


def _of_dense(x: Flow, axis: int, some: slice) -> Flow | None:
    """A Dense layer of fewer units, where only some of them are taken."""
    chosen, units = x.view.there[axis], x.view.here[-1]
    places = [place for place in range(len(units)) if units[place : place + len(chosen)] == chosen]
    if not (x.steps and isinstance(x.steps[-1].layer, Dense) and chosen and places):
        return None
    [first], last = places, x.steps[-1]
    left = axis_of(len(range(size(chosen))[some]))
    sizes = size(units[:first]), size(chosen), size(units[first + len(chosen) :])

    def taken(array: np.ndarray) -> np.ndarray:
        parts = array.reshape(*array.shape[:-1], *sizes)[..., some, :]
        return parts.reshape(*array.shape[:-1], sizes[0] * size(left) * sizes[2])

    arrays = {name: taken(array) for name, array in last.parameters.items()}
    layer = replace(last.layer, units=arrays["kernel"].shape[1])
    here = (*x.view.here[:-1], (*units[:first], *left, *units[first + len(chosen) :]))
    there = tuple(left if place == axis else its for place, its in enumerate(x.view.there))
    return Flow((*x.steps[:-1], Step(layer, arrays, {})), View(there, here))


def _cropping(low: int, high: int) -> dict[str, Any]:
    return {"cropping": low if low == high else (low, high)}


@reads("Pad")
def pad(node: Node) -> Flow:
    """Zeros around the places."""
    node.only(mode="constant")
    x, pads = node.x, node.numbers(1, "pads")
    if np.any(node.constant(2, node.get("value", 0.0))):
        raise node.refuse("no formula pads with another value than 0")
    rank = len(x.view.there)
    axes = [axis % rank for axis in node.numbers(3, "", [*range(rank)])]
    ends = dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :], strict=True), strict=True))
    padded = [axis for axis in range(rank) if any(ends.get(axis, ()))]
    if x.view.batch_axis in padded:
        raise node.refuse("it adds rows to the batch")
    if any(number < 0 for axis in padded for number in ends[axis]):
        raise node.refuse("no formula pads by a negative number of places")
    while padded:
        now, padded = padded[-2:] if len(padded) > 1 else padded, padded[:-2]
        others = [its for place, its in enumerate(x.view.there) if place not in (*now, x.view.batch_axis) and its]
        here = x.view.here[0], *(x.view.there[axis] for axis in now), tuple(f for its in others for f in its)
        x = x.arranged(*here)
        layer = (ZeroPad1D if len(now) == 1 else ZeroPad2D)(**padding_of([ends[axis] for axis in now]))
        new = {axis: axis_of(size(x.view.there[axis]) + sum(ends[axis])) for axis in now}
        there = tuple(new.get(place, its) for place, its in enumerate(x.view.there))
        x = x.then(layer, View(there, (x.view.here[0], *new.values(), x.view.here[-1])))
    return x


@reads("Resize", "Upsample")
def resize(node: Node) -> Flow:
    """So many places for each one."""
    at = places(node)
    sizes = node.constant(3)
    scales = node.constant(1 if node.operator == "Upsample" else 2, node.get("scales"))
    if sizes is not None and np.size(sizes):
        scales = np.asarray(sizes)[-at.rank :] / at.lengths
    scales = [float(scale) for scale in np.ravel(scales)[-at.rank :]]
    how = node.get("mode", "nearest")
    moved = node.get("coordinate_transformation_mode", "half_pixel" if node.operator == "Resize" else "asymmetric")
    rounded = node.get("nearest_mode", "round_prefer_floor")
    for attribute in (
        "antialias",
        "cubic_coeff_a",
        "exclude_outside",
        "extrapolation_value",
        "keep_aspect_ratio_policy",
    ):
        node.get(attribute)
    alike = how == "nearest" and (
        (moved in ("asymmetric", "tf_half_pixel_for_nn") and rounded == "floor")
        or (moved in ("half_pixel", "pytorch_half_pixel") and rounded.startswith("round"))
        or node.operator == "Upsample"
    )
    between_them = how in ("linear", "bilinear") and moved in ("half_pixel", "pytorch_half_pixel")
    if at.rank > 2 or any(scale < 1 or scale % 1 for scale in scales) or not (alike or between_them):
        raise node.refuse(
            f"no formula computes mode={how!r}, coordinate_transformation_mode={moved!r}, scales={scales}"
        )
    if node.get("antialias", 0):
        raise node.refuse("attribute antialias=1 is not known")
    words = {} if alike else {"interpolation": ("linear", "bilinear")[at.rank - 1]}
    return at.through(UPSAMPLING[at.rank - 1](one_or_each([int(scale) for scale in scales]), **words))


def taking(node: Node, x: Flow, axis: int, index: Any) -> Flow:
    """One place of an axis, or places in a row."""
    axis, index = axis % len(x.view.there), np.asarray(index)
    length = x.view.sizes[axis]
    places = np.ravel(index) % length
    if len(places) != 1 and (places != np.arange(places[0], places[0] + len(places))).any():
        raise node.refuse("no formula takes places that are not in a row")
    x = between(node, x, axis, int(places[0]), int(places[-1]) + 1)
    if index.ndim == 0:
        return x.seen(View(tuple(its for place, its in enumerate(x.view.there) if place != axis), x.view.here))
    if index.ndim > 1:
        raise node.refuse("no formula takes places by a table of several axes")
    return x


def last_output(x: Flow, axis: int, place: int) -> Flow | None:
    """The recurrent layer without its other outputs, where only the last one is taken."""
    if not x.steps or len(x.view.here) != 3 or x.view.there[axis] != x.view.here[1]:
        return None
    *steps, last = x.steps
    if not isinstance(last.layer, Recurrent):
        return None
    if place != (0 if last.layer.reverse else x.view.sizes[axis] - 1):
        return None
    there = tuple(() if at == axis else its for at, its in enumerate(x.view.there))
    others = x.view.sizes[axis] - 1
    cropping = Crop1D(cropping=(0, others) if last.layer.reverse else (others, 0))
    spelt = (last, Step(cropping, {}, {}), Step(Flatten(), {}, {}))
    only = replace(last, layer=replace(last.layer, return_sequences=False), spelt=spelt)
    return Flow((*steps, only), View(there, (x.view.here[0], x.view.here[2])))
