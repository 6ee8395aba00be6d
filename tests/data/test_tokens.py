import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.tokens import FIRST, LONGEST, PADDING, UNKNOWN, Tokens, split_text

units = st.sampled_from(["words", "characters"])
cells = st.lists(st.text(max_size=20), min_size=1, max_size=8).map(lambda texts: np.array(texts, dtype=object))


def written(tokens: Tokens, ids: np.ndarray) -> list[list[str]]:
    """The tokens that ids stand for, those of padding left out."""
    names = ["", "?", *tokens.vocabulary]
    return [[names[number] for number in row if number != PADDING] for row in ids]


@given(cells, units)
def test_training_texts_come_back(texts, unit):
    tokens = Tokens.of("a", texts, unit)
    assert written(tokens, tokens.encode(texts)) == [split_text(text, unit) or ["?"] for text in texts]


@pytest.mark.filterwarnings("ignore:column 'a'. training never showed")
@given(cells, cells, units)
def test_other_texts_are_cut_and_what_is_new_is_unknown(texts, others, unit):
    tokens = Tokens.of("a", texts, unit)
    ids = tokens.encode(others)
    assert (ids.dtype, ids.shape) == (np.int32, (len(others), tokens.length))
    assert ids.min() >= PADDING
    assert ids.max() < FIRST + len(tokens.vocabulary)
    known = set(tokens.vocabulary)
    for text, row in zip(others, written(tokens, ids), strict=True):
        found = split_text(text, unit)[: tokens.length] or ["?"]
        assert row == [token if token in known else "?" for token in found]


@given(cells, units)
def test_the_vocabulary_is_in_order(texts, unit):
    counted = [token for text in texts for token in split_text(text, unit)]
    keys = [(-counted.count(token), token) for token in Tokens.of("a", texts, unit).vocabulary]
    assert keys == sorted(set(keys))


def test_words():
    assert split_text("Don\u2019t PANIC: it's 9 o'clock, naïve Ωmega-3!", "words") == (
        ["don\u2019t", "panic", "it's", "9", "o'clock", "naïve", "ωmega", "3"]
    )
    assert split_text("'quoted' -- x", "words") == ["quoted", "x"]


def test_characters_are_as_they_are():
    assert split_text("Ab c\n", "characters") == ["A", "b", " ", "c", "\n"]


def test_limits(monkeypatch):
    monkeypatch.setattr("chainrule.data.tokens.MOST_TOKENS", 2)
    tokens = Tokens.of("a", np.array(["c b b a a a", "d " * 300], dtype=object), "words")
    assert (tokens.vocabulary, tokens.length) == (("d", "a"), LONGEST)
    assert tokens.encode(np.array(["a b d"], dtype=object))[0, :4].tolist() == [FIRST + 1, UNKNOWN, FIRST, PADDING]


def test_texts_without_a_token():
    tokens = Tokens.of("a", np.array(["?", "!"], dtype=object), "words")
    assert (tokens.vocabulary, tokens.length) == ((), 1)
    assert tokens.encode(np.array(["?", "so"], dtype=object)).tolist() == [[UNKNOWN], [UNKNOWN]]
