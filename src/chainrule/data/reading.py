"""How a file is read: what is chosen, and what was found in a file and holds for those that come after it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from chainrule.errors import ArgumentError, cut

SEPARATORS = (",", ";", "\t", "|", " ")
WORDS = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " "}  # for separators that are hard to write
HARD = {"\t": "tab", " ": "blank"}
DECIMALS = (".", ",")
MISSING = frozenset(
    ["na", "n/a", "#n/a", "#na", "nan", "-nan", "null", "none", "<na>", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"]
)  # words for no value, in any letters, that people's and programs' columns of numbers hold


@dataclass(frozen=True)
class Reading:
    """How a file's cells are read; what is None is found in the file.

    Attributes:
        separator: what stands between the cells of a line; " " is any number of blanks.
        decimal: what stands before a number's fraction, "." or ",".
        header: whether the first line names the columns; True where None.
        blank: the words that stand for no value, in every column; where None, `MISSING` in columns of numbers. An
            empty cell always does.
        likely: the separator of a file that could have several.
        size: (width, height) in pixels, to which images are resized; where None, all must have that of the first.
        colour: whether images are in colour; where None, as they are, and all of them if some are.
        later: whether it comes after another that was read so.
        alone: whether images may come without the folders of their classes, as those do that a model is to name.
    """

    separator: str | None = None
    decimal: str | None = None
    header: bool | None = None
    blank: tuple[str, ...] | None = None
    likely: str | None = None
    size: tuple[int, int] | None = None
    colour: bool | None = None
    later: bool = False
    alone: bool = False

    @classmethod
    def of(
        cls, like: Mapping[str, Any], separator: Any, decimal: Any, header: Any, blank: Any, size: Any = None
    ) -> Self:
        """What is chosen, and beside it what another file was read by, as `found` says it.

        >>> reading = Reading.of({"separator": ";", "decimal": ","}, None, ".", None, "NA")
        >>> reading.separator, reading.likely, reading.decimal, reading.blank
        (None, ';', '.', ('NA',))
        """
        separator = WORDS.get(separator, separator)
        if separator is not None and separator not in SEPARATORS:
            *known, last = (HARD.get(mark, repr(mark)) for mark in SEPARATORS)
            raise ArgumentError("{separator} must be {} or {}, got {}.", ", ".join(known), last, cut(repr(separator)))
        if decimal is not None and decimal not in DECIMALS:
            raise ArgumentError("{decimal} must be '.' or ',', got {}.", cut(repr(decimal)))
        words = (blank,) if isinstance(blank, str) else None if blank is None else tuple(blank)
        if words is not None and not all(isinstance(word, str) for word in words):
            raise ArgumentError("{blank} must be words such as 'NA', got {}.", cut(repr(blank)))
        known_words = None if like.get("blank") is None else tuple(like["blank"])
        return cls(
            separator,
            decimal or like.get("decimal"),
            like.get("header") if header is None else header,
            known_words if words is None else words,
            like.get("separator"),
            _pixels(like.get("size") if size is None else size),
            like.get("colour"),
            bool(like),
            "size" in like,
        )

    def found(self, **found: Any) -> dict[str, Any]:
        """With what was found in a file, as plain values that travel with a model."""
        values = asdict(replace(self, **found))
        travelling = {name: value for name, value in values.items() if name not in ("likely", "later", "alone")}
        return {name: value for name, value in travelling.items() if value is not None}


def _pixels(size: Any) -> tuple[int, int] | None:
    """A size as (width, height): from itself, from one number, or from a text of one or two, such as "64x48"."""
    if size is None:
        return None
    said = "x".join(map(str, size)) if isinstance(size, tuple) else str(size)
    sides = re.fullmatch(r"\s*([1-9]\d{0,4})(?:\s*[x×,]\s*([1-9]\d{0,4}))?\s*", said, re.ASCII)
    if sides is None:
        raise ArgumentError("{size} must be pixels such as 64, or 64x48 (width x height), got {}.", cut(said))
    return int(sides[1]), int(sides[2] or sides[1])


def separated_by(mark: str) -> str:
    r"""What separates cells, in words.

    >>> separated_by("\t"), separated_by(";")
    ('tabs', "';'")
    """
    return f"{HARD[mark]}s" if mark in HARD else repr(mark)
