"""The largest errors, here and in peers, written into docs/accuracy.md and README: `python -m benchmarks.accuracy`."""

import argparse
import os
import re
from collections.abc import Callable
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

from chainrule.activations import ELU, Activation, LeakyReLU, ReLU, Sigmoid, Softmax, Softplus, Tanh
from chainrule.costs import CategoricalCrossEntropy, CrossEntropy
from chainrule.textbook.accuracy.measure import (
    SMALLEST,
    SPARSE,
    blocks,
    rows_for,
    value_and_derivative,
    worst,
    worst_of_rows,
)
from chainrule.textbook.accuracy.oracle import oracles

Pair = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

PEERS: dict[Activation, tuple[Callable, Callable, Callable]] = {
    Tanh(): (torch.tanh, jnp.tanh, keras.activations.tanh),
    Sigmoid(): (torch.sigmoid, jax.nn.sigmoid, keras.activations.sigmoid),
    Softplus(): (torch.nn.functional.softplus, jax.nn.softplus, keras.activations.softplus),
    ELU(): (torch.nn.functional.elu, jax.nn.elu, keras.activations.elu),
    ReLU(): (torch.nn.functional.relu, jax.nn.relu, keras.activations.relu),
    LeakyReLU(): (
        torch.nn.functional.leaky_relu,
        jax.nn.leaky_relu,
        lambda x: keras.activations.leaky_relu(x, negative_slope=0.01),
    ),
}

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
"""


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy", description="The largest errors, and peers'."
    )
    parser.add_argument("--sample", type=int, default=SPARSE, help="take every n-th float32 value")
    every = parser.parse_args().sample
    libraries = ["Chainrule", "PyTorch", "JAX", "Keras"]
    lines = ["| formula | " + " | ".join(f"{name}: value | derivative" for name in libraries) + " |"]
    lines.append("| --- |" + " ---: |" * 8)
    for formula, (in_torch, in_jax, in_keras) in PEERS.items():
        contestants = compiled(formula), eager(in_torch), compiled(in_jax), compiled(in_keras)
        lines.append(_line(formula, [largest_errors(formula, contestant, every) for contestant in contestants]))
    for formula, (in_torch, in_jax, in_keras) in ROWS.items():
        ours = (lambda z, E, f=formula: f(z)) if isinstance(formula, Softmax) else _behind(formula)
        contestants = rows_compiled(ours), rows_eager(in_torch), rows_compiled(in_jax), rows_compiled(in_keras)
        pairs = [worst_of_rows(formula, *contestant(*rows_for(formula))) for contestant in contestants]
        lines.append(_line(formula, [(value.error, derivative.error) for value, derivative in pairs]))
    versions = (
        ", ".join(f"{name} {version(name.lower())}" for name in ("JAX", "Keras")) + f", PyTorch {version('torch')}"
    )
    table, readme = "\n".join(lines), Path("README.md")
    Path("docs/accuracy.md").write_text(TEXT.format(every=every, table=table, versions=versions))
    readme.write_text(re.sub(r"\| formula \| Chainrule: value(.*\n\|)*.*", lambda old: table, readme.read_text()))


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
        x = torch.tensor(x, requires_grad=True)
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


def _line(formula: Any, errors: list[tuple[float, float]]) -> str:
    line = f"| {type(formula).__name__} | " + " | ".join(_shown(each) for pair in errors for each in pair) + " |"
    print(line, flush=True)
    return line


def _shown(error: float) -> str:
    if error < 1000:
        return f"{error:.1f}"
    return "∞" if np.isinf(error) else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


if __name__ == "__main__":
    main()
