"""Native CPU kernels, called through XLA's foreign function interface.

`pip install` builds a library for this machine's kind of processor where it finds a C++ compiler, and a wheel that
travels has one of each kind (`hatch_build.py`). The one that suits this machine is loaded at first use; where there is
none, and on other devices, the plain forms serve.
"""

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

ACTIVATIONS = ("tanh", "sigmoid", "softplus", "elu", "relu", "leaky_relu")
CELLS = ("elman", "lstm", "gru", "published_gru")
OPTIMIZERS = ("gradient_descent", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw")
KERNELS = (
    "dense",
    "product",
    "take",
    "spread",
    "softmax",
    "surprisal",
    "convolve",
    "kernel_gradient",
    "attention",
    "attention_gradient",
    *ACTIVATIONS,
    *OPTIMIZERS,
    *(name + of for name in ("max_pool", *CELLS) for of in ("", "_gradient")),
)


@cache
def processor() -> str | None:
    """The kind of processor whose kernels are in use: "avx512", "avx2", "baseline"; None where none are.

    The environment variable CHAINRULE_KERNELS chooses another kind, or "none".

    >>> processor() in {"avx512", "avx2", "baseline", None}
    True
    """
    try:
        kind = os.environ.get("CHAINRULE_KERNELS") or _best()
        library = _library(f"kernels-{kind}")
        for name in KERNELS:
            handler = jax.ffi.pycapsule(getattr(library, f"chainrule_{name}"))
            jax.ffi.register_ffi_target(f"chainrule_{name}", handler, platform="cpu")
    except (OSError, AttributeError, RuntimeError, ValueError):
        return None  # not built; or built for another machine or another XLA
    return kind


def update(name: str, constants: jax.Array, kept: list[jax.Array], read: list[jax.Array]) -> list[jax.Array]:
    """What a kernel makes of the arrays `kept`, `read` besides: in their places, where nobody needs the old ones."""
    results = [jax.ShapeDtypeStruct(array.shape, jnp.float32) for array in kept]
    places = {1 + number: number for number in range(len(kept))}
    kernel = jax.ffi.ffi_call(f"chainrule_{name}", results, vmap_method="broadcast_all", input_output_aliases=places)
    return list(kernel(constants, *kept, *read))


def call(name: str, shape: Any, *arrays: jax.Array, vmap_method: str = "sequential", **integers: Any) -> Any:
    """The result of a kernel that is in use, of the shape given (or of each of several): float32, unless said."""

    def result(of):
        return jax.ShapeDtypeStruct(of, jnp.float32) if _is_shape(of) else of

    results = jax.tree.map(result, shape, is_leaf=_is_shape)
    attributes = {key: np.asarray(value, np.int64)[()] for key, value in integers.items()}
    return jax.ffi.ffi_call(f"chainrule_{name}", results, vmap_method=vmap_method)(*arrays, **attributes)


def either(native: Callable, plain: Callable, *arrays: Any, also: Any = jnp.float32) -> Any:
    """`native(*arrays)` on a CPU whose kernels are built, for float32 and what it takes also; else `plain(*arrays)`.

    Where one of the arguments has no number, the plain form knows what it comes to.
    """
    arguments = [leaves for leaves in map(jax.tree.leaves, arrays) if leaves]
    fit = all(leaf.dtype in (jnp.float32, also) for leaves in arguments for leaf in leaves)
    if processor() is None or not fit or not all(any(leaf.size for leaf in leaves) for leaves in arguments):
        return plain(*arrays)
    return lax.platform_dependent(*arrays, cpu=native, default=plain)


def _best() -> str:
    ask = _library("processor").chainrule_processor
    ask.restype = ctypes.c_char_p
    return ask().decode()


def _library(name: str) -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(__file__).with_name(f"{name}.native")))


def _is_shape(node: Any) -> bool:
    return isinstance(node, tuple) and all(isinstance(length, int) for length in node)
