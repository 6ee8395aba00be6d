"""The one kind of error that Chainrule raises about what it was given: a sentence with the remedy."""

from typing import Any


class ChainruleError(ValueError):
    """Who, what was expected, what came, and the remedy, in one line.

    A command prints it without a traceback and exits with 2.
    """


class DivergedError(ChainruleError):
    """The cost stopped being finite; `model` holds the last good parameters.

    Attributes:
        model: the `Model` as it stood after the last epoch whose costs were all finite.
    """

    def __init__(self, message: str, model: Any = None):
        super().__init__(message)
        self.model = model
