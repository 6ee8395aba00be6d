"""What varies in a comparison: axes, each of several formulas or values of a field; a candidate has one of each.

An axis is a choice of a training (`optimizer`, `epochs`), a field by its path (`optimizer.learning_rate`,
`network.layers.2.rate`; a step `*` is every formula that has the field behind it, `network.*.rate`), or a short name.
"""

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

from chainrule.activations import Activation, Identity
from chainrule.costs import Cost
from chainrule.errors import ArgumentError, ChainruleError, nearest
from chainrule.formula.base import check_single, notation
from chainrule.formula.layer import Chain, Composition, Layer, Multiply
from chainrule.initializers import Initializer
from chainrule.notation import as_formula, parse
from chainrule.notation.choices import as_early_stopping
from chainrule.notation.fields import replaced
from chainrule.notation.parsing import formulas
from chainrule.optimizers import Optimizer
from chainrule.regularizers import Regularizer
from chainrule.runs.planning import Plan

Axes = dict[str, dict[str, Any]]
"""The values of each axis, by how they are written."""

Candidate = dict[str, str]
"""What is chosen of each axis, as it is written."""

FORMULAS = "network", "cost", "optimizer", "regularizer", "early_stopping"
"""The formulas of a training, which may vary, and within which paths begin."""

CHOICES = *FORMULAS, "epochs", "batch_size", "balanced"
"""The choices of a training that may vary."""

ACTIVATION = "activation"
WITHIN = {
    "initializer": "network.*.kernel_initializer",
    "dropout": "network.*.rate",
    "learning_rate": "optimizer.*.learning_rate",
}
"""Short names of paths."""

READ: dict[str, Callable[[Any], Any]] = {
    "early_stopping": lambda given: given if given == "never" else as_early_stopping(_read(given)),
    **{
        axis: partial(as_formula, family=family)
        for axis, family in {
            "network": Layer,
            "cost": Cost,
            "optimizer": Optimizer,
            "regularizer": Regularizer,
            ACTIVATION: Activation,
            "initializer": Initializer,
        }.items()
    },
}
"""How values are read that are of one family."""


def axes_of(said: Mapping[str, Iterable[Any]]) -> Axes:
    """The axes that are said, their values read and written alike.

    Raises:
        ChainruleError: for an axis that is none, and a value that is of another kind or there twice; it names both.

    >>> axes_of({"activation": ["ReLU", "ELU(1)"], "optimizer.learning_rate": "1e-3,0.01"})
    {'activation': {'ReLU()': ReLU(), 'ELU(alpha=1.0)': ELU(alpha=1.0)}, \
'optimizer.learning_rate': {'0.001': 0.001, '0.01': 0.01}}
    """
    axes: Axes = {}
    for axis, values in said.items():
        _check_name(axis)
        axes[axis] = {}
        for given in [*(parts(values) if isinstance(values, str) else values)]:
            with_name = f"{axis}={given if isinstance(given, str) else notation(given)}"
            try:
                value = _value(axis, given)
            except ChainruleError as error:
                raise of(with_name, error) from None
            if _written(value) in axes[axis]:
                raise ChainruleError(f"{axis}: {_written(value)} is given twice. Give each once.")
            axes[axis][_written(value)] = value
        if not axes[axis]:
            raise ChainruleError(f"{axis}: expected values to compare, got none. Give one at least.")
    return axes


def candidates(axes: Axes) -> list[Candidate]:
    """One of each axis, in all combinations; the last axis varies first."""
    return [dict(zip(axes, chosen, strict=True)) for chosen in product(*axes.values())]


def of(name: str, error: ChainruleError) -> ChainruleError:
    """An error that begins with what it is of."""
    if isinstance(error, ArgumentError):
        return ArgumentError(f"{{}}: {error.sentence}", name, *error.values)
    return type(error)(f"{name}: {error.message}", **error.choices)


def chosen(axes: Axes, candidate: Candidate) -> dict[str, Any]:
    """What a candidate says of a training, by argument of `plan`."""
    return {axis: axes[axis][value] for axis, value in candidate.items() if axis in CHOICES}


def changed(plan: Plan, axes: Axes, candidate: Candidate) -> Plan:
    """A plan with the rest of what a candidate has: other activations, other values in fields."""
    for axis, value in candidate.items():
        try:
            if axis == ACTIVATION:
                plan = replace(plan, network=_activated(plan.network, axes[axis][value]))
            elif axis not in CHOICES:
                plan = at(plan, axis, axes[axis][value])
        except ChainruleError as error:
            raise of(f"{axis}={value}", error) from None
    return plan


def at(plan: Plan, axis: str, value: Any) -> Plan:
    """A plan with another value in a field.

    Raises:
        ChainruleError: where there is no such field, or it refuses the value.
    """
    name, *path = path_of(axis)
    formula = getattr(plan, name)
    if formula is None:
        raise ChainruleError(f"There is no {name.replace('_', ' ')} to change. Choose one.")
    return replace(plan, **{name: replaced(formula, path, value, ".".join([name, *path]))})


def path_of(axis: str) -> list[str]:
    """The steps to a field, from a path or its short name."""
    return WITHIN.get(axis, axis).split(".")


def parts(text: str) -> list[str]:
    """A text's parts between commas, but those within brackets or quotes.

    >>> parts("L2(0.1), ElasticNet(0.1, 0.5),None")
    ['L2(0.1)', 'ElasticNet(0.1, 0.5)', 'None']
    """
    found, depth, quote = [""], 0, ""
    for letter in text:
        quote = "" if letter == quote else quote or (letter if letter in "\"'" else "")
        depth += 0 if quote else (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth and not quote:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found]


def _check_name(axis: str) -> None:
    """Refuse what can't vary."""
    name, *path = path_of(axis)
    if axis in CHOICES or axis == ACTIVATION or (path and name in FORMULAS and "" not in path):
        return
    known = [*CHOICES, ACTIVATION, *WITHIN]
    raise ChainruleError(
        f"{axis} can't vary.{nearest(name, known)} What can: {', '.join(known)}, and a field by its path, such as "
        f"optimizer.learning_rate."
    )


def _value(axis: str, given: Any) -> Any:
    """A value from itself or from how it is written."""
    if given is None or given == "None":
        return None
    value = READ[axis](given) if axis in READ else _read(given)
    check_single(value, "Give one number; each value is an axis's own.")
    return value


def _read(text: Any) -> Any:
    """A number, a formula, or a word, where it is written."""
    if not isinstance(text, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return parse(text) if text.partition("(")[0].strip() in formulas() or "(" in text else text


def _written(value: Any) -> str:
    return value if isinstance(value, str) else notation(value)


def _activated(network: Chain, activation: Any) -> Chain:
    """A network whose hidden activations are others: those that are layers of their own, but the last layer.

    Gates stay what they are (activations within a recurrent layer, and factors of a product), and so does Identity().
    """
    *hidden, last = network.layers
    found: list[Activation] = []

    def other(layer: Any) -> Any:
        if isinstance(layer, Activation) and layer != Identity():
            found.append(layer)
            return activation
        if isinstance(layer, tuple):
            return tuple(map(other, layer))
        if not isinstance(layer, Composition) or isinstance(layer, Multiply):
            return layer
        inner = {name: other(value) for name, value in vars(layer).items() if isinstance(value, Layer | tuple)}
        return replace(layer, **inner)  # type: ignore[type-var]

    changed = Chain((*map(other, hidden), last))
    if not found:
        raise ChainruleError(f"{network!r} has no activation between its layers. Give a network that has one.")
    return changed
