"""Normalisation: statistics by their definition in float64, whatever surrounds a batch."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context, outputs_of
from chainrule.formula.network import initialize, regularized
from chainrule.layers import BatchNorm, Dense, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from chainrule.notation import parse

rng = np.random.default_rng(0)
PLAIN = {"scale": False, "offset": False}

LAYERS = [
    (BatchNorm(**PLAIN), (0, 1, 2)),
    (LayerNorm(**PLAIN), (3,)),
    (GroupNorm(1, **PLAIN), (1, 2, 3)),
    (InstanceNorm(), (1, 2)),
]
"""Layers without parameters, and the axes of images over which they standardise."""

each_layer = pytest.mark.parametrize(("layer", "axes"), LAYERS, ids=lambda value: type(value).__name__)


def array(*shape, mean=0.0, deviation=1.0):
    return rng.normal(mean, deviation, shape).astype(np.float32)


def standardized(x, axes, epsilon=1e-5, weights=1.0):
    """The definition, in float64: values, mean and variance."""
    x = np.asarray(x, np.float64)
    weights = np.broadcast_to(np.asarray(weights, np.float64), x.shape)
    mean = np.average(x, axes, weights, keepdims=True)
    variance = np.average((x - mean) ** 2, axes, weights, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon), mean, variance


def slopes(x, g, axes, epsilon=1e-5, weights=1.0):
    """The gradient of ⟨g, y⟩ by x, by the formula that papers derive, in float64."""
    y, _, variance = standardized(x, axes, epsilon, weights)
    weights = np.broadcast_to(np.asarray(weights, np.float64), x.shape)
    means = [(g * each).sum(axes, keepdims=True) / weights.sum(axes, keepdims=True) for each in (1, y)]
    return (g - weights * (means[0] + y * means[1])) / np.sqrt(variance + epsilon)


@jax.jit
def train(layer, p, state, x, g, weights=None, mask=None):
    """Outputs and state in training, and the gradients of ⟨g, y⟩ by parameters and input."""

    def value(p, x):
        y, kept = layer.apply(p, state, x, Context(training=True, weights=weights, mask=mask))
        return jnp.sum(y * g), (y, kept)

    slopes, results = jax.grad(value, (0, 1), has_aux=True)(p, x)
    return *results, *slopes


def trained(layer, x, g=None, p=None, **context):
    """The same for a layer that begins, as NumPy's arrays."""
    p, g = p or {}, np.ones(x.shape, np.float32) if g is None else g
    return jax.tree.map(np.asarray, train(layer, p, layer.state(x.shape[1:]), x, g, **context))


@pytest.mark.by_turns(3)
@each_layer
@pytest.mark.parametrize("shape", [(2, 1, 2, 3), (5, 3, 4, 6), (64, 28, 28, 3)], ids=str)
@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (1e4, 1e-2), (-3e6, 50), (0, 1e-6), (1e3, 1e7)])
def test_values_and_gradients_are_those_of_the_definition(layer, axes, shape, mean, deviation):
    x, g = array(*shape, mean=mean, deviation=deviation), array(*shape)
    y, _, _, of_x = trained(layer, x, g)
    expected, _, variance = standardized(x, axes)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    slope, root = slopes(x, g, axes), np.sqrt(variance + 1e-5)  # of numbers that cancel in part
    np.testing.assert_allclose(of_x * root, slope * root, rtol=1e-4, atol=1e-5)


@each_layer
@pytest.mark.parametrize("value", [0.0, 1.0, -7e8, 3e15])
def test_values_all_the_same_have_no_variance(layer, axes, value):
    x = np.full((8, 5, 5, 6), value, np.float32)
    y, _, _, of_x = trained(layer, x, array(*x.shape))
    assert np.abs(y).max() <= 1e-6 * abs(value)  # of which float32 holds a mean to 6e-8
    assert np.isfinite(of_x).all()
    if abs(value) <= 1:
        assert not y.any()


