"""How a notebook shows formulas, networks and models: those who draw stand above, and are named by the root."""

TYPE_CHECKING = False  # as the root has it, which imports this room at once
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_drawn: "list[Callable[[str, Any], str]]" = []


def draws(draw: "Callable[[str, Any], str]") -> None:
    """Let it draw what notebooks show: a thing as one of a kind, such as "formula" or "network"."""
    _drawn[:] = [draw]


def displayed(kind: str, thing: "Any") -> str | None:
    """A thing as one of a kind; None where it can't be drawn: a notebook then shows the notation."""
    try:
        return _drawn[0](kind, thing)
    except Exception:
        return None
