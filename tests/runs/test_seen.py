from collections import Counter
from hashlib import blake2b

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chainrule.arrays.masked import Masked
from chainrule.runs.seen import Seen, digests


def test_series_of_unequal_length_do_not_depend_on_the_longest():
    steps = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    mask = np.array([[True, True, False], [True, False, False]])
    longer = Masked(np.pad(steps, [(0, 0), (0, 4), (0, 0)]), np.pad(mask, [(0, 0), (0, 4)]))
    y = np.array([0, 1])
    np.testing.assert_array_equal(digests(Masked(steps, mask), y), digests(longer, y))
    assert len({*digests(longer, y), *digests(longer, y[::-1])}) == 4


rows = st.lists(st.integers(0, 5), max_size=12)


@given(rows, rows, rows, rows, st.randoms())
def test_rows_are_known_by_how_often_each_is_there(train, validation, test, others, random):
    """The same as multisets of Python say."""
    seen = Seen(*(np.array(part, "<u8") for part in (train, validation, test)))
    for found in (train + validation + test, train + validation, train + test, others):
        random.shuffle(found)
        known = Counter(found)
        there = Counter(train) + Counter(test) <= known <= Counter(train + validation + test)
        taken = seen.test_rows(np.array(found, "<u8"))
        assert (taken is not None) == (there and bool(test))
        if taken is not None:
            assert sorted(taken) == taken.tolist()
            assert Counter(np.array(found)[taken].tolist()) == Counter(test)
            first = {digest: found.index(digest) for digest in test}
            assert set(first.values()) <= set(taken.tolist())
        assert seen.is_trained_on(np.array(found, "<u8")) == (Counter(train) <= known <= Counter(train + validation))
        assert seen.count(np.array(found, "<u8")) == sum(digest in train + validation for digest in found)


def test_digests_do_not_depend_on_blocks(monkeypatch):
    x, y = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32), np.arange(100)
    whole = digests(x, y)
    assert whole[7] == np.frombuffer(blake2b(x[7].tobytes() + y[7].tobytes(), digest_size=8).digest(), "<u8")
    monkeypatch.setattr("chainrule.arrays.memory.NUMBERS", 16)
    monkeypatch.setattr("chainrule.arrays.memory.ROWS", 16)
    np.testing.assert_array_equal(digests(x, y), whole)
