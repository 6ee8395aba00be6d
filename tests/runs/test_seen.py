import numpy as np

from chainrule.arrays.masked import Masked
from chainrule.runs.seen import digests


def test_series_of_unequal_length_do_not_depend_on_the_longest():
    steps = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    mask = np.array([[True, True, False], [True, False, False]])
    longer = Masked(np.pad(steps, [(0, 0), (0, 4), (0, 0)]), np.pad(mask, [(0, 0), (0, 4)]))
    y = np.array([0, 1])
    np.testing.assert_array_equal(digests(Masked(steps, mask), y), digests(longer, y))
    assert len({*digests(longer, y), *digests(longer, y[::-1])}) == 4
