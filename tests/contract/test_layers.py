"""What holds for every layer: the shape rule tells the truth, and parameters are what is declared."""

import dataclasses
import functools
import re
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Identity
from chainrule.errors import ChainruleError
from chainrule.formula.layer import INFERENCE, Context, Layer, NoisyLayer, Operation, Parameter
from chainrule.formula.network import count, initialize, numbers, regularized
from chainrule.formula.repeat import Repeat
from chainrule.layers import Frozen

SHAPES = [(6,), (3, 6), (4, 6), (4, 3, 6), (8, 8, 2), (16, 16, 3), (4, 3, 4, 2), (1,), ()]
"""Shapes of examples; each layer is tried on those that it takes."""

KEY = jax.random.key(0)


def fitting(layer) -> list:
    """The shapes that a layer takes."""
    return [shape for shape in SHAPES if refusal(layer, shape) is None]


def parts(layer) -> list:
    """The layers that may speak for a layer: itself, or those inside."""
    inner = [getattr(layer, field.name) for field in dataclasses.fields(layer)]
    return [layer, *getattr(layer, "layers", ()), *(value for value in inner if isinstance(value, Layer))]


def with_noise(layer):
    """The layer with the noise switched on that is off by default."""
    changed = {field.name: 0.5 for field in dataclasses.fields(layer) if field.name.endswith("dropout")}
    inner = {"layer": with_noise(layer.layer)} if hasattr(layer, "layer") else {}
    return dataclasses.replace(layer, **changed, **inner)


def refusal(layer, shape):
    """What the layer says about a shape that it does not take."""
    try:
        layer.output_shape(shape)
    except ChainruleError as error:
        return str(error)
    return None


@functools.cache
def drawn(layer, shape):
    """Parameters and state, compiled as one."""
    return jax.jit(lambda key: (initialize(layer, shape, key), layer.state(shape)))(KEY)


def described(layer, shape):
    """Shapes and dtypes of the parameters and the state, without drawing them."""
    return jax.eval_shape(lambda key: (initialize(layer, shape, key), layer.state(shape)), KEY)


def examples(batch, shape):
    return np.random.default_rng(0).normal(size=(batch, *shape)).astype(np.float32)


def declared(layer, shape):
    return jax.tree.leaves(layer.parameters(shape), is_leaf=lambda node: isinstance(node, Parameter))


def test_it_takes_some_shape_and_refuses_others_by_name(layer: Layer):
    assert fitting(layer)
    who = "|".join(re.escape(repr(part)) for part in parts(layer))
    for shape in set(SHAPES) - set(fitting(layer)):
        assert re.match(f"({who}): expected .*, got shape {re.escape(str(shape))}. ", refusal(layer, shape))


@pytest.mark.by_turns(4)
@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_its_output_has_the_shape_that_its_rule_tells(layer: Layer, training):
    for shape in fitting(layer):
        p, state = described(layer, shape)
        for batch in (3, 1, 0):
            x = jax.ShapeDtypeStruct((batch, *shape), jnp.float32)
            context = Context(KEY, training) if training else INFERENCE
            found = attempt(layer.apply, p, state, x, context)
            if isinstance(found, str):  # a single value, of which there are no statistics
                assert (training, batch) == (True, 1)
                assert any(found.startswith(f"{type(part).__name__}: ") for part in parts(layer))
                continue
            y, kept = found
            assert y.shape == (batch, *layer.output_shape(shape))
            assert y.dtype == x.dtype
            assert jax.tree.map(jnp.shape, kept) == jax.tree.map(jnp.shape, state)


def test_under_a_mask_it_tells_which_outputs_are_steps_or_refuses_by_name(layer: Layer):
    for shape in filter(None, fitting(layer)):
        found = under_a_mask(layer, shape)
        if isinstance(found, str):
            assert any(found.startswith(f"{part!r}: ") for part in parts(layer))
            continue
        y, kept, mask = found
        assert y.shape == (3, *layer.output_shape(shape))
        assert mask is None or mask.shape == y.shape[:2]
        assert jax.tree.structure(kept) == jax.tree.structure(described(layer, shape)[1])


