"""What is shown is what is computed: the equations of each setting of each formula, evaluated number by number."""

import dataclasses
import itertools
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from tests.contract.equations import Evaluation, attended, shown, through_time

from chainrule.activations import Activation
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context, Layer, Parameter
from chainrule.initializers import VarianceScaling
from chainrule.layers.attention import SelfAttention
from chainrule.layers.normalization import Normalization
from chainrule.layers.pooling import Pooling
from chainrule.layers.recurrent import Bidirectional, Recurrent
from chainrule.layers.scaling import Affine
from chainrule.layers.windows import PLACES
from chainrule.metrics import ConfusionMatrix, Kappa
from chainrule.notation import formulas, parse
from chainrule.textbook.expression import lines

KEY = jax.random.key(1)
RANDOM = np.random.default_rng(0)
SHAPES = [(7, 4), (6, 5, 4), (4, 3, 4, 4), (5,)]
"""Of examples: whichever a layer takes."""


RECURRENT = [
    *("{}(3)", "{}(3, return_sequences=True)", "{}(3, reverse=True)", "{}(3, learn_start=True)"),
    *("{}(3, reverse=True, return_sequences=True, learn_start=True)", "{}(3, reverse=True, learn_start=True)"),
    *("{}(3, recurrent_dropout=0.5)", "{}(3, recurrent_dropout=0.25, learn_start=True, return_sequences=True)"),
]
CONVOLUTIONS = [
    *("{}(4, 3)", "{}(4, 3, bias=False)", "{}(4, 3, stride=2)", "{}(4, 3, padding='same')", "{}(4, 2, padding=1)"),
    *("{}(4, 3, stride=2, padding='same')", "{}(4, 2, stride=3, padding='same')"),
]
DILATED = [
    "{}(4, 2, dilation=2)",
    "{}(4, 3, groups=2)",
    "{}(8, 2, groups=4, bias=False)",
    "{}(4, 2, groups=4, padding=1)",
]
TRANSPOSED = [
    *("{}(4, 3)", "{}(4, 3, bias=False)", "{}(4, 2, stride=3)", "{}(4, 3, 2, 'same')", "{}(4, 2, padding=1)"),
    *("{}(4, 2, dilation=2)", "{}(4, 3, 2, 1, groups=2, output_padding=1)", "{}(8, 3, 3, 1, 2, groups=4)"),
]
POOLS = [
    "{}(2)",
    "{}(3, stride=1)",
    "{}(3, stride=2, padding='same')",
    "{}(3, stride=2, padding=1)",
    "{}(2, padding='same')",
]
WHOLE = ["{}()"]
AFFINE = ["{}(scale=%s, offset=%s)" % flags for flags in itertools.product((True, False), repeat=2)]  # noqa: UP031
IN_TIME = ["{}(4, 3, padding=(2, 0))", "{}(4, 3, padding='causal')"]
IN_IMAGES = ["{}(4, (2, 3), stride=(2, 1), padding=((1, 0), (0, 2)))", "{}(4, (3, 2), (1, 2), 'same')"]
SETTINGS = {
    "RNN": [
        *RECURRENT,
        "{}(3, activation=Sigmoid())",
        "{}(3, activation=LeakyReLU(0.5), reverse=True)",
        "{}(3, activation=PReLU())",
    ],
    "LSTM": RECURRENT,
    "GRU": [*RECURRENT, *(text.replace("(3", "(3, reset_after=True") for text in RECURRENT)],
    "Bidirectional": [
        *("{}(GRU(3))", "{}(RNN(3, return_sequences=True), merge='sum')", "{}(LSTM(3), merge='mean')"),
        *("{}(GRU(3, reset_after=True, learn_start=True))", "{}(LSTM(3, reverse=True, return_sequences=True))"),
    ],
    "Conv1D": [*CONVOLUTIONS, *DILATED, *IN_TIME, "{}(4, 3, padding='causal', dilation=2)"],
    "Conv2D": [*CONVOLUTIONS, *DILATED, *IN_IMAGES],
    "LocallyConnected1D": [*CONVOLUTIONS, *IN_TIME],
    "LocallyConnected2D": [*CONVOLUTIONS, *IN_IMAGES],
    "MaxPool1D": [*POOLS, "{}(3, 2, (2, 0))", "{}(2, 1, dilation=3)"],
    "MaxPool2D": [*POOLS, "{}((2, 3), (1, 2), ((1, 0), (0, 2)))", "{}((2, 3))"],
    "AveragePool1D": [*POOLS, "{}(3, 2, (2, 0))"],
    "AveragePool2D": [*POOLS, "{}((2, 3), (1, 2), ((1, 0), (0, 2)))", "{}((2, 3))", "{}(2, dilation=(1, 2))"],
    "Conv3D": ["{}(4, 2, padding=1)", "{}(4, (2, 3, 1), (2, 1, 3), 'same', groups=2)", "{}(2, 2, dilation=(1, 2, 3))"],
    "DepthwiseConv2D": ["{}(3)", "{}((2, 3), 2, 'same', multiplier=2)", "{}(2, dilation=2, padding=1, bias=False)"],
    "ConvTranspose1D": [*TRANSPOSED, "{}(4, 3, 2, 'causal')", "{}(4, 3, padding=(2, 0))"],
    "ConvTranspose2D": ["{}(4, (2, 3), (2, 1), ((1, 0), (0, 2)))", "{}(8, 2, 2, 'same', groups=4)"],
    "MaxPool3D": ["{}(2)", "{}(3, stride=(2, 1, 2), padding='same')"],
    "AveragePool3D": ["{}(2)", "{}(3, stride=(2, 1, 2), padding='same')"],
    "Upsample1D": ["{}(2)", "{}(3)", "{}(2, 'linear')", "{}(3, 'linear')"],
    "Upsample2D": ["{}((1, 3))", "{}((3, 2), 'bilinear')"],
    "ZeroPad1D": ["{}()", "{}((2, 1))"],
    "ZeroPad2D": ["{}()", "{}(((1, 0), 2))"],
    "Crop1D": ["{}()", "{}((2, 1))"],
    "Crop2D": ["{}()", "{}(((1, 0), 2))"],
    "Permute": ["{}((1, 2))", "{}((2, 1))", "{}((2, 3, 1))", "{}((3, 1, 2))"],
    "AttentionPool": ["{}(3)"],
    "PeepholeLSTM": RECURRENT,
    "LayerNormLSTM": RECURRENT,
    "Stride1D": ["{}(2)", "{}(3)"],
    "Stride2D": ["{}(2)", "{}((1, 3))"],
    "Dense": ["{}(3)", "{}(3, bias=False)"],
    "Periodic": ["{}(3, 2)"],
    "Embedding": ["{}(5, 3)", "{}(5, 3, padding_id=0)", "{}(5, 3, padding_id=2)"],
    "PReLU": ["{}()", "{}(shared=True)"],
    "GELU": ["{}()", "{}(approximate=True)"],
    "SoftExponential": ["{}()", "{}(shared=True)"],
    "SelfAttention": [
        *("{}(2)", "{}(2, causal=True)", "{}(2, rotary=True)", "{}(2, bias=False)", "{}(1, key_size=3, value_size=2)"),
        *("{}(2, dropout=0.5)", "{}(4, causal=True, rotary=True, key_size=6, dropout=0.25, bias=False)"),
    ],
    **dict.fromkeys(("BatchNorm", "LayerNorm", "InstanceNorm"), AFFINE),
    "Affine": AFFINE,
    "GroupNorm": ["{}(2)", "{}(1, scale=False)", "{}(4, offset=False)"],
    "RMSNorm": ["{}()", "{}(0.25, scale=False)"],
}
LAYERS = [text.format(name) for name, texts in SETTINGS.items() for text in texts]
RATES = ("Precision", "Recall", "F1")


