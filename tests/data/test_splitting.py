import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import split
from chainrule.errors import ChainruleError

labels = st.lists(st.integers(0, 4), min_size=12, max_size=80)


@given(rows=st.integers(10, 200), seed=st.integers(0, 2**32))
def test_every_row_is_in_one_part(rows, seed):
    parts = split(rows, validation=0.1, test=0.25, seed=seed)
    assert sorted(np.concatenate(parts)) == list(range(rows))
    assert [len(part) for part in parts[1:]] == [int(rows * 0.1 + 0.5), int(rows * 0.25 + 0.5)]


@given(classes=labels, seed=st.integers(0, 9))
def test_each_class_keeps_its_share(classes, seed):
    classes = np.array(classes)
    try:
        parts = split(len(classes), validation=0.2, test=0.3, seed=seed, classes=classes)
    except ChainruleError:
        return
    assert sorted(np.concatenate(parts)) == list(range(len(classes)))
    for label in np.unique(classes):
        count = np.sum(classes == label)
        assert np.sum(classes[parts.train] == label) >= 1
        for part, fraction in ((parts.test, 0.3), (parts.validation, 0.2)):
            assert np.sum(classes[part] == label) <= np.ceil(count * fraction) + len(np.unique(classes))
            if count * 0.5 <= count - 1:
                assert np.sum(classes[part] == label) >= np.floor(count * fraction)


def test_shares_are_exact_where_they_can_be():
    classes = np.array(["a"] * 60 + ["b"] * 30 + ["c"] * 10)
    parts = split(100, validation=0.1, test=0.2, classes=classes)
    counts = [np.unique(classes[part], return_counts=True)[1].tolist() for part in parts]
    assert counts == [[42, 21, 7], [6, 3, 1], [12, 6, 2]]


def test_the_seed_decides():
    first, again, other = split(50, seed=1), split(50, seed=1), split(50, seed=2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.test, other.test)


def test_parts_can_be_left_out():
    assert [len(part) for part in split(3, validation=0, test=0)] == [3, 0, 0]


def test_a_lone_class_trains():
    parts = split(11, classes=["a"] * 10 + ["b"])
    assert 10 in parts.train


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, "d: there are no rows to divide. Give rows of data."),
        ({"rows": 1}, "d: the test part would be empty, of 1 rows. Give more rows, or choose test=0."),
        ({"rows": 2}, "d: the validation part would be empty, of 2 rows. Give more rows, or choose validation=0."),
        (
            {"rows": 3, "classes": ["a", "b", "c"]},
            "d: the test part would be empty, of 3 rows in 3 classes. Give more rows, or choose test=0.",
        ),
        (
            {"rows": 9, "test": 1.0},
            "Validation and test must be fractions from 0 up to 1, together below 1; got 0.1 and 1.0.",
        ),
        (
            {"rows": 9, "test": float("nan")},
            "Validation and test must be fractions from 0 up to 1, together below 1; got 0.1 and nan.",
        ),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ChainruleError) as caught:
        split(**arguments, name="d")
    assert str(caught.value) == message
