"""An array of another library as views of ours: to read it is to pour it into them, to write it to pour it out.

Arrays to be filled are full of −0, which changes no bit of what is added to it. So two arrays of another library may be
one here: what they hold adds up, and of what is poured out the second is −0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from chainrule.arrays.masked import Shape

NOTHING = np.float32(-0.0)

Blocks = tuple[Shape, ...]
"""Features in the order of another library: those of images, each with its channels first, and of others one by one."""


class Weight(Protocol):
    """An array of another library."""

    @property
    def shape(self) -> Shape:
        """Its shape there."""
        ...

    @property
    def optional(self) -> bool:
        """Whether a file may be without it."""
        ...

    def pour_in(self, array: np.ndarray | None) -> None:
        """Take what a file has; None where it is without."""

    def pour_out(self) -> np.ndarray | None:
        """What a file gets, of which nothing is left here; None where it gets none."""


class Part(NamedTuple):
    """A view of an array of ours, and the shape that it has there, where some of its axes may be one."""

    view: np.ndarray
    shape: Shape


@dataclass(frozen=True)
class Viewed:
    """An array made of views, side by side along an axis, and in another form then where it has one."""

    parts: tuple[Part, ...]
    axis: int = 0
    optional: bool = False
    form: Shape | None = None

    @property
    def shape(self):
        """Its shape there."""
        return self._joined if self.form is None else self.form

    @property
    def _joined(self) -> Shape:
        long = list(self.parts[0].shape)
        if len(self.parts) > 1:
            long[self.axis] = sum(part.shape[self.axis] for part in self.parts)
        return tuple(long)

    def pour_in(self, array):
        """Add it, part by part."""
        if array is None:
            return
        ends = np.cumsum([part.shape[self.axis] for part in self.parts[:-1]]) if len(self.parts) > 1 else []
        array = array.reshape(self._joined)
        pieces = np.split(array, ends, self.axis) if len(ends) else [array]
        for part, piece in zip(self.parts, pieces, strict=True):
            part.view[...] += piece.reshape(part.view.shape)

    def copy(self) -> np.ndarray:
        """It as it is there."""
        return self._of([np.array(part.view).reshape(part.shape) for part in self.parts])

    def pour_out(self):
        """A copy, part by part, and −0 left in each."""
        return self._of([self._emptied(part) for part in self.parts])

    def _emptied(self, part: Part) -> np.ndarray:
        found = np.array(part.view).reshape(part.shape)
        part.view[...] = NOTHING
        return found

    def _of(self, pieces: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(pieces, self.axis).reshape(self.shape) if len(pieces) > 1 else pieces[0]


@dataclass(frozen=True)
class Told:
    """Something that is not the same number there, or is there what others tell.

    Attributes:
        view: what it is here; None where that is told by others.
        there, here: its numbers there, and here; None where they are not kept there.
        otherwise: what it is here where a file is without it.
        shape: its shape there.
    """

    view: np.ndarray | None
    there: Callable[[Any], Any] | None
    here: Callable[[Any], Any] = lambda array: array
    otherwise: Any = NOTHING
    shape: Shape = ()
    optional: bool = True

    def pour_in(self, array):
        """Take it, in our numbers."""
        if self.view is not None:
            self.view[...] = self.otherwise if array is None else self.here(array)

    def pour_out(self):
        """It in theirs."""
        found = None if self.there is None else np.asarray(self.there(self.view))
        if self.view is not None:
            self.view[...] = NOTHING
        return found


def viewed(view: np.ndarray, shape: Shape | None = None, optional: bool = False) -> Viewed:
    """An array that is one view, of this shape there."""
    return Viewed((Part(view, view.shape if shape is None else shape),), optional=optional)


def joined(*views: np.ndarray, axis: int = 0, optional: bool = False, form: Shape | None = None) -> Viewed:
    """An array of views side by side."""
    return Viewed(tuple(Part(view, view.shape) for view in views), axis, optional, form)


def ordered(view: np.ndarray, axis: int, blocks: Blocks | None) -> Viewed:
    """A view whose features, along an axis, have another order there."""
    if blocks is None:
        return viewed(view)
    parts, start = [], 0
    for block in blocks:
        piece = view[(*[slice(None)] * axis, slice(start, start := start + math.prod(block)))]
        apart = piece.reshape(*piece.shape[:axis], *block, *piece.shape[axis + 1 :])
        assert np.may_share_memory(apart, view)
        parts.append(Part(np.moveaxis(apart, axis + len(block) - 1, axis), piece.shape))
    return Viewed(tuple(parts), axis)
