"""The registry of formulas, and examples of each, derived from the types and constraints of its fields.

A contract test that asks for `formula` runs for each formula there is; one that asks for `activation`, `cost`,
`layer`, … runs with an example of each one in that family.
"""

import contextlib
import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_origin

import jax
import numpy as np
import pytest

import chainrule
from chainrule.activations import Activation
from chainrule.costs import Cost
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula, constraint_of
from chainrule.formula.layer import Layer
from chainrule.formula.network import initialize
from chainrule.initializers import Initializer
from chainrule.layers import Dense
from chainrule.notation.families import family

for module in pkgutil.walk_packages(chainrule.__path__, "chainrule."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)

FORMULAS = [formula for formula in family(Formula) if formula.__module__.startswith("chainrule.")]
FAMILIES = {"activation": Activation, "cost": Cost, "initializer": Initializer, "layer": Layer}

WORDS = ("valid", "same", "macro", "weighted", "micro", "equal", "linear", "fan_in", "fan_avg", "normal", "uniform")
PROBES = ("a.npy", 0.5, 0.25, 2.0, 1.25, 3, 2, (0.25, 0.75), (2, 3), (6,), (2, 1), *WORDS, True, False, None)
"""Values that each field is tried with; a field that takes none of them needs one more here."""

AROUND = {name: {"layer": Dense(3)} for name in ("WeightNorm", "SpectralNorm")}
"""What stands in formulas for which not every formula of a field's family will do."""


def pytest_generate_tests(metafunc):
    if "formula" in metafunc.fixturenames:
        metafunc.parametrize("formula", FORMULAS, ids=lambda formula: formula.__name__)
    for name, base in FAMILIES.items():
        if name in metafunc.fixturenames:
            examples = [example(formula) for formula in FORMULAS if issubclass(formula, base)]
            metafunc.parametrize(name, examples, ids=lambda formula: type(formula).__name__)


@pytest.fixture(scope="session")
def drawn() -> Callable[[Layer, tuple[int, ...]], Any]:
    """Parameters for a layer and a shape, drawn by NumPy, for which nothing is compiled."""

    @functools.cache
    def of(layer: Layer, shape: tuple[int, ...]) -> Any:
        rng = np.random.default_rng(0)
        declared = jax.eval_shape(lambda: initialize(layer, shape, jax.random.key(0)))
        return jax.tree.map(lambda w: rng.normal(0.1, 0.3, w.shape).astype(w.dtype), declared)

    return of


@pytest.fixture
def made(formula) -> Formula:
    """An example of the formula."""
    return example(formula)


@pytest.fixture
def variants(formula) -> list[Formula]:
    """The example of the formula, and one for each other value of each field."""
    return [example(formula), *_others(formula)]


@functools.cache
def allowed(field: dataclasses.Field) -> list:
    """Values that the field takes."""
    family = next(
        (inner for inner in annotations(field) if isinstance(inner, type) and issubclass(inner, Formula)), None
    )
    formulas = [example(each) for each in FORMULAS if family and issubclass(each, family) and not holds_its_like(each)]
    if get_origin(field.type) is tuple and formulas:
        return [(formulas[0],), tuple(formulas[:2])]
    return [value for value in (*PROBES, *formulas[:2]) if constraint_of(field).holds(value)]


def annotations(field: dataclasses.Field) -> tuple:
    """The field's type, and the types within it."""
    return (field.type, *get_args(field.type))


def holds_its_like(formula: type[Formula]) -> bool:
    """Whether it is a composite of its own family, whose examples would never end."""
    inner = [each for field in dataclasses.fields(formula) for each in annotations(field)]
    return any(isinstance(each, type) and issubclass(each, Formula) and issubclass(formula, each) for each in inner)


def example(formula: type[Formula], **changed: Any) -> Formula:
    """A formula with its defaults, and values that fit where it has none."""
    missing = [field for field in dataclasses.fields(formula) if field.default is dataclasses.MISSING]
    fitting = {field.name: allowed(field)[0] for field in missing} | AROUND.get(formula.__name__, {})
    return formula(**fitting | changed)


def _others(formula: type[Formula]) -> Iterator[Formula]:
    for field in dataclasses.fields(formula):
        for value in allowed(field):
            with contextlib.suppress(ChainruleError):  # two fields that do not go together
                yield example(formula, **{field.name: value})
