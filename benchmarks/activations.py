"""What exact activations cost: values and derivatives of 16 million float32 numbers."""

from collections.abc import Callable

import numpy as np

from benchmarks.workload import Contestants, Workload

NUMBERS, CALLS = 16_000_000, 30
ACTIVATIONS = ("Tanh", "Sigmoid", "Softplus", "ELU", "ReLU", "LeakyReLU")


def activation(name: str) -> Workload:
    """Values, and derivatives from a gradient of ones."""
    x = np.random.default_rng(0).normal(0, 3, NUMBERS).astype(np.float32)

    def contestants() -> Contestants:
        import jax

        from benchmarks.peers.keras_on_jax import keras
        from chainrule.notation import parse

        slope = {"negative_slope": 0.01} if name == "LeakyReLU" else {}
        peer = {"LeakyReLU": "leaky_relu"}.get(name, name.lower())
        return {
            "Chainrule": _on_jax(parse(name), x),
            "PyTorch": _torch(peer, x),
            "torch.compile": _torch(peer, x, compiled=True),
            "Keras": _on_jax(lambda x: getattr(keras.activations, peer)(x, **slope), x),
            "Flax": _on_jax(getattr(jax.nn, peer), x),
        }

    return Workload(contestants, CALLS, moved=3.0 * x.nbytes)


def _on_jax(function: Callable, x: np.ndarray) -> Callable[[], float]:
    import jax
    import jax.numpy as jnp

    from chainrule.textbook.accuracy.measure import value_and_derivative

    compiled, numbers = jax.jit(value_and_derivative(function)), jnp.asarray(x)

    def work() -> float:
        for _ in range(CALLS):
            value, derivative = jax.block_until_ready(compiled(numbers))
        return float((value[:100] + derivative[:100]).sum())

    return work


def _torch(name: str, x: np.ndarray, compiled: bool = False) -> Callable[[], float]:
    from benchmarks.peers.pytorch import compile_afresh, torch

    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    function = compile_afresh(function) if compiled else function
    numbers = torch.from_numpy(x).requires_grad_()
    ones = torch.ones(len(x))

    def work() -> float:
        for _ in range(CALLS):
            value = function(numbers)
            [derivative] = torch.autograd.grad(value, numbers, ones)
        return float((value[:100] + derivative[:100]).detach().sum())

    return work
