from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.arrays.masked import Masked
from chainrule.data import read
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError

HEADER = """# a comment
@problemName Waves
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength true
@seriesLength 3
@classLabel true up down
@data
"""
ROWS = "1,2,3:4,5,6:up\n\n7,8,9:1.5,?,-2e3:down\n"
UNEQUAL = HEADER.replace("@equalLength true\n@seriesLength 3", "@equalLength false")


def write(folder: Path, content: str, name: str = "Waves_TRAIN.ts") -> Path:
    path = folder / name
    path.write_text(content)
    return path


def refusal(source) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source)
    return str(caught.value)


def test_series_of_one_length(tmp_path):
    table = read(write(tmp_path, HEADER + ROWS))
    np.testing.assert_array_equal(table["series"], [[[1, 4], [2, 5], [3, 6]], [[7, 1.5], [8, np.nan], [9, -2000]]])
    assert list(table["target"]) == ["up", "down"]
    assert (list(table), table.name, table.test) == (["series", "target"], "Waves_TRAIN.ts", None)
    assert table.place(1, "series") == "Waves_TRAIN.ts, line 13, column 'series'"


def test_the_test_part_lies_beside(tmp_path):
    path = write(tmp_path, HEADER + ROWS)
    beside = write(tmp_path, HEADER + ROWS + ROWS, "Waves_TEST.ts")
    test = read(path).test
    assert test is not None
    assert (test.rows, test.name, test.place(3, "target")) == (
        4,
        "Waves_TEST.ts",
        "Waves_TEST.ts, line 16, column 'target'",
    )
    assert read(beside).test is None


def test_unequal_lengths_are_padded_and_masked(tmp_path):
    table = read(write(tmp_path, UNEQUAL + "1,2,3:4,5,6:up\n7:1:down\n5,6:7,8:up\n"))
    assert table["series"].shape == (3, 3, 2)
    preprocessor = Preprocessor.fit(table)
    x = preprocessor.inputs(table)
    assert isinstance(x, Masked)
    assert (preprocessor.kind, preprocessor.input_shape) == ("series", (3, 2))
    assert np.asarray(x.mask).tolist() == [[True] * 3, [True, False, False], [True, True, False]]


def test_values_to_regress_and_no_labels(tmp_path):
    head = "@univariate true\n@targetLabel true\n@data\n"
    table = read(write(tmp_path, head + "1,2:0.5\n3,4:?\n"))
    np.testing.assert_array_equal(table["target"], [0.5, np.nan])
    assert table["series"].shape == (2, 2, 1)
    assert list(read(write(tmp_path, "@classLabel false\n@data\n1,2:3,4\n"))) == ["series"]


def test_classes_need_not_be_listed(tmp_path):
    assert list(read(write(tmp_path, "@CLASSLABEL True\r\n@Data\r\n1,2:a b\r\n"))["target"]) == ["a b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.ts: the file is empty. Give a header, @data, and a series a line."),
        (HEADER, "a.ts: has no series. Put a series a line below @data."),
        ("1,2:a\n", "a.ts, line 1: expected a tag such as @data before the data. Put @data above."),
        ("@univarate true\n", "a.ts, line 1: there is no tag @univarate. Did you mean univariate? Mend the line."),
        ("@\n", "a.ts, line 1: there is no tag @. Mend the line."),
        ("@equalLength\n", "a.ts, line 1: expected true or false after @equallength. Mend the line."),
        ("@dimensions two\n", "a.ts, line 1: expected a whole number of 1 or more after @dimensions. Mend the line."),
        (
            "@seriesLength 0\n",
            "a.ts, line 1: expected a whole number of 1 or more after @serieslength. Mend the line.",
        ),
        ("@timeStamps true\n", "a.ts, line 1: series with time stamps can't be read. Save the values alone."),
        (
            HEADER + "1,2,3:up\n",
            "a.ts, line 11: expected 2 channels and a label, separated by colons, got 1 and a label. Mend the line.",
        ),
        (
            HEADER + "1,2,3:4,5:up\n",
            "a.ts, line 11: expected 3 steps in each channel, got 2 in channel 2. Mend the line.",
        ),
        (
            UNEQUAL + "1,2:4,5,6:up\n",
            "a.ts, line 10: expected 2 steps in each channel, got 3 in channel 2. Mend the line.",
        ),
        (
            HEADER.replace("@seriesLength 3\n", "") + "1,2:4,5:up\n1:4:up\n",
            "a.ts, line 11: expected 2 steps in each channel, got 1 in channel 1. Mend the line.",
        ),
        (HEADER + "1,x,3:4,5,6:up\n", "a.ts, line 11: expected a number or ?, got 'x'. Mend the line."),
        (HEADER + "1,,3:4,5,6:up\n", "a.ts, line 11: expected a number or ?, got ''. Mend the line."),
        (
            HEADER + "1,2,3:4,5,6:sideways\n",
            "a.ts, line 11: the class 'sideways' is not one of @classLabel, up, down. Mend the line.",
        ),
        (
            "@classLabel true\n@data\nup\n",
            "a.ts, line 3: expected 1 channels and a label, separated by colons, got 0 and a label. Mend the line.",
        ),
    ],
)
def test_bad_files(tmp_path, content, message):
    assert refusal(write(tmp_path, content, "a.ts")) == message


def test_other_encodings_are_refused(tmp_path):
    (tmp_path / "a.ts").write_bytes("@data\n1,2:caf\xe9\n".encode("latin-1"))
    assert refusal(tmp_path / "a.ts") == "a.ts, line 2: is not UTF-8 text. Save the file as UTF-8."


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text("@adtbcl els:,?12.-\n\r", max_size=60) | st.text(max_size=30).map(lambda text: HEADER + text))
def test_any_file_is_read_or_refused_in_one_line(tmp_path, content):
    path = tmp_path / "a.ts"
    path.write_bytes(content.encode("utf-8", "replace"))
    try:
        message = read(path).name
    except ChainruleError as error:
        message = str(error)
    assert message.startswith("a.ts")
    assert "\n" not in message


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), min_size=1, max_size=5))
def test_numbers_survive(tmp_path, rows):
    lines = [",".join(map(repr, row)) for row in rows]
    table = read(write(tmp_path, "@univariate true\n@data\n" + "\n".join(lines) + "\n", "a.ts"))
    for row, series in zip(rows, table["series"], strict=True):
        np.testing.assert_array_equal(series[: len(row), 0], row)
