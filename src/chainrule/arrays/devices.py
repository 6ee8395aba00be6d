"""Where arrays are: on the device that JAX computes on, or with NumPy until they go there."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np

from chainrule.arrays.compilation import computes


def on_device(tree: Any) -> Any:
    """A tree's arrays where JAX computes, so that they are brought there once; else they stay as they are."""
    there = all(isinstance(array, jax.Array) for array in jax.tree.leaves(tree))  # to look is faster than to put
    return tree if there or not computes() else jax.device_put(tree)


_hosted: ContextVar[bool] = ContextVar("hosted", default=False)


@contextmanager
def hosted() -> Iterator[None]:
    """Within it first values stay with NumPy: those of many networks go to the device together, not one by one."""
    before = _hosted.set(True)
    try:
        yield
    finally:
        _hosted.reset(before)


def is_hosted() -> bool:
    """Whether this is within `hosted`."""
    return _hosted.get()


def put(tree: Any) -> Any:
    """A tree's arrays where JAX computes; within `hosted` NumPy's, of the types that JAX would give them."""
    return jax.tree.map(_on_host, tree) if is_hosted() else jax.device_put(tree)


def _on_host(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype), copy=False)
