"""PyTorch's and Keras' attention: values, and gradients of the input and of every parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.formula.layer import Context
from chainrule.kernels.attention import attention
from chainrule.layers import SelfAttention
from chainrule.notation import parse

rng = np.random.default_rng(0)
MASK = np.arange(7) < np.array([7, 3, 1])[:, None]
SEEN = [(None, False), (None, True), (MASK, False), (MASK, True)]
each_way_to_see = pytest.mark.parametrize(("mask", "causal"), SEEN, ids=["all", "causal", "masked", "both"])


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def close(mine, theirs):
    for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def ours(layer, p, x, g, mask):
    """The layer's value, and the gradients of its parameters and its input; of padding, nothing."""

    @jax.jit
    def run(p, x, g):
        y, pull = jax.vjp(lambda p, x: layer.apply(p, {}, x, Context(mask=mask))[0], p, x)
        return y, *pull(g)

    return run(p, x, g)


def seen(time, mask, causal):
    """What may be seen, as a matrix for each example or for all, of truth values."""
    before = np.tril(np.ones((time, time), bool)) if causal else np.ones((time, time), bool)
    return before if mask is None else before & mask[:, None, :]


@each_way_to_see
@pytest.mark.parametrize("sizes", [(5, 5), (1, 3), (33, 16)])
def test_scaled_dot_product_attention(mask, causal, sizes):
    torch = pytest.importorskip("torch")
    key, value = sizes
    q, k, v, g = array(3, 7, 2, key), array(3, 7, 2, key), array(3, 7, 2, value), array(3, 7, 2, value)
    by_heads = [torch.tensor(np.swapaxes(of, 1, 2), requires_grad=True) for of in (q, k, v)]
    allowed = torch.tensor(np.broadcast_to(seen(7, mask, causal), (3, 7, 7))[:, None])
    y = torch.nn.functional.scaled_dot_product_attention(*by_heads, attn_mask=allowed)
    y.backward(torch.tensor(np.swapaxes(g, 1, 2)))
    run = jax.jit(lambda q, k, v, g: jax.vjp(lambda *of: attention(of[0] * key**-0.5, *of[1:], mask, None, causal),
                                             q, k, v)[1](g))  # fmt: skip
    close(attention(q * key**-0.5, k, v, mask, None, causal), np.swapaxes(y.detach().numpy(), 1, 2))
    close(run(q, k, v, g), [np.swapaxes(of.grad.numpy(), 1, 2) for of in by_heads])


def of_torch(theirs, grad=False):
    """The parameters of torch.nn.MultiheadAttention, or their gradients, as the docstring says."""
    pick = (lambda w: w.grad.numpy()) if grad else (lambda w: w.detach().numpy())
    kernels = np.split(pick(theirs.in_proj_weight), 3), np.split(pick(theirs.in_proj_bias), 3)
    found = {f"kernel_{name}": kernel.T for name, kernel in zip("qkv", kernels[0], strict=True)}
    found |= {f"bias_{name}": bias for name, bias in zip("qkv", kernels[1], strict=True)}
    return found | {"kernel_o": pick(theirs.out_proj.weight).T, "bias_o": pick(theirs.out_proj.bias)}


