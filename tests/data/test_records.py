"""Reading records: each is read back as it was, and what no record could have been written as is refused."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.records import read_json, require
from chainrule.errors import ChainruleError


@dataclass(frozen=True)
class Point:
    x: float
    y: float

    def __post_init__(self) -> None:
        require(self.x <= self.y, "x up to y")


@dataclass(frozen=True)
class Path:
    name: str
    colour: Literal["red", 1] | None
    points: tuple[Point | str, ...]
    lengths: dict[str, int]
    closed: bool
    more: Any


points = st.tuples(st.floats(-10, 10), st.floats(-10, 10)).map(lambda pair: Point(*sorted(pair)))
paths = st.builds(
    Path,
    st.text(),
    st.sampled_from(["red", 1, None]),
    st.lists(points | st.text()).map(tuple),
    st.dictionaries(st.text(), st.integers()),
    st.booleans(),
    st.none() | st.lists(st.integers()),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "name"]), inner, max_size=3),
)


@given(paths)
def test_a_record_is_read_back(path):
    assert read_json(Path, json.dumps(asdict(path))) == path


@given(paths, st.sampled_from(["name", "colour", "lengths", "closed", "more"]), JSON)
def test_whatever_stands_in_a_field_is_refused_or_read_as_it_is(path, field, value):
    text = json.dumps(asdict(path) | {field: value})
    try:
        read = read_json(Path, text)
    except ChainruleError as error:
        said = str(error)
        assert said.startswith(field)
    else:
        assert json.dumps(asdict(read)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON, got something else or too deep a nesting."),
        ("[" * 100_000 + "]" * 100_000, "expected JSON, got something else or too deep a nesting."),
        ("9" * 10_000, "expected JSON, got something else or too deep a nesting."),
        ("[]", "expected an object with x, y, got a list of 0."),
        ("{}", "expected an object with x, y, got an object with nothing."),
        ('{"x": 1, "y": 2, "z": 3}', "expected an object with x, y, got an object with x, y, z."),
        ('{"x": 1, "y": "2"}', 'y: expected a number, got "2".'),
        ('{"x": true, "y": 2}', "x: expected a number, got true."),
        ('{"x": 1, "y": ' + "9" * 50 + "}", f"y: expected a number, got {'9' * 37}…."),
        ('{"x": 2, "y": 1}', "expected x up to y."),
    ],
)  # fmt: skip
def test_what_is_refused(text, message):
    with pytest.raises(ChainruleError) as caught:
        read_json(Point, text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (tuple[int, ...], "[1, 2.5]", "[1]: expected a whole number, got 2.5."),
        (tuple[Point, ...], '[{"x": 2, "y": 1}]', "[0]: expected x up to y."),
        (dict[str, tuple[bool, ...]], '{"a": [0]}', "a[0]: expected true or false, got 0."),
        (Literal["red", 1], "true", 'expected one of "red", 1, got true.'),
        (int | None, "1.0", "expected a whole number or null, got 1.0."),
    ],
)
def test_its_place_is_said(kind, text, message):
    with pytest.raises(ChainruleError) as caught:
        read_json(kind, text)
    assert str(caught.value) == message
