"""All that is wrong with a table is said at once, and the choices that are named mend all of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.preprocessing import Preprocessor
from chainrule.data.problems import Problems
from chainrule.data.schema import Schema
from chainrule.errors import ChainruleError

ROWS = 1200
GOOD = {"size": np.arange(ROWS) % 7 + 0.5, "kind": np.where(np.arange(ROWS) % 3 == 0, "rose", "iris")}
BAD = {
    "blank": [None if row == 3 else row % 5 for row in range(ROWS)],
    "empty": [None] * ROWS,
    "mixed": ["12 kg" if row == 5 else str(row % 9) for row in range(ROWS)],
    "mixed much": ["oops" if row == 5 else str(row) for row in range(ROWS)],
    "infinite": [float("inf") if row == 7 else row % 5 for row in range(ROWS)],
    "id": [f"p{row}" for row in range(ROWS)],
    "exact": np.arange(ROWS) % 3 + 2**53 + 1,
    "either day": [f"{row % 9 + 1}/{row % 7 + 1}/2020" for row in range(ROWS)],
    "no day": ["2020-02-30" if row == 2 else f"2020-03-{row % 9 + 1:02}" for row in range(ROWS)],
}
SAID = {
    "blank": "blank (1)",
    "empty": "column 'empty' is blank throughout",
    "mixed": "row 6, column 'mixed': expected a number, got '12 kg'",
    "mixed much": "row 6, column 'mixed much': expected a number, got 'oops'",
    "infinite": "row 8, column 'infinite': expected a finite number, at most 1e+100, got infinity",
    "id": "column 'id' is text with 1,200 distinct values, more than 1,000",
    "exact": "row 1, column 'exact': float64 does not hold 9007199254740993 exactly",
    "either day": "column 'either day' holds dates such as '1/1/2020', each of which may be day/month or month/day",
    "no day": "row 3, column 'no day': expected a date or a time such as 2020-01-31, got '2020-02-30'",
}


def refusal(action, *arguments, **options) -> ChainruleError:
    with pytest.raises(ChainruleError) as caught:
        action(*arguments, **options)
    return caught.value


@given(st.sets(st.sampled_from([*BAD]), min_size=1, max_size=7))
def test_the_choices_that_are_named_mend_everything(names):
    table = {name: BAD[name] for name in BAD if name in names} | GOOD
    error = refusal(Schema.of, table)
    assert str(error).count("blank") == len(names & {"blank", "empty"}) + ("blank" in names)
    assert all(SAID[name] in str(error) for name in names)
    schema = Schema.of(table, **error.choices)
    assert Preprocessor.fit(table, schema).complete(table).rows == ROWS


def test_all_at_once_in_one_line():
    error = refusal(Schema.of, {name: BAD[name] for name in ("blank", "mixed", "id")} | GOOD)
    assert str(error) == (
        "the data: 3 problems: row 6, column 'mixed': expected a number, got '12 kg'; column 'id' is text with 1,200 "
        "distinct values, more than 1,000; blank cells in blank (1). Mend them, or choose text=['mixed'], drop=['id'], "
        "missing='median'."
    )


def test_of_many_the_first_are_named():
    error = refusal(Schema.of, {f"id {n}": BAD["id"] for n in range(12)} | GOOD)
    assert str(error).startswith("the data: 12 problems: column 'id 0' is text with 1,200 distinct values, more than")
    assert str(error).count("is text with") == 8
    assert "; …. Mend them, or choose drop=['id 0', " in str(error)
    assert error.choices == {"drop": [f"id {n}" for n in range(12)]}


def test_what_no_choice_mends_is_to_be_mended():
    table = {"id": BAD["id"], "good": GOOD["size"], "size": BAD["infinite"]}
    assert str(refusal(Schema.of, table, target="size", task="regression")) == (
        "the data: 2 problems: column 'id' is text with 1,200 distinct values, more than 1,000; row 8, column 'size': "
        "expected a finite number, at most 1e+100, got infinity. Mend them."
    )


def test_a_lone_problem_is_raised_as_it_is():
    problems = Problems("d")
    problems.refuse()
    error = ChainruleError("d: blank cells in a (1). Fill them", missing="median")
    with problems.gathered():
        raise error
    assert refusal(problems.refuse).choices == {"missing": "median"}
    assert str(refusal(problems.refuse)) == str(error)


@pytest.mark.parametrize(
    ("last", "held"),
    [
        ([f"I liked it {row} times" for row in range(60)], "text with 60 distinct values"),
        ([f"2020-01-{row % 9 + 1:02}" for row in range(60)], "times"),
    ],
)
def test_text_that_is_no_class_is_no_target_unless_it_is_said(last, held):
    table = {"size": np.arange(60) % 7 + 0.5, "kind": ["a", "b"] * 30, "day": ["2020-01-01"] * 60, "last": last}
    error = refusal(Schema.of, table)
    assert str(error) == (
        f"the data: the last column, 'last', holds {held}, which is no class to predict. Name the target, or choose "
        "target='kind'."
    )
    assert Schema.of(table, **error.choices).targets == ("kind",)
    assert Schema.of(table, target="last").targets == ("last",)
    assert Schema.of({"size": table["size"], "target": last}).targets == ("target",)
    assert Schema.of({"day": table["day"], "last": last}).targets == ("last",)  # there is no better one


def test_rows_without_a_target_are_counted():
    table = {"size": [1.5, 2, 3, 4], "kind": ["a", None, "b", None]}
    with pytest.warns(match=r"^the data: rows with a blank target are left out: kind \(2\)\.$"):
        assert Schema.of(table, missing="median").complete(table).rows == 2


def test_rows_that_do_not_fit_are_refused_at_once_too():
    table = {"a": [1, 2], "b": ["x", "y"], "c": [1, 2], "d": [0.5, 1], "y": [0.5, 1.5]}
    error = refusal(Preprocessor.fit(table).inputs, {"a": ["one", 2], "b": ["x", None], "c": [1, np.inf]})
    assert str(error) == (
        "the data: 4 problems: row 1, column 'a': expected a number, got 'one'; row 2, column 'b': the cell is blank, "
        "and the model knows no value to put there; row 2, column 'c': expected a finite number, at most 1e+100, got "
        "infinity; there is no column 'd'. Mend them."
    )


def test_what_has_no_place_is_among_the_problems():
    table = {"day": ["2020-01-01", None, "2020-01-03"], "size": [1, 2, None], "y": [0.5, 1.5, 2]}
    error = refusal(Schema.of, table, order_by="day", drop="day")
    assert str(error) == (
        "the data: 2 problems: blank cells in size (1); row 2, column 'day': is blank, but rows are divided by it. "
        "Mend them, or choose missing='drop'."
    )
    assert Schema.of(table, order_by="day", drop="day", **error.choices).complete(table).rows == 1
