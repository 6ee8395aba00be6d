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
        self.began = time.perf_counter()
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
        if self.bar:
            done = (epoch - 1) * self.steps + step
            self.bar.update(self.task, completed=done, epoch=f"{epoch}/{self.epochs}", speed=self._speed(done))

    def epoch(self, row: Row) -> None:
        """At the end of an epoch."""
        epoch = int(row["epoch"])
        figures = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items() if name != "epoch")
        if self.bar:
            self.bar.update(self.task, figures=figures)
        elif self.lines and (epoch in (1, self.epochs) or epoch % -(-self.epochs // LINES) == 0):
            speed = self._speed(epoch * self.steps)
            print(f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}  {figures}  {speed}", flush=True)

    def _speed(self, steps: int) -> str:
        seconds = time.perf_counter() - self.began
        return f"{steps / self.steps * self.rows / seconds:,.0f} examples/s"


def _bar(total: int) -> tuple[Any, Any]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[figures]}"),
        TextColumn("[dim]{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    return bar, bar.add_task("training", total=total, epoch="", figures="", speed="")
