"""The largest errors, here and in peers, written into docs/accuracy.md and README: `python -m benchmarks.accuracy`."""

import argparse
import os
import re
import time
from collections.abc import Callable
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

from chainrule.activations import Activation, Softmax
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy
from chainrule.textbook.accuracy.measure import (
    SMALLEST,
    SPARSE,
    accuracy_of_rows,
    blocks,
    rows_for,
    value_and_derivative,
    verifiable,
    worst,
    worst_of_rows,
)
from chainrule.textbook.accuracy.oracle import is_scalar, oracles

Pair = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

F, J, K = torch.nn.functional, jax.nn, keras.activations

PEERS: dict[str, tuple[Callable | None, Callable | None, Callable | None]] = {
    "Tanh": (torch.tanh, jnp.tanh, K.tanh),
    "Sigmoid": (torch.sigmoid, J.sigmoid, K.sigmoid),
    "Softplus": (F.softplus, J.softplus, K.softplus),
    "ELU": (F.elu, J.elu, K.elu),
    "ReLU": (F.relu, J.relu, K.relu),
    "LeakyReLU": (F.leaky_relu, J.leaky_relu, partial(K.leaky_relu, negative_slope=0.01)),
    "GELU": (F.gelu, partial(J.gelu, approximate=False), partial(K.gelu, approximate=False)),
    "SiLU": (F.silu, J.silu, K.silu),
    "Mish": (F.mish, J.mish, K.mish),
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
}
"""Those of PyTorch, JAX and Keras, with the fields' defaults here; those that are not named nobody else has."""

README = ("Tanh", "Sigmoid", "Softplus", "ELU", "ReLU", "LeakyReLU", "GELU", "SiLU", "Mish", "Softmax", "CrossEntropy")
"""The formulas whose rows the README shows."""

NUMBERS, TURNS = 1 << 22, 9
"""How many numbers are timed at once, and how often."""

ROWS = {
    Softmax(): (
        lambda z, E: torch.softmax(z, -1),
        lambda z, E: jax.nn.softmax(z),
        lambda z, E: keras.activations.softmax(z[None])[0],
    ),
    CrossEntropy(): (
        lambda z, E: torch.nn.functional.binary_cross_entropy_with_logits(z, E, reduction="sum"),
        lambda z, E: optax.sigmoid_binary_cross_entropy(z, E).sum(),
        lambda z, E: keras.ops.binary_crossentropy(E, z, from_logits=True).sum(),
    ),
    CategoricalCrossEntropy(): (
        lambda z, E: torch.nn.functional.cross_entropy(z, E),
        lambda z, E: optax.softmax_cross_entropy(z, E),
        lambda z, E: keras.ops.categorical_crossentropy(E, z, from_logits=True),
    ),
}
"""Of a row of logits z and targets E: Softmax, and the costs behind Sigmoid and Softmax; JAX's costs are Optax's."""

TEXT = """# How exact the formulas are

The largest error of a float32 result, in units in the last place of the truth: of the value and of the derivative.
The truth is the textbook form in high precision; the inputs are every {every:,}th float32 number, but those below the
smallest normal one (and 0, where a kink may have either slope). A result whose truth is below the smallest normal
number may be 0. Softmax, and the costs behind Sigmoid and Softmax, are measured on 200 rows of three logits from −10⁴
to 10⁴. Each library computes on this processor, compiled where it compiles; JAX's costs are Optax's.

A float32 number has 24 binary digits, so 1 unit in the last place is its last one, and 2e7 (2²⁴ ≈ 1.7 · 10⁷) are all of
it: the error is as large as the number itself, and no digit is right. So it is where a small derivative comes out as 0.

{table}

{versions}. Made by `python -m benchmarks.accuracy`; `chainrule verify` measures Chainrule alone.

## How long they take

Nanoseconds a number for value and derivative together, of 4 million numbers; to double them takes {bare}.

{times}
"""


