"""Layers of Keras that take several inputs: operators of the algebra, with what goes before and behind them."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Add, Concatenate, Multiply, Operation
from chainrule.interchange.keras.constants import factor, summed, unit_norm
from chainrule.interchange.keras.pieces import Described, Piece
from chainrule.layers import MaxPool2D, Reshape


class Merge(NamedTuple):
    """A layer of several inputs, as its description and the shape of the last one say.

    Attributes:
        operation: what joins the branches.
        before: what the branch of this number ends in.
        behind: what is made of so many of them.
    """

    operation: type[Operation]
    before: Callable[[Described, int], Piece] = lambda seen, place: Piece()
    behind: Callable[[Described, int], Piece] = lambda seen, n: Piece()


class Meeting(NamedTuple):
    """A merge of branches that are known: their ends, and what is behind them."""

    operation: type[Operation]
    before: tuple[Piece, ...]
    behind: Piece

    def of(self, branches: Sequence[Piece]) -> Piece:
        """What it makes of branches."""
        ended = [branch >> end for branch, end in zip(branches, self.before, strict=True)]
        modules = tuple(name for branch in ended for name in branch.modules)
        return Piece(self.operation(tuple(branch.layer for branch in ended)), modules) >> self.behind

    def output_shape(self, shapes: Sequence[Shape]) -> Shape:
        """One example's shape behind it."""
        reached = np.broadcast_shapes(*shapes) if self.operation is not Concatenate else _beside(shapes)
        return self.behind.layer.output_shape(reached)


def meeting(seen: Described, shapes: Sequence[Shape]) -> Meeting:
    """How branches of these shapes meet; refused where the algebra of layers can't say it."""
    if seen.kind not in MERGES:
        raise ChainruleError(
            f"{seen.who}: of several inputs there are sums, products, concatenations, the largest and the smallest "
            f"only. Choose these."
        )
    merge, axis, rank = MERGES[seen.kind], seen.config.get("axis", -1), len(shapes[0])
    if seen.kind == "Concatenate" and axis not in (-1, rank):
        raise ChainruleError(f"{seen.who}: axis={axis} has no form here. Concatenate on the last axis.")
    if seen.kind in EQUAL and len(set(shapes)) > 1:
        raise ChainruleError(f"{seen.who}: its inputs have shapes {_listed(shapes)}. Give it equal ones.")
    if seen.kind == "Dot" and (rank != 1 or not set(np.ravel(seen.config["axes"])) <= {1, -1}):
        raise ChainruleError(f"{seen.who}: it multiplies arrays of several axes. Of two vectors there is one here.")
    before = tuple(merge.before(seen, place) for place in range(len(shapes)))
    reached = shapes[0] if merge.operation is Concatenate else np.broadcast_shapes(*shapes)
    return Meeting(merge.operation, before, merge.behind(seen._replace(shape=reached), len(shapes)))


def _beside(shapes: Sequence[Shape]) -> Shape:
    return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


def _listed(shapes: Sequence[Shape]) -> str:
    *first, last = map(str, shapes)
    return f"{', '.join(first)} and {last}"


def _negative(seen: Described, part: str = "") -> Piece:
    return factor(seen, -1.0, part)


def _largest(seen: Described, n: int) -> Piece:
    """The largest of n arrays that are side by side, at each of their places."""
    *places, channels = seen.shape
    return Piece(Reshape((math.prod(places), n, channels)) >> MaxPool2D((1, n)) >> Reshape(seen.shape))


MERGES: dict[str, Merge] = {
    "Add": Merge(Add),
    "Average": Merge(Add, behind=lambda seen, n: factor(seen, 1 / n)),
    "Subtract": Merge(Add, before=lambda seen, place: _negative(seen) if place else Piece()),
    "Multiply": Merge(Multiply),
    "Concatenate": Merge(Concatenate),
    "Maximum": Merge(Concatenate, behind=_largest),
    "Minimum": Merge(
        Concatenate,
        before=lambda seen, place: _negative(seen, f".{place}"),
        behind=lambda seen, n: _largest(seen, n) >> _negative(seen),
    ),
    "Dot": Merge(
        Multiply,
        before=lambda seen, place: unit_norm(seen, f".{place}") if seen.config.get("normalize") else Piece(),
        behind=lambda seen, n: summed(seen),
    ),
}
"""By Keras' class."""
EQUAL = ("Maximum", "Minimum", "Dot")
"""Those that spread nothing out here."""
