"""How a file is read: the options that `train`, `evaluate` and `predict` share, and what is said of it."""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.words import options_of
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.data.table import Found

PANEL = "Reading"

READING: dict[str, Any] = {
    "separator": Annotated[
        str | None,
        typer.Option(
            metavar="MARK", help="Between cells: , ; | tab or blank [found in the file].", rich_help_panel=PANEL
        ),
    ],
    "decimal": Annotated[
        str | None, typer.Option(metavar="MARK", help="In numbers: . or , [found in the file].", rich_help_panel=PANEL)
    ],
    "header": Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header", help="Whether the first line names the columns [yes].", rich_help_panel=PANEL
        ),
    ],
    "blank": Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="A word for no value, in every column; may be repeated [NA, null, … in numbers].",
            rich_help_panel=PANEL,
        ),
    ],
}
"""Options of every command that reads files, by name."""

SIZE: dict[str, Any] = {
    "size": Annotated[
        str | None,
        typer.Option(
            metavar="PIXELS", help="Resize images: 64, or 64x48 (width x height) [as they are].", rich_help_panel=PANEL
        ),
    ]
}

REMEDIES = {
    "separator": "Choose another by --separator.",
    "decimal": "Choose another mark by --decimal, or keep a column as text by --text.",
    "header": "If it is a row of data, add --no-header.",
    "blank": "Choose the words by --blank.",
}


def said(given: Mapping[str, Any]) -> dict[str, Any]:
    """What these options say, as arguments of `chainrule.data.read`; what is not said is left out."""
    values = {name: given.get(name) for name in (*READING, *SIZE)}
    return {name: value for name, value in values.items() if value not in (None, [])}


def say(*files: "Found") -> None:
    """A note on each thing that was found in files and may have been meant otherwise."""
    from chainrule.cli.output import note

    notes = [entry for found in files for entry in found.notes.items()]
    for said in dict.fromkeys(_with_remedy(*entry) for entry in notes):
        note(said)


def _with_remedy(name: str, said: str | ChainruleError) -> str:
    if isinstance(said, ChainruleError):
        options = [word for choice, value in said.choices.items() for word in options_of(choice, value)]
        return f"{said.message}, or add {shlex.join(options)}."
    return f"{said} {REMEDIES.get(name, '')}".rstrip()
