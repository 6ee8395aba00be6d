"""What is shown is what is computed: the equations of each setting of each formula, evaluated number by number."""

import contextlib
import dataclasses
import itertools
import math
from collections import defaultdict
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
import sympy as sp

from chainrule.activations import Activation
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Context, Layer, Parameter
from chainrule.initializers import VarianceScaling
from chainrule.layers import LayerNorm
from chainrule.layers.attention import SelfAttention
from chainrule.layers.normalization import Normalization
from chainrule.layers.pooling import Pooling
from chainrule.layers.recurrent import Bidirectional, Recurrent
from chainrule.layers.windows import PLACES
from chainrule.metrics import ConfusionMatrix, Kappa
from chainrule.notation import formulas, parse
from chainrule.textbook.expression import lines
from chainrule.textbook.letters import symbol

KEY = jax.random.key(1)
RANDOM = np.random.default_rng(0)
FUNCTIONS = {name: getattr(np, name) for name in ("exp", "tanh", "floor", "sin", "cos", "log")} | {
    "Abs": np.abs,
    "Max": np.maximum,
    "Min": np.minimum,
    "erf": np.vectorize(math.erf),
    "sigma": lambda x: 1 / (1 + np.exp(-x)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
}


class OutsideError(IndexError):
    """An entry of an array that has none there."""


class Evaluation:
    """The numbers of a textbook's lines, from those of its letters."""

    def __init__(self, letters: dict[str, Any], ranges: dict[str, int]) -> None:
        self.letters = {symbol(name).name: value for name, value in letters.items()} | FUNCTIONS
        self.ranges = ranges

    def number(self, node: Any) -> Any:
        match node:
            case sp.Number() | sp.NumberSymbol():
                return float(node)
            case sp.Symbol():
                return self.letters[node.name]
            case sp.Indexed():
                return self.entry(self.number(node.base.label), tuple(map(self.number, node.indices)))
            case sp.Sum():
                return sum(self.inside(node.function, [limit[0].name for limit in node.limits]))
            case sp.Piecewise():
                *cases, (found, _) = [tuple(map(self.number, case.args)) for case in node.args]
                for value, condition in reversed(cases):
                    found = np.where(condition, value, found)
                return found
        kind, parts = type(node).__name__, node.args
        if kind == "Over":
            return max(self.inside(parts[1], [each.name for each in parts[2:]]))
        if kind == "Mul":  # a sum before what counts its terms
            parts = sorted(parts, key=lambda part: not part.has(sp.Sum))
        numbers = [self.number(part) for part in parts]
        match kind:
            case "Add":
                return sum(numbers[1:], start=numbers[0])
            case "Mul" | "Entrywise":
                return math.prod(numbers[1:], start=numbers[0])
            case "Pow":
                return numbers[0] ** numbers[1]
            case "Product":
                return numbers[0] @ numbers[1]
            case "Apply":
                return numbers[0](*numbers[1:])
            case "Indicator":
                return float(numbers[0])
            case "Abs":
                return abs(numbers[0])
            case "Unequality":
                return numbers[0] != numbers[1]
            case "StrictGreaterThan":
                return numbers[0] > numbers[1]
            case "StrictLessThan":
                return numbers[0] < numbers[1]
            case "Equality":
                return numbers[0] == numbers[1]
            case "LessThan":
                return numbers[0] <= numbers[1]
            case "Transposed":
                return numbers[0].T
            case "BooleanTrue":
                return True
        return FUNCTIONS[kind](*numbers)

    @staticmethod
    def entry(array: Any, place: tuple[float, ...]) -> Any:
        whole = tuple(map(int, place))
        if isinstance(array, dict):
            return array[whole[0]]
        if whole != place or any(not 0 <= at < length for at, length in zip(whole, array.shape, strict=False)):
            raise OutsideError
        return array[whole]

    def inside(self, body: Any, indices: list[str]) -> list[Any]:
        """A body for all of its indices, but for those that reach beyond an array; n is how many there are."""
        found = []
        for places in itertools.product(*(range(self.ranges[name]) for name in indices)):
            self.letters |= dict(zip(indices, places, strict=True))
            try:
                found.append(self.number(body))
            except OutsideError:
                continue
        first, *others = ["n"] if len(indices) == 1 else [f"n_{name}" for name in indices]
        self.letters |= {first: len(found)} | dict.fromkeys(others, 1)
        return found

    def array(self, line: Any, shape: tuple[int, ...] | None = None) -> Any:
        """A line's array of a shape, or of its indices' ranges, entry by entry; its number, where it has no indices."""
        if not isinstance(line.target, sp.Indexed):
            return self.number(line.value)
        indices = [index.name for index in line.target.indices]
        y = np.zeros(tuple(self.ranges[name] for name in indices) if shape is None else shape)
        for place in itertools.product(*map(range, y.shape[: len(indices)])):
            self.letters |= dict(zip(indices, place, strict=True))
            with contextlib.suppress(OutsideError):  # where x has no such place, it is 0
                y[place] = self.number(line.value)
        return y


def shown(layer: Layer, letters: dict[str, Any], shape: tuple[int, ...], ranges: dict[str, int]) -> np.ndarray:
    """A layer's output of a shape by its equations, the last of which is that of the output."""
    *before, last = lines(layer, values=True)
    evaluation = Evaluation(letters, ranges)
    for line in before:
        name = line.target.base.label if isinstance(line.target, sp.Indexed) else line.target
        evaluation.letters[name.name] = evaluation.array(line)
    return evaluation.array(last, shape)


def through_time(layer: Recurrent, p: Any, x: np.ndarray, noise: Any) -> np.ndarray:
    """A recurrent layer's output for one series, step by step, by its equations."""
    steps = len(x)
    parts = {"x": dict(enumerate(x, 1)), "T": steps, "B": noise} | {name: p[name] for name in p if name != "bias"}
    gates = {1: [""], 4: ["_i", "_f", "_g", "_o"], 3: ["_r", "_z", "_n"]}[layer.gates]
    if "scale_x" in p:
        normed = LayerNorm(scale=False, offset=False)
        parts |= {"normed": lambda z: np.asarray(normed.forward({}, z[None]))[0], "kernel": p["kernel"]}
        parts |= {"recurrent_kernel": p["recurrent_kernel"], "bias": p["bias"]}
    if "peephole" in p:
        parts |= zip(("peephole_i", "peephole_f", "peephole_o"), p["peephole"], strict=True)
    if "activation" in p:
        parts["activation"] = lambda x: np.where(x > 0, x, p["activation"]["slope"] * x)
    for name in ("kernel", "recurrent_kernel", "bias"):
        parts |= zip([name + gate for gate in gates], np.split(p[name], len(gates), axis=-1), strict=True)
    states = {letter: defaultdict(lambda: np.zeros(layer.units)) for letter in "hc"}
    evaluation = Evaluation(parts | states, {})
    letters = evaluation.letters

    def take(line: Any) -> None:
        if isinstance(line.target, sp.Indexed):
            place = int(evaluation.number(line.target.indices[0]))
            letters.setdefault(line.target.base.label.name, {})[place] = evaluation.number(line.value)
        else:
            letters[line.target.name] = evaluation.number(line.value)
            if line.target.name == "z" and layer.gates == 4:  # all gates together
                letters.update(zip(("z_i", "z_f", "z_g", "z_o"), np.split(letters["z"], 4), strict=True))

    written = [line for line in lines(layer, values=True) if "normed" not in str(line.target)]
    at = {
        line: [each.rhs for each in line.where if isinstance(each, sp.Eq) and each.lhs.name == "t"] for line in written
    }
    first = [line for line in written if at[line] and line.target != symbol("y")]
    for line in first:
        letters["t"] = int(evaluation.number(at[line][0]))
        take(line)
    each = [line for line in written if not at[line]]
    for step in range(steps, 0, -1) if layer.reverse else range(1, steps + 1):
        letters["t"] = step
        for line in each:
            take(line)
    for line in written:
        if line.target == symbol("y"):
            letters["t"] = int(evaluation.number(at[line][0]))
            take(line)
    y = letters["y"]
    return np.stack([y[step] for step in range(1, steps + 1)]) if isinstance(y, dict) else y


def drawn(layer: Layer, shape: tuple[int, ...]) -> Any:
    """Parameters, none of them 0."""
    is_parameter = lambda node: isinstance(node, Parameter)  # noqa: E731
    declared = layer.parameters(shape)
    return jax.tree.map(lambda each: RANDOM.normal(size=each.shape).astype(np.float32), declared, is_leaf=is_parameter)


def attended(layer: SelfAttention, p: Any, x: np.ndarray, noise: Any) -> np.ndarray:
    """An attention's output for one series, head by head, by its equations."""
    (steps, _), (size, _) = x.shape, layer.sizes(x.shape)
    letters = {"x": x, "d": size, "concat": lambda parts: np.concatenate([*parts.values()], axis=-1)} | p
    evaluation = Evaluation(letters, {})
    written = lines(layer, values=True)

    def entries(name: str, shape: tuple[int, int], **letters: Any) -> np.ndarray:
        """An array by the lines that say what its entries are."""
        own, y = [line for line in written if isinstance(line.target, sp.Indexed) and name in str(line.target.base)], {}
        for line, t, other in itertools.product(own, *map(range, shape)):
            evaluation.letters |= letters | {"t": t, "s": other, "j": other}
            evaluation.letters |= {each.lhs.name: evaluation.number(each.rhs) for each in own[0].where}
            y[tuple(int(evaluation.number(index)) for index in line.target.indices)] = evaluation.number(line.value)
        return np.array([[y[t, c] for c in range(len(y) // shape[0])] for t in range(shape[0])])

    evaluation.letters["turned"] = lambda u: entries("turned", (steps, size // 2), u=u)
    if layer.causal:
        evaluation.letters["m"] = entries("m", (steps, steps))
    for line in written:
        if isinstance(line.target, sp.Symbol):
            value = evaluation.number(line.value)
            evaluation.letters[line.target.name] = dict(enumerate(np.split(value, layer.heads, axis=-1)))
        elif str(line.target.base) == "o":
            for i in range(layer.heads):
                evaluation.letters |= {"i": i, "B": noise[i]}
                evaluation.letters.setdefault("o", {})[i] = evaluation.number(line.value)
    return np.concatenate([*evaluation.letters["y"].values()], axis=-1)


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
    "MaxPool1D": [*POOLS, "{}(3, 2, (2, 0))"],
    "MaxPool2D": [*POOLS, "{}((2, 3), (1, 2), ((1, 0), (0, 2)))", "{}((2, 3))"],
    "AveragePool1D": [*POOLS, "{}(3, 2, (2, 0))"],
    "AveragePool2D": [*POOLS, "{}((2, 3), (1, 2), ((1, 0), (0, 2)))", "{}((2, 3))"],
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
    "Embedding": ["{}(5, 3)", "{}(5, 3, padding_id=0)", "{}(5, 3, padding_id=2)"],
    "PReLU": ["{}()", "{}(shared=True)"],
    "GELU": ["{}()", "{}(approximate=True)"],
    "SoftExponential": ["{}()", "{}(shared=True)"],
    "SelfAttention": [
        *("{}(2)", "{}(2, causal=True)", "{}(2, rotary=True)", "{}(2, bias=False)", "{}(1, key_size=3, value_size=2)"),
        *("{}(2, dropout=0.5)", "{}(4, causal=True, rotary=True, key_size=6, dropout=0.25, bias=False)"),
    ],
    **dict.fromkeys(("BatchNorm", "LayerNorm", "InstanceNorm"), AFFINE),
    "GroupNorm": ["{}(2)", "{}(1, scale=False)", "{}(4, offset=False)"],
    "RMSNorm": ["{}()", "{}(0.25, scale=False)"],
}
LAYERS = [text.format(name) for name, texts in SETTINGS.items() for text in texts]
RATES = ("Precision", "Recall", "F1")


@pytest.mark.by_turns(6)
@pytest.mark.parametrize("text", LAYERS)
def test_a_layer_computes_what_is_shown(text):
    layer = parse(text, Layer)
    for shape in SHAPES if layer.tokens is None else SHAPES[-1:]:
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
    "Averaged",  # None: all steps count the same
}  # fmt: skip


def test_every_formula_with_a_setting_is_shown_above():
    def is_setting(field: dataclasses.Field) -> bool:
        return field.type in (bool, str) or ("None" in str(field.type)) or "int |" in str(field.type)

    ours = [each for each in formulas().values() if each.__module__.startswith("chainrule.")]
    found = {each.__name__ for each in ours if any(map(is_setting, dataclasses.fields(each)))}
    of_costs = {"CrossEntropy", "CategoricalCrossEntropy"}  # shown beside the other costs
    assert found - UNSHOWN - of_costs <= {*SETTINGS, *RATES, "Kappa", "VarianceScaling"}
