"""Time series in the `.ts` format of aeon and sktime, as tables."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from chainrule.data.readers.text import check_utf8
from chainrule.data.reading import Reading
from chainrule.data.table import Table, shortened
from chainrule.errors import ChainruleError, nearest

TRAIN, TEST = "_TRAIN.ts", "_TEST.ts"
FLAGS = ("timestamps", "missing", "univariate", "equallength", "classlabel", "targetlabel")
TAGS = ("problemname", *FLAGS, "dimensions", "dimension", "serieslength", "data")


def read_ts(file: BinaryIO, name: str, reading: Reading, text: Any = ()) -> Table:
    """A `.ts` file: the column "series", (rows, time, channels), and "target", a class or a value.

    Its lines hold a series each: values separated by commas, channels and the label by colons. Of series of unequal
    length, the shorter are padded with NaN.

    Raises:
        ChainruleError: for a file that is empty or broken, with the line.
    """
    data = check_utf8(file.read(), name, "Give a header, @data, and a series a line.")
    header, series, targets, lines = _Header(), [], [], []
    in_header = True
    for number, line in enumerate(data.decode().split("\n"), 1):
        line, place = line.strip(), f"{name}, line {number}"
        if not line or line[0] in "#%":
            continue
        if in_header:
            if line[0] != "@":
                raise ChainruleError(f"{place}: expected a tag such as @data before the data. Put @data above.")
            in_header = header.read(line, place)
            continue
        *channels, target = line.split(":") if header.labelled else (*line.split(":"), "")
        series.append(_series(channels, header, place))
        targets.append(_target(target.strip(), header, place))
        lines.append(number)
        header.dimensions = header.dimensions or len(channels)
        if header.flags.get("equallength"):
            header.length = header.length or len(series[0])
    if not series:
        raise ChainruleError(f"{name}: has no series. Put a series a line below @data.")
    columns = {"series": series, **({"target": targets} if header.labelled else {})}
    return Table(columns, name, np.array(lines), "line")


def read_test_beside(path: Path, name: str = "") -> Table | None:
    """The test part of NAME_TRAIN.ts, which is NAME_TEST.ts where that lies beside it."""
    test = path.with_name(path.name.removesuffix(TRAIN) + TEST)
    if not (path.name.endswith(TRAIN) and test.is_file()):
        return None
    with test.open("rb") as file:
        return read_ts(file, name or test.name, Reading())


@dataclass
class _Header:
    """What the lines that begin with @ say."""

    flags: dict[str, bool] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    dimensions: int | None = None
    length: int | None = None

    def read(self, line: str, place: str) -> bool:
        """Take in one line; false where data begin."""
        tag, *words = line[1:].split() or [""]
        tag = tag.lower()
        if tag not in TAGS:
            raise ChainruleError(f"{place}: there is no tag @{tag}.{nearest(tag, TAGS)} Mend the line.")
        if tag in FLAGS:
            if not words or words[0].lower() not in ("true", "false"):
                raise ChainruleError(f"{place}: expected true or false after @{tag}. Mend the line.")
            self.flags[tag] = words[0].lower() == "true"
            self.labels = tuple(words[1:]) if tag == "classlabel" else self.labels
        if tag in ("dimensions", "dimension", "serieslength"):
            if len(words) != 1 or not words[0].isdecimal() or len(words[0]) > 9 or not int(words[0]):
                raise ChainruleError(f"{place}: expected a whole number of 1 or more after @{tag}. Mend the line.")
            if tag == "serieslength":
                self.length = int(words[0])
            else:
                self.dimensions = int(words[0])
        if self.flags.get("timestamps"):
            raise ChainruleError(f"{place}: series with time stamps can't be read. Save the values alone.")
        if self.flags.get("univariate"):
            self.dimensions = 1
        return tag != "data"

    @property
    def labelled(self) -> bool:
        """Whether each line ends in a class or a value to predict."""
        return self.flags.get("classlabel", False) or self.flags.get("targetlabel", False)


def _series(channels: list[str], header: _Header, place: str) -> np.ndarray:
    """One series, (time, channels)."""
    expected = header.dimensions or len(channels) or 1
    if len(channels) != expected:
        label = " and a label" if header.labelled else ""
        got = f"{len(channels)}{label}"
        raise ChainruleError(
            f"{place}: expected {expected} channels{label}, separated by colons, got {got}. Mend the line."
        )
    values = [[_number(cell, place) for cell in channel.split(",")] for channel in channels]
    lengths = [len(channel) for channel in values]
    length = header.length if header.flags.get("equallength", True) and header.length else lengths[0]
    odd = next((index for index, each in enumerate(lengths) if each != length), None)
    if odd is not None:
        raise ChainruleError(
            f"{place}: expected {length} steps in each channel, got {lengths[odd]} in channel {odd + 1}. Mend the line."
        )
    return np.array(values).T


def _number(cell: str, place: str) -> float:
    try:
        return np.nan if cell.strip() == "?" else float(cell)
    except ValueError:
        raise ChainruleError(f"{place}: expected a number or ?, got {cell.strip()[:40]!r}. Mend the line.") from None


def _target(cell: str, header: _Header, place: str) -> str | float:
    if header.flags.get("targetlabel"):
        return _number(cell, place)
    if header.labels and header.labelled and cell not in header.labels:
        raise ChainruleError(
            f"{place}: the class {cell!r} is not one of @classLabel, {shortened(header.labels)}. Mend the line."
        )
    return cell