def drawn(layer: Layer, shape: tuple[int, ...]) -> Any:
    """Parameters, none of them 0."""
    is_parameter = lambda node: isinstance(node, Parameter)  # noqa: E731
    declared = layer.parameters(shape)
    return jax.tree.map(lambda each: RANDOM.normal(size=each.shape).astype(np.float32), declared, is_leaf=is_parameter)


@pytest.mark.by_turns(6)
@pytest.mark.parametrize("text", LAYERS)
def test_a_layer_computes_what_is_shown(text):
    layer = parse(text, Layer)
    of_one_place = layer.tokens is not None or isinstance(layer, Affine)
    for shape in SHAPES[-1:] if of_one_place else SHAPES:
        try:
            output_shape = layer.output_shape(shape)
        except ChainruleError:
            continue
        p, x = drawn(layer, shape), RANDOM.normal(size=(1, *shape)).astype(np.float32)
        x = RANDOM.integers(layer.tokens, size=(1, *shape)) if layer.tokens else x
        computed, expected = both(layer, p, x, output_shape)
        np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=1e-5)
        return
    pytest.fail("no shape fits")


def of_equations(layer: Normalization, array: Any) -> Any:
    """Of an array of examples, or of their channels, what the equations of a normalisation are about."""
    groups = getattr(layer, "groups", None)
    array = array if groups is None else array.reshape(*array.shape[:-1], groups, -1)
    examples = array.ndim - (groups is not None) == 3
    kind = type(layer).__name__
    return (
        array if kind == "BatchNorm" or not examples else array[0, 0] if kind in ("LayerNorm", "RMSNorm") else array[0]
    )


