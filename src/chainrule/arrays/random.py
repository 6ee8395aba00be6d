"""Keys and draws of which nothing is compiled: a first value should not wait for a program."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from chainrule.arrays.devices import is_hosted, put


def drawn(
    draw: Callable[[np.random.Generator], np.ndarray], key: jax.Array, shape: tuple[int, ...], dtype: Any = np.float32
) -> Any:
    """What NumPy draws for a key: nothing is compiled, which would take longer than to draw.

    Within a compiled program the host is called back, for the same draws.

    >>> drawn(lambda generator: generator.random(2), jax.random.key(0), (2,)).shape
    (2,)
    """

    def on_host(words: Any) -> np.ndarray:
        draws = [draw(np.random.default_rng(own)) for own in np.asarray(words).reshape(-1, words.shape[-1])]
        return np.asarray(draws, dtype).reshape((*words.shape[:-1], *shape))

    words = key if isinstance(key, np.ndarray) else jax.random.key_data(key)
    if isinstance(words, Tracer):
        return jax.pure_callback(on_host, jax.ShapeDtypeStruct(shape, dtype), words, vmap_method="expand_dims")
    return on_host(words)


def split(key: jax.Array, count: int) -> list[jax.Array]:
    """As many keys of their own; nothing is compiled, as in `drawn`."""
    return [keyed(words) for words in words_of(key, count)]


def stacked(arrays: Sequence[Any]) -> Any:
    """Arrays one behind the other in a new first axis; nothing is compiled, as in `drawn`."""
    if any(isinstance(array, Tracer) for array in arrays):
        return jnp.stack(arrays)
    return put(np.stack(arrays))


def seeded(seed: int) -> jax.Array:
    """`jax.random.key(seed)` for a seed of 32 bits, of which nothing is compiled."""
    return keyed(np.array([0, seed], np.uint32))


def words_of(key: jax.Array, count: int) -> Any:
    """The words of as many keys of their own, (count, 2)."""

    def draw(generator):
        return generator.integers(2**32, size=(count, 2), dtype=np.uint32)

    return drawn(draw, key, (count, 2), np.uint32)


def keyed(words: Any) -> jax.Array:
    """The key of two words, of JAX's default kind; within `hosted` the words, of which `drawn` needs no more."""
    if is_hosted() and isinstance(words, np.ndarray):
        return words  # type: ignore[return-value]
    return jax.random.wrap_key_data(jax.device_put(words), impl="threefry2x32")
