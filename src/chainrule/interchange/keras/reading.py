"""Keras' descriptions of models as networks of ours: functional graphs become the algebra."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Any

from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError, warn
from chainrule.interchange.algebra import Join, Path, path
from chainrule.interchange.keras.constants import line
from chainrule.interchange.keras.described import layer_of, with_masks
from chainrule.interchange.keras.merging import MERGES, Meeting, meeting
from chainrule.interchange.keras.pieces import Config, Described, Notes, Piece
from chainrule.regularizers import Regularizer

MODELS = ("Functional", "Sequential", "Model")


def network_of(config: Config, notes: Notes, shape: Shape | None = None, within: str = "") -> tuple[Piece, Shape]:
    """A model's description as a network, and one example's shape.

    Args:
        config: the description.
        notes: where is written what it says beside its layers.
        shape: one example's shape, where it is known.
        within: what goes before the names of its modules.
    """
    inner, kind = config.get("config"), config.get("class_name")
    if kind not in MODELS or not isinstance(inner, Mapping):
        raise ChainruleError(f"expected a Sequential or a functional model, got {kind}. Save the weights alone.")
    layers = {_name(layer): layer for layer in inner["layers"]}
    modules = dict(zip(layers, _modules(layers.values(), within), strict=True))
    for layer in layers.values():
        _check_own(layer)

    def described(name: str, shape: Shape) -> Described:
        layer, kind = layers[name], str(layers[name].get("class_name"))
        who, call = f"layer {name!r}, {kind}", _call(layer).get("kwargs") or {}
        return Described(kind, layer.get("config") or {}, who, modules[name], shape, call, notes)

    def piece_of(name: str, shape: Shape) -> Piece:
        if numbers := _line(layers[name]):
            return line(modules[name], shape, notes, *numbers)
        if layers[name].get("class_name") in MODELS:
            return network_of(layers[name], notes, shape, f"{modules[name]}.")[0]
        return layer_of(described(name, shape))

    def meeting_of(name: str, shapes: Sequence[Shape]) -> Meeting:
        return meeting(described(name, shapes[-1]), shapes)

    if kind == "Sequential":
        piece, shape = _sequential(inner, layers, piece_of, shape)
    else:
        piece, shape = _functional(inner, layers, piece_of, meeting_of, shape)
    return replace(piece, layer=with_masks(piece.layer)), shape


def regularizer_of(notes: Notes) -> Regularizer | None:
    """What all kernels share; where they do not, none, and a warning names the layers that have more."""
    found = set(notes.penalties.values())
    if len(found) > 1:
        some = "; ".join(name for name, each in notes.penalties.items() if each is not None)
        warn(f"Kernels are not all regularised alike in Keras, as they are here: {some}. None is, unless you say how.")
        return None
    return next(iter(found), None)


Pieces = Callable[[str, Shape], Piece]


def _sequential(
    inner: Config, layers: Mapping[str, Config], piece_of: Pieces, shape: Shape | None
) -> tuple[Piece, Shape]:
    first = next(iter(layers.values()), {}).get("config", {}).get("batch_shape")
    shape = shape or _shape_of(first or inner.get("build_input_shape"))
    piece, reached = Piece(), shape
    for name, layer in layers.items():
        if layer.get("class_name") != "InputLayer":
            own = piece_of(name, reached)
            piece, reached = piece >> own, own.layer.output_shape(reached)
    return piece, shape


def _functional(
    inner: Config,
    layers: Mapping[str, Config],
    piece_of: Pieces,
    meeting_of: Callable[[str, Sequence[Shape]], Meeting],
    shape: Shape | None,
) -> tuple[Piece, Shape]:
    source, target = (_end(inner[name], name) for name in ("input_layers", "output_layers"))
    shape = shape or _shape_of(layers[source]["config"].get("batch_shape"))
    inputs = _reaching(target, {name: _inputs(layer) for name, layer in layers.items()})
    shapes: dict[str, Shape] = {source: shape}
    pieces: dict[str, Piece] = {}
    meetings: dict[str, Meeting] = {}
    for name, before in inputs.items():
        if name == source:
            continue
        reached = [shapes[each] for each in before]
        if len(before) > 1:
            meetings[name] = meeting_of(name, reached)
            shapes[name] = meetings[name].output_shape(reached)
        else:
            pieces[name] = piece_of(name, reached[0])
            shapes[name] = pieces[name].layer.output_shape(reached[0])
    piece = _composed(path(inputs, source, target), pieces, meetings)
    for name in piece.modules:
        if piece.modules.count(name) > 1:
            raise ChainruleError(
                f"what {name!r} gives goes into branches that do not join where they part, which + * | can't write. "
                f"Write another network, and take the weights alone."
            )
    return piece, shape


def _composed(way: Path, pieces: Mapping[str, Piece], meetings: Mapping[str, Meeting]) -> Piece:
    """The network of a way through a graph."""
    piece = Piece()
    for step in way:
        if isinstance(step, Join):
            piece = piece >> meetings[step.node].of([_composed(each, pieces, meetings) for each in step.branches])
        else:
            piece = piece >> pieces[step]
    return piece


def _modules(layers: Iterable[Config], within: str) -> Iterator[str]:
    """The names by which a file of weights knows layers: their classes', numbered where several share one."""
    used: Counter[str] = Counter()
    for layer in layers:
        kind = class_name(str(layer.get("class_name")))
        yield f"{within}{kind}_{used[kind]}" if used[kind] else f"{within}{kind}"
        used[kind] += 1


