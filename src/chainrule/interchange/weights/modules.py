"""A network as modules of another library: the layers that have weights, in order, each with its arrays there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from chainrule.activations import Activation
from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Add, Chain, Concatenate, Layer, Multiply
from chainrule.formula.network import is_parameter
from chainrule.formula.repeat import Repeat
from chainrule.interchange.weights.views import NOTHING, Blocks, Weight
from chainrule.layers import (
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    Conv1D,
    Conv2D,
    Conv3D,
    ConvTranspose1D,
    ConvTranspose2D,
    Crop1D,
    Crop2D,
    DepthwiseConv2D,
    Flatten,
    Frozen,
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    Reshape,
    Stride1D,
    Stride2D,
    Upsample1D,
    Upsample2D,
    ZeroPad1D,
    ZeroPad2D,
)
from chainrule.layers.normalization import Normalization

Arrays = dict[str, Weight]

WINDOWED = frozenset(
    {
        *(Conv1D, Conv2D, Conv3D, DepthwiseConv2D, ConvTranspose1D, ConvTranspose2D),
        *(MaxPool1D, MaxPool2D, MaxPool3D, AveragePool1D, AveragePool2D, AveragePool3D),
        *(GlobalMaxPool1D, GlobalMaxPool2D, GlobalAveragePool1D, GlobalAveragePool2D),
        *(Stride1D, Stride2D, Upsample1D, Upsample2D, ZeroPad1D, ZeroPad2D, Crop1D, Crop2D),
    }
)
"""Layers that have the channels first in a library that has them first at all."""


class Order(NamedTuple):
    """How the features that reach a layer stand there: whether channels come first, and the blocks of flat ones."""

    first: bool = False
    blocks: Blocks | None = None


class Of(NamedTuple):
    """What a layer's form is told: its arrays of ours, the shape that reaches it, and the features' order there."""

    p: Any
    state: Any
    shape: Shape
    before: Order = Order()
    after: Order = Order()


class Module(NamedTuple):
    """A layer with weights, where it stands in the network, and its arrays in another library."""

    layer: Layer
    place: tuple[int, ...]
    arrays: Arrays


Form = Callable[[Any, Of], Arrays | list[Arrays]]
"""The arrays of a layer in another library; several where there are several modules there."""


class Around(NamedTuple):
    """A layer around another one in another library: what arrays the other one has, and what becomes of its modules."""

    inner: Callable[[Of], Of]
    change: Callable[[Any, Of, list[Module]], list[Module]]


@dataclass(frozen=True)
class Library:
    """Another library: what its arrays are of each layer, by exact type, and of each layer around another one.

    Attributes:
        name: what it is called.
        forms: by the layer's exact type.
        around: by the exact type of a layer around another one: what becomes of the other one's modules.
        channels_first: whether convolutions have the channels first.
    """

    name: str
    forms: dict[type[Layer], Form]
    around: dict[type[Layer], "Around"]
    channels_first: bool


def modules_of(network: Layer, of: Of, library: Library, place: tuple[int, ...] = ()) -> tuple[list[Module], Order]:
    """A network's modules in another library, and the order of its outputs there.

    Raises:
        ChainruleError: for a layer with weights that the other library does not have.
    """
    if way := WAYS.get(type(network), _around if type(network) in library.around else None):
        return way(network, of, library, place)
    form, arrays = library.forms.get(type(network)), (of.p, of.state)
    after = _after(network, of, library)
    if form is None:
        if jax.tree.leaves(arrays):
            raise _lacking(network, library)
        return [], after
    found = form(network, of._replace(after=after))
    several = found if isinstance(found, list) else [found]
    places = [place] if len(several) == 1 else [(*place, index) for index in range(len(several))]
    return [Module(network, own, each) for own, each in zip(places, several, strict=True)], after


def whole(network: Layer, of: Of, library: Library) -> list[Module]:
    """A network's modules that have weights."""
    return [module for module in modules_of(network, of, library)[0] if module.arrays]


def empty(network: Layer, shape: Shape) -> Of:
    """Arrays for a network, of which nothing is known yet."""

    def array(declared: Any) -> np.ndarray:
        return np.full(declared.shape, NOTHING)

    p = jax.tree.map(array, network.parameters(shape), is_leaf=is_parameter)
    return Of(p, jax.tree.map(array, network.state(shape)), shape)


def copied(p: Any, state: Any, shape: Shape) -> Of:
    """A model's arrays, to be poured out."""
    p, state = (jax.tree.map(lambda array: np.array(array, np.float32), tree) for tree in (p, state))
    return Of(p, state, shape)


