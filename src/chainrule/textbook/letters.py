"""What the names of a textbook are in mathematics: letters, indices and arrays."""

import dataclasses
import re
import unicodedata

import sympy as sp

from chainrule.formula.base import Formula, fields
from chainrule.textbook.mathematics import Math

WORDS = {
    "sigmoid": "sigma",
    "lambda_": "lambda",
    "gradient": "∇J",
    "recurrent_kernel": "U",
    "recurrent_bias": "b_U",
    "peephole": "p",
    "kernel": "W",
    "bias": "b",
    "scale": "gamma",
    "offset": "beta",
    "stride": "s",
    "dilation": "d",
    "pad": "p",
    "padding": "p",
}
"""Names whose sign in books is another; also with a subscript, as in kernel_i."""


def symbol(name: str, field: dataclasses.Field | None = None) -> sp.Symbol:
    """The letter of a name: Greek where the name is, or the one, and a comma, that its field's meaning begins with.

    >>> symbol("alpha"), symbol("beta1"), symbol("x")
    (alpha, beta1, x)
    """
    letter = re.match(r"([^\W\d_]), ", field.metadata.get("meaning", "")) if field else None
    if letter:
        name = unicodedata.name(letter[1]).rpartition("SMALL LETTER ")[2].lower()
    name = name.replace("_hat", "hat")
    word = next((word for word in WORDS if re.fullmatch(rf"{word}(_\w)?", name)), "")
    return sp.Symbol(WORDS[word] + name.removeprefix(word) if word else name, real=True)


def parts(letter: sp.Symbol) -> tuple[str, str]:
    """A letter and its index: ("beta", "1"), ("W", "i"), ("max_norm", ""). Words keep their underscores."""
    found = re.fullmatch(r"([^\W\d_]+)(\d+)|([^\W\d_]|beta|gamma)_(\w+)", letter.name)
    before, after = [part for part in found.groups() if part] if found else (letter.name, "")
    return before, after


def fields_of(formula: type[Formula] | Formula) -> dict[str, dataclasses.Field]:
    """A formula's fields by name."""
    return {field.name: field for field in fields(formula)}


def symbols_of(formula: type[Formula] | Formula) -> dict[str, sp.Symbol]:
    """The letter of each field.

    >>> from chainrule.optimizers import Adam
    >>> symbols_of(Adam)
    {'learning_rate': eta, 'beta1': beta1, 'beta2': beta2, 'epsilon': epsilon}
    """
    return {name: symbol(name, field) for name, field in fields_of(formula).items()}


def index(name: str) -> sp.Symbol:
    """An index: a whole number."""
    return sp.Symbol(name, integer=True)


def array(name: str) -> Math:
    """An array by its name, whose entries are `array(name)[j]`."""
    return sp.IndexedBase(symbol(name))
