import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.errors import FORMULA, LONGEST, PIECE, ArgumentError, ChainruleError, one_line, readable, warn

LONG = "x" * 5000


@given(st.text())
def test_every_message_is_one_printable_line_of_bounded_length(text):
    for message in (f"{text} said {text!r}", f"it's '{text}' and \"{text}\""):
        line = str(ChainruleError(message))
        assert line.isprintable()
        assert len(line) <= LONGEST
        assert one_line(line) == line


@pytest.mark.parametrize("words", ["d.csv: expected a number, got {}.", "Can't read {}, the model's: mend it."])
def test_what_is_quoted_is_cut_and_the_words_around_it_stay(words):
    before, after = words.split("{}")
    for quote, most in (("'", PIECE), ('"', FORMULA)):
        line = str(ChainruleError(words.format(f"{quote}{LONG}{quote}")))
        assert line.startswith(before + quote)
        assert line.endswith(quote + after)
        assert len(line) == len(before + after) + most + 2
        whole = words.format(f"{quote}{'x' * most}{quote}")
        assert str(ChainruleError(whole)) == whole


def test_values_that_people_copy_stay_whole():
    dropped = f"--drop {'a b' * 40!r}"
    line = one_line(f"column {'a' * 70!r}: leave it out by {dropped}.")
    assert line == f"column '{'a' * 30}…{'a' * 29}': leave it out by {dropped}."
    error = ChainruleError(f"Mend {LONG!r}", drop=["y" * 90])
    assert error.choices == {"drop": ["y" * 90]}
    assert str(error).endswith(f", or choose drop=['{'y' * 90}'].")


def test_warnings_are_such_lines_too():
    with pytest.warns(UserWarning, match=r"^a\\nb: 'x{30}…x{29}'$"):
        warn(f"a\nb: '{LONG}'")


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(ChainruleError("d: no. Mend it", drop=["c"])))
    assert (str(error), error.message, error.choices) == (
        "d: no. Mend it, or choose drop=['c'].",
        "d: no. Mend it",
        {"drop": ["c"]},
    )


@given(st.text(), st.text())
def test_arguments_are_named_anew_and_values_stay(one, other):
    error = ArgumentError("{first_row} is {}, {last_row} is {}.", one, other)
    assert str(error) == one_line(f"first_row is {one}, last_row is {other}.")
    assert error.naming(lambda name: f"--{name}") == one_line(f"--first_row is {one}, --last_row is {other}.")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.naming(str.upper)) == (str(error), error.naming(str.upper))


@given(st.binary())
def test_a_files_name_is_text_that_utf8_can_hold(name):
    shown = readable(name.decode("utf-8", "surrogateescape")).encode()
    assert (shown == name) == (name.decode(errors="ignore").encode() == name)