def both(layer: Layer, p: Any, x: np.ndarray, output_shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A layer's output for an example, as it is computed and as it is shown."""
    if isinstance(layer, Normalization):
        x = RANDOM.normal(size=(3, *x.shape[1:])).astype(np.float32)
        y, _ = layer.apply(jax.device_put(p), layer.state(x.shape[1:]), jax.device_put(x), Context(training=True))
        p, x, computed = jax.tree.map(partial(of_equations, layer), (p, x, np.asarray(y)))
        ranges = dict(zip("gc", x.shape[-2:], strict=False)) | {"c": x.shape[-1]} | dict.fromkeys("jklp", max(x.shape))
        return computed, shown(layer, {"x": x} | p, computed.shape, ranges)
    y = layer.apply(jax.device_put(p), layer.state(x.shape[1:]), jax.device_put(x), Context(KEY))[0]
    computed = np.asarray(y)[0]
    if isinstance(layer, Recurrent):
        kept = jax.random.bernoulli(KEY, 1 - (layer.recurrent_dropout or 0.0), (1, layer.units))
        return computed, through_time(layer, p, x[0], np.asarray(kept)[0])
    if isinstance(layer, Bidirectional):
        inner = layer.layer
        other = dataclasses.replace(inner, reverse=not inner.reverse)
        forward, backward = (lambda x, each=each, p=p[way]: through_time(each, p, x, 1) for each, way in
                             ((inner, "forward"), (other, "backward")))  # fmt: skip
        letters = {
            "x": x[0],
            "layer": forward,
            "mirrored": lambda layer: backward,
            "concat": lambda *parts: np.concatenate(parts, axis=-1),
        }
        return computed, shown(layer, letters, output_shape, {})
    if isinstance(layer, SelfAttention):
        kept = jax.random.bernoulli(KEY, 1 - (layer.dropout or 0.0), (1, layer.heads, x.shape[1], x.shape[1]))
        return computed, attended(layer, p, x[0], np.asarray(kept)[0])
    ranges = {"c": x.shape[-1] // getattr(layer, "groups", 1)}
    letters: dict[str, Any] = {"x": x[0]} | p
    if hasattr(layer, "window"):
        window = layer.window(x.shape[1:])
        ranges |= zip("klm", window.size, strict=False)
        letters |= {f"p_{index}": low for index, (low, _) in zip(PLACES[len(window.size)], window.pads, strict=True)}
        if not isinstance(layer, Pooling):
            letters["n"] = ranges["c"]
    if "Upsample" in type(layer).__name__:
        ranges |= zip("kl", x.shape[1:], strict=False)
        ranges |= zip("t" if x.ndim == 3 else "ij", output_shape, strict=False)
        letters |= {"T": x.shape[1], "m": x.shape[1], "n": x.shape[2]}
    if type(layer).__name__ == "AttentionPool":
        letters["query"] = p["query"][:, 0]
    if type(layer).__name__ == "Periodic":  # a vector for each column
        output_shape = p["bias"].shape
        computed = computed.reshape(output_shape)
    if isinstance(layer, Activation) and p:
        one = np.vectorize(lambda x, *numbers: shown(layer, {"x": x} | dict(zip(p, numbers, strict=True)), (), {}))
        with np.errstate(invalid="ignore"):  # every case is computed, also the one that is not shown
            return computed, one(x[0], *p.values())
    return computed, shown(layer, letters, output_shape, ranges)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
def test_a_rate_computes_what_is_shown(rate, average):
    metric = formulas()[rate](average)
    a, E = RANDOM.normal(size=(50, 3)), RANDOM.integers(3, size=50)
    confusion = ConfusionMatrix()(a, E)
    letters = {"hits": np.diag(confusion), "predicted": confusion.sum(axis=0), "expected": confusion.sum(axis=1)}
    [line] = lines(metric, values=True)
    evaluation = Evaluation(letters, dict.fromkeys("jkilpq", 3))
    assert metric(a, E) == pytest.approx(evaluation.number(line.value))


@pytest.mark.parametrize("distance", ["equal", "linear", "quadratic"])
def test_an_agreement_computes_what_is_shown(distance):
    metric = Kappa(distance)
    a, E = RANDOM.normal(size=(50, 3)), RANDOM.integers(3, size=50)
    counts = ConfusionMatrix()(a, E)
    letters = {"C": counts, "predicted": counts.sum(axis=0), "expected": counts.sum(axis=1), "n": 50}
    [line] = lines(metric, values=True)
    assert metric(a, E) == pytest.approx(Evaluation(letters, dict.fromkeys("ij", 3)).number(line.value))


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_draws_have_the_variance_that_is_shown(distribution, mode):
    initializer = VarianceScaling(0.5, mode, distribution)
    draws = np.asarray(initializer(KEY, (3, 3, 20, 60)))
    [line] = lines(initializer, values=True)
    numbers = [Evaluation({"fan_in": 180, "fan_out": 540}, {}).number(part) for part in line.value.args[1:]]
    shown = (numbers[1] - numbers[0]) ** 2 / 12 if distribution == "uniform" else numbers[1]
    assert draws.var() == pytest.approx(shown * (0.774 if distribution == "truncated_normal" else 1), rel=0.03)


UNSHOWN = {
    *("ExponentialDecay", "InverseTimeDecay", "LinearDecay", "PolynomialDecay", "CosineDecay", "OneCycle"),  # None: all
    "EntityEmbedding", "Reshape",  # shapes
    "EarlyStopping", "ReduceOnPlateau", "Pretrained",  # the name of a figure, and of a file
    "TfIdf",  # tokens that count nothing
    "Averaged",  # None: all steps count the same
}  # fmt: skip


def test_every_formula_with_a_setting_is_shown_above():
    def is_setting(field: dataclasses.Field) -> bool:
        return field.type in (bool, str) or ("None" in str(field.type)) or "int |" in str(field.type)

    ours = [each for each in formulas().values() if each.__module__.startswith("chainrule.")]
    found = {each.__name__ for each in ours if any(map(is_setting, dataclasses.fields(each)))}
    of_costs = {"CrossEntropy", "CategoricalCrossEntropy"}  # shown beside the other costs
    assert found - UNSHOWN - of_costs <= {*SETTINGS, *RATES, "Kappa", "VarianceScaling"}
