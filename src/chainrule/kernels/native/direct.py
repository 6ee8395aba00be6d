"""Functions that are native kernels alone, run without XLA, whose own part in a call takes longer than a row.

JAX traces such a function once. What depends on its constants alone is computed then; what shows the same numbers in
another shape stays where it is; the kernels that remain are called one after another, in one foreign call, by one
thread.
"""

import ctypes
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from chainrule.arrays import functions
from chainrule.kernels import native
from chainrule.kernels.native.primitive import Call
from chainrule.kernels.sharding import Rule

CONSTANT, INPUT, SCRATCH = range(3)  # the memories of arrays, as direct.cc numbers them
TYPES = {np.dtype(np.int32): 4, np.dtype(np.uint8): 6, np.dtype(np.float32): 11}  # as XLA numbers them
LINE = 64  # bytes of the cache's, each of which an array begins
ARRAYS = 16  # the most of a kernel, as direct.cc has room for
WORK = 1 << 24  # multiplications, about, from which on a second thread is worth XLA's part
WITHIN = {"jit": "jaxpr", "pjit": "jaxpr", "custom_vmap_call": "call", "custom_jvp_call": "call_jaxpr"}
SAME = {"reshape", "squeeze", "expand_dims", "stack", "broadcast_in_dim", "convert_element_type", "copy"}


