"""The largest errors, here and in peers, written into docs/accuracy.md and README: `python -m benchmarks.accuracy`.

Those over all float32 numbers take minutes a formula, and are measured one by one: `--full Tanh`, and with `--plain`.
"""

import argparse
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # before anyone imports Keras

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import torch

from chainrule.activations import Activation
from chainrule.notation import parse
from chainrule.textbook.accuracy.measure import (
    BLOCK,
    SMALLEST,
    SPARSE,
    accuracy,
    accuracy_of_rows,
    blocks,
    errors,
    rows_for,
    value_and_derivative,
    verifiable,
    worst_of_rows,
)
from chainrule.textbook.accuracy.oracle import is_scalar, oracles

Peers = tuple[Callable | None, Callable | None, Callable | None]
"""What PyTorch, JAX and Keras have of a formula."""

Contestant = Callable[[np.ndarray], Callable[[], tuple[Any, Any]]]
"""From numbers to a function that computes the values and the derivatives there."""

Errors = tuple[float, float]
"""The largest of the values and of the derivatives."""

F, J, K = torch.nn.functional, jax.nn, keras.activations

PEERS: dict[str, Peers] = {
    "Tanh": (torch.tanh, jnp.tanh, K.tanh),
    "Sigmoid": (torch.sigmoid, J.sigmoid, K.sigmoid),
    "Softplus": (F.softplus, J.softplus, K.softplus),
    "ELU": (F.elu, J.elu, K.elu),
    "ReLU": (F.relu, J.relu, K.relu),
    "LeakyReLU": (F.leaky_relu, J.leaky_relu, partial(K.leaky_relu, negative_slope=0.01)),
    "GELU": (F.gelu, partial(J.gelu, approximate=False), partial(K.gelu, approximate=False)),
    "SiLU": (F.silu, J.silu, K.silu),
    "Mish": (F.mish, J.mish, K.mish),
    "Exp": (torch.exp, jnp.exp, K.exponential),
    "SELU": (F.selu, J.selu, K.selu),
    "CELU": (F.celu, J.celu, K.celu),
    "ReLU6": (F.relu6, J.relu6, K.relu6),
    "HardSwish": (F.hardswish, J.hard_swish, K.hard_silu),
    "Softsign": (F.softsign, J.soft_sign, K.softsign),
    "ArcTan": (torch.atan, jnp.arctan, None),
    "Sinusoid": (torch.sin, jnp.sin, None),
    "LogSigmoid": (F.logsigmoid, J.log_sigmoid, K.log_sigmoid),
    "HardSigmoid": (F.hardsigmoid, J.hard_sigmoid, K.hard_sigmoid),
    "HardTanh": (F.hardtanh, J.hard_tanh, K.hard_tanh),
    "TanhShrink": (F.tanhshrink, None, K.tanh_shrink),
    "SoftShrink": (F.softshrink, None, K.soft_shrink),
    "HardShrink": (F.hardshrink, None, K.hard_shrink),
    "Threshold": (lambda x: F.threshold(x, 1.0, 0.0), None, lambda x: K.threshold(x, 1.0, 0.0)),
}
"""Those of PyTorch, JAX and Keras, with the fields' defaults here; those that are not named nobody else has."""

README = (
    *("Tanh", "Sigmoid", "Softplus", "ELU", "ReLU", "LeakyReLU", "GELU", "SiLU", "Mish"),
    *("Softmax", "CrossEntropy", "CategoricalCrossEntropy"),
)
"""The formulas whose rows the README shows."""

NUMBERS = 1 << 22
"""How many are timed at once."""

ROWS: dict[str, Peers] = {
    "Softmax": (
        lambda z, E: torch.softmax(z, -1),
        lambda z, E: J.softmax(z),
        lambda z, E: K.softmax(z[None])[0],
    ),
    "LogSoftmax": (
        lambda z, E: F.log_softmax(z, -1),
        lambda z, E: J.log_softmax(z),
        lambda z, E: K.log_softmax(z[None])[0],
    ),
    "Softmin": (lambda z, E: F.softmin(z, -1), None, None),
    "CrossEntropy": (
        lambda z, E: F.binary_cross_entropy_with_logits(z, E, reduction="sum"),
        lambda z, E: optax.sigmoid_binary_cross_entropy(z, E).sum(),
        lambda z, E: keras.ops.binary_crossentropy(E, z, from_logits=True).sum(),
    ),
    "CategoricalCrossEntropy": (
        lambda z, E: F.cross_entropy(z, E),
        lambda z, E: optax.softmax_cross_entropy(z, E),
        lambda z, E: keras.ops.categorical_crossentropy(E, z, from_logits=True),
    ),
    "Sparsemax": (None, lambda z, E: optax.projections.projection_simplex(z), lambda z, E: K.sparsemax(z[None])[0]),
    "SparsemaxCost": (None, lambda z, E: optax.losses.multiclass_sparsemax_loss(z[None], jnp.argmax(E)[None])[0], None),
    "Poisson": (lambda z, E: F.poisson_nll_loss(z, E, reduction="sum"), None, None),
}
"""Of a row of logits z and targets E; JAX's costs are Optax's."""

