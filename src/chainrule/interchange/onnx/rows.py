"""Raw rows in: an input for each column of a table, by its name, and what becomes of it for the network.

Inputs are (rows, 1), as sklearn-onnx and ML.NET have them, arrays (rows, …): numbers in double, NaN where a cell is
blank; texts, "" where it is; images in single, which holds every byte; dates and times as seconds since 1970, in UTC.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.columns import Category, Number, Series
from chainrule.data.dates import CYCLES, Date
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.tokens import FIRST, PADDING, UNKNOWN, Tokens
from chainrule.data.values import as_number
from chainrule.interchange.onnx.graph import Graph
from chainrule.interchange.onnx.values import Value, counted, real, size, whole

FLOAT, INT64, BOOL, DOUBLE = 1, 7, 9, 11  # as ONNX numbers them
DAY = 86400.0  # seconds
LEAP = 10957  # days from 1970 to 2000, from when on years repeat after 400
LETTERS = r"[\pL\pN_]"  # what Python's \w is
LOCALE = "C.UTF-8"  # which knows the small letters of all scripts, and is there without being installed


class Prepared(NamedTuple):
    """What columns have become, and which rows have a blank cell, (rows, 1); "" where such cells are filled."""

    x: Value
    blank: str = ""


def prepared(graph: Graph, preprocessor: Preprocessor) -> Prepared:
    """A preprocessor's inputs, a node for each step of its way; columns of one kind side by side go it together.

    Rows with a blank cell have no answer.
    """
    fills, parts = preprocessor.schema.missing == "median", list[Prepared]()
    given = [(column, _given(graph, column)) for column in preprocessor.columns]  # before anything else takes a name
    for kind, some in groupby(given, lambda each: type(each[0])):
        columns, inputs = zip(*some, strict=True)
        parts.extend(COLUMNS[kind](graph, columns, inputs, fills))
    x = parts[0].x.became(_beside(graph, [part.x.name for part in parts]))
    return Prepared(replace(x, shape=preprocessor.input_shape), _any(graph, [part.blank for part in parts]))


def _given(graph: Graph, column: Any) -> str:
    dtype, shape = GIVEN[type(column)](column)
    return graph.input(column.name, dtype, ("rows", *shape))


GIVEN: dict[type, Callable[[Any], tuple[type, tuple[int | str, ...]]]] = {
    Number: lambda column: (np.float32 if len(column.shape) > 2 else np.float64, column.shape),
    Category: lambda _: (str, (1,)),
    Series: lambda column: (np.float64, ("steps", *column.step.shape)),
    Tokens: lambda _: (str, (1,)),
    Date: lambda _: (np.float64, (1,)),
}
"""What columns of a kind are given as: their type, and the shape of a row."""


def _numbers(graph: Graph, columns: Sequence[Number], inputs: Sequence[str], fills: bool) -> Iterator[Prepared]:
    """Standardised in double, in which times of this century differ, and rounded to single afterwards."""
    shape = columns[0].shape
    x = _beside(graph, inputs)
    x = graph.add("Cast", x, to=DOUBLE) if len(shape) > 2 else x
    x, blank = _filled(graph, x, np.concatenate([c.fill for c in columns]), fills, len(shape))
    mean, scale = (np.concatenate([getattr(c, part) for c in columns]) for part in ("mean", "scale"))
    yield Prepared(Value(_standardised(graph, x, mean, scale), shape), blank)


def _categories(graph: Graph, columns: Sequence[Category], inputs: Sequence[str], fills: bool) -> Iterator[Prepared]:
    """A number for each text, compared with the numbers of the values: to compare texts takes much longer."""
    for column, x in zip(columns, inputs, strict=True):
        texts, codes = _spellings(column)
        unseen, blank = len(column.values), len(column.values) + 1
        code = graph.add(
            "LabelEncoder",
            x,
            domain="ai.onnx.ml",
            keys_strings=["", *texts],
            values_int64s=[codes[texts.index(column.fill)] if fills else blank, *codes],
            default_int64=unseen,
        )
        own = graph.add("Equal", code, graph.constant(np.arange(unseen)))
        gone = "" if fills else graph.add("Equal", code, graph.constant(np.int64(blank)))
        yield Prepared(Value(graph.add("Cast", own, to=FLOAT), column.shape), gone)


def _series(graph: Graph, columns: Sequence[Series], inputs: Sequence[str], fills: bool) -> Iterator[Prepared]:
    """Steps of NaN alone at the end are padding; as many are put behind as the longest of training has more."""
    [column], [x] = columns, inputs
    more = graph.add("Sub", whole(graph, column.length), size(graph, x, 1))
    more = graph.add("Max", more, whole(graph, 0))
    ends = graph.add("Concat", whole(graph, 0, 0, 0, 0), more, whole(graph, 0), axis=0)
    x = graph.add("Pad", x, ends, graph.constant(np.float64(np.nan)))
    known = graph.add("Cast", graph.add("Not", graph.add("IsNaN", x)), to=FLOAT)
    known = graph.add("ReduceMax", known, whole(graph, 2), keepdims=0)
    later = graph.add("CumSum", known, graph.constant(np.int64(1)), reverse=1)
    first = graph.add("Equal", counted(graph, size(graph, x, 1)), graph.constant(np.int64(0)))  # which counts always
    mask = graph.add("Or", graph.add("Greater", later, real(graph, 0)), first)
    live = graph.add("Unsqueeze", mask, whole(graph, 2))
    filled, _ = _filled(graph, x, np.array(column.step.fill), True, 2)
    z = _standardised(graph, filled, np.array(column.step.mean), np.array(column.step.scale))
    gone = graph.add("And", live, graph.add("IsNaN", x))
    blank = "" if fills else _rows_with(graph, gone, 2)
    yield Prepared(Value(graph.add("Where", live, z, real(graph, 0)), column.shape, mask), blank)


def _tokens(graph: Graph, columns: Sequence[Tokens], inputs: Sequence[str], fills: bool) -> Iterator[Prepared]:
    """Texts are taken apart by onnxruntime's own operator, as ONNX has none for it, and numbered by the vocabulary."""
    [column], [x] = columns, inputs
    x = graph.add("Squeeze", x, whole(graph, 1))
    if column.unit == "words":
        x = graph.add("StringNormalizer", x, case_change_action="LOWER", locale=LOCALE)
        how: dict[str, Any] = {"tokenexp": f"{LETTERS}+(?:['’]{LETTERS}+)*"}
    else:
        how = {"separators": [""]}
    tokens = graph.add("Tokenizer", x, domain="com.microsoft", mark=0, mincharnum=1, pad_value="", **how)
    ids = graph.add(
        "LabelEncoder",
        tokens,
        domain="ai.onnx.ml",
        keys_strings=["", *column.vocabulary],
        values_int64s=[PADDING, *range(FIRST, FIRST + len(column.vocabulary))],
        default_int64=UNKNOWN,
    )
    ids = graph.add("Pad", ids, graph.constant(np.array([0, 0, 0, column.length], np.int64)))
    ids = graph.add("Slice", ids, whole(graph, 0), whole(graph, column.length), whole(graph, 1))
    least = np.zeros(column.length, np.int64)
    least[0] = UNKNOWN  # a text without a token is one unknown token
    yield Prepared(Value(graph.add("Max", ids, graph.constant(least)), column.shape, tokens=True))


