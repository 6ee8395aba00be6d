"""What every command shares: an option is given once, and a warning is a note."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from typer.core import TyperCommand

from chainrule.errors import ChainruleError


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
