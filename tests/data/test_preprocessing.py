import contextlib
import json
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.arrays.masked import Masked
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table, is_blank, label, meaning
from chainrule.errors import ChainruleError

finite = st.floats(-1e9, 1e9, allow_nan=False).map(lambda value: round(value, 6))
columns = st.integers(4, 20).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            "height": st.lists(finite, min_size=rows, max_size=rows),
            "kind": st.lists(st.text("abcß", min_size=1, max_size=4), min_size=rows, max_size=rows),
            "target": st.lists(finite, min_size=rows, max_size=rows),
        }
    )
)


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        action(*arguments, **options)
    return str(caught.value)


def people(**columns) -> Table:
    return Table(
        {"age": [20, 30, 40, 50], "city": ["Rome", "Oslo", "Rome", "Bonn"], "pay": [1.5, 2, 2.5, 4], **columns},
        "people",
    )


def test_numbers_are_standardised_and_text_is_one_hot():
    inputs = Preprocessor.fit(people()).inputs(people())
    assert (inputs.dtype, inputs.shape) == (np.float32, (4, 4))
    np.testing.assert_allclose(inputs[:, 0], (np.array([20, 30, 40, 50]) - 35) / np.std([20, 30, 40, 50]), rtol=1e-6)
    np.testing.assert_array_equal(inputs[:, 1:], [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_a_constant_column_has_scale_one():
    preprocessor = Preprocessor.fit({"a": [0.1] * 7, "b": range(7)})
    np.testing.assert_array_equal(preprocessor.inputs({"a": [0.1, 1.1]}), [[0], [1]])


def test_images_are_standardised_by_channel():
    x = np.random.default_rng(0).uniform(0, 255, (20, 5, 4, 3))
    x[..., 2] = 7
    table = {"x": x.astype(np.float32), "y": np.arange(20) % 2}
    preprocessor = Preprocessor.fit(table)
    inputs = preprocessor.inputs(x)
    assert preprocessor.input_shape == (5, 4, 3)
    assert inputs.shape == x.shape
    np.testing.assert_allclose(inputs.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(inputs.std((0, 1, 2)), [1, 1, 0], atol=1e-5)
    np.testing.assert_array_equal(preprocessor.inputs(table), preprocessor.inputs(x.astype(np.float32)))


@given(columns)
def test_targets_come_back_in_their_own_units(table):
    preprocessor = Preprocessor.fit(table, task="regression")
    targets = preprocessor.targets(table)
    assert (targets.dtype, targets.shape) == (np.float32, (len(table["target"]), 1))
    raw = preprocessor.raw_targets(table)
    np.testing.assert_array_equal(raw[:, 0], table["target"])
    np.testing.assert_allclose(preprocessor.restore(targets), raw, atol=1e-5 * (np.abs(raw).max() + 1e-9), rtol=1e-5)


@given(columns)
def test_json_is_exact(table):
    preprocessor = Preprocessor.fit(table, task="regression", missing="median")
    again = Preprocessor.from_json(preprocessor.to_json())
    assert again == preprocessor
    np.testing.assert_array_equal(again.inputs(table), preprocessor.inputs(table))


@given(
    st.text(max_size=30)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.sampled_from(["schema", "columns", "target"]), s),
    ).map(json.dumps)
)
def test_garbage_is_no_preprocessor(text):
    said = refusal(Preprocessor.from_json, text)
    assert said.startswith("The description of the data's preprocessor is damaged: ")
    assert said.endswith(". Take the model file from its source again.")


@pytest.mark.parametrize("kind", ["table", "series", "tokens"])
def test_every_single_damage_is_refused_or_harmless(kind):
    table = {"table": people(), "series": SOUNDS, "tokens": VERSES}[kind]
    choices = {"table": {"text": "age"}, "series": {}, "tokens": {"words": "verse"}}[kind]
    whole = json.loads(Preprocessor.fit(table, **choices).to_json())

    def damaged(node, put):
        if isinstance(node, dict | list):
            for key in node if isinstance(node, dict) else range(len(node)):
                kept = node[key]
                node[key] = None
                put()
                node[key] = kept
                damaged(kept, put)

    def attempt():
        with contextlib.suppress(ChainruleError):
            Preprocessor.from_json(json.dumps(whole)).inputs(table)

    damaged(whole, attempt)


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        (["b", "a", "b", "a"], "classification", ("a", "b")),
        ([True, False, True, False], "classification", ("false", "true")),
        ([10, 9, 10, 9], "classification", ("9", "10")),
        (["10", "9", "10", "9"], "classification", ("9", "10")),
        ([1, 2, 3, 4], "regression", ()),
        ([0.5, 0.5, 1, 1], "regression", ()),
    ],
)
def test_the_task_is_found(target, task, classes):
    preprocessor = Preprocessor.fit(people(target=target))
    assert (preprocessor.task, preprocessor.classes) == (task, classes)


