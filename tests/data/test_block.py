"""What is prepared at once is what is prepared column by column, and what is odd is refused with its place."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import fit
from chainrule.data.block import Block
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError

cells = st.floats(-1e9, 1e9) | st.integers(-(2**53) + 1, 2**53 - 1) | st.none()
rows = st.lists(
    st.fixed_dictionaries({"b": cells, "kind": st.sampled_from("xyz"), "a": cells, "when": st.just("2020-01-01")}),
    min_size=1,
    max_size=8,
)
TRAINED = Preprocessor.fit(
    {"a": [1.0, 2, 4], "kind": ["x", "y", "z"], "b": [0, 10, 1e6], "when": ["2020-01-01"] * 3, "y": [0.5, 1, 2]},
    missing="median",
)


def one_by_one(preprocessor: Preprocessor, table) -> np.ndarray:
    data = preprocessor._table(table, preprocessor.schema.inputs)
    return np.concatenate([*preprocessor._encoded(data, preprocessor.columns, {})], axis=-1)


@given(rows)
def test_at_once_is_as_one_by_one(records):
    columns = {name: [row[name] for row in records] for name in records[0]}
    expected = one_by_one(TRAINED, columns)
    frame = pd.DataFrame(records)
    arrays = {name: np.array(cells, float if name in "ab" else object) for name, cells in columns.items()}
    for data in (records, columns, frame, arrays, frame.assign(extra=1)[[*[*frame][::-1], "extra"]]):
        np.testing.assert_array_equal(TRAINED.inputs(data), expected)
    assert Block.of(TRAINED.columns).take(records, fill=True) is not None


def test_a_single_array_of_numbers():
    x = np.random.default_rng(0).normal(size=(20, 3))
    preprocessor = Preprocessor.fit({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": x[:, 0]})
    for data in (x, x.astype(np.float32), x.tolist(), pd.DataFrame(x, columns=list("abc"))):
        np.testing.assert_array_equal(preprocessor.inputs(data), one_by_one(preprocessor, data))
    scalars = dict(zip("abc", map(list, x.T), strict=True))
    assert Block.of(preprocessor.columns).take(scalars, fill=False) is not None
    np.testing.assert_array_equal(preprocessor.inputs(scalars), preprocessor.inputs(x))
    assert Block.of(preprocessor.columns).take(x, fill=False) is not None
    named = pd.DataFrame(x, columns=[0, 1, 2]).assign(y=0.5 * x[:, 0])
    np.testing.assert_array_equal(Preprocessor.fit(named).inputs(named[[2, 1, 0]]), preprocessor.inputs(x))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": [1, np.inf], "b": [1, 2]}, "column 'a': expected a finite number, at most 1e+100, got infinity."),
        ([{"a": 1, "b": 2}, {"a": "x", "b": 2}], "column 'a': expected a number, got 'x'. Mend the cell."),
        ([{"a": 1, "b": 2}, {"a": True, "b": 2}], "column 'a': expected a number, got 'True'. Mend the cell."),
        ([{"a": 1, "b": 2}, {"b": 2}], "column 'a': the cell is blank, and the model knows no value to put there."),
        (np.array([[1, 2], [np.nan, 2]]), "column 'a': the cell is blank, and the model knows no value to put there."),
        (
            pd.DataFrame({"a": [1, 2**53 + 1], "b": [1, 2]}),
            "column 'a': float64 does not hold 9007199254740993 exactly.",
        ),
        (pd.DataFrame({"b": [1, 2], "c": [1, 2]}), "there is no column 'a'. The columns are b, c."),
        (pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]), "more than one column is called 'a'."),
    ],
)
def test_what_is_odd_is_refused_with_its_place(data, message):
    preprocessor = Preprocessor.fit({"a": [1.0, 2, 3], "b": [1.0, 2, 3], "y": [0.5, 1, 2]})
    with pytest.raises(ChainruleError) as caught:
        preprocessor.inputs(data)
    assert message in str(caught.value)


@pytest.mark.parametrize("wrap", [list, np.array])
def test_columns_of_unequal_length_are_refused(wrap):
    for kinds in (["x"], ["x", "y", "z"]):
        with pytest.raises(ChainruleError, match="expected columns of one length"):
            TRAINED.inputs({"a": wrap([1, 2]), "b": wrap([1, 2]), "kind": kinds, "when": ["2020-01-01"] * len(kinds)})


def test_a_model_predicts_records_as_json_has_them():
    table = {"a": [1.0, 2, 3, 4], "kind": ["x", "y", "x", "y"], "y": ["u", "v", "u", "v"]}
    preprocessor = Preprocessor.fit(table, missing="median")
    model = fit(
        "Dense(2) >> Softmax()",
        preprocessor.inputs(table),
        preprocessor.targets(table),
        preprocessor=preprocessor,
        classes=preprocessor.classes,
        epochs=1,
        batch_size="all",
        progress=False,
    )
    records = [{"kind": "x", "a": 1}, {"a": 2, "kind": "y"}, {"a": None, "kind": None}, {}]
    filled = {"a": [1, 2, 2.5, 2.5], "kind": ["x", "y", "x", "x"]}
    assert model.predict(records).tolist() == model.predict(filled).tolist()
    np.testing.assert_array_equal(model.predict_proba(records), model.predict_proba(filled))
    assert model.predict([]).shape == (0,)


def test_images_and_lone_columns_are_no_block():
    assert Block.of(Preprocessor.fit({"x": np.ones((2, 3, 3, 1)), "y": ["a", "b"]}).columns) is None
    assert Block.of(Preprocessor.fit({"city": ["Rome", "Oslo"], "y": ["a", "b"]}).columns) is None


@pytest.mark.parametrize(
    "cells",
    [
        ["x", "y"],
        ["x", "1"],
        ["x", None],
        ["", "y"],
        ["True", "maybe"],
        ["True", "False"],
        ["TRUE", "x"],
        [1, "1.0"],
        [True, False],
    ],
    ids=str,
)
def test_categories_mean_what_they_do_one_by_one(cells):
    kinds = ["x", "y", "True", "False", "maybe", "1"]
    preprocessor = Preprocessor.fit({"a": [*range(6)], "kind": kinds, "y": [*range(6)]}, missing="median")
    columns = {"a": [1.0, 2.0], "kind": cells}
    expected = one_by_one(preprocessor, columns)
    for data in (columns, [{"a": a, "kind": kind} for a, kind in zip(*columns.values(), strict=True)]):
        np.testing.assert_array_equal(preprocessor.inputs(data), expected)
    many = {"a": np.arange(10.0), "kind": np.array([*cells] * 5)}
    np.testing.assert_array_equal(preprocessor.inputs(many), one_by_one(preprocessor, many))