@each_way_to_see
@pytest.mark.parametrize(("features", "heads"), [(6, 1), (8, 4), (3, 3)])
def test_torch_s_multihead_attention(mask, causal, features, heads):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(features, heads, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_bias.normal_()
        theirs.out_proj.bias.normal_()
    x, g = array(3, 7, features), array(3, 7, features)
    x, g = (of if mask is None else np.where(mask[..., None], of, np.float32(0)) for of in (x, g))
    inputs = torch.tensor(x, requires_grad=True)
    hidden = {} if mask is None else {"key_padding_mask": torch.tensor(~mask)}
    hidden |= {"attn_mask": torch.tensor(~seen(7, None, True))} if causal else {}
    y = theirs(inputs, inputs, inputs, need_weights=False, **hidden)[0]
    y.backward(torch.tensor(g))
    layer = SelfAttention(heads, causal=causal)
    value, of_p, of_x = ours(layer, of_torch(theirs), x, g, mask)
    live = np.ones((3, 7), bool) if mask is None else mask
    close(np.asarray(value)[live], y.detach().numpy()[live])
    close((of_p, np.asarray(of_x)[live]), (of_torch(theirs, grad=True), inputs.grad.numpy()[live]))


@each_way_to_see
@pytest.mark.parametrize("bias", [True, False])
def test_keras_multi_head_attention(mask, causal, bias):
    keras = pytest.importorskip("keras")
    theirs = keras.layers.MultiHeadAttention(3, key_dim=4, use_bias=bias)  # with another value_dim it fails on JAX
    theirs.build((None, 7, 6), (None, 7, 6))
    weights = [array(*w.shape) / 2 for w in theirs.trainable_variables]
    names = [w.path.split("/")[-2:] for w in theirs.trainable_variables]

    def carried(weights):
        """Kernels (features, heads, size) and (heads, size, features) with two axes, biases with one."""
        found = {}
        for (name, kind), w in zip(names, weights, strict=True):
            letter = "o" if name == "attention_output" else name[0]
            kernel = w.reshape(-1, w.shape[-1]) if letter == "o" else w.reshape(w.shape[0], -1)
            found[f"{kind}_{letter}"] = kernel if kind == "kernel" else w.reshape(-1)
        return found

    x, g = array(3, 7, 6), array(3, 7, 6)
    live = np.ones((3, 7), bool) if mask is None else mask
    g = np.where(live[..., None], g, np.float32(0))
    layer = SelfAttention(3, causal=causal, key_size=4, bias=bias)

    def mine(weights, x):
        return layer.apply(carried(weights), {}, x, Context(mask=mask))[0]

    def peers(weights, x):
        return theirs.stateless_call(
            weights, theirs.non_trainable_variables, x, x, attention_mask=seen(7, mask, causal), use_causal_mask=False
        )[0]

    def run(function):
        y, pull = jax.vjp(function, weights, jnp.asarray(x))
        of_weights, of_x = pull(g)
        return y[live], of_weights, of_x[live]

    close(*jax.jit(lambda: (run(mine), run(peers)))())


BLOCKS = {  # a whole layer of a transformer, by whether it normalises first
    True: "Identity() + (LayerNorm() >> SelfAttention(2)) >> "
    "Identity() + (LayerNorm() >> Dense(16) >> ReLU() >> Dense(8))",
    False: "Identity() + SelfAttention(2) >> LayerNorm() >> "
    "Identity() + (Dense(16) >> ReLU() >> Dense(8)) >> LayerNorm()",
}


@pytest.mark.parametrize("norm_first", BLOCKS)
@pytest.mark.parametrize("mask", [None, MASK], ids=["all", "masked"])
def test_torch_s_transformer_encoder_layer(mask, norm_first):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=norm_first)
    with torch.no_grad():
        for w in theirs.parameters():
            w.add_(0.1 * torch.randn_like(w))  # biases and offsets are 0 at first

    def carried(grad=False):
        pick = (lambda w: w.grad.numpy()) if grad else (lambda w: w.detach().numpy())
        norms = [{"scale": pick(norm.weight), "offset": pick(norm.bias)} for norm in (theirs.norm1, theirs.norm2)]
        first, last = ({"kernel": pick(d.weight).T, "bias": pick(d.bias)} for d in (theirs.linear1, theirs.linear2))
        attention, dense = of_torch(theirs.self_attn, grad), (first, {}, last)
        if norm_first:
            return ({}, (norms[0], attention)), ({}, (norms[1], *dense))
        return ({}, attention), norms[0], ({}, dense), norms[1]

    network = parse(BLOCKS[norm_first])
    x, g = array(3, 7, 8), array(3, 7, 8)
    live = np.ones((3, 7), bool) if mask is None else mask
    g = np.where(live[..., None], g, np.float32(0))
    inputs = torch.tensor(x, requires_grad=True)
    y = theirs(inputs, src_key_padding_mask=None if mask is None else torch.tensor(~mask))
    y.backward(torch.tensor(g))

    @jax.jit
    def run(p, x, g):
        state = network.state(x.shape[1:])
        y, pull = jax.vjp(lambda p, x: network.apply(p, state, x, Context(mask=mask))[0], p, x)
        return y, *pull(g)

    value, of_p, of_x = run(carried(), x, g)
    close(np.asarray(value)[live], y.detach().numpy()[live])
    close(np.asarray(of_x)[live], inputs.grad.numpy()[live])
    assert jax.tree.structure(of_p) == jax.tree.structure(carried(grad=True))
    close(of_p, carried(grad=True))