def test_the_root_mean_square_is_that_of_the_definition():
    x, g = array(7, 3, 5, mean=3, deviation=2), array(7, 3, 5)
    y, _, _, of_x = trained(RMSNorm(1e-3, scale=False), x, g)
    root = np.sqrt(np.mean(np.square(x, dtype=np.float64), axis=-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(y, x / root, rtol=1e-6)
    np.testing.assert_allclose(of_x, (g - x / root * np.mean(g * x / root, -1, keepdims=True)) / root, atol=1e-6)


def test_scale_and_offset_are_each_channels_own_and_not_regularised():
    x = array(6, 4, 8)
    for layer in (BatchNorm(), LayerNorm(), RMSNorm(), GroupNorm(2), InstanceNorm(scale=True, offset=True)):
        p = jax.tree.map(np.asarray, initialize(layer, x.shape[1:], jax.random.key(0)))
        assert p["scale"].tolist() == [1] * 8
        assert not any(regularized(layer, x.shape[1:]).values())
        plain = trained(parse(repr(layer).replace("True", "False")) if "scale=True" in repr(layer) else layer, x, p=p)[
            0
        ]
        own = {name: array(8) for name in p}
        y = trained(layer, x, p=own)[0]
        np.testing.assert_allclose(y, plain * own["scale"] + own.get("offset", 0), rtol=1e-5, atol=1e-5)


def test_what_they_have_in_common():
    x = array(5, 4, 6)
    same = np.testing.assert_allclose
    same(trained(InstanceNorm(), x)[0], trained(GroupNorm(6, **PLAIN), x)[0], atol=1e-6)
    same(trained(LayerNorm(**PLAIN), x[:, 0])[0], trained(GroupNorm(1, **PLAIN), x[:, 0])[0], atol=1e-6)
    thirds = [trained(GroupNorm(1, **PLAIN), x[..., first : first + 2])[0] for first in (0, 2, 4)]
    same(trained(GroupNorm(3, **PLAIN), x)[0], np.concatenate(thirds, axis=-1), atol=1e-6)


# Weights and masks.


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("places", [(), (3,), (3, 2)], ids=str)
def test_a_row_of_weight_n_is_as_good_as_n_rows(places):
    times = np.array([1, 3, 0, 2, 1])
    x, g = array(5, *places, 4, mean=5), array(5, *places, 4)
    p = {"scale": array(4), "offset": array(4)}
    each = times.reshape(-1, *[1] * (x.ndim - 1)).astype(np.float32)
    y, state, of_p, of_x = trained(BatchNorm(), x, g * each, p, weights=times.astype(np.float32))
    rows = np.repeat(np.arange(5), times)
    y_rows, state_rows, of_p_rows, of_x_rows = trained(BatchNorm(), x[rows], g[rows], p)
    np.testing.assert_allclose(y[rows], y_rows, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(state["mean"], state_rows["mean"], rtol=1e-6)
    values, repeated = 4 * np.prod(places), 7 * np.prod(places)  # whose m / (m − 1) counts values, not their weights
    biased = state["variance"] * (values - 1) / values, state_rows["variance"] * (repeated - 1) / repeated
    np.testing.assert_allclose(*biased, rtol=1e-5)
    summed = [of_x_rows[rows == row].sum(axis=0) for row in range(5)]
    np.testing.assert_allclose(of_x, summed, rtol=1e-4, atol=1e-5)
    jax.tree.map(lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5), of_p, of_p_rows)


def test_weights_of_fractions_are_those_of_the_mean_and_only_their_proportions_count():
    x, g, weights = array(9, 4, 3, mean=2), array(9, 4, 3), rng.uniform(0, 1, 9).astype(np.float32)
    y, state, _, of_x = trained(BatchNorm(**PLAIN), x, g, weights=weights)
    expected, mean, variance = standardized(x, (0, 1), weights=weights[:, None, None])
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(of_x, slopes(x, g, (0, 1), weights=weights[:, None, None]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state["mean"], mean[0, 0], rtol=1e-5)
    np.testing.assert_allclose(state["variance"], variance[0, 0] * 36 / 35, rtol=1e-5)
    scaled = trained(BatchNorm(**PLAIN), x, g, weights=weights / 1024)  # whose sum is far below 1
    jax.tree.map(np.testing.assert_array_equal, scaled, (y, state, {}, of_x))


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("layer", [BatchNorm(**PLAIN), GroupNorm(2, **PLAIN), InstanceNorm()], ids=repr)
def test_masked_steps_are_in_no_statistic(layer):
    lengths, x, g = (7, 2, 5, 0), array(4, 7, 6, mean=3), array(4, 7, 6)
    mask = np.arange(7) < np.array(lengths)[:, None]
    garbage = np.where(mask[..., None], x, np.resize([np.nan, 1e30, -np.inf], (4, 7, 1))).astype(np.float32)
    g = np.where(mask[..., None], g, 0)
    y, state, _, of_x = trained(layer, garbage, g, mask=mask)
    assert np.isfinite(y).all()
    assert not of_x[~mask].any()
    if isinstance(layer, BatchNorm):
        alone, kept, _, of_alone = trained(layer, x[mask], g[mask])
        np.testing.assert_allclose(y[mask], alone, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(of_x[mask], of_alone, rtol=1e-4, atol=1e-5)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), state, kept)
        return
    for row, length in enumerate(lengths[:3]):
        alone, _, _, of_alone = trained(layer, x[row : row + 1, :length], g[row : row + 1, :length])
        np.testing.assert_allclose(y[row, :length], alone[0], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(of_x[row, :length], of_alone[0], rtol=1e-4, atol=1e-5)


def test_weights_and_mask_together_are_one_of_each_step():
    x, weights = array(3, 4, 2), np.array([1, 0.5, 0], np.float32)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], bool)
    each = (weights[:, None] * mask)[..., None]
    y, state, *_ = trained(BatchNorm(**PLAIN), x, weights=weights, mask=mask)
    expected, mean, variance = standardized(x, (0, 1), weights=each)
    live = each[..., 0] > 0
    np.testing.assert_allclose(y[live], expected[live], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(state["variance"], variance[0, 0] * 5 / 4, rtol=1e-5)  # of five steps that count
    np.testing.assert_allclose(state["mean"], mean[0, 0], rtol=1e-5, atol=1e-6)


@example(weights=[0, 0, 0, 0.25, 0], lengths=[0, 0, 0, 3, 0], mean=1e4, seed=0)  # a mean that is no float
@given(
    weights=st.lists(st.sampled_from([0, 0.25, 1, 3]), min_size=5, max_size=5),
    lengths=st.lists(st.integers(0, 4), min_size=5, max_size=5),
    mean=st.sampled_from([0, -7, 1e4]),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_rows_and_steps_count_statistics_are_theirs(weights, lengths, mean, seed):
    x = np.random.default_rng(seed).normal(mean, 2, (5, 4, 3)).astype(np.float32)
    mask = np.arange(4) < np.array(lengths)[:, None]
    each = np.array(weights)[:, None] * mask
    live, layer = each > 0, BatchNorm(**PLAIN)
    padded = np.where(mask[..., None], x, np.float32(np.nan))
    y, state, _, of_x = trained(layer, padded, weights=np.array(weights, np.float32), mask=mask)
    assert np.isfinite(y).all()
    assert np.isfinite(of_x).all()
    if live.sum() < 2:
        jax.tree.map(np.testing.assert_array_equal, state, jax.tree.map(np.asarray, layer.state((4, 3))))
        return
    expected, means, variance = standardized(x, (0, 1), weights=each[..., None])
    np.testing.assert_allclose(y[live], expected[live], rtol=1e-3, atol=1e-3 if variance.min() < 1e-2 else 1e-5)
    np.testing.assert_allclose(state["mean"], means.ravel(), rtol=1e-5, atol=1e-5)
    corrected = variance.ravel() * live.sum() / (live.sum() - 1)
    np.testing.assert_allclose(state["variance"], corrected, rtol=1e-4, atol=1e-5)
    assert state["count"] == 1


# Running statistics.


def test_inference_standardises_by_the_running_statistics():
    layer, x = BatchNorm(epsilon=0.5), array(4, 3)
    state = {"mean": array(3), "variance": array(3) ** 2, "count": np.float32(1)}
    p = {"scale": array(3), "offset": array(3)}
    y, kept = layer.apply(p, state, x, Context(weights=np.zeros(4, np.float32)))
    expected = (x - state["mean"]) / np.sqrt(state["variance"] + 0.5) * p["scale"] + p["offset"]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    assert kept is state


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 1.0])
def test_a_batch_counts_momentum_times_as_much_as_the_next(momentum):
    batches = [array(rows, 3, mean=rows, deviation=rows) for rows in (2, 5, 9, 4)]
    layer = BatchNorm(momentum, **PLAIN)
    state = layer.state((3,))
    for x in batches:
        _, state, *_ = train(layer, {}, state, x, x)
    weights = [momentum**age for age in (3, 2, 1, 0)]
    mean = np.average([x.mean(axis=0, dtype=np.float64) for x in batches], 0, weights)
    variance = np.average([x.var(axis=0, ddof=1, dtype=np.float64) for x in batches], 0, weights)
    np.testing.assert_allclose(state["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(state["variance"], variance, rtol=1e-5)
    assert float(state["count"]) == pytest.approx(sum(weights))


@pytest.mark.parametrize("weights", [[0, 0, 0, 0], [0, 0, 1, 0]])
def test_a_batch_of_which_one_row_or_none_counts_leaves_them_as_they_are(weights):
    layer = BatchNorm()
    state = {"mean": array(3), "variance": array(3) ** 2, "count": np.float32(3)}
    p, x = {"scale": array(3), "offset": array(3)}, array(4, 3, mean=100)
    counts = np.array(weights, np.float32)
    y, kept, of_p, of_x = jax.tree.map(np.asarray, train(layer, p, state, x, counts[:, None], counts))
    jax.tree.map(np.testing.assert_array_equal, kept, state)
    np.testing.assert_array_equal(y[counts > 0], np.tile(p["offset"], (sum(weights), 1)))
    assert not of_x.any()
    assert np.isfinite([*of_p.values()]).all()


# What else may be.


def test_a_population_trains_as_each_of_it_does():
    """By vmap over float fields, parameters, states and weights of rows."""
    layers = BatchNorm(np.float32([0.9, 0.5]), np.float32([1e-5, 1e-1]))
    x, g, weights = array(2, 6, 3), array(2, 6, 3), rng.integers(0, 3, (2, 6)).astype(np.float32)
    p = {"scale": array(2, 3), "offset": array(2, 3)}
    state = {"mean": array(2, 3), "variance": array(2, 3) ** 2, "count": np.float32([2, 5])}
    together = jax.vmap(train)(layers, p, state, x, g, weights)
    for one in range(2):
        pick = lambda tree, one=one: jax.tree.map(lambda leaf: leaf[one], tree)  # noqa: E731
        layer = BatchNorm(*(float(field[one]) for field in (layers.momentum, layers.epsilon)))
        alone = train(layer, *map(pick, (p, state, x, g, weights)))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), pick(together), alone)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@each_layer
def test_statistics_of_half_precision_are_in_single(layer, axes, dtype):
    x = jnp.asarray(array(8, 20, 20, 4, mean=300, deviation=100), dtype)
    y, state = jax.jit(lambda x: layer.apply({}, layer.state(x.shape[1:]), x, Context(training=True)))(x)
    assert y.dtype == dtype
    expected, mean, _ = standardized(x.astype("float32"), axes)
    np.testing.assert_allclose(y.astype("float32"), expected, rtol=0.01, atol=0.01)
    if state:
        assert {leaf.dtype.name for leaf in state.values()} == {"float32"}
        np.testing.assert_allclose(state["mean"], mean.ravel(), rtol=1e-6)


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm(), RMSNorm(), GroupNorm(2), InstanceNorm()], ids=repr)
def test_float64_stays_and_is_exact(layer):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        x = rng.normal(1e6, 1e-3, (4, 5, 6))
        p = {name: np.ones(6) if name == "scale" else np.zeros(6) for name in layer.parameters((5, 6))}
        y, state, _, of_x = train(layer, p, layer.state((5, 6)), x, rng.normal(size=x.shape))
        assert {y.dtype.name, of_x.dtype.name} == {"float64"}
        assert {leaf.dtype.name for leaf in jax.tree.leaves(state)} <= {"float32"}
        if isinstance(layer, BatchNorm):
            np.testing.assert_allclose(y, standardized(x, (0, 1))[0], rtol=1e-4, atol=1e-4)


