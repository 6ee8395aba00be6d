"""A model inside an ONNX file: its description in the metadata, its arrays among the graph's constants.

Graphs have arrays in layouts of their own: transposed, gates in another order, beside others. So the metadata say where
the numbers of each array stand: a number's place in its constant is the sum of what each of its indices adds. Arrays of
which the graph only holds what was computed from them are in the metadata themselves.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import numpy as np

from chainrule.data.records import read_json, require
from chainrule.errors import ChainruleError
from chainrule.model.container import Arrays, Container, Description

DESCRIPTION, PLACES, REST = "chainrule", "chainrule.places", "chainrule.arrays"
OURS = ("parameters.", "state.")  # how constants begin that hold arrays as they are


@dataclass(frozen=True)
class Place:
    """Where the numbers of an array stand.

    Attributes:
        constant: the name of a constant of the graph.
        first: the place of the first number in it.
        axes: what the indices of each axis add to that, in runs of (the first of them, how much each adds, how many).

    >>> turned = Place.of("kernel", np.array([[0, 2, 4], [1, 3, 5]]))
    >>> turned
    Place(constant='kernel', first=0, axes=(((0, 1, 2),), ((0, 2, 3),)))
    >>> turned.taken(np.array([0.5, 3.5, 1.5, 4.5, 2.5, 5.5]))
    array([[0.5, 1.5, 2.5],
           [3.5, 4.5, 5.5]])
    """

    constant: str
    first: int
    axes: tuple[tuple[tuple[int, ...], ...], ...]

    @classmethod
    def of(cls, constant: str, places: np.ndarray) -> Self | None:
        """From the place of each number of an array; None where no sum gives it."""
        first = int(places.flat[0])
        added = [
            places[(0,) * axis + (slice(None),) + (0,) * (places.ndim - axis - 1)] - first
            for axis in range(places.ndim)
        ]
        if not np.array_equal(_sum(first, added), places):
            return None
        return cls(constant, first, tuple(tuple(_runs(each)) for each in added))

    def taken(self, constant: np.ndarray) -> np.ndarray:
        """The array, from its constant's numbers."""
        require(all(len(run) == 3 and run[2] > 0 for runs in self.axes for run in runs), "runs of three whole numbers")
        sizes = [sum(count for _, _, count in runs) for runs in self.axes]
        require(reduce(int.__mul__, sizes, 1) <= constant.size, f"an array in {self.constant}")
        added = [np.concatenate([a + step * np.arange(count) for a, step, count in runs]) for runs in self.axes]
        places = _sum(self.first, added)
        require(bool(((places >= 0) & (places < constant.size)).all()), f"places in {self.constant}")
        return constant.reshape(-1)[places]


def entries(kind: Container, about: Description, arrays: Arrays, constants: Arrays, traced: Arrays) -> dict[str, str]:
    """The metadata of an ONNX file from which a model is read back.

    Args:
        kind: what a file of such a model is.
        about: its description.
        arrays: its arrays, none of them empty.
        constants: those of the graph by name.
        traced: the same, where the arrays are `numbered` instead of what they are.
    """
    kept = {}
    for name, places in _found(arrays, traced):
        if all(place.constant in constants for place in places) and _same(_taken(places, constants), arrays[name]):
            kept[name] = [asdict(place) for place in places]
    found = {DESCRIPTION: kind.described(about, arrays), PLACES: json.dumps(kept)}
    if rest := {name: array for name, array in arrays.items() if name not in kept}:
        from safetensors.numpy import save

        found[REST] = base64.b64encode(save(rest)).decode()
    return found


def numbered(arrays: Arrays) -> Arrays:
    """Arrays of the same shapes, whose numbers are 1, 2, 3, … throughout, in a type that has all of them."""
    ends = [*accumulate(array.size for array in arrays.values())]
    dtype = np.float32 if max(ends, default=0) < 2**24 else np.float64
    return {
        name: np.arange(end - array.size + 1, end + 1, dtype=dtype).reshape(array.shape)
        for (name, array), end in zip(arrays.items(), ends, strict=True)
    }


def read(metadata: Mapping[str, str], constants: Mapping[str, np.ndarray]) -> Arrays:
    """A model's arrays from an ONNX file's metadata and constants."""
    found = read_json(dict[str, tuple[Place, ...]], metadata.get(PLACES, "{}"))
    taken = {name: _taken(places, constants) for name, places in found.items()}
    return taken | _rest(metadata.get(REST, ""))


