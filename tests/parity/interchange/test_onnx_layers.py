"""Every layer and every activation in ONNX: what ONNX Runtime computes is what the layer does, within rounding.

The layers are the examples of the contract, with each other value of each of their fields, on the shapes that they
take, masked too; their arrays are drawn.
"""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import Activation, SoftClipping
from chainrule.costs import Quadratic
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context, Layer
from chainrule.formula.network import initialize
from chainrule.interchange.onnx.writing import content
from chainrule.model import Model
from chainrule.notation import as_chain

onnxruntime = pytest.importorskip("onnxruntime")

SHAPES = [(6,), (3, 6), (4, 6), (4, 3, 6), (8, 8, 2), (4, 3, 4, 2)]

CELLS = ("RNN", "GRU", "LSTM", "PeepholeLSTM", "LayerNormLSTM")
ENDS = ("", ", return_sequences=True", ", reverse=True, learn_start=True")
ACTIVATED = (
    *("ReLU()", "Sigmoid()", "Softsign()", "Identity()", "LeakyReLU(0.3)", "ELU(0.5)", "HardSigmoid()"),
    *("Softplus()", "PReLU()", "Softmax()", "SiLU()", "Snake()"),  # which ONNX's RNN has not, or not well
)
NETWORKS = [  # what the examples leave out
    *(f"{cell}(3{end})" for cell in CELLS for end in ENDS),
    *(f"Bidirectional({cell}(3{end}))" for cell in CELLS for end in ENDS),
    "Bidirectional(PeepholeLSTM(3, reverse=True, learn_start=True), merge='sum')",
    "Bidirectional(RNN(3, return_sequences=True, reverse=True), merge='mean')",
    "GRU(3, reset_after=True, return_sequences=True) >> GRU(2)",
    *(f"RNN(3, activation={activation}, return_sequences=True)" for activation in ACTIVATED),
    "Conv1D(4, 3, stride=2, padding='same') >> ReLU() >> MaxPool1D(2) >> GlobalAveragePool1D()",
    "Conv1D(4, 3) >> PReLU() >> InstanceNorm(scale=True) >> Conv1D(2, 2, padding='causal') >> LSTM(2)",
    "SinusoidalPositions() >> Identity() + SelfAttention(2, causal=True, rotary=True, key_size=4) >> AttentionPool(3)",
    "WeightNorm(GRU(3, return_sequences=True)) >> Repeat(WeightNorm(Dense(3)), 2) >> SpectralNorm(Dense(2))",
    "(Conv1D(2, 3, padding='same') >> BatchNorm()) | Dense(1) >> Upsample1D(2, 'linear') >> GlobalMaxPool1D()",
    "(GlobalAveragePool1D() >> Dense(6)) * Identity() | Dense(1)",
    "ConvTranspose1D(3, 3, stride=2, padding='causal') >> Frozen(Crop1D(1)) >> Stride1D(2) >> GRU(2)",
]


def of_contract():
    """The examples of the contract."""
    file = Path(__file__).parents[2] / "contract" / "conftest.py"
    spec = importlib.util.spec_from_file_location("examples_of_the_contract", file)
    examples = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(examples)
    return examples


CONTRACT = of_contract()
LAYERS = [formula for formula in CONTRACT.FORMULAS if issubclass(formula, Layer)]


def model_of(layer, shape):
    """A model with drawn arrays, of which no two are alike."""
    network = as_chain(layer)
    rng = np.random.default_rng(0)
    declared = jax.eval_shape(lambda: (initialize(network, shape, jax.random.key(0)), network.state(shape)))
    p, state = jax.tree.map(lambda w: jnp.asarray(rng.uniform(0.1, 0.9, w.shape).astype(w.dtype)), declared)
    return Model(network, jax.tree.map(lambda w: w - 0.3 * (w.ndim > 1), p), state, shape, Quadratic())


def examples(layer, shape):
    rng = np.random.default_rng(1)
    if layer.tokens:
        return rng.integers(0, layer.tokens, (3, *shape))
    x = rng.normal(size=(3, *shape)).astype(np.float32)
    if layer.categories:
        x[:, : layer.categories] = rng.integers(-1, 4, (3, layer.categories))
    return x


def ask(content, **inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]).run(None, inputs)