def refused(layer, shape, message):
    with pytest.raises(ChainruleError, match=f"^{re.escape(message)}$"):
        layer.output_shape(shape)


def test_single_values_and_groups_that_do_not_fit_are_refused():
    no_variance = "got shape {}. One has no variance: "
    refused(
        LayerNorm(),
        (3, 1),
        f"LayerNorm(epsilon=1e-05): expected examples of 2 features or more, {no_variance.format((3, 1))}"
        "leave the layer out.",
    )
    refused(
        InstanceNorm(),
        (6,),
        f"InstanceNorm(epsilon=1e-05): expected examples of 2 places or more, {no_variance.format((6,))}"
        "choose LayerNorm().",
    )
    refused(
        GroupNorm(6),
        (6,),
        f"GroupNorm(6): expected groups of 2 values or more, {no_variance.format((6,))}choose fewer groups.",
    )
    refused(
        GroupNorm(4),
        (5, 6),
        "GroupNorm(4): expected channels that 4 groups divide, got shape (5, 6). Choose groups that do.",
    )
    assert GroupNorm(6).output_shape((5, 6)) == (5, 6)
    one = "BatchNorm: expected training batches of 2 values or more of each channel, got 1, which has no "
    for batch in (np.ones((1, 6), np.float32), np.ones((1, 1, 6), np.float32)):
        with pytest.raises(ChainruleError, match=f"^{re.escape(one)}variance. Take a larger batch_size, or LayerNorm"):
            trained(BatchNorm(), batch)
    assert trained(BatchNorm(**PLAIN), np.ones((1, 2, 6), np.float32))[0].shape == (1, 2, 6)


def test_a_mask_over_what_is_no_series_is_refused():
    message = (
        "BatchNorm(momentum=0.9): expected series (time, features) where steps are masked, got shape (4,). "
        "Put Reshape((time, 1)) before it."
    )
    with pytest.raises(ChainruleError, match=f"^{re.escape(message)}$"):
        outputs_of(BatchNorm(), {}, {}, np.ones((2, 4)), Context(mask=np.ones((2, 4), bool)))


def test_forward_asks_for_the_state():
    for layer in (BatchNorm(), Dense(3) >> BatchNorm()):
        message = f"{layer!r}: forward knows no statistics. Call apply(p, state, x), with the model's state."
        with pytest.raises(ChainruleError, match=f"^{re.escape(message)}$"):
            layer.forward(({}, {}), np.ones((2, 3), np.float32))
