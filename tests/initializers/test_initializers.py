"""Initialisers: the distributions that they promise, for kernels of every shape."""

import dataclasses
import functools
import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ReLU
from chainrule.arrays.devices import hosted
from chainrule.arrays.random import keyed, seeded, split
from chainrule.errors import ChainruleError
from chainrule.formula.network import initialize
from chainrule.initializers import (
    Constant,
    Dirac,
    Eye,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Orthogonal,
    Pretrained,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
    Zeros,
)
from chainrule.initializers.distributions import TRUNCATED
from chainrule.initializers.scaled import fan_in, fan_out
from chainrule.layers import RNN, Conv1D, Conv2D, LocallyConnected1D, LocallyConnected2D
from chainrule.notation.families import family

KEY = jax.random.key(0)
DENSE, CONVOLUTION = (300, 200), (3, 3, 60, 40)
FANS = {DENSE: (300, 200), CONVOLUTION: (540, 360)}
VARIANCES = {
    GlorotUniform(): lambda i, o: 2 / (i + o),
    GlorotNormal(): lambda i, o: 2 / (i + o),
    HeUniform(): lambda i, o: 2 / i,
    HeNormal(): lambda i, o: 2 / i,
    LeCunUniform(): lambda i, o: 1 / i,
    LeCunNormal(): lambda i, o: 1 / i,
    Normal(0.3): lambda i, o: 0.09,
    Uniform(-1, 1): lambda i, o: 1 / 3,
    Orthogonal(): lambda i, o: 1 / max(i, 40),
    TruncatedNormal(0.3): lambda i, o: 0.09 * TRUNCATED**2,
    VarianceScaling(): lambda i, o: 1 / i,
    VarianceScaling(2, "fan_avg", "uniform"): lambda i, o: 4 / (i + o),
    VarianceScaling(2, "fan_out", "normal"): lambda i, o: 2 / o,
}


@functools.cache
def drawn(initializer, shape):
    """What it draws, compiled as one."""
    return np.asarray(jax.jit(lambda key: initializer(key, shape))(KEY))


OWN = [one for one in family(Initializer) if one.__module__.startswith("chainrule.")]
BY_DEFAULT = [Constant(0.5) if one is Constant else one() for one in OWN if one not in (Pretrained, Eye, Dirac)]


@pytest.mark.parametrize("shape", [DENSE, CONVOLUTION], ids=str)
@pytest.mark.parametrize("initializer", VARIANCES, ids=repr)
def test_variance_and_mean(initializer, shape):
    w = drawn(initializer, shape)
    variance = VARIANCES[initializer](*FANS[shape])
    assert float(w.var()) == pytest.approx(variance, rel=0.02)
    assert float(w.mean()) == pytest.approx(0, abs=4 * np.sqrt(variance / w.size))


@pytest.mark.parametrize("initializer", [GlorotUniform(), HeUniform(), LeCunUniform()], ids=repr)
def test_uniform_ones_reach_their_bounds_and_no_further(initializer):
    bound = np.sqrt(3 * VARIANCES[initializer](*FANS[DENSE]))
    w = np.abs(drawn(initializer, DENSE))
    assert w.max() <= np.float32(bound)
    assert w.max() > 0.999 * bound


@pytest.mark.parametrize("initializer", [GlorotNormal(), HeNormal(), LeCunNormal(), Normal(1.0)], ids=repr)
def test_normal_ones_are_whole_not_truncated(initializer):
    w = drawn(initializer, DENSE)
    assert (np.abs(w) > 2 * w.std()).mean() == pytest.approx(0.0455, rel=0.1)


def test_truncated_ones_end_at_two_standard_deviations():
    for initializer, end in [
        (TruncatedNormal(0.5, mean=1), 1.0),
        (VarianceScaling(3), 2 * (3 / 300) ** 0.5 / TRUNCATED),
    ]:
        w = drawn(initializer, DENSE) - getattr(initializer, "mean", 0)
        assert 0.995 * end < np.abs(w).max() <= np.float32(end)
        assert (np.abs(w) > end / 2).mean() == pytest.approx((0.9545 - 0.6827) / 0.9545, rel=0.02)


