"""What is chosen on the page: plain values with bounds, as a link carries them."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from chainrule.data.points import CLASSES, VALUES
from chainrule.errors import ChainruleError

BOUNDS: dict[str, tuple[float, float]] = {
    "rows": (10, 5000),
    "noise": (0, 2),
    "test": (0.05, 0.8),
    "batch": (1, 5000),
    "epochs": (1, 10**6),
    "seed": (0, 2**32 - 1),
    "pace": (0, 10**6),
}
LONGEST = 2000  # characters of a choice in words
AXES = ("across", "up")
OF_COLUMNS = ("target", "drop", *AXES)
"""The choices that name columns of a table."""


@dataclass(frozen=True)
class Choices:
    """Everything that is chosen on the page.

    Attributes:
        data: the name of points, or of the file that was given.
        rows, noise, curve: of points.
        target, drop: of a table, the column to predict (by default the library's choice) and those to leave out, a
            line each.
        across, up: the inputs that the axes show, by name; by default the first two.
        test: the fraction of the rows that is only measured on.
        network, cost, optimizer, regularizer: in notation; an empty cost or regulariser is none.
        batch: examples a step.
        epochs: the length of schedules.
        seed: of the points, the first values, the shuffles and the noise.
        pace: steps a second at most; 0 for as many as there are.
    """

    data: str = "moons"
    rows: int = 300
    noise: float = 0.1
    curve: str = "sin(2 * x)"
    target: str = ""
    drop: str = ""
    across: str = ""
    up: str = ""
    test: float = 0.3
    network: str = "Dense(6) >> Tanh() >> Dense(4) >> Tanh()"
    cost: str = ""
    optimizer: str = "Adam(0.01)"
    regularizer: str = ""
    batch: int = 16
    epochs: int = 100
    seed: int = 0
    pace: float = 0.0

    @property
    def of_points(self) -> bool:
        """Whether the data are points that the page draws itself, and no file or set."""
        return self.data in CLASSES | VALUES

    def changed(self, changes: Any) -> Self:
        """With some changes. Raises `ChainruleError` for what is no choice, or beyond its bounds."""
        if not isinstance(changes, dict):
            raise ChainruleError("Expected choices by name.")
        kinds: dict[str, Any] = {field.name: type(field.default) for field in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ChainruleError(f"There is no choice {str(name)[:40]!r}. They are {', '.join(kinds)}.")
            _check(name, kinds[name], value)
        others = {name for name, value in changes.items() if value != getattr(self, name)}
        gone = OF_COLUMNS if "data" in others else AXES if others & {"target", "drop"} else ()
        changes = dict.fromkeys(gone, "") | changes  # what named columns of other data, or inputs that were others
        return replace(self, **{name: kinds[name](value) for name, value in changes.items()})

    def plain(self) -> dict[str, Any]:
        """By name, for a link."""
        return asdict(self)


def _check(name: str, kind: type, value: Any) -> None:
    if kind is str:
        if not isinstance(value, str) or len(value) > LONGEST:
            raise ChainruleError(f"{name} must be a text of {LONGEST:,} characters at most.")
        return
    low, high = BOUNDS[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high or (kind is int and value != int(value)):
        what = "a whole number" if kind is int else "a number"
        raise ChainruleError(f"{name} must be {what} from {low:g} to {high:g}, got {str(value)[:40]}.")