def _dates(graph: Graph, columns: Sequence[Date], inputs: Sequence[str], fills: bool) -> Iterator[Prepared]:
    """Days, and what they say; what years, months and weekdays are is looked up in tables of 400 years."""
    for column, x in zip(columns, inputs, strict=True):
        days = graph.add("Div", x, graph.constant(DAY))
        days, blank = _filled(graph, days, np.array([column.fill]), fills, 1)
        floor = graph.add("Floor", days)
        since = graph.add("Sub", floor, graph.constant(float(LEAP)))
        cycle = graph.add("Floor", graph.add("Div", since, graph.constant(float(STARTS[-1]))))
        day = graph.add("Sub", since, graph.add("Mul", cycle, graph.constant(float(STARTS[-1]))))
        begun = graph.add("GreaterOrEqual", day, graph.constant(STARTS[1:-1].astype(np.float64)))
        year = graph.add("ReduceSum", graph.add("Cast", begun, to=INT64), whole(graph, 1))
        parts = [days]
        if len(column.mean) > 1:
            parts.append(_year(graph, cycle, year))
        going = _standardised(graph, _beside(graph, parts), np.array(column.mean), np.array(column.scale))
        seen = [going, *(CYCLE[cycle](graph, days, floor, day, year) for cycle in column.cycles)]
        yield Prepared(Value(_beside(graph, seen), column.shape), blank)


