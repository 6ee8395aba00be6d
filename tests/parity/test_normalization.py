"""Normalisation in PyTorch and in Keras: values, gradients, and running statistics through several steps."""

import jax
import numpy as np
import pytest

from chainrule.formula.layer import INFERENCE, Context
from chainrule.layers import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm

rng = np.random.default_rng(0)
TRAINING = Context(training=True)
SHAPES = [(6,), (9, 6), (5, 4, 6)]
IDS = [str(shape) for shape in SHAPES]


def array(*shape, mean=0.0):
    return rng.normal(mean, 1, shape).astype(np.float32)


def drawn(layer, channels):
    return {name: array(channels) for name in layer.parameters((channels,))}


def ours(layer, p, x, g, state=None, context=TRAINING):
    """Value, gradients of the input and of each parameter, and the new state."""

    @jax.jit
    def run(p, x, g, state):
        y, pull, state = jax.vjp(lambda p, x: layer.apply(p, state, x, context), p, x, has_aux=True)
        return y, state, *pull(g)

    y, state, of_p, of_x = run(p, x, g, layer.state(x.shape[1:]) if state is None else state)
    return {"value": y, "input": of_x} | of_p, state


def close(mine, theirs, rtol=1e-4, atol=2e-5):
    assert mine.keys() == theirs.keys()
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=rtol, atol=atol, err_msg=name)


def average_of_batches(theirs, first, kept):
    """Another's running statistic without what is left of its first value, of which `kept` is left."""
    return (theirs - kept * first) / (1 - kept)


# PyTorch, whose channels are the second axis.


def torch_step(theirs, x, g):
    """PyTorch's value, and gradients of the input and of weight and bias, as ours are named."""
    torch = pytest.importorskip("torch")
    inputs = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    theirs.zero_grad()
    y = theirs(inputs)
    y.backward(torch.tensor(np.moveaxis(g, -1, 1).copy()))
    names = {"scale": theirs.weight, "offset": theirs.bias}
    of_p = {name: each.grad.numpy() for name, each in names.items() if each is not None}
    value, of_x = (np.moveaxis(each.detach().numpy(), 1, -1) for each in (y, inputs.grad))
    return {"value": value, "input": of_x} | of_p


def carried(theirs, p):
    """A module of PyTorch with our scale and offset."""
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        for name, mine in zip(("weight", "bias"), ("scale", "offset"), strict=True):
            if mine in p:
                getattr(theirs, name).copy_(torch.tensor(p[mine]))
    return theirs


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_of_pytorch(shape, affine):
    torch = pytest.importorskip("torch")
    layer = BatchNorm(0.7, 1e-3, scale=affine, offset=affine)
    kind = torch.nn.BatchNorm2d if len(shape) == 3 else torch.nn.BatchNorm1d
    p, state = drawn(layer, 6), layer.state(shape)
    theirs = carried(kind(6, eps=1e-3, momentum=0.3, affine=affine), p)
    for step in range(1, 6):
        x, g = array(4, *shape, mean=step), array(4, *shape)
        mine, state = ours(layer, p, x, g, state)
        close(mine, torch_step(theirs, x, g))
        kept = 0.7**step
        close(
            {"mean": state["mean"], "variance": state["variance"]},
            {
                "mean": average_of_batches(theirs.running_mean.numpy(), 0, kept),
                "variance": average_of_batches(theirs.running_var.numpy(), 1, kept),
            },
        )
    with torch.no_grad():  # the same statistics, so the same inference
        theirs.running_mean.copy_(torch.tensor(np.asarray(state["mean"])))
        theirs.running_var.copy_(torch.tensor(np.asarray(state["variance"])))
    mine, after = ours(layer, p, x, g, state, INFERENCE)
    close(mine, torch_step(theirs.eval(), x, g))
    jax.tree.map(np.testing.assert_array_equal, after, state)


def test_the_average_of_all_batches_is_pytorchs_without_momentum():
    torch = pytest.importorskip("torch")
    theirs, layer = torch.nn.BatchNorm1d(6, momentum=None), BatchNorm(1.0)
    state = layer.state((6,))
    for step in range(5):
        x = array(8, 6, mean=step)
        _, state = ours(layer, drawn(layer, 6), x, x, state)
        theirs(torch.tensor(x))
        assert float(state["count"]) == theirs.num_batches_tracked
    close(
        {"mean": state["mean"], "variance": state["variance"]},
        {"mean": theirs.running_mean.numpy(), "variance": theirs.running_var.numpy()},
    )


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_group_norm_of_pytorch(shape):
    torch = pytest.importorskip("torch")
    for layer in (GroupNorm(2), GroupNorm(1, 1e-2), GroupNorm(1, scale=False, offset=False)):
        p, x, g = drawn(layer, 6), array(4, *shape, mean=2), array(4, *shape)
        theirs = carried(torch.nn.GroupNorm(layer.groups, 6, eps=layer.epsilon, affine=layer.scale), p)
        close(ours(layer, p, x, g)[0], torch_step(theirs, x, g))


