"""What holds for every layer whatever its inputs' type: it promotes as operators do, and adds up in 32 bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.arrays.masked import Masked
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context, Layer, outputs_of
from chainrule.layers import (
    AveragePool1D,
    AveragePool2D,
    Embedding,
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    GlobalMaxPool1D,
    MaxPool1D,
    MaxPool2D,
)

TYPES = ("float16", "bfloat16", "int8", "int32", "uint8", "bool")  # beside float32
SHAPES = [(6,), (3, 6), (4, 6), (8, 8, 2), (4, 3, 4, 2)]


def shape_for(layer):
    for shape in SHAPES:
        try:
            layer.output_shape(shape)
        except ChainruleError:
            continue
        return shape
    raise AssertionError(f"no shape for {layer!r}")


@pytest.mark.by_turns(5)
def test_a_layer_takes_every_type_of_real_numbers(drawn, layer: Layer):
    """0 and 1, which all types hold, come out as those of float32 do."""
    shape = shape_for(layer)
    x, p = np.random.default_rng(0).integers(0, 2, (3, *shape)), drawn(layer, shape)
    truth, *results = jax.jit(lambda p, xs: [layer.apply(p, layer.state(shape), x)[0] for x in xs])(
        p, [x.astype(dtype) for dtype in ("float32", *TYPES)]
    )
    assert truth.dtype == jnp.float32
    for dtype, y in zip(TYPES, results, strict=True):
        arrays = jax.tree.leaves(p)
        if arrays:
            assert y.dtype == jnp.float32
        elif jnp.issubdtype(dtype, jnp.floating):
            assert y.dtype == dtype
        eps = float(jnp.finfo(y.dtype).eps) if jnp.issubdtype(y.dtype, jnp.floating) else 0
        np.testing.assert_allclose(y.astype(jnp.float32), truth, rtol=4 * eps, atol=4 * eps)


def test_in_training_it_takes_them_too(drawn, layer: Layer):
    shape = shape_for(layer)
    x, p = np.random.default_rng(0).integers(0, 2, (3, *shape)), drawn(layer, shape)
    for dtype in ("float32", *TYPES):
        context = Context(jax.random.key(1), training=True)
        y, kept = jax.eval_shape(lambda p, x: layer.apply(p, layer.state(shape), x, context), p, x.astype(dtype))  # noqa: B023
        assert all(array.dtype == jnp.float32 for array in jax.tree.leaves(kept))
        assert jnp.issubdtype(y.dtype, jnp.floating) or y.dtype == dtype


def test_arrays_of_half_precision_make_results_of_it(drawn, layer: Layer):
    shape = shape_for(layer)
    for dtype in ("float16", "bfloat16"):
        half = jax.tree.map(lambda w, dtype=dtype: jax.ShapeDtypeStruct(w.shape, dtype), drawn(layer, shape))
        x = jax.ShapeDtypeStruct((3, *shape), jnp.int32 if isinstance(layer, Embedding) else dtype)
        assert jax.eval_shape(layer.apply, half, layer.state(shape), x)[0].dtype == dtype


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_means_of_half_precision_are_added_up_in_single(dtype):
    for layer, shape in (
        (AveragePool2D(16), (16, 16, 1)),
        (AveragePool2D(16, padding=1), (16, 16, 1)),
        (AveragePool1D(100), (300, 2)),
        (GlobalAveragePool2D(), (40, 40, 2)),
        (GlobalAveragePool1D(), (3000, 2)),
    ):
        x = jnp.full((2, *shape), 300, dtype)
        y, slope = jax.jit(lambda x, layer=layer: jax.value_and_grad(lambda x: layer.forward({}, x).max())(x))(x)
        assert y == 300
        assert slope.dtype == dtype


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("mean", [AveragePool1D(300, stride=300), GlobalAveragePool1D()], ids=repr)
def test_means_of_sequences_are_too(mean, dtype):
    x = Masked(jnp.full((2, 600, 2), 300, dtype), jnp.arange(600)[None] < jnp.array([[600], [450]]))
    y = jax.jit(lambda x: outputs_of(mean, {}, {}, x)[0])(x)
    values = y.values[:, 0] if isinstance(y, Masked) else y
    assert values.dtype == dtype
    assert (values == 300).all()


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "bool"])
def test_the_largest_of_whole_numbers_is_one_of_them(dtype):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (2, 7, 7, 3)).astype(dtype)
    x = -x if dtype.startswith("int") else x  # all below the padding, if that were 0
    for layer in (MaxPool2D(3, padding="same"), MaxPool2D(2), MaxPool2D(7, stride=1, padding=3)):
        y, truth = jax.jit(lambda x, layer=layer: (layer.forward({}, x), layer.forward({}, x.astype(jnp.float32))))(x)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, truth)
    series = Masked(jnp.asarray(x[:, :, 0]), jnp.arange(7)[None] < jnp.array([[7], [4]]))
    largest = jax.jit(lambda layer, x: outputs_of(layer, {}, {}, x)[0])
    assert largest(MaxPool1D(2), series).values.dtype == dtype
    np.testing.assert_array_equal(largest(GlobalMaxPool1D(), series)[1], x[1, :4, 0].max(axis=0))


def test_the_mean_of_truth_values_is_their_part():
    x = np.array([[[True], [False], [True], [True]]])
    assert AveragePool1D(4).forward({}, jnp.asarray(x)).tolist() == [[[0.75]]]
    assert GlobalAveragePool1D().forward({}, jnp.asarray(x)).tolist() == [[0.75]]