def class_name(kind: str) -> str:
    """A class's name as those of layers begin.

    >>> class_name("Conv2DTranspose"), class_name("PReLU"), class_name("LSTM")
    ('conv2d_transpose', 'p_re_lu', 'lstm')
    """
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()


def _check_own(layer: Config) -> None:
    """Refuse a class that is not Keras', whatever its name."""
    package = str(layer.get("module") or "keras").partition(".")[0]
    if package != "keras" or ">" in str(layer.get("registered_name")):
        raise ChainruleError(
            f"layer {_name(layer)!r}, {layer.get('class_name')}: its class is not Keras' own, and no code is run. "
            f"Choose layers that both have."
        )


def _name(layer: Config) -> str:
    return str(layer.get("name") or (layer.get("config") or {}).get("name") or layer.get("class_name"))


def _end(ends: Any, name: str) -> str:
    """The layer that a functional model begins or ends with."""
    if isinstance(ends, list) and len(ends) == 1 and isinstance(ends[0], list):
        ends = ends[0]
    if not (isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str)):
        raise ChainruleError(f"the model has several {name}, and a network here has one input and one output.")
    return ends[0]


def _call(layer: Config) -> Config:
    """How a layer is called: once."""
    calls = layer.get("inbound_nodes") or [{}]
    if len(calls) > 1:
        raise ChainruleError(
            f"layer {_name(layer)!r} is called {len(calls)} times with the same weights, as none is here. Make copies."
        )
    if not isinstance(calls[0], Mapping):
        raise ChainruleError("the model was written by Keras 2. Save it again by Keras 3.")
    return calls[0]


def _inputs(layer: Config) -> list[str]:
    """The layers whose outputs a layer takes."""
    call, kind = _call(layer), layer.get("class_name")
    given = list(call.get("args") or [])
    given += [value for name, value in (call.get("kwargs") or {}).items() if name != "mask"]
    found = [*_tensors(given)]
    if (kind in MERGES and len(found) > 1) or not found:
        return found
    if len(set(found)) > 1:
        raise ChainruleError(f"layer {_name(layer)!r}, {kind}: it sees {len(set(found))} inputs, and a layer here one.")
    return found[:1]


LINES: dict[str, Callable[[float, bool], tuple[float, float | None]]] = {
    "Add": lambda c, first: (1.0, c),
    "Subtract": lambda c, first: (-1.0, c) if first else (1.0, -c),
    "Multiply": lambda c, first: (c, None),
    "Divide": lambda c, first: (1 / c, None),
    "TrueDivide": lambda c, first: (1 / c, None),
}
"""The scale and the offset that an operation with a number is, which may be the first of both."""


def _line(layer: Config) -> tuple[float, float | None] | None:
    """The scale and the offset of an operation with a number; None for another layer."""
    args, kind = list(_call(layer).get("args") or []), str(layer.get("class_name"))
    numbers = [place for place, value in enumerate(args) if type(value) in (int, float)]
    if kind not in LINES or len(args) != 2 or len(numbers) != 1:
        return None
    [place] = numbers
    if place == 0 and kind.endswith("Divide"):
        raise ChainruleError(f"layer {_name(layer)!r}, {kind}: of a number by a tensor there is none here.")
    return LINES[kind](args[place], place == 0)


def _tensors(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        yield value["config"]["keras_history"][0]
    elif isinstance(value, list):
        for each in value:
            yield from _tensors(each)


def _reaching(target: str, inputs: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The layers that a layer's outputs depend on, each behind its inputs."""
    found, left = set(), [target]
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += inputs[name]
    order = TopologicalSorter({name: inputs[name] for name in found}).static_order()
    return {name: inputs[name] for name in order}


def _shape_of(batch: Any) -> Shape:
    if not isinstance(batch, list) or len(batch) < 2 or not all(type(axis) is int for axis in batch[1:]):
        raise ChainruleError(
            f"the model takes examples of any size, {batch}, and a network here of one. Give input_shape."
        )
    return tuple(batch[1:])
