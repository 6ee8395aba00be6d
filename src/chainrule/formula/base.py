"""What a formula is: a frozen dataclass whose numbers are leaves and whose structure is static."""

import dataclasses
import inspect
import math
from abc import ABC
from collections.abc import Iterable
from itertools import chain
from numbers import Integral, Real
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from chainrule.errors import ChainruleError
from chainrule.formula.constraints import Constraint
from chainrule.formula.displays import displayed

F = TypeVar("F")

DEFINED: list[type["Formula"]] = []
"""Every class of formulas, in order of definition."""


@dataclass_transform(frozen_default=True)
class Formula(ABC):  # noqa: B024
    """Anything that a user picks: an activation, a cost, a regulariser, an optimizer, a layer, …

    A subclass is made a frozen dataclass and a JAX pytree: its float fields and its inner formulas are
    leaves, every other field (counts, flags, names) is static structure. So another learning rate
    compiles nothing again, and arrays in the float fields make a population of formulas under `vmap`,
    or in `fit`.

    It prints as the expression that makes it, which is the notation of the command line and of files.

    >>> from chainrule.activations import ELU
    >>> ELU(2)
    ELU(alpha=2.0)
    >>> ELU(-1)
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: ELU: alpha must be a number > 0, got -1. The default is 1.0.
    """

    textbook: ClassVar[str] = ""
    """The formula as a book prints it, in Python's expression syntax; an oracle for tests and readers."""

    def in_textbook(self) -> str:
        """The textbook form of what is computed with these settings, where they change more than numbers."""
        return self.textbook

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        DEFINED.append(cls)
        dataclasses.dataclass(frozen=True, repr=False, eq=False, match_args=False)(cls)
        names = [field.name for field in fields(cls)]
        leaves = [field.name for field in fields(cls) if _is_leaf(field.type)]
        structure = [name for name in names if name not in leaves]

        keys = [*map(jax.tree_util.GetAttrKey, leaves)]

        def flatten(formula: Self):
            held = formula.__dict__
            return [held[name] for name in leaves], tuple([held[name] for name in structure])

        def flatten_with_keys(formula: Self):
            children, static = flatten(formula)
            return [*zip(keys, children, strict=True)], static

        def unflatten(static: tuple, children: Any) -> Self:
            # JAX rebuilds formulas around tracers and placeholders
            return unchecked(cls, zip(structure, static, strict=True), zip(leaves, children, strict=True))

        jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if _is_leaf(field.type) and _is_traced(value):
                continue
            if _is_leaf(field.type, float) and _is_population(value) and not _is_own_tuple(value, field.type):
                plain = value if _is_array(value) else np.array(value, float)
                for place, one in np.ndenumerate(np.asarray(plain)):
                    _check(self, field, f"{field.name}[{', '.join(map(str, place))}]", float(one), float(one))
            else:
                plain = _plain(value, field.type)
                _check(self, field, field.name, plain, value)
            object.__setattr__(self, field.name, plain)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._values() == other._values()  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def _values(self) -> tuple:
        """Its fields' values, arrays as what can be compared and hashed."""
        return tuple(_comparable(getattr(self, field.name)) for field in fields(self))

    def __repr__(self) -> str:
        """Fields without a default by position; the first always, if it has any; others where they are no defaults."""
        words = []
        for index, field in enumerate(fields(self)):
            value = getattr(self, field.name)
            if _required(field):
                words.append(notation(value))
            elif (index == 0 and value is not None) or _differs(value, field.default):
                words.append(f"{field.name}={notation(value)}")
        return f"{type(self).__name__}({', '.join(words)})"

    def _repr_html_(self) -> str | None:
        """Its mathematics, for a notebook, as MathML; None where it has none."""
        return displayed("formula", self)

    def _repr_latex_(self) -> str | None:
        """The same in LaTeX, for a notebook that becomes a paper."""
        return displayed("mathematics", self)

    @classmethod
    def title(cls) -> str:
        """What it is, in a line: the first line of its docstring."""
        return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]

    @classmethod
    def reference(cls) -> str:
        """Where it was published: the paragraph of its docstring that begins with "Reference:"."""
        text = inspect.cleandoc(cls.__doc__ or "").partition("Reference:")[2]
        return " ".join(text.partition("\n\n")[0].split())


def fields(formula: Formula | type[Formula]) -> tuple[dataclasses.Field, ...]:
    """The fields of a formula or of its class, which type checkers do not see to be a dataclass.

    >>> from chainrule.activations import ELU
    >>> [field.name for field in fields(ELU)]
    ['alpha']
    """
    return dataclasses.fields(formula)  # type: ignore[arg-type]


def unchecked(kind: type[F], *fields: Iterable[tuple[str, Any]]) -> F:
    """A formula of fields that need no check, each with its name."""
    formula = object.__new__(kind)
    for name, value in chain(*fields):
        object.__setattr__(formula, name, value)
    return formula


