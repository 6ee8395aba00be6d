"""Keras' models and weights, in and out."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from chainrule.costs import Cost
from chainrule.data.files import write_whole
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.formula.layer import Layer
from chainrule.interchange.keras import files
from chainrule.interchange.keras.forms import KERAS
from chainrule.interchange.keras.pieces import Notes
from chainrule.interchange.keras.reading import network_of, regularizer_of
from chainrule.interchange.keras.writing import written
from chainrule.interchange.weights.exchange import MODULES, given_for, model_of, taken
from chainrule.model import Model
from chainrule.notation import as_chain
from chainrule.regularizers import Regularizer

WEIGHTS, WHOLE = ".weights.h5", ".keras"


def from_keras(
    source: str | os.PathLike,
    network: Layer | str | None = None,
    input_shape: Iterable[int] | None = None,
    *,
    names: Iterable[str] | None = None,
    cost: Cost | str | None = None,
    regularizer: Regularizer | str | None = None,
    classes: Sequence[Any] | None = None,
) -> Model:
    """A model that Keras saved: a whole one (.keras), or weights (.weights.h5) for a network that is given.

    Sequential and functional models come in, where layers that take several outputs add, multiply or concatenate them,
    or take the largest, the smallest or the dot product; nothing in the file is run, so that Lambda layers are refused.
    Of a .weights.h5 file, which has no order of layers, the first layer of a form takes the first module of that form,
    sorted by name.

    Args:
        source: the file.
        network: the network, or its notation, for .weights.h5; of .keras it is in the file.
        input_shape: one example's shape; of .keras only where the file leaves sizes open.
        names: as in `from_torch`.
        cost, regularizer: for measures and further training; by default as in `fit`, and what the file says of kernels.
        classes: the names of the classes in the order of the outputs; of probabilities by default 0, 1, ….

    Raises:
        ChainruleError: for a file of something else, or damaged; for what has no form here, by layer, class and
            attribute; and for modules that do not fit, each beside the layer that would have it.
    """
    path = Path(source)
    shape = None if input_shape is None else tuple(input_shape)
    if path.name.lower().endswith(WHOLE):
        if network is not None:
            raise ArgumentError("{} has its own network. Leave {network} out, or take weights: {}.", path, WEIGHTS)
        config, stored, who = files.read(path)
        notes = Notes()
        try:
            piece, shape = network_of(config, notes, shape)
            chain = as_chain(piece.layer)
            chain.output_shape(shape)
        except ChainruleError as error:
            raise ChainruleError(f"{who}: {error}") from None
        except (KeyError, TypeError, AttributeError, IndexError, ValueError):
            raise ChainruleError(f"{who} has a description that is damaged. Save it again by Keras 3.") from None
        stored = {name: its for name, its in stored.items() if name not in notes.left} | notes.told
        names = piece.modules
        regularizer = regularizer_of(notes) if regularizer is None else regularizer
    elif path.name.lower().endswith(WEIGHTS):
        chain, shape = given_for(path, network, shape)
        stored, who = files.read_weights(path)
    else:
        raise ChainruleError(f"Expected a file of Keras', {WHOLE} or {WEIGHTS}, got {path}. Save it as one.")
    p, state, found = taken(stored, chain, shape, KERAS, who, names)
    return model_of(
        chain, shape, p, state, cost=cost, regularizer=regularizer, classes=classes, training={MODULES: found}
    )


def to_keras(model: Model, path: str | os.PathLike) -> None:
    """Write a model as Keras loads it, whole or not at all: .keras, or its weights alone, .weights.h5.

    Raises:
        ChainruleError: for a layer that Keras does not have, and where the file can't be written.
    """
    path = Path(path)
    if not path.name.lower().endswith((WHOLE, WEIGHTS)):
        raise ChainruleError(f"Expected a file of Keras', {WHOLE} or {WEIGHTS}, got {path}. Name it so.")
    config, weights = written(model)
    content = files.weights(weights)
    write_whole(path, content if path.name.lower().endswith(WEIGHTS) else files.archive(config, content))