def check_whole(network: Layer, of: Of, library: Library) -> None:
    """Refuse a layer of which the other library lacks an array."""
    ones = empty(network, of.shape)
    for array in jax.tree.leaves((ones.p, ones.state)):
        array[...] = 1
    for module in whole(network, ones, library):
        for weight in module.arrays.values():
            weight.pour_out()
    check_nothing(ones, library)


def check_nothing(of: Of, library: Library) -> None:
    """Refuse arrays that were not poured out."""
    for path, array in jax.tree.leaves_with_path((of.p, of.state)):
        if np.any(array):
            name = jax.tree_util.keystr(path[1:], simple=True, separator=".")
            raise ChainruleError(f"{library.name} has no array for the network's {name}. Choose layers that it has.")


def _chain(network: Chain, of: Of, library: Library, place: tuple[int, ...]) -> tuple[list[Module], Order]:
    found, order = [], of.before
    for index, (layer, shape) in enumerate(network.parts(of.shape)):
        own = Of(of.p[index], of.state[index], shape, order, Order(blocks=_image_of(network.layers[index:])))
        modules, order = modules_of(layer, own, library, (*place, index))
        found += modules
    return found, order


def _branches(network: Any, of: Of, library: Library, place: tuple[int, ...]) -> tuple[list[Module], Order]:
    found, orders = [], []
    for index, (layer, shape) in enumerate(network.parts(of.shape)):
        own = Of(of.p[index], of.state[index], shape, of.before)
        modules, order = modules_of(layer, own, library, (*place, index))
        found += modules
        orders.append((order, layer.output_shape(shape)))
    if type(network) is Concatenate and any(order.blocks for order, _ in orders):
        blocks = (block for order, reached in orders for block in order.blocks or (reached,))
        return found, Order(blocks=tuple(blocks))
    return found, max((order for order, _ in orders), key=lambda order: (order.first, order.blocks or ()))


def _repeat(network: Repeat, of: Of, library: Library, place: tuple[int, ...]) -> tuple[list[Module], Order]:
    found, order = [], of.before
    for index in range(network.times):
        p, state = (jax.tree.map(lambda array: array[index, ...], tree) for tree in (of.p, of.state))  # noqa: B023
        modules, order = modules_of(network.block, Of(p, state, of.shape, order), library, (*place, index))
        found += modules
    return found, order


def _frozen(network: Frozen, of: Of, library: Library, place: tuple[int, ...]) -> tuple[list[Module], Order]:
    return modules_of(network.layer, of, library, place)


def _around(network: Any, of: Of, library: Library, place: tuple[int, ...]) -> tuple[list[Module], Order]:
    inner, change = library.around[type(network)]
    modules, order = modules_of(network.layer, inner(of), library, place)
    return change(network, of, modules), order


WAYS: dict[type[Layer], Any] = {
    Chain: _chain,
    Repeat: _repeat,
    Frozen: _frozen,
    **dict.fromkeys((Add, Multiply, Concatenate), _branches),
}
"""How a composition's modules are found, by its exact type."""


def _image_of(layers: Sequence[Layer]) -> Blocks | None:
    """The image that the outputs of the first of some layers are made behind it, for a layer with windows."""
    deciding = (layer for layer in layers[1:] if layer.decides and not isinstance(layer, Activation | Normalization))
    image, seen = next(deciding, None), next(deciding, None)
    return (image.shape,) if type(image) is Reshape and len(image.shape) > 1 and type(seen) in WINDOWED else None


def _after(layer: Layer, of: Of, library: Library) -> Order:
    """The order of a layer's outputs there."""
    if not library.channels_first:
        return Order()
    shape, before, reached = of.shape, of.before, layer.output_shape(of.shape)
    if type(layer) in WINDOWED:
        return Order(first=len(reached) > 1)
    if type(layer) in (Flatten, Reshape):
        if len(reached) > 1:
            return Order(first=before.blocks == (reached,))
        return Order(blocks=(shape,)) if before.first and len(shape) > 1 else before
    if any(one.regularized for one in jax.tree.leaves(layer.parameters(shape), is_leaf=is_parameter)):
        return of.after if len(reached) == 1 else Order()  # features of its own
    return before


def _lacking(layer: Layer, library: Library) -> ChainruleError:
    return ChainruleError(f"{layer!r}: {library.name} has no such layer. Choose layers that it has.")
