"""The numbers of the equations that a formula is shown by, evaluated one by one."""

import contextlib
import itertools
import math
from collections import defaultdict
from typing import Any

import numpy as np
import sympy as sp

from chainrule.formula.layer import Layer
from chainrule.layers import LayerNorm
from chainrule.layers.attention import SelfAttention
from chainrule.layers.recurrent import Recurrent
from chainrule.textbook.expression import lines
from chainrule.textbook.letters import symbol

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
