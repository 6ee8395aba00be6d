"""How far a comparison is, for people: a bar in a terminal, plain lines elsewhere."""

import time
from typing import Any

from chainrule.training.observers import EpochEnd
from chainrule.training.progress import Live


class Shown(Live):
    """Shows how many trials are done, and the time that is left; shows nothing if it is not wanted.

    Args:
        wanted: whether to show anything.
        trials: how many there are in all.
        done: how many of them were there before.
        each: how many networks a trial trains.
    """

    def __init__(self, wanted: bool, trials: int, done: int, each: int):
        super().__init__(wanted, _bar)
        self.trials, self.done, self.each, self.within = trials, done, each, 0.0
        self.began = time.perf_counter()
        if self.bar:
            self.task = self.bar.add_task("trials", total=trials, completed=done, done=done, epoch="")

    def epoch(self, end: EpochEnd) -> None:
        """A network has ended an epoch."""
        self.within += 1 / (end.epochs * self.each)
        if self.bar and end.member == 0:
            now = f"epoch {end.row['epoch']}/{end.epochs}"
            self.bar.update(self.task, completed=self.done + self.within, epoch=now)

    def finished(self, trials: int) -> None:
        """So many trials more are done."""
        self.done, self.within = self.done + trials, 0.0
        if self.bar:
            self.bar.update(self.task, completed=self.done, done=self.done, epoch="")
        elif self.lines:
            seconds = time.perf_counter() - self.began
            print(f"trial {self.done:>{len(str(self.trials))}}/{self.trials}  {seconds:.1f} s", flush=True)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("trial {task.fields[done]}/{task.total}"),
        BarColumn(bar_width=None),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[epoch]}"),
        console=Console(),
        expand=True,
    )
