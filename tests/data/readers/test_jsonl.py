import json

import numpy as np
import pytest

from chainrule.data import read
from chainrule.errors import ChainruleError

GIVE = 'Give an object a line, such as {"width": 1.5, "kind": "a"}.'


def write(folder, content: str, name="a.jsonl"):
    path = folder / name
    path.write_text(content)
    return path


def refusal(source) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source)
    return str(caught.value)


def test_a_row_a_line(tmp_path):
    path = write(tmp_path, '{"a": 1, "b": "x", "c": true}\n\n{"b": "NA", "a": null}\n{"a": 2.5, "b": "", "c": false}\n')
    table = read(path)
    np.testing.assert_array_equal(table["a"], [1, np.nan, 2.5])
    assert (table["b"].tolist(), table["c"].tolist()) == (["x", "NA", None], ["true", None, "false"])
    assert table.place(1, "a") == "a.jsonl, line 3, column 'a'"
    assert read(path, blank=["NA", "1"])["b"].tolist() == ["x", None, None]
    assert read(path, blank=["NA", "1"]).found.blank == {"a": {"1": 1}, "b": {"NA": 1}}


@pytest.mark.parametrize("name", ["a.json", "a.ndjson", "a"])
def test_a_list_of_rows(tmp_path, name):
    rows = [{"a": 2**53 + 1, "b": "x"}, {"a": 5, "b": "y"}]
    table = read(write(tmp_path, json.dumps(rows, indent=1), name))
    assert (table["a"].tolist(), table["b"].tolist()) == ([2**53 + 1, 5], ["x", "y"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", f"a.jsonl: the file is empty. {GIVE}"),
        ("{}\n{}\n", f"a.jsonl: has no cells. {GIVE}"),
        ('{"a": 1}\n{"a": \n', "a.jsonl, line 2: is no whole JSON: Expecting value. Mend the line."),
        ('{"a": 1}\n[1, 2]\n', f"a.jsonl, line 2: expected an object of cells, got [1, 2]. {GIVE}"),
        ("[1, 2]", f"a.jsonl: expected objects of cells, got [1, 2]. {GIVE}"),
        ('[{"a": 1}, 2]', f"a.jsonl, row 2: expected an object of cells, got 2. {GIVE}"),
        (
            '{"a": 1}\n{"a": 1, "b": 2, "a": 3}\n',
            "a.jsonl, line 2: the key 'a' is given twice in an object. Give every cell its own key.",
        ),
        ('[{"b": 1, "b": 1}]', "a.jsonl: the key 'b' is given twice in an object. Give every cell its own key."),
        ('{"a": ' + "[" * 100_000, f"a.jsonl, line 1: is JSON of no use as a row. {GIVE}"),
        ('{"a": ' + "9" * 10_000 + "}", f"a.jsonl, line 1: is JSON of no use as a row. {GIVE}"),
        ('{"a": {"b": 1}}\n', "a.jsonl, column 'a': expected numbers or text, got {'b': 1}."),
    ],
)
def test_bad_lines(tmp_path, content, message):
    assert refusal(write(tmp_path, content)) == message


def test_keys_that_make_a_table_of_its_square(tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.arrays.memory.most", lambda: 10**7)
    path = write(tmp_path, "".join(f'{{"k{number}": 1}}\n' for number in range(1000)))
    assert refusal(path) == (
        "a.jsonl would take 0.048 GB, more than a quarter of this machine's memory (0.01 GB). "
        "Give fewer rows, or all rows the same keys."
    )
