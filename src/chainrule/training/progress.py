"""Progress of a training for people: a live bar in a terminal, plain lines elsewhere."""

import sys
import time
from typing import Any

from chainrule.history import Row

LINES = 10  # about as many plain lines a training


class Progress:
    """Shows epoch, cost, metrics, speed and time left; shows nothing if it is not wanted."""

    def __init__(self, wanted: bool, epochs: int, steps: int, rows: int):
        self.epochs, self.steps, self.rows = epochs, steps, rows
        self.first, self.began = 0, time.perf_counter()
        self.bar: Any = None
        self.lines = wanted and not sys.stdout.isatty()
        if wanted and sys.stdout.isatty():
            self.bar, self.task = _bar(epochs * steps)

    def __enter__(self) -> "Progress":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, epoch: int, step: int) -> None:
        """Within an epoch, after its step-th step."""
        done = (epoch - 1) * self.steps + step
        if not self.first:  # what comes before is compilation
            self.first, self.began = done, time.perf_counter()
        if self.bar:
            self.bar.update(self.task, completed=done, epoch=f"{epoch}/{self.epochs}", speed=self._speed(done))

    def epoch(self, row: Row) -> None:
        """At the end of an epoch."""
        epoch = int(row["epoch"])
        figures = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items() if name != "epoch")
        if self.bar:
            self.bar.update(self.task, figures=figures)
        elif self.lines and (epoch in (1, self.epochs) or epoch % -(-self.epochs // LINES) == 0):
            speed = self._speed(epoch * self.steps)
            print(f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}  {figures}  {speed}".rstrip(), flush=True)
        if epoch == 1:  # and so is the first look at the validation data
            self.first, self.began = self.steps, time.perf_counter()

    def _speed(self, steps: int) -> str:
        seconds = time.perf_counter() - self.began
        examples = (steps - self.first) / self.steps * self.rows
        return f"{examples / seconds:,.0f} examples/s" if examples and seconds else ""


def _bar(total: int) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    whole = lambda: Column(no_wrap=True)  # noqa: E731
    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}", table_column=whole()),
        BarColumn(bar_width=16, table_column=whole()),
        TimeRemainingColumn(compact=True, table_column=whole()),
        TextColumn("[dim]{task.fields[speed]}", table_column=whole()),
        TextColumn("{task.fields[figures]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        console=Console(),
        expand=True,
    )
    return bar, bar.add_task("training", total=total, epoch="", figures="", speed="")
