"""Models in files: safetensors, with everything else about the model as JSON in the header.

The header has one entry, `chainrule`, so that equal models give equal bytes; a digest in it covers the rest of the
entry and the arrays, so that an altered file is noticed. What a file may hold is said once, by `Header` and by the
arrays that its network declares; a model is read back as it is saved, so that nothing is written that can't be read.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from chainrule.arrays.compilation import on_device
from chainrule.arrays.masked import Shape
from chainrule.costs import Cost
from chainrule.data.files import known_path
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.records import read, require
from chainrule.errors import ChainruleError
from chainrule.formula.base import check_single
from chainrule.formula.layer import Parameter
from chainrule.model.history import History, Stopped
from chainrule.model.trained import Trained
from chainrule.notation import as_chain, parse
from chainrule.regularizers import Regularizer

Plain = bool | int | float | str | None


FORMAT = 3  # raised where versions differ in what they write
FILE = "model.safetensors"
MOST_BYTES = 100_000_000  # of a header, as safetensors has it
MOST_ARRAYS = 20_000  # more than the longest notation declares


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
    from safetensors.numpy import save as serialize

    try:
        for formula in filter(None, (model.network, model.cost, model.regularizer)):
            check_single(formula)
        arrays = _by_name({"parameters": model.parameters, "state": model.state})
        about = _about(model)
        _fields(read(Header, about), arrays)
    except ChainruleError as error:
        raise ChainruleError(f"The model can't be saved: {error}") from None
    content = serialize(arrays, {"chainrule": json.dumps(about | {"digest": _digest(about, arrays)})})
    if (size := _size(content)) > MOST_BYTES:
        raise ChainruleError(f"The model can't be saved: its description has {size:,} bytes. Shorten model.history.")
    return content


def fields(path: str | os.PathLike) -> dict[str, Any]:
    """A model's fields from its file, or from the folder of a run."""
    path = known_path(path)
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise ChainruleError(f"There is no model file {file}. Train one: chainrule train digits.")
    about, arrays = _content(file)
    version, digest = about.get("format"), about.pop("digest", None)
    if type(version) is int and version > FORMAT:
        raise ChainruleError(f"{file} was written by a later version of Chainrule. Update: pip install -U chainrule.")
    try:
        header = read(Header, _of_today(about))
        if digest == _digest(about, arrays):
            return _fields(header, arrays)
    except ChainruleError as error:
        if type(version) is int and version < FORMAT:
            raise ChainruleError(f"{file} was written by an earlier version of Chainrule. Train it again.") from None
        raise ChainruleError(f"{file} is damaged or was altered: {error} Use an intact copy.") from None
    raise ChainruleError(f"{file} was altered after it was saved: its digest does not match. Use an intact copy.")


def _about(model: Trained) -> dict[str, Any]:
    """A model's header as JSON has it."""
    history = asdict(model.history)
    del history["seconds"]
    about = {
        "format": FORMAT,
        "network": repr(model.network),
        "input_shape": model.input_shape,
        "cost": repr(model.cost),
        "regularizer": model.regularizer and repr(model.regularizer),
        "classes": model.classes,
        "preprocessor": model.preprocessor and model.preprocessor.to_json(),
        "history": history,
        "training": model.training,
    }
    try:
        return json.loads(json.dumps(about, default=_plain))
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ChainruleError(f"expected numbers and texts to describe it, got something else: {error}.") from None


def _of_today(about: dict[str, Any]) -> dict[str, Any]:
    """A header as it is written now; until format 2 its preprocessor had another name."""
    return {"preprocessor" if name == "preparation" else name: value for name, value in about.items()}


def _fields(header: Header, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """A model's fields from its file's two parts, which must go together."""
    network, shape = as_chain(header.network), header.input_shape
    outputs, classes = network.output_shape(shape), len(header.classes or ())
    require(classes in (0, outputs[-1]) or (classes, outputs[-1]) == (2, 1), f"{outputs[-1]} classes, one an output")
    preprocessor = None if header.preprocessor is None else Preprocessor.from_json(header.preprocessor)
    if preprocessor is not None:
        require(preprocessor.input_shape == shape, f"a preprocessor that makes the input_shape {shape}")
        require(preprocessor.classes == (header.classes or ()), "the classes of the preprocessor")
    declared = {"parameters": network.parameters(shape), "state": network.state(shape)}
    leaves, tree = jax.tree.flatten_with_path(declared, is_leaf=lambda node: isinstance(node, Parameter))
    expected = {_name(path): tuple(leaf.shape) for path, leaf in leaves}
    for name in sorted(expected.keys() ^ arrays.keys()):
        require(name in arrays, f"an array {name} of shape {expected.get(name)}, which the network declares")
        require(name in expected, f"no array {name}, which the network does not declare")
    for name, array in arrays.items():
        require(array.shape == expected[name], f"{name} of shape {expected[name]}, got {array.shape}")
        require(array.dtype == np.float32, f"{name} in float32, got {array.dtype}")
        require(bool(np.isfinite(array).all()), f"finite numbers in {name}, got NaN or infinity")
    return {
        "network": network,
        **on_device(tree.unflatten(arrays[name] for name in expected)),  # once, not at each call
        "input_shape": shape,
        "cost": parse(header.cost, Cost),
        "regularizer": None if header.regularizer is None else parse(header.regularizer, Regularizer),
        "classes": header.classes,
        "preprocessor": preprocessor,
        "history": History(**vars(header.history)),
        "training": header.training,
    }


def _content(file: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a file's header says, and its arrays, neither of which can be larger than the file."""
    from safetensors import SafetensorError, safe_open

    try:
        if _arrays_in(file) > MOST_ARRAYS:
            raise ChainruleError(
                f"{file} is no model file: it names more arrays than a network has. Use an intact copy."
            )
        with safe_open(file, "numpy") as content:
            about = {**json.loads((content.metadata() or {})["chainrule"])}
            return about, {name: content.get_tensor(name) for name in sorted(content.keys())}
    except ChainruleError:
        raise
    except (SafetensorError, AttributeError):  # the latter for dtypes that NumPy lacks
        raise ChainruleError(
            f"{file} is no model file, or is cut short or damaged. Use an intact copy, or train again."
        ) from None
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ChainruleError(f"{file} is no model file of Chainrule: its header has no description.") from None
    except OSError as error:
        raise ChainruleError(f"Can't read {file}: {error.strerror or error}.") from None


def _arrays_in(file: Path) -> int:
    """How many arrays a file's header names, counted before it is read: names are in quotes there, and nothing else."""
    with file.open("rb") as content:
        size = _size(content.read(8))
        return content.read(size).count(b'"data_offsets"') if size <= MOST_BYTES else 0


def _size(content: bytes) -> int:
    """The bytes of the header of a file of safetensors."""
    return int.from_bytes(content[:8], "little")


def _digest(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """NumPy's scalars as JSON's."""
    return value.item()


def _name(path: tuple) -> str:
    """An array's place in the trees of a model, such as `parameters.0.kernel`."""
    return ".".join(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)


def _by_name(tree: dict[str, Any]) -> dict[str, np.ndarray]:
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}
