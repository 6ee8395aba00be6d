"""What happened in training, epoch by epoch."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Row = dict[str, float]
Stopped = Literal["epochs", "early stopping", "callback", "interrupted", "diverged", "time"]


@dataclass
class History:
    """The costs and metrics of each epoch, as rows of a table.

    `cost` is the mean over the epoch's batches, regulariser included, as training saw them; columns that begin with
    `validation_` are measured at the end of the epoch.

    Attributes:
        rows: a dictionary for each epoch; `epoch` counts from 1.
        best_epoch: the epoch whose parameters were kept; None for those of the last.
        stopped: why training ended: "epochs", "early stopping", "callback", "interrupted", "diverged", or "time", which
            was over.
        seconds: how long training took, compilation included.

    >>> history = History([{"epoch": 1, "cost": 0.5}, {"epoch": 2, "cost": 0.25}])
    >>> history["cost"]
    [0.5, 0.25]
    >>> print(history.to_csv(), end="")
    epoch,cost
    1,0.5
    2,0.25
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int | None = None
    stopped: Stopped = "epochs"
    seconds: float = field(default=0.0, compare=False)

    @property
    def columns(self) -> list[str]:
        """The names of what was measured, `epoch` first."""
        return list(self.rows[0]) if self.rows else ["epoch", "cost"]

    @property
    def watched(self) -> list[float]:
        """The validation cost of each epoch, or the cost where nothing validates."""
        return self["validation_cost" if "validation_cost" in self.columns else "cost"]

    @property
    def lowest_epoch(self) -> int:
        """The epoch whose watched cost is lowest."""
        return min(range(len(self)), key=self.watched.__getitem__) + 1

    @property
    def improving(self) -> bool:
        """Whether the epochs ended while the watched cost still fell: by a hundredth or more in their last tenth."""
        last = max(len(self) // 10, 1)
        before, after = self.watched[:-last], self.watched[-last:]
        return self.stopped == "epochs" and bool(before) and min(after) < min(before) - 0.01 * abs(min(before))

    @property
    def worsened(self) -> bool:
        """Whether the last epoch's parameters were kept though its validation cost is a twentieth above the lowest."""
        if self.best_epoch or "validation_cost" not in self.columns:
            return False
        lowest = min(self.watched)
        return self.watched[-1] > lowest + 0.05 * abs(lowest)

    def __getitem__(self, column: str) -> list[float]:
        """One column's values, an entry for each epoch."""
        return [row[column] for row in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def to_csv(self) -> str:
        """The table as comma-separated text, every digit kept."""
        lines = [self.columns, *([repr(row[column]) for column in self.columns] for row in self.rows)]
        return "".join(",".join(line) + "\n" for line in lines)