def under_a_mask(layer, shape):
    """Outputs, state and mask that a layer makes of a masked batch, described; or its refusal."""
    x, mask = jax.ShapeDtypeStruct((3, *shape), jnp.float32), jax.ShapeDtypeStruct((3, shape[0]), bool)
    return attempt(layer.through, *described(layer, shape), x, Context(KEY, training=True, mask=mask))


def attempt(function, *arguments):
    """What a function makes of its arguments, described; or its refusal."""
    try:
        return jax.eval_shape(function, *arguments)
    except ChainruleError as error:
        return str(error)


@pytest.mark.by_turns(6)
def test_devices_that_share_a_batch_make_of_it_what_one_makes(layer: Layer):
    shape = fitting(layer)[0]
    p, state = drawn(layer, shape)
    x, weights = examples(4, shape), np.array([1, 2, 0, 1], np.float32)
    x[:, : layer.categories] = 0

    def made(x, weights, axis=None):
        return layer.apply(p, state, x, Context(training=True, weights=weights, axis=axis))

    def by_two(x, weights):  # to sums over it, an axis that `vmap` counts is one of devices
        halves = x.reshape(2, 2, *shape), weights.reshape(2, 2)
        y, kept = jax.vmap(functools.partial(made, axis="devices"), axis_name="devices")(*halves)
        return y.reshape(4, *y.shape[2:]), *(jax.tree.map(lambda array, own=own: array[own], kept) for own in range(2))

    (y, kept), (shared, *each) = jax.jit(made)(x, weights), jax.jit(by_two)(x, weights)
    assert np.allclose(shared, y, rtol=1e-5, atol=1e-6)
    for own, whole in zip(jax.tree.leaves(each), 2 * jax.tree.leaves(kept), strict=True):
        assert np.allclose(own, whole, rtol=1e-5, atol=1e-6)


def test_its_parameters_have_the_shapes_that_it_declares(layer: Layer):
    for shape in fitting(layer):
        leaves = jax.tree.leaves(described(layer, shape)[0])
        assert [p.shape for p in leaves] == [p.shape for p in declared(layer, shape)]
        assert all(p.dtype == jnp.float32 for p in leaves)
        assert numbers(layer, shape) == sum(p.size for p in leaves)
        assert count(layer, shape) == (0 if isinstance(layer, Frozen) else numbers(layer, shape))
        kernels = [p.regularized and p.trainable for p in declared(layer, shape)]
        assert jax.tree.leaves(regularized(layer, shape)) == kernels


@pytest.mark.by_turns(4)
def test_every_parameter_is_used_and_has_a_gradient(layer: Layer):
    shape = fitting(layer)[0]
    p, state = drawn(layer, shape)
    x = examples(4, shape)
    x[:, : layer.categories] = 0
    gradients = jax.jit(jax.grad(lambda p: jnp.sum(layer.apply(p, state, x)[0] ** 2)))(
        jax.tree.map(lambda w: np.asarray(w) + np.float32(0.1), p)
    )
    assert all(np.any(np.asarray(g) != 0) for g in jax.tree.leaves(gradients))


@pytest.mark.by_turns(4)
def test_inference_needs_no_key_and_repeats_itself(layer: Layer):
    shape = fitting(layer)[0]
    p, state = drawn(layer, shape)
    x = jnp.asarray(examples(4, shape))
    first, second = layer.apply(p, state, x)[0], layer.apply(p, state, x)[0]
    np.testing.assert_array_equal(first, second)
    if jax.tree.leaves(state):
        with pytest.raises(ChainruleError, match="forward knows no statistics"):
            layer.forward(p, x)
    else:
        np.testing.assert_array_equal(first, layer.forward(p, x))


