"""Functions that are native kernels alone, run without XLA, whose own part in a call takes longer than a row.

JAX traces such a function once. What depends on its constants alone is computed then; what shows the same numbers in
another shape stays where it is; the kernels that remain are called one after another, in one foreign call. Of many
rows each thread takes some through all of them, and waits for no other.
"""

import ctypes
import math
from collections.abc import Callable, Iterable
from functools import cache, partial
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
UNFIT = 1  # what a run says of an input the sum of whose squares is not finite, as in direct.cc
LINE = 64  # bytes of the cache's, each of which an array begins
ARRAYS = 16  # the most of a kernel, as direct.cc has room for
MOST = 1 << 26  # bytes of scratch memory
WORK = 1 << 24  # multiplications, about, from which on a second thread is worth XLA's part
WORTH = 1 << 20  # those of blocks of rows that are worth another thread
LONG = 1 << 34  # those of a tenth of a second
WEIGHTS = {"dense": 1, "product": 1, "convolve": 2} | dict.fromkeys(native.CELLS, 1)  # which operand they are
PANEL = 32  # columns, at the most
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

    def meets(self, other: "Array") -> bool:
        """Whether both share memory."""
        apart = self.first + self.bytes <= other.first or other.first + other.bytes <= self.first
        return self.memory == other.memory and not apart


Value = Array | np.ndarray
"""An array of a program, or one that is known when it is made."""


class Step(NamedTuple):
    """A kernel's call: what it is given by JAX, and with which arrays and words it is called."""

    call: Call
    given: list[Value]
    operands: list[Array]
    results: list[Array]
    words: list[int]

    @property
    def work(self) -> int:
        """Multiplications, about."""
        weights = max((math.prod(of.shape) for of in self.operands[1:]), default=self.operands[0].shape[-1])
        return math.prod(self.operands[0].shape[:-1]) * weights


class OtherStep(Exception):  # noqa: N818
    """A step that is no native kernel."""


