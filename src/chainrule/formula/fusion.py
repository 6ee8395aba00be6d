"""What neighbours in a chain compute in one: rules by exact types, which the rooms of layers make known."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chainrule.formula.base import Formula

Form = Callable[[Sequence[Any], Sequence[Any], Any, Any], tuple[Any, Any]]
"""What neighbours without state and noise compute in one: from them, their parameters, a batch and its mask."""

_FORMS: dict[tuple[type[Formula], ...], Form] = {}


def together(*neighbours: tuple[type[Formula], ...]) -> Callable[[Form], Form]:
    """Make a form that of neighbours of exactly these types; a subclass may have a formula of its own."""

    def register(form: Form) -> Form:
        _FORMS.update(dict.fromkeys(neighbours, form))
        return form

    return register


def fused(layers: Sequence[Formula]) -> Iterator[tuple[int, int, Form | None]]:
    """Layers cut into the longest runs that have a form, and single layers: where each begins and ends, and the form.

    >>> from chainrule.activations import ReLU
    >>> from chainrule.layers import Conv2D, Dense, MaxPool2D
    >>> chain = Conv2D(8, 3) >> ReLU() >> MaxPool2D(2) >> Dense(10) >> ReLU()
    >>> [(first, end) for first, end, _ in fused(chain.layers)]
    [(0, 3), (3, 4), (4, 5)]
    """
    kinds, first = tuple(map(type, layers)), 0
    longest = max(map(len, _FORMS), default=1)
    while first < len(kinds):
        ends = range(min(first + longest, len(kinds)), first + 1, -1)
        end = next((end for end in ends if kinds[first:end] in _FORMS), first + 1)
        yield first, end, _FORMS.get(kinds[first:end])
        first = end
