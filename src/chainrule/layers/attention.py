"""Layers by which the steps of a sequence see each other, and their places: (time, features) → (time, features)."""

import re
import textwrap
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.arrays.dtypes import of_axes, promoted, real_type, widened
from chainrule.arrays.masked import Shape, filled
from chainrule.arrays.precision import exactly
from chainrule.formula.constraints import fraction, optional, positive_int
from chainrule.formula.layer import INFERENCE, Context, Layer, NoisyLayer, Parameter
from chainrule.initializers import GlorotUniform, Initializer, Normal, Zeros
from chainrule.kernels.attention import attention
from chainrule.kernels.dense import dense
from chainrule.kernels.elementwise import tanh
from chainrule.kernels.random import bernoulli
from chainrule.kernels.softmax import softmax
from chainrule.layers.windows import KINDS


class SelfAttention(NoisyLayer):
    """Each step becomes a mean of all steps' values, weighted by how well their keys fit its query.

    Several heads do so side by side, and an output kernel mixes what they find. With `causal=True` a step sees itself
    and those before it. With `rotary=True` queries and keys are turned by their places, so that their products depend
    on how far they are apart, in the published pairs of features, 2j and 2j + 1; weights of GPT-NeoX and LLaMA pair j
    and j + d / 2. `dropout` leaves out weights of the mean in training. Padding is never seen, and becomes 0.

    The kernels of q, k and v are PyTorch's in_proj_weight cut in three and transposed, kernel_o is its
    out_proj.weight transposed; of Keras' kernels, the axes of heads and of their features are one here.

    Reference: Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser & Polosukhin, 2017, Attention is all you need,
    arXiv:1706.03762; rotary positions: Su, Lu, Pan, Murtadha, Wen & Liu, 2021, RoFormer: enhanced transformer with
    rotary position embedding, arXiv:2104.09864.

    >>> SelfAttention(4, causal=True).output_shape((100, 64))
    (100, 64)
    """

    heads: int = positive_int(meaning="how many means each step becomes, side by side")
    causal: bool = False
    rotary: bool = False
    key_size: int | None = optional(positive_int(meaning="the length d of a query and a key; None: features / heads"))
    value_size: int | None = optional(positive_int(meaning="the length of a value; None: that of a key"))
    dropout: float | None = optional(fraction(meaning="the probability of a weight to be left out in training"))
    bias: bool = True
    kernel_initializer: Initializer = GlorotUniform()
    bias_initializer: Initializer = Zeros()
    textbook = """
        q = x @ kernel_q + bias_q
        k = x @ kernel_k + bias_k
        v = x @ kernel_v + bias_v
        o[i] = softmax(q[i] @ k[i].T / sqrt(d)) @ v[i]
        y = concat(o) @ kernel_o + bias_o"""

    def in_textbook(self):
        text, said = self.textbook, []
        if not self.bias:
            text = re.sub(r" \+ bias_.", "", text)
        if self.rotary:
            text = text.replace("q[i] @ k[i].T", "turned(q[i]) @ turned(k[i]).T")
            said += [
                "turned(u)[t, 2*j] = u[t, 2*j] * cos(a) - u[t, 2*j+1] * sin(a), a == t / 10000**(2 * j / d)",
                "turned(u)[t, 2*j+1] = u[t, 2*j] * sin(a) + u[t, 2*j+1] * cos(a)",
            ]
        if self.causal:
            text = text.replace("sqrt(d)", "sqrt(d) + m")
            said.append("m[t, s] = 0 if s <= t else -infinity")
        if self.dropout is not None:
            text = re.sub(r"(softmax.*\)) @ (.*)", r"(\1 * B / (1 - dropout)) @ \2, B ~ Bernoulli(1 - dropout)", text)
        return "\n".join([*said, *textwrap.dedent(text).strip().splitlines()])

    def output_shape(self, shape):
        self.sizes(shape)
        return shape

    def sizes(self, shape: Shape) -> tuple[int, int]:
        """The lengths of a key and of a value for examples of this shape."""
        features = checked(self, shape)[-1]
        if self.key_size is None and (features % self.heads or not features):
            remedy = f"Choose heads that do, or the length of their keys: SelfAttention({self.heads}, key_size=16)."
            raise self.refuse(f"features that {self.heads} heads divide", shape, remedy)
        key = self.key_size or features // self.heads
        if self.rotary and key % 2:
            expected = f"pairs of features to be turned in each of {self.heads} heads, not {key}"
            raise self.refuse(expected, shape, "Choose an even key_size.")
        return key, self.value_size or key

    def parameters(self, shape):
        (key, value), features = self.sizes(shape), shape[-1]
        kernels = {
            "q": (features, self.heads * key),
            "k": (features, self.heads * key),
            "v": (features, self.heads * value),
            "o": (self.heads * value, features),
        }
        declared = {}
        for name, of in kernels.items():
            declared[f"kernel_{name}"] = Parameter(of, self.kernel_initializer, regularized=True)
            if self.bias:
                declared[f"bias_{name}"] = Parameter(of[1:], self.bias_initializer)
        return declared

    def forward(self, p, x):
        return self._attended(p, x, INFERENCE)

    def noisy(self, p, x, key):
        return self.forward(p, x) if self.dropout is None else self._attended(p, x, Context(key))

    def apply(self, p, state, x, context=INFERENCE):
        return super().apply(p, state, x, context) if context.mask is None else (self._attended(p, x, context), state)

    def _attended(self, p: Any, x: jax.Array, context: Context) -> jax.Array:
        self.output_shape(x.shape[1:])  # which refuses what does not fit
        x, p = promoted(filled(x, context.mask), p)

        def product(x: jax.Array, name: str) -> jax.Array:
            return dense(x, p[f"kernel_{name}"], p.get(f"bias_{name}"))

        q, k, v = (self._by_heads(product(x, name)) for name in "qkv")
        if self.rotary:
            q, k = turned(q), turned(k)
        keep = self._keep(context.key, (x.shape[0], self.heads, x.shape[1], x.shape[1]))
        o = attention(q * q.shape[-1] ** -0.5, k, v, context.mask, keep, self.causal)
        return filled(product(o.reshape(*x.shape[:2], p["kernel_o"].shape[0]), "o"), context.mask)

    def _by_heads(self, x: jax.Array) -> jax.Array:
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads)

    def _keep(self, key: jax.Array | None, shape: Shape) -> jax.Array | None:
        """Factors on the weights of the means."""
        if key is None or self.dropout is None:
            return None
        kept = bernoulli(key, 1 - self.dropout, shape)
        return jnp.where(kept, 1 / (1 - self.dropout), 0)


