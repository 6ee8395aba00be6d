"""PyTorch's weights, in and out."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.costs import Cost
from chainrule.data.files import write_whole
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Layer
from chainrule.interchange.pytorch import files
from chainrule.interchange.pytorch.forms import PYTORCH
from chainrule.interchange.weights.exchange import MODULES, given, given_for, model_of, taken
from chainrule.model import Model
from chainrule.regularizers import Regularizer


def from_torch(
    source: str | os.PathLike | Mapping[str, Any],
    network: Layer | str | None,
    input_shape: Iterable[int] | None,
    *,
    names: Iterable[str] | None = None,
    cost: Cost | str | None = None,
    regularizer: Regularizer | str | None = None,
    classes: Sequence[Any] | None = None,
) -> Model:
    """A network with weights that PyTorch trained.

    The modules of the state_dict are taken in its order, that of definition (sorted by name in safetensors, which have
    none): the first layer of a form, that is of arrays of these names and shapes, takes the first module of that form.
    So a network is written as its modules were defined; layers without weights are free. The rows of a dense layer
    behind Flatten() are put in our order where convolutions came before it, which have channels first there.

    Args:
        source: a file (.safetensors, or .pt or .pth, of which arrays alone are read), or a state_dict.
        network: the network, or its notation.
        input_shape: one example's shape, channels last: (224, 224, 3).
        names: the modules to take, in the network's order, where that of the state_dict is another one; each stands for
            all modules within it, and what is not named is not taken.
        cost, regularizer: for measures and further training; by default as in `fit`.
        classes: the names of the classes in the order of the outputs; of probabilities by default 0, 1, ….

    Raises:
        ChainruleError: for a file of something else, damaged, or with code in it; and for modules that do not fit, each
            beside the layer that would have it.

    >>> import numpy as np
    >>> state_dict = {"0.weight": np.array([[1.0, 2.0]]), "0.bias": np.array([0.5])}
    >>> model = from_torch(state_dict, "Dense(1)", (2,))
    >>> model(np.array([[1.0, 1.0]])).tolist()
    [[3.5]]
    """
    who = "The state_dict" if isinstance(source, Mapping) else source
    chain, shape = given_for(who, network, input_shape)
    tensors, who = files.read(source)
    p, state, found = taken(files.by_module(tensors), chain, shape, PYTORCH, who, names)
    return model_of(
        chain, shape, p, state, cost=cost, regularizer=regularizer, classes=classes, training={MODULES: found}
    )


def to_torch(model: Model, path: str | os.PathLike) -> None:
    """Write a model's weights as a state_dict, whole or not at all: .safetensors, .pt or .pth, by its suffix.

    Modules have the names that they came with, else their places in the network, which are those in nn.Sequential: what
    `Dense(32) >> ReLU() >> Dense(10)` gives, `nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))` loads.

    Raises:
        ChainruleError: for a layer that PyTorch does not have, and where the file can't be written.
    """
    path = Path(path)
    if path.suffix.lower() not in files.SUFFIXES:
        expected = ", ".join(files.SUFFIXES)
        raise ChainruleError(f"Expected a file of PyTorch's weights, {expected}, got {path}. Name it so.")
    write_whole(path, files.content(path, files.named(given(model, PYTORCH))))
