import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import read
from chainrule.errors import ChainruleError


def write(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(source, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source, **options)
    return str(caught.value)


def test_csv_keeps_numbers_text_and_blanks(tmp_path):
    table = read(write(tmp_path, "n,t,ok,day,none\n1,x,True,2020-01-01,\n,,FALSE,2021-01-01,\n2.5,NA,,2021-01-01,\n"))
    np.testing.assert_array_equal(table["n"], [1, np.nan, 2.5])
    assert list(table["t"]) == ["x", None, "NA"]
    assert list(table["ok"]) == ["true", "false", None]
    assert list(table["day"]) == ["2020-01-01", "2021-01-01", "2021-01-01"]
    assert np.isnan(table["none"]).all()
    assert (table.name, table.rows, list(table)) == ("a.csv", 3, ["n", "t", "ok", "day", "none"])


def test_text_columns_keep_their_zeros(tmp_path):
    assert list(read(write(tmp_path, "zip,a\n01234,1\n"), text="zip")["zip"]) == ["01234"]


@pytest.mark.parametrize(
    ("cells", "read_as"),
    [
        (["9007199254740993", "5"], [9007199254740993, 5]),
        (["9007199254740993", "", "5"], ["9007199254740993", None, "5"]),
        (["18446744073709551617", "-1"], ["18446744073709551617", "-1"]),
        (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
        (["9007199254740992", "0.5"], [9007199254740992.0, 0.5]),
        (["1e300", "0.5"], [1e300, 0.5]),
    ],
)
def test_no_whole_number_is_rounded(tmp_path, cells, read_as):
    assert read(write(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in cells)))["a"].tolist() == read_as


def test_tsv_and_byte_order_mark(tmp_path):
    assert list(read(write(tmp_path, "\ufeffa\tb\n1\t2\n", "a.tsv"))) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a,b\n1,2\n3,4\n", [2, 3]),
        ("a,b\r\n1,2\r\n3,4", [2, 3]),
        ("a,b\n\n1,2\n\n3,4\n\n", [3, 5]),
        ('a,b\n"x\ny",2\n"z",4\n', [2, 4]),
    ],
)
def test_places_are_lines_of_the_file(tmp_path, content, lines):
    table = read(write(tmp_path, content))
    assert [table.place(row, "b") for row in range(2)] == [f"a.csv, line {line}, column 'b'" for line in lines]


def test_parts_keep_their_places(tmp_path):
    table = read(write(tmp_path, "a,b\n1,2\n3,4\n5,6\n")).take(np.array([2]))
    assert table.place(0, "a") == "a.csv, line 4, column 'a'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "a.csv: the file is empty. Give a header with the columns' names, and rows below it."),
        ("a,b\n1,2\n3\n", "a.csv, line 3: expected 2 cells, got 1. Mend the line."),
        ('a,b\n"x\ny",2\n\n3,4,5\n', "a.csv, line 5: expected 2 cells, got 3. Mend the line."),
        ("a,b,a\n1,2,3\n", "a.csv: more than one column is called 'a'. Give every column its own name."),
        (",\n0,1\n", "a.csv: no column has a name. Name them in the first line, or choose header=False."),
        ("a,b\n1,caf\xe9\n".encode("latin-1"), "a.csv, line 2: is not UTF-8 text. Save the file as UTF-8."),
    ],
)
def test_bad_csv(tmp_path, content, message):
    assert refusal(write(tmp_path, content)) == message


cells = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z")), max_size=5)


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    table = read(write(tmp_path, "a,b\n"))
    assert ([*table], table.rows) == (["a", "b"], 0)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=60) | st.lists(st.lists(cells), max_size=5).map(str) | st.text('ab1,\n"\r.', max_size=40)
)
def test_any_file_is_read_or_refused_in_one_line(tmp_path, content):
    path = write(tmp_path, content)
    try:
        table = read(path)
    except ChainruleError as error:
        message = str(error)
    else:
        message = table.name
    assert "a.csv" in message
    assert "\n" not in message


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_survive_a_csv(tmp_path, numbers):
    table = read(write(tmp_path, "x\n" + "\n".join(map(repr, numbers)) + "\n"))
    np.testing.assert_array_equal(table["x"], numbers)


def test_how_a_german_file_was_read(tmp_path):
    table = read(write(tmp_path, "Breite ; Preis;Anteil;Art\n1,5;1.234,50 €;57%; rot \n2;7,25 €;5%;blau\n"))
    assert {name: values.tolist() for name, values in table.items()} == {
        "Breite": [1.5, 2],
        "Preis": [1234.5, 7.25],
        "Anteil": [0.57, 0.05],
        "Art": ["rot", "blau"],
    }
    assert table.found.reading == {"separator": ";", "decimal": ",", "header": True}
    assert table.found.notes == {
        "separator": "a.csv: cells are separated by ';'.",
        "decimal": "a.csv: numbers are read with the decimal mark ',': '1,5' in column 'Breite' as 1.5, "
        "'1.234,50 €' in column 'Preis' as 1234.5, '57%' in column 'Anteil' as 0.57.",
    }


def test_the_next_file_is_read_alike(tmp_path):
    how = read(write(tmp_path, "a;b;c\n1,5;NA;x\n2,5;2;y\n")).found.reading
    table = read(write(tmp_path, "a;b\n1,250;1.000\n", "b.csv"), like=how)  # alone, a thousand and a quarter
    assert (table["a"].tolist(), table["b"].tolist(), dict(table.found.notes)) == ([1.25], [1000], {})
    table = read(write(tmp_path, "a,b\n1.5,2\n", "c.csv"), like=how, decimal=".")
    assert (table["a"].tolist(), table.found.reading["separator"]) == ([1.5], ",")


