"""Rows that are dealt into buckets: all of them, once, as mixed as a shuffle would have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import dealing
from chainrule.data.dealing import Dealer, Dealt
from chainrule.errors import ChainruleError


def dealt(folder, blocks, rows, seed=0):
    dealer = Dealer(folder, "train", rows, np.random.default_rng(seed))
    for x, y in blocks:
        dealer.deal(x, y)
    about = dealer.about()
    return Dealt(folder, "train", about["rows"], about["kinds"], about["classes"])


@given(st.lists(st.integers(1, 60), min_size=1, max_size=8), st.integers(8, 2000))
def test_every_row_is_in_one_bucket_beside_its_target(tmp_path_factory, sizes, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dealing, "BUCKET", size)
        numbers = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        blocks = [(np.float32([rows, -rows]).T, rows.astype(np.float32)[:, None]) for rows in numbers]
        found = dealt(tmp_path_factory.mktemp("deal"), blocks, sum(sizes))
    assert sum(found.rows) == sum(sizes)
    parts = [found.part(index) for index in range(len(found.rows))]
    assert [len(y) for _, y in parts] == found.rows
    x, y = (np.concatenate(each) for each in zip(*parts, strict=True))
    np.testing.assert_array_equal(np.sort(y[:, 0]), np.arange(sum(sizes)))
    np.testing.assert_array_equal(x, np.concatenate([y, -y], axis=1))
    assert found.classes == []


def test_batches_are_as_mixed_as_those_of_a_shuffle(tmp_path, monkeypatch):
    """A sorted column: the spread of the means of batches of buckets is that of batches of a true shuffle."""
    monkeypatch.setattr(dealing, "BUCKET", 8 * 20_000)
    values = np.arange(200_000, dtype=np.float32)
    found = dealt(tmp_path, [(block[:, None], block[:, None]) for block in np.split(values, 50)], len(values))
    rng, means = np.random.default_rng(0), []
    for index in rng.permutation(len(found.rows)):
        x = rng.permutation(found.part(index)[0][:, 0])
        means += x[: len(x) // 500 * 500].reshape(-1, 500).mean(axis=1).tolist()
    shuffled = rng.permutation(values).reshape(-1, 500).mean(axis=1)
    assert len(found.rows) == 10
    assert 0.8 < np.std(means) / np.std(shuffled) < 1.2


def test_classes_count_alike_where_it_is_so_chosen(tmp_path):
    x, y = np.zeros((40, 2), np.float32), np.repeat(np.int32([0, 2]), [30, 10])
    found = dealt(tmp_path, [(x[:20], y[:20]), (x[20:], y[20:])], 40)
    assert found.classes == [30, 0, 10]
    _, labels, weights = found.balanced().part(0)
    assert [weights[labels == label].sum() for label in (0, 2)] == pytest.approx([20, 20])


def test_a_bucket_that_was_cut_is_not_trained_on(tmp_path):
    found = dealt(tmp_path, [(np.ones((9, 1), np.float32), np.ones((9, 1), np.float32))], 9)
    with open(tmp_path / "train-00000.x", "r+b") as file:
        file.truncate(8)
    with pytest.raises(ChainruleError, match=r"the prepared rows are not whole. Remove the folder, and train again\."):
        found.part(0)
