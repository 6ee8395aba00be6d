"""Records as JSON: what `dataclasses.asdict` took apart is read back by the types of its fields.

A record is a dataclass. Its annotations say what each field holds, its `__post_init__` what holds between them; what
nothing could have been written as is refused with its place.
"""

import dataclasses
import functools
import json
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from chainrule.errors import ChainruleError

WORDS = {
    NoneType: "null",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list",
    list: "a list",
    dict: "an object",
}


def read_json(kind: Any, text: str) -> Any:
    """A value of a type from its JSON.

    Args:
        kind: None, bool, int, float, str, a `Literal`, `tuple[X, ...]`, `list[X]`, `dict[str, X]`, a record, a union of
            them, or `Any` for plain JSON.
        text: the JSON.

    Raises:
        ChainruleError: for what is no JSON, too deep, or not of that type, with its place.

    >>> read_json(tuple[int, ...], "[1, 2]")
    (1, 2)
    >>> read_json(dict[str, float], '{"a": null}')
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: a: expected a number, got null.
    """
    try:
        raw = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise ChainruleError("expected JSON, got something else or too deep a nesting.") from None
    return read(kind, raw)


def read(kind: Any, raw: Any, place: str = "") -> Any:
    """A value of a type from plain lists, dictionaries, texts and numbers; see `read_json`."""
    found = next((each for each in _alternatives(kind) if _is_of(each, raw)), None)
    if found is None:
        raise ChainruleError(f"{_at(place)}expected {_words(kind)}, got {_shown(raw)}.")
    if dataclasses.is_dataclass(found):
        fields = _fields(found)
        parts = {name: read(fields[name], each, f"{place}.{name}".lstrip(".")) for name, each in raw.items()}
        return _made(found, parts, place)
    inner = get_args(found)
    match get_origin(found):
        case origin if origin in (tuple, list):
            return origin(read(inner[0], item, f"{place}[{index}]") for index, item in enumerate(raw))
        case origin if origin is dict:
            return {name: read(inner[1], item, f"{place}.{name}".lstrip(".")) for name, item in raw.items()}
    return float(raw) if found is float else raw


def require(holds: bool, expected: str) -> None:
    """Refuse a record whose fields do not go together; for its `__post_init__`."""
    if not holds:
        raise ChainruleError(f"expected {expected}.")


def check_sizes(sizes: tuple[int, ...]) -> None:
    """Refuse sizes of no axis, or below 1."""
    require(len(sizes) > 0 and min(sizes) > 0, "sizes of 1 or more")


def check_distinct(values: tuple[str, ...]) -> None:
    """Refuse a value that stands twice."""
    require(len(set(values)) == len(values), "distinct values")


def _made(record: Any, parts: dict[str, Any], place: str) -> Any:
    try:
        return record(**parts)
    except ChainruleError as error:
        raise ChainruleError(f"{_at(place)}{error}") from None


def _at(place: str) -> str:
    return f"{place}: " if place else ""


@functools.cache
def _fields(record: Any) -> dict[str, Any]:
    """The types of a record's fields, by name."""
    hints = get_type_hints(record)
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}


@functools.cache
def _needed(record: Any) -> set[str]:
    """The names of the fields that have no default: an older version may not have written the others."""
    return {field.name for field in dataclasses.fields(record) if field.default is dataclasses.MISSING}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _is_of(kind: Any, raw: Any) -> bool:
    """Whether JSON is of a type, what is inside apart; a record by the names of its fields."""
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return isinstance(raw, dict) and _needed(kind) <= raw.keys() <= _fields(kind).keys()
    if origin is Literal:
        return any(type(raw) is type(choice) and raw == choice for choice in get_args(kind))
    if kind is float and type(raw) is int:
        return abs(raw) < 2**53  # exact
    return kind is Any or type(raw) is {tuple: list}.get(origin, origin or kind)


def _words(kind: Any) -> str:
    if dataclasses.is_dataclass(kind):
        return f"an object with {', '.join(_fields(kind))}"
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(json.dumps, get_args(kind)))}"
    alternatives = _alternatives(kind)
    if len(alternatives) > 1:
        return " or ".join(map(_words, alternatives))
    return WORDS[get_origin(kind) or kind]


def _shown(raw: Any) -> str:
    """JSON in a few words."""
    if isinstance(raw, list):
        return f"a list of {len(raw):,}"
    if isinstance(raw, dict):
        return f"an object with {', '.join(list(raw)[:8]) or 'nothing'}"[:80]
    text = json.dumps(raw)
    return text if len(text) <= 40 else f"{text[:37]}…"
