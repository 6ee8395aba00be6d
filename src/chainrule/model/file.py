"""Models in files: their arrays, and everything else about them as a description.

What a file may hold is said once, by `Header` and by the arrays that its network declares; a model is read back as it
is saved, so that nothing is written that can't be read.
"""

import os
from dataclasses import asdict, dataclass
from typing import Any, Literal

import jax
import numpy as np

from chainrule.arrays.devices import on_device
from chainrule.arrays.masked import Shape
from chainrule.costs import Cost
from chainrule.data.files import known_path
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.records import read, require
from chainrule.errors import ChainruleError
from chainrule.formula.base import check_single
from chainrule.formula.layer import Parameter
from chainrule.model import embedded
from chainrule.model.container import Arrays, Container, Description, by_place, filled, plain
from chainrule.model.history import History, Stopped
from chainrule.model.trained import Trained
from chainrule.notation import as_chain, parse
from chainrule.regularizers import Regularizer

Plain = bool | int | float | str | None

MODEL = Container("model file", "chainrule", 3, 20_000)  # arrays: more than the longest notation declares
FILE = "model.safetensors"


@dataclass(frozen=True)
class Epochs:
    """A history without its seconds, which are the only thing that two equal runs do not share."""

    rows: list[dict[str, int | float]]
    best_epoch: int | None
    stopped: Stopped

    def __post_init__(self) -> None:
        require(len({tuple(row) for row in self.rows}) <= 1, "the same columns in each epoch")
        counted = [row.get("epoch") for row in self.rows] == [*range(1, len(self.rows) + 1)]
        require(counted and all("cost" in row for row in self.rows), "epochs 1, 2, … with their costs")
        require(self.best_epoch is None or 0 < self.best_epoch <= len(self.rows), "a best epoch among the epochs")


@dataclass(frozen=True)
class Header:
    """A model without its arrays: formulas in notation, all else as it is."""

    format: Literal[1, 2, 3]
    network: str
    input_shape: Shape
    cost: str
    regularizer: str | None
    classes: tuple[bool | int | float | str, ...] | None
    preprocessor: str | None
    history: Epochs
    training: dict[str, Plain | list[Plain] | dict[str, Plain | list[Plain]]]

    def __post_init__(self) -> None:
        require(len(self.input_shape) > 0 and min(self.input_shape) > 0, "an input_shape of sizes of 1 or more")
        classes = self.classes
        require(classes is None or 1 < len(classes) == len(set(classes)), "two distinct classes or more")


def to_bytes(model: Trained) -> bytes:
    """The content of a model's file; equal models give equal bytes.

    Raises:
        ChainruleError: for a model that could not be read back.
    """
    try:
        for formula in filter(None, (model.network, model.cost, model.regularizer)):
            check_single(formula)
        arrays = arrays_of(model)
        about = _about(model)
        _fields(about, arrays)
        return MODEL.packed(about, arrays)
    except ChainruleError as error:
        raise ChainruleError(f"The model can't be saved: {error}") from None


def fields(path: str | os.PathLike) -> dict[str, Any]:
    """A model's fields from its file, or from the folder of a run."""
    path = known_path(path)
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ChainruleError(f"There is no model file {file}. Train one: chainrule train digits.")
    return MODEL.unpacked(file, _fields, embedded.content if file.suffix.lower() == ".onnx" else None)


def in_graph(model: Trained, constants: Arrays, traced: Arrays) -> dict[str, str]:
    """The metadata of an ONNX file from which a model is read back; see `embedded.entries`."""
    return embedded.entries(MODEL, _about(model), arrays_of(model), constants, traced)


def arrays_of(model: Trained) -> Arrays:
    """A model's arrays by their names."""
    return by_place({"parameters": model.parameters, "state": model.state})


def _about(model: Trained) -> Description:
    """A model's description."""
    history = asdict(model.history)
    del history["seconds"]
    return plain(
        {
            "format": MODEL.format,
            "network": repr(model.network),
            "input_shape": model.input_shape,
            "cost": repr(model.cost),
            "regularizer": model.regularizer and repr(model.regularizer),
            "classes": model.classes,
            "preprocessor": model.preprocessor and model.preprocessor.to_json(),
            "history": history,
            "training": model.training,
        }
    )


def _of_today(about: Description) -> Description:
    """A header as it is written now; until format 2 its preprocessor had another name."""
    return {"preprocessor" if name == "preparation" else name: value for name, value in about.items()}


def _fields(about: Description, arrays: Arrays) -> dict[str, Any]:
    """A model's fields from its file's two parts, which must go together."""
    header = read(Header, _of_today(about))
    network, shape = as_chain(header.network), header.input_shape
    outputs, classes = network.output_shape(shape), len(header.classes or ())
    require(classes in (0, outputs[-1]) or (classes, outputs[-1]) == (2, 1), f"{outputs[-1]} classes, one an output")
    preprocessor = None if header.preprocessor is None else Preprocessor.from_json(header.preprocessor)
    if preprocessor is not None:
        require(preprocessor.input_shape == shape, f"a preprocessor that makes the input_shape {shape}")
        require(preprocessor.classes == (header.classes or ()), "the classes of the preprocessor")
    declared = {"parameters": network.parameters(shape), "state": network.state(shape)}
    wanted = jax.tree.map(_in_float32, declared, is_leaf=lambda node: isinstance(node, Parameter))
    trees = filled(wanted, arrays)
    for name, array in arrays.items():
        require(bool(np.isfinite(array).all()), f"finite numbers in {name}, got NaN or infinity")
    return {
        "network": network,
        **on_device(trees),  # once, not at each call
        "input_shape": shape,
        "cost": parse(header.cost, Cost),
        "regularizer": None if header.regularizer is None else parse(header.regularizer, Regularizer),
        "classes": header.classes,
        "preprocessor": preprocessor,
        "history": History(**vars(header.history)),
        "training": header.training,
    }


def _in_float32(declared: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(declared.shape, np.float32)