STARTS = (np.arange("2000", "2401", dtype="datetime64[Y]").astype("datetime64[D]").astype(np.int64)) - LEAP
"""The days at which the 400 years from 2000 on begin, counted from the first, and that after them."""


def _year(graph: Graph, cycle: str, year: str) -> str:
    first = graph.add("Add", graph.add("Mul", cycle, graph.constant(400.0)), graph.constant(30.0))  # from 1970 on
    return graph.add("Add", first, graph.add("Cast", year, to=DOUBLE))


def _month(graph: Graph, days: str, floor: str, day: str, year: str) -> str:
    """By the day of a leap year, or of another: two tables, one after the other."""
    table = np.concatenate([_cycle("month", LEAP + np.arange(366)), _cycle("month", LEAP + 366 + np.arange(365))])
    common = np.where(np.diff(STARTS) == 366, 0, 366) - STARTS[:-1]
    place = graph.add("Add", graph.add("Cast", day, to=INT64), graph.add("Gather", graph.constant(common), year))
    return graph.add("GatherND", graph.constant(table), place)


def _weekday(graph: Graph, days: str, floor: str, day: str, year: str) -> str:
    place = graph.add("Mod", graph.add("Cast", floor, to=INT64), graph.constant(np.int64(7)))
    return graph.add("GatherND", graph.constant(_cycle("day of week", np.arange(7))), place)


def _hour(graph: Graph, days: str, floor: str, day: str, year: str) -> str:
    turn = graph.add("Mul", graph.add("Sub", days, floor), graph.constant(2 * np.pi))
    return graph.add("Cast", _beside(graph, [graph.add("Sin", turn), graph.add("Cos", turn)]), to=FLOAT)


CYCLE = {"month": _month, "day of week": _weekday, "hour": _hour}


def _cycle(name: str, days: np.ndarray) -> np.ndarray:
    return CYCLES[name][1](days.astype(np.float64)).astype(np.float32)


COLUMNS: dict[type, Callable[[Graph, Sequence[Any], Sequence[str], bool], Iterator[Prepared]]] = {
    Number: _numbers,
    Category: _categories,
    Series: _series,
    Tokens: _tokens,
    Date: _dates,
}
"""What columns of a kind that stand side by side become of their inputs; `fills`: whether blank cells are filled."""


def _spellings(column: Category) -> tuple[list[str], list[int]]:
    """The texts that have one of the values, and which: those of numbers and booleans are spelt in several ways."""
    spelt = dict.fromkeys(column.values)
    for value in column.values:
        number = as_number(value)
        spelt |= dict.fromkeys([value.lower(), value.title(), value.upper()])
        spelt |= {} if number is None else dict.fromkeys([str(number), f"{number:g}"])
    spelt |= dict.fromkeys([spell(value) for value in ("false", "true") for spell in (str.lower, str.title, str.upper)])
    spelt |= dict.fromkeys(("0", "1", "0.0", "1.0"))
    texts = np.array([text for text in spelt if text], dtype=object)
    codes = column.codes(texts)
    return texts[codes >= 0].tolist(), codes[codes >= 0].tolist()


def _filled(graph: Graph, x: str, fill: np.ndarray, fills: bool, axes: int) -> tuple[str, str]:
    """Numbers with something in the place of NaN; else which rows have some."""
    gone = graph.add("IsNaN", x)
    if fills:
        return graph.add("Where", gone, graph.constant(fill), x), ""
    return x, _rows_with(graph, gone, axes)


def _rows_with(graph: Graph, cells: str, axes: int) -> str:
    """Which rows have a cell that is marked, (rows, 1)."""
    found = graph.add("ReduceMax", graph.add("Cast", cells, to=FLOAT), whole(graph, *range(1, axes + 1)), keepdims=0)
    return graph.add("Unsqueeze", graph.add("Cast", found, to=BOOL), whole(graph, 1))


def _standardised(graph: Graph, x: str, mean: np.ndarray, scale: np.ndarray) -> str:
    z = graph.add("Div", graph.add("Sub", x, graph.constant(mean)), graph.constant(scale))
    return graph.add("Cast", z, to=FLOAT)


def _beside(graph: Graph, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=-1)


def _any(graph: Graph, masks: Sequence[str]) -> str:
    """Whether any of several holds."""
    known = [mask for mask in masks if mask]
    return reduce(lambda one, other: graph.add("Or", one, other), known) if known else ""
