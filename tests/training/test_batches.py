import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.arrays.memory import aligned
from chainrule.training.batches import Examples, batch, bucket, on_device, shuffled

CAPACITY = 40


def words(seed: int) -> np.ndarray:
    """Those of a key."""
    return np.array([0, seed], np.uint32)


def examples(rows: int, weights=None) -> Examples:
    """Rows 1, 2, … that know their own number."""
    numbers = np.arange(1, rows + 1, dtype=np.float32)[:, None]
    return on_device(numbers, numbers, weights)


@given(st.integers(1, 10**9))
def test_a_bucket_is_at_most_a_quarter_larger(rows):
    assert rows <= bucket(rows) <= rows * 1.25
    assert bucket(bucket(rows)) == bucket(rows)


@given(st.integers(1, 10**6))
def test_more_rows_never_take_a_smaller_bucket(rows):
    assert bucket(rows) <= bucket(rows + 1)


def test_there_are_few_buckets():
    assert len({bucket(rows) for rows in range(1, 2**16)}) <= 4 * 16


@pytest.mark.parametrize("weights", [None, np.full(33, 2, np.float32)])
def test_padding_comes_last_and_is_zero(weights):
    padded = examples(33, weights)
    assert padded.capacity == CAPACITY
    assert padded.rows == 33
    for array in padded[: 2 if weights is None else 3]:
        assert (array[:33] > 0).all()
        assert not array[33:].any()


@given(st.integers(1, CAPACITY), st.integers(0, 2**32 - 1), st.integers(1, 10**6))
def test_shuffled_is_a_permutation_of_the_rows_and_then_the_padding(rows, seed, epoch):
    blank = jnp.zeros((CAPACITY, 1))
    order = np.asarray(shuffled(words(seed), epoch, Examples(blank, blank, None, jnp.int32(rows))))
    np.testing.assert_array_equal(np.sort(order[:rows]), np.arange(rows))
    np.testing.assert_array_equal(order[rows:], np.arange(rows, CAPACITY))


def test_epochs_and_seeds_differ():
    orders = {tuple(shuffled(words(seed), epoch, examples(33)).tolist()) for seed in range(3) for epoch in range(1, 11)}
    assert len(orders) == 30


@pytest.mark.parametrize("chosen", [None, np.arange(5, 38)], ids=["the first rows", "chosen rows"])
def test_orders_are_the_same_whether_they_are_kept_or_drawn_anew(monkeypatch, chosen):
    data = examples(40)._replace(rows=33)
    kept, again = (shuffled(words(7), 2, data, chosen) for _ in range(2))
    monkeypatch.setattr("chainrule.training.batches.FEW", 0)
    np.testing.assert_array_equal(kept, shuffled(words(7), 2, data, chosen))
    np.testing.assert_array_equal(kept, again)
    np.testing.assert_array_equal(np.sort(kept[:33]), np.arange(33) if chosen is None else chosen)


def test_a_change_of_an_order_changes_no_other():
    order = shuffled(words(7), 3, examples(33))
    before = order.copy()
    order[:] = 0
    np.testing.assert_array_equal(shuffled(words(7), 3, examples(33)), before)


def test_every_row_comes_first_equally_often():
    data = examples(10)
    firsts = np.bincount([int(shuffled(words(0), epoch, data)[0]) for epoch in range(5000)], minlength=10)
    assert np.sum((firsts - 500) ** 2 / 500) < 27.9  # χ² with 9 degrees of freedom, p = 0.001


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("rows", [33, 39, 40])
@pytest.mark.parametrize("size", [1, 7, 32])
def test_every_row_counts_once_an_epoch(rows, size):
    data = examples(rows)
    order = shuffled(words(0), 1, data)
    seen = []
    for index in range(-(-rows // size)):
        x, E, weights = batch(data, order, index, size)
        assert x.shape == (size, 1)
        np.testing.assert_array_equal(x, E)
        assert set(weights.tolist()) <= {0.0, 1.0}
        seen += x[weights > 0, 0].tolist()
    np.testing.assert_array_equal(np.array(seen) - 1, order[:rows])


def test_the_whole_data_is_one_batch_in_which_padding_does_not_count():
    x, _, weights = batch(examples(33), None, 0, CAPACITY)
    assert weights.tolist() == [1.0] * 33 + [0.0] * 7
    assert x[:33, 0].tolist() == list(range(1, 34))


@pytest.mark.parametrize("size", [7, CAPACITY])
def test_weights_go_with_their_rows(size):
    data = examples(33, np.arange(1, 34, dtype=np.float32))
    order = shuffled(words(0), 1, data)
    for index in range(-(-33 // size)):
        x, _, weights = batch(data, order, index, size)
        np.testing.assert_array_equal(weights, np.where(weights > 0, x[:, 0], 0))


def test_aligned_rows_that_need_no_padding_are_not_copied(monkeypatch):
    monkeypatch.setattr("chainrule.training.batches.MANY", 33)
    x, E = aligned((33, 2), np.float32), np.zeros((33, 1), np.float32)
    x += 1
    given = on_device(x, E, None)
    assert given.capacity == 33
    assert given.x.unsafe_buffer_pointer() == x.ctypes.data


def test_rows_without_padding_are_each_visited_once(monkeypatch):
    monkeypatch.setattr("chainrule.training.batches.MANY", 33)
    given = examples(33)
    order = shuffled(words(0), 1, given)
    seen = []
    for index in range(-(-33 // 8)):
        x, _, weights = batch(given, order, jnp.int32(index), 8)
        seen += np.asarray(x)[np.asarray(weights) > 0, 0].tolist()
    assert sorted(seen) == list(range(1, 34))
