"""What is wrong with a table, gathered so that all of it is said at once, with the choices that mend all of it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from chainrule.errors import ChainruleError, printable

MOST = 8  # problems that are named


class Problems:
    """The errors that were met about one table.

    >>> problems = Problems("d")
    >>> with problems.gathered():
    ...     raise ChainruleError("d: blank cells in age (2). Fill them", missing="median")
    >>> with problems.gathered():
    ...     raise ChainruleError("d, row 3, column 'id': no number. Mend the cell", text=["id"])
    >>> print(problems.together().message)
    d: 2 problems: blank cells in age (2); row 3, column 'id': no number. Mend them
    >>> problems.together().choices
    {'missing': 'median', 'text': ['id']}
    """

    def __init__(self, name: str):
        self.name = printable(name)
        self.found: list[ChainruleError] = []

    @contextmanager
    def gathered(self, without: Collection[str] = ()) -> Iterator[None]:
        """Where an error is met rather than raised; without choices that would mend it, where those may not be."""
        try:
            yield
        except ChainruleError as error:
            choices = {name: value for name, value in error.choices.items() if name not in without}
            end = "" if choices or not error.choices else "."
            self.found.append(ChainruleError(f"{error.message}{end}", **choices))

    def refuse(self) -> None:
        """Raise what was met: a lone error as it is, several as one."""
        if self.found:
            raise self.found[0] if len(self.found) == 1 else self.together()

    def together(self) -> ChainruleError:
        """What was met as one error, with the choices that mend all of it, if choices do."""
        problems = [error.problem.removeprefix(self.name).lstrip(":, ") for error in self.found]
        said = "; ".join(problems[:MOST]) + ("; …" if len(problems) > MOST else "")
        choices: dict[str, Any] = {}
        for error in self.found:
            for name, value in error.choices.items():
                lists = isinstance(value, list)
                choices[name] = list(dict.fromkeys([*choices.get(name, []), *value])) if lists else value
        mended = all(error.choices for error in self.found)
        message = f"{self.name}: {len(problems):,} problems: {said}. Mend them{'' if mended else '.'}"
        return ChainruleError(message, **(choices if mended else {}))