def test_the_task_can_be_said():
    assert Preprocessor.fit(people(), task="classification").classes == ("1.5", "2", "2.5", "4")
    assert Preprocessor.fit(people(), target="age", task="regression").restore([[0.0]]).tolist() == [[35.0]]


def test_columns_can_be_dropped_or_text():
    preprocessor = Preprocessor.fit(people(), drop=("city",), text=("age",))
    assert preprocessor.schema.inputs == preprocessor.text == ("age",)
    np.testing.assert_array_equal(preprocessor.inputs({"age": [30, "50"]}), [[0, 1, 0, 0], [0, 0, 0, 1]])


def test_prediction_takes_what_users_have():
    preprocessor = Preprocessor.fit(people())
    expected = preprocessor.inputs(people())
    rows = [[20, "Rome"], [30, "Oslo"], [40, "Rome"], [50, "Bonn"]]
    frame = pd.DataFrame({"extra": 1, "city": people()["city"], "age": [20, 30, 40, 50]})
    for given_ in (rows, np.array(rows), np.array(rows, dtype=object), frame, dict(frame), frame.convert_dtypes()):
        np.testing.assert_array_equal(preprocessor.inputs(given_), expected)
    assert preprocessor.inputs(frame[:0]).shape == (0, 4)


def test_blank_cells_of_pandas():
    frame = pd.DataFrame({"a": pd.array([1, None, 3], "Int64"), "c": ["x", None, "x"], "b": [0.5, 1.5, 2]})
    assert refusal(Preprocessor.fit, frame) == (
        "the data: blank cells in a (1), c (1). Fill them, or choose missing='median'."
    )


