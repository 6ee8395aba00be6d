"""Options that `train` and `compare` share: how data are divided and prepared, and how long is trained."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from chainrule.cli import reading

FORMULAS, DATA, RUN = "Formulas", "Data", "Run"
RULE = "a third of the epochs, 5 at least; never where --epochs says how many: all of them are then trained"

One = str | None
Several = list[str] | None


def taking(panel: str, metavar: str, text: str) -> Any:
    """One that takes a value."""
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel)


SHARED: dict[str, Any] = {
    "target": Annotated[
        Several, taking(DATA, "COLUMN", 'The column to predict; may be repeated for values ["target", or the last].')
    ],
    "task": Annotated[One, taking(DATA, "WORD", "classification or regression, if the target leaves it open.")],
    "drop": Annotated[Several, taking(DATA, "COLUMN", "A column to leave out; may be repeated.")],
    "text": Annotated[Several, taking(DATA, "COLUMN", "A column of numbers to read as text; may be repeated.")],
    "words": Annotated[Several, taking(DATA, "COLUMN", "A column of text to read word by word.")],
    "characters": Annotated[Several, taking(DATA, "COLUMN", "A column of text to read letter by letter.")],
    "day_first": Annotated[Several, taking(DATA, "COLUMN", "A column of dates such as 31/1/2020.")],
    "month_first": Annotated[Several, taking(DATA, "COLUMN", "A column of dates such as 1/31/2020.")],
    "missing": Annotated[One, taking(DATA, "WORD", "Blank cells: median fills them, drop leaves their rows out.")],
    "balanced": Annotated[
        bool, typer.Option("--balanced", help="Let every class count alike, however rare.", rich_help_panel=DATA)
    ],
    "order_by": Annotated[One, taking(DATA, "COLUMN", "Train on the earliest rows by it, test on the last.")],
    "group": Annotated[One, taking(DATA, "COLUMN", "Keep rows that share its value in one part.")],
    **reading.READING,
    **reading.SIZE,
    "test": Annotated[One, taking(DATA, "PART", "A fraction of the rows [0.2], or a file.")],
    "validation": Annotated[One, taking(DATA, "PART", "A fraction of the rows [0.1], or a file.")],
    "epochs": Annotated[
        One, taking(RUN, "NUMBER", "How often every example is seen [3,000 steps in all on tables, else 2,000].")
    ],
    "batch_size": Annotated[One, taking(RUN, "NUMBER", "Examples a step; 1, 32, … or all [32 to 256].")],
    "early_stopping": Annotated[
        One, taking(RUN, "NUMBER", f"Stop after so many epochs without a lower validation cost, or never [{RULE}].")
    ],
    "monitor": Annotated[One, taking(RUN, "FORMULA", 'What early stopping watches: cost, "F1()", … [cost].')],
}
"""Them all, by name."""


def said(given: Mapping[str, Any]) -> dict[str, Any]:
    """What these options say, by their names, as arguments of `runs.plan`."""
    from chainrule.cli import choices
    from chainrule.data.guesses import TASKS
    from chainrule.notation.choices import EPOCHS

    columns = "drop", "text", "words", "characters", "day_first", "month_first"
    return {
        "epochs": choices.whole("--epochs", given["epochs"], *EPOCHS),
        "batch_size": choices.number_or_all("--batch-size", given["batch_size"]),
        "early_stopping": choices.early_stopping("--early-stopping", given["early_stopping"]),
        "monitor": choices.monitor("--monitor", given["monitor"]),
        "target": given["target"],
        "task": choices.one_of("--task", given["task"], TASKS),
        **{name: given[name] or [] for name in columns},
        "order_by": given["order_by"],
        "group": given["group"],
        "missing": choices.one_of("--missing", given["missing"], ["median", "drop"]),
        "balanced": given["balanced"],
        "test": choices.part(given["test"]),
        "validation": choices.part(given["validation"]),
        **reading.said(given),
    }
