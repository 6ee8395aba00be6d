"""Dates and times as people write them, and the column that a network sees of them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, Literal, Self

import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.data.learning import HELD, Learning, Moments, Sample, median
from chainrule.data.records import require
from chainrule.data.table import Table, blank_rows, blanks, check_column, label
from chainrule.errors import ChainruleError

Order = Literal["year", "day", "month"]

ORDERS: tuple[Order, ...] = ("year", "day", "month")  # which comes first
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october")
MONTHS += ("november", "december")
EPOCH = date(1970, 1, 1).toordinal()
FIRST, LAST = 19000101, 20991231  # the dates that whole numbers may be
ENOUGH = 1000  # distinct texts, to tell what a column holds
CENTURY = 69  # years of two digits from here on are of the 20th century, as in POSIX

_MONTH, _DAY, _YEAR = r"(?P<name>[A-Za-z]{3,9})\.?", r"(?P<day>\d\d?)(?:st|nd|rd|th)?", r"(?P<year>\d{4})"
_ZONE = r"(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)"
_TIME = (
    rf"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d(?:[.,]\d+)?))?(?:\s*(?P<half>[AaPp])[Mm])?(?:\s*{_ZONE})?"
)
_WEEKDAY = r"(?:(?:Mon|Tue|Tues|Wed|Wednes|Thu|Thur|Thurs|Fri|Sat|Satur|Sun)(?:day)?,?\s+)?"
_NUMBERS = re.compile(
    r"(?P<first>\d\d?)(?P<mark>[-/.])(?P<other>\d\d?)(?P=mark)(?P<year>\d{4}|(?<=/)\d\d|(?<=\d\d\.\d\d\.)\d\d)(?!\d)",
    re.ASCII,
)
_COMPACT = re.compile(r"(19|20)\d{6}(T\d|$)", re.ASCII)
_FORMS = [
    re.compile(rf"{_WEEKDAY}{form}(?:[T,\s]\s*{_TIME})?", re.ASCII)
    for form in (
        rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d\d?)(?P=mark){_DAY}",
        rf"{_YEAR}-(?P<month>\d\d)",
        _NUMBERS.pattern,
        rf"{_DAY}[\s-]+{_MONTH},?[\s-]+{_YEAR}",
        rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}",
        rf"{_MONTH}[\s-]+{_YEAR}",
    )
] + [re.compile(_TIME, re.ASCII)]


def parse_time(text: str, order: Order = "year") -> tuple[float, float] | None:
    """The moment that a text spells, if it does: in days since 1970, in UTC and by the clock of its own zone.

    ISO 8601 and its common relatives, months by their English names, and numbers whose order is given. A time without
    a zone is taken as UTC, one without a date as of the first day of 1970.

    >>> parse_time("1970-01-02T12:00+06:00")
    (1.25, 1.5)
    >>> parse_time("Mar 1, 1970"), parse_time("1/3/1970", "day"), parse_time("1/3/1970"), parse_time("soon")
    ((59.0, 59.0), (59.0, 59.0), None, None)
    """
    text = text.strip()
    try:
        if text[4:5] == text[7:8] == "-" and text[10:11] in ("", "T", " "):  # the quick way for the most common form
            try:
                return _days(datetime.fromisoformat(text))
            except ValueError:
                pass
        if _COMPACT.match(text):
            return _days(datetime.fromisoformat(text))
        for form in _FORMS:
            if found := form.fullmatch(text):
                return _moment(found.groupdict(), order)
    except (ValueError, OverflowError):  # no such day, no such hour
        pass
    return None


def order_of(values: np.ndarray) -> Order | None:
    """Which comes first in the dates of a table's column; None where that is left open."""
    return first_of(values[~blanks(values)]) if values.dtype.kind == "O" else "year"


def first_of(texts: Iterable[str]) -> Order | None:
    """Which comes first in the dates of a column, by all of it; None where each may be day/month or month/day.

    Between points, the day comes first in any case.

    >>> first_of(["3/4/2020", "13/4/2020"]), first_of(["3/4/2020", "4/13/2020"]), first_of(["3/4/2020"])
    ('day', 'month', None)
    """
    days = months = either = 0
    for text in texts:
        if (found := _NUMBERS.match(text.strip())) and found["mark"] != ".":
            day, month = int(found["first"]) > 12, int(found["other"]) > 12
            days, months, either = days + (day and not month), months + (month and not day), either + 1
    return "year" if not either else None if days == months == 0 else "day" if days >= months else "month"


def read_times(texts: np.ndarray, order: Order) -> np.ndarray:
    """A column of texts as days since 1970, (rows, 2): in UTC, and by the clock; NaN where a cell spells no time."""
    unknown = (np.nan, np.nan)
    known = {text: (text and parse_time(text, order)) or unknown for text in set(texts)}
    return np.array([known[text] for text in texts], np.float64).reshape(len(texts), 2)


