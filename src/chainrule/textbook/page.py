"""All that a reader wants to know of a formula, on one page: derived from its class, written nowhere else."""

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import NamedTuple

import sympy as sp

from chainrule.formula.base import Formula, constraint_of, fields, notation, written
from chainrule.formula.layer import Branches, Composition, Layer, Operation, Parameter
from chainrule.textbook.curves import braille, curves
from chainrule.textbook.equations import Equation, derivatives, equations
from chainrule.textbook.expression import textbook_of
from chainrule.textbook.letters import symbol, symbols_of
from chainrule.textbook.text import text


class FieldRow(NamedTuple):
    """A field for its reader."""

    name: str
    letter: str
    value: str
    default: str
    allowed: str
    meaning: str


class ParameterRow(NamedTuple):
    """A parameter of a layer: its name, its letter in the equations, and its shape."""

    name: str
    letter: str
    shape: str


class Page(NamedTuple):
    """A formula for its reader.

    Attributes:
        name: of its class.
        title: what it is, in a line.
        equations, derivatives: its mathematics.
        plots: by name, rows of text.
        parts: what a formula that is made of others is made of, with the mathematics of each.
        settings: of a class, what its mathematics becomes with settings that are not its defaults.
        fields: its hyper-parameters.
        parameters: of a layer.
        remarks: the paragraphs of its documentation.
        reference: where it was published.
        notation: how one writes it.
    """

    name: str
    title: str
    equations: list[Equation]
    derivatives: list[Equation]
    plots: dict[str, list[str]]
    parts: dict[str, list[Equation]]
    settings: dict[str, list[Equation]]
    fields: list[FieldRow]
    parameters: list[ParameterRow]
    remarks: list[str]
    reference: str
    notation: str


def page(formula: type[Formula] | Formula) -> Page:
    """The page of a formula, with its numbers, or of a class, with letters.

    >>> from chainrule.activations import ELU
    >>> page(ELU).fields[0]
    FieldRow(name='alpha', letter='α', value='', default='1.0', allowed='a number > 0', \
meaning='minus the value that it approaches far below 0')
    """
    kind, made = (formula, None) if isinstance(formula, type) else (type(formula), formula)
    example = made or with_defaults(kind)
    values = made is not None
    return Page(
        name=kind.__name__,
        title=kind.title(),
        equations=equations(formula, values),
        derivatives=derivatives(formula, values),
        plots={name: braille(curve) for name, curve in curves(example).items()} if example else {},
        parts=dict(_parts(formula)),
        settings=dict(_settings(kind)) if made is None else {},
        fields=[] if issubclass(kind, Operation) else _fields(kind, made),
        parameters=_parameters(kind, made),
        remarks=_remarks(kind),
        reference=kind.reference(),
        notation=repr(made) if made else written(kind),
    )


def with_defaults(kind: type[Formula]) -> Formula | None:
    """The formula that the bare name makes; None where a field has no default."""
    return None if _required(kind) else kind()


def _required(kind: type[Formula]) -> list[str]:
    return [field.name for field in fields(kind) if field.default is dataclasses.MISSING]


def parts_of(formula: type[Formula] | Formula) -> dict[str, Formula]:
    """The formulas that another one is made of, each once, by notation; branches by their letters in its equation."""
    if isinstance(formula, type):
        return {}
    if isinstance(formula, Branches):
        return {f"{text(symbol(f'f{place}'))} = {part!r}": part for place, part in enumerate(formula.layers, start=1)}
    inner = [getattr(formula, name) for name in _required(type(formula))]
    found = [part for value in inner for part in (value if isinstance(value, tuple) else (value,))]
    return {repr(part): part for part in found if isinstance(part, Formula)}


def _parts(formula: type[Formula] | Formula) -> Iterator[tuple[str, list[Equation]]]:
    """The equations of all that a formula is made of, of compositions within it too."""
    for name, part in parts_of(formula).items():
        yield name, equations(part, values=True)
        yield from _parts(part)


def _settings(kind: type[Formula]) -> Iterator[tuple[str, list[Equation]]]:
    """The equations that another value of a flag or a choice brings, where they need no numbers of other fields."""
    with contextlib.suppress(Exception):
        usual = equations(_symbolic(kind, None))
        for field in fields(kind):
            constraint = constraint_of(field)
            for value in constraint.choices if constraint else ():
                changed = _symbolic(kind, None)
                object.__setattr__(changed, field.name, value)
                new = [each for each in equations(changed) if each not in usual]
                if new and value != field.default:
                    yield f"{field.name}={value!r}", new


def _fields(kind: type[Formula], made: Formula | None) -> list[FieldRow]:
    letters = symbols_of(kind)
    rows = []
    for field in fields(kind):
        constraint = constraint_of(field)
        letter = "" if field.type is bool else text(letters[field.name])
        default = "required" if field.name in _required(kind) else notation(field.default)
        value = notation(getattr(made, field.name)) if made else ""
        default = "" if made and default in ("required", value) else default
        meaning = re.sub(r"^[^\W\d_]\w?, ", "", field.metadata.get("meaning", ""))
        said = letter if letter != field.name else ""
        rows.append(FieldRow(field.name, said, value, default, constraint.expected if constraint else "", meaning))
    return rows


def _parameters(kind: type[Formula], made: Formula | None) -> list[ParameterRow]:
    """A layer's parameters with the letters that stand for them, and their shapes by the names of axes and fields."""
    if not issubclass(kind, Layer) or issubclass(kind, Composition):
        return []
    for axes in (("features",), ("time", "features"), ("time", "channels"), ("height", "width", "channels")):
        with contextlib.suppress(Exception):  # of another rank, or of a shape that only numbers make
            declared = _symbolic(kind, made).parameters(tuple(map(_axis, axes)))  # type: ignore[attr-defined]
            found = [(name, each) for name, each in declared.items() if isinstance(each, Parameter)]
            book = textbook_of(made or kind)
            return [ParameterRow(name, _letter(book, name), _shape(each.shape)) for name, each in found]
    return []


def _symbolic(kind: type[Formula], made: Formula | None) -> Formula:
    """A formula whose fields without a default are letters, unchecked."""
    formula = object.__new__(kind)
    for field in fields(kind):
        missing = field.default is dataclasses.MISSING
        value = getattr(made, field.name) if made else _axis(field.name) if missing else field.default
        object.__setattr__(formula, field.name, value)
    return formula


def _axis(name: str) -> sp.Symbol:
    return sp.Symbol(name, integer=True, positive=True)


def _letter(book: str, name: str) -> str:
    letter = text(symbol(name)) if re.search(rf"\b{name}(_|\b)", book) else ""
    return letter if letter != name else ""


def _shape(shape: tuple) -> str:
    return f"({', '.join(text(sp.sympify(axis)) for axis in shape)}{',' * (len(shape) == 1)})"


def _remarks(kind: type[Formula]) -> list[str]:
    """The paragraphs of a docstring between its title and its reference or examples."""
    paragraphs = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[1:]
    return [" ".join(each.split()) for each in paragraphs if not each.startswith(("Reference:", ">>>"))]
