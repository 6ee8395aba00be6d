"""`chainrule list`: every formula there is."""

from typing import Annotated

import typer

from chainrule.errors import ChainruleError


def list_formulas(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS",
            help="A family (activations, layers, costs, …), or words to look for; all, if none is said.",
        ),
    ] = None,
) -> None:
    """List the formulas of a family, or those that words tell of, one line each: how it is written, and what it is.

    Example: `chainrule list activations`

    Example: `chainrule list smooth rectifier`
    """
    from chainrule.cli import output
    from chainrule.errors import nearest
    from chainrule.notation.families import FAMILIES, kinships
    from chainrule.notation.search import search

    said = " ".join(words or ())
    if said and said not in FAMILIES:
        meant = nearest(said, FAMILIES)
        if meant or not (found := search(said)):
            raise ChainruleError(f"There is no family {said!r}.{meant} They are {', '.join(FAMILIES)}.")
        output.found(said, found)
        return
    for name in [said] if said else FAMILIES:
        output.family(name, kinships(name))