@pytest.mark.parametrize("shape", SHAPES[1:], ids=IDS[1:])
def test_instance_norm_of_pytorch(shape):
    torch = pytest.importorskip("torch")
    kind = torch.nn.InstanceNorm2d if len(shape) == 3 else torch.nn.InstanceNorm1d
    for layer in (InstanceNorm(), InstanceNorm(1e-2, scale=True, offset=True)):
        p, x, g = drawn(layer, 6), array(4, *shape, mean=2), array(4, *shape)
        close(ours(layer, p, x, g)[0], torch_step(carried(kind(6, eps=layer.epsilon, affine=layer.scale), p), x, g))


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_layer_norm_and_rms_norm_of_pytorch(shape):
    torch = pytest.importorskip("torch")
    for layer in (LayerNorm(), LayerNorm(1e-2, offset=False), RMSNorm(1e-3)):
        p, x, g = drawn(layer, 6), array(4, *shape, mean=2), array(4, *shape)
        if isinstance(layer, RMSNorm):
            theirs: torch.nn.Module = torch.nn.RMSNorm(6, eps=layer.epsilon)
            theirs.bias = None
        else:
            theirs = torch.nn.LayerNorm(6, eps=layer.epsilon, bias=layer.offset)
        at_end = torch.nn.Sequential()
        carried(theirs, p)
        at_end.forward = lambda x, theirs=theirs: theirs(x.movedim(1, -1)).movedim(-1, 1)
        at_end.weight, at_end.bias = theirs.weight, theirs.bias
        close(ours(layer, p, x, g)[0], torch_step(at_end, x, g))


# Keras.


def keras_step(theirs, p, x, g, **options):
    """Keras' value and gradients as ours are named, and its new statistics."""

    @jax.jit
    def run(p, x, g, kept):
        def call(p, x):
            weights = [p[name] for name in ("scale", "offset") if name in p]
            return theirs.stateless_call(weights, kept, x, **options)

        y, pull, kept = jax.vjp(call, p, x, has_aux=True)
        return y, kept, *pull(g)

    y, kept, of_p, of_x = run(p, x, g, [each.value for each in theirs.non_trainable_variables])
    for variable, value in zip(theirs.non_trainable_variables, kept, strict=True):
        variable.assign(value)
    return {"value": y, "input": of_x} | of_p


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_batch_norm_of_keras(shape):
    """Through several steps, the last of them with a mask where the examples are series."""
    keras = pytest.importorskip("keras")
    layer = BatchNorm(0.7, 1e-3)
    theirs = keras.layers.BatchNormalization(momentum=0.7)
    theirs.build((None, *shape))
    p, state = drawn(layer, 6), layer.state(shape)
    variances = []
    for step in range(1, 6):
        x, g = array(4, *shape, mean=step), array(4, *shape)
        mask = np.arange(9) < np.array([[9], [3], [1], [6]]) if step == 5 and len(shape) == 2 else None
        live = np.ones(x.shape[:-1], bool) if mask is None else mask
        g = np.where(live[..., None], g, 0)
        mine, state = ours(layer, p, x, g, state, Context(training=True, mask=mask))
        peers = keras_step(theirs, p, x, g, training=True, **({} if mask is None else {"mask": mask}))
        for results in (mine, peers):
            results["value"] = np.where(live[..., None], results["value"], 0)
        close(mine, peers)
        m, kept = live.sum(), 0.7**step
        variances.append(x[live].var(axis=0))
        mean, variance = (np.asarray(each.value) for each in theirs.non_trainable_variables[:2])
        close({"mean": state["mean"]}, {"mean": average_of_batches(mean, 0, kept)})
        weights = 0.7 ** np.arange(step)[::-1]  # Keras has no m / (m − 1)
        close({"variance": average_of_batches(variance, 1, kept)}, {"variance": np.average(variances, 0, weights)})
        if mask is None:
            close({"variance": state["variance"]}, {"variance": average_of_batches(variance, 1, kept) * m / (m - 1)})


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_the_others_of_keras(shape):
    keras = pytest.importorskip("keras")
    k = keras.layers
    pairs = [
        (LayerNorm(1e-3), k.LayerNormalization()),
        (RMSNorm(1e-6), k.RMSNormalization()),
        (GroupNorm(3, 1e-3), k.GroupNormalization(3)),
        (InstanceNorm(1e-3, scale=True, offset=True), k.GroupNormalization(-1)),
    ]
    for layer, theirs in pairs[: 4 if len(shape) > 1 else 3]:
        theirs.build((None, *shape))
        p, x, g = drawn(layer, 6), array(4, *shape, mean=2), array(4, *shape)
        close(ours(layer, p, x, g)[0], keras_step(theirs, p, x, g))
