"""The machine: what it is, and its limits, measured in the same run as what is compared with them."""

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import numpy as np

LIBRARIES = ("chainrule", "jax", "jaxlib", "torch", "keras", "flax", "optax", "onnxruntime", "scikit-learn", "skorch")


SIDE, NUMBERS, TIMES = 2048, 10**8, 8


class Limits(NamedTuple):
    """What the machine can do; 0 where it was not asked."""

    flops: float
    """Floating-point operations a second in a product of two 2048 × 2048 matrices, float32."""
    bandwidth: float
    """Bytes a second from and to memory in a += b, 400 MB each, float32."""


def products() -> Callable[[], None]:
    """So many large products, by the library that is fastest at them."""
    import jax
    import jax.numpy as jnp
    import torch

    torch.set_num_threads(cores())
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(SIDE, SIDE)).astype(np.float32) for _ in range(2))
    dot, x, y = jax.jit(partial(jnp.matmul, precision="highest")), jnp.asarray(a), jnp.asarray(b)
    ours, theirs = torch.from_numpy(a), torch.from_numpy(b)
    return _best(lambda: dot(x, y).block_until_ready(), lambda: torch.matmul(ours, theirs), lambda: np.matmul(a, b))


def sums() -> Callable[[], None]:
    """So many large sums, by the library that is fastest at them."""
    import torch

    torch.set_num_threads(cores())
    a, b = (np.ones(NUMBERS, np.float32) for _ in range(2))
    ours, theirs = torch.from_numpy(a), torch.from_numpy(b)
    shares = list(zip(np.array_split(a, cores()), np.array_split(b, cores()), strict=True))
    threads = ThreadPoolExecutor(cores())
    in_threads = lambda: list(threads.map(lambda share: np.add(*share, out=share[0]), shares))  # noqa: E731
    return _best(lambda: ours.add_(theirs), in_threads)


def limits(product: float, addition: float) -> Limits:
    """The limits, of the seconds that `products` and `sums` took; 0 where they were not asked."""
    flops, moved = 2 * SIDE**3 * TIMES, 3 * 4 * NUMBERS * TIMES
    return Limits(product and flops / product, addition and moved / addition)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def description() -> dict[str, str]:
    """The processor, its threads, the device if there is another, and the versions of the libraries."""
    from chainrule.kernels.native import processor

    model = platform.processor() or platform.machine()
    about = Path("/proc/cpuinfo")
    if about.exists():
        names = [line.partition(":")[2].strip() for line in about.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "processor": model,
        "threads": str(cores()),
        "native kernels": processor() or "none",
        **_accelerator(),
        "python": platform.python_version(),
    } | {name: _version(name) for name in LIBRARIES}


def _accelerator() -> dict[str, str]:
    """The device that JAX computes on, where that is not the processor."""
    import jax

    return {} if jax.default_backend() == "cpu" else {"device": jax.devices()[0].device_kind}


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


def _best(*works: Callable[[], object]) -> Callable[[], None]:
    """The fastest of them, several times."""

    def seconds(work: Callable[[], object]) -> float:
        work()
        time.sleep(0.3)
        began = time.perf_counter()
        for _ in range(TIMES):
            work()
        return time.perf_counter() - began

    best = min(works, key=seconds)
    return lambda: [best() for _ in range(TIMES)] and None
