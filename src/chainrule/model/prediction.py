"""A network's outputs for any number of examples, compiled for a few sizes of batches only."""

import functools
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import jax
import numpy as np

from chainrule.arrays.compilation import KEPT, side_by_side, taking_any
from chainrule.arrays.masked import Masked, Shape, rows_of
from chainrule.arrays.sparse import as_arrays, dense
from chainrule.formula.layer import Chain, outputs_of
from chainrule.kernels.native.direct import WORK, Direct, Panels, cores, direct
from chainrule.model.examples import check_finite

FEW = 12  # rows, up to which a network of native kernels runs without XLA, and of many each block has
ROWS = 1024  # the most rows that go through the network at once,
NUMBERS = 1 << 23  # as long as no layer makes more numbers of them than these
MANY = 8  # batches, for more of which a program is worth its compilation that lets the next one begin early


class Program:
    """What computes a network's outputs; JAX takes the network apart once, which takes longer than a call for a row.

    Attributes:
        most: the most rows that go through it at once.
    """

    def __init__(self, network: Chain, shape: Shape):
        self.numbers, self.structure = jax.tree.flatten(network)
        self.most = most_rows(network, shape)
        self.tokens = network.tokens
        self.look = partial(check_finite, who=network, name="x")
        self.arrays: Any = None
        self.direct: dict[int, Direct | None] = {}
        self.panels: Panels = {}

    def __call__(self, parameters: Any, state: Any, x: Any) -> Any:
        """The outputs for inputs: an array, or one for each sequence where these are of unequal length.

        Raises:
            ChainruleError: where an array holds what is no finite number.
        """
        if run := self._directly(parameters, state, x):
            return run(x)
        if isinstance(x, np.ndarray):  # others are looked through
            self.look(x)
        rows, most = rows_of(x), self.most
        many = rows > MANY * most and not self.tokens  # YNNPACK sums tokens faster

        def forward(x: Any) -> Any:
            if run := self._directly(parameters, state, x):
                return run(x)
            sizes = x.shape if isinstance(x, np.ndarray) else jax.tree.map(np.shape, x)
            program = _compiled(self.structure, sizes, many and rows_of(x) == most)
            return program(self.numbers, parameters, state, x)

        a, *mask = joined(forward, batches(most, x), rows)
        if not (mask and isinstance(x, Masked)):
            return a
        return [steps[live] for steps, live in zip(a, *mask, strict=True)]

    def _directly(self, parameters: Any, state: Any, x: Any) -> Callable[[np.ndarray], np.ndarray] | None:
        """What computes the outputs without XLA, where the network's steps are native kernels."""
        if not isinstance(x, np.ndarray) or not len(x):
            return None
        arrays, rows = (parameters, state), len(x)
        if not _same(arrays, self.arrays):
            self.arrays, self.direct, self.panels = jax.tree.map(lambda array: array, arrays), {}, {}
        few = self._of_block(arrays, x[:FEW])
        if few is None or (rows <= FEW and few.work <= WORK):
            return None if few is None else few.of_block
        threads = min(cores(), rows)
        blocks = -(-rows // (FEW * threads)) * threads  # as many for each thread, and as even as can be
        size = -(-rows // blocks)
        block, smaller = (self._of_block(arrays, x[:count]) for count in (size, size - (rows % blocks > 0)))
        return None if blocks == 1 or not (block and smaller) else partial(block.of_rows, smaller, blocks)

    def _of_block(self, arrays: Any, x: np.ndarray) -> Direct | None:
        """The same for just so many rows."""
        if len(x) not in self.direct:
            fixed = all(isinstance(array, jax.Array) for array in jax.tree.leaves(arrays))  # others may change in place
            outputs = partial(_outputs, self.structure, self.numbers, *arrays)
            self.direct[len(x)] = direct(outputs, x, self.panels, self.look) if fixed else None
        return self.direct[len(x)]


def _same(one: Any, other: Any) -> bool:
    """Whether two trees hold the same arrays: Python asks first whether they are one."""
    try:
        return one == other
    except (TypeError, ValueError):  # of arrays that are not, whose numbers it compares then
        return False


def most_rows(network: Chain, shape: Shape, networks: int = 1) -> int:
    """The most rows that go through a network at once, by the most numbers that it makes of an example on its way.

    Several such networks make as many times more.
    """
    reached = [*(at for _, at in network.walk(shape)), network.output_shape(shape)]
    widest = networks * max(map(math.prod, reached))
    return min(ROWS, max(_power_below(NUMBERS // max(widest, 1)), 16))


def in_batches(function: Callable, most: int, *examples: Any) -> list[np.ndarray]:
    """A function of batches, of so many rows at most, applied to any number, padded to compile only for a few sizes."""
    return joined(function, batches(most, *examples), rows_of(examples))


def batches(most: int, *examples: Any) -> Iterable[tuple[Any, ...]]:
    """Examples in batches of one size, padded with zeros; an empty one where there are none."""
    rows = rows_of(examples)
    size = _size(rows, most)
    return (
        [tuple(map(as_arrays, examples))]
        if rows == size
        else (_batch(examples, start, size) for start in range(0, max(rows, 1), size))
    )


def whole(most: int, *examples: Any) -> Iterable[tuple[Any, ...]]:
    """The same, but of no more than go at once a batch without padding: for examples that are seen again and again."""
    return [examples] if rows_of(examples) <= most else batches(most, *examples)


def joined(function: Callable, batches: Iterable[tuple[Any, ...]], rows: int) -> list[np.ndarray]:
    """What a function gives for all the rows, from what it gives for each batch, without those of the padding.

    The next batch is on its way while the last one is computed. The arrays are the caller's own, which JAX's are not.
    """
    ahead, parts = None, []
    for batch in batches:
        results = jax.tree.leaves(function(*batch))
        if ahead is not None:
            parts.append([*map(np.asarray, ahead)])
        ahead = results
    if not parts:
        return [np.array(result)[:rows] for result in ahead or ()]
    parts.append([*map(np.asarray, ahead or ())])
    return [np.concatenate(column)[:rows] for column in zip(*parts, strict=True)]


def sizes(most: int) -> list[int]:
    """How many rows may go through a network at once, falling: few sizes, since each is a program to compile."""
    return [most, *(size for size in (128, 64, 8, 1) if size < most)]


@functools.lru_cache
def _size(rows: int, most: int) -> int:
    """How many rows go at once: at least half of the first batch are rows, and fewer than the most take 8 at most."""
    return next((size for size in sizes(most) if size < 2 * rows), 1)


def _batch(examples: Any, start: int, size: int) -> Any:
    """So many rows from `start`, zeros where there are no more."""

    def padded(part: np.ndarray) -> np.ndarray:
        return part if len(part) == size else np.pad(part, [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1))

    return jax.tree.map(padded, jax.tree.map(lambda array: as_arrays(array[start : start + size]), examples))


def _power_below(number: int) -> int:
    """The largest power of two up to a number, at least 1."""
    return 1 << max(number.bit_length() - 1, 0)


@functools.lru_cache(KEPT)
def _compiled(structure: Any, sizes: Any, many: bool) -> Callable:
    """The program of a structure, from the network's numbers, its arrays and a batch, for one size of batches."""

    def outputs(*arrays: Any) -> Any:
        return _outputs(structure, *arrays)

    return taking_any(jax.jit(outputs, compiler_options=side_by_side() if many else None))


def _outputs(structure: Any, numbers: list[Any], parameters: Any, state: Any, x: Any) -> Any:
    return outputs_of(structure.unflatten(numbers), parameters, state, dense(x))[0]
