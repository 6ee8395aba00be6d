"""A model of another library's weights, and another library's weights of a model."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.activations import Sigmoid
from chainrule.arrays.devices import on_device
from chainrule.arrays.masked import Shape
from chainrule.costs import Cost
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.formula.layer import Chain, Layer
from chainrule.interchange.weights.matching import Stored, matched
from chainrule.interchange.weights.modules import Library, check_nothing, check_whole, copied, empty, whole
from chainrule.model import Model
from chainrule.notation import as_chain
from chainrule.notation.choices import as_formula
from chainrule.regularizers import Regularizer
from chainrule.training.ending import default_cost, is_probable

MODULES = "modules"  # under which a model keeps the names that its weights came with


def taken(
    stored: Stored, network: Chain, shape: Shape, library: Library, who: str, names: Iterable[str] | None = None
) -> tuple[Any, Any, list[str]]:
    """A network's parameters and state from a file's modules, and the names of these in the network's order.

    Raises:
        ChainruleError: where they do not fit, or hold what is no number.
    """
    network.output_shape(shape)
    of = empty(network, shape)
    check_whole(network, of, library)
    modules = whole(network, of, library)
    found = matched(modules, stored, who, names)
    for module, name in zip(modules, found, strict=True):
        for key, weight in module.arrays.items():
            array = stored[name].get(key)
            if array is not None and not np.isfinite(array).all():
                raise ChainruleError(f"{who}: {name}.{key} holds NaN or infinity. Train it again, at a lower rate.")
            weight.pour_in(None if array is None else array.astype(np.float32))
    return of.p, of.state, found


def given(model: Model, library: Library) -> list[tuple[str, dict[str, np.ndarray]]]:
    """The arrays of a model's modules in another library, each with its name: the one that it came with, or its place.

    Raises:
        ChainruleError: for a layer that the other library does not have.
    """
    of = copied(model.parameters, model.state, model.input_shape)
    modules, kept = whole(model.network, of, library), model.training.get(MODULES)
    if not (isinstance(kept, list) and len(kept) == len(modules)):
        kept = [".".join(map(str, module.place)) for module in modules]
    found = []
    for name, module in zip(kept, modules, strict=True):
        arrays = {key: weight.pour_out() for key, weight in module.arrays.items()}
        found.append((name, {key: array for key, array in arrays.items() if array is not None}))
    check_nothing(of, library)
    return found


def given_for(who: Any, network: Layer | str | None, shape: Iterable[int] | None) -> tuple[Chain, Shape]:
    """The network and the shape that are given for weights; refused where they are not."""
    if network is None or shape is None:
        raise ArgumentError("{} holds weights alone. Give {network} and {input_shape} too.", who)
    return as_chain(network), tuple(shape)


def model_of(
    network: Layer | str,
    shape: Iterable[int],
    parameters: Any,
    state: Any,
    *,
    cost: Cost | str | None = None,
    regularizer: Regularizer | str | None = None,
    classes: Sequence[Any] | None = None,
    training: dict[str, Any] | None = None,
) -> Model:
    """A model of what another library trained; its classes are numbered where probabilities have no names."""
    chain, shape = as_chain(network), tuple(shape)
    [*_, outputs] = chain.output_shape(shape)
    if classes is None and is_probable(chain.layers[-1]) and type(chain.layers[-1]) is not Sigmoid:
        classes = range(outputs)
    if classes is not None and len(classes) != max(outputs, 2):
        raise ChainruleError(
            f"The network has {outputs} outputs, and {len(classes)} classes are named. Name one for each."
        )
    return Model(
        chain,
        on_device(parameters),
        on_device(state),
        shape,
        default_cost(chain) if cost is None else as_formula(cost, Cost),
        None if regularizer is None else as_formula(regularizer, Regularizer),
        None if classes is None else tuple(classes),
        training=training or {},
    )