FULL = Path("benchmarks/results/accuracy.json")
"""What was measured over all float32 numbers: of each formula, by its native form and by its plain one."""

TEXT = """# How exact the formulas are

The largest error of a float32 result, in units in the last place of the truth: of the value and of the derivative.
The truth is the textbook form in high precision; the inputs are every {every:,}th float32 number, but those below the
smallest normal one (and 0, where a kink may have either slope). A result whose truth is below the smallest normal
number may be 0. What mixes several numbers is measured on {rows} rows of three logits from −10⁴ to 10⁴, costs behind
their canonical activations. Each library computes on this processor, compiled where it compiles; JAX's costs are
Optax's. Where a library's cells are empty, it does not have the formula.

A float32 number has 24 binary digits, so 1 unit in the last place is its last one, and 2e7 (2²⁴ ≈ 1.7 · 10⁷) are all of
it: the error is as large as the number itself, and no digit is right. So it is where a small derivative comes out as 0.
It is larger still where the truth is 0, and the result is not; where it is ∞, the result is no number, or infinite, and
the truth is neither.

{table}

{versions}. Made by `python -m benchmarks.accuracy`; `chainrule verify` measures Chainrule alone.

## Over every number

The same over all 2³² float32 numbers, infinities, subnormal ones and kinks among them, and over small batches: by the
native kernel, where one serves blocks of numbers on CPUs, and by the plain form, which serves everywhere else. What is
empty is not there, or has not been measured yet: `python -m benchmarks.accuracy --full Tanh` does, and with `--plain`.

{full}
"""

TIMES = """
## How long they take

Nanoseconds a number for value and derivative together, of {numbers} million numbers, the libraries taking turns; to
double the numbers in the same way takes {bare}.

{times}
"""


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description="The largest errors.")
    parser.add_argument("--sample", type=int, default=SPARSE, help="take every n-th float32 value")
    parser.add_argument("--turns", type=int, default=9, help="of timing; 0 leaves the times out")
    parser.add_argument("--full", nargs="+", metavar="FORMULA", help=f"take all of them, and write {FULL} alone")
    parser.add_argument("--plain", action="store_true", help="of the full ones, measure the forms without kernels")
    options = parser.parse_args()
    if options.full:
        over_every_number(map(parse, options.full), options.plain)
    else:
        beside_peers(options.sample, options.turns)


def beside_peers(every: int, turns: int) -> None:
    """Measure every formula and write the tables."""
    libraries = ["Chainrule", "PyTorch", "JAX", "Keras"]
    lines, times = {}, {}
    for formula in verifiable():
        name = type(formula).__name__
        scalar = is_scalar(formula)
        contestants = [compiled(formula), *of_peers(name)] if scalar else []
        found = largest_errors(formula, contestants, every) if scalar else errors_of_rows(formula)
        lines[name] = line(name, (cell for pair in found for cell in (map(shown, pair) if pair else ("", ""))))
        print(lines[name], flush=True)
        if scalar and turns:
            times[name] = line(name, nanoseconds(contestants, turns))
    head = ["formula", *itertools.chain(*((f"{name}: value", "derivative") for name in libraries))]
    page = TEXT.format(
        every=every,
        rows=len(rows_for(parse("Softmax()"))[0]),
        table=table(head, lines.values()),
        versions=f"JAX {version('jax')}, Keras {version('keras')}, PyTorch {version('torch')}",
        full=full_table(json.loads(FULL.read_text())),
    )
    if turns:
        [bare] = nanoseconds([compiled(lambda x: 2 * x)], turns)
        timed = table(["formula", *libraries], times.values())
        page += TIMES.format(numbers=round(NUMBERS / 1e6), bare=bare, times=timed)
    Path("docs/accuracy.md").write_text(page)
    readme, short = Path("README.md"), table(head, (lines[name] for name in README))
    readme.write_text(re.sub(r"\| formula \| Chainrule: value(.*\n\|)*.*", lambda old: short, readme.read_text()))


# Over all numbers.


def over_every_number(formulas: Iterable[Any], plain: bool) -> None:
    """Measure formulas over all float32 numbers, by their native forms or by their plain ones, and keep the results."""
    if plain:
        os.environ["CHAINRULE_KERNELS"] = "none"
    for formula in formulas:
        natively = "@chainrule_" in jax.jit(partial(formula)).lower(np.zeros(BLOCK, np.float32)).as_text()
        found = accuracy(formula, 1)
        kept = json.loads(FULL.read_text()) if FULL.exists() else {}
        forms = kept.setdefault(repr(formula), {})
        forms["native" if natively else "plain"] = [round(side.error, 4) for side in (found.value, found.derivative)]
        FULL.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
        print(repr(formula), forms, flush=True)