def test_identities_pass_their_input_on():
    x = np.random.default_rng(0).normal(size=(2, 6, 7, 4)).astype(np.float32)
    for size in (1, 2, 3, 4, (2, 5)):
        for layer in (Conv2D(4, size, padding="same"), Conv2D(4, size, padding="same", groups=2)):
            layer = dataclasses.replace(layer, kernel_initializer=Dirac())
            y = layer.forward(initialize(layer, (6, 7, 4), KEY), x)
            np.testing.assert_array_equal(y, x)
    local = LocallyConnected1D(4, 3, padding="same", kernel_initializer=Dirac(2))
    np.testing.assert_array_equal(local.forward(initialize(local, (7, 4), KEY), x[0]), 2 * x[0])
    wide = Conv1D(6, 3, padding="same", kernel_initializer=Dirac())
    y = wide.forward(initialize(wide, (7, 4), KEY), x[0])
    np.testing.assert_array_equal(y, np.pad(x[0], [(0, 0), (0, 0), (0, 2)]))
    keeping = RNN(4, activation=ReLU(), recurrent_initializer=Eye())
    assert initialize(keeping, (7, 4), KEY)["recurrent_kernel"].tolist() == np.eye(4).tolist()


@pytest.mark.parametrize(
    ("initializer", "shape", "said"),
    [
        (Eye(), (3, 3, 2, 2), "Eye(gain=1.0): expected a matrix, got shape (3, 3, 2, 2). Dirac() is for convolutions."),
        (Eye(2), (3,), "Eye(gain=2.0): expected a matrix, got shape (3,). Dirac() is for convolutions."),
        (Dirac(), (3, 2), "Dirac(gain=1.0): expected a convolution's kernel, got shape (3, 2). Eye() is for matrices."),
    ],
)
def test_identities_of_another_rank_are_refused(initializer, shape, said):
    with pytest.raises(ChainruleError) as caught:
        initializer(KEY, shape)
    assert str(caught.value) == said


def test_plain_ones():
    assert not Zeros()(KEY, (3, 2)).any()
    assert Constant(-2.5)(KEY, (2,)).tolist() == [-2.5, -2.5]
    assert float(Normal(0.0, mean=3.0)(KEY, (5,)).var()) == 0
    assert float(Normal(0.1, mean=3.0)(KEY, (10_000,)).mean()) == pytest.approx(3, abs=0.01)
    w = Uniform(2, 5)(KEY, (10_000,))
    assert 2 <= float(w.min()) < 2.01
    assert 4.99 < float(w.max()) <= 5


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (3, 3, 2, 5), (2, 1, 2, 9), (1, 6), (1, 1)], ids=str)
def test_orthogonal_ones_are_tall_and_wide(shape):
    q = drawn(Orthogonal(2.0), shape).reshape(-1, shape[-1]) / 2
    gram = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-6)


def test_orthogonal_ones_have_no_favourite_sign():
    draws = jax.jit(jax.vmap(lambda key: Orthogonal()(key, (1, 1))))(jax.random.split(KEY, 200))
    assert 0.35 < float((draws > 0).mean()) < 0.65


@pytest.mark.parametrize("initializer", BY_DEFAULT, ids=repr)
def test_shapes_dtype_and_repetition(initializer):
    for x64 in (False, True):
        with jax.enable_x64(x64):
            for shape in [(1,), (4,), (1, 1), (3, 0), (2, 3, 4), (3, 3, 2, 2)]:
                w = jax.eval_shape(lambda key, shape=shape: initializer(key, shape), KEY)
                assert (w.shape, w.dtype) == (shape, jnp.float32)
    np.testing.assert_array_equal(initializer(KEY, (4, 3)), initializer(KEY, (4, 3)))


@pytest.mark.parametrize("initializer", BY_DEFAULT, ids=repr)
def test_a_program_draws_the_same(initializer):
    keys = jnp.stack([KEY, jax.random.key(1)])
    draws = jax.jit(jax.vmap(lambda key: initializer(key, (3, 2))))(keys)
    for key, draw in zip(keys, draws, strict=True):
        np.testing.assert_allclose(initializer(key, (3, 2)), draw, rtol=1e-5)


@pytest.mark.parametrize("initializer", BY_DEFAULT, ids=repr)
def test_on_the_host_it_draws_the_same_to_the_bit(initializer):
    with hosted():
        w = initializer(keyed(np.array([0, 5], np.uint32)), (4, 3))
    assert (type(w), w.dtype) == (np.ndarray, np.float32)
    np.testing.assert_array_equal(w, initializer(seeded(5), (4, 3)))


def test_a_single_number():
    assert Normal()(jax.random.key(0), ()).shape == ()


def test_values_that_a_program_is_given():
    draw = jax.jit(lambda stddev: Normal(stddev)(KEY, (3, 2)))
    np.testing.assert_allclose(draw(0.5), Normal(0.5)(KEY, (3, 2)), rtol=1e-6)


def test_drawing_compiles_nothing(caplog):
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for own, initializer in zip(split(seeded(5), len(BY_DEFAULT)), BY_DEFAULT, strict=True):
            initializer(own, (5, 3))
    assert not [record.message for record in caplog.records if record.message.startswith("Compiling")]


