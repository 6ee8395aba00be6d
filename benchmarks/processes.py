"""What whole processes cost: imports, and from the start of Python to a trained model of the digits."""

import compileall
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

import numpy as np

from benchmarks.workload import Contestants, Workload

IMPORTS = {
    "Chainrule": "from chainrule import fit",
    "PyTorch": "import torch",
    "Keras": "import keras",
    "Flax": "from flax import nnx; import optax",
    "scikit-learn": "import sklearn.neural_network",
}

DATA = """
import os, numpy as np
x, y = np.load(os.environ["DIGITS"]).values()
"""

DIGITS = {
    "Chainrule": """
from chainrule import fit
model = fit("Dense(64) >> ReLU() >> Dense(10) >> Softmax()", x, y, epochs=50, batch_size=32)
print(np.mean(model.predict(x) == y))
""",
    "PyTorch": """
import torch
network = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
rule = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
for _ in range(50):
    for rows in torch.randperm(len(x)).split(32):
        rule.zero_grad()
        torch.nn.functional.cross_entropy(network(inputs[rows]), labels[rows]).backward()
        rule.step()
print(float((network(inputs).argmax(1) == labels).float().mean()))
""",
    "Keras": """
import keras
layers = keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10)
network = keras.Sequential([keras.Input((64,)), *layers])
network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
network.fit(x, y, batch_size=32, epochs=50, verbose=0)
print(np.mean(network.predict(x, verbose=0).argmax(1) == y))
""",
    "Flax": """
import jax, optax
from flax import nnx
rngs = nnx.Rngs(0)
network = nnx.Sequential(nnx.Linear(64, 64, rngs=rngs), jax.nn.relu, nnx.Linear(64, 10, rngs=rngs))
optimizer = nnx.Optimizer(network, optax.adam(0.001), wrt=nnx.Param)
def step(network, optimizer, x, y):
    cost_of = lambda network: optax.softmax_cross_entropy_with_integer_labels(network(x), y).mean()
    optimizer.update(network, nnx.grad(cost_of)(network))
step = nnx.cached_partial(nnx.jit(step), network, optimizer)
for _ in range(50):
    order = np.random.permutation(len(x))
    for first in range(0, len(x), 32):
        step(x[order[first:first + 32]], y[order[first:first + 32]])
print(np.mean(np.asarray(network(x)).argmax(1) == y))
""",
    "scikit-learn": """
import warnings
from sklearn.neural_network import MLPClassifier
warnings.simplefilter("ignore")
network = MLPClassifier((64,), alpha=0.0, batch_size=32, max_iter=50, tol=0.0).fit(x, y)
print(network.score(x, y))
""",
}


def imports() -> Workload:
    """A process that imports what training needs, and ends."""
    return Workload(lambda: _processes(IMPORTS, {}))


def digits(again: bool) -> Workload:
    """A process that trains 64-64-10 for 50 epochs on a file; `again`: JAX keeps its programs in a folder."""

    def contestants() -> Contestants:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        folder = tempfile.mkdtemp()
        np.savez(f"{folder}/digits.npz", x=(x[:1347] / 16).astype(np.float32), y=y[:1347])
        kept = {"JAX_COMPILATION_CACHE_DIR": folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        environment = {"DIGITS": f"{folder}/digits.npz"} | (kept if again else {})
        return _processes({library: DATA + script for library, script in DIGITS.items()}, environment)

    return Workload(contestants)


def _processes(scripts: dict[str, str], environment: dict[str, str]) -> Contestants:
    environment = os.environ | {"KERAS_BACKEND": "jax"} | environment

    def work(script: str) -> float | None:
        printed = output(script, environment)
        if printed and float(printed.split()[-1]) < 0.97:
            raise RuntimeError(f"trained to an accuracy of {printed.split()[-1]} only:{script}")

    return {library: lambda script=script: work(script) for library, script in scripts.items()}


def output(script: str, environment: Mapping[str, str] = os.environ) -> str:
    """What a process of its own prints, in which a script runs."""
    _compile_to_bytecode()
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return ended.stdout


@cache
def _compile_to_bytecode() -> None:
    """Do for a checkout's modules what pip has done for those of the peers."""
    for folder in find_spec("chainrule").submodule_search_locations:  # type: ignore[union-attr]
        compileall.compile_dir(folder, quiet=1)
