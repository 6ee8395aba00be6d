"""The library's arguments as the words of a command line."""

import re
import shlex
from typing import Any

from chainrule.errors import readable


def option(name: str) -> str:
    """The option of an argument of the library.

    >>> option("batch_size")
    '--batch-size'
    """
    return f"--{name.replace('_', '-')}"


def options_of(name: str, value: Any) -> list[str]:
    """An argument of the library as options: the same name, once for each of several values.

    >>> options_of("batch_size", 32), options_of("drop", ["a", "b"]), options_of("header", False)
    (['--batch-size', '32'], ['--drop', 'a', '--drop', 'b'], ['--no-header'])
    """
    if isinstance(value, bool):
        return [option(name if value else f"no_{name}")]
    values = value if isinstance(value, list) else [value]
    return [word for each in values for word in (option(name), str(each))]


def command(record: dict[str, dict[str, Any]]) -> str:
    """The command that repeats a run bit for bit, from the sections of its record."""
    choices = record["formulas"] | record["data"] | record["training"]
    source, balanced = choices.pop("source"), choices.pop("balanced")
    del choices["rows"]
    words = ["chainrule", "train", source, *(["--balanced"] if balanced else [])]
    for name, value in choices.items():
        words += [] if value is None else options_of(name, value)
    return " ".join(map(quoted, words))


def quoted(word: str) -> str:
    r"""A word for the shell; bytes of a file's name that are no UTF-8 as the shells' $'…' has them.

    >>> import os
    >>> print(quoted("it's"), quoted(os.fsdecode(b"caf\xe9.csv")))
    'it'"'"'s' $'caf\xe9.csv'
    """
    if word == readable(word):
        return shlex.quote(word)
    return "$'" + readable(re.sub(r"[\\']", r"\\\g<0>", word)) + "'"
