"""Which rows a training has seen: a digest of each row of its parts, kept in the run's folder.

A digest is of a row's inputs and target as the network sees them, so that neither the file's name, nor its format, nor
the order of its rows or columns matters.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import numpy as np

from chainrule.arrays.masked import Masked
from chainrule.errors import ChainruleError

FILE = "rows.safetensors"
BYTES = 8  # of a digest: two of a million rows are equal by chance once in 37 million data sets


def digests(x: Any, y: np.ndarray) -> np.ndarray:
    """A digest of each example, uint64 (rows,), from its prepared inputs and target.

    >>> one, same, other = digests(np.float32([[0.0, 1.0], [-0.0, 1.0], [0.0, 2.0]]), np.int32([1, 1, 1]))
    >>> bool(one == same != other)
    True
    """
    each = zip(_bytes(x), _bytes(y), strict=True)
    return np.frombuffer(b"".join(blake2b(x + y, digest_size=BYTES).digest() for x, y in each), "<u8")


def _bytes(examples: Any) -> Iterator[bytes]:
    """The bytes of each example, of those that end early without their padding."""
    if isinstance(examples, Masked):
        yield from (row[live].tobytes() for row, live in zip(examples.values + 0, examples.mask, strict=True))
    else:
        yield from (row.tobytes() for row in examples + 0)  # + 0: -0.0 becomes 0.0


@dataclass(frozen=True)
class Seen:
    """How often each row is in a training's parts, by its digest."""

    train: Counter
    validation: Counter
    test: Counter

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
        return cls(*(Counter(parts.get(name, np.array([])).tolist()) for name in ("train", "validation", "test")))

    def test_rows(self, found: np.ndarray) -> np.ndarray | None:
        """Which rows are the test part, if these are the data of the training and it had one."""
        if not self.test or not self.train + self.test <= Counter(found.tolist()) <= self._all:
            return None
        left, rows = Counter(self.test), []
        for row, digest in enumerate(found.tolist()):
            if left[digest]:
                left[digest] -= 1
                rows.append(row)
        return np.array(rows)

    def is_trained_on(self, found: np.ndarray) -> bool:
        """Whether these are the data of the training, but for a test part that is kept apart."""
        return self.train <= Counter(found.tolist()) <= self.train + self.validation

    def count(self, found: np.ndarray) -> int:
        """How many of these rows are equal to rows that training or its validation has seen."""
        return sum(digest in self.train or digest in self.validation for digest in found.tolist())

    @property
    def _all(self) -> Counter:
        return self.train + self.validation + self.test


def seen_before(parts: dict[str, tuple[Any, np.ndarray]], name: str) -> int:
    """How many rows of a prepared part are equal to rows of the parts that training sees before it.

    >>> a, b, E = np.float32([[0], [1], [2]]), np.float32([[1], [3]]), np.int32([0, 0, 0])
    >>> seen_before({"train": (a, E), "test": (b, E[:2])}, "test")
    1
    """
    before = [digests(*parts[each]) for each in ("train", "validation")[: 1 + (name == "test")] if each in parts]
    return int(np.isin(digests(*parts[name]), np.concatenate(before)).sum())


def record(parts: dict[str, tuple[Any, np.ndarray]]) -> bytes:
    """The content of the file for the prepared parts of a training."""
    from safetensors.numpy import save

    return save({name: np.sort(digests(*examples)) for name, examples in parts.items()})