def attempt(function):
    """What a function gives, or the words of its refusal."""
    try:
        return function(), None
    except ChainruleError as error:
        return None, str(error)


def takes(layer, shape):
    """Whether a layer takes examples of a shape."""
    return attempt(lambda: (layer.output_shape(shape), layer.parameters(shape)))[1] is None


def check(layer, shape, mask=None):
    """Both compute the same, of three examples and of one; what is padding of the outputs may differ."""
    model, x = model_of(layer, shape), examples(layer, shape)
    mask = None if mask is None else np.asarray(mask)
    masks = {} if mask is None else {"mask": mask}
    context = Context(mask=None if mask is None else jnp.asarray(mask))
    through = jax.jit(lambda p, state, x, context: model.network.through(p, state, x, context))
    truth, refusal = attempt(lambda: through(model.parameters, model.state, jnp.asarray(x), context))
    if refusal:
        assert attempt(lambda: content(model, masked=True)) == (None, refusal)
        return
    truth, _, steps = truth
    written = content(model, masked=mask is not None)
    for rows in (slice(3), slice(1, 2)):
        found, *live = ask(written, x=x[rows], **{name: each[rows] for name, each in masks.items()})
        expected = np.asarray(truth[rows])
        assert found.shape == expected.shape
        assert len(live) == (steps is not None)
        if steps is not None:
            np.testing.assert_array_equal(live[0], steps[rows])
            found, expected = found[live[0]], expected[live[0]]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


MASKS = [[True, True, True, True], [False, True, False, True], [False, False, False, False]]


@pytest.mark.parametrize("formula", LAYERS, ids=lambda formula: formula.__name__)
def test_every_layer(formula):
    variants = {repr(each): each for each in (CONTRACT.example(formula), *CONTRACT._others(formula))}
    for place, layer in enumerate(variants.values()):
        fitting = [shape for shape in SHAPES if takes(layer, shape)]
        for shape in fitting if place == 0 else fitting[:1]:
            check(layer, shape)
            if len(shape) > 1 or layer.tokens:
                check(layer, shape, np.array(MASKS)[:, np.arange(shape[0]) % 4])


@pytest.mark.parametrize("text", NETWORKS)
def test_networks_of_series(text):
    check(as_chain(text), (4, 6))
    check(as_chain(text), (4, 6), MASKS)


def test_padding_ids_may_stand_anywhere():
    network = as_chain("Embedding(5, 3, padding_id=0) >> Bidirectional(LSTM(3, return_sequences=True)) >> GRU(2)")
    model = model_of(network, (4,))
    ids = np.array([[0, 0, 1, 2], [3, 0, 4, 0], [1, 2, 3, 4], [0, 0, 0, 0]])
    np.testing.assert_allclose(ask(content(model), x=ids)[0], model(ids), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "least"),  # rows: ONNX Runtime's recurrent operators abort where there are none
    [("LSTM(3)", 1), ("Conv1D(4, 3, padding='same') >> SelfAttention(2, rotary=True) >> GlobalMaxPool1D()", 0)],
)
def test_sequences_of_other_lengths_and_few_rows(text, least):
    model = model_of(as_chain(text), (4, 6))
    for shape in ((2, 9, 6), (1, 5, 6), (least, 4, 6)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        truth = model.network.apply(model.parameters, model.state, jnp.asarray(x))[0]
        np.testing.assert_allclose(ask(content(model), x=x)[0], truth, rtol=1e-5, atol=1e-6)


POINTS = np.unique(np.concatenate([np.linspace(-100, 100, 401), np.linspace(-3, 3, 199), [0, 1e-4, -1e-4]]))
POINTS = POINTS[: len(POINTS) // 6 * 6].reshape(-1, 6).astype(np.float32)


@pytest.mark.parametrize(
    "activation",
    [*(formula for formula in LAYERS if issubclass(formula, Activation)), SoftClipping(200)],
    ids=lambda activation: getattr(activation, "__name__", repr(activation)),
)
def test_every_activation_far_out_and_near_0(activation):
    layer = CONTRACT.example(activation) if isinstance(activation, type) else activation
    model = model_of(layer, (6,))
    truth = model.network.apply(model.parameters, model.state, jnp.asarray(POINTS))[0]
    np.testing.assert_allclose(ask(content(model), x=POINTS)[0], truth, rtol=1e-5, atol=1e-7)
