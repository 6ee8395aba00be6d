"""What an epoch visits, and in which order: a function of the seed, the epoch and the step alone."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from chainrule.arrays.masked import Shape, shape_of
from chainrule.arrays.random import seeded, words_of
from chainrule.training.batches import Examples, shuffled


class Block(NamedTuple):
    """Steps of an epoch whose examples are on the device together.

    Attributes:
        examples: what they visit.
        order: in which order.
        first: the number of the first one in the epoch.
        steps: how many there are.
    """

    examples: Examples
    order: np.ndarray
    first: int
    steps: int


class Feed(Protocol):
    """Gives the blocks of each epoch.

    Attributes:
        shape: one example's.
        batch_size: examples a step.
        steps: how many an epoch has.
        most_steps: how many a block has at most, those that visit padding only included.
    """

    shape: Shape
    batch_size: int
    steps: int
    most_steps: int

    def epoch(self, number: int, step: int = 0) -> Iterator[Block]:
        """The blocks of an epoch, from the one on that has this step."""
        ...


class InMemory:
    """All examples as one block, which stays on the device."""

    def __init__(self, examples: Examples, batch_size: int, seed: int):
        self.examples, self.batch_size, self.shape = examples, batch_size, shape_of(examples.x)
        self.steps = -(-int(examples.rows) // batch_size)
        self.most_steps = -(-examples.capacity // batch_size)
        self.words = shuffles(seed)

    def epoch(self, number: int, step: int = 0) -> Iterator[Block]:
        """All of it."""
        order = shuffled(self.words, number, self.examples) if self.steps > 1 else np.zeros(1, np.int32)
        yield Block(self.examples, order, 0, self.steps)


def first_values(seed: int) -> np.ndarray:
    """The words of the key of a training's first values."""
    return words_of(seeded(seed), 2)[0]


def shuffles(seed: int) -> np.ndarray:
    """The words that a training's orders are drawn from."""
    return words_of(seeded(seed), 2)[1]