class AttentionPool(Layer):
    """The mean of all steps, weighted by learned scores: (time, features) → (features,).

    What a step is worth is how well a hidden layer's view of it fits a query that is learned. Padding weighs nothing,
    and of no step at all the mean is 0. Neither PyTorch nor Keras has it.

    Reference: Yang, Yang, Dyer, He, Smola & Hovy, 2016, Hierarchical attention networks for document classification.

    >>> AttentionPool(32).output_shape((100, 64))
    (64,)
    """

    units: int = positive_int(meaning="the length of the query, and of what is seen of each step")
    kernel_initializer: Initializer = GlorotUniform()
    textbook = """
        u = tanh(x @ kernel + bias)
        a = softmax(u @ query)
        y = a @ x"""

    def output_shape(self, shape):
        time, features = checked(self, shape)
        if not time:
            raise self.refuse("at least one step", shape, "Leave sequences without steps out.")
        return (features,)

    def output_mask(self, x, mask):
        return None

    def parameters(self, shape):
        [features] = self.output_shape(shape)
        return {
            "kernel": Parameter((features, self.units), self.kernel_initializer, regularized=True),
            "bias": Parameter((self.units,), Zeros()),
            "query": Parameter((self.units, 1), self.kernel_initializer, regularized=True),
        }

    def forward(self, p, x):
        return self._pooled(p, x, None)

    def apply(self, p, state, x, context=INFERENCE):
        return self._pooled(p, x, context.mask), state

    @exactly
    def _pooled(self, p: Any, x: jax.Array, mask: Any) -> jax.Array:
        self.output_shape(x.shape[1:])
        x, p = promoted(filled(x, mask), p)
        u = tanh(dense(x, p["kernel"], p["bias"]))
        scores = widened(dense(u, p["query"], None)[..., 0])
        weights = filled(softmax(filled(scores, mask, float(jnp.finfo(scores.dtype).min))), mask)
        return jnp.einsum("bt,btc->bc", weights, x.astype(weights.dtype)).astype(x.dtype)