def test_what_is_chosen_counts(tmp_path):
    path = write(tmp_path, "a;b,c\n1;2,3\n")
    assert list(read(path, separator=",")) == ["a;b", "c"]
    assert list(read(path, separator=";", decimal=",")) == ["a", "b,c"]
    assert read(path, separator="|").found.notes == {}
    assert list(read(write(tmp_path, "a b\tc\n1 2\t3\n"), separator="tab")) == ["a b", "c"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ":"}, "separator must be ',', ';', tab, '|' or blank, got ':'."),
        ({"separator": ""}, "separator must be ',', ';', tab, '|' or blank, got ''."),
        ({"decimal": ";"}, "decimal must be '.' or ',', got ';'."),
        ({"blank": [0]}, "blank must be words such as 'NA', got [0]."),
    ],
)
def test_choices_that_are_none(tmp_path, options, message):
    assert refusal(write(tmp_path, "a,b\n1,2\n"), **options) == message


def test_blanks_separate_and_surround(tmp_path):
    content = '  18.0   8  3504.  "chevrolet  malibu"\n15.0 \t 8  3693.\t"buick"  \n'
    table = read(write(tmp_path, content, "auto.data"), header=False)
    assert {name: values.tolist() for name, values in table.items()} == {
        "1": [18, 15],
        "2": [8, 8],
        "3": [3504, 3693],
        "4": ["chevrolet malibu", "buick"],
    }
    assert list(read(write(tmp_path, " a , b\n x ,\ty \n"))) == ["a", "b"]
    assert [read(tmp_path / "a.csv")[name].tolist() for name in "ab"] == [["x"], ["y"]]


def test_numbers_in_the_header_are_noted(tmp_path):
    path = write(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n")
    assert read(path).found.notes == {
        "header": "a.csv: the first line is taken for the columns' names, among them 5.1, 3.5."
    }
    assert read(path, header=True).found.notes == {}
    table = read(path, header=False)
    assert {name: values.tolist() for name, values in table.items()} == {
        "1": [5.1, 4.9],
        "2": [3.5, 3],
        "3": ["setosa", "setosa"],
    }
    assert (table.found.notes, table.place(0, "1"), table.place(1, "1")) == (
        {},
        "a.csv, line 1, column '1'",
        "a.csv, line 2, column '1'",
    )
    assert refusal(write(tmp_path, "1,1,x\n2,3,y\n")) == (
        "a.csv: more than one column is called '1'. Give every column its own name, or choose header=False."
    )


def test_a_column_without_a_name_is_left_out_and_said(tmp_path):
    table = read(write(tmp_path, ",x,y,\n0,1.5,a,\n1,2.5,b,\n"))
    assert (list(table), dict(table.found.notes)) == (
        ["x", "y"],
        {"unnamed": "a.csv: what has no name in the first line is left out: column 1, 4."},
    )


def test_words_read_as_blank_are_counted(tmp_path):
    table = read(write(tmp_path, "age,kind,y\n1,NA,2\nNA,b,3\nnan,b,n/a\n,,4\n"))
    np.testing.assert_array_equal(table["age"], [1, np.nan, np.nan, np.nan])
    assert table["kind"].tolist() == ["NA", "b", "b", None]
    assert table.found.blank == {"age": {"NA": 1, "nan": 1}, "y": {"n/a": 1}}
    assert table.found.notes == {
        "blank": "a.csv: read as blank: 'NA' (1), 'nan' (1) in column 'age', 'n/a' (1) in column 'y'."
    }
    assert read(tmp_path / "a.csv", blank="NA")["kind"].tolist() == [None, "b", "b", None]


@pytest.mark.slow
def test_rows_wider_than_a_block(tmp_path):
    names = [f"c{number}" for number in range(20_000)]
    path = write(tmp_path, ",".join(names) + "\n" + (",".join(["0.123456789" * 5] * 20_000) + "\n") * 2)
    assert path.stat().st_size > 2 * 2**20
    assert list(read(path, text=names)) == names
    table = read(write(tmp_path, "a,b\n" + "x" * 2_000_000 + ",1\ny,2\n"))
    assert ([len(cell) for cell in table["a"]], table["b"].tolist()) == ([2_000_000, 1], [1, 2])
    assert refusal(write(tmp_path, "a,b\n" + "x" * 2_000_000 + ",1,2\ny,2\n")) == (
        "a.csv, line 2: expected 2 cells, got 3. Mend the line."
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads by /proc")
def test_no_thread_is_left_behind(tmp_path):
    """Arrow's threads abort a process that ends while they begin, and wait for ever where a row was refused."""
    write(tmp_path, "a,b\n1,2\n", "a.csv")
    write(tmp_path, "a,b\n1,2,3\n", "b.csv")
    for kind, save in (("parquet", parquet.write_table), ("feather", feather.write_feather)):
        save(pa.table({"a": [1, 2], "b": ["x", "y"]}), tmp_path / f"a.{kind}")
    script = """
import sys, time, pyarrow.csv, pyarrow.parquet, pyarrow.feather
from pathlib import Path
from chainrule.data import read
from chainrule.errors import ChainruleError

def count():  # without that of Arrow's allocator, which ends well
    names = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
    return sum("jemalloc" not in name for name in names)

before = count()
for name in sys.argv[1:]:
    try:
        read(name)
    except ChainruleError:
        pass
for _ in range(100):  # a thread that has ended may be listed a little longer
    if count() > before:
        time.sleep(0.05)
print(count() - before)
"""
    names = [str(tmp_path / name) for name in ("a.csv", "b.csv", "a.parquet", "a.feather")]
    done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 0, done.stdout
