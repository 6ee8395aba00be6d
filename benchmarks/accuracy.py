"""The largest errors here and in the peers, as a table in docs/accuracy.md: `python -m benchmarks.accuracy`."""

import argparse
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"  # before anyone imports Keras

import jax
import jax.numpy as jnp
import keras
import numpy as np
import torch

from chainrule.activations import ELU, Activation, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from chainrule.textbook.accuracy import SMALLEST, SPARSE, blocks, value_and_derivative, worst
from chainrule.textbook.oracle import oracles

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

TEXT = """# How exact the formulas are

The largest error of a float32 result, in units in the last place of the truth: of the value and of the derivative.
The truth is the textbook form in high precision; the inputs are every {every:,}th float32 number, but those below the
smallest normal one (and 0, where a kink may have either slope). A result whose truth is below the smallest normal
number may be 0. Each library computes on this processor, compiled where it compiles.

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
        cells = [cell for contestant in contestants for cell in largest_errors(formula, contestant, every)]
        lines.append(f"| {type(formula).__name__} | " + " | ".join(map(_shown, cells)) + " |")
        print(lines[-1], flush=True)
    versions = (
        ", ".join(f"{name} {version(name.lower())}" for name in ("JAX", "Keras")) + f", PyTorch {version('torch')}"
    )
    Path("docs/accuracy.md").write_text(TEXT.format(every=every, table="\n".join(lines), versions=versions))


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


def _shown(error: float) -> str:
    if error < 1000:
        return f"{error:.1f}"
    return "∞" if np.isinf(error) else f"{error:.0e}".replace("e+0", "e").replace("e+", "e")


if __name__ == "__main__":
    main()
