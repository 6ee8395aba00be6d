import re

import numpy as np
import pytest

from chainrule.data.schema import Schema
from chainrule.data.table import Table
from chainrule.errors import ChainruleError


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        action(*arguments, **options)
    return str(caught.value)


def people(**columns) -> Table:
    return Table(
        {"age": [20, 30, 40, 50], "city": ["Rome", "Oslo", "Rome", "Bonn"], "pay": [1.5, 2, 2.5, 4], **columns},
        "people",
    )


def test_whole_numbers_of_many_values_are_regressed():
    assert Schema.of({"a": range(80), "b": np.arange(80) % 20}).task == "classification"
    assert Schema.of({"a": range(80), "b": np.arange(80) % 21}).task == "regression"


def test_the_target_is_found_or_said():
    assert (Schema.of(people()).target, Schema.of(people()).guessed) == ("pay", True)
    assert Schema.of(people(target=[1, 2, 3, 4], last=[1, 2, 3, 4])).target == "target"
    assert Schema.of(people(), target="age").guessed is False


def free_text(cell: str, rows: int = 101, distinct: int = 101) -> dict:
    return {"text": [cell.format(row % distinct) for row in range(rows)], "y": np.arange(rows) % 2}


@pytest.mark.parametrize(
    ("table", "choices", "tokens"),
    [
        (free_text("take {} steps"), {}, "words"),
        (free_text("name {}"), {}, "characters"),
        (free_text("name {}", 100, 100), {}, None),
        (free_text("name {}", 201), {}, "characters"),
        (free_text("name {}", 202), {}, None),
        (free_text("name {}"), {"text": "text"}, None),
        (free_text("name {}"), {"words": "text"}, "words"),
        (free_text("take {} steps"), {"characters": "text"}, "characters"),
        (free_text("{}"), {"characters": "text"}, "characters"),
        ({**free_text("name {}"), "x": range(101)}, {"target": "y"}, None),
        ({"x": range(101), **free_text("name {}")}, {"target": "text", "drop": "y"}, None),
    ],
)
def test_free_text_is_found_or_said(table, choices, tokens):
    assert Schema.of(table, **choices).tokens == tokens


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"words": "city"},
            "people: column 'city' holds words and can't go beside other inputs: age. "
            "Read it as one value a row, or choose drop=['age'].",
        ),
        ({"characters": "pay"}, "people: column 'pay' is no input. Leave it out of characters."),
        ({"words": "city", "drop": "city"}, "people: column 'city' is no input. Leave it out of words."),
        (
            {"words": "city", "characters": "city"},
            "people: column 'city' can be read in one way only, not by words and characters. Choose one.",
        ),
        (
            {"words": "city", "text": "city"},
            "people: column 'city' can be read in one way only, not by text and words. Choose one.",
        ),
        (
            {"words": "town"},
            "people: there is no column 'town'. The columns are age, city, pay.",
        ),
    ],
)
def test_tokens_refuse(choices, message):
    assert refusal(Schema.of, people(), **choices) == message


def test_what_was_said_of_dates_goes_with_them():
    table = people(born=["1/2/1990", "13/2/1990", "3/4/1991", "5/6/1992"])
    schema = Schema.of(table, target="pay")
    assert (schema.dates, schema.day_first, schema.order("born"), schema.order("age")) == (
        ("born",),
        ("born",),
        "day",
        None,
    )
    assert Schema.of(table, target="pay", month_first="born", drop="born").inputs == ("age", "city")


def test_an_order_is_an_input_and_a_group_is_none():
    schema = Schema.of(people(), order_by="age", group="city")
    assert (schema.inputs, schema.text, schema.order_by, schema.group) == (("age",), ("city",), "age", "city")


def test_a_table_without_rows_has_no_schema():
    assert refusal(Schema.of, {"a": [], "b": []}) == "the data: has no rows. Give rows of data."
    assert refusal(Schema.of(people()).complete, people().take(np.array([], int))) == (
        "people: has no rows. Give rows of data."
    )


def test_a_class_whose_rows_are_all_left_out_is_named():
    table = {"size": [1.5, 2, None, None], "kind": ["a", "b", "b", "c"]}
    with pytest.warns(match=r"^the data: rows with blank cells are left out, among them all of the class c\.$"):
        assert Schema.of(table, missing="drop").complete(table).rows == 2


@pytest.mark.parametrize(
    ("size", "found", "way"), [([1.5, 2, 3], "kind (1)", "drop"), ([1.5, None, 3], "size (1), kind (1)", "median")]
)
def test_a_blank_target_is_not_filled(size, found, way):
    text = (
        f"the data: blank cells in {found}; rows without a target are left out, not filled. Fill them, or choose "
        f"missing={way!r}."
    )
    with pytest.raises(ChainruleError, match=f"^{re.escape(text)}$"):
        Schema.of({"size": size, "kind": ["a", "b", None]})
