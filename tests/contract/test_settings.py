"""What holds for every formula whatever JAX is told: its switches change neither types nor results."""

import contextlib
from functools import singledispatch

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context, Layer
from chainrule.formula.network import initialize
from chainrule.initializers import Eye, Initializer, Pretrained
from chainrule.metrics import MeanMetric, Metric
from chainrule.optimizers import Clipping, Optimizer
from chainrule.optimizers.schedules import Schedule
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training import fit

SETTINGS = {
    "x64": lambda: jax.enable_x64(True),
    "rank promotion": lambda: jax.numpy_rank_promotion("raise"),
    "dtype promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "transfers": lambda: jax.transfer_guard("disallow"),
    "NaNs": lambda: jax.debug_nans(True),
    "no jit": lambda: jax.disable_jit(True),
}
WHEN_TRACED = ("x64", "rank promotion", "dtype promotion")
"""Settings that are looked at while a program is made, not while it runs."""

KEY = jax.random.key(0)
SHAPES = [(6,), (3, 6), (4, 6), (8, 8, 2), (4, 3, 4, 2)]
VECTORS = jax.device_put(np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32))
CLASSES = jax.device_put(np.array([0, 2, 1, 1, 0], np.int32))


@singledispatch
def use(formula):
    """A program that does with a formula what people do, and the arrays that it takes."""
    raise NotImplementedError(f"how is {formula!r} used?")


@use.register
def _(layer: Layer):
    shape = next(shape for shape in SHAPES if _fits(layer, shape))
    rng = np.random.default_rng(0)
    x = jax.device_put(rng.normal(size=(3, *shape)).astype(np.float32))
    declared = jax.eval_shape(lambda: initialize(layer, shape, KEY))
    p = jax.device_put(jax.tree.map(lambda w: rng.normal(0.1, 0.3, w.shape).astype(w.dtype), declared))

    def program(layer, p, x, key):
        def wave(p, x, key):
            y, kept = layer.apply(p, layer.state(shape), x, Context(key, training=True))
            return jnp.sum(jnp.sin(y)), kept

        drawn, (y, _) = initialize(layer, shape, key), layer.apply(p, layer.state(shape), x)
        return drawn, y, [jax.value_and_grad(wave, (0, 1), has_aux=True)(p, x, key) for key in (None, key)]

    return program, (layer, p, x, KEY)


@use.register
def _(cost: Cost):
    E, targets = jax.nn.softmax(VECTORS), cost.targets
    E = jnp.where(E > 0.3, targets.yes, targets.no) if targets.only else E
    a = jnp.tile(jax.nn.softmax(VECTORS[::-1]), cost.outputs_per_target)

    def program(cost, a, numbers, E, weights):
        each = [jax.value_and_grad(cost)(a, *of) for of in ((numbers, None), (numbers, weights), (E, None))]
        return each, [
            jax.grad(lambda z, end=end: cost.behind(z, E, end).sum())(a) for end in cost.canonical_activations
        ]

    return program, (cost, a, CLASSES if targets.have_classes else E, E, jnp.ones(5))


@use.register
def _(regularizer: Regularizer):
    def program(regularizer, w, rate):
        return jax.value_and_grad(regularizer)(w), jax.grad(regularizer.smooth)(w), regularizer.proximal(w, rate)

    return program, (regularizer, VECTORS, jnp.float32(0.1))


@use.register
def _(optimizer: Optimizer):
    params = {"w": jax.device_put(np.ones((50, 60), np.float32)), "b": VECTORS[0]}

    def program(optimizer, params):
        state = optimizer.init(params)
        slope = lambda w: ((jnp.float32(0), ()), w)  # noqa: E731
        updates = ()
        for _ in range(2):
            with contextlib.suppress(ChainruleError):  # of what is not in Optax's protocol
                updates = optimizer.update(params, state, params)
            params, state, _ = optimizer.descend(slope, params, state)
        rates = optimizer.rates(state, params) if optimizer.has_rates else ()
        return updates, optimizer.published(params, state), state, rates

    return program, (optimizer, params)