def test_a_lone_column_can_be_given_without_its_name():
    lone = Preprocessor.fit({"city": ["Rome", "Oslo"], "pay": [1.5, 2.5]})
    np.testing.assert_array_equal(lone.inputs(["Oslo", "Rome"]), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(Preprocessor.fit({"age": [1, 3], "pay": [1.5, 2.5]}).inputs([1, 3]), [[-1], [1]])


def test_unseen_values_are_zeros_and_told():
    preprocessor = Preprocessor.fit(people())
    new = {"age": [35, 35, 35], "city": ["Rome", "Paris", "Paris"]}
    said = "column 'city': training never showed Paris (2); such cells count as none of the known values."
    with pytest.warns(UserWarning, match=re.escape(said)) as caught:
        np.testing.assert_array_equal(preprocessor.inputs(new), [[0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert [warning.filename for warning in caught] == [__file__]
    assert preprocessor.unseen(new) == {"city": {"Paris": 2}}
    assert preprocessor.unseen(people()) == {}


@pytest.mark.parametrize(
    ("shown", "cells"),
    [
        (["1.0", "2.0", "beta"], [1.0, 2.0]),
        (["1.0", "2.0", "beta"], [1, 2]),
        (["1.0", "2.0", "beta"], ["1", "02"]),
        ([1, 2, "beta"], np.array([1, 2], np.float32)),
        ([0.1, 0.25, "beta"], np.array([0.1, 0.25], np.float32)),
        ([0.1, 0.25, "beta"], ["0.10", "2.5e-1"]),
        (["False", "True", "Unknown"], [False, True]),
        (["False", "True", "Unknown"], ["FALSE", "true"]),
        (["false", "true", "Unknown"], np.array([False, True])),
        ([False, True], ["False", "True"]),
        ([False, True], [0, 1]),
        ([False, True], np.array([0.0, 1.0])),
        (["0", "1"], [False, True]),
        (["Oslo", "Rome"], [" Oslo", "Rome "]),
    ],
)
def test_cells_are_compared_by_what_they_mean(shown, cells):
    preprocessor = Preprocessor.fit({"v": shown * 2, "y": range(2 * len(shown))}, text="v")
    expected = preprocessor.inputs({"v": shown[:2]})
    assert expected.sum() == 2
    for data in ({"v": cells}, pd.DataFrame({"v": cells})):
        np.testing.assert_array_equal(preprocessor.inputs(data), expected)
        assert preprocessor.unseen(data) == {}


def test_what_is_spelled_counts_before_what_is_meant():
    preprocessor = Preprocessor.fit({"version": ["1.1", "1.10", "01"], "y": [1, 2, 3]}, text="version")
    assert preprocessor.columns[0].values == ("01", "1.1", "1.10")
    np.testing.assert_array_equal(preprocessor.inputs({"version": ["1.1", "1.10", "1"]}), np.eye(3)[[1, 2, 0]])
    assert preprocessor.unseen({"version": ["1.100", "0", "True"]}) == {"version": {"1.100": 1, "0": 1, "True": 1}}


@given(st.integers(-(10**30), 10**30) | st.floats(-(2**53), 2**53))
def test_a_number_means_what_its_text_does(number):
    assert meaning(label(number)) == meaning(repr(number)) == meaning(f" {number!r}")


def test_a_value_that_training_never_showed_is_said_once_not_once_a_row():
    preprocessor = Preprocessor.fit(people())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for city in ["Rome", "Paris", "Paris", "Paris", "Lima", "Lima"]:
            preprocessor.inputs([{"age": 30, "city": city}])
    assert [str(warning.message).partition(";")[0] for warning in caught] == [
        "column 'city': training never showed Paris (1)",
        "column 'city': training never showed Lima (1)",
    ]


LARGE = [2**53, 2**53 + 1, 2**53 + 3]


@pytest.mark.filterwarnings("ignore:.*rows with a blank target")
@pytest.mark.parametrize(
    "values",
    [
        LARGE,
        np.array(LARGE),
        np.array(LARGE, np.uint64),
        [str(value) for value in LARGE],
        [-value for value in LARGE],
        np.array([2**63, 2**64 - 1, 2**64 - 2], np.uint64),
        [2**63, -1, 2**64 - 1],
        [10**30, 10**30 + 1, 7],
        np.array(LARGE, object),
        pd.array(LARGE, "Int64"),
        pd.array([*LARGE[:2], None], "Int64"),
        pl.Series(LARGE),
        pl.Series([*LARGE[:2], None]),
        np.array([2**24 - 1, 2**24 - 2, 5], np.float32),
    ],
)
def test_whole_numbers_are_exact_as_categories_and_classes(values):
    known = [value for value in values if not is_blank(value)]
    names = {str(int(value)) for value in known}
    frame = pl.DataFrame if isinstance(values, pl.Series) else pd.DataFrame
    for data in ({"a": values, "b": [1, 2, 3]}, frame({"a": values, "b": [1, 2, 3]})):
        assert set(Preprocessor.fit(data, text="a", missing="median").columns[0].values) == names
        preprocessor = Preprocessor.fit(data, target="a", task="classification", missing="median")
        assert set(preprocessor.classes) == names
        assert sorted(preprocessor.targets({"a": known}).tolist()) == [*range(len(known))]


def test_whole_numbers_that_float64_does_not_hold_are_no_numbers():
    for values in ([1, *LARGE], np.array([1, *LARGE]), [*map(str, [1, *LARGE])]):
        data = Table({"a": values, "b": [1, 2, 3, 4]}, "new.csv", np.arange(2, 6), "line")
        said = "new.csv, line 4, column 'a': float64 does not hold 9007199254740993 exactly. Round the numbers"
        assert refusal(Preprocessor.fit, data, target="a", task="regression") == f"{said}."
        known = Preprocessor.fit({"a": [1.0, 2.0], "b": [1, 2]})
        assert refusal(known.inputs, data) == f"{said}, or choose text=['a']."
    held = np.array([0, 2**53, 2**62, -(2**63)])
    np.testing.assert_array_equal(Preprocessor.fit({"a": held, "b": held}).raw_targets({"b": held})[:, 0], held)


@pytest.mark.parametrize(("kind", "value"), [(np.float16, 2048), (np.float32, 2**24), (np.float64, 2**53)])
def test_categories_by_numbers_that_their_type_rounds_are_refused(kind, value):
    assert refusal(Preprocessor.fit, {"a": np.array([1, value + 1], kind), "b": [1, 2]}, text="a") == (
        f"the data, row 2, column 'a': {np.dtype(kind)} rounds whole numbers such as {value}, so that categories may "
        "have become one. Give whole numbers or text."
    )


@given(columns)
def test_several_targets_come_back_in_their_own_units(table):
    preprocessor = Preprocessor.fit(table, target=("target", "height"))
    assert (preprocessor.task, preprocessor.schema.inputs) == ("regression", ("kind",))
    targets, raw = preprocessor.targets(table), preprocessor.raw_targets(table)
    assert (targets.dtype, targets.shape) == (np.float32, (len(table["target"]), 2))
    np.testing.assert_array_equal(raw, np.stack([table["target"], table["height"]], axis=1))
    for column, name in enumerate(("target", "height")):
        alone = Preprocessor.fit(table, target=name, task="regression")
        np.testing.assert_array_equal(targets[:, [column]], alone.targets(table))
        np.testing.assert_array_equal(preprocessor.restore(targets)[:, [column]], alone.restore(targets[:, [column]]))
    assert Preprocessor.from_json(preprocessor.to_json()) == preprocessor


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            {"target": ("pay", "city")},
            "people: several targets must be numbers, to be regressed together, but 'city' is of classes. "
            "Train a model for each target.",
        ),
        (
            {"target": ("pay", "age"), "task": "classification"},
            "people: several targets must be numbers, to be regressed together, but 'pay' is of classes. "
            "Train a model for each target.",
        ),
        (
            {"target": ("pay", "city"), "task": "regression"},
            "people: regression needs numbers, and the target 'city' is text. Name another target.",
        ),
        ({"target": ("pay", "age", "pay")}, "people: the target 'pay' is named twice. Name it once."),
        (
            {"target": ("pay", "age"), "drop": "age"},
            "people: column 'age' is both dropped and the target. Choose one.",
        ),
        (
            {"target": ("pay", "age", "city")},
            "people: no input columns are left beside the targets 'pay', 'age', 'city'. Drop fewer.",
        ),
    ],
)
def test_several_targets_are_numbers(choices, message):
    assert refusal(Preprocessor.fit, people(), **choices) == message


@pytest.mark.filterwarnings("ignore:.*rows with a blank target")
def test_a_row_is_trained_on_where_all_its_targets_are_known():
    table = {"a": [1, 2, 3, 4], "b": [1, None, 3, 4], "c": [1, 2, None, 4]}
    preprocessor = Preprocessor.fit(table, target=("b", "c"), missing="median")
    assert preprocessor.complete(table)["a"].tolist() == [1, 4]


BLANKS = {"age": [20, None, 40, 40], "city": ["Rome", "Oslo", None, "Rome"], "target": [0.5, 1, 2, None]}


def test_missing_median():
    with pytest.warns(match=r"^the data: rows with a blank target are left out: target \(1\)\.$"):
        preprocessor = Preprocessor.fit(BLANKS, missing="median")
    with pytest.warns(match="rows with a blank target"):
        kept = preprocessor.complete(BLANKS)
    assert kept.rows == len(preprocessor.targets(kept)) == 3
    filled = {"age": [30], "city": ["Oslo"]}
    np.testing.assert_array_equal(preprocessor.inputs({"age": [None], "city": [None]}), preprocessor.inputs(filled))


@pytest.mark.filterwarnings("ignore:.*rows with a blank target")
def test_missing_drop():
    preprocessor = Preprocessor.fit(BLANKS, missing="drop")
    assert preprocessor.complete(BLANKS).rows == 1
    assert refusal(preprocessor.inputs, Table(BLANKS, "new.csv", np.arange(2, 6), "line")) == (
        "new.csv: 2 problems: line 3, column 'age': the cell is blank, and the model knows no value to put there; "
        "line 4, column 'city': the cell is blank, and the model knows no value to put there. Mend them, or choose "
        "missing='median'."
    )


@pytest.mark.parametrize(
    ("table", "choices", "message"),
    [
        (
            people(),
            {"target": "pai"},
            "people: there is no column 'pai'. Did you mean pay? The columns are age, city, pay.",
        ),
        (
            people(),
            {"drop": "agee"},
            "people: there is no column 'agee'. Did you mean age? The columns are age, city, pay.",
        ),
        (
            {f"c{i}": [1] for i in range(20)},
            {"target": "q"},
            "the data: there is no column 'q'. The columns are c0, c1, c2, c3, c4, c5, c6, c7, … (20 in all).",
        ),
        (people(), {"drop": ("age", "city")}, "people: no input columns are left beside the target 'pay'. Drop fewer."),
        (
            people(),
            {"target": "age", "drop": ("age",)},
            "people: column 'age' is both dropped and the target. Choose one.",
        ),
        (people(), {"task": "guess"}, "task must be one of None, 'classification', 'regression', got 'guess'."),
        (people(), {"missing": "mean"}, "missing must be one of None, 'median', 'drop', got 'mean'."),
        (
            people(age=[1, 2, np.inf, 4]),
            {},
            "people, row 3, column 'age': expected a finite number, at most 1e+100, got infinity. "
            "Mend the cell, or choose drop=['age'].",
        ),
        (
            people(age=[1, -1e300, 3, 4]),
            {},
            "people, row 2, column 'age': expected a finite number, at most 1e+100, got -1e+300. "
            "Mend the cell, or choose drop=['age'].",
        ),
        (
            people(age=["1", "2", "n.a.?", "4"]),
            {},
            "people, row 3, column 'age': expected a number, got 'n.a.?'. Mend the cell, or choose text=['age'].",
        ),
        (
            people(),
            {"target": "city", "task": "regression"},
            "people: regression needs numbers, and the target 'city' is text. Name another target, or choose "
            "task='classification'.",
        ),
        (
            people(age=[None] * 4),
            {"missing": "median"},
            "people: column 'age' is blank throughout. Fill it, or choose drop=['age'].",
        ),
        (
            people(pay=[None] * 4),
            {"missing": "drop"},
            "people: column 'pay' is blank throughout. Fill it.",
        ),
        (
            people(pay=[None, 1.5, None, None], age=[1, None, 3, 4]),
            {"missing": "drop"},
            "people: every row has a blank cell that is needed. Fill them, or drop columns.",
        ),
        (
            people(kind=["a"] * 4),
            {},
            "people: the target 'kind' has a single class, 'a'. Give rows of two classes or more.",
        ),
        (
            {"id": [f"p{i}" for i in range(1001)], "a": range(1001), "b": range(1001)},
            {},
            "the data: column 'id' is text with 1,001 distinct values, more than 1,000. "
            "Join the rare ones, or choose drop=['id'].",
        ),
        (
            {"x": np.ones((2, 3)), "y": np.ones((2, 2))},
            {},
            "the data: the target 'y' must be one value a row, got shape (2,) a row.",
        ),
        (
            {"x": np.ones((2, 3, 3)), "a": [1, 2], "y": [1, 2]},
            {},
            "the data: inputs of different shapes can't go side by side: x (3, 3), a (1,). Drop some.",
        ),
        (
            {"a": [1, 2], "b": [1]},
            {},
            "the data: expected columns of one length, got a (2), b (1). Give every row all its cells.",
        ),
        ({}, {}, "the data: expected columns of data, got none. Give at least one column."),
        ({"a": 1}, {}, "the data, column 'a': expected one value a row, got 1. Give a list or an array."),
        ({"a": [[1], [2, 3]], "b": [1, 2]}, {}, "the data, column 'a': expected numbers or text, got [1]."),
        (7, {}, "Expected a table (columns with names), got int. For example: {'a': [1, 2], 'b': [3, 4]}."),
        (
            pd.DataFrame([[1, 2]], columns=["a", "a"]),
            {},
            "the data: more than one column is called 'a'. Give every column its own name.",
        ),
    ],
)
def test_fit_refuses(table, choices, message):
    assert refusal(Preprocessor.fit, table, **choices) == message


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"age": [1]}, "the data: there is no column 'city'. The columns are age."),
        (
            {"age": [1], "cty": ["Rome"]},
            "the data: there is no column 'city'. Did you mean cty? The columns are age, cty.",
        ),
        (
            {"age": ["old"], "city": ["Rome"]},
            "the data, row 1, column 'age': expected a number, got 'old'. Mend the cell.",
        ),
        (np.ones((2, 3)), "Expected an array of shape (rows, 2) for age, city, got shape (2, 3)."),
        (
            {"age": np.ones((1, 2)), "city": ["Rome"]},
            "the data, column 'age': expected shape (1,) a row, as in training, got (2,).",
        ),
        (
            {"age": [1], "city": np.ones((1, 2))},
            "the data, column 'city': expected one value a row, got shape (2,).",
        ),
    ],
)
def test_inputs_refuse(rows, message):
    assert refusal(Preprocessor.fit(people()).inputs, rows) == message