def opened(file: Path) -> Any:
    """ONNX's ModelProto of a file, without the arrays that stand in other files.

    Raises:
        ChainruleError: for a file of something else, or cut short.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ChainruleError(
            f"{file}: ONNX files need the onnx package. Install it: pip install 'chainrule[onnx]'"
        ) from None
    try:
        return onnx.load_model(file, load_external_data=False)
    except DecodeError:
        raise ChainruleError(f"{file} is no ONNX file, or is cut short or damaged. Use an intact copy.") from None
    except OSError as error:
        raise ChainruleError(f"Can't read {file}: {error.strerror or error}.") from None


def content(file: Path) -> tuple[Description, Arrays]:
    """The description and the arrays of a model in an ONNX file.

    Raises:
        ChainruleError: for a file of something else, or cut short.
    """
    model = opened(file)
    import onnx

    said = {entry.key: entry.value for entry in model.metadata_props}
    if DESCRIPTION not in said:
        raise ChainruleError(
            f"{file} is no model file of Chainrule: its metadata have no description. "
            f"Read a graph of another library: chainrule import {file}"
        )
    try:
        constants = {each.name: _constant(onnx, each) for each in model.graph.initializer if each.name.startswith(OURS)}
        return {**json.loads(said[DESCRIPTION])}, read(said, constants)
    except (ChainruleError, TypeError, ValueError, RecursionError) as error:
        why = f": {error}" if isinstance(error, ChainruleError) else "."
        raise ChainruleError(f"{file} is damaged or was altered{why} Use an intact copy.") from None


def _constant(onnx: Any, tensor: Any) -> np.ndarray:
    require(tensor.data_location != onnx.TensorProto.EXTERNAL, f"{tensor.name} inside the file")
    return onnx.numpy_helper.to_array(tensor)


def _taken(places: tuple[Place, ...], constants: Mapping[str, np.ndarray]) -> np.ndarray:
    """An array from its place; from several, those of the parts along its first axis."""
    require(all(place.constant in constants for place in places), "the constants that it names")
    parts = [place.taken(constants[place.constant]) for place in places]
    require(len({part.shape for part in parts}) == 1, "parts of one shape")
    return parts[0] if len(parts) == 1 else np.stack(parts)


def _rest(text: str) -> Arrays:
    if not text:
        return {}
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(base64.b64decode(text, validate=True))
    except SafetensorError as error:
        raise ValueError from error


def _found(arrays: Arrays, traced: Arrays) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """Where arrays stand in the constants of a graph, by the numbers that were traced through it.

    One that is nowhere as a whole may be there part by part, as repetitions of a layer are.
    """
    sorted_ = {}
    for constant, numbers in traced.items():
        if constant.startswith(OURS):
            order = np.argsort(numbers, axis=None, kind="stable")
            sorted_[constant] = numbers.reshape(-1)[order], order
    for name, array in numbered(arrays).items():
        for parts in ((array,), array if array.ndim > 1 else ()):
            places = tuple(filter(None, (_place(part, sorted_) for part in parts)))
            if 0 < len(places) == len(parts):
                yield name, places
                break


def _place(numbers: np.ndarray, traced: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Place | None:
    """The place of consecutive numbers in a constant that has all of them."""
    for constant, (known, order) in traced.items():
        begin = int(np.searchsorted(known, numbers.flat[0]))
        some = slice(begin, begin + numbers.size)
        if np.array_equal(known[some], numbers.reshape(-1)) and (
            place := Place.of(constant, order[some].reshape(numbers.shape))
        ):
            return place
    return None


def _sum(first: int, added: list[np.ndarray]) -> np.ndarray:
    """The sum of what the indices of each axis add."""
    return reduce(np.add.outer, added, np.array(first)) if added else np.array(first)


def _runs(numbers: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Numbers as runs of equal steps.

    >>> [*_runs(np.array([0, 2, 4, 1, 3]))]
    [(0, 2, 3), (1, 2, 2)]
    """
    steps, begin = np.diff(numbers), 0
    while begin < len(numbers):
        step = int(steps[begin]) if begin < len(steps) else 0
        other = np.flatnonzero(steps[begin:] != step)
        count = int(other[0]) + 1 if len(other) else len(numbers) - begin
        yield int(numbers[begin]), step, count
        begin += count


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
