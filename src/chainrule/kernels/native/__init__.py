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
from jax.extend.backend import backends

from chainrule.errors import warn
from chainrule.kernels.native.primitive import Call
from chainrule.kernels.sharding import Rule, alike

ACTIVATIONS = (
    *("tanh", "sigmoid", "log_sigmoid", "softplus", "relu", "leaky_relu", "elu", "selu", "celu", "isrlu", "exp"),
    *("gelu", "gelu_by_tanh", "silu", "mish", "tanh_exp", "lisht", "elish", "hard_elish", "bent_identity"),
    *("softsign", "isru", "arctan", "soboleva_tanh", "soft_clipping", "tanh_shrink", "sinusoid", "sinc"),
    *("gaussian", "snake", "soft_exponential"),
)
CELLS = ("elman", "lstm", "gru", "published_gru")
OPTIMIZERS = ("gradient_descent", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamw")
KERNELS = (
    "dense",
    "product",
    "bits",
    "fold_in",
    "bernoulli",
    "take",
    "spread",
    "mix",
    "mix_gradient",
    "exchange",
    "add",
    "softmax",
    "surprisal",
    "convolve",
    "kernel_gradient",
    "attention",
    "attention_gradient",
    *ACTIVATIONS,
    *OPTIMIZERS,
    *(name + of for name in ("max_pool", "waves", *CELLS) for of in ("", "_gradient")),
)
DIRECT = ("directly", "directly_in_blocks", "cores", "pack")  # what runs and packs programs without XLA


@cache
def processor() -> str | None:
    """The kind of processor whose kernels are in use: "avx512", "avx2", "baseline"; None where none are.

    The environment variable CHAINRULE_KERNELS chooses another kind, or "none". A library that was built for another
    version is not used, which a warning says once.

    >>> processor() in {"avx512", "avx2", "baseline", None}
    True
    """
    try:
        kind = os.environ.get("CHAINRULE_KERNELS") or _best()
        library = _library(f"kernels-{kind}")
    except OSError:
        return None  # not built, or for another machine
    try:
        functions = {name: getattr(library, f"chainrule_{name}") for name in (*KERNELS, *DIRECT)}
        for name in KERNELS:
            handler = jax.ffi.pycapsule(functions[name])
            jax.ffi.register_ffi_target(f"chainrule_{name}", handler, platform="cpu")
    except (AttributeError, RuntimeError, ValueError) as error:  # a kernel is missing, or for another XLA
        warn(
            f"The native kernels are of another version of Chainrule or JAX ({error}), so slower forms serve. Install "
            "Chainrule again: pip install --force-reinstall --no-deps chainrule, or pip install . where its source is."
        )
        return None
    return kind


def call(name: str, shape: Any, *arrays: jax.Array, rule: str = "", together: bool = False, **integers: Any) -> Any:
    """The result of a kernel that is in use.

    Args:
        name: the kernel's.
        shape: of the result, or of each of several: float32, unless said.
        arrays: the operands.
        rule: what the axes of operands and results are called, so that devices may share the work (see `sharding`).
        together: whether one call serves several networks, whose number is a first axis of all arrays.
        integers: what else the kernel is told.
    """
    shapes, tree = jax.tree.flatten(shape, is_leaf=_is_shape)
    results = [jax.ShapeDtypeStruct(of, jnp.float32) if _is_shape(of) else of for of in shapes]
    whole = "->".join(",".join("*" for _ in side) for side in (arrays, results))
    axes = Rule.of(rule or whole, (array.shape for array in arrays), (of.shape for of in results))
    shapes, dtypes = tuple(of.shape for of in results), tuple(of.dtype for of in results)
    told = tuple(sorted(integers.items()))
    return tree.unflatten(Call(name, shapes, dtypes, axes, together, integers=told)(*arrays))


def update(name: str, constants: jax.Array, kept: list[jax.Array], read: list[jax.Array]) -> list[jax.Array]:
    """What a kernel makes of the arrays `kept`, `read` besides: in their places, where nobody needs the old ones."""
    rule = update_rule(kept, read)
    rule = rule._replace(operands=((None,), *rule.operands))
    shapes, dtypes = tuple(array.shape for array in kept), (np.dtype(np.float32),) * len(kept)
    call = Call(name, shapes, dtypes, rule, together=True, kept=len(kept))
    return call(constants, *kept, *read)


def update_rule(kept: list[jax.Array], read: list[jax.Array]) -> Rule:
    """That of `update`, where kept and read arrays go together entry by entry; the kept ones come in columns."""
    axes = tuple(tuple((number % len(read), axis) for axis in range(of.ndim)) for number, of in enumerate(kept))
    return Rule((*axes, *axes[: len(read)]), axes, sums=False)


def either(native: Callable, plain: Callable, *arrays: Any, also: Any = jnp.float32) -> Any:
    """`native(*arrays)` on a CPU whose kernels are built, for float32 and what it takes also; else `plain(*arrays)`.

    Where one of the arguments has no number, the plain form knows what it comes to.
    """
    arguments = [leaves for leaves in map(jax.tree.leaves, arrays) if leaves]
    fit = all(leaf.dtype in (jnp.float32, also) for leaves in arguments for leaf in leaves)
    if processor() is None or not fit or not all(any(leaf.size for leaf in leaves) for leaves in arguments):
        return plain(*arrays)
    leaves, tree = jax.tree.flatten(arrays)
    arrays = tree.unflatten(alike(leaves))
    if [*backends()] == ["cpu"]:  # then nobody need trace the plain form, which takes longer than all else
        return native(*arrays)
    return lax.platform_dependent(*arrays, cpu=native, default=plain)


def address(target: str) -> int:
    """Where the function of this name begins, of the kernels that are in use."""
    return ctypes.cast(getattr(_library(f"kernels-{processor()}"), target), ctypes.c_void_p).value or 0


def _best() -> str:
    ask = _library("processor").chainrule_processor
    ask.restype = ctypes.c_char_p
    return ask().decode()


def _library(name: str) -> ctypes.CDLL:
    return ctypes.CDLL(str(Path(__file__).with_name(f"{name}.native")))


def _is_shape(node: Any) -> bool:
    return isinstance(node, tuple) and all(isinstance(length, int) for length in node)