@pytest.mark.parametrize(
    ("shape", "fans"), [((), (1, 1)), ((5,), (1, 5)), ((3, 5), (3, 5)), ((2, 3, 4), (6, 8)), ((3, 3, 2, 4), (18, 36))]
)
def test_fans(shape, fans):
    assert (fan_in(shape), fan_out(shape)) == fans


SIDE_BY_SIDE = [
    (Conv2D(512, 3, groups=512), (8, 8, 512), 9, 9),  # depthwise
    (Conv2D(512, 3, groups=256), (8, 8, 512), 18, 18),
    (Conv2D(96, 3, groups=4), (8, 8, 64), 144, 216),
    (Conv1D(600, 5, groups=2), (9, 300), 750, 1500),
    (LocallyConnected2D(8, 3), (18, 18, 3), 27, 72),
    (LocallyConnected1D(64, 4), (100, 6), 24, 256),
]
"""Layers of kernels that see nothing of each other, and the fans of each."""

side_by_side = pytest.mark.parametrize(("layer", "shape", "inputs", "outputs"), SIDE_BY_SIDE, ids=str)


@pytest.mark.by_turns(4)
@side_by_side
@pytest.mark.parametrize("initializer", [GlorotUniform(), GlorotNormal(), HeNormal(), LeCunUniform()], ids=repr)
def test_kernels_side_by_side_are_drawn_by_their_own_fans(layer, shape, inputs, outputs, initializer):
    layer = dataclasses.replace(layer, kernel_initializer=initializer)
    kernel = np.asarray(initialize(layer, shape, KEY)["kernel"])
    truth = {GlorotUniform: 2 / (inputs + outputs), GlorotNormal: 2 / (inputs + outputs), HeNormal: 2 / inputs}
    assert kernel.var() == pytest.approx(truth.get(type(initializer), 1 / inputs), rel=0.05)
    assert abs(kernel.mean()) < 4 * kernel.std() / kernel.size**0.5
    np.testing.assert_array_equal(kernel, jax.jit(lambda: initialize(layer, shape, KEY))()["kernel"])


def test_orthogonal_kernels_side_by_side_are_each_orthogonal():
    conv = Conv2D(12, 3, groups=4, kernel_initializer=Orthogonal())
    kernel = np.asarray(initialize(conv, (8, 8, 8), KEY)["kernel"])
    for group in np.split(kernel, 4, axis=-1):
        q = group.reshape(18, 3)
        np.testing.assert_allclose(q.T @ q, np.eye(3), atol=1e-6)
    assert len({group.tobytes() for group in np.split(kernel, 4, axis=-1)}) == 4


def test_kernels_side_by_side_are_drawn_without_a_compilation(caplog):
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        for layer, shape, *_ in SIDE_BY_SIDE:
            initialize(layer, shape, KEY)
    assert not [record.message for record in caplog.records if record.message.startswith("Compiling")]


@side_by_side
def test_pretrained_values_are_those_of_all_kernels(layer, shape, inputs, outputs, tmp_path):
    kernel = np.asarray(initialize(layer, shape, KEY)["kernel"])
    np.save(tmp_path / "kernel.npy", kernel)
    layer = dataclasses.replace(layer, kernel_initializer=Pretrained(str(tmp_path / "kernel.npy")))
    np.testing.assert_array_equal(initialize(layer, shape, KEY)["kernel"], kernel)


def test_a_range_upside_down_is_refused():
    with pytest.raises(ChainruleError) as caught:
        Uniform(1, 0)
    assert str(caught.value) == "Uniform: low must not be above high, got 1.0 and 0.0. Swap them."


def test_pretrained_values_are_those_of_the_file(tmp_path):
    table = np.arange(12, dtype=np.float64).reshape(4, 3)
    np.save(tmp_path / "table.npy", table)
    drawn = Pretrained(str(tmp_path / "table.npy"))(jax.random.key(0), (4, 3))
    assert drawn.dtype == jnp.float32
    np.testing.assert_array_equal(drawn, table)


def test_pretrained_values_that_do_not_fit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = "table.npy"
    with pytest.raises(
        ChainruleError, match=r"expected a .npy file of numbers: .*No such file.* Write it by numpy.save."
    ):
        Pretrained(file)(jax.random.key(0), (4, 3))
    np.save(file, np.zeros((5, 3)))
    with pytest.raises(ChainruleError) as caught:
        Pretrained(file)(jax.random.key(0), (4, 3))
    assert str(caught.value) == (
        f"Pretrained({file!r}): expected numbers of shape (4, 3), got float64 of shape (5, 3). Cut or fill the table."
    )
