"""Progress of the passes over data larger than memory: a live bar in a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Any

from chainrule.training.progress import Live


class Passes(Live):
    """Shows which pass over some data goes on, how far it is, and how long each took; nothing if it is not wanted."""

    def __init__(self, wanted: bool, name: str):
        super().__init__(wanted, _bar)
        self.wanted, self.name = wanted, name
        self.doing, self.began = "", 0.0

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        if not any(error):
            self._end()

    def share(self, doing: str) -> Callable[[float], None]:
        """What is told the share of a pass that is done."""
        self._end()
        self.doing, self.began = doing, time.perf_counter()
        if not self.bar:
            return lambda share: None
        for task in self.bar.task_ids:
            self.bar.remove_task(task)
        task = self.bar.add_task(f"{self.name} is {doing}", total=1.0)
        return lambda share: self.bar.update(task, completed=share)

    def say(self, line: str) -> None:
        """A line of its own."""
        self._end()
        if self.wanted:
            print(line, flush=True)

    def _end(self) -> None:
        if self.doing and self.wanted:
            print(f"{self.name}: {self.doing} in {time.perf_counter() - self.began:.1f} s", flush=True)
        self.doing = ""


def _bar() -> Any:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TimeRemainingColumn(compact=True))
    return Progress(*columns, expand=True, transient=True)
