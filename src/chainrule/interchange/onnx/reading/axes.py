"""How a tensor's axes there are those of an array here: split, reordered, joined.

Elsewhere channels come first, time may come before the batch, and axes are cut and glued as products need it. All of
that is one idea: both sides are the same factors of the axes in another arrangement, so that a transposition or a
reshape there costs nothing here until a layer asks for its own arrangement.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from chainrule.errors import ChainruleError


class Factor:
    """A part of an axis; two of the same size are still two."""

    def __init__(self, size: int, batch: bool = False):
        self.size, self.batch = size, batch


Axis = tuple[Factor, ...]


@dataclass(frozen=True)
class View:
    """The axes of a tensor there and of its array here, each the product of its factors, the first running slowest.

    Axes of size 1 have no factors; the batch is one, whatever its size.
    """

    there: tuple[Axis, ...]
    here: tuple[Axis, ...]

    @classmethod
    def of(cls, sizes: Sequence[int], batch: int = 0) -> "View":
        """A tensor of these sizes, which is the same here but for its batch, which comes first."""
        axes = [axis_of(size, place == batch) for place, size in enumerate(sizes)]
        return cls(tuple(axes), (axes[batch], *(axis for place, axis in enumerate(axes) if place != batch)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The tensor's shape there."""
        return tuple(map(size, self.there))

    @property
    def shape(self) -> tuple[int, ...]:
        """One example's shape here."""
        return tuple(map(size, self.here[1:]))

    @property
    def batch(self) -> Factor:
        """The factor that counts the rows."""
        return self.here[0][0]

    @property
    def batch_axis(self) -> int:
        """The axis there that the batch is in."""
        for place, axis in enumerate(self.there):
            if self.batch in axis:
                return place
        raise ChainruleError("takes one row of the batch")

    def transposed(self, order: Sequence[int]) -> "View":
        """The axes there in another order."""
        return replace(self, there=tuple(self.there[place] for place in order))

    def reshaped(self, sizes: Sequence[int]) -> "View | None":
        """The axes there cut and glued; None where a cut goes through a factor that it does not divide."""
        view, left, there = self, [factor for axis in self.there for factor in axis], []
        for place, wanted in enumerate(sizes):
            axis: list[Factor] = []
            while left and (size(axis) < wanted or _is_here(left[0], sizes[place:])):
                factor, missing = left.pop(0), wanted // size(axis)
                if factor.size > missing:
                    if factor.batch or missing < 2 or factor.size % missing or wanted % size(axis):
                        return None
                    parts = Factor(missing), Factor(factor.size // missing)
                    view, left = view._cut(factor, parts), [parts[1], *left]
                    there = [_replaced(axis, factor, parts) for axis in there]
                    factor = parts[0]
                axis.append(factor)
            if size(axis) != wanted:
                return None
            there.append(tuple(axis))
        return None if left else replace(view, there=tuple(there))

    def _cut(self, factor: Factor, parts: Axis) -> "View":
        return View(*(tuple(_replaced(axis, factor, parts) for axis in side) for side in (self.there, self.here)))

    def aligned(self, other: "View", but: int | None = None) -> "tuple[View, View]":
        """Both, where they are of one shape there, with the same factors in each axis but one.

        Axes that are missing in front, or of size 1, may spread out.
        """
        one, two = self, other
        for back in range(1, min(len(one.there), len(two.there)) + 1):
            at, place = len(one.there) - back, 0
            while at != but and place < min(len(one.there[at]), len(two.there[-back])):
                f, g = one.there[at][place], two.there[-back][place]
                if f is g or (f.batch and g.batch):
                    two = two._cut(g, (f,))
                elif f.batch or g.batch:
                    raise ChainruleError("the rows of one side are not those of the other")
                elif f.size == g.size:
                    two = two._cut(g, (f,))
                elif f.size % g.size == 0:
                    one = one._cut(f, (Factor(g.size), Factor(f.size // g.size)))
                    continue
                elif g.size % f.size == 0:
                    two = two._cut(g, (Factor(f.size), Factor(g.size // f.size)))
                    continue
                else:
                    raise ChainruleError("the axes of one side are cut in another way than the other's")
                place += 1
        return one, two


def size(axis: Iterable[Factor]) -> int:
    """An axis' size."""
    return math.prod(factor.size for factor in axis)


def axis_of(size: int, batch: bool = False) -> Axis:
    """An axis of one factor, or of none."""
    return (Factor(size, batch),) if batch or size != 1 else ()


def _is_here(factor: Factor, sizes: Sequence[int]) -> bool:
    """Whether a batch of one row belongs to the first of the axes: to the last one of size 1 in front of others."""
    return factor.batch and factor.size == 1 and (sizes[0] == 1 or 1 not in sizes[1:2])


def _replaced(axis: Iterable[Factor], factor: Factor, parts: Axis) -> Axis:
    return tuple(part for each in axis for part in (parts if each is factor else (each,)))
