"""How far the compiled float32 results of a formula are from the truth, in units in the last place."""

import dataclasses
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, fields
from chainrule.initializers import Constant
from chainrule.notation.families import family
from chainrule.textbook.accuracy.bounded import ulp
from chainrule.textbook.accuracy.oracle import Oracle, RowOracle, is_scalar, oracles
from chainrule.textbook.accuracy.parts import polynomial
from chainrule.textbook.expression import expression, free_indices
from chainrule.textbook.letters import index

BOUND = 2.0
"""The largest error that a formula of one number may have, in units in the last place."""

BOUND_OF_ROWS = 4.0
"""The same for what mixes several numbers."""

SMALLEST = 2.0**-126
"""The smallest normal number; what is smaller, processors may take for 0."""

OVERFLOW = 2.0**128 - 2.0**103
"""What is rounded to infinity."""

PATTERNS = 2**32
BLOCK = 2**18  # values at a time: they stay in the processor's cache
SPARSE = 1009  # outside a compilation, at most every 1009th value is computed

LENGTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33)
"""Lengths of batches around those of vector registers, whose rests compilers treat apart."""

Function = Callable[[Any], Any]


class Worst(NamedTuple):
    """The largest error in units in the last place, the value of x where it is, and how it was computed there."""

    error: float
    at: Any
    how: str = "compiled"


class Run(NamedTuple):
    """A function to call on batches, and what is said of that."""

    function: Function
    batches: list[np.ndarray]
    how: str


class Accuracy(NamedTuple):
    """A formula's largest errors, and what they may be."""

    formula: Any
    value: Worst
    derivative: Worst
    bound: float

    @property
    def kept(self) -> bool:
        """Whether the bound is."""
        return max(self.value.error, self.derivative.error) <= self.bound


