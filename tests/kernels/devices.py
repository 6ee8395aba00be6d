"""Every native kernel on four devices, run as a process of its own: `test_sharding.py` reads what it prints.

Each case is a function of rows and of weights. Its value, gradient and curvature, and its values for several weights at
once, must be those of one device, and each device must compute its own rows: nothing may be gathered.
"""

import json
import os
import re
import sys
from dataclasses import MISSING, fields

if __name__ == "__main__":  # before JAX begins
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from chainrule.activations import GELU
from chainrule.activations.base import OfSeveral
from chainrule.formula.layer import NoisyLayer
from chainrule.formula.network import initialize
from chainrule.kernels import elementwise, native
from chainrule.kernels.convolution import convolution
from chainrule.kernels.dense import dense
from chainrule.kernels.local import local
from chainrule.kernels.mixtures import mixed
from chainrule.kernels.pooled import pooled_convolution
from chainrule.kernels.pooling import max_pool, mean_pool
from chainrule.kernels.rows import take
from chainrule.kernels.softmax import softmax, surprisal
from chainrule.kernels.window import Window
from chainrule.notation import parse
from chainrule.notation.families import members
from chainrule.optimizers import base as optimizers

MODES = "jit", "explicit", "shard_map"
rng = np.random.default_rng(0)
SAME = Window((3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
APART = Window((3, 3), (2, 2), (2, 2), ((1, 1), (1, 1)))
TILES = Window((2, 2), (2, 2), (1, 1), ((0, 0), (0, 0)))
SLIDING = Window((3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
LONG = Window((40,), (3,), (1,), ((0, 0),))
ROWS = 48
FEW = 4  # rows, for the product that serves them
TOKENS = rng.integers(0, 50, (ROWS, 30)).astype(np.int32)


def normal(*shape):
    return rng.normal(size=shape).astype(np.float32)


def layer(text, shape, x=None):
    """A layer as a function of rows and of its parameters."""
    of = parse(text)
    weights, tree = jax.tree.flatten(initialize(of, shape, jax.random.key(0)))
    return lambda x, *weights: of.forward(tree.unflatten(weights), x), (
        normal(ROWS, *shape) if x is None else x,
        *weights,
    )


def every_activation(x):
    """All those of each number that learn nothing and draw nothing, side by side."""
    scalar = [formula for formula in members("activations") if not issubclass(formula, OfSeveral | NoisyLayer)]
    formulas = [formula() for formula in scalar if all(field.default is not MISSING for field in fields(formula))]
    plain = [formula for formula in formulas if not formula.parameters(x.shape[1:])]
    return jnp.concatenate([made(x) for made in (*plain, GELU(approximate=True))], axis=-1)


def of_each(name, *numbers):
    return lambda x, *numbers: getattr(elementwise, name)(x, *numbers), (normal(ROWS, 10), *map(np.float32, numbers))


CASES = {
    "dense": (dense, (normal(ROWS, 3, 16), normal(16, 24), normal(24))),
    "dense of few rows": (dense, (normal(FEW, 16), normal(16, 24), normal(24))),
    "convolution": (lambda *of: convolution(*of, SAME), (normal(ROWS, 6, 6, 4), normal(3, 3, 4, 5), normal(5))),
    "in groups": (lambda *of: convolution(*of, SAME, 2), (normal(ROWS, 6, 6, 4), normal(3, 3, 2, 4), normal(4))),
    "without phases": (lambda *of: convolution(*of, APART), (normal(ROWS, 8, 8, 3), normal(3, 3, 3, 4), normal(4))),
    "pooled": (
        lambda *of: pooled_convolution(*of, SAME, (2, 2), True),
        (normal(ROWS, 6, 6, 3), normal(3, 3, 3, 4), normal(4)),
    ),
    "max_pool": (lambda x: max_pool(x, SLIDING), (normal(ROWS, 6, 6, 3),)),
    "max_pool of many": (lambda x: max_pool(x, LONG), (normal(ROWS, 50, 3),)),
    "mean_pool": (lambda x: mean_pool(x, TILES), (normal(ROWS, 6, 6, 3),)),
    "mean_pool of many": (lambda x: mean_pool(x, LONG), (normal(ROWS, 50, 3),)),
    "local": (lambda *of: local(*of, SLIDING), (normal(ROWS, 5, 5, 2), normal(3, 3, 3, 3, 2, 4))),
    "take": (lambda rows, table: take(table, rows), (TOKENS, normal(50, 12))),
    "mixed": (  # of each row the weights, and the numbers of what they weigh
        lambda rows, table: mixed(table, rows[:, :30], jnp.sort(rows[:, 30:].astype(jnp.int32))),
        (np.concatenate([normal(*TOKENS.shape), TOKENS.astype(np.float32)], axis=1), normal(50, 12)),
    ),
    "softmax": (softmax, (normal(ROWS, 10),)),
    "surprisal": (surprisal, (normal(ROWS, 10),)),
    **{name: of_each(name) for name in ("tanh", "sigmoid", "softplus")},
    "elu": of_each("elu", 0.5),
    "every activation": (every_activation, (normal(ROWS, 10),)),
    "Snake": layer("Snake()", (10,)),
    "SoftExponential": layer("SoftExponential(shared=True)", (10,)),
    "Periodic": layer("Periodic()", (4,)),
    "RNN": layer("RNN(6)", (7, 3)),
    "GRU": layer("GRU(6)", (7, 3)),
    "reset after": layer("GRU(6, reset_after=True)", (7, 3)),
    "attention": layer("SelfAttention(2)", (9, 8)),
    "masked attention": layer("Embedding(50, 12, padding_id=0) >> SelfAttention(3)", (30,), TOKENS),
    "no native cell": layer("RNN(6, activation=ELU(0.5))", (7, 3)),
    "masked": layer("Embedding(50, 12, padding_id=0) >> LSTM(6, return_sequences=True)", (30,), TOKENS),
}
BRIEFLY = {"in groups", "without phases", "local", "GRU", "reset after", "no native cell", "masked"}
BRIEFLY |= {"attention", "masked attention", "every activation", "SoftExponential", "Periodic"}
"""Of which value and gradient are compared: the rest is as in another case, and takes long to compile."""
RULES = {type(rule).__name__: rule for rule in (rule() for rule in optimizers.KERNELS)}


def with_floats(arrays):
    """Where the arrays of floats are, and a function to put others there."""
    places = [place for place, array in enumerate(arrays) if array.dtype == np.float32]
    return places, lambda floats, arrays: [floats[places.index(n)] if n in places else a for n, a in enumerate(arrays)]


def measured(f, arrays, briefly):
    """A function of the arrays, and of a direction, to all that is compared."""
    places, put = with_floats(arrays)

    def total(floats, arrays):
        y = jax.tree.leaves(f(*put(floats, arrays)))[0]
        return jnp.sum(jnp.sin(y) * jnp.cos(2 * y + 1)), y

    def everything(arrays, direction):
        floats = [arrays[place] for place in places]
        if briefly:
            slopes, y = jax.grad(total, has_aux=True)(floats, arrays)
            return y, slopes
        both = jax.jvp(
            lambda floats: jax.grad(total, has_aux=True)(floats, arrays), (floats,), (direction,), has_aux=True
        )
        slopes, curvature, y = both
        several = [jnp.stack([w, 1 - w]) for w in arrays[1:]]
        of_networks = jax.vmap(lambda *weights: f(arrays[0], *weights))(*several) if several else ()
        return y, slopes, curvature, of_networks

    return everything, [normal(*np.shape(arrays[place])) for place in places]


def of_kernel(name):
    """All that is compared of a kernel: a function, its arrays, and how they and the results are cut in a mode."""
    f, arrays = CASES[name]
    everything, direction = measured(f, arrays, name in BRIEFLY)
    cut = [P("data") if place == 0 else P() for place in range(len(arrays))]
    by = [cut[place] for place in with_floats(arrays)[0]]
    of_networks = P(None, "data") if len(arrays) > 1 else ()
    results = (P("data"), by) if name in BRIEFLY else (P("data"), by, by, of_networks)
    return everything, ([*arrays], direction), lambda mode: ((cut, by), results)


def of_rule(name):
    """The same of an optimizer's step on parameters of which one is cut."""
    rule = RULES[name]
    parameters = {"kernel": normal(48, 96), "bias": normal(96)}
    gradients = jax.tree.map(lambda of: normal(*of.shape), parameters)
    slots = jax.tree.map(np.asarray, rule.init(parameters))

    def cuts(mode):
        cut = {"kernel": P("data"), "bias": P("data") if mode == "shard_map" else P()}  # where all of them differ
        of_slots = {name: P() if name == "t" else cut for name in slots}
        return (cut, cut, of_slots), (cut, of_slots)

    return lambda *of: rule.advance(*of), (parameters, gradients, slots), cuts


def differing(mode, form, arrays, specs, results, wanted, seen, **how):
    """What is wrong with a form on four devices, in words; the kernels that it calls are added to those seen."""
    kind = AxisType.Explicit if mode == "explicit" else AxisType.Auto
    mesh = jax.make_mesh((4,), ("data",), axis_types=(kind,))
    if mode == "shard_map":
        form = jax.shard_map(form, mesh=mesh, in_specs=specs, out_specs=results)
    places = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs, is_leaf=lambda of: isinstance(of, P))
    arrays = jax.device_put(arrays, places)
    compiled = jax.jit(form, **how).lower(*arrays).compile()
    text = compiled.as_text()
    seen |= set(re.findall(r'custom_call_target="chainrule_(\w+)"', text))
    if gathered := re.findall(r"\S+ (?:all-gather|all-to-all|collective-permute)\(.*", text):
        return f"gathers: {gathered[0][:200]}"
    largest = max(np.abs(truth).max() for truth in wanted)  # where the truth is 0, sums of large numbers are rounded
    for ours, truth in zip(map(np.asarray, jax.tree.leaves(compiled(*arrays))), wanted, strict=True):
        if not np.allclose(ours, truth, rtol=2e-5, atol=2e-5 * np.abs(truth).max() + 1e-6 * largest):
            return f"differs by {np.abs(ours - truth).max()}"
    return None


def wrong_with(name, seen):
    """What is wrong with a kernel or a rule in each mode, by its name and the mode; nothing where all is right."""
    form, arrays, cuts = of_rule(name) if name in RULES else of_kernel(name)
    overwritten = (0, 2) if name in RULES else ()
    wanted = [*map(np.asarray, jax.tree.leaves(jax.jit(form)(*arrays)))]
    for mode in MODES:
        try:
            problem = differing(mode, form, arrays, *cuts(mode), wanted, seen[mode], donate_argnums=overwritten)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if problem:
            yield f"{name}, {mode}", problem


if __name__ == "__main__":
    seen = {mode: set() for mode in MODES}
    wrong = dict(pair for name in sys.argv[1:] or (*CASES, *RULES) for pair in wrong_with(name, seen))
    never = {mode: sorted({*native.KERNELS} - calls) for mode, calls in seen.items()}
    print(json.dumps({"wrong": wrong, "never called": never}))