class Array(NamedTuple):
    """An array that a program computes or is given: its memory, its first byte there, its shape and type."""

    memory: int
    first: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def bytes(self) -> int:
        """How many it takes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def words(self) -> list[int]:
        """Itself, as direct.cc reads it."""
        return [self.memory, self.first, TYPES[self.dtype], len(self.shape), *self.shape]


Value = Array | np.ndarray
"""An array of a program, or one that is known when it is made."""


class OtherStep(Exception):  # noqa: N818
    """A step that is no native kernel."""


def direct(function: Callable[[Any], Any], x: np.ndarray) -> Callable[[np.ndarray], np.ndarray] | None:
    """The function for arrays of the shape and type of x; None where it has other steps, or more work."""
    if native.processor() is None or jax.default_backend() != "cpu":
        return None
    program = Program()
    try:
        [y] = program.run(jax.make_jaxpr(function)(x), [Array(INPUT, 0, x.shape, x.dtype)])
    except OtherStep:
        return None
    if not (isinstance(y, Array) and y.memory == SCRATCH) or program.work > WORK:
        return None
    return program.compiled(y)


class Program:
    """The calls of kernels that a function comes to."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.scratch = self.work = 0
        self.kept: list[Any] = []  # that whose addresses the calls have

    def run(self, steps: ClosedJaxpr, arguments: Iterable[Value]) -> list[Value]:
        """What steps give for their arguments."""
        known = dict(zip(steps.jaxpr.constvars, map(np.asarray, steps.consts), strict=True))
        known |= dict(zip(steps.jaxpr.invars, arguments, strict=True))

        def value(atom: Any) -> Value:
            return np.asarray(atom.val, jnp.result_type(atom.aval)) if isinstance(atom, Literal) else known[atom]

        for step in steps.jaxpr.eqns:
            given = [*map(value, step.invars)]
            form = self.of_program if any(isinstance(of, Array) for of in given) else self.of_constants
            known |= dict(zip(step.outvars, form(step, given), strict=True))
        return [*map(value, steps.jaxpr.outvars)]

    def of_constants(self, step: Any, given: list[Value]) -> list[Value]:
        """What a step gives that depends on constants alone."""
        if step.primitive.name == "platform_index":
            kinds = step.params["platforms"]
            return [np.asarray(next(i for i, of in enumerate(kinds) if of is None or "cpu" in of))]
        with jax.ensure_compile_time_eval():
            found = step.primitive.bind(*map(jnp.asarray, given), **step.params)
        return [*map(np.asarray, found if step.primitive.multiple_results else [found])]

    def of_program(self, step: Any, given: list[Value]) -> list[Value]:
        """What any other step gives."""
        name, told = step.primitive.name, step.params
        first, results = given[0], [of.aval for of in step.outvars]
        if name == "chainrule_native":
            return self.called(told["call"], given)
        if name == "custom_jvp_call" and _is_relu(told["call_jaxpr"], first):
            return self.called(_call("relu", first.shape), given)
        if name == "dot_general" and told["dimension_numbers"] == (((len(first.shape) - 1,), (0,)), ((), ())):
            return self.product(first, given[1], results[0].shape)
        if name in WITHIN:
            return self.run(told[WITHIN[name]], given)
        if name == "cond" and isinstance(first, np.ndarray):
            return self.run(told["branches"][int(first)], given[1:])
        if name.startswith("chainrule_"):  # a primitive of ours, which is what it runs
            like = [jax.ShapeDtypeStruct(of.shape, of.dtype) for of in given]
            return self.run(jax.make_jaxpr(_listed(step.primitive, told))(*like), given)
        return [shown(name, told, first, results[0])]

    def product(self, a: Value, b: Value, shape: tuple[int, ...]) -> list[Value]:
        """The product of matrices, of which the first may have more axes."""
        rows = (math.prod(a.shape[:-1]), a.shape[-1])
        call = _call("product", (rows[0], b.shape[-1]), left_turned=0, right_turned=0)
        [y] = self.called(call, [self.placed(a)._replace(shape=rows), b])
        return [self.placed(y)._replace(shape=shape)]

    def called(self, call: Call, given: list[Value]) -> list[Value]:
        """The results of a kernel."""
        operands, results = [*map(self.placed, given)], [*map(self.room, call.shapes, call.dtypes)]
        if call.kept or max(len(operands), len(results), len(call.integers)) > ARRAYS:
            raise OtherStep(call.name)
        words = [native.address(call.target), len(operands), len(results), len(call.integers)]
        words += [word for array in (*operands, *results) for word in array.words]
        for name, value in call.attributes.items():
            self.kept.append(ctypes.create_string_buffer(name.encode()))
            words += [ctypes.addressof(self.kept[-1]), value.ndim, *value.shape, *value.ravel().tolist()]
        self.calls.append(words)
        kernel = max(operands[1:] or operands, key=lambda of: of.bytes).shape
        self.work += max(math.prod(of.shape) for of in results) * math.prod(kernel[:-1] if operands[1:] else ())
        return [*results]

    def placed(self, value: Value) -> Array:
        """A value as an array of the program; a constant one stays in memory."""
        if not isinstance(value, Array):
            self.kept.append(value := np.ascontiguousarray(value))
            value = Array(CONSTANT, value.ctypes.data, value.shape, value.dtype)
        if value.dtype not in TYPES:
            raise OtherStep(str(value.dtype))
        return value

    def room(self, shape: tuple[int, ...], dtype: np.dtype) -> Array:
        """Scratch memory for an array."""
        array = Array(SCRATCH, self.scratch, shape, np.dtype(dtype))
        self.scratch += -(-array.bytes // LINE) * LINE
        return array

    def compiled(self, y: Array) -> Callable[[np.ndarray], np.ndarray]:
        """The program that ends with y."""
        run = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        run = run(native.address("chainrule_directly"))
        words = [self.scratch, y.first, y.bytes, len(self.calls), *(word for call in self.calls for word in call)]
        program, kept, memory = (ctypes.c_int64 * len(words))(*words), self.kept, ctypes.c_char * y.bytes
        address, shape, dtype, array = ctypes.addressof(program), y.shape, y.dtype, np.ndarray

        def call(x: np.ndarray) -> np.ndarray:
            outputs: Any = memory()  # of which ctypes takes the address faster than of an array
            if run(address, x.tobytes(), outputs):
                raise RuntimeError(f"A native kernel refused arrays of its own program: {kept}, {program}.")
            return array(shape, dtype, outputs)

        return call


def shown(name: str, told: dict[str, Any], x: Value, y: Any) -> Value:
    """The same numbers in another shape, or some of them that lie together."""
    if not isinstance(x, Array) or x.dtype != y.dtype:
        raise OtherStep(name)
    if name == "slice" and set(told["strides"] or (1,)) == {1}:
        cut = [axis for axis, size in enumerate(x.shape) if y.shape[axis] != size]
        if all(size == 1 for size in y.shape[: max(cut, default=0)]):
            before = np.ravel_multi_index(told["start_indices"], x.shape)
            return x._replace(first=x.first + int(before) * x.dtype.itemsize, shape=y.shape)
    moved = [axis for axis in told.get("permutation", ()) if x.shape[axis] > 1]
    alike = name in SAME and math.prod(x.shape) == math.prod(y.shape)
    if alike or (name == "transpose" and moved == sorted(moved)):
        return x._replace(shape=y.shape)
    raise OtherStep(name)


def _call(name: str, shape: tuple[int, ...], **integers: int) -> Call:
    return Call(name, (shape,), (np.dtype(np.float32),), Rule((), ()), integers=tuple(sorted(integers.items())))


def _is_relu(steps: ClosedJaxpr, x: Value) -> bool:
    """Whether steps are the definition that XLA fuses with its neighbours, for which there is a kernel as well."""
    [step] = jax.make_jaxpr(functions.relu)(jax.ShapeDtypeStruct(x.shape, x.dtype)).jaxpr.eqns
    return str(step.params["call_jaxpr"]) == str(steps)


def _listed(primitive: Any, told: dict[str, Any]) -> Callable[..., list]:
    run = partial(primitive.impl, **told)
    return run if primitive.multiple_results else lambda *arrays: [run(*arrays)]
