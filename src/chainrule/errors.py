"""The one kind of error that Chainrule raises about what it was given: a sentence with the remedy; and its warnings."""

import difflib
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from string import Formatter
from typing import Any

LONGEST = 1000  # characters of a message
PIECE, FORMULA = 60, 80  # of a cell or a name in it, and of a formula's notation

INSTEAD = {"day_first": ["month_first"]}
"""The choices of which people know alone which one it is, by the one that is proposed."""

QUOTED = re.compile(r"""(--[\w-]+ )?(?<!\w)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?!\w)""")
"""A piece in quotes, with the option before it whose value it is; an apostrophe begins none."""


class ChainruleError(ValueError):
    """Who, what was expected, what came, and the remedy, in one line.

    A command prints it without a traceback and exits with 2.

    Attributes:
        message: what is wrong, and what mends the data.
        choices: arguments that mend it instead, by name. Their words end the sentence; a command gives its options.

    >>> raise ChainruleError("people: blank cells in age (2). Fill them", missing="median")
    Traceback (most recent call last):
    chainrule.errors.ChainruleError: people: blank cells in age (2). Fill them, or choose missing='median'.
    """

    def __init__(self, message: str, **choices: Any):
        self.message, self.choices = one_line(message), choices
        said = ", ".join(
            " or ".join(f"{each}={value!r}" for each in (name, *INSTEAD.get(name, ())))
            for name, value in choices.items()
        )
        super().__init__(f"{self.message}, or choose {said}." if choices else self.message)

    @property
    def problem(self) -> str:
        """What is wrong, without its last sentence, which says what mends it."""
        return self.message.rpartition(". ")[0] or self.message


class ArgumentError(ChainruleError):
    """What is wrong with arguments, told by their names; a command tells it by the names of its options.

    Attributes:
        sentence: with the names of arguments in braces, and {} for each value.
        values: for the braces without a name.

    >>> error = ArgumentError("{batch_size} must be a whole number, got {}.", "ten")
    >>> print(error, error.naming(str.upper))
    batch_size must be a whole number, got ten. BATCH_SIZE must be a whole number, got ten.
    """

    def __init__(self, sentence: str, *values: Any):
        self.sentence, self.values = sentence, values
        super().__init__(self.naming(str))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.sentence, *self.values)

    def naming(self, name: Callable[[str], str]) -> str:
        """The sentence, with another name for each argument."""
        names = {argument: name(argument) for _, argument, _, _ in Formatter().parse(self.sentence) if argument}
        return one_line(self.sentence.format(*self.values, **names))


class DivergedError(ChainruleError):
    """The cost stopped being finite; `model` holds the last good parameters.

    Attributes:
        model: the `Model` as it stood after the last epoch whose costs were all finite.
    """

    def __init__(self, message: str, model: Any = None):
        super().__init__(message)
        self.model = model


def one_line(message: str) -> str:
    r"""A message that fits a line, whatever cells and names are in it.

    What can't be printed is escaped; what is quoted is cut in its middle, as is the whole if it is still too long.
    The value of an option stays, since people copy it.

    >>> one_line("column 'a\tb' of\n\x1b[31mred.csv")
    "column 'a\\tb' of\\n\\x1b[31mred.csv"
    >>> one_line(f"expected a number, got {'x' * 500!r}")
    "expected a number, got 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    return cut(QUOTED.sub(_shortened, printable(message)), LONGEST)


def printable(text: str) -> str:
    r"""A text in which what can't be printed is escaped, as Python's `repr` does: control characters, odd bytes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def readable(text: str, backslash: str = "\\") -> str:
    """A text that UTF-8 can hold: bytes of a file's name that are no UTF-8 are escaped."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"{backslash}x{ord(byte[0]) - 0xDC00:02x}", text)


def cut(text: str, most: int = PIECE) -> str:
    """A text of at most so many characters: its beginning and its end.

    >>> cut("photograph-of-a-rose.png", 13)
    'photog…se.png'
    """
    left = most // 2
    return text if len(text) <= most else f"{text[:left]}…{text[len(text) - (most - left - 1) :]}"


def counted(count: int, one: str, many: str) -> str:
    """A number of things, in words.

    >>> counted(1, "row is", "rows are"), counted(1200, "row is", "rows are")
    ('1 row is', '1,200 rows are')
    """
    return f"{count:,} {one if count == 1 else many}"


def nearest(name: str, known: Iterable[str]) -> str:
    """The question "Did you mean …?" for a misspelt name; empty where nothing is near."""
    return did_you_mean([name], known)


def did_you_mean(names: Iterable[str], known: Iterable[str]) -> str:
    """The same question for several names.

    >>> did_you_mean(["widht", "AGE", "xyz"], ["width", "age"])
    ' Did you mean width, age?'
    """
    spelt = {each.lower(): each for each in known}
    close = [difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.6) for name in names]
    found = list(dict.fromkeys(spelt[each[0]] for each in close if each))
    return f" Did you mean {', '.join(found)}?" if found else ""


def _shortened(quoted: re.Match) -> str:
    most = FORMULA if quoted[0][0] == '"' else PIECE
    return quoted[0] if quoted[1] else cut(quoted[0], most + 2)


def warn(message: str) -> None:
    """Warn of what was given, at the line that called Chainrule: Python says it once there."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(one_line(message), stacklevel=level)