def are_times(values: np.ndarray) -> bool:
    """Whether most known cells of a table's column spell times, as far as the first distinct ones tell.

    Numbers do where all of them are dates such as 20200131.

    >>> are_times(np.array([20200131.0, 20200201.0])), are_times(np.array([20200131.0, 20200230.0]))
    (True, False)
    """
    known = values[~blanks(values)]
    if known.dtype.kind != "O":
        dates = known.ndim == 1 and len(known) > 0 and bool(((known >= FIRST) & (known <= LAST)).all())
        return dates and all(parse_time(label(number)) for number in np.unique(known)[:ENOUGH])
    return spell_times(Counter(known))


def spell_times(counts: Counter[str]) -> bool:
    """Whether most cells spell times, by how often each text occurs, as far as the first texts tell."""
    order, first = first_of(counts) or "day", dict(islice(counts.items(), ENOUGH))
    return 2 * sum(count for text, count in first.items() if parse_time(text, order)) > sum(first.values())


def times(table: Table, name: str, order: Order, **choices: Any) -> np.ndarray:
    """A table's column as `read_times` gives it, NaN where a cell is blank.

    Raises:
        ChainruleError: for a cell that spells no time; some choices may let it stay.
    """
    values = table[name]
    read = read_times(_spelt(values), order) if values.ndim == 1 else np.full((table.rows, 2), np.nan)
    wrong = np.isnan(read[:, 0]) & ~blank_rows(values)
    if wrong.any():
        row = int(wrong.argmax())
        form = {"year": "2020-01-31", "day": "31/1/2020", "month": "1/31/2020"}[order]
        raise ChainruleError(
            f"{table.place(row, name)}: expected a date or a time such as {form}, got "
            f"{values[row : row + 1].tolist()[0]!r}. Mend the cell{'' if choices else '.'}",
            **choices,
        )
    return read


def _spelt(values: np.ndarray) -> np.ndarray:
    """A column's texts; whole numbers are without a point."""
    if values.dtype.kind == "O":
        return values
    texts = np.array([None] * len(values), dtype=object)
    known = ~blanks(values)
    texts[known] = [label(number) for number in values[known]]
    return texts


def _moment(said: dict[str, str | None], order: Order) -> tuple[float, float] | None:
    """The days of a form's parts."""
    year, month, day = said.get("year") or "1970", said.get("month"), said.get("day") or "1"
    if first := said.get("first"):
        if order == "year" and said["mark"] != ".":
            return None
        day, month = (said["other"], first) if order == "month" and said["mark"] != "." else (first, said["other"])
    if name := said.get("name"):
        month = next((number for number, each in enumerate(MONTHS, 1) if each.startswith(name.lower())), 13)
    number = int(year) + (0 if len(year) > 2 else 1900 if int(year) >= CENTURY else 2000)
    hour, second = int(said["hour"] or 0), float((said["second"] or "0").replace(",", "."))
    if said["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (said["half"] in "Pp")
    moment = datetime(number, int(month or 1), int(day or 1), hour, int(said["minute"] or 0), int(second))
    return _days(moment, second % 1, _offset(said["zone"]))


def _offset(zone: str | None) -> float:
    """A zone's hours ahead of UTC."""
    if not zone or zone[0] not in "+-":
        return 0.0
    digits = zone[1:].replace(":", "")
    time = datetime(1970, 1, 1, int(digits[:2]), int(digits[2:] or 0))  # which refuses what is no time
    return float(f"{zone[0]}1") * (time.hour + time.minute / 60)


def _days(moment: datetime, fraction: float = 0.0, ahead: float = 0.0) -> tuple[float, float]:
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6 + fraction
    wall = moment.toordinal() - EPOCH + seconds / 86400
    if moment.tzinfo is not None and (offset := moment.utcoffset()) is not None:
        ahead = offset.total_seconds() / 3600
    return wall - ahead / 24, wall


# What a network sees of a time, from its days by the clock.


def _year(days: np.ndarray) -> np.ndarray:
    return _dates(days).astype("datetime64[Y]").astype(np.float64)


def _through_the_year(days: np.ndarray) -> np.ndarray:
    dates = _dates(days)
    months = dates.astype("datetime64[M]")
    day = (dates - months.astype("datetime64[D]")).astype(np.float64)
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.float64)
    return _circle((months.astype(np.int64) % 12 + day / length) / 12)


def _weekday(days: np.ndarray) -> np.ndarray:
    return np.eye(7)[(np.floor(days).astype(int) + 3) % 7]  # the first of 1970 was a Thursday


def _circle(turns: np.ndarray) -> np.ndarray:
    return np.stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)], axis=1)


def _dates(days: np.ndarray) -> np.ndarray:
    return np.floor(days).astype(np.int64).astype("datetime64[D]")


CYCLES: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "month": (2, _through_the_year),
    "day of week": (7, _weekday),
    "hour": (2, lambda days: _circle(days % 1)),
}
SAID = {
    "month": "month as sine and cosine",
    "day of week": "day of week as 7 inputs",
    "hour": "hour as sine and cosine",
}


