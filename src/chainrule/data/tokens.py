"""Free text as a network takes it: the numbers of its tokens, fitted to the training part."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.data.records import check_distinct, check_sizes
from chainrule.data.table import Table, blanks
from chainrule.data.values import texts

Unit = Literal["words", "characters"]

UNITS: tuple[Unit, Unit] = ("words", "characters")
MOST_TOKENS = 20_000  # of a vocabulary
MOST_COUNTED = 1 << 20  # tokens of a column that are counted
LONGEST = 256  # tokens of a text
PADDING, UNKNOWN, FIRST = 0, 1, 2  # ids: two that stand for no token, and the first known one's
WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True)
class Tokens:
    """A column of free text as ids: 0 is padding, 1 a token that training did not show, the others are known ones.

    Words are in small letters, and what is neither letter nor digit separates them. Characters are taken as they are.
    The vocabulary has the 20,000 most frequent of the training part, by frequency, then by alphabet. A text is as long
    as the longest in training, at most 256 tokens, and cut beyond; one without any token is one unknown token.

    >>> tokens = Tokens.of("verse", np.array(["The rose is red", "the rose"], dtype=object), "words")
    >>> tokens.vocabulary, tokens.length
    (('rose', 'the', 'is', 'red'), 4)
    >>> tokens.encode(np.array(["The violet is blue."], dtype=object))
    array([[3, 1, 4, 1]], dtype=int32)
    """

    name: str
    unit: Unit
    length: int
    vocabulary: tuple[str, ...]

    def __post_init__(self) -> None:
        check_sizes((self.length,))
        check_distinct(self.vocabulary)

    @property
    def shape(self) -> Shape:
        """One example's shape."""
        return (self.length,)

    @classmethod
    def of(cls, name: str, texts: np.ndarray, unit: Unit) -> Self:
        """Fitted to a column of texts, with None where a cell is blank; some cell must not be."""
        cells = [split_text(text, unit) for text in texts[~blanks(texts)]]
        return cls.counted(name, unit, Counter(token for cell in cells for token in cell), max(map(len, cells)))

    @classmethod
    def counted(cls, name: str, unit: Unit, counts: Counter[str], longest: int) -> Self:
        """Fitted by how often each token occurs, and how many the longest text has."""
        vocabulary = sorted(counts, key=lambda token: (-counts[token], token))[:MOST_TOKENS]
        return cls(name, unit, min(longest, LONGEST) or 1, tuple(vocabulary))

    def takes(self, shape: Shape) -> bool:
        """Whether a raw cell may have this shape."""
        return shape in ((), (1,))

    def read(self, table: Table) -> np.ndarray:
        """A table's column as texts; refused where it is missing, or has more than one value a row."""
        return texts(table, self.name)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.vocabulary, FIRST)}

    def lacks(self, encoded: np.ndarray) -> bool:
        """Whether tokens have become unknown ones."""
        return bool((encoded == UNKNOWN).any())

    def unseen(self, texts: np.ndarray) -> Counter[str]:
        """The characters that training never showed, and how often each occurs; new words are the rule."""
        counts = Counter() if self.unit == "words" else Counter("".join(text or "" for text in texts))
        return Counter({token: count for token, count in counts.items() if token not in self._ids})

    def encode(self, texts: np.ndarray) -> np.ndarray:
        """Ids, int32 of shape (rows, length), padded at the end; a blank cell is a text without tokens."""
        encoded = np.full((len(texts), self.length), PADDING, np.int32)
        for row, text in zip(encoded, texts, strict=True):
            tokens = split_text(text or "", self.unit)[: self.length]
            row[: max(len(tokens), 1)] = [self._ids.get(token, UNKNOWN) for token in tokens] or UNKNOWN
        return encoded


class Vocabulary:
    """What is learned of a column of free text: how often it has each token, and how many its longest text has.

    Of more than a million tokens the rarest are forgotten, which are far from the 20,000 most frequent.
    """

    def __init__(self, name: str, unit: Unit):
        self.name = name
        self.unit: Unit = unit
        self.counts: Counter[str] = Counter()
        self.longest = self.texts = 0

    def add(self, texts: np.ndarray) -> Self:
        """One more block."""
        cells = [split_text(text, self.unit) for text in texts[~blanks(texts)]]
        self.counts.update(token for cell in cells for token in cell)
        self.longest, self.texts = max([self.longest, *map(len, cells)]), self.texts + len(cells)
        if self.texts > len(cells) and len(self.counts) > MOST_COUNTED:  # a lone block is counted in full
            self.counts = Counter(dict(self.counts.most_common(MOST_COUNTED // 2)))
        return self

    def fitted(self) -> Tokens | None:
        """The fitted form; None where the column is blank throughout."""
        return Tokens.counted(self.name, self.unit, self.counts, self.longest) if self.texts else None


def split_text(text: str, unit: Unit) -> list[str]:
    """The tokens of a text.

    >>> split_text("Don't look!", "words")
    ["don't", 'look']
    """
    return WORD.findall(text.lower()) if unit == "words" else list(text)