def test_targets_refuse_what_training_never_saw():
    preprocessor = Preprocessor.fit(people(), target="city")
    assert refusal(preprocessor.targets, people(city=["Rome", "Paris", "Rome", "Rome"])) == (
        "people, row 2, column 'city': the class 'Paris' was never seen in training (Bonn, Oslo, Rome). "
        "Mend the cell, or train on rows of that class."
    )
    assert refusal(preprocessor.targets, people(city=["Rome", None, "Rome", "Rome"])) == (
        "people, row 2, column 'city': the target is blank. Fill it, or leave the row out."
    )


SERIES = [np.array([[1.0, 10], [3, 20]]), np.array([[5.0, 30]]), np.array([[5.0, 60], [1, 30], [3, 30]])]
SOUNDS = {"sound": SERIES, "who": ["a", "b", "a"]}


def test_series_of_unequal_length_are_masked():
    preprocessor = Preprocessor.fit(SOUNDS)
    x = preprocessor.inputs(SOUNDS)
    assert isinstance(x, Masked)
    values, mask = map(np.asarray, x)
    assert (preprocessor.kind, preprocessor.input_shape, preprocessor.vocabulary) == ("series", (3, 2), None)
    assert (values.dtype, mask.dtype) == (np.float32, bool)
    assert mask.tolist() == [[True, True, False], [True, False, False], [True, True, True]]
    assert not values[~mask].any()
    np.testing.assert_allclose(values[mask].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(values[mask].std(axis=0), 1, rtol=1e-6)


def test_series_may_be_shorter_or_longer_than_in_training():
    preprocessor = Preprocessor.fit(SOUNDS)
    expected = preprocessor.inputs(SOUNDS)
    for given_ in (SERIES[1:2], np.array(SERIES[1:2]), {"sound": SERIES[1:2]}):
        for part, whole in zip(preprocessor.inputs(given_), expected, strict=True):
            np.testing.assert_array_equal(part, whole[1:2])
    longer = preprocessor.inputs([*SERIES, np.ones((5, 2))])
    assert longer.values.shape == (4, 5, 2)
    np.testing.assert_array_equal(longer.values[:3, :3], expected.values)
    assert longer.mask.sum(axis=1).tolist() == [2, 1, 3, 5]


def test_parts_of_series_are_as_long_as_their_longest():
    table = Table(SOUNDS)
    assert Preprocessor.fit(table.take(np.array([0, 1]))).input_shape == (2, 2)
    assert Preprocessor.fit(table).inputs(table.take(np.array([0, 1]))).values.shape == (2, 3, 2)
    assert Preprocessor.fit(table).inputs(table.take(np.array([], int))).values.shape == (0, 3, 2)


def test_a_gap_in_a_series_is_a_blank_cell():
    nan = np.nan
    gaps = {"sound": [np.array([[nan], [1.0], [3.0], [2.0]]), np.array([[2.0]]), np.array([[4.0]])], "who": list("aba")}
    assert refusal(Preprocessor.fit, gaps) == (
        "the data: blank cells in sound (1). Fill them, or choose missing='median'."
    )
    dropped = Preprocessor.fit(gaps, missing="drop")
    assert dropped.complete(gaps).rows == 2
    filled = Preprocessor.fit(gaps, missing="median")
    whole = {**gaps, "sound": [np.array([[2.0], [1.0], [3.0], [2.0]]), *gaps["sound"][1:]]}
    for a, b in zip(filled.inputs(gaps), filled.inputs(whole), strict=True):
        np.testing.assert_array_equal(a, b)
    assert refusal(Preprocessor.fit(whole).inputs, gaps) == (
        "the data, row 1, column 'sound': the cell is blank, and the model knows no value to put there. "
        "Fill it, or choose missing='median'."
    )


def test_series_of_one_length_stay_so():
    equal = {"sound": np.arange(12.0).reshape(3, 2, 2), "who": list("aba")}
    preprocessor = Preprocessor.fit(equal, missing="median")
    assert (preprocessor.kind, preprocessor.inputs(equal).shape) == ("series", (3, 2, 2))
    assert refusal(preprocessor.inputs, {"sound": [np.ones((2, 2)), np.ones((1, 2))]}) == (
        "the data, row 2, column 'sound': expected a series of 2 steps, as all in training, got 1. "
        "Give all its steps, or train on series of unequal length."
    )


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {**SOUNDS, "age": [1, 2, 3], "who": ["a", "b", "a"]},
            "the data: column 'sound' holds series of unequal length and can't go beside other inputs: age. "
            "Read it as one value a row, or choose drop=['age'].",
        ),
        (
            {"sound": [np.array([[1, np.nan]]), np.array([[1, np.nan], [2, np.nan]])], "who": ["a", "b"]},
            "the data: column 'sound' is blank throughout. Fill it, or choose drop=['sound'].",
        ),
    ],
)
def test_series_refuse(columns, message):
    choices = {"target": "who", "missing": "median"}
    assert refusal(Preprocessor.fit, columns, **choices) == message
    assert refusal(Preprocessor.fit(SOUNDS).inputs, {"sound": np.ones((1, 3, 3))}) == (
        "the data, column 'sound': expected shape (3, 2) a row, as in training, got (3, 3)."
    )


