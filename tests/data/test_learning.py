"""What is learned of a column in blocks is what is learned of the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import tokens
from chainrule.data.columns import Category, Date, Number, Numbers, Times, Values
from chainrule.data.dates import read_times
from chainrule.data.learning import Sample
from chainrule.data.tokens import Tokens, Vocabulary

RNG = np.random.default_rng(0)
WORDS = np.array(["a rose", "is a rose", None, "red"], dtype=object)


def in_blocks(learner, values, cuts):
    for block in np.split(values, sorted(cuts)):
        learner.add(block)
    return learner.fitted()


@given(st.lists(st.integers(0, 500), min_size=1, max_size=6), st.sampled_from([1.0, 1e9]), st.booleans())
def test_numbers_have_the_mean_and_the_scale_of_the_whole(cuts, offset, blank):
    generator = np.random.default_rng(len(cuts))
    values = generator.normal(offset, 1e-3, 500)
    values[generator.random(500) < 0.3 * blank] = np.nan
    whole, found = Number.of("a", values), in_blocks(Numbers("a", 400), values, cuts)
    np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-15)
    np.testing.assert_allclose(found.scale, whole.scale, rtol=2e-2 if blank else 1e-4)  # a sum of squares is off by all
    assert offset - 0.01 < found.fill[0] < offset + 0.01


def test_a_constant_column_has_the_scale_one():
    found = in_blocks(Numbers("a", 10), np.full(100, 0.1), [30, 60])
    assert (found.mean, found.scale, found.fill) == ((0.1,), (1.0,), (0.1,))


def test_images_have_a_mean_for_each_channel():
    images = RNG.integers(0, 255, (60, 4, 4, 3)).astype(np.uint8)
    whole, found = Number.of("a", images), in_blocks(Numbers("a", 100), images, [10, 50])
    np.testing.assert_allclose([found.mean, found.scale], [whole.mean, whole.scale], rtol=1e-14)
    assert found.shape == whole.shape


def test_blocks_that_fit_have_the_bits_of_the_whole():
    values = np.where(RNG.random(500) < 0.2, np.nan, RNG.normal(size=500))
    assert in_blocks(Numbers("a"), values, [100, 300]) == Number.of("a", values)


@pytest.mark.parametrize("learner", [Numbers("a", 4), Values("a"), Vocabulary("a", "words"), Times("a", "year", 4)])
def test_what_is_blank_throughout_has_no_form(learner):
    values = {Numbers: np.full(9, np.nan), Times: np.full((9, 2), np.nan)}
    blank = values.get(type(learner), np.array([None] * 9, dtype=object))
    assert in_blocks(learner, blank, [3, 6]) is None


def test_values_and_tokens_are_those_of_the_whole():
    texts = RNG.choice(WORDS, 300)
    assert in_blocks(Values("a"), texts, [10, 200]) == Category.of("a", texts)
    assert in_blocks(Vocabulary("a", "words"), texts, [10, 200]) == Tokens.of("a", texts, "words")


def test_the_rarest_of_too_many_tokens_are_forgotten(monkeypatch):
    monkeypatch.setattr(tokens, "MOST_COUNTED", 8)
    texts = np.array([f"often word{number}" for number in range(100)], dtype=object)
    learner = Vocabulary("a", "words")
    assert in_blocks(learner, texts, range(5, 100, 5)).vocabulary[0] == "often"
    assert len(learner.counts) <= 8


def test_times_have_the_cycles_of_the_whole():
    days = np.datetime64("2020-01-01") + RNG.integers(0, 2000, 300).astype("timedelta64[D]")
    times = read_times(np.array([*days.astype(str)[:-1], None], dtype=object), "year")
    whole, found = Date.of("a", times), in_blocks(Times("a", "year", 100), times, [20, 250])
    assert (found.cycles, found.order) == (whole.cycles, whole.order) == (("month", "day of week"), "year")
    np.testing.assert_allclose([found.mean, found.scale], [whole.mean, whole.scale], rtol=1e-13)
    assert times[:-1, 0].min() < found.fill < times[:-1, 0].max()


def test_a_year_that_stays_is_no_input():
    times = read_times(np.array([f"2020-01-{day:02}" for day in range(1, 31)], dtype=object), "year")
    found = in_blocks(Times("a", "year", 10), times, [10, 20])
    np.testing.assert_allclose(found.mean, Date.of("a", times).mean)


def test_a_sample_is_uniform_and_bounded():
    sample = Sample(4000)
    for block in np.split(np.arange(100_000.0), 100):
        sample.add(block)
    rows = sample.rows()
    assert 1500 < len(rows) <= 4000
    assert abs(np.median(rows) - 50_000) < 5_000  # six times its error