@pytest.mark.by_turns(3)
def test_only_noisy_layers_depend_on_the_key(layer: Layer):
    layer = with_noise(layer)
    shape = fitting(layer)[0]
    p, state = drawn(layer, shape)
    x = examples(50, shape)
    apply = jax.jit(lambda p, key: layer.apply(p, state, x, Context(key))[0])
    one, same, other = (np.asarray(apply(p, jax.random.key(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    noisy = any(isinstance(part, NoisyLayer) for part in parts(layer)) and not isinstance(layer, Frozen)
    assert bool(np.any(one != other)) == noisy


@pytest.mark.by_turns(4)
def test_examples_do_not_see_each_other_at_inference(layer: Layer):
    shape = fitting(layer)[0]
    p, state = drawn(layer, shape)
    together, alone = jax.jit(lambda p, x: [layer.apply(p, state, rows)[0] for rows in (x, x[1:2])])(
        p, examples(4, shape)
    )
    np.testing.assert_allclose(np.asarray(together)[1:2], alone, rtol=2e-6, atol=5e-6)


@pytest.mark.by_turns(5)
def test_rows_of_padding_do_not_show_in_training(layer: Layer):
    """Nor what they hold: outputs, statistics and gradients are those of the batch without them."""
    shape = fitting(layer)[0]
    p, state = drawn(layer, shape)
    x, weights = examples(4, shape), np.ones(4, np.float32)
    x[:, : layer.categories] = 0
    padded, padding = np.concatenate([x, 20 * x[:3]]), np.append(weights, np.zeros(3, np.float32))

    def results(p, x, weights):
        def cost(p, x):
            y, kept = layer.apply(p, state, x, Context(training=True, weights=weights))
            return jnp.sum(jnp.sin(y[:4])), (y[:4], kept)

        (of_p, of_x), results = jax.grad(cost, (0, 1), has_aux=True)(p, x)
        return {"of p": of_p, "of x": of_x[:4], "results": results, "of padding": of_x[4:]}

    alone, beside = (jax.jit(results)(p, *batch) for batch in ((x, weights), (padded, padding)))
    assert not np.any(beside.pop("of padding"))
    alone.pop("of padding")
    for theirs, ours in zip(jax.tree.leaves(alone), jax.tree.leaves(beside), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.by_turns(4)
def test_of_no_examples_the_gradient_is_zero(layer: Layer):
    shape = fitting(layer)[0]
    p, state = drawn(layer, shape)
    x = jnp.zeros((0, *shape))
    slopes = jax.jit(jax.grad(lambda p, x: jnp.sum(layer.apply(p, state, x)[0]), argnums=(0, 1)))(p, x)
    assert not any(np.any(np.asarray(slope) != 0) for slope in jax.tree.leaves(slopes))


# Among others: in a chain, in a sum, in a product, beside its input, and repeated.

CONTEXTS = {
    "inference": INFERENCE,
    "training": Context(KEY, training=True, weights=np.array([1, 2, 1, 0], np.float32)),  # the last row is padding
}


def among_others(layer, shape) -> Iterator[tuple]:
    """Compositions of a layer: each with the places in it at which it stands, and what it makes of its outputs there.

    Those are told by `once(place, x)`.
    """
    yield layer >> Identity(), [0], lambda once, x: once(0, x)
    yield layer + layer, [0, 1], lambda once, x: once(0, x) + once(1, x)
    yield layer * layer, [0, 1], lambda once, x: once(0, x) * once(1, x)
    if layer.output_shape(shape):
        yield layer | layer, [0, 1], lambda once, x: jnp.concatenate([once(0, x), once(1, x)], axis=-1)
    if layer.output_shape(shape) == shape:
        yield Identity() + layer, [1], lambda once, x: x + once(1, x)
        yield Repeat(layer, 2), [0, 1], lambda once, x: once(1, once(0, x))


def placed(made, places, own):
    """The arrays of a composition in which a layer with these stands at some places."""
    if isinstance(made, Repeat):
        return jax.tree.map(lambda array: jnp.stack([array] * made.times), own)
    return tuple(own if place in places else {} for place in range(len(made.layers)))


@pytest.fixture
def composed(layer):
    """A layer, a shape, its arrays, examples of that shape, and its compositions; of one that is no composition."""
    layer, shape = with_noise(layer), fitting(layer)[0]
    if isinstance(layer, Operation):
        pytest.skip("it becomes one with what it is composed with")
    x = examples(4, shape)
    x[:, : layer.categories] = 0
    return layer, drawn(layer, shape), x, list(among_others(layer, shape))


@pytest.mark.slow
@pytest.mark.parametrize("context", CONTEXTS)
def test_among_others_it_computes_what_it_does_alone(composed, context):
    layer, (p, state), x, compositions = composed
    context = CONTEXTS[context]

    @jax.jit
    def computed(p, state, x):
        once = lambda place, x: layer.apply(p, state, x, context.within(place, None))[0]  # noqa: E731
        return [
            (made.apply(*(placed(made, places, own) for own in (p, state)), x, context)[0], alone(once, x))
            for made, places, alone in compositions
        ]

    for (made, *_), (ours, truth) in zip(compositions, computed(p, state, x), strict=True):
        np.testing.assert_allclose(ours, truth, rtol=1e-5, atol=1e-6, err_msg=repr(made))


@pytest.mark.by_turns(3)
def test_among_others_statistics_are_kept_where_it_stands(composed):
    _, (p, state), x, compositions = composed
    for made, places, _ in compositions:
        kept = jax.eval_shape(
            lambda p, state, made=made: made.apply(p, state, x, CONTEXTS["training"])[1],
            *(placed(made, places, own) for own in (p, state)),
        )
        assert jax.tree.map(jnp.shape, kept) == jax.tree.map(jnp.shape, made.state(x.shape[1:]))


@pytest.mark.slow
def test_among_others_it_is_differentiated_and_vectorised(composed):
    layer, (p, state), x, _ = composed
    context = CONTEXTS["training"]
    batches = np.stack([x, x[::-1]])

    def cost(p, x):
        y, _ = (layer + layer).apply((p, p), (state, state), x, context)
        return jnp.sum(jnp.sin(y[:3]))

    slopes = jax.grad(cost, argnums=(0, 1))
    together, alone = jax.jit(lambda p, xs: (jax.vmap(slopes, (None, 0))(p, xs), [slopes(p, x) for x in xs]))(
        p, batches
    )
    for place, one in enumerate(alone):
        for ours, truth in zip(jax.tree.leaves(together), jax.tree.leaves(one), strict=True):
            np.testing.assert_allclose(ours[place], truth, rtol=1e-4, atol=1e-5)
            assert np.isfinite(truth).all()


@pytest.mark.slow
def test_among_others_what_padding_holds_never_shows(composed):
    layer, *_ = composed
    shapes = [shape for shape in fitting(layer) if len(shape) == 2 and shape[0] > 1 and shape != (3, 6)]
    if not shapes or isinstance(under_a_mask(layer, shapes[0]), str):
        pytest.skip("it takes no sequences of unequal length")
    p, state = drawn(layer, shapes[0])
    mask = np.arange(shapes[0][0]) < np.array([[4], [3], [2]])
    x = examples(3, shapes[0])

    @jax.jit
    def through(p, state, x):
        context = Context(KEY, training=True, mask=jnp.asarray(mask))
        once = layer.through(p, state, x, context.within(0, mask))
        return once, (layer + layer).through((p, p), (state, state), x, context)

    def shown(filler):
        """Whether outputs are steps, as it is alone and in a sum, and the statistics and outputs of the sum."""
        (*_, alone), (y, kept, found) = through(p, state, np.where(mask[..., None], x, filler))
        padding = False if found is None else ~np.reshape(found, found.shape + (1,) * (y.ndim - 2))
        return (alone, found), (kept, np.where(padding, 0, y))

    (masks, clean), (_, dirty) = shown(0), shown(1000)
    np.testing.assert_array_equal(*masks)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), clean, dirty)
