"""What a window sees."""

import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels.window import Window


@pytest.mark.by_turns(4)
@pytest.mark.parametrize("fill", [0.0, -np.inf])
def test_taps_are_what_a_loop_sees(seen, rng, fill):
    x = rng.normal(size=(2, *seen.lengths, 3)).astype(np.float32)
    patches = seen.patches(x, fill)
    taps = np.stack(list(seen.window.taps(jnp.asarray(x), fill)), axis=len(seen.lengths) + 1)
    np.testing.assert_array_equal(taps, patches.reshape(taps.shape))


def test_places_are_the_starts_from_which_the_window_does_not_reach_beyond_the_end(seen):
    for length, places, size, stride, dilation, (low, high) in zip(
        seen.lengths, seen.places, *seen.window, strict=True
    ):
        starts = range(-low, length + high, stride)
        assert places == sum(start + (size - 1) * dilation < length + high for start in starts)


def test_a_window_is_hashable_so_that_equal_ones_compile_once():
    window = Window((3,), (1,), (1,), ((0, 0),))
    assert hash(window) == hash(Window((3,), (1,), (1,), ((0, 0),)))
