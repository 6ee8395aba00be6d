"""From data to prepared parts, all of them in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chainrule.costs import Cost
from chainrule.data.columns import Number
from chainrule.data.loaders import Loader, Whole
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Found, Table
from chainrule.errors import warn
from chainrule.model.targets import check_cells
from chainrule.runs.parts import divide
from chainrule.runs.seen import seen_before


@dataclass(frozen=True)
class Prepared:
    """A data set's parts as arrays, and how they were chosen.

    Attributes:
        preprocessor: how rows become arrays.
        parts: the inputs and targets of each part: train, and validation and test where there are any.
        chosen: how the rows are divided, enough to divide them so again.
        found: how the files of the parts were read.
    """

    preprocessor: Preprocessor
    parts: dict[str, Loader]
    chosen: dict[str, Any]
    found: tuple[Found, ...]


def in_memory(data: Any, *, test: Any, validation: Any, cost: Cost | None = None, **choices: Any) -> Prepared:
    """Read data, divide their rows, and prepare them; arguments are those of `divide`, and the cost that is said."""
    divided = divide(data, test=test, validation=validation, **choices)
    preprocessor = measured_for(cost, Preprocessor.fit(divided.parts["train"], divided.schema))
    for part in divided.parts.values():
        check_cells(part, preprocessor, cost)
    prepared: dict[str, Loader] = {
        name: Whole((preprocessor.inputs(part), preprocessor.targets(part))) for name, part in divided.parts.items()
    }
    _say_seen(divided.parts, prepared, {"validation": validation, "test": test})
    return Prepared(preprocessor, prepared, divided.chosen, tuple(part.found for part in divided.parts.values()))


def measured_for(cost: Cost | None, preprocessor: Preprocessor) -> Preprocessor:
    """What standardises the values to predict, unless a cost needs them within bounds."""
    if cost is None or not cost.targets.bounded:
        return preprocessor
    least, most, *_ = cost.targets
    predicted = (
        column.measured_from(least, most) if isinstance(column, Number) else column for column in preprocessor.predicted
    )
    return replace(preprocessor, predicted=(*predicted,))


def _say_seen(parts: Mapping[str, Table], prepared: Mapping[str, Loader], sources: Mapping[str, Any]) -> None:
    """Warn of parts from sources of their own that hold rows of the parts before them."""
    for name, source in sources.items():
        part = parts.get(name)
        if part is not None and not isinstance(source, int | float | None) and (seen := seen_before(prepared, name)):
            warn(f"{part.name}: {seen:,} of its {part.rows:,} rows are seen in training too: take them out to be fair.")