def notation(value: Any) -> str:
    """The expression that makes a formula, or a value inside one; of arrays that none makes, the shape."""
    if type(value) is tuple:
        return f"({', '.join(map(notation, value))}{',' * (len(value) == 1)})"
    if _is_array(value) and value.ndim == 1 and not _is_traced(value):
        return f"[{', '.join(map(repr, map(float, value)))}]"
    if _is_array(value) and (value.ndim or _is_traced(value)):
        return f"<{value.dtype} array of shape {value.shape}>"
    return repr(value.item() if _is_array(value) else value)


ONE = "Take one formula out of it: jax.tree.map(lambda numbers: numbers[0], formula)."


def check_single(formula: Any, remedy: str = ONE) -> None:
    """Refuse a population: arrays where one formula has numbers.

    >>> from chainrule.activations import ELU
    >>> check_single(ELU(np.array([1.0, 2.0])))
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: ELU(alpha=[1.0, 2.0]): alpha holds 2 numbers, of a population. \
Take one formula out of it: jax.tree.map(lambda numbers: numbers[0], formula).
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(formula):
        if _is_array(leaf) and (leaf.ndim or _is_traced(leaf)):
            place = jax.tree_util.keystr(path).removeprefix(".")
            held = "a traced number" if _is_traced(leaf) else f"{leaf.size} numbers, of a population"
            raise ChainruleError(f"{formula!r}: {place} holds {held}. {remedy}")


def written(formula: type[Formula]) -> str:
    """A class with all of its fields, as one writes it.

    >>> from chainrule.regularizers import L2
    >>> written(L2)
    'L2(strength)'
    """
    words = []
    for field in fields(formula):
        words.append(field.name + ("" if _required(field) else f"={notation(field.default)}"))
    return f"{formula.__name__}({', '.join(words)})"


def constraint_of(field: dataclasses.Field) -> Constraint | None:
    """The constraint that a field declares, or that its type implies."""
    if "constraint" in field.metadata:
        return field.metadata["constraint"]
    if field.type is bool:
        return Constraint("True or False", lambda v: type(v) is bool, (0, "yes", None), (True, False))
    if isinstance(field.type, type) and issubclass(field.type, Formula):
        kind = field.type
        return Constraint(f"a formula of the family {kind.__name__}", lambda v: isinstance(v, kind), (0.5, "x", None))
    each = next(iter(get_args(field.type)), None)
    if get_origin(field.type) is tuple and isinstance(each, type) and issubclass(each, Formula):

        def holds(v: Any) -> bool:
            return type(v) is tuple and all(isinstance(item, each) for item in v)

        return Constraint(f"a tuple of formulas of the family {each.__name__}", holds, (0.5, "x", None, (0.5,)))
    return None


def _check(formula: Formula, field: dataclasses.Field, name: str, plain: Any, given: Any) -> None:
    """Refuse a value that its field's constraint does not allow."""
    constraint = constraint_of(field)
    if constraint and not constraint.holds(plain):
        hint = "" if _required(field) else f" The default is {notation(field.default)}."
        raise ChainruleError(f"{type(formula).__name__}: {name} must be {constraint.expected}, got {given!r}.{hint}")


def _is_leaf(annotation: Any, *kinds: type) -> bool:
    """Whether a field of this type holds numbers or formulas (or only those of the kinds named), no structure."""
    if isinstance(annotation, type) and not get_args(annotation):
        return issubclass(annotation, kinds or (float, Formula))
    return any(_is_leaf(inner, *kinds) for inner in get_args(annotation))


def _is_array(value: Any) -> bool:
    return isinstance(value, jax.Array | np.ndarray)


def _is_traced(value: Any) -> bool:
    return isinstance(value, Tracer)


def _is_population(value: Any) -> bool:
    """Whether it stands for a number of each formula of a population: an array of numbers, or a list of them."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(one, Real) and not isinstance(one, bool) for one in value)
    return _is_array(value) and value.ndim > 0 and jnp.issubdtype(value.dtype, np.number)


def _is_own_tuple(value: Any, annotation: Any) -> bool:
    """Whether it is a tuple, and the field holds tuples of numbers itself."""
    return isinstance(value, tuple) and any(get_origin(each) is tuple for each in (annotation, *get_args(annotation)))


def _plain(value: Any, annotation: Any) -> Any:
    """The value as Python's own number, text or tuple, so that equal formulas print and compile alike."""
    if isinstance(value, np.generic) or (_is_array(value) and not value.ndim and not _is_traced(value)):
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)  # also of a subclass
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral) and not _is_leaf(annotation):
        return int(value)
    if isinstance(value, Real):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    if isinstance(value, list | tuple):
        return tuple(_plain(item, annotation) for item in value)
    return value


def _comparable(value: Any) -> Any:
    """A field's value as what can be compared and hashed: an array by its numbers, a tracer by itself."""
    if type(value) is tuple:
        return tuple(map(_comparable, value))
    if _is_traced(value):
        return "traced", id(value)
    if _is_array(value):
        return (value.shape, *np.asarray(value).ravel().tolist()) if value.ndim else value.item()
    return value


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING


def _differs(value: Any, default: Any) -> bool:
    return _comparable(value) != _comparable(default)
