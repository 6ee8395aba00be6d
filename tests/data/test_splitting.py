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


@given(order=st.lists(st.integers(0, 30), min_size=20, max_size=80), test=st.sampled_from([0, 0.2, 0.5]))
def test_time_is_never_mixed(order, test):
    order = np.array(order)
    if len(set(order)) < 3:
        return
    parts = split(len(order), validation=0.2, test=test, order=order)
    assert sorted(np.concatenate(parts)) == list(range(len(order)))
    assert len(parts.train)
    assert len(parts.validation)
    assert bool(len(parts.test)) == (test > 0)
    assert order[parts.train].max() < order[parts.validation].min()
    assert not test or order[parts.validation].max() < order[parts.test].min()


def test_distinct_times_are_cut_exactly():
    order = np.random.default_rng(0).permutation(100)
    for times in (order, np.datetime64("2020-01-01") + order, order.astype(str).astype(object)):
        parts = split(100, validation=0.1, test=0.2, order=times)
        assert [len(part) for part in parts] == [70, 10, 20]
    parts = split(100, validation=0.1, test=0.2, order=order)
    assert [set(order[part]) for part in parts] == [set(range(70)), set(range(70, 80)), set(range(80, 100))]


def test_equal_times_stay_together_as_near_to_the_fractions_as_they_can():
    parts = split(10, validation=0, test=0.3, order=[1, 1, 1, 1, 1, 2, 2, 2, 2, 3])
    assert [len(part) for part in parts] == [9, 0, 1]  # 1 is as near to 3 as 5, and the first of the two
    parts = split(10, validation=0, test=0.4, order=[1, 1, 1, 1, 1, 2, 2, 2, 2, 3])
    assert [len(part) for part in parts] == [5, 0, 5]


@given(groups=st.lists(st.integers(0, 15), min_size=20, max_size=80), seed=st.integers(0, 99))
def test_no_group_is_in_two_parts(groups, seed):
    groups = np.array(groups)
    if len(set(groups)) < 3:
        return
    parts = split(len(groups), validation=0.1, test=0.25, seed=seed, groups=groups)
    assert sorted(np.concatenate(parts)) == list(range(len(groups)))
    held = [set(groups[part]) for part in parts]
    assert all(held)
    assert not (held[0] & held[1])
    assert not (held[0] & held[2])
    assert not (held[1] & held[2])
    names = np.array([f"group {group:02}" for group in groups])
    again = split(len(groups), validation=0.1, test=0.25, seed=seed, groups=names)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_the_seed_decides_about_groups():
    groups = np.repeat(range(50), 2)
    parts = [split(100, seed=seed, groups=groups) for seed in (1, 1, 2)]
    assert [len(part) for part in parts[0]] == [70, 10, 20]
    assert np.array_equal(parts[0].test, parts[1].test)
    assert not np.array_equal(parts[0].test, parts[2].test)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"rows": 4, "order": [1, 1, 1, 2]},
            "d: the test part would be empty, of 4 rows in 2 times. Give more rows, or choose test=0.",
        ),
        (
            {"rows": 4, "groups": list("aaaa"), "test": 0},
            "d: the validation part would be empty, of 4 rows in 1 groups. Give more rows, or choose validation=0.",
        ),
        (
            {"rows": 3, "order": [1, 2, 3], "groups": [1, 2, 3]},
            "d: rows are divided in one way, not by order and groups. Choose one.",
        ),
        ({"rows": 3, "order": [1, 2]}, "d: order must be one value a row, of shape (3,), got (2,)."),
        *[
            ({"rows": 2, "groups": groups}, "d: groups is blank in row 2. Fill it, or leave the row out.")
            for groups in (["a", None], [1.0, float("nan")], np.array(["2020", "NaT"], "datetime64[s]"))
        ],
        (
            {"rows": 2, "order": np.array([1, "a"], object)},
            "d: order has values of several kinds. Give numbers, times or text.",
        ),
        ({"rows": 0}, "d: there are no rows to divide. Give rows of data."),
        (
            {"rows": 1},
            "d: the test part would be empty, of 1 rows. Give more rows, or choose test=0, validation=0.",
        ),
        (
            {"rows": 1, "classes": ["a"]},
            "d: all rows are of a single class. Give rows of two classes or more.",
        ),
        ({"rows": 2}, "d: the validation part would be empty, of 2 rows. Give more rows, or choose validation=0."),
        (
            {"rows": 3, "classes": ["a", "b", "c"]},
            "d: the test part would be empty, of 3 rows in 3 classes. Give more rows, or choose test=0, validation=0.",
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
