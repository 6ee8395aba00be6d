"""Layers of Keras whose numbers are no weights there: here they are arrays of layers that are not trained."""

from typing import Any

import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.formula.layer import Layer
from chainrule.interchange.keras.pieces import Described, Notes, Piece
from chainrule.layers import Affine, Dense, Embedding, Flatten, Frozen, GlobalAveragePool1D, GlobalMaxPool1D, RMSNorm


def told(layer: Layer, module: str, notes: Notes, *arrays: np.ndarray) -> Piece:
    """A layer of these arrays, which no training changes, as a module of its own."""
    notes.told[module] = {str(index): array for index, array in enumerate(arrays)}
    return Piece(Frozen(layer), (module,))


def line(module: str, shape: Shape, notes: Notes, scale: Any, offset: Any = None) -> Piece:
    """A scale and an offset of channels."""
    numbers = (np.broadcast_to(np.float32(each), shape[-1:]) for each in (scale, offset) if each is not None)
    return told(Affine(offset=offset is not None), module, notes, *numbers)


def factor(seen: Described, number: float, part: str = "") -> Piece:
    """A number that all are multiplied by."""
    return line(f"{seen.module}{part}", seen.shape, seen.notes, number)


def rescaling(seen: Described) -> Piece:
    """Rescaling."""
    scale, offset = (seen.config.get(name, usual) for name, usual in (("scale", 1.0), ("offset", 0.0)))
    return line(seen.module, seen.shape, seen.notes, scale, offset)


def normalization(seen: Described) -> Piece:
    """Normalization by numbers that were given."""
    mean, variance = (np.ravel(seen.config[name]) for name in ("mean", "variance"))
    if not seen.of_last("axis"):
        raise seen.refused("axis")
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    if seen.config.get("invert"):
        return line(seen.module, seen.shape, seen.notes, deviation, mean)
    return line(seen.module, seen.shape, seen.notes, 1 / deviation, -mean / deviation)


def unit_norm(seen: Described, part: str = "") -> Piece:
    """UnitNormalization: the root of the mean of n squares is that of their sum, divided by √n."""
    if not seen.of_last("axis"):
        raise seen.refused("axis")
    n = seen.shape[-1]
    scale = np.full(n, n**-0.5, np.float32)
    return told(RMSNorm(epsilon=1e-24 / n), f"{seen.module}{part}", seen.notes, scale)


def summed(seen: Described) -> Piece:
    """The sum of all features."""
    return told(Dense(1, bias=False), seen.module, seen.notes, np.ones((seen.shape[-1], 1), np.float32))


def category(seen: Described) -> Piece:
    """CategoryEncoding: rows of the identity, one by one, or the largest or the sum of those of an example."""
    mode, n = seen.config.get("output_mode"), seen.config["num_tokens"]
    rows = told(Embedding(n, n), seen.module, seen.notes, np.eye(n, dtype=np.float32))
    if seen.config.get("sparse") or len(seen.shape) != 1:
        raise seen.refused("sparse" if seen.config.get("sparse") else "output_mode")
    if mode == "one_hot":
        return rows >> Piece(Flatten()) if seen.shape == (1,) else rows
    if mode == "multi_hot":
        return rows >> Piece(GlobalMaxPool1D())
    of_each = seen._replace(shape=(n,))
    return rows >> Piece(GlobalAveragePool1D()) >> factor(of_each, seen.shape[0], ".count")