@use.register
def _(clipping: Clipping):
    return lambda clipping, grads: clipping(grads, grads), (clipping, {"w": VECTORS, "b": CLASSES.astype(jnp.float32)})


@use.register
def _(schedule: Schedule):
    rates = lambda schedule, t: jnp.stack([schedule(0), schedule(t)]).astype(jnp.float32)  # noqa: E731
    return rates, (schedule.over(10.0), jnp.int32(3))  # a rate is as wide as Python's numbers are in JAX


@use.register
def _(initializer: Initializer):
    shape = (3, 4) if isinstance(initializer, Eye) else (3, 4, 2)
    return lambda initializer, key: initializer(key, shape), (initializer, KEY)


@use.register
def _(metric: Metric):
    def program(metric, a, E):
        return metric.from_mean(metric.each(a, E).mean()) if isinstance(metric, MeanMetric) else ()

    return program, (metric, jax.nn.softmax(VECTORS), CLASSES)


@use.register
def _(rule: EarlyStopping):
    return lambda rule: jnp.asarray(rule.better([1.0], None)), (rule,)


def _fits(layer, shape):
    try:
        return bool(layer.output_shape(shape))
    except ChainruleError:
        return False


def described(results):
    return jax.tree.map(lambda array: (jnp.shape(array), jnp.result_type(array)), results)


@pytest.fixture
def used(made, tmp_path):
    """The program of a formula, and its arrays, on the device."""
    if isinstance(made, Pretrained):
        np.save(tmp_path / "vectors.npy", np.ones((3, 4, 2)))
        made = Pretrained(str(tmp_path / "vectors.npy"))
    program, arrays = use(made)
    return program, jax.device_put(arrays)


@pytest.mark.by_turns(5)
def test_its_programs_are_the_same(used):
    program, arrays = used
    ordinary = described(jax.eval_shape(program, *arrays))
    for setting in WHEN_TRACED:
        with SETTINGS[setting]():
            assert described(jax.eval_shape(program, *arrays)) == ordinary, setting


@pytest.mark.slow
def test_its_results_are_the_same(used):
    program, arrays = used
    ordinary = jax.jit(program)(*arrays)
    with contextlib.ExitStack() as together:
        for setting in SETTINGS.keys() - {"no jit"}:
            together.enter_context(SETTINGS[setting]())
        results = jax.jit(program)(*arrays)
    with SETTINGS["no jit"]():
        one_by_one = program(*arrays)
    for others in (results, one_by_one):
        assert described(others) == described(ordinary)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), others, ordinary)


def trained():
    """What two trainings give, between them with masks, noise, metrics, penalties, a schedule and validation data."""
    rng, quick = np.random.default_rng(0), {"epochs": 2, "progress": False}
    series, classes, values = rng.normal(size=(20, 5, 3)), rng.integers(0, 3, 20), rng.normal(size=20)
    tokens = rng.integers(0, 9, (20, 5))
    one = fit(
        "LSTM(4, recurrent_dropout=0.5) >> Dropout(0.2) >> Dense(3) >> Softmax()",
        *(series, classes),
        regularizer="L1(0.001) + L2(0.001)",
        optimizer="ClipNorm(1.0) >> Adam(StepDecay(0.01, every=3))",
        metrics=["Accuracy()", "TopK(2)", "F1()"],
        batch_size=8,
        validation=0.2,
        **quick,
    )
    other = fit(
        "Embedding(9, 4, padding_id=0) >> Conv1D(4, 2, padding='causal') >> MaxPool1D(2) >> GRU(3) >> Dense(1)",
        *(tokens, values),
        optimizer="RMSprop(CosineDecay(0.01))",
        metrics=["RMSE()", "MAE()"],
        batch_size="all",
        **quick,
    )
    return [
        (model.parameters, model(x), model.evaluate(x, y))
        for model, x, y in ((one, series, classes), (other, tokens, values))
    ]


@pytest.mark.slow
def test_training_and_prediction_are_the_same():
    ordinary = trained()
    for setting in SETTINGS.values():
        with setting():
            results = trained()
        assert described(results) == described(ordinary)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), results, ordinary)
