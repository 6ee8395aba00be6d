"""Options that several commands share, each said once."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args

F = TypeVar("F", bound=Callable)


def sharing(options: Mapping[str, Any], before: str | None = None) -> Callable[[F], F]:
    """Gives a command options besides its own, by name and annotation: it takes them as `**shared`.

    In its help they stand before the one of its own that is named, else behind all. A flag is off where it is not
    given, all others are None.

    >>> @sharing({"size": int | None}, before="out")
    ... def command(data: str, out: str | None = None, **shared): ...
    >>> [*inspect.signature(command).parameters]
    ['data', 'size', 'out']
    """

    def decorate(command: F) -> F:
        *own, _ = inspect.signature(command).parameters.values()
        place = next((place for place, each in enumerate(own) if each.name == before), len(own))
        added = [_parameter(name, annotation) for name, annotation in options.items()]
        command.__signature__ = inspect.Signature([*own[:place], *added, *own[place:]])  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    default = False if get_args(annotation)[:1] == (bool,) else None
    return inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=annotation)
