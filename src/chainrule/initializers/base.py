"""What an initialiser is, and how it draws kernels that stand side by side in one array."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import numpy as np
from jax.core import Tracer

from chainrule.arrays.devices import put
from chainrule.arrays.random import keyed, words_of
from chainrule.formula.base import Formula


class Initializer(Formula):
    """The distribution that a parameter's first values are drawn from."""

    draws: ClassVar[bool] = True
    """Whether values are drawn for a kernel, rather than known for a whole array."""

    @abstractmethod
    def __call__(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Draw an array of this shape, float32."""


def each_place(initializer: Initializer, rank: int) -> Callable:
    """An initialiser for kernels that the first axes of an array count."""

    def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return put(_one_by_one(initializer, key, math.prod(shape[:rank]), shape[rank:]).reshape(shape))

    return draw if initializer.draws else initializer


def each_group(initializer: Initializer, groups: int) -> Callable:
    """An initialiser for kernels that stand side by side on an array's last axis."""

    def draw(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        kernels = _one_by_one(initializer, key, groups, (*shape[:-1], shape[-1] // groups))
        return put(kernels.transpose(*range(1, len(shape)), 0, len(shape)).reshape(shape))

    return draw if initializer.draws and groups > 1 else initializer


def _one_by_one(initializer: Initializer, key: jax.Array, count: int, shape: tuple[int, ...]) -> Any:
    """So many kernels of this shape, each from a key of its own."""

    def draw(words):
        return initializer(keyed(words), shape)

    words = words_of(key, count)
    return jax.vmap(draw)(words) if isinstance(words, Tracer) else np.stack([*map(draw, words)])