VERSES = {
    "verse": ["The rose is red", "the violet's blue!", "Sugar is sweet", "and so are you"],
    "mood": list("abab"),
}


def test_words_become_ids():
    preprocessor = Preprocessor.fit(VERSES, words="verse")
    x = preprocessor.inputs(VERSES)
    assert (preprocessor.kind, preprocessor.input_shape, preprocessor.vocabulary) == ("tokens", (4,), 14)
    assert (x.dtype, x.shape) == (np.int32, (4, 4))
    assert x[:2].tolist() == [[3, 8, 2, 7], [3, 12, 6, 0]]
    np.testing.assert_array_equal(preprocessor.inputs(["The rose is red"]), x[:1])
    assert preprocessor.inputs({"verse": ["A rose, is a rose is a rose", "?", ""]}).tolist() == [
        [1, 8, 2, 1],
        [1, 0, 0, 0],
        [1, 0, 0, 0],
    ]
    assert preprocessor.text == ("verse", "mood")
    assert preprocessor.unseen({"verse": ["a rose"]}) == {}


def test_characters_become_ids():
    names = {"name": ["Ada", "Bob", "Bo"], "sex": ["f", "m", "m"]}
    preprocessor = Preprocessor.fit(names, characters=("name",))
    assert preprocessor.inputs(names).tolist() == [[4, 7, 5], [2, 3, 6], [2, 3, 0]]
    with pytest.warns(UserWarning, match=r"'name': training never showed O \(1\); such cells count as unknown ones"):
        assert preprocessor.inputs({"name": ["BOB"]}).tolist() == [[2, 1, 2]]
    assert preprocessor.unseen({"name": ["BOB", "OO"]}) == {"name": {"O": 3}}


