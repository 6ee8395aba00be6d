"""Progress for people, of a training above all: a live bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable
from typing import Any, Self

from chainrule.model.history import Row

LINES = 10  # about as many plain lines a training


class Live:
    """What shows how far some work is: by a bar of Rich's in a terminal, else by lines; not at all if it is not wanted.

    Attributes:
        bar: the bar, if there is one.
        lines: whether to print lines.
    """

    def __init__(self, wanted: bool, bar: Callable[[], Any]):
        in_terminal = sys.stdout.isatty()
        self.bar: Any = bar() if wanted and in_terminal else None
        self.lines = wanted and not in_terminal

    def __enter__(self) -> Self:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self.bar:
            self.bar.stop()


class Progress(Live):
    """Shows epoch, cost, metrics, speed and time left, and that it ends early; shows nothing if it is not wanted."""

    def __init__(
        self,
        wanted: bool,
        epochs: int,
        steps: int,
        rows: int,
        ending: Callable[[], bool] = lambda: False,
        done: int = 0,
    ):
        super().__init__(wanted, lambda: _bar(ending))
        self.epochs, self.steps, self.rows = epochs, steps, rows
        self.begun = self.first = done
        self.began, self.ended = time.perf_counter(), 0
        if self.bar:
            self.task = self.bar.add_task("training", total=epochs * steps, epoch="", figures="", speed="")

    def planned(self, epochs: int) -> None:
        """There will be so many epochs."""
        if epochs != self.epochs:
            self.epochs = epochs
            if self.bar:
                self.bar.update(self.task, total=epochs * self.steps)

    def step(self, epoch: int, step: int) -> None:
        """Within an epoch, after its step-th step."""
        done = (epoch - 1) * self.steps + step
        if self.first == self.begun:  # what comes before is compilation
            self.first, self.began = done, time.perf_counter()
        if self.bar:
            self.bar.update(self.task, completed=done, epoch=f"{epoch}/{self.epochs}", speed=self._speed(done))

    def epoch(self, row: Row) -> None:
        """At the end of an epoch."""
        epoch = int(row["epoch"])
        figures = "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items() if name != "epoch")
        if self.bar:
            self.bar.update(self.task, figures=_paired(row))
        elif self.lines and (epoch in (1, self.epochs) or epoch % -(-self.epochs // LINES) == 0):
            speed = self._speed(epoch * self.steps)
            print(f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}  {figures}  {speed}".rstrip(), flush=True)
        self.ended += 1
        if self.ended == 1:  # and so is the first look at the validation data
            self.first, self.began = epoch * self.steps, time.perf_counter()

    def _speed(self, steps: int) -> str:
        seconds = time.perf_counter() - self.began
        examples = (steps - self.first) / self.steps * self.rows
        return f"{examples / seconds:,.0f} examples/s" if examples and seconds else ""


def _paired(row: Row) -> str:
    """Each figure, and beside it what it is on the validation data."""
    pairs = []
    for name in dict.fromkeys(name.removeprefix("validation_") for name in row if name != "epoch"):
        words = name.replace("_", " ")
        figures = [f"{words} {row[name]:.4g}"] if name in row else []
        if (held := row.get(f"validation_{name}")) is not None:
            figures.append(f"validation {'' if figures else f'{words} '}{held:.4g}")
        pairs.append(", ".join(figures))
    return "   ".join(pairs)


def _bar(ending: Callable[[], bool]) -> Any:
    """A bar, and below it the figures, which a narrow terminal folds rather than cuts."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Bar(Progress):
        def get_renderables(self) -> Any:
            yield self.make_tasks_table(self.tasks)
            yield from (Text(task.fields["figures"]) for task in self.tasks if task.fields["figures"])
            if ending():
                yield Text("finishing: what was trained is kept", "yellow")

    return Bar(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=None),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[speed]}"),
        console=Console(),
        expand=True,
    )
