"""The machine: what it is, and its limits, measured in the same run as what is compared with them."""

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

LIBRARIES = ("chainrule", "jax", "jaxlib", "torch", "keras", "flax", "optax", "scikit-learn", "skorch")


class Limits(NamedTuple):
    """What the machine can do at best: the best of the libraries at the plainest work."""

    flops: float
    """Floating-point operations a second in a product of two 2048 × 2048 matrices, float32."""
    bandwidth: float
    """Bytes a second from and to memory in a += b, 400 MB each, float32."""


def limits() -> Limits:
    """Both limits, which take some seconds to measure."""
    import jax
    import jax.numpy as jnp
    import torch

    torch.set_num_threads(cores())
    side, numbers = 2048, 10**8
    random = np.random.default_rng(0)
    a, b = (random.normal(size=(side, side)).astype(np.float32) for _ in range(2))
    dot, ours, theirs = (
        jax.jit(jnp.matmul),
        (jnp.asarray(a), jnp.asarray(b)),
        (torch.from_numpy(a), torch.from_numpy(b)),
    )
    products = lambda: dot(*ours).block_until_ready(), lambda: torch.matmul(*theirs), lambda: np.matmul(a, b)
    x, y = (np.ones(numbers, np.float32) for _ in range(2))
    sums, parts = torch.from_numpy(x), torch.from_numpy(y)
    shares = list(zip(np.array_split(x, cores()), np.array_split(y, cores()), strict=True))
    with ThreadPoolExecutor(cores()) as threads:
        in_threads = lambda: list(threads.map(lambda share: np.add(*share, out=share[0]), shares))  # noqa: E731
        addition = _fastest(lambda: sums.add_(parts), in_threads, times=10)
    return Limits(2 * side**3 / _fastest(*products, times=15), 3 * 4 * numbers / addition)


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def description() -> dict[str, str]:
    """The processor, its threads, and the versions of the libraries."""
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
        "python": platform.python_version(),
    } | {name: version(name) for name in LIBRARIES}


def _fastest(*works: Callable[[], object], times: int) -> float:
    """The least time of several tries of the best way, in seconds."""
    best = float("inf")
    for work in works:
        work()
        time.sleep(0.3)
        for _ in range(times):
            began = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - began)
    return best
