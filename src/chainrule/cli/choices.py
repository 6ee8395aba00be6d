"""What a user says in options, as values; refused before anything is read, by the name of the option."""

from collections.abc import Iterable
from typing import Any, Literal

from chainrule.data.columns import as_number
from chainrule.errors import ChainruleError, nearest
from chainrule.formula.base import Formula, check_single
from chainrule.metrics import Metric
from chainrule.notation import as_formula
from chainrule.notation.choices import as_minutes
from chainrule.notation.families import family
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training.keeping import Interval


def formula(option: str, text: str | None, family: type[Formula]) -> Any:
    """A formula in notation; none where nothing is said."""
    try:
        return None if text is None else single(text, family)
    except ChainruleError as error:
        raise ChainruleError(f"{option}: {error}") from None


def single(text: str, family: type[Formula] = Formula) -> Any:
    """A formula in notation that holds one number in each field."""
    formula = as_formula(text, family)
    check_single(formula, "Give one number.")
    return formula


def figures(option: str, texts: Iterable[str]) -> list[Metric]:
    """Metrics in notation, or by their labels (f1), each a single figure."""
    labelled = {kind().label(): kind.__name__ for kind in family(Metric)}
    metrics = [formula(option, labelled.get(text, text), Metric) for text in texts]
    for metric in metrics:
        if not metric.is_figure:
            raise ChainruleError(f"{option}: {metric!r} is a table, not a figure. A run keeps it as confusion.png.")
    return metrics


def whole(option: str, text: str | None, least: int, most: int) -> Any:
    """A whole number; none where nothing is said."""
    if text is None:
        return None
    number = _whole(text)
    if number is None or not least <= number <= most:
        raise ChainruleError(f"{option} must be a whole number from {least} to {most}, got {text}.")
    return number


def number_or_all(option: str, text: str | None) -> int | Literal["all"] | None:
    """A whole number, or all; none where nothing is said."""
    if text is None:
        return None
    number = _whole(text)
    if text != "all" and (number is None or number < 1):
        raise ChainruleError(f"{option} must be a whole number of 1 or more, or all, got {text}.")
    return "all" if number is None else number


def minutes(option: str, text: str | None) -> float | None:
    """A time; none where nothing is said."""
    number = None if text is None else as_number(text)
    return as_minutes(text if number is None else number, option)


def early_stopping(option: str, text: str | None) -> EarlyStopping | str | None:
    """A number of epochs, a rule in notation, or never; none where nothing is said."""
    if text in (None, "never"):
        return text
    if (number := _whole(text)) is None and "(" in text:
        return formula(option, text, EarlyStopping)
    if number is None or number < 1:
        raise ChainruleError(f"{option} must be a number of epochs, never, or EarlyStopping(…), got {text}.")
    return EarlyStopping(number)


def interval(option: str, text: str | None, usual: str) -> str | None:
    """How far one checkpoint is from the next; none for never."""
    if text == "never":
        return None
    Interval.of(text or usual, f"{option} must be never, or")
    return text or usual


def monitor(option: str, text: str | None) -> Metric | str | None:
    """What early stopping watches: cost, or a metric; none where nothing is said."""
    return text if text in (None, "cost") else figures(option, [text])[0]


def part(text: str | None) -> float | str | None:
    """What makes a part: a fraction, or a file; none where nothing is said."""
    try:
        return text and float(text)
    except ValueError:
        return text


def one_of(option: str, text: str | None, known: Iterable[str]) -> Any:
    """One of some words; none where nothing is said."""
    known = list(known)
    if text is not None and text not in known:
        raise ChainruleError(f"{option} must be {' or '.join(known)}, got {text}.{nearest(text, known)}")
    return text


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
