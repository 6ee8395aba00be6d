"""What the cells of a text file say: a column is one of numbers if every cell of it that is not blank spells one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.reading import DECIMALS, MISSING, Reading
from chainrule.data.table import EXACT, is_rounded

GROUPS = " \u00a0\u202f\u2009'’"  # marks between thousands, beside the point or comma that is not the decimal


class Cells(NamedTuple):
    """A column's cells without blanks around them, as Arrow's text, and which of them are blank; None for none."""

    texts: Any
    blank: Any
    words: Counter

    def known(self) -> Any:
        """The texts, null where they are blank."""
        return _nulled(self.blank, self.texts)


class Column(NamedTuple):
    """A column's values: numbers with NaN, or objects, `str` and None; and how they were spelt.

    Attributes:
        values: of shape (rows,).
        words: how often each word stands for no value.
        sample: a cell, and the number it is read as, where numbers are not written plainly.
        code: a cell whose leading zero is lost in its number.
        mixed: two cells that would be numbers, but of different units, for which the column is text.
        unit: "%" or a currency's sign, where the numbers have one.
    """

    values: np.ndarray
    words: Mapping[str, int] = {}
    sample: tuple[str, float] | None = None
    code: str | None = None
    mixed: tuple[str, str] | None = None
    unit: str = ""


def columns(
    texts: Mapping[str, Any], reading: Reading, as_text: Iterable[str], comma: bool = False
) -> tuple[dict[str, Column], str]:
    """The columns of a file by name, from their cells as Arrow's text; and the decimal mark of its numbers.

    Args:
        texts: the cells of each column.
        reading: how they are read.
        as_text: the columns that are not numbers, whatever they look like.
        comma: whether the mark is more likely a comma, should the cells leave it open.
    """
    as_text = set(as_text)
    cells, plain = {}, {}
    for name, column in texts.items():
        cells[name] = Cells(column, None, Counter())
        plain[name] = None if name in as_text or reading.blank else _plain(cells[name])
        if plain[name] is None or np.isnan(plain[name].to_numpy()).any():  # nan is a word for no number
            cells[name] = _trimmed(column, reading.blank, name in as_text)
            plain[name] = None if name in as_text else _plain(cells[name])
    odd = {name for name in cells if plain[name] is None and name not in as_text}
    decimal = reading.decimal or _decimal(cells, plain, odd, comma)
    found = {}
    for name, column in cells.items():
        numbers = plain[name]
        if numbers is not None and decimal == "," and _any_with(column.texts, "."):
            numbers = None  # 1.234 is a thousand and more
            odd.add(name)
        if numbers is not None:
            found[name] = Column(_exact(numbers, column), column.words, code=_code(numbers, column))
        else:
            spelt = _spelt(column, decimal) if name in odd else None
            if not isinstance(spelt, Column):
                spelt = _text(texts[name], reading.blank)._replace(mixed=spelt)
            found[name] = spelt
    return found, decimal


def blanked(values: np.ndarray, words: Iterable[str] | None) -> tuple[np.ndarray, Counter]:
    """A column of typed values without the cells that say one of some words; and how many say each.

    >>> blanked(np.array([1.0, -999.0]), ["-999"])
    (array([ 1., nan]), Counter({'-999': 1}))
    """
    counts: Counter = Counter()
    for word in words or ():
        if values.dtype.kind == "O":
            hit = values == word
        else:
            number = _float(word)
            hit = np.zeros(len(values), bool) if number is None or values.ndim > 1 else values == number
        if hit.any():
            counts[word] += int(hit.sum())
            exact = values.dtype.kind in "iu" and bool((np.abs(values.astype(np.float64)) >= EXACT).any())
            values = values.astype(object if exact else np.result_type(values, np.float32))  # objects stay so
            values[hit] = np.nan if values.dtype.kind == "f" else None
    return values, counts


def objects(texts: Any) -> np.ndarray:
    """Arrow's text as objects, `str` and None; equal cells are one object."""
    import pyarrow as pa

    coded = texts.dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    values = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
    return values[coded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)]


def compute() -> Any:
    """Arrow's functions on columns, which it makes when it is imported."""
    import pyarrow.compute

    return pyarrow.compute


def _trimmed(texts: Any, blank: tuple[str, ...] | None, text: bool) -> Cells:
    import pyarrow as pa

    pc = compute()

    texts = pc.utf8_trim_whitespace(texts)
    lower = pc.utf8_lower(texts) if blank is None else texts
    words = ["", *(MISSING if blank is None else blank)]
    gone = pc.equal(texts, "") if text and blank is None else pc.is_in(lower, value_set=pa.array(words, pa.string()))
    counts: Counter = Counter()
    if pc.any(gone).as_py():
        counted = pc.value_counts(texts.filter(gone))
        counts = Counter({each["values"].as_py(): each["counts"].as_py() for each in counted})
        del counts[""]
    return Cells(texts, gone, counts)


def _plain(cells: Cells) -> Any:
    """Arrow's numbers, null where blank; None where a cell is not written as programs write numbers."""
    import pyarrow as pa

    try:
        return cells.known().cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def _exact(numbers: Any, cells: Cells) -> np.ndarray:
    """Numbers as float64 with NaN; as integers, or as text where those don't do, lest whole ones be rounded."""
    import pyarrow as pa

    values = numbers.to_numpy()
    if not (np.abs(values) >= EXACT).any():
        return values
    known = cells.known()
    if not any(map(is_rounded, known.unique().to_pylist())):
        return values
    for kind in () if known.null_count else (pa.int64(), pa.uint64()):
        try:
            return known.cast(kind).to_numpy()
        except pa.ArrowInvalid:
            continue
    return objects(known)


