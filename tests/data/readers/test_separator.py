import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.readers.separator import find_separator


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("1,5;2,5;x\n3,1;4,2;y\n", ";"),  # as many commas on each line
        ("a\tb\n1,5\tx, y\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("18.0   8   307.0\n15.0   8   350.0\n", " "),
        ('18.0   8\t"a car"\n15.0   8\t"another"\n', " "),
        ("full name\nJohn Smith\nAda Lovelace\n", ","),  # words, not cells
        ('a,b\n"x;y;z",2\n"x;y;z",3\n', ","),
        ("a,b\n1,2\n3\n", ","),  # broken, and said so by who reads it
        ("a;b\n1;2\n3\n", ";"),
        ("a\n1\n", ","),
        ('a,b\n"x\ny",2\n', ","),
        ("", ","),
    ],
)
def test_separators(text, separator):
    assert find_separator(text.encode(), ",") == separator


def test_of_several_the_likely_one():
    assert find_separator(b"a,b;c\nx,y;z\n", ";") == ";"
    assert find_separator(b"a,b;c\nx,y;z\n", ",") == ","
    assert find_separator(b"a\n1\n", "\t") == "\t"


def test_lines_longer_than_the_sample():
    wide = ";".join(f"column {number}" for number in range(20_000)) + "\n" + ";".join(["1,5"] * 20_000) + "\n"
    assert find_separator(wide.encode(), ",") == ";"
    assert find_separator(b"a,b\n" + b"x" * 200_000 + b",1\n", ",") == ","


@given(
    st.lists(st.lists(st.text("abc 1", min_size=1), min_size=3, max_size=3), min_size=2, max_size=5),
    st.sampled_from(",;|\t"),
)
def test_what_was_joined_is_told(rows, separator):
    text = "".join(separator.join(row) + "\n" for row in rows)
    assert find_separator(text.encode(), ",") == separator


@given(st.binary(max_size=80) | st.text('ab1;,|\t "\n').map(str.encode))
def test_anything_has_one(data):
    assert find_separator(data, ";") in {",", ";", "\t", "|", " "}
