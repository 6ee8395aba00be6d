"""The native kernels of every processor that this machine understands, under GCC's address and undefined behaviour
sanitizers, against the plain definitions: `python tests/kernels/sanitize.py`."""

import ctypes
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.formula.network import initialize
from chainrule.kernels import elementwise, native
from chainrule.kernels.mixtures import mixed
from chainrule.kernels.native.direct import direct
from chainrule.kernels.softmax import surprisal
from chainrule.notation import parse

CASES = [
    *(('Conv2D(5, 3, padding="same")', (9, 7, 3), 30), ('Conv2D(33, (2, 3), stride=2, padding="same")', (9, 7, 3), 1)),
    *(("Conv2D(5, 4, stride=4)", (9, 8, 3), 2),),
    *(("Conv2D(4, 2, stride=3)", (9, 7, 3), 2), ("Conv2D(6, 3, groups=3, dilation=2)", (9, 7, 3), 30)),
    *(("Conv2D(3, 3, groups=3, padding=2)", (9, 7, 3), 30), ("Conv2D(16, 1)", (5, 5, 17), 1)),
    *(
        ('DepthwiseConv2D(3, padding="same")', (4, 23, 19), 2),
        ("DepthwiseConv2D(5, stride=2, padding=6)", (7, 9, 33), 3),
    ),
    *(('Conv1D(7, 3, padding="causal", dilation=2)', (9, 3), 5), ("RNN(5)", (9, 3), 1)),
    *(("Tanh()", (17,), 1), ("Sigmoid()", (5, 3), 1), ("Softplus()", (7, 341), 7), ("ELU(0.5)", (33,), 1)),
    *(("Snake()", (5, 33), 3), ("SoftExponential(0.5)", (17,), 1), ("Softsign()", (33,), 1), ("ISRU()", (7,), 3)),
    *(('MaxPool2D(3, stride=2, padding="same")', (9, 7, 17), 30), ("MaxPool1D(3, stride=1, padding=2)", (9, 3), 2)),
    *(('Conv1D(5, 3, padding="same")', (9000, 2), 2), ('MaxPool2D((1, 3), stride=2, padding="same")', (5, 8, 16), 1)),
    *(("MaxPool2D((3, 2))", (10, 6, 20), 3), ("MaxPool2D(2)", (6, 4, 16), 30), ("MaxPool1D(2)", (9, 3), 2)),
    *(("Conv2D(70, 3, bias=False)", (8, 30, 1), 2), ('Conv1D(48, 5, padding="same")', (21, 16), 30)),
    *(
        ('Conv2D(33, 3, padding="same") >> ReLU() >> MaxPool2D(2)', (9, 7, 3), 30),
        ("Conv1D(5, 3) >> ReLU()", (9, 3), 5),
    ),
    *(("Conv2D(4, 2, stride=2) >> MaxPool2D((1, 3))", (9, 13, 17), 2), ("Conv1D(7, 5) >> MaxPool1D(4)", (9000, 2), 2)),
    *(("Embedding(30, 200)", (9,), 5), ("Embedding(300, 17)", (30,), 11)),
    *(("Periodic(5, 2)", (3,), 13), ("Periodic(16, 33)", (70,), 50)),
    *(("Dense(21)", (5,), 30), ("Dense(33)", (17,), 9), ("Dense(70)", (300,), 101), ("Dense(1)", (1,), 13)),
    *(("Dense(21)", (5,), 3), ("Dense(300)", (3,), 1), ("Softmax()", (203,), 5), ("Softmax()", (3,), 13)),
    *(("LSTM(17)", (9, 3), 30), ("GRU(16, reset_after=True)", (9, 3), 13), ("GRU(5)", (9, 3), 30)),
    # no biases: the gradient by that of the keys is 0, of which only rounding would be compared
    *(
        ("SelfAttention(3, causal=True, key_size=5, value_size=33, bias=False)", (37, 6), 3),
        ("SelfAttention(2, bias=False)", (700, 4), 1),
    ),
]
FEW = (  # run without XLA
    ("Dense(33) >> ReLU() >> Dense(5) >> Tanh() >> Dense(3) >> Softmax()", (17,), 3),
    ('Conv2D(5, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Flatten() >> Dense(2)', (9, 7, 3), 1),
    *(("LSTM(17) >> Dense(2)", (9, 3), 2), ("GRU(32, return_sequences=True) >> LSTM(3)", (9, 3), 2)),
    *(("Dense(33) >> ReLU() >> Dense(20)", (17,), 5), ("Conv2D(33, 3) >> MaxPool2D(2)", (9, 7, 3), 2)),
)
ALONE = (
    *("ReLU()", "LeakyReLU(0.3)"),  # native for large arrays alone, where no layers are beside them
    *("GELU()", "GELU(approximate=True)", "SiLU(1.7)", "Mish()", "TanhExp()", "LiSHT()", "ELiSH()", "HardELiSH()"),
    *("SELU()", "CELU(0.5)", "ISRLU()", "LogSigmoid()", "ArcTan()", "SobolevaTanh(2, 1, 3, 1)", "SoftClipping(3)"),
    *("TanhShrink()", "Sinusoid()", "Sinc()", "Gaussian()", "BentIdentity()", "Exp()"),
)
OPTIMIZERS = (
    "GradientDescent()",
    "Momentum()",
    "Nesterov()",
    "Adagrad()",
    "Adadelta()",
    "RMSprop()",
    "Adam()",
    "AdamW()",
)
FLAGS = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mfma"]}
FAST = ["--xla_backend_optimization_level=0", "--xla_cpu_use_fusion_emitters=false"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-O0", "-g"]


def results() -> list:
    """Values and gradients of every case, compiled as one program."""

    def case(text: str, shape: tuple, batch: int, scale: Any = 1.0):
        layer = parse(text)
        p = jax.tree.map(lambda array: scale * array, initialize(layer, shape, jax.random.key(0)))
        x = jax.random.normal(jax.random.key(1), (batch, *shape))
        return layer.forward(p, x), jax.grad(lambda p, x: jnp.sum(layer.forward(p, x) ** 2), argnums=(0, 1))(p, x)

    def step(text: str):
        optimizer, params = parse(text), [jnp.ones((33, 35)), jnp.ones(7), jnp.ones(())]
        return optimizer.advance(params, jax.tree.map(jnp.sin, params), optimizer.init(params))

    def mixture(rows: int, units: int, examples: int, places: int):
        table, weights = (jnp.sin(jnp.arange(a * b)).reshape(a, b) for a, b in ((rows, units), (examples, places)))
        numbers = jnp.sort(jnp.arange(examples * places).reshape(examples, places) * 7 % (rows + 3) - 1)

        def cost(table, weights):
            return jnp.sum(mixed(table, weights, numbers) ** 2)

        return mixed(table, weights, numbers), jax.grad(cost, argnums=(0, 1))(table, weights)

    def alone(text: str):
        x = jnp.linspace(-3, 3, 35)
        return parse(text)(x), jax.jvp(parse(text), (x,), (x,))

    def everything():
        population = jax.vmap(lambda scale: case("Dense(21)", (5,), 30, scale))(jnp.arange(1.0, 4.0))
        steps = [step(text) for text in OPTIMIZERS]
        surprisals = [surprisal(jnp.sin(jnp.arange(9.0 * of)).reshape(9, of)) for of in (1, 5, 70)]
        mixtures = [mixture(5, 3, 4, 6), mixture(700, 33, 2000, 9)]
        return [case(*each) for each in CASES], population, [alone(text) for text in ALONE], steps, surprisals, mixtures

    def directly(text: str, shape: tuple, rows: int):
        layer = parse(text)
        p, x = initialize(layer, shape, jax.random.key(0)), np.sin(np.arange(rows * math.prod(shape), dtype=np.float32))
        forward, x = partial(layer.forward, p), x.reshape(rows, *shape)
        more = np.concatenate([x, *2 * [x[: max(rows - 1, 1)]]])
        if native.processor() is None:
            return forward(x), forward(more)
        found, smaller = direct(forward, x), direct(forward, x[: max(rows - 1, 1)])
        assert found
        assert smaller
        return found.of_block(x), found.of_rows(smaller, 3, more)

    elementwise.LARGE = 1
    return jax.tree.leaves((jax.jit(everything)(), [directly(*each) for each in FEW]))


def sanitized(kind: str, folder: Path) -> list:
    """The results of a process in which the kernels are compiled with the sanitizers."""
    library, out = folder / f"kernels-{kind}.so", folder / f"{kind}.npz"
    build = [
        "g++",
        "-std=c++17",
        "-fPIC",
        "-shared",
        "-w",
        *FLAGS[kind],
        *SANITIZERS,
        "-isystem",
        jax.ffi.include_dir(),
    ]
    subprocess.run([*build, *map(str, Path(native.__file__).parent.glob("*.cc")), "-o", str(library)], check=True)
    runtimes = [
        subprocess.run(["g++", f"-print-file-name={name}"], check=True, capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    settings = {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0", "CHAINRULE_KERNELS": kind}
    subprocess.run([sys.executable, __file__, str(library), str(out)], check=True, env=os.environ | settings)
    return list(np.load(out).values())


def main() -> None:
    """Without arguments try every kind; with a library and a file, write the library's results there."""
    os.environ["XLA_FLAGS"] = " ".join(FAST)  # what is tried is not what XLA compiles
    if len(sys.argv) == 3:
        native._library = lambda kind: ctypes.CDLL(sys.argv[1])
        assert native.processor()
        np.savez(sys.argv[2], *results())
        return
    kinds = [kind for kind in FLAGS if kind == "baseline" or _understood(kind)]
    native.processor = lambda: None
    truth = results()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        everywhere = threads.map(lambda kind: sanitized(kind, Path(folder)), kinds)
        for kind, found in zip(kinds, everywhere, strict=True):
            for ours, theirs in zip(found, truth, strict=True):
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * float(jnp.abs(theirs).max()))
            print(f"{kind}: clean, and equal to the definitions", flush=True)


def _understood(kind: str) -> bool:
    """Whether this processor has the instructions of a kind: the best one's, and those below it."""
    kinds = list(FLAGS)
    return kinds.index(kind) <= kinds.index(native._best())


if __name__ == "__main__":
    main()
