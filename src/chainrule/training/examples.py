"""What is trained on and measured on: examples as `fit` was given them, checked; of a loader a part at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from chainrule.arrays.masked import Shape, rows_of
from chainrule.arrays.sparse import as_arrays, dense
from chainrule.costs import Cost
from chainrule.data.loaders import Loader, Whole, first, given
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain
from chainrule.model.examples import inputs, take
from chainrule.model.targets import Classes, expected

MOST_ROWS, MOST_NUMBERS = 1 << 16, 1 << 25  # of a sample


class Examples(NamedTuple):
    """Inputs, their targets, and how much each example counts, or each of its steps."""

    x: Any
    E: np.ndarray
    weights: np.ndarray | None


@dataclass(frozen=True)
class Checked:
    """The parts of a loader as examples that can be trained on, all of them alike; a part that is not is named.

    Attributes:
        loader: what gives them.
        check: makes `Examples` of what it gives.
        name: what people call it.
        alike: the shapes and types of the examples of each part.
    """

    loader: Loader
    check: Callable[..., Examples]
    name: str
    alike: str

    @classmethod
    def of(cls, loader: Loader, check: Callable[..., Examples], name: str) -> Self:
        """Like its first part."""
        return cls(loader, check, name, _described(check(*first(loader, name), who=f"{name}, part 0")))

    @property
    def rows(self) -> Sequence[int]:
        """How many examples each part has."""
        return self.loader.rows

    def part(self, index: int) -> Examples:
        """The examples of a part."""
        return self.some(index)

    def some(self, index: int, chosen: np.ndarray | None = None) -> Examples:
        """Chosen examples of a part, or all; of a file that is mapped, no others are read."""
        who = f"{self.name}, part {index}"
        whole = given(self.loader, index, who)
        if (count := rows_of(whole[1])) != self.rows[index]:
            raise ChainruleError(f"{who}: expected {self.rows[index]} rows, as the loader says, got {count}.")
        found = self.check(*(whole if chosen is None else take(whole, chosen)), who=who)
        if (alike := _described(found)) != self.alike:
            raise ChainruleError(f"{who}: expected {self.alike}, as in the first part, got {alike}. Make all alike.")
        return found


def checked(
    x: Any, y: Any, weights: Any = None, *, shape: Shape, network: Chain, cost: Cost, classes: Classes, who: str
) -> Examples:
    """Examples of a known shape for a network."""
    x = inputs(x, shape, who, network.tokens)
    return Examples(as_arrays(x), *expected(y, weights, x, network, cost, classes, who)[:2])


def sample(examples: "Whole | Checked", each: int) -> Any:
    """Inputs of some rows, evenly spread, of so many numbers each; all of them where they are few."""
    rows = np.asarray(examples.rows)
    count = int(rows.sum())
    most = min(count, MOST_ROWS, max(MOST_NUMBERS // max(each, 1), 1))
    chosen, ends, found = np.arange(most) * count // most, np.cumsum(rows), []
    for part, (start, end) in enumerate(zip(ends - rows, ends, strict=True)):
        own = chosen[(chosen >= start) & (chosen < end)] - start
        if len(own):
            found.append(dense(examples.some(part, own).x))
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *found)


def _described(examples: Examples) -> str:
    """The shapes and types of examples."""

    def of(arrays: Any) -> str:
        each = (f"{array.dtype}{[*array.shape[1:]]}" for array in jax.tree.leaves(arrays))
        return " and ".join(each) or "none"

    return f"x of {of(examples.x)}, y of {of(examples.E)}, weights of {of(examples.weights)}"
