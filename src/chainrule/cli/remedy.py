"""What mends an error, in the words of the command line."""

import shlex
from collections.abc import Iterable

from chainrule.cli.words import option, options_of
from chainrule.errors import INSTEAD, ArgumentError, ChainruleError

READING = {"separator", "decimal", "header", "blank"}  # choices that every command of data takes


def mended(error: ChainruleError, arguments: list[str]) -> str:
    """An error's sentence: where choices mend it, with the whole command that makes them, to be copied into a shell.

    >>> error = ChainruleError("d.csv: column 'Release Date' is blank throughout. Fill it", drop=["Release Date"])
    >>> mended(error, ["train", "d.csv"])
    "d.csv: column 'Release Date' is blank throughout. Fill it, or run: chainrule train d.csv --drop 'Release Date'"
    >>> mended(error, ["predict", "runs/d", "d.csv"])
    "d.csv: column 'Release Date' is blank throughout. Fill it, or train with --drop 'Release Date'."
    >>> mended(ArgumentError("{order_by} has no meaning here."), ["train", "d.csv"])
    '--order-by has no meaning here.'
    """
    if isinstance(error, ArgumentError):
        return error.naming(option)
    if not error.choices:
        return str(error)
    instead = [
        word
        for name, value in error.choices.items()
        for other in INSTEAD.get(name, ())
        for word in options_of(other, value)
    ]
    message = f"{error.message}, or choose {shlex.join(instead)}" if instead else error.message
    options = [word for name, value in error.choices.items() for word in options_of(name, value)]
    if arguments[:1] not in (["train"], ["compare"]) and not READING.issuperset(error.choices):
        return f"{message}, or train with {shlex.join(options)}."
    once = [option(name) for name, value in error.choices.items() if not isinstance(value, list)]
    return f"{message}, or run: {shlex.join(['chainrule', *_without(once, arguments), *options])}"


def _without(options: Iterable[str], arguments: list[str]) -> list[str]:
    """A command's words without options that are given anew, and their values."""
    kept, skip = [], False
    for word in arguments:
        if skip or word in options:
            skip = not skip
        elif word.split("=")[0] not in options:
            kept.append(word)
    return kept