def accuracy(formula: Any, every: int = SPARSE, step: Callable[[float], None] = lambda part: None) -> Accuracy:
    """A formula's largest errors.

    Args:
        formula: an activation, or a cost that is computed together with its canonical activation.
        every: for a formula of one number, every n-th of all 2³² float32 values; 1 takes some minutes.
        step: called with the part of the work that was done since.

    Raises:
        ChainruleError: where there is no truth to compare with.

    >>> from chainrule.activations import ReLU
    >>> accuracy(ReLU(), every=1_000_003).kept
    True
    """
    if _mixes(formula):
        found = accuracy_of_rows(formula)
        step(1.0)
        return found
    if not is_scalar(formula):
        raise ChainruleError(
            f"{formula!r}: expected an activation of one number or of a row, such as ELU() or Softmax(), or a cost "
            f"with a canonical activation, such as CrossEntropy(); {_instead(formula)}."
        )
    truth = oracles(formula)
    eager = value_and_derivative(formula)
    compiled = jax.jit(eager)
    runs = itertools.chain(
        (Run(compiled, [block], "compiled") for block in blocks(every)),
        (Run(eager, [block], "not compiled") for block in blocks(max(every, SPARSE))),
        (Run(compiled, draws, f"in a batch of {len(draws[0])}") for draws in batches()),
    )
    count = sum(-(-PATTERNS // (n * BLOCK)) for n in (every, max(every, SPARSE))) + len(LENGTHS)

    def measured(run: Run) -> tuple[Worst, Worst]:
        x = np.concatenate(run.batches)
        value, derivative = (np.concatenate(side) for side in zip(*map(run.function, run.batches), strict=True))
        number = ~np.isnan(x)  # of a NaN there is no derivative
        return (
            worst(value, truth["value"], x, run.how),
            worst(derivative[number], truth["derivative"], x[number], run.how),
        )

    value = derivative = Worst(0.0, 0.0)
    for found in _on_all_cores(measured, runs):
        value, derivative = (
            max(pair, key=lambda each: each.error) for pair in zip((value, derivative), found, strict=True)
        )
        step(1 / count)
    return Accuracy(formula, value, derivative, BOUND)


def verifiable() -> list[Formula]:
    """Every formula whose accuracy can be measured, with its defaults.

    >>> {"Tanh", "Softmax", "CrossEntropy"} <= {type(formula).__name__ for formula in verifiable()}
    True
    """
    classes = [formula for base in (Activation, Cost) for formula in family(base)]
    formulas = [formula() for formula in classes if not any(map(_required, fields(formula)))]
    return [formula for formula in formulas if _mixes(formula) or is_scalar(formula)]


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING


def _mixes(formula: Any) -> bool:
    """Whether it is measured by rows of several numbers: an entry i of its output depends on all of the input."""
    if isinstance(formula, Activation):
        return free_indices(expression(formula)) == {(index("i"),)}
    return isinstance(formula, Cost) and bool(formula.canonical_activations)


def _instead(formula: Any) -> str:
    """Why there is no truth to compare a formula with."""
    if isinstance(formula, Cost):
        return "this cost has none"
    if not isinstance(formula, Activation):
        return f"{type(formula).__name__} is neither"
    drawn = [name for name, each in formula.parameters((1,)).items() if not isinstance(each.initializer, Constant)]
    if drawn:
        return f"its {' and '.join(drawn)} are drawn"
    return "its outputs are not its inputs, one by one"


def accuracy_of_rows(formula: Any) -> Accuracy:
    """The largest errors of Softmax and its kin, or of a cost behind its activations, for rows of logits up to ±10⁴.

    Where it is, is said by the row of logits. Targets are 0 and 1; between them, a − E can be any small number. Those
    of costs of other numbers are of all magnitudes.
    """
    ends = formula.canonical_activations if isinstance(formula, Cost) else [None]
    found = [_worst_behind(formula, end) for end in ends]
    value, derivative = (max(side, key=lambda each: each.error) for side in zip(*found, strict=True))
    return Accuracy(formula, value, derivative, BOUND_OF_ROWS)


def _worst_behind(formula: Any, end: type[Activation] | None) -> tuple[Worst, Worst]:
    z, E = rows_for(formula, end)
    function = (lambda z, E: formula.behind(z, E, end)) if end else (lambda z, E: formula(z))
    derivative = jax.vmap(jax.jit(jax.jacrev(lambda z, E: function(z[None], E[None])[0])))
    return worst_of_rows(formula, function(z, E), derivative(z, E), end)


def rows_for(formula: Any, end: type[Activation] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The rows of logits and of targets on which such a formula is measured."""
    if not isinstance(formula, Cost):
        return logits_and_targets(False)
    z, E = logits_and_targets(is_scalar((end or formula.canonical_activations[0])()))
    if formula.targets.have_classes:
        return z, E
    random = np.random.default_rng(1)
    values = 10.0 ** random.uniform(-2, 2, E.shape)
    return z, np.asarray(values if formula.targets.above else E * values, np.float32)


def worst_of_rows(
    formula: Any, value: Any, derivative: Any, end: type[Activation] | None = None
) -> tuple[Worst, Worst]:
    """The largest errors of anybody's values and derivatives for `rows_for(formula, end)`."""
    z, E = rows_for(formula, end)
    truth = RowOracle(formula, z.shape[1], end)(z, E)
    value, derivative = (
        _worst_row(np.asarray(side).reshape(true.shape), true, z)
        for side, true in zip((value, derivative), truth, strict=True)
    )
    return value, derivative


def _worst_row(results: np.ndarray, truth: np.ndarray, z: np.ndarray) -> Worst:
    with np.errstate(invalid="ignore"):
        lost = np.abs(results - truth) <= SMALLEST  # a term that may be taken for 0
    error = np.where(lost, 0, errors(results, truth)).max(axis=1)
    place = int(np.argmax(error))
    return Worst(float(error[place]), tuple(z[place].tolist()))


def logits_and_targets(independent: bool, rows: int = 120, columns: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Logits of all magnitudes up to 10⁴, some of them alike, and targets: one class, or each entry on its own."""
    random = np.random.default_rng(0)
    z = 10.0 ** random.uniform(-3, 4, (rows, 1)) * random.uniform(-1, 1, (rows, columns))
    z += (random.random((rows, columns)) < 0.3) * random.normal(0, 1, (rows, columns))
    z[::10, 1] = z[::10, 0]
    E = random.random((rows, columns)) < 0.5 if independent else np.eye(columns)[random.integers(columns, size=rows)]
    return np.clip(z, -1e4, 1e4).astype(np.float32), np.asarray(E, np.float32)


def value_and_derivative(f: Function) -> Function:
    """A function's values and derivatives, together."""
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))


def worst(results: np.ndarray, truth: Oracle, x: np.ndarray, how: str) -> Worst:
    """The largest of the results' errors. A number below the smallest normal may be taken for 0."""
    part = truth.part(x)
    if part and len(x) == BLOCK and np.abs(x[[0, -1]]).min() >= SMALLEST:  # most blocks of all numbers
        with jax.enable_x64(True):
            largest, place = _worst_on(*(np.asarray(each, np.float64) for each in (part.coefficients, x, results)))
        return Worst(float(largest), float(x[place]), how)
    error = errors(results, truth(x))
    vanishing = (np.abs(x) < SMALLEST) & (error > 0)
    if vanishing.any():
        error[vanishing] = np.minimum(error[vanishing], errors(results[vanishing], truth(0 * x[vanishing])))
    if not len(x):
        return Worst(0.0, np.nan)
    place = int(np.argmax(error))
    return Worst(float(error[place]), float(x[place]), how)


@jax.jit
def _worst_on(coefficients: jax.Array, x: jax.Array, results: jax.Array) -> tuple[jax.Array, jax.Array]:
    error = errors(results, polynomial(coefficients, x, jnp), jnp)
    place = jnp.argmax(error)
    return error[place], place


def errors(results: Any, truth: Any, numpy: Any = np) -> Any:
    """Each result's error in units in the last place of the truth; infinite for a NaN that the truth is not.

    NumPy computes it, or what has the same functions.
    A truth below the smallest normal number may also be 0, or as far from it as that number; one beyond the largest is
    infinite.

    >>> errors(np.float32([1, 1, 0, 0]), np.array([1, 1 + 2**-23, 1e-39, 2**-126])).tolist()
    [0.0, 1.0, 0.0, 8388608.0]
    """
    with np.errstate(invalid="ignore"):
        results = results.astype(np.float64)
        truth = numpy.where(abs(truth) >= OVERFLOW, numpy.copysign(np.inf, truth), truth)
        distance = abs(results - truth)
        error = distance / ulp(truth)
    vanishing = (distance <= SMALLEST) & (abs(truth) < SMALLEST)
    alike = vanishing | (results == truth) | (numpy.isnan(results) & numpy.isnan(truth))
    return numpy.where(alike, 0, numpy.where(error < np.inf, error, np.inf))


def blocks(every: int) -> Iterator[np.ndarray]:
    """Every n-th of all float32 values, block by block."""
    for start in range(0, PATTERNS, every * BLOCK):
        patterns = np.arange(start, min(start + every * BLOCK, PATTERNS), every, dtype=np.uint64)
        yield patterns.astype(np.uint32).view(np.float32)


def batches() -> Iterator[list[np.ndarray]]:
    """For each short length some batches: numbers of many magnitudes, and among them infinities, zeros and NaN."""
    random = np.random.default_rng(0)
    for length in LENGTHS:
        shape = (16, length)
        magnitudes = 10.0 ** random.uniform(-3, 2, shape) * random.choice([-1, 1], shape)
        odd = random.choice([np.inf, -np.inf, 0.0, np.nan], shape)
        yield list(np.where(random.random(shape) < 0.1, odd, magnitudes).astype(np.float32))


def _on_all_cores(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """The results in the order of the items, a few of which are at work at a time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[Any] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
