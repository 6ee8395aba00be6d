import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.cells import blanked, columns
from chainrule.data.reading import Reading


def read(*cells: str, comma: bool = False, text: tuple[str, ...] = (), **reading):
    """What a lone column holds, and by which decimal mark."""
    found, decimal = columns({"a": pa.chunked_array([list(cells)])}, Reading(**reading), text, comma)
    return found["a"].values.tolist(), decimal


@pytest.mark.parametrize(
    ("cells", "values", "decimal"),
    [
        (["1,5", "2,25", "3"], [1.5, 2.25, 3], ","),
        (["1.234,5", "12"], [1234.5, 12], ","),
        (["1,234.5", "12"], [1234.5, 12], "."),
        (["1,234,567", "89"], [1234567, 89], "."),
        (["1.234.567", "89"], [1234567, 89], ","),
        (["1 234", "1\u00a0234", "1\u202f234,5"], [1234, 1234, 1234.5], ","),
        (["1'234.5", "2’000"], [1234.5, 2000], "."),
        (["57%", "5.5 %", "-3%"], [0.57, 0.055, -0.03], "."),
        (["57,5%", "5%"], [0.575, 0.05], ","),
        (["$1,234.50", "$ 2", "-$3", "$-4", "5"], [1234.5, 2, -3, -4, 5], "."),
        (["1.234,50 €", "2€"], [1234.5, 2], ","),
        (["(5.00)", "5", "(1,234.50)", "($7)", "$(8)", "(0.5 $)"], [-5, 5, -1234.5, -7, -8, -0.5], "."),
        (["(5,5%)", "(6,5)%", "7%"], [-0.055, -0.065, 0.07], ","),
        (["+5", "−1.5", ".5", "5."], [5, -1.5, 0.5, 5], "."),
        (["+1e+3", "2E-1"], [1000, 0.2], "."),
    ],
)
def test_numbers_as_people_write_them(cells, values, decimal):
    assert read(*cells) == (values, decimal)


@pytest.mark.parametrize(
    "cells",
    [
        ["$5", "€5"],  # two currencies
        ["57%", "0.5"],  # a share, and what?
        ["1,23,456", "5"],
        ["1.5", "1,5"],
        ["12.05.2020", "1"],
        ["555-1234"],
        ["1e5%"],
        ["5 kg", "6 kg"],
        ["--5"],
        ["-(5)", "1"],
        ["(5", "1"],
        ["5)", "1"],
        ["%"],
        ["1 2"],
    ],
)
def test_what_is_not_written_as_a_number_stays_text(cells):
    assert read(*cells)[0] == cells


def test_a_mark_that_cells_leave_open_is_the_likely_one():
    assert read("1,234", "5,678") == ([1234, 5678], ".")
    assert read("1,234", "5,678", comma=True) == ([1.234, 5.678], ",")
    assert read("1,234", "5,678", decimal=",") == ([1.234, 5.678], ",")
    assert read("1,234", "5,678", comma=True, decimal=".") == ([1234, 5678], ".")


def test_one_column_decides_for_all():
    texts = {name: pa.chunked_array([cells]) for name, cells in {"a": ["1,5"], "b": ["1.234"], "c": ["7"]}.items()}
    found, decimal = columns(texts, Reading(), ())
    assert ({name: each.values.tolist() for name, each in found.items()}, decimal) == (
        {"a": [1.5], "b": [1234], "c": [7]},
        ",",
    )


def test_words_are_blank_in_numbers_alone():
    values, _ = read("1", "NA", "nan", "NULL", "", " ", "#N/A", "None")
    assert values[0] == 1
    assert np.isnan(values[1:]).all()
    assert read("x", "NA", "", "None") == (["x", "NA", None, "None"], ".")
    assert read("1", "NA", "", text=("a",)) == (["1", "NA", None], ".")


def test_chosen_words_are_blank_everywhere():
    np.testing.assert_array_equal(read("1", "-999", "", blank=("-999",))[0], [1, np.nan, np.nan])
    assert read("x", "NA", "", blank=("NA",))[0] == ["x", None, None]
    assert read("1", "NA", blank=("-999",))[0] == ["1", "NA"]
    assert read("x", "NA", "", blank=())[0] == ["x", "NA", None]


def test_how_often_each_word_is_blank():
    found, _ = columns({"a": pa.chunked_array([["1", "NA", "NA", "nan", ""]])}, Reading(), ())
    assert found["a"].words == {"NA": 2, "nan": 1}


def test_a_sample_of_what_is_not_written_plainly():
    found, _ = columns({"a": pa.chunked_array([["", "57%"]]), "b": pa.chunked_array([["+1", "2"]])}, Reading(), ())
    assert found["a"].sample == ("57%", 0.57)
    assert found["b"].sample is None
    found, _ = columns({"a": pa.chunked_array([["5", "(5)", "(6)"]])}, Reading(), ())
    assert found["a"].sample == ("(5)", -5)


@pytest.mark.parametrize(
    ("cells", "mixed"),
    [
        (["57%", "5%", "0.5"], ("57%", "0.5")),
        (["3", "$5", "€5"], ("$5", "€5")),
        (["$5", "6", "7"], None),
        (["57%", "x"], None),
        (["1.5", "2"], None),
    ],
)
def test_cells_of_several_units(cells, mixed):
    found, _ = columns({"a": pa.chunked_array([cells])}, Reading(), ())
    assert found["a"].mixed == mixed


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (["110", "0010", ""], "0010"),
        ([" 0010 ", "NA"], "0010"),
        (["0", "10"], None),
        (["0.5", "00.5"], None),
        (["-1", "1e3"], None),
        (["0010", "x"], None),
    ],
)
def test_codes_with_leading_zeros(cells, code):
    found, _ = columns({"a": pa.chunked_array([cells])}, Reading(), ())
    assert found["a"].code == code


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False).map(abs), min_size=1, max_size=9), st.booleans())
def test_any_number_is_read_as_it_was_written(numbers, comma):
    cells = [f"{number:,.3f}" for number in numbers]
    if comma:
        cells = [cell.translate(str.maketrans(",.", ".,")) for cell in cells]
    assert read(*cells, decimal="," if comma else ".")[0] == [float(f"{number:.3f}") for number in numbers]


@given(st.integers(0, 10**6), st.integers(0, 4))
def test_a_share_is_the_nearest_number(digits, places):
    cell = f"{digits / 10**places:.{places}f}"
    assert read(f"{cell}%", "1%")[0][0] == float(f"{cell}e-2")


def test_typed_columns_without_some_words():
    values, counts = blanked(np.array([1, -999, 3]), ["-999.0", "NA"])
    np.testing.assert_array_equal(values, [1, np.nan, 3])
    assert counts == {"-999.0": 1}
    assert blanked(np.array([2**53 + 1, -1]), ["-1"])[0].tolist() == [2**53 + 1, None]
    values, counts = blanked(np.array(["x", "NA", None], dtype=object), ["NA", "-1"])
    assert (values.tolist(), counts) == (["x", None, None], {"NA": 1})
