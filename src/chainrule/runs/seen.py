"""Which rows a training has seen: a digest of each row of its parts, kept in the run's folder.

A digest is of a row's inputs and target as the network sees them, so that neither the file's name, nor its format, nor
the order of its rows or columns matters. Of a stream of more rows than four million a sample is kept: those of which a
faster digest ends in some zeros, so that equal rows are in it together, whichever data they come from.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np

from chainrule.arrays.masked import Masked, shape_of
from chainrule.arrays.memory import blocks
from chainrule.data.loaders import Loader, Whole
from chainrule.errors import ChainruleError
from chainrule.model.examples import take

FILE = "rows.safetensors"
SAMPLE = "one in"
BYTES = 8  # of a digest: two of a million rows are equal by chance once in 37 million data sets


MOST = 1 << 22  # digests that are kept, and fewer than half as many are not
ODD = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ divided by the golden ratio, whose multiples are spread evenly


def digests(x: Any, y: np.ndarray, one_in: int = 1) -> np.ndarray:
    """A digest of each example, uint64 (rows,), from its prepared inputs and target; or of a sample of one in so many.

    >>> one, same, other = digests(np.float32([[0.0, 1.0], [-0.0, 1.0], [0.0, 2.0]]), np.int32([1, 1, 1]))
    >>> bool(one == same != other)
    True
    """
    if one_in > 1:
        x, y = take((x, y), _sampled(x, y, one_in))
    found = np.empty(len(y), "<u8")
    for some in blocks(len(y), math.prod(shape_of(x))):
        each = zip(_bytes(take(x, some)), _bytes(y[some]), strict=True)
        found[some] = np.frombuffer(b"".join(blake2b(x + y, digest_size=BYTES).digest() for x, y in each), "<u8")
    return found


def _sampled(x: Any, y: np.ndarray, one_in: int) -> np.ndarray:
    """Which examples are in a sample of one in so many, a power of two, by what is in them; no sequences."""
    kept = []
    for some in blocks(len(y), math.prod(shape_of(x))):
        sums = np.zeros(len(y[some]), np.uint64)
        for array in (x[some], y[some]):
            words = np.ascontiguousarray(array + 0).reshape(len(sums), -1).view(np.uint32)
            for word in words.T:
                sums = (sums ^ word) * ODD
                sums ^= sums >> np.uint64(32)
        kept.append(some.start + np.flatnonzero(sums % np.uint64(one_in) == 0))
    return np.concatenate(kept)


def _bytes(examples: Any) -> Iterator[bytes]:
    """The bytes of each example, of those that end early without their padding."""
    if isinstance(examples, Masked):
        yield from (row[live].tobytes() for row, live in zip(examples.values + 0, examples.mask, strict=True))
        return
    whole = (examples + 0).tobytes()  # + 0: -0.0 becomes 0.0
    size = len(whole) // max(len(examples), 1)
    yield from (whole[start : start + size] for start in range(0, len(whole), size))


@dataclass(frozen=True)
class Seen:
    """The digests of the rows of a training's parts, as often as each row is in them; or of one in so many rows."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    one_in: int = 1

    @classmethod
    def beside(cls, model: str) -> Self | None:
        """What is kept with a model, given by its run's folder or by its file; None where nothing is."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        folder = Path(model) if Path(model).is_dir() else Path(model).parent
        if not (folder / FILE).is_file():
            return None
        try:
            parts = load_file(folder / FILE)
        except (SafetensorError, OSError, ValueError) as error:
            raise ChainruleError(
                f"{folder / FILE}: can't be read ({error}). Use an intact copy, or remove it."
            ) from None
        one_in = int(parts.get(SAMPLE, np.ones(1))[0])
        train, validation, test = (parts.get(name, np.zeros(0, "<u8")) for name in ("train", "validation", "test"))
        return cls(train, validation, test, one_in)

    def test_rows(self, found: np.ndarray) -> np.ndarray | None:
        """Which rows are the test part, if these are the data of the training and it had one, and no sample tells."""
        if not (
            self.one_in == 1
            and len(self.test)
            and _are_among(np.concatenate([self.train, self.test]), found)
            and _are_among(found, self._all)
        ):
            return None
        digests, wanted = np.unique(self.test, return_counts=True)
        order = np.argsort(found, kind="stable")  # equal rows one after another, the first ones first
        first = np.searchsorted(found[order], digests)
        return np.sort(order[np.arange(len(self.test)) + np.repeat(first - (np.cumsum(wanted) - wanted), wanted)])

    def is_trained_on(self, found: np.ndarray) -> bool:
        """Whether these are the data of the training, but for a test part that is kept apart."""
        return self.one_in == 1 and _are_among(self.train, found) and _are_among(found, self._trained_on)

    def count(self, found: np.ndarray) -> int:
        """How many of these rows are equal to rows that training or its validation has seen; of a sample, about."""
        return self.one_in * int(np.isin(found, self._trained_on).sum())

    @property
    def _trained_on(self) -> np.ndarray:
        return np.concatenate([self.train, self.validation])

    @property
    def _all(self) -> np.ndarray:
        return np.concatenate([self.train, self.validation, self.test])


def _are_among(some: np.ndarray, others: np.ndarray) -> bool:
    """Whether others have each digest, and as often at least."""
    digests, wanted = np.unique(some, return_counts=True)
    others = np.sort(others)
    for each in blocks(len(digests)):
        there = np.searchsorted(others, digests[each], "right") - np.searchsorted(others, digests[each])
        if (there < wanted[each]).any():
            return False
    return True


def seen_before(parts: Mapping[str, Loader], name: str) -> int:
    """How many rows of a prepared part are equal to rows of the parts that training sees before it.

    >>> a, b, E = np.float32([[0], [1], [2]]), np.float32([[1], [3]]), np.int32([0, 0, 0])
    >>> seen_before({"train": Whole((a, E)), "test": Whole((b, E[:2]))}, "test")
    1
    """
    before = [_of_all(parts[each]) for each in ("train", "validation")[: 1 + (name == "test")] if each in parts]
    return int(np.isin(_of_all(parts[name]), np.concatenate(before)).sum())


def record(parts: Mapping[str, Loader]) -> bytes:
    """The content of the file for the prepared parts of a training."""
    from safetensors.numpy import save

    rows = sum(sum(part.rows) for part in parts.values() if not isinstance(part, Whole))
    one_in = 1 << max(-(-rows // MOST) - 1, 0).bit_length()
    sample = {SAMPLE: np.array([one_in])} if one_in > 1 else {}
    return save(sample | {name: np.sort(_of_all(part, one_in)) for name, part in parts.items()})


def _of_all(part: Loader, one_in: int = 1) -> np.ndarray:
    """The digests of a part's examples, or of a sample of them."""
    examples = (part.part(index) for index in range(len(part.rows)))
    return np.concatenate([digests(x, y, one_in) for x, y, *_ in examples])
