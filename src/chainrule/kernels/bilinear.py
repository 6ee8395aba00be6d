"""Functions linear in each of two arrays, as primitives of JAX: all their derivatives are such functions again.

Such a function may take further arrays, which only count: numbers of rows, say.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from chainrule.kernels.sharding import alike, asks_for_devices, typed

Function = Callable[..., Any]


def bilinear(
    name: str,
    shape: Function,
    plain: Function,
    either: Function,
    gradients: tuple[Function, Function | None],
    of_several: Function | None = None,
    counts: int = 0,
) -> Function:
    """A function of two arrays, of others that count, and of numbers that are known when it is compiled.

    Args:
        name: what it is called in a compiled program.
        shape: that of the result, from what has the shapes of all arrays.
        plain: its definition.
        either: the same, natively where that serves.
        gradients: from g and all arrays to the gradient of ⟨g, plain⟩ by the first and by the second; None where the
            second counts something and has none.
        of_several: from arrays that count networks on an axis, and these axes, to all results and the axis that counts
            them; the definition mapped over them where it isn't given.
        counts: how many arrays that count follow the two.
    """

    def abstract(*arrays: ShapedArray, **static: Any) -> ShapedArray:
        return typed(shape(*arrays, **static), arrays[0].dtype, arrays)

    def mapped(arrays: tuple, axes: tuple, **static: Any) -> tuple[jax.Array, int]:
        return jax.vmap(partial(plain, **static), in_axes=axes)(*arrays), 0

    primitive = asks_for_devices(Primitive(f"chainrule_{name}"))
    primitive.def_impl(either)
    primitive.def_abstract_eval(abstract)
    ad.defjvp(
        primitive,
        lambda change, _, other, *others, **static: primitive.bind(change, other, *others, **static),
        lambda change, one, _, *others, **static: primitive.bind(one, change, *others, **static),
        *[None] * counts,
    )
    ad.primitive_transposes[primitive] = partial(_transposed, gradients)
    batching.primitive_batchers[primitive] = of_several or mapped
    mlir.register_lowering(primitive, mlir.lower_fun(either, multiple_results=False))
    return lambda *arrays, **static: primitive.bind(*alike(arrays), **static)


def _transposed(gradients: tuple, g: Any, *arrays: Any, **static: Any) -> list:
    """The gradient by the one array that is unknown."""
    asked = next(place for place, array in enumerate(arrays) if ad.is_undefined_primal(array))
    found: list = [None] * len(arrays)
    found[asked] = gradients[asked](ad.instantiate_zeros(g), *arrays, **static)
    return found
