"""What an epoch visits, and in which order: a function of the seed, the epoch and the step alone."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from chainrule.arrays.masked import Shape, shape_of
from chainrule.arrays.memory import aligned
from chainrule.arrays.random import seeded, words_of
from chainrule.data.loaders import Whole
from chainrule.model.examples import take
from chainrule.notation.choices import BatchSize
from chainrule.training.batches import Examples, bucket, on_device, shuffled
from chainrule.training.examples import Checked
from chainrule.training.placement import Placement


class Block(NamedTuple):
    """Steps of an epoch whose examples are on the device together.

    Attributes:
        examples: what they visit.
        order: in which order, (rows,), of several networks (networks, rows); None where one step has all.
        first: the number of the first one in the epoch.
        steps: how many there are.
    """

    examples: Examples
    order: np.ndarray | None
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

    def epoch(self, number: int, step: int = 0, more: bool = False) -> Iterator[Block]:
        """The blocks of an epoch, from the one on that has this step, and whether the next epoch is to come."""
        ...


class InMemory:
    """All examples as one block, which stays on the device; or those of them that are chosen by their numbers."""

    def __init__(self, examples: Examples, batch_size: int, seed: int, chosen: np.ndarray | None = None):
        if chosen is not None:
            examples = examples._replace(rows=np.int32(len(chosen)))  # type: ignore[arg-type]
        self.examples, self.batch_size, self.shape, self.chosen = examples, batch_size, shape_of(examples.x), chosen
        self.steps = -(-int(examples.rows) // batch_size)
        self.most_steps = -(-(examples.capacity if chosen is None else bucket(len(chosen))) // batch_size)
        self.words = shuffles(seed)

    def order(self, number: int) -> np.ndarray | None:
        """That of an epoch; none where one batch holds everything."""
        if self.steps == 1 and self.chosen is None:
            return None
        return shuffled(self.words, number, self.examples, self.chosen)

    def epoch(self, number: int, step: int = 0, more: bool = False) -> Iterator[Block]:
        """All of it."""
        yield Block(self.examples, self.order(number), 0, self.steps)


class Shared:
    """Examples that several networks share, each of which visits its own rows in its own order."""

    def __init__(self, feeds: Sequence[InMemory]):
        self.feeds = feeds
        self.shape, self.batch_size, self.steps = feeds[0].shape, feeds[0].batch_size, feeds[0].steps
        self.most_steps = feeds[0].most_steps

    def epoch(self, number: int, step: int = 0, more: bool = False) -> Iterator[Block]:
        """All of it."""
        orders = {feed: feed.order(number) for feed in {*self.feeds}}
        each = [orders[feed] for feed in self.feeds]
        order = None if any(order is None for order in each) else np.stack(each)  # type: ignore[arg-type]
        yield Block(self.feeds[0].examples, order, 0, self.steps)


class InParts:
    """The parts of a loader in a random order, their rows too; the next is read while the last one is computed with.

    So is the first of the next epoch; nothing is read between two epochs, when others may read the same loader.

    An epoch is cut into batches as if it were whole: the rows that make none go before those of the next part. Where
    several processes train together, each reads only the rows that it computes with; the others stay 0.

    Attributes:
        waited: the seconds in which no step was computed, since no part was there.
    """

    def __init__(self, loader: Checked, shape: Shape, batch_size: int, seed: int, placement: Placement | None = None):
        self.loader, self.shape, self.batch_size, self.words = loader, shape, batch_size, shuffles(seed)
        self.placement = placement or Placement()
        self.mine = self.placement.computed(batch_size)
        self.steps = -(-sum(loader.rows) // batch_size)
        self.most_steps = -(-max(loader.rows) // batch_size) + 1
        self.in_order = np.arange(self.most_steps * batch_size, dtype=np.int32)
        self.waited = 0.0
        self.begun: dict[tuple[int, int], Iterator[Block]] = {}

    def epoch(self, number: int, step: int = 0, more: bool = False) -> Iterator[Block]:
        """The blocks that begin with a step."""
        blocks = self.begun.pop((number, step), None) or self._blocks(number, step)

        def read() -> Block | None:
            block = next(blocks, None)
            if block is None and more:
                following = self._blocks(number + 1, 0)
                self.begun = {(number + 1, 0): chain([next(following)], following)}
            return block

        with ThreadPoolExecutor(1) as thread:
            coming = thread.submit(read)
            while block := self._awaited(coming):
                coming = thread.submit(read)
                yield block

    def _awaited(self, coming: "Future[Block | None]") -> Block | None:
        began = time.perf_counter()
        block = coming.result()
        self.waited += time.perf_counter() - began
        return block

    def _blocks(self, number: int, step: int) -> Iterator[Block]:
        visited = np.random.default_rng([*self.words, number]).permutation(len(self.loader.rows)).tolist()
        begin, end, left = step * self.batch_size, 0, None
        for part in visited:
            start, end = end, end + self.loader.rows[part]
            if end <= begin:
                continue
            rows = np.random.default_rng([*self.words, number, part]).permutation(end - start)[max(begin - start, 0) :]
            room = self._laid(left, part, rows)
            count = end - begin if part == visited[-1] else (end - begin) // self.batch_size * self.batch_size
            if count:
                x, E, weights = room
                examples = self.placement.put(Examples(x, E, weights, np.int32(count)))  # type: ignore[arg-type]
                yield Block(examples, self.in_order, begin // self.batch_size, -(-count // self.batch_size))
            left = jax.tree.map(np.copy, take(room, slice(count, end - begin)))
            begin += count

    def _laid(self, left: Any, part: int, rows: np.ndarray) -> Any:
        """What is left, and then a part's rows in some order, with room for as many as a block may have."""
        before = 0 if left is None else len(left.E)
        mine = self.mine[(before + np.arange(len(rows))) % self.batch_size]
        whole = mine.all()
        # in their own order, since that is how a disk reads fast
        chosen, order = (None, rows) if whole else np.unique(rows[mine], return_inverse=True)
        found = self.loader.some(part, chosen)

        def laid(array: np.ndarray, *old: np.ndarray) -> np.ndarray:
            room = aligned((len(self.in_order), *array.shape[1:]), array.dtype)
            for each in old:
                room[:before] = each
            new = room[before : before + len(rows)]
            if whole:
                np.take(array, order, axis=0, out=new, mode="clip")
            else:
                new[mine] = array[order]
            return room

        return jax.tree.map(laid, found, *[] if left is None else [left])


