"""Models in files: safetensors, with everything else about the model as JSON in the header.

The header has one entry, `chainrule`, so that equal models give equal bytes; a digest in it covers the rest of the
entry and the arrays, so that an altered file is noticed.
"""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.files import write_whole
from chainrule.history import History
from chainrule.layer import Parameter
from chainrule.model import Model, as_chain
from chainrule.notation import parse
from chainrule.preparation import Preparation
from chainrule.regularizers import Regularizer

FORMAT = 1  # raised when older versions can't read what newer ones write
FILE = "model.safetensors"


def save(model: Model, path: Path) -> None:
    """Write a model's file, whole or not at all."""
    write_whole(path, to_bytes(model))


def to_bytes(model: Model) -> bytes:
    """The content of a model's file; equal models give equal bytes."""
    from safetensors.numpy import save as serialize

    arrays = _by_name({"parameters": model.parameters, "state": model.state})
    history = asdict(model.history)
    del history["seconds"]  # the only thing that two equal runs do not share
    about = {
        "format": FORMAT,
        "network": repr(model.network),
        "input_shape": model.input_shape,
        "cost": repr(model.cost),
        "regularizer": model.regularizer and repr(model.regularizer),
        "classes": model.classes,
        "preparation": model.preparation and model.preparation.to_json(),
        "history": history,
        "training": model.training,
    }
    text = json.dumps(about | {"digest": _digest(about, arrays)}, default=_plain)
    return serialize(arrays, {"chainrule": text})


def load(path: str | os.PathLike) -> Model:
    """Read a model from its file, or from the folder of a run.

    Raises:
        ChainruleError: for a missing file, one of something else, cut short, altered, or of a later version.
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    about, arrays = _read(file)
    if about.get("format", 0) > FORMAT:
        raise ChainruleError(f"{file} was written by a later version of Chainrule. Update: pip install -U chainrule.")
    digest = about.pop("digest", None)
    if digest != _digest(about, arrays):
        raise ChainruleError(f"{file} was altered after it was saved: its digest does not match. Use an intact copy.")
    network, shape = as_chain(about["network"]), tuple(about["input_shape"])
    return Model(
        network=network,
        parameters=_into(network.parameters(shape), "parameters", arrays),
        state=_into(network.state(shape), "state", arrays),
        input_shape=shape,
        cost=parse(about["cost"], Cost),
        regularizer=about["regularizer"] and parse(about["regularizer"], Regularizer),
        classes=None if about["classes"] is None else tuple(about["classes"]),
        preparation=about["preparation"] and Preparation.from_json(about["preparation"]),
        history=History(**about["history"]),
        training=about["training"],
    )


def _read(file: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    if not file.exists():
        raise ChainruleError(f"There is no model file {file}. Train one: chainrule train digits.")
    try:
        with safe_open(file, "numpy") as content:
            about = {**json.loads((content.metadata() or {})["chainrule"])}
            return about, {name: content.get_tensor(name) for name in sorted(content.keys())}
    except SafetensorError as error:
        raise ChainruleError(
            f"{file} is no model file, or is cut short or damaged ({error}). Use an intact copy, or train again."
        ) from None
    except (KeyError, TypeError, ValueError):
        raise ChainruleError(f"{file} is no model file of Chainrule: its header has no description.") from None
    except OSError as error:
        raise ChainruleError(f"Can't read {file}: {error.strerror or error}.") from None


def _digest(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(about, default=_plain, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """NumPy's scalars as JSON's."""
    return value.item()


def _name(root: str, path: tuple) -> str:
    return ".".join([root, *(str(getattr(key, "key", getattr(key, "idx", key))) for key in path)])


def _by_name(tree: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a tree by their place in it, such as `parameters.0.kernel`."""
    leaves, _ = jax.tree.flatten_with_path(tree)
    return {_name("", path)[1:]: np.asarray(leaf) for path, leaf in leaves}


def _into(declared: Any, root: str, arrays: dict[str, np.ndarray]) -> Any:
    """A tree of the arrays that a network declares."""

    def find(path: tuple, leaf: Any) -> np.ndarray:
        array = arrays.get(_name(root, path))
        if array is None or array.shape != tuple(leaf.shape):
            raise ChainruleError(f"The model file lacks {_name(root, path)} of shape {tuple(leaf.shape)}.")
        return array

    return jax.tree.map_with_path(find, declared, is_leaf=lambda node: isinstance(node, Parameter))
