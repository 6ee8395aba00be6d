import jax
import numpy as np

from chainrule.arrays.random import seeded, split

KEY = jax.random.key(0)


def test_split_keys_differ_and_are_the_same_in_a_program():
    words = [jax.random.key_data(key).tolist() for key in (*split(KEY, 3), *split(jax.random.key(1), 3))]
    assert len({tuple(each) for each in words}) == 6
    assert words[:3] == [each.tolist() for each in jax.jit(lambda key: [*map(jax.random.key_data, split(key, 3))])(KEY)]


def test_seeded_keys_are_those_of_jax():
    for seed in (0, 7, 2**32 - 1):
        assert seeded(seed) == jax.random.key(np.uint32(seed))
