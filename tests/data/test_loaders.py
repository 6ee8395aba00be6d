"""Arrays on a disk as a loader; other libraries' data sets are in `parity`."""

import numpy as np
import pytest

from chainrule import ChainruleError
from chainrule.data.loaders import Loader, from_arrays, from_grain


def test_a_memory_map_is_read_by_slices(tmp_path):
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (10, 2))
    x[:] = np.arange(20).reshape(10, 2)
    loader = from_arrays(np.load(tmp_path / "x.npy", mmap_mode="r"), np.arange(10), size=4)
    assert isinstance(loader, Loader)
    np.testing.assert_array_equal(loader.part(1)[0], x[4:8])


def test_parts_have_about_eight_million_numbers():
    x = np.broadcast_to(np.float32(0), (1_000_000, 64))
    assert [*from_arrays(x, x[:, 0]).rows] == [131_072] * 7 + [82_496]


def test_batches_are_not_cut():
    batches = [(np.zeros((4, 1)), np.zeros(4)), (np.ones((4, 1)), np.ones(4)), (np.ones((1, 1)), np.ones(1))]
    assert from_grain(batches, batched=True, size=5).rows == [4, 4, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1]), "from_arrays: expected arrays of one length, got 2, 1 rows."),
        (([], []), "The loader's source has no rows. Give one of an example at least."),
        (([1], [1], None, 0), "size: expected parts of 1 row or more, a whole number, got 0."),
        (([1], [1], None, 2.5), "size: expected parts of 1 row or more, a whole number, got 2.5."),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ChainruleError, match=message):
        from_arrays(*arguments)
