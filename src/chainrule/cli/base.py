"""What commands share: what several have as an option is said once, given once, and a warning is a note."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, get_args

from typer.core import TyperCommand

from chainrule.errors import ChainruleError

F = TypeVar("F", bound=Callable)


class Command(TyperCommand):
    """A command that refuses a second value where one counts, rather than forgetting the first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Click's own parsing, of which the last value of an option would win."""
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for option in given:
            if given.count(option) > 1 and not option.multiple and option.nargs == 1:  # type: ignore[union-attr]
                raise ChainruleError(f"{max(option.opts, key=len)} can be given once, got {given.count(option)} times.")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run it, each warning said as a note."""
        with warnings_as_notes():
            return super().invoke(ctx)


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Each warning of ours, and of those for users, is said once, as a note."""
    said: set[str] = set()

    def show(message: Any, *place: Any, **more: Any) -> None:
        from chainrule.cli.output import note

        if str(message) not in said:
            said.add(str(message))
            note(str(message))

    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning)
        warnings.showwarning = show
        yield


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
