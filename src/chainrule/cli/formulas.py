"""`chainrule list`: every formula there is."""

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
    from chainrule.errors import nearest
    from chainrule.formula.base import written
    from chainrule.notation.families import FAMILIES, members
    from chainrule.textbook.equations import equations

    if family is not None and family not in FAMILIES:
        raise ChainruleError(
            f"There is no family {family!r}.{nearest(family, FAMILIES)} They are {', '.join(FAMILIES)}."
        )
    for name in [family] if family else FAMILIES:
        rows = {written(formula): "; ".join(each.row() for each in equations(formula)) for formula in members(name)}
        output.formulas(name, rows)
