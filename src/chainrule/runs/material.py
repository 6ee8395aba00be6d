"""What a run trains on: data in memory or streamed, divided and prepared by all that is said of them."""

import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from chainrule.costs import Cost
from chainrule.data.guesses import Task
from chainrule.data.schema import Missing
from chainrule.data.table import Table
from chainrule.errors import ChainruleError
from chainrule.runs.parts import read_as_text, source_of, table_of
from chainrule.runs.preparing import Prepared, in_memory
from chainrule.runs.streaming import streamed

Names = str | Iterable[str]
Part = float | str | os.PathLike | Any | None
"""A fraction of the rows, or a source of its own."""


class Material(NamedTuple):
    """Data that can be trained on.

    Attributes:
        source: where they come from, as the user named it.
        said: what the user said of them, by argument.
        prepared: their parts as arrays.
        stream: whether they are read block after block.
    """

    source: str
    said: dict[str, Any]
    prepared: Prepared
    stream: bool


def material(
    data: Any,
    *,
    target: Names | None = None,
    task: Task | None = None,
    drop: Names = (),
    text: Names = (),
    words: Names = (),
    characters: Names = (),
    day_first: Names = (),
    month_first: Names = (),
    missing: Missing = None,
    order_by: str | None = None,
    group: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    header: bool | None = None,
    blank: Names | None = None,
    size: int | tuple[int, int] | str | None = None,
    test: Part = None,
    validation: Part = None,
    seed: int = 0,
    cost: Cost | None = None,
    stream: bool = False,
    progress: bool = False,
) -> Material:
    """Read data, divide and prepare them: arguments are those of `plan`, and the cost that is said."""
    reading = {"separator": separator, "decimal": decimal, "header": header, "blank": _list(blank or ()), "size": size}
    reading = {name: value for name, value in reading.items() if value not in (None, [])}
    for_values = task is None and cost is not None and not cost.targets.have_classes
    task = "regression" if for_values else task
    columns = {
        "target": None if target is None else _list(target),
        "task": task,
        "drop": _list(drop),
        "text": _list(text),
        "words": _list(words),
        "characters": _list(characters),
        "day_first": _list(day_first),
        "month_first": _list(month_first),
        "order_by": order_by,
        "group": group,
        "missing": missing,
    }
    said = columns | {"test": _said(test), "validation": _said(validation)} | reading
    given = {"test": test, "validation": validation, "seed": seed, "reading": reading, "cost": cost, **columns}
    try:
        prepared = streamed(data, **given, progress=progress) if stream else in_memory(data, **given)
    except ChainruleError as error:
        if for_values and "task" in error.choices:  # by which the cost could not be
            raise ChainruleError(f"{error.message}, or choose a cost for classes in the place of {cost!r}.") from None
        raise
    return Material(source_of(data), said, prepared, stream)


def in_table(
    data: Any,
    text: Names = (),
    words: Names = (),
    characters: Names = (),
    drop: Names = (),
    group: str | None = None,
    order_by: str | None = None,
    **reading: Any,
) -> Table:
    """Data as the table that `material` would read, which can be divided several times."""
    columns = read_as_text(_list(text), _list(words), _list(characters), _list(drop), group, order_by=order_by)
    return table_of(data, columns, **reading)


def _list(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _said(part: Part) -> float | str | None:
    """A part as a record has it."""
    return part if part is None or isinstance(part, int | float) else source_of(part)
