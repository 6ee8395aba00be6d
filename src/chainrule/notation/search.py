"""Formulas by what they are: by words of their names, of their descriptions, and of their names in other libraries."""

import inspect
import re

from chainrule.formula.base import Formula
from chainrule.notation.elsewhere import names_of
from chainrule.notation.families import FAMILIES, members

ALIKE = {"relu": "rectifier", "loss": "cost", "optimiser": "optimizer", "norm": "normalisation"}
"""Words, and others that say the same."""

LETTERS = 6  # of a word, by which its forms are known: rectifier and rectified

LETTER_BEFORE = re.compile("(?<=[a-z0-9])(?=[A-Z])")


def search(text: str) -> list[type[Formula]]:
    """The formulas that all of the words tell of; those first whose names and first lines have them.

    >>> [formula.__name__ for formula in search("heavy ball")]
    ['Momentum']
    """
    asked = [{word[:LETTERS], ALIKE.get(word, word)[:LETTERS]} for word in _words(text)]
    weights = {}
    for family in FAMILIES:
        for formula in members(family):
            told = [max(_weight(formula, family, word) for word in words) for words in asked]
            if told and all(told):
                weights[formula] = sum(told)
    return sorted(weights, key=lambda formula: -weights[formula])


def _weight(formula: type[Formula], family: str, word: str) -> int:
    """How much the beginning of a word tells of a formula."""
    title, _, rest = inspect.cleandoc(formula.__doc__ or "").partition("\n")
    name, body = formula.__name__, rest.partition("Reference:")[0].partition(">>>")[0]
    places = {f"{name} {LETTER_BEFORE.sub(' ', name)}": 5, title: 4, names_of(name): 3, body: 1, family: 1}
    return sum(weight for place, weight in places.items() if any(each.startswith(word) for each in _words(place)))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