@dataclass(frozen=True)
class Date:
    """A column of dates and times, of which a network sees what repeats and what goes on.

    - elapsed: the days gone by, in UTC, standardised; and the year, standardised by as much;
    - month: how far the year has gone, a sine and a cosine, so that December is next to January;
    - day of week: one input for each;
    - hour: how far the day has gone, a sine and a cosine.

    Year, month, weekday and hour are those of the clock that a time was written by. Of these four, only those that vary
    in training are inputs.

    >>> column = Date.of("day", read_times(np.array(["2024-01-01", "2024-12-30"], dtype=object), "year"))
    >>> column.cycles, column.shape
    (('month',), (3,))
    """

    name: str
    order: Order
    cycles: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    fill: float

    def __post_init__(self) -> None:
        require(
            len(self.mean) in (1, 2) and len(self.scale) == len(self.mean), "a mean and a scale of elapsed and year"
        )
        finite = np.isfinite([*self.mean, *self.scale, self.fill]).all()
        require(bool(finite) and min(self.scale) > 0, "finite numbers and scales above 0")
        require(
            list(self.cycles) == [cycle for cycle in CYCLES if cycle in self.cycles], f"some of {', '.join(CYCLES)}"
        )

    @property
    def shape(self) -> Shape:
        """One example's shape."""
        return (len(self.mean) + sum(CYCLES[cycle][0] for cycle in self.cycles),)

    @classmethod
    def of(cls, name: str, times: np.ndarray, order: Order = "year") -> Self:
        """Fitted to a column as `read_times` gives it, with NaN where a cell is blank; some cell must not be."""
        known = times[~np.isnan(times[:, 0])]
        going = _going(known)
        going = going if np.ptp(going[:, 1]) else going[:, :1]
        scale = np.where(np.ptp(going, axis=0) > 0, going.std(axis=0), 1.0)
        cycles = tuple(cycle for cycle, (_, of) in CYCLES.items() if np.ptp(of(known[:, 1]), axis=0).any())
        mean, fill = going.mean(axis=0).tolist(), float(np.median(known[:, 0]))
        return cls(name, order, cycles, tuple(mean), tuple(scale.tolist()), fill)

    @classmethod
    def learned(cls, name: str, order: Order, going: Moments, cycles: tuple[str, ...], fill: float) -> Self:
        """Fitted by the moments of days and years, the cycles that vary, and the median day."""
        varies = going.high > going.low
        kept = slice(2 if varies[1] else 1)
        scale = np.where(varies, going.spread, 1.0)
        return cls(name, order, cycles, tuple(going.mean[kept].tolist()), tuple(scale[kept].tolist()), fill)

    def read(self, table: Table) -> np.ndarray:
        """A table's column as days; refused where it is missing, or a cell spells no time."""
        check_column(table, self.name)
        return times(table, self.name, self.order)

    def takes(self, shape: Shape) -> bool:
        """Whether a raw cell may have this shape."""
        return shape in ((), (1,), (2,))

    def encode(self, times: np.ndarray) -> np.ndarray:
        """Float32, (rows, *shape); blank cells by their fill."""
        times = np.where(np.isnan(times), self.fill, times)
        going = (_going(times)[:, : len(self.mean)] - self.mean) / self.scale
        return np.concatenate(
            [going, *(CYCLES[cycle][1](times[:, 1]) for cycle in self.cycles)], axis=1, dtype=np.float32
        )

    def __str__(self) -> str:
        """What a network sees of it, in words."""
        going = ("elapsed", "year")[: len(self.mean)]
        return f"{self.name} is read as time: {', '.join([*going, *(SAID[cycle] for cycle in self.cycles)])}"


def _going(times: np.ndarray) -> np.ndarray:
    """What goes on: days in UTC, and years by the clock."""
    return np.stack([times[:, 0], _year(times[:, 1])], axis=1)


class Times(Learning):
    """What is learned of a column of dates and times, which becomes a `Date`."""

    going: Moments | None = None

    def __init__(self, name: str, order: Order, most: int = HELD):
        super().__init__(name, most)
        self.order: Order = order
        self.varying: dict[str, np.ndarray] = {}  # the cycles, with the least and the largest of each

    def fold(self, values: np.ndarray, sample: Sample) -> None:
        """Add a block's known times to the moments, the cycles and the sample."""
        known = values[~np.isnan(values[:, 0])]
        if not len(known):
            return
        going = Moments.of(_going(known))
        self.going = going if self.going is None else self.going + going
        for cycle, (_, of) in CYCLES.items():
            found = of(known[:, 1])
            extremes = np.stack([found.min(axis=0), found.max(axis=0)])
            low, high = self.varying.get(cycle, extremes)
            self.varying[cycle] = np.stack([np.minimum(low, extremes[0]), np.maximum(high, extremes[1])])
        sample.add(known[:, 0])

    def fitted(self) -> Date | None:
        """The fitted form; None where the column is blank throughout."""
        if self.sample is None:
            values = self.whole()
            return None if np.isnan(values[:, 0]).all() else Date.of(self.name, values, self.order)
        if self.going is None:
            return None
        cycles = tuple(cycle for cycle, (low, high) in self.varying.items() if (high > low).any())
        return Date.learned(self.name, self.order, self.going, cycles, median(self.sample.rows()))