def _code(numbers: Any, cells: Cells) -> str | None:
    """A cell with a leading zero in a column of whole numbers, such as a postal code; None where there is none."""
    values = numbers.to_numpy()
    if (np.floor(values) < values).any():
        return None
    hit = compute().match_substring_regex(cells.texts, r"^\s*0[0-9]+\s*$")
    return next((text.as_py().strip() for text in cells.texts.filter(hit)), None)


def _text(texts: Any, blank: tuple[str, ...] | None) -> Column:
    cells = _trimmed(texts, blank, text=True)
    return Column(objects(cells.known()), cells.words)


# Numbers as people write them


def _pattern(decimal: str) -> str:
    """Numbers with a sign, a currency's sign, marks between thousands, a fraction, an exponent or a percent sign.

    Accountants write negative ones in brackets, and the currency's sign inside or before them.
    """
    marks = [*GROUPS, *(mark for mark in DECIMALS if mark != decimal)]
    whole = "|".join(rf"[0-9]{{1,3}}(?:{_literal(mark)}[0-9]{{3}})+" for mark in marks)
    number = rf"(?:(?:{whole}|[0-9]+)(?:{_literal(decimal)}[0-9]*)?|{_literal(decimal)}[0-9]+)"
    money, tail = r"(?:\p{Sc}\s*)?", r"(?:[eE][+-]?[0-9]+|\s*%|\s*\p{Sc})?"
    return rf"^(?:[+\-−]?\s*{money}[+\-−]?{number}{tail}|{money}\(\s*{money}{number}{tail}\s*\)(?:\s*[%\p{{Sc}}])?)$"


def _literal(mark: str) -> str:
    return rf"\{mark}" if mark in "." else mark


def _decimal(cells: Mapping[str, Cells], plain: Mapping[str, Any], odd: Iterable[str], comma: bool) -> str:
    """The mark before fractions that more columns need than the other; what is likely, where they don't decide it."""
    pc = compute()

    votes: Counter = Counter()
    for name in odd:
        known = cells[name].known().drop_null()
        fits = [mark for mark in DECIMALS if _all_match(known, _pattern(mark))]
        if len(fits) == 1:
            votes[fits[0]] += 1
        elif fits and pc.any(pc.match_substring_regex(known, r",[0-9]{3}$")).as_py():
            votes["either"] += 1
    if not votes:
        return "."
    for name, numbers in plain.items():
        if numbers is not None and _any_with(cells[name].texts, "."):
            known = cells[name].known().drop_null()
            votes["."] += not _all_match(known, _pattern(","))
    if votes["."] == votes[","]:
        return "," if comma else "."
    return max(DECIMALS, key=votes.__getitem__)


def _spelt(cells: Cells, decimal: str) -> Column | tuple[str, str] | None:
    """A column of numbers as people write them; two cells of units that are mixed; None where a cell is no number."""
    import pyarrow as pa

    pc = compute()

    known = cells.known().drop_null()
    if not _all_match(known, _pattern(decimal)):
        return None
    percent = pc.match_substring(known, "%")
    signs = pc.replace_substring_regex(known, r"[^\p{Sc}]", "")
    if mixed := _several(known, percent) or _several(known, signs, ""):
        return mixed
    marks = "".join(mark for mark in DECIMALS if mark != decimal)
    plain = pc.replace_substring_regex(cells.texts, rf"[\p{{Sc}}\s+{GROUPS}{marks}]", "")
    plain = pc.replace_substring(pc.replace_substring(plain, decimal, "."), "−", "-")
    plain = pc.replace_substring_regex(plain, r"^\((.*)\)", r"-\1")
    if pc.all(percent).as_py():
        plain = pc.replace_substring(plain, "%", "e-2")  # 57e-2 is the nearest number, 57 / 100 need not be
    try:
        values = _nulled(cells.blank, plain).cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    odd = np.flatnonzero(pc.not_equal(plain, cells.texts).to_numpy() & ~np.isnan(values))
    samples = ((cells.texts[row].as_py(), float(values[row])) for row in odd.tolist())
    sample = next((each for each in samples if _float(each[0]) != each[1]), None)
    unit = "%" if pc.all(percent).as_py() else max(signs.unique().to_pylist())
    return Column(values, cells.words, sample, unit=unit)


def _several(cells: Any, units: Any, *none: Any) -> tuple[str, str] | None:
    """The first cells of two units, if there are two; those in `none` are without a unit and go with any."""
    kinds = [unit for unit in units.unique().to_pylist() if unit not in none]
    if len(kinds) < 2:
        return None
    one, other = (cells[units.index(unit).as_py()].as_py() for unit in kinds[:2])
    return one, other


def _nulled(blank: Any, texts: Any) -> Any:
    import pyarrow as pa

    return texts if blank is None else compute().if_else(blank, pa.scalar(None, pa.string()), texts)


def _all_match(known: Any, pattern: str) -> bool:
    pc = compute()

    return len(known) > 0 and bool(pc.all(pc.match_substring_regex(known, pattern)).as_py())


def _any_with(texts: Any, mark: str) -> bool:
    pc = compute()

    return bool(pc.any(pc.match_substring(texts, mark)).as_py())


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
