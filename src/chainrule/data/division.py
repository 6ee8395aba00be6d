"""The parts of a stream, drawn row by row as it passes."""

from hashlib import blake2b

import numpy as np

from chainrule.data.schema import Schema
from chainrule.data.table import Table
from chainrule.data.values import texts

PARTS = ("train", "validation", "test")


class Division:
    """Draws the part of each row of a stream, the same in every pass.

    Rows are drawn one by one, so that the parts have about their fractions of the rows. The rows of a group go
    together; else the first row of a class trains, so that no class is unknown to what is tested.
    """

    def __init__(self, schema: Schema, fractions: dict[str, float], seed: int):
        self.schema, self.fractions, self.seed = schema, fractions, seed
        self.generator = np.random.default_rng(seed)
        self.classes: set[str | None] = set()

    def of(self, table: Table) -> np.ndarray:
        """The number of each row's part in `PARTS`, for the next rows of the stream."""
        name = self.schema.group
        drawn = self.generator.random(table.rows) if name is None else self._of_groups(texts(table, name))
        test, validation = self.fractions["test"], self.fractions["validation"]
        parts = (drawn < test + validation).astype(np.int8) + (drawn < test)
        if self.schema.task == "classification" and name is None:
            classes = texts(table, self.schema.targets[0])
            for new in set(classes) - self.classes:
                parts[int(np.argmax(classes == new))] = 0
                self.classes.add(new)
        return parts

    def _of_groups(self, groups: np.ndarray) -> np.ndarray:
        """A number from 0 up to 1 for each row, by its group alone."""
        known = {group: blake2b(f"{self.seed} {group}".encode(), digest_size=8).digest() for group in set(groups)}
        drawn = {group: int.from_bytes(digest) / 2**64 for group, digest in known.items()}
        return np.array([drawn[group] for group in groups])
