"""Files of PyTorch's weights: safetensors, and .pt and .pth, of which nothing but arrays is ever read."""

import re
import warnings
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from chainrule.arrays.memory import check_memory
from chainrule.data.files import known_path, reason
from chainrule.errors import ChainruleError
from chainrule.interchange.extras import needing
from chainrule.interchange.weights.matching import Stored, natural

SUFFIXES = (".safetensors", ".pt", ".pth")
DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "BOOL": np.bool_,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
}
NESTED = ("state_dict", "model_state_dict", "model")  # under which checkpoints keep the weights

Tensors = Mapping[str, Any]


def read(source: Any) -> tuple[Tensors, str]:
    """The arrays of a file by name, or of a state_dict itself, in the order of their modules; and what it is called.

    The names of safetensors have no order of their own, and are sorted as people do.

    Raises:
        ChainruleError: for a file of something else, cut short or damaged, or with code in it.
    """
    if isinstance(source, Mapping):
        return {str(name): _array(value) for name, value in source.items()}, "The state_dict"
    path = known_path(source)
    if not path.is_file():
        raise ChainruleError(f"There is no file {path}. Name one of weights: .safetensors, .pt or .pth.")
    try:
        check_memory(2 * path.stat().st_size, str(path), "Read it where there is more.")
        return (_safetensors if path.suffix.lower() == ".safetensors" else _pickled)(path), str(path)
    except OSError as error:
        raise ChainruleError(f"Can't read {path}: {reason(error)}.") from None


def content(path: Path, arrays: Mapping[str, np.ndarray]) -> bytes:
    """The content of a file of this name with these arrays."""
    if path.suffix.lower() == ".safetensors":
        from safetensors.numpy import save as serialize

        return serialize(dict(arrays), {"format": "pt"})
    with needing("torch", "Files of PyTorch"):
        import torch
    buffer = BytesIO()
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, buffer)
    return buffer.getvalue()


def by_module(tensors: Tensors) -> Stored:
    """Arrays by their modules, in the order in which these first occur, under the names that forms know them by.

    A layer of a recurrent module is a module of its own, `rnn[1]`; those within an attention module are part of it; and
    what is parametrised has the older names: `weight_g` for `parametrizations.weight.original0`.
    """
    stored: Stored = {}
    for name, tensor in tensors.items():
        module, key = _apart(name)
        stored.setdefault(module, {})[key] = tensor
    for module in [module for module, arrays in stored.items() if "in_proj_weight" in arrays]:
        inner = stored.pop(_within(module, "out_proj"), {})
        stored[module] |= {f"out_proj.{key}": tensor for key, tensor in inner.items()}
    return stored


def named(modules: Iterable[tuple[str, Mapping[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """`by_module` undone: the names by which PyTorch's newest modules load their arrays."""
    found = {}
    for module, arrays in modules:
        outer, level = re.fullmatch(r"(.*?)(?:\[(\d+)\])?", module).groups()  # type: ignore[union-attr]
        for key, array in arrays.items():
            base, part = re.fullmatch(r"(.+?)(_g|_v|_u|_orig)?", key).groups()  # type: ignore[union-attr]
            own = re.sub(RECURRENT, rf"\1_l{level or 0}", base)
            if part:
                own = f"parametrizations.{own}.{(SPECTRAL if f'{base}_orig' in arrays else NORMED)[part]}"
            found[_within(outer, own)] = np.ascontiguousarray(array).reshape(array.shape)
    return found


RECURRENT = r"^((?:weight|bias)_[ih]h)"
NORMED = {"_g": "original0", "_v": "original1"}
SPECTRAL = {"_orig": "original", "_u": "0._u", "_v": "0._v"}
OLDER = {newer: older for spelt in (NORMED, SPECTRAL) for older, newer in spelt.items()}


def _apart(name: str) -> tuple[str, str]:
    """The module of an array, and its name there."""
    if found := re.fullmatch(r"(?:(.*)\.)?parametrizations\.(\w+)\.(original[01]?|0\._[uv])", name):
        module, key = found[1] or "", found[2] + OLDER[found[3]]
    else:
        module, _, key = name.rpartition(".")
    if level := re.match(rf"{RECURRENT}_l(\d+)", key):
        key = level[1] + key[level.end() :]
        module += f"[{level[2]}]" if int(level[2]) else ""
    return module, key


def _within(module: str, name: str) -> str:
    return f"{module}.{name}" if module else name


def _safetensors(path: Path) -> Tensors:
    from safetensors import SafetensorError, deserialize, safe_open

    try:
        with safe_open(path, "numpy") as header:
            if "chainrule" in (header.metadata() or {}):
                raise ChainruleError(f"{path} is a model of Chainrule. Read it by chainrule.load.")
        found = dict(deserialize(path.read_bytes()))
    except SafetensorError:
        raise ChainruleError(
            f"{path} is no file of safetensors, or is cut short or damaged. Use an intact copy."
        ) from None
    arrays = {}
    for name in sorted(found, key=natural):
        kind = found[name]["dtype"]
        if kind not in DTYPES:
            raise ChainruleError(f"{path}: {name} is of type {kind}, which is not read. Save it in float32.")
        arrays[name] = np.frombuffer(found[name]["data"], DTYPES[kind]).reshape(found[name]["shape"])
    return arrays


def _pickled(path: Path) -> Tensors:
    with needing("torch", "Files of PyTorch"):
        import torch
    import pickle

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files that older versions wrote
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Weights only load failed" in str(error) and "nsupported" in str(error):
            raise ChainruleError(
                f"{path} holds Python's objects, whose code is never run. Save the weights alone: "
                f"torch.save(module.state_dict(), file)."
            ) from None
        raise _damaged(path) from None
    except Exception:  # its readers raise errors of many kinds on damaged files
        raise _damaged(path) from None
    while isinstance(found, Mapping) and (inside := [key for key in NESTED if isinstance(found.get(key), Mapping)]):
        found = found[inside[0]]
    if not isinstance(found, Mapping):
        raise ChainruleError(f"{path} holds no state_dict, but {type(found).__name__}. Save module.state_dict().")
    return {str(name): _array(value, f"{path}: {name}") for name, value in found.items()}


def _damaged(path: Path) -> ChainruleError:
    return ChainruleError(f"{path} is no file of PyTorch's weights, or is cut short or damaged. Use an intact copy.")


def _array(value: Any, who: str = "The state_dict") -> np.ndarray:
    """A tensor's numbers."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float().numpy() if value.is_floating_point() else value.numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "biufV" or (array.dtype.kind == "V" and array.dtype != ml_dtypes.bfloat16):
        raise ChainruleError(f"{who} is {type(value).__name__}, and no array of numbers. Save module.state_dict().")
    return array