def main() -> None:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description="The largest errors, and peers'."
    )
    parser.add_argument("--sample", type=int, default=SPARSE, help="take every n-th float32 value")
    every = parser.parse_args().sample
    libraries = ["Chainrule", "PyTorch", "JAX", "Keras"]
    head = f"| formula | {' | '.join(f'{name}: value | derivative' for name in libraries)} |\n| --- |{' ---: |' * 8}"
    lines, times = {}, {}
    for formula in verifiable():
        name = type(formula).__name__
        if is_scalar(formula):
            peers = zip((eager, compiled, compiled), PEERS.get(name, (None, None, None)), strict=True)
            contestants = [compiled(formula), *(peer and way(peer) for way, peer in peers)]
            lines[name] = _line(formula, [each and largest_errors(formula, each, every) for each in contestants])
            times[name] = f"| {name} | {' | '.join(nanoseconds(contestants))} |"
        elif formula in ROWS:
            in_torch, in_jax, in_keras = ROWS[formula]
            ours = (lambda z, E, f=formula: f(z)) if isinstance(formula, Softmax) else _behind(formula)
            contestants = [rows_compiled(ours), rows_eager(in_torch), rows_compiled(in_jax), rows_compiled(in_keras)]
            pairs = [worst_of_rows(formula, *contestant(*rows_for(formula))) for contestant in contestants]
            lines[name] = _line(formula, [(value.error, derivative.error) for value, derivative in pairs])
        else:
            value, derivative = accuracy_of_rows(formula)[1:3]
            lines[name] = _line(formula, [(value.error, derivative.error), None, None, None])
    [bare] = nanoseconds([compiled(lambda x: 2 * x)])
    versions = (
        ", ".join(f"{name} {version(name.lower())}" for name in ("JAX", "Keras")) + f", PyTorch {version('torch')}"
    )
    table, short = ("\n".join([head, *rows]) for rows in (lines.values(), [lines[name] for name in README]))
    timed = "\n".join([f"| formula | {' | '.join(libraries)} |", f"| --- |{' ---: |' * 4}", *times.values()])
    Path("docs/accuracy.md").write_text(
        TEXT.format(every=every, table=table, times=timed, bare=bare, versions=versions)
    )
    readme = Path("README.md")
    readme.write_text(re.sub(r"\| formula \| Chainrule: value(.*\n\|)*.*", lambda old: short, readme.read_text()))


def nanoseconds(functions: list[Pair | None]) -> list[str]:
    """The median time of each a number, taking turns."""
    x = np.random.default_rng(0).normal(0, 3, NUMBERS).astype(np.float32)
    found: list[list[float]] = [[] for _ in functions]
    for _ in range(TURNS + 1):
        for function, taken in zip(functions, found, strict=True):
            if function:
                began = time.perf_counter()
                function(x)
                taken.append(time.perf_counter() - began)
    return [f"{np.median(taken[1:]) / NUMBERS * 1e9:.2f}" if taken else "" for taken in found]


def largest_errors(formula: Activation, function: Pair, every: int) -> tuple[float, float]:
    """Of a library's values and derivatives of a formula."""
    truth, found = oracles(formula), [0.0, 0.0]
    for block in blocks(every):
        x = block[np.abs(block) >= SMALLEST]
        for side, (results, oracle) in enumerate(zip(function(x), truth.values(), strict=True)):
            found[side] = max(found[side], worst(results, oracle, x, "").error)
    return found[0], found[1]


def compiled(function: Callable) -> Pair:
    """A JAX function's values and derivatives."""
    both = jax.jit(value_and_derivative(function))
    return lambda x: tuple(map(np.asarray, both(x)))


def eager(function: Callable) -> Pair:
    """A PyTorch function's values and derivatives."""

    def both(x):
        x = torch.from_numpy(x).requires_grad_()
        y = function(x)
        y.sum().backward()
        return y.detach().numpy(), x.grad.numpy()

    return both


def rows_compiled(function: Callable) -> Callable:
    """A JAX function's values and derivatives by z, row by row."""
    both = jax.jit(jax.vmap(lambda z, E: (function(z, E), jax.jacrev(function)(z, E))))
    return lambda z, E: tuple(map(np.asarray, both(z, E)))


def rows_eager(function: Callable) -> Callable:
    """A PyTorch function's values and derivatives by z, row by row."""

    def both(z, E):
        rows = [(torch.tensor(logits), torch.tensor(targets)) for logits, targets in zip(z, E, strict=True)]
        slopes = [torch.autograd.functional.jacobian(lambda z, E=E: function(z, E), z) for z, E in rows]
        return np.stack([function(*row).numpy() for row in rows]), np.stack([slope.numpy() for slope in slopes])

    return both


def _behind(cost: CrossEntropy | CategoricalCrossEntropy) -> Callable:
    return lambda z, E: cost.behind(z[None], E[None])[0]


def _line(formula: Any, errors: list[tuple[float, float] | None]) -> str:
    cells = [_shown(each) if pair else "" for pair in errors for each in pair or (0.0, 0.0)]
    line = f"| {type(formula).__name__} | {' | '.join(cells)} |"
    print(line, flush=True)
    return line


def _shown(error: float) -> str:
    if error < 1000:
        return f"{error:.1f}"
    return "∞" if np.isinf(error) else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


if __name__ == "__main__":
    main()
