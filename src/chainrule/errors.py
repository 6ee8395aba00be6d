"""The one kind of error that Chainrule raises about what it was given: a sentence with the remedy."""

from typing import Any


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
        said = ", ".join(f"{name}={value!r}" for name, value in choices.items())
        super().__init__(f"{message}, or choose {said}." if choices else message)
        self.message, self.choices = message, choices


class DivergedError(ChainruleError):
    """The cost stopped being finite; `model` holds the last good parameters.

    Attributes:
        model: the `Model` as it stood after the last epoch whose costs were all finite.
    """

    def __init__(self, message: str, model: Any = None):
        super().__init__(message)
        self.model = model
