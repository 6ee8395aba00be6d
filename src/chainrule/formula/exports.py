"""How what is trained leaves for other libraries: those who write their files stand above, and the root names them."""

TYPE_CHECKING = False  # as the root has it, which imports this room at once
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_writers: "list[Callable[..., Any]]" = []


def exports(write: "Callable[..., Any]") -> None:
    """Let it write what leaves: to what, such as "to_onnx", then what it is, and where to."""
    _writers[:] = [write]


def exported(to: str, thing: "Any", *where: "Any") -> "Any":
    """Write a thing for another library."""
    return _writers[0](to, thing, *where)