def feed(
    examples: Whole | Checked, shape: Shape, batch_size: BatchSize, seed: int, placement: Placement | None = None
) -> Feed:
    """What gives the blocks of examples, put where they belong: all at once, or the parts of a loader."""
    size = bucket(sum(examples.rows)) if batch_size == "all" else batch_size
    if isinstance(examples, Whole):
        return InMemory(on_device(*examples.part(0), put=(placement or Placement()).put), size, seed)
    return InParts(examples, shape, size, seed, placement)


def feeds(chosen: Mapping[int, Whole], batch_size: BatchSize) -> dict[int, InMemory]:
    """That of each seed, which chooses some of examples that are on the device once."""
    one = next(iter(chosen.values()))
    size = bucket(sum(one.rows)) if batch_size == "all" else batch_size
    examples = on_device(*one.examples)
    return {seed: InMemory(examples, size, seed, whole.chosen) for seed, whole in chosen.items()}


def first_values(seed: int) -> np.ndarray:
    """The words of the key of a training's first values."""
    return _words(seed)[0]


def shuffles(seed: int) -> np.ndarray:
    """The words that a training's orders are drawn from."""
    return _words(seed)[1]


@lru_cache(1 << 10)
def _words(seed: int) -> np.ndarray:
    return words_of(seeded(seed), 2)
