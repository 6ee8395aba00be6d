"""`chainrule list`: every formula there is."""

import dataclasses
from typing import Annotated

import typer

from chainrule.errors import ChainruleError


def list_formulas(
    family: Annotated[
        str | None, typer.Argument(metavar="FAMILY", help="activations, layers, costs, …; all, if not said.")
    ] = None,
) -> None:
    """List every formula of a family, one line each: how it is written, and its mathematics.

    Example: `chainrule list activations`
    """
    from chainrule.cli import output
    from chainrule.families import FAMILIES, members
    from chainrule.notation import nearest

    if family is not None and family not in FAMILIES:
        raise ChainruleError(
            f"There is no family {family!r}.{nearest(family, FAMILIES)} They are {', '.join(FAMILIES)}."
        )
    for name in [family] if family else FAMILIES:
        output.formulas(name, [(_written(formula), _mathematics(formula)) for formula in members(name)])


def _written(formula: type) -> str:
    """The formula with all of its fields, as one writes it."""
    words = []
    for field in dataclasses.fields(formula):
        words.append(field.name + ("" if field.default is dataclasses.MISSING else f"={field.default!r}"))
    return f"{formula.__name__}({', '.join(words)})"


def _mathematics(formula: type) -> str:
    lines = (line.strip() for line in formula.textbook.splitlines())  # type: ignore[attr-defined]
    return "; ".join(line for line in lines if line)