def test_blank_texts():
    blank = {**VERSES, "verse": [None, *VERSES["verse"][1:]]}
    assert refusal(Preprocessor.fit, blank, words="verse") == (
        "the data: blank cells in verse (1). Fill them, or choose missing='median'."
    )
    assert Preprocessor.fit(blank, words="verse", missing="median").inputs(blank)[0].tolist() == [1, 0, 0, 0]
    assert Preprocessor.fit(blank, words="verse", missing="drop").complete(blank).rows == 3


@pytest.mark.parametrize(
    ("table", "choices"),
    [(SOUNDS, {}), (VERSES, {"words": "verse"}), (VERSES, {"characters": "verse", "missing": "median"})],
)
def test_json_of_series_and_tokens(table, choices):
    preprocessor = Preprocessor.fit(table, **choices)
    again = Preprocessor.from_json(preprocessor.to_json())
    assert again == preprocessor
    for a, b in zip(again.inputs(table), preprocessor.inputs(table), strict=True):
        np.testing.assert_array_equal(a, b)


def test_classes_of_whole_numbers_match_in_other_forms():
    preprocessor = Preprocessor.fit({"a": range(4), "y": [3, 7, 3, 7]})
    np.testing.assert_array_equal(preprocessor.targets({"y": ["3", "7"]}), [0, 1])
    np.testing.assert_array_equal(preprocessor.raw_targets({"y": np.array([7, 3], np.int8)}), [1, 0])
    np.testing.assert_array_equal(preprocessor.restore([[0.5, 0.5]]), [[0.5, 0.5]])
