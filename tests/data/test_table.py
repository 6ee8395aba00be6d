import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.table import Table, blanks, live
from chainrule.errors import ChainruleError

SHORT, LONG = np.array([[1.0, 2.0]]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


def refusal(columns) -> str:
    with pytest.raises(ChainruleError) as caught:
        Table(columns)
    return str(caught.value)


def test_bytes_of_three_axes_are_grey_images():
    assert Table({"x": np.zeros((2, 4, 5), np.uint8)})["x"].shape == (2, 4, 5, 1)
    assert Table({"x": [np.zeros((4, 5), np.uint8)] * 2})["x"].shape == (2, 4, 5, 1)
    assert Table({"x": np.zeros((2, 4, 5, 3), np.uint8)})["x"].shape == (2, 4, 5, 3)
    assert Table({"x": np.zeros((2, 4), np.uint8)})["x"].shape == (2, 4)


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_other_numbers_of_three_axes_are_series(kind):
    x = Table({"x": np.zeros((2, 4, 5), kind)})["x"]
    assert (x.shape, x.dtype) == ((2, 4, 5), kind)


def test_series_of_unequal_length_are_padded():
    x = Table({"x": [SHORT, LONG]})["x"]
    nan = np.nan
    np.testing.assert_array_equal(x, [[[1, 2], [nan, nan], [nan, nan]], LONG])
    np.testing.assert_array_equal(live(x), [[True, False, False], [True, True, True]])


@given(
    st.lists(st.one_of(st.slices(20), st.lists(st.booleans(), min_size=1, max_size=20), st.just("rows")), max_size=4)
)
def test_rows_that_are_taken_of_rows_that_were_taken(ways):
    table, numbers = Table({"x": np.arange(20.0)}), np.arange(20)
    for way in ways:
        rows = way if isinstance(way, slice) else np.arange(len(numbers))[::-1] if way == "rows" else None
        rows = np.resize(way, len(numbers)).astype(bool) if rows is None else rows
        table, numbers = table.take(rows), numbers[rows]
        assert table.rows == len(numbers)
        np.testing.assert_array_equal(table["x"], numbers)
        assert [table.place(row, "x") for row in range(table.rows)] == [
            f"the data, row {number + 1}, column 'x'" for number in numbers
        ]


def test_rows_are_not_copied_before_they_are_asked_for():
    x = np.zeros(100)
    assert np.shares_memory(Table({"x": x}).take(slice(10, 90)).take(slice(5, None))["x"], x)


def test_series_keep_their_places_and_padding_in_parts():
    table = Table({"x": [SHORT, LONG]}).take(np.array([1]))
    assert (table.place(0, "x"), table["x"].shape) == ("the data, row 2, column 'x'", (1, 3, 2))


def test_padding_is_not_blank_but_a_gap_is():
    nan = np.nan
    x = np.array([[[1, nan], [nan, nan], [3, 4]], [[1, 2], [3, 4], [nan, nan]], [[nan, nan]] * 3])
    np.testing.assert_array_equal(
        blanks(x),
        [[[False, True], [True, True], [False, False]], [[False] * 2] * 3, [[True, True], [False] * 2, [False] * 2]],
    )


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 3))
def test_lengths_survive_padding(lengths, channels):
    series = [np.full((length, channels), float(length)) for length in lengths]
    x = Table({"x": series})["x"]
    assert x.shape == (len(lengths), max(lengths), channels)
    assert live(x).sum(axis=1).tolist() == lengths
    assert not blanks(x).any()


def test_rows_can_have_names():
    table = Table({"x": [1, 2]}, "flowers", np.array(["a.png", "b.png"], dtype=object), "file")
    assert table.take(np.array([False, True])).place(0, "x") == "flowers, file b.png, column 'x'"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [LONG, np.zeros((3, 1))],
            "the data, column 'x': expected arrays of numbers of one shape, or series (time, channels) that differ in "
            "length alone, got shape (3, 2) in row 1 and float64 of shape (3, 1) in row 2.",
        ),
        (
            [np.zeros((2, 2, 1)), np.zeros((3, 2, 1))],
            "the data, column 'x': expected arrays of numbers of one shape, or series (time, channels) that differ in "
            "length alone, got shape (2, 2, 1) in row 1 and float64 of shape (3, 2, 1) in row 2.",
        ),
        (
            [LONG, np.array(["a"])],
            "the data, column 'x': expected arrays of numbers of one shape, or series (time, channels) that differ in "
            "length alone, got shape (3, 2) in row 1 and <U1 of shape (1,) in row 2.",
        ),
        (
            np.zeros((2, 0, 3)),
            "the data, column 'x': expected values in each row, got none: shape (2, 0, 3).",
        ),
    ],
)
def test_arrays_that_are_no_column(values, message):
    assert refusal({"x": values}) == message


@pytest.mark.parametrize("values", [np.array([b"caf\xe9"]), np.array([0x7FFFFFFF], np.uint32).view("U1")])
def test_bytes_that_are_no_text_are_refused(values):
    assert refusal({"a": values}) == "the data, column 'a': expected text, got bytes that are none. Decode them first."


def test_an_empty_text_is_blank_as_in_a_file():
    values = np.array(["x", "", None, "NA"], dtype=object)
    assert Table({"a": values})["a"].tolist() == ["x", None, None, "NA"]
    assert values.tolist() == ["x", "", None, "NA"]  # its owner's are left alone


def test_series_that_padding_makes_larger_than_memory(monkeypatch):
    monkeypatch.setattr("chainrule.arrays.memory.most", lambda: 10**6)
    series = [np.zeros((1, 1))] * 1000 + [np.zeros((1000, 1))]
    assert refusal({"x": series}) == (
        "the data, column 'x', padded to the longest, would take 0.00801 GB, more than a quarter of this machine's "
        "memory (0.001 GB). Leave out or cut the longest."
    )
