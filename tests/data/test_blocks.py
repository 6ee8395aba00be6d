"""Tables that are so large that they are prepared block after block."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest

from chainrule.arrays import memory
from chainrule.data.columns import Number
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table, as_table
from chainrule.errors import ChainruleError

ROWS = 1000
RNG = np.random.default_rng(0)
COLUMNS = {
    "age": RNG.normal(50, 9, ROWS).astype(np.float32),
    "count": RNG.integers(0, 9, ROWS),
    "city": RNG.choice(np.array(["Rome", "Oslo", None], dtype=object), ROWS),
    "day": np.datetime64("2020-01-01") + RNG.integers(0, 2000, ROWS).astype("timedelta64[D]"),
    "pay": np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.normal(size=ROWS)),
    "target": RNG.normal(size=ROWS),
}
WORDS = {"verse": RNG.choice(np.array(["a rose", "is a rose", "red"], dtype=object), ROWS), "target": RNG.random(ROWS)}
IMAGES = {"image": RNG.integers(0, 255, (ROWS, 3, 3)).astype(np.uint8), "target": RNG.random(ROWS)}


@pytest.fixture
def small(monkeypatch):
    """Blocks of 64 rows."""
    monkeypatch.setattr(memory, "NUMBERS", 64)
    monkeypatch.setattr(memory, "ROWS", 64)


def frames(columns=COLUMNS):
    """The same rows in every form that people have them in."""
    import polars as pl
    import pyarrow as pa

    frame = pd.DataFrame(columns)
    yield "columns", dict(columns)
    yield "pandas", frame
    yield "Arrow", pa.Table.from_pandas(frame)
    yield "polars", pl.from_pandas(frame)
    yield "records", frame.astype(object).to_dict("records")


def table(columns=COLUMNS, **changed) -> Table:
    return Table({**columns, **changed}, "people")


def fitted(columns=COLUMNS) -> Preprocessor:
    return Preprocessor.fit(table(columns), missing="median", **({"words": "verse"} if "verse" in columns else {}))


@pytest.mark.parametrize("columns", [COLUMNS, WORDS, IMAGES], ids=["columns", "words", "images"])
def test_blocks_have_the_bits_of_the_whole(columns, monkeypatch, request):
    preprocessor, data = fitted(columns), table(columns)
    whole, targets = preprocessor.inputs(data), preprocessor.targets(data)
    request.getfixturevalue("small")
    parts = [*preprocessor.in_blocks(data)]
    assert len(parts) == ROWS // 64
    inputs = preprocessor.inputs(data)
    assert inputs.dtype == whole.dtype
    np.testing.assert_array_equal(inputs, whole)
    np.testing.assert_array_equal(np.concatenate([x for _, x in parts]), whole)
    np.testing.assert_array_equal(preprocessor.targets(data), targets)


def test_figures_are_those_of_the_whole_to_rounding(request):
    values = np.append(RNG.normal(1e6, 1e-3, 999), np.nan)
    whole = Number.of("a", values)
    request.getfixturevalue("small")
    of_blocks = Number.of("a", values)
    assert of_blocks.fill == whole.fill == (np.nanmedian(values),)
    np.testing.assert_allclose([of_blocks.mean, of_blocks.scale], [whole.mean, whole.scale], rtol=1e-12)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64, np.uint8])
def test_the_median_is_of_float64_whatever_the_type(kind):
    for rows in (1, 2, 7, 8):
        values = RNG.integers(0, 200, rows).astype(kind)
        assert Number.of("a", values).fill == (np.median(values.astype(np.float64)),)


def test_all_that_is_wrong_is_said_at_once_wherever_it_stands(request):
    preprocessor = Preprocessor.fit({name: COLUMNS[name] for name in ("age", "count", "target")})
    age, count = COLUMNS["age"].copy(), COLUMNS["count"].astype(object)
    age[900], count[100] = np.nan, "many"
    data = {"age": age, "count": count}

    def refusal() -> str:
        with pytest.raises(ChainruleError) as caught:
            preprocessor.inputs(table(data))
        return str(caught.value)

    whole = refusal()
    assert "2 problems: row 901, column 'age'" in whole
    assert "row 101, column 'count'" in whole
    request.getfixturevalue("small")
    assert refusal() == whole


def test_unseen_values_are_counted_over_all_blocks(small):
    city = COLUMNS["city"].copy()
    city[[3, 500, 999]] = "Paris"
    with pytest.warns(UserWarning, match=r"'city': training never showed Paris \(3\); such cells count") as caught:
        fitted().inputs(table(city=city))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted().inputs(table())


def test_inputs_take_little_beside_themselves(small):
    rows = 100_000
    data = Table({str(name): RNG.random(rows).astype(np.float32) for name in range(10)})
    some = data.take(np.arange(rows) % 10 > 0)
    preprocessor = Preprocessor.fit(data.take(slice(0, 1000)))
    tracemalloc.start()
    try:
        inputs = preprocessor.inputs(some)
        assert tracemalloc.get_traced_memory()[1] < inputs.nbytes + 200_000
    finally:
        tracemalloc.stop()


FRAMES = {name: each for name, each in COLUMNS.items() if name != "day"}


@pytest.mark.parametrize("form", [name for name, _ in frames({"a": [1.0]})])
def test_rows_in_any_form_are_prepared_in_blocks_to_the_same_bits(form, request):
    preprocessor = Preprocessor.fit(table(FRAMES), missing="median")
    data = dict(frames(FRAMES))[form]
    whole = preprocessor.inputs(data)
    np.testing.assert_array_equal(whole, preprocessor.inputs(table(FRAMES)))
    request.getfixturevalue("small")
    assert len([*preprocessor.in_blocks(data)]) == ROWS // 64
    np.testing.assert_array_equal(preprocessor.inputs(data), whole)


def test_dictionaries_of_arrow_keep_their_blanks():
    pa = pytest.importorskip("pyarrow")
    texts = pa.array(["x", None, "y"])
    columns = pa.table({"plain": texts, "coded": texts.dictionary_encode(), "whole": pa.array([2**60 + 1, None, 1])})
    for data in (columns, columns.to_batches()[0]):
        read = as_table(data)
        assert [*read["plain"]] == [*read["coded"]] == ["x", None, "y"]
        assert [*read["whole"]] == [str(2**60 + 1), None, "1"]