def full_table(kept: dict[str, dict[str, list[float]]]) -> str:
    """The table of what is kept."""
    head = ["formula", "native form: value", "derivative", "plain form: value", "derivative"]
    rows = (
        line(f"`{name}`", (cell for form in ("native", "plain") for cell in map(shown, forms.get(form, [None, None]))))
        for name, forms in kept.items()
    )
    return table(head, rows)


# Numbers.


def compiled(function: Callable) -> Contestant:
    """A JAX function."""
    both = jax.jit(value_and_derivative(function))

    def at(x: np.ndarray) -> Callable[[], tuple[Any, Any]]:
        numbers = jnp.asarray(x)
        return lambda: jax.block_until_ready(both(numbers))

    return at


def eager(function: Callable) -> Contestant:
    """A PyTorch function."""

    def at(x: np.ndarray) -> Callable[[], tuple[Any, Any]]:
        numbers, ones = torch.from_numpy(x).requires_grad_(), torch.ones(len(x))

        def both() -> tuple[Any, Any]:
            y = function(numbers)
            return y.detach(), torch.autograd.grad(y, numbers, ones)[0]

        return both

    return at


def of_peers(name: str) -> list[Contestant | None]:
    """A formula as PyTorch, JAX and Keras have it; None where they do not."""
    peers = zip((eager, compiled, compiled), PEERS.get(name, (None, None, None)), strict=True)
    return [peer and way(peer) for way, peer in peers]


def largest_errors(formula: Activation, contestants: list[Contestant | None], every: int) -> list[Errors | None]:
    """Of each one's values and derivatives of a formula."""
    truth = oracles(formula).values()
    largest = np.zeros((len(contestants), 2))
    for block in blocks(every):
        x = block[np.isfinite(block) & (np.abs(block) >= SMALLEST)]
        if not len(x):
            continue
        true = [oracle(x) for oracle in truth]
        for found, contestant in zip(largest, contestants, strict=True):
            results = contestant(x)() if contestant else []
            for side, result in enumerate(results):
                found[side] = max(found[side], errors(np.asarray(result), true[side]).max())
    return [tuple(found) if contestant else None for found, contestant in zip(largest, contestants, strict=True)]


def nanoseconds(contestants: list[Contestant | None], turns: int) -> list[str]:
    """The median time of each a number, taking turns."""
    x = np.random.default_rng(0).normal(0, 3, NUMBERS).astype(np.float32)
    works = [contestant and contestant(x) for contestant in contestants]
    found: list[list[float]] = [[] for _ in works]
    for _ in range(turns + 1):
        for work, taken in zip(works, found, strict=True):
            if work:
                began = time.perf_counter()
                work()
                taken.append(time.perf_counter() - began)
    return [f"{np.median(taken[1:]) / NUMBERS * 1e9:.2f}" if taken else "" for taken in found]


# Rows.


def errors_of_rows(formula: Any) -> list[Errors | None]:
    """Of each one's values and derivatives of what mixes several numbers."""
    peers = zip((rows_eager, rows_compiled, rows_compiled), ROWS.get(type(formula).__name__, (None,) * 3), strict=True)
    ours = accuracy_of_rows(formula)
    theirs = [peer and worst_of_rows(formula, *way(peer)(*rows_for(formula))) for way, peer in peers]
    return [pair and (pair[0].error, pair[1].error) for pair in ((ours.value, ours.derivative), *theirs)]


def rows_compiled(function: Callable) -> Callable:
    """A JAX function's values and derivatives by z, row by row."""
    return jax.jit(jax.vmap(lambda z, E: (function(z, E), jax.jacrev(function)(z, E))))


def rows_eager(function: Callable) -> Callable:
    """A PyTorch function's values and derivatives by z, row by row."""

    def both(z: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = [(torch.tensor(logits), torch.tensor(targets)) for logits, targets in zip(z, E, strict=True)]
        slopes = [torch.autograd.functional.jacobian(lambda z, E=E: function(z, E), z) for z, E in rows]
        return np.stack([function(*row).numpy() for row in rows]), np.stack([slope.numpy() for slope in slopes])

    return both


# Tables.


def table(head: list[str], rows: Iterable[str]) -> str:
    """A table whose columns of numbers stand to the right."""
    return "\n".join([line(head[0], head[1:]), f"| --- |{' ---: |' * (len(head) - 1)}", *rows])


def line(name: str, cells: Iterable[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join([name, *cells])} |"


def shown(error: float | None) -> str:
    """An error as the tables show it."""
    if error is None:
        return ""
    if error < 1000:
        return f"{error:.1f}"
    return "∞" if not np.isfinite(error) else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


if __name__ == "__main__":
    main()
