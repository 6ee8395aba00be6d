"""A call of a native kernel as a primitive of JAX, which several networks and several devices may share."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from chainrule.kernels.sharding import Rule, Shape, alike, asks_for_devices, cut, several_devices, typed


class Call(NamedTuple):
    """All that is said in a call but the arrays.

    Attributes:
        name: the kernel's.
        shapes: those of the results.
        dtypes: those of the results.
        rule: what the axes of operands and results are called.
        together: whether one call serves several networks, whose number is a first axis of all arrays.
        kept: how many operands behind the first one are overwritten by the results, where nobody needs them.
        integers: what else the kernel is told, by name.
    """

    name: str
    shapes: tuple[Shape, ...]
    dtypes: tuple[Any, ...]
    rule: Rule
    together: bool = False
    kept: int = 0
    integers: tuple[tuple[str, Any], ...] = ()

    def __call__(self, *arrays: Any) -> list[jax.Array]:
        """The results."""
        return _native.bind(*alike(map(jnp.asarray, arrays)), call=self)

    def of_networks(self, size: int) -> "Call":
        """The same of as many networks, counted by the first axis of all arrays."""
        return self._replace(shapes=tuple((size, *shape) for shape in self.shapes), rule=self.rule.of_networks)

    @property
    def target(self) -> str:
        """What XLA knows the kernel by."""
        return f"chainrule_{self.name}"

    @property
    def attributes(self) -> dict[str, Any]:
        """The integers as the kernel takes them."""
        return {name: np.asarray(value, np.int64)[()] for name, value in self.integers}

    @property
    def places(self) -> dict[int, int]:
        """Which result is written where which operand was."""
        return {1 + number: number for number in range(self.kept)}


_native = asks_for_devices(Primitive("chainrule_native"))
_native.multiple_results = True


@lru_cache(1024)
def _compiled(call: Call) -> Any:
    return jax.jit(partial(_native.bind, call=call))


@_native.def_impl
def _(*arrays: Any, call: Call) -> Any:
    with jax.disable_jit(False):  # else the program would ask for itself
        return _compiled(call)(*arrays)


@_native.def_abstract_eval
def _(*operands: ShapedArray, call: Call) -> list[ShapedArray]:
    return [typed(shape, dtype, operands) for shape, dtype in zip(call.shapes, call.dtypes, strict=True)]


def _lowered(context: Any, *operands: Any, call: Call) -> Any:
    if not several_devices(context):
        lower = jax.ffi.ffi_lowering(call.target, operand_output_aliases=call.places)
        return lower(context, *operands, **call.attributes)

    def part(shapes: list[Shape], *arrays: jax.Array) -> list[jax.Array]:
        results = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in zip(shapes, call.dtypes, strict=True)]
        return [*jax.ffi.ffi_call(call.target, results, input_output_aliases=call.places)(*arrays, **call.attributes)]

    return mlir.lower_fun(cut(part, call.rule, call.shapes), multiple_results=True)(context, *operands)


def _batched(arrays: Any, axes: Any, *, call: Call) -> tuple[list[jax.Array], list[int]]:
    first = [a if axis is None else jnp.moveaxis(a, axis, 0) for a, axis in zip(arrays, axes, strict=True)]
    own = {number: first[number] for number, axis in enumerate(axes) if axis is not None}
    size = len(next(iter(own.values())))
    if call.together:
        each = [own.get(number, jnp.broadcast_to(a, (size, *a.shape))) for number, a in enumerate(first)]
        found = call.of_networks(size)(*each)
    else:
        found = lax.map(lambda own: call(*(own.get(number, a) for number, a in enumerate(first))), own)
    return found, [0] * len(found)


mlir.register_lowering(_native, _lowered)
batching.primitive_batchers[_native] = _batched