class SinusoidalPositions(Layer):
    """Adds to each step sines and cosines of its place, t = 0, 1, …, of d features.

    Vaswani et al. add them to the embeddings times √d.

    Reference: Vaswani, Shazeer, Parmar, Uszkoreit, Jones, Gomez, Kaiser & Polosukhin, 2017, Attention is all you need,
    arXiv:1706.03762.

    >>> SinusoidalPositions().forward({}, jnp.zeros((1, 2, 2))).round(4).tolist()
    [[[0.0, 1.0], [0.8414999842643738, 0.5403000116348267]]]
    """

    textbook = """
        y[t, 2*i] = x[t, 2*i] + sin(t / 10000**(2 * i / d))
        y[t, 2*i+1] = x[t, 2*i+1] + cos(t / 10000**(2 * i / d))"""

    def output_shape(self, shape):
        return checked(self, shape)

    def forward(self, p, x):
        time, features = self.output_shape(x.shape[1:])
        table, angle = np.empty((time, features)), angles(time, features)
        table[:, ::2], table[:, 1::2] = np.sin(angle), np.cos(angle[:, : features // 2])
        return x + of_axes(jax.device_put(table.astype(real_type(x))), x)


class LearnedPositions(Layer):
    """Adds to each step a learned vector of its place; sequences may be shorter than `length`.

    Reference: Gehring, Auli, Grangier, Yarats & Dauphin, 2017, Convolutional sequence to sequence learning,
    arXiv:1705.03122.

    >>> LearnedPositions(100).output_shape((50, 64))
    (50, 64)
    """

    length: int = positive_int(meaning="the number of places")
    initializer: Initializer = Normal(0.1)
    textbook = "y[t] = x[t] + table[t]"

    def output_shape(self, shape):
        if checked(self, shape)[0] > self.length:
            raise self.refuse(f"at most {self.length} steps", shape, "Give it the length of the longest sequence.")
        return shape

    def parameters(self, shape):
        return {"table": Parameter((self.length, self.output_shape(shape)[1]), self.initializer)}

    def forward(self, p, x):
        time, _ = self.output_shape(x.shape[1:])
        x, p = promoted(x, p)
        return x + of_axes(p["table"][:time], x)


def checked(layer: Layer, shape: Shape) -> Shape:
    """The shape of a series. Raises `ChainruleError`, in the layer's name, for any other."""
    if len(shape) != 2:
        raise layer.refuse(KINDS[1], shape, "Put an Embedding, a Reshape or return_sequences=True before it.")
    return shape


def angles(time: int, size: int) -> np.ndarray:
    """How far the waves of each pair of features have come at each step, (time, pairs)."""
    return np.outer(np.arange(time), 10_000.0 ** (-np.arange(0, size, 2) / size))


def turned(x: jax.Array) -> jax.Array:
    """Queries or keys, (batch, time, heads, size), each pair of features turned by its angle at each step."""
    angle = angles(x.shape[1], x.shape[-1])[:, None]
    cos, sin = (of_axes(jax.device_put(wave(angle).astype(x.dtype)), x) for wave in (np.cos, np.sin))
    even, odd = x[..., ::2], x[..., 1::2]
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)
