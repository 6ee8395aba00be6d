"""What a training step costs with convolutional, recurrent, local and embedding layers, two threads each."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.training import Task, chainrule_network, torch_loop

STEPS = 12


def cnn(batch: int) -> Task:
    """A CNN of two blocks, 32 and 64 filters, and 64 hidden units, on 28 × 28 images, with Adam."""
    x, y = _data((STEPS * batch, 28, 28, 1))
    network = (
        'Conv2D(32, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Conv2D(64, 3, padding="same") >> ReLU() >> '
        "MaxPool2D(2) >> Flatten() >> Dense(64) >> ReLU() >> Dense(10) >> Softmax()"
    )

    def torch_network(nn: Any) -> Any:
        return nn.Sequential(
            *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(64 * 49, 64), nn.ReLU(), nn.Linear(64, 10)),
        )

    def keras_layers(layers: Any) -> list:
        return [
            *(layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)),
            *(layers.Conv2D(64, 3, padding="same", activation="relu"), layers.MaxPooling2D(2)),
            *(layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(10)),
        ]

    def flax_network(nnx: Any, rngs: Any) -> Callable:
        import jax

        class Network(nnx.Module):
            def __init__(self) -> None:
                self.first, self.second = nnx.Conv(1, 32, (3, 3), rngs=rngs), nnx.Conv(32, 64, (3, 3), rngs=rngs)
                self.hidden, self.last = nnx.Linear(64 * 49, 64, rngs=rngs), nnx.Linear(64, 10, rngs=rngs)

            def __call__(self, x: Any) -> Any:
                x = nnx.max_pool(jax.nn.relu(self.first(x)), (2, 2), (2, 2))
                x = nnx.max_pool(jax.nn.relu(self.second(x)), (2, 2), (2, 2))
                return self.last(jax.nn.relu(self.hidden(x.reshape(x.shape[0], -1))))

        return Network()

    return _side_by_side(x, y, batch, network, torch_network, keras_layers, flax_network, images=True)


def recurrent(kind: str, batch: int, steps: int, features: int, units: int) -> Task:
    """One LSTM or GRU layer and a Dense one, with Adam; PyTorch's is oneDNN's for the LSTM."""
    x, y = _data((STEPS * batch, steps, features))
    options = ", reset_after=True" if kind == "GRU" else ""

    def torch_network(nn: Any) -> Any:
        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.recurrent = getattr(nn, kind)(features, units, batch_first=True)
                self.last = nn.Linear(units, 10)

            def forward(self, x: Any) -> Any:
                return self.last(self.recurrent(x)[0][:, -1])

        return Network()

    def keras_layers(layers: Any) -> list:
        return [getattr(layers, kind)(units), layers.Dense(10)]

    def flax_network(nnx: Any, rngs: Any) -> Callable:
        class Network(nnx.Module):
            def __init__(self) -> None:
                cell = nnx.OptimizedLSTMCell if kind == "LSTM" else nnx.GRUCell
                self.recurrent = nnx.RNN(cell(features, units, rngs=rngs))
                self.last = nnx.Linear(units, 10, rngs=rngs)

            def __call__(self, x: Any) -> Any:
                return self.last(self.recurrent(x)[:, -1])

        return Network()

    network = f"{kind}({units}{options}) >> Dense(10) >> Softmax()"
    return _side_by_side(x, y, batch, network, torch_network, keras_layers, flax_network)


def local() -> Task:
    """LocallyConnected2D, 16 × 16 × 16 → 32 filters of 3 × 3, batch 64; PyTorch has none, so unfold and einsum."""
    batch = 64
    x, y = _data((STEPS * batch, 16, 16, 16))

    def torch_network(nn: Any) -> Any:
        import torch

        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.kernel = nn.Parameter(torch.randn(196, 144, 32) * 0.08)
                self.bias = nn.Parameter(torch.zeros(196, 32))
                self.last = nn.Linear(196 * 32, 10)

            def forward(self, x: Any) -> Any:
                patches = nn.functional.unfold(x, 3)
                return self.last((torch.einsum("nkp,pkf->npf", patches, self.kernel) + self.bias).relu().flatten(1))

        return Network()

    def flax_network(nnx: Any, rngs: Any) -> Callable:
        import jax

        class Network(nnx.Module):
            def __init__(self) -> None:
                self.kernel = nnx.Param(jax.random.normal(rngs(), (14, 14, 144, 32)) * 0.08)
                self.bias = nnx.Param(jax.numpy.zeros((14, 14, 32)))
                self.last = nnx.Linear(196 * 32, 10, rngs=rngs)

            def __call__(self, x: Any) -> Any:  # what flax.linen.ConvLocal computes
                y = jax.lax.conv_general_dilated_local(
                    *(x, self.kernel[...], (1, 1), "VALID", (3, 3)), dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                return self.last(jax.nn.relu(y + self.bias[...]).reshape(x.shape[0], -1))

        return Network()

    network = "LocallyConnected2D(32, 3) >> ReLU() >> Flatten() >> Dense(10) >> Softmax()"
    return _side_by_side(x, y, batch, network, torch_network, None, flax_network, images=True)


def embedding() -> Task:
    """Embedding 20,000 × 64 with average pooling, batch 32 of 100 tokens."""
    batch = 32
    x = np.random.default_rng(0).integers(0, 20_000, (STEPS * batch, 100)).astype(np.int32)
    y = _data((STEPS * batch, 1))[1]

    def torch_network(nn: Any) -> Any:
        class Network(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.table, self.last = nn.Embedding(20_000, 64), nn.Linear(64, 10)

            def forward(self, x: Any) -> Any:
                return self.last(self.table(x).mean(1))

        return Network()

    def keras_layers(layers: Any) -> list:
        return [layers.Embedding(20_000, 64), layers.GlobalAveragePooling1D(), layers.Dense(10)]

    def flax_network(nnx: Any, rngs: Any) -> Callable:
        class Network(nnx.Module):
            def __init__(self) -> None:
                self.table, self.last = nnx.Embed(20_000, 64, rngs=rngs), nnx.Linear(64, 10, rngs=rngs)

            def __call__(self, x: Any) -> Any:
                return self.last(self.table(x).mean(1))

        return Network()

    network = "Embedding(20000, 64) >> GlobalAveragePool1D() >> Dense(10) >> Softmax()"
    return _side_by_side(x, y, batch, network, torch_network, keras_layers, flax_network)


def _side_by_side(
    x: np.ndarray,
    y: np.ndarray,
    batch: int,
    network: str,
    torch_network: Callable,
    keras_layers: Callable | None,
    flax_network: Callable,
    images: bool = False,
) -> Task:
    contestants = {
        "chainrule": chainrule_network(x, y, network, "Adam(0.001)", batch),
        "pytorch (eager, fused Adam)": _torch(x, y, batch, torch_network, images),
        "flax (nnx, jit)": _flax(x, y, batch, flax_network),
    }
    if keras_layers is not None:
        contestants["keras (on jax)"] = _keras(x, y, batch, keras_layers)
    return contestants, dict.fromkeys(contestants, STEPS)


def _torch(x: np.ndarray, y: np.ndarray, batch: int, make: Callable, images: bool) -> Callable[[], float]:
    import torch

    torch.set_num_threads(2)
    network = make(torch.nn)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
    inputs = inputs.long() if inputs.dtype == torch.int32 else inputs
    if images:
        network = network.to(memory_format=torch.channels_last)
        inputs = inputs.permute(0, 3, 1, 2)  # NHWC memory seen as NCHW: channels_last
    rule = torch.optim.Adam(network.parameters(), lr=0.001, fused=True)
    return torch_loop(network, rule, inputs, labels, batch)


def _keras(x: np.ndarray, y: np.ndarray, batch: int, make: Callable) -> Callable[[], Any]:
    import os

    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    network = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype), *make(keras.layers)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.001), loss, jit_compile=True)
    return lambda: network.fit(x, y, batch_size=batch, epochs=1, verbose=0)


def _flax(x: np.ndarray, y: np.ndarray, batch: int, make: Callable) -> Callable[[], float]:
    import optax
    from flax import nnx

    network = make(nnx, nnx.Rngs(0))
    optimizer = nnx.Optimizer(network, optax.adam(0.001), wrt=nnx.Param)

    def step(network: Any, optimizer: Any, x: Any, y: Any) -> Any:
        def cost_of(network: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(network(x), y).mean()

        cost, gradient = nnx.value_and_grad(cost_of)(network)
        optimizer.update(network, gradient)
        return cost

    step = nnx.cached_partial(nnx.jit(step), network, optimizer)
    random = np.random.default_rng(0)

    def epoch() -> float:
        order = random.permutation(len(x))
        return float(sum(step(x[rows], y[rows]) for rows in order.reshape(-1, batch)))

    return epoch


def _data(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.normal(size=shape).astype(np.float32), random.integers(0, 10, shape[0]).astype(np.int32)