class Direct(NamedTuple):
    """A function of so many rows, without XLA.

    Attributes:
        of_block: the function.
        program: its words.
        x, y: what it takes and gives.
        work: multiplications, about.
        look: looks closer at inputs that may hold what is no finite number.
    """

    of_block: Callable[[np.ndarray], np.ndarray]
    program: ctypes.Array
    x: Array
    y: Array
    work: int
    look: Callable[[np.ndarray], None]

    def of_rows(self, smaller: "Direct", blocks: int, x: np.ndarray) -> np.ndarray:
        """The function of more rows in so many blocks, on all threads; `smaller` serves for blocks of one row less."""
        x, size = np.ascontiguousarray(x), self.x.shape[0]
        y = np.empty((len(x), *self.y.shape[1:]), self.y.dtype)
        run, inputs, outputs = _native("chainrule_directly_in_blocks"), x.ctypes.data, y.ctypes.data
        whole, at_once = len(x) - blocks * (size - 1), max(LONG // max(self.work, 1), 1)
        threads = min(1 + blocks * self.work // WORTH, cores())
        for first in range(0, blocks, at_once):  # between which Python may be interrupted
            words = self.program, self.x.bytes, smaller.program, smaller.x.bytes, whole, first
            if outcome := run(*words, min(first + at_once, blocks), inputs, outputs, threads):
                _judge(outcome, self.program, self.look, x)
        return y


@cache
def cores() -> int:
    """How many threads may run at once; to ask takes 5 µs."""
    return max(_native("chainrule_cores")(), 1)


@cache
def _native(name: str) -> Any:
    """A function of the native library, of addresses and whole numbers."""
    whole, address = ctypes.c_int64, ctypes.c_void_p
    takes = {
        "chainrule_directly": (address, ctypes.c_char_p, address),
        "chainrule_directly_in_blocks": (address, whole) * 2 + (whole,) * 3 + (address, address, whole),
        "chainrule_cores": (),
        "chainrule_pack": (whole, whole, address, address),
    }
    return ctypes.CFUNCTYPE(whole, *takes[name])(native.address(name))


Panels = dict[tuple[int, tuple[int, ...]], tuple[np.ndarray, np.ndarray]]
"""By address and shape, constant weights and the same in panels."""


def direct(
    function: Callable[[Any], Any],
    x: np.ndarray,
    panels: Panels | None = None,
    look: Callable[[np.ndarray], None] = lambda x: None,
) -> Direct | None:
    """The function for arrays of the shape and type of x; None where it has other steps, or takes much memory.

    Functions with the same weights may share their `panels`. Inputs whose squares have no finite sum, which is seen on
    the way, `look` is called with.
    """
    if native.processor() is None or jax.default_backend() != "cpu":
        return None
    program = Program({} if panels is None else panels)
    given = Array(INPUT, 0, x.shape, x.dtype)
    try:
        [y] = program.run(jax.make_jaxpr(function)(x), [given])
    except OtherStep:
        return None
    if not (isinstance(y, Array) and y.memory == SCRATCH) or program.scratch > MOST:
        return None
    return program.compiled(given, y, look)


class Program:
    """The calls of kernels that a function comes to."""

    def __init__(self, panels: Panels) -> None:
        self.panels = panels
        self.calls: list[Step] = []
        self.scratch = 0
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
            found = step.primitive.bind(*jax.device_put(given), **step.params)
        return [*map(np.asarray, found if step.primitive.multiple_results else [found])]

    def of_program(self, step: Any, given: list[Value]) -> list[Value]:
        """What any other step gives."""
        name, told = step.primitive.name, step.params
        first, results = given[0], [of.aval for of in step.outvars]
        if name == "chainrule_native":
            return self.called(told["call"], given)
        if name == "custom_jvp_call" and _is_relu(told["call_jaxpr"], first):
            return self.rectified(first)
        if name == "dot_general" and told["dimension_numbers"] == (((len(first.shape) - 1,), (0,)), ((), ())):
            return self.product(first, given[1], results[0].shape)
        if name == "add" and first.shape == results[0].shape and given[1].shape in (first.shape, (1, *first.shape[1:])):
            return self.added(first, given[1])
        if name == "transpose" and told["permutation"] == (1, 0, *range(2, len(first.shape))):
            return self.called(_call("exchange", results[0].shape), given)
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
        call = _call("product", (rows[0], b.shape[-1]), left_turned=0, right_turned=0, packed=0)
        [y] = self.called(call, [self.placed(a)._replace(shape=rows), b])
        return [self.placed(y)._replace(shape=shape)]

    def made(self, name: str, result: Value) -> Step | None:
        """The call of such a kernel that gives a result."""
        steps = (of for of in self.calls if of.call.name == name and result in of.results)
        return next(steps, None) if isinstance(result, Array) else None

    def added(self, a: Value, b: Value) -> list[Value]:
        """A sum, or the whole dense layer whose bias is added."""
        if (step := self.made("product", a)) and isinstance(b, np.ndarray) and len(b) == 1:
            x, weights = step.given
            if isinstance(weights, np.ndarray) and not any(value for _, value in step.call.integers):
                return self.called(_call("dense", a.shape, packed=0, rectified=0), [x, weights, b[0]])
        return self.called(_call("add", a.shape), [a, b])

    def rectified(self, a: Value) -> list[Value]:
        """ReLU, or with it the dense layer behind which it stands, whose weights are in panels."""
        if (step := self.made("dense", a)) and isinstance(step.given[1], np.ndarray):
            return self.called(_call("dense", a.shape, packed=0, rectified=1), step.given)
        return self.called(_call("relu", a.shape), [a])

    def called(self, call: Call, given: list[Value]) -> list[Value]:
        """The results of a kernel."""
        known, (given, told) = given, self.with_panels(call, given)
        operands, results = [*map(self.placed, given)], [*map(self.room, call.shapes, call.dtypes)]
        if call.kept or max(len(operands), len(results), len(call.integers)) > ARRAYS:
            raise OtherStep(call.name)
        words = [native.address(call.target), len(operands), len(results), len(call.integers)]
        words += [word for array in (*operands, *results) for word in array.words]
        for name, value in told.items():
            self.kept.append(ctypes.create_string_buffer(name.encode()))
            words += [ctypes.addressof(self.kept[-1]), value.ndim, *value.shape, *value.ravel().tolist()]
        self.calls.append(Step(call, known, operands, results, words))
        return [*results]

    def with_panels(self, call: Call, given: list[Value]) -> tuple[list[Value], dict[str, Any]]:
        """A kernel's operands and integers, where its weights are constant in panels, cut here once for all calls."""
        place, told = WEIGHTS.get(call.name, 0), call.attributes
        if call.name not in WEIGHTS or isinstance(weights := given[place], Array) or not _takes_panels(call, weights):
            return given, told
        weights = np.ascontiguousarray(weights)
        key = weights.ctypes.data, weights.shape
        if key not in self.panels:
            self.panels[key] = weights, _in_panels(weights)
        self.kept.append(panels := self.panels[key][1])
        packed = Array(CONSTANT, panels.ctypes.data, weights.shape, panels.dtype)
        return [*given[:place], packed, *given[place + 1 :]], told | {"packed": np.int64(1)}

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

    def compiled(self, x: Array, y: Array, look: Callable[[np.ndarray], None]) -> Direct:
        """The program that begins with x and ends with y."""
        run, calls = _native("chainrule_directly"), self.read(y)
        numbers = math.prod(x.shape) if x.dtype == np.float32 else 0
        words = [self.scratch, y.first, y.bytes, numbers, len(calls), *(word for step in calls for word in step.words)]
        program, kept, memory = (ctypes.c_int64 * len(words))(*words), self.kept, ctypes.c_char * y.bytes
        address, shape, dtype, array = ctypes.addressof(program), y.shape, y.dtype, np.ndarray

        def call(x: np.ndarray) -> np.ndarray:
            outputs: Any = memory()  # of which ctypes takes the address faster than of an array
            if outcome := run(address, x.tobytes(), outputs):
                _judge(outcome, (kept, program), look, x)
            return array(shape, dtype, outputs)

        return Direct(call, program, x, y, sum(step.work for step in calls), look)

    def read(self, y: Array) -> list[Step]:
        """The calls without those whose results nobody reads."""
        wanted, steps = [y], []
        for step in reversed(self.calls):
            if any(result.meets(array) for result in step.results for array in wanted):
                steps.append(step)
                wanted += step.operands
        return steps[::-1]


def _judge(outcome: int, program: Any, look: Callable[[np.ndarray], None], x: np.ndarray) -> None:
    """Whether a run that is said not to be as it should be is one after all."""
    if outcome == UNFIT:
        return look(x)
    raise RuntimeError(f"A native kernel refused arrays of its own program: {program}.")


def _in_panels(weights: np.ndarray) -> np.ndarray:
    """A matrix of all weights by the columns, as products read it."""
    pack, sizes = _native("chainrule_pack"), (math.prod(weights.shape[:-1]), weights.shape[-1])
    spare, size = LINE // 4, pack(*sizes, None, None)
    room = np.empty(size + spare, np.float32)
    panels = room[-room.ctypes.data % LINE // 4 :][:size]  # which begin a line
    pack(*sizes, weights.ctypes.data, panels.ctypes.data)
    return panels


def _takes_panels(call: Call, weights: np.ndarray) -> bool:
    """Whether a kernel takes these weights in panels, which are read faster than where they lie."""
    if call.name in native.CELLS:  # which have those of some gates in panels of their own
        return len(weights) % PANEL == 0
    if call.name == "convolve":
        return dict(call.integers)["groups"] == 1
    return True


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
