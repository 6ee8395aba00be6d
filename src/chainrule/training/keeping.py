"""Keeping a training in files while it goes on: where, how often, and in a thread of its own."""

import math
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.data.files import known_path, reason, write_whole
from chainrule.errors import ArgumentError, ChainruleError, DivergedError, warn
from chainrule.training.checkpoint import Checkpoint

NAME = "checkpoint-{}.safetensors"  # with the number of the step that it stands behind
NUMBERED = re.compile(r"checkpoint-(\d+)\.safetensors", re.ASCII)
KEPT = 2  # the one before is there where the last is damaged
WRITTEN = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]*)")
UNITS = {
    **{unit: ("seconds", seconds) for unit, seconds in {"s": 1, "m": 60, "h": 3600}.items()},
    **dict.fromkeys(("", "epoch", "epochs"), ("epochs", 1)),
    **dict.fromkeys(("step", "steps"), ("steps", 1)),
}


class Interval(NamedTuple):
    """How far one checkpoint is from the next."""

    amount: float
    unit: str

    @classmethod
    def of(cls, every: Any, name: str = "Checkpoints: every must be") -> "Interval":
        """What a user says; `name` begins the sentence that refuses it.

        >>> Interval.of("10m"), Interval.of("1000 steps")
        (Interval(amount=600.0, unit='seconds'), Interval(amount=1000.0, unit='steps'))
        """
        found = WRITTEN.fullmatch(str(every))
        unit, size = UNITS.get(found[2] if found else "none", ("none", 0))
        amount = float(found[1]) * size if found else 0.0
        if amount > 0 and (unit == "seconds" or amount.is_integer()):
            return cls(amount, unit)
        raise ArgumentError(
            f'{name} a time such as "10m", a number of epochs such as 5, or of steps such as "1000 steps", got {{!r}}.',
            every,
        )


@dataclass(frozen=True)
class Checkpoints:
    """Where a training is kept while it goes on, and how often: the last two checkpoints.

    Attributes:
        folder: where the files are.
        every: a time such as "10m" ("90s", "1h"), a number of epochs such as 5, or of steps such as "1000 steps"; it
            is looked at a few times a second.
        at_end: whether to keep the end of a training too; what is interrupted is kept in any case.

    Raises:
        ChainruleError: where `every` is something else.

    >>> import numpy as np
    >>> from tempfile import TemporaryDirectory
    >>> from chainrule import fit
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> with TemporaryDirectory() as folder:
    ...     kept = fit("Dense(1)", x, 2 * x, epochs=4, progress=False, checkpoint=Checkpoints(folder, every=2))
    ...     print(*sorted(os.listdir(folder)))
    ...     resumed = fit("Dense(1)", x, 2 * x, epochs=4, progress=False, resume=folder)
    checkpoint-4.safetensors checkpoint-8.safetensors
    >>> resumed.history == kept.history
    True
    """

    folder: str | os.PathLike
    every: int | str = "1m"
    at_end: bool = True

    def __post_init__(self) -> None:
        known_path(self.folder)
        Interval.of(self.every)

    @property
    def files(self) -> list[Path]:
        """The checkpoints that are there, the last one first."""
        return files(Path(self.folder))


def as_checkpoints(checkpoint: Any) -> Checkpoints | None:
    """Where a training shall be kept, if anywhere, from a folder too."""
    return checkpoint if checkpoint is None or isinstance(checkpoint, Checkpoints) else Checkpoints(checkpoint)


def files(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the last one first."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((path for path in found if is_checkpoint(path.name)), key=_step, reverse=True)


def is_checkpoint(name: str) -> bool:
    """Whether a file of this name is a checkpoint."""
    return NUMBERED.fullmatch(name) is not None


def _step(path: Path) -> int:
    return int(NUMBERED.fullmatch(path.name)[1])  # type: ignore[index]


class Place(NamedTuple):
    """How many steps a training has done, and what gives its networks' checkpoints of then, whenever it is called."""

    done: int
    checkpoints: Callable[[], Sequence[Checkpoint]]


class Keeper:
    """Writes checkpoints of a training when they are due, in a thread: the training does not wait for them.

    Where one can't be written the training goes on, with one warning.

    Args:
        checkpoints: where and how often; None where nothing is to be kept.
        steps: how many an epoch has.
        resumed: the file that the training goes on from, which is one of the last two.
        content: makes the content of a file.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        steps: int,
        resumed: Path | None,
        content: Callable[[Sequence[Checkpoint]], bytes],
    ):
        self.checkpoints, self.steps, self.content = checkpoints, steps, content
        self.kept: list[Path] = []
        self.began, self.due, self.origin = time.monotonic(), math.inf, 0
        self.place: Place | None = None
        self.written: Place | None = None
        self.thread: threading.Thread | None = None
        self.failure: Exception | None = None
        self.warned = False
        if checkpoints is not None:
            self.interval = Interval.of(checkpoints.every)
            self.kept = _begun(checkpoints, resumed)

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        gained = self.place is not None and self.place.done > self.origin
        if kind is not None and gained and not issubclass(kind, DivergedError):  # which would come again
            self.finish(interrupted=True)
        self._wait()

    def reached(self, checkpoints: Callable[[], Sequence[Checkpoint]], epoch: int, step: int) -> None:
        """So many steps of an epoch are done."""
        if self.checkpoints is None:
            return
        first, self.place = self.place is None, Place((epoch - 1) * self.steps + step, checkpoints)
        amount, unit = self.interval
        now = {"seconds": time.monotonic() - self.began, "epochs": epoch - 1, "steps": self.place.done}[unit]
        if now >= self.due and not (self.thread and self.thread.is_alive()):
            self._wait()
            self.thread = threading.Thread(target=self._write, args=[self.place], name="chainrule checkpoint")
            self.thread.start()
        elif first:
            self.origin = self.place.done
        else:
            return
        self.due = (now // amount + 1) * amount

    def finish(self, interrupted: bool = False) -> None:
        """Write the checkpoint of the place that was reached last, if it is to be kept, and wait for it."""
        self._wait()
        if self.checkpoints and (self.checkpoints.at_end or interrupted) and self.place is not self.written:
            self._write(self.place)
            self._wait()

    def _wait(self) -> None:
        """Until nothing is being written; say what went wrong."""
        if self.thread is not None:
            self.thread.join()
            self.thread = None
        if self.failure is not None and not self.warned:
            self.warned = True
            warn(f"fit: there is no new checkpoint: {self.failure}")

    def _write(self, place: Any) -> None:
        folder = Path(self.checkpoints.folder)  # type: ignore[union-attr]
        path = folder / NAME.format(place.done)
        try:
            write_whole(path, self.content(place.checkpoints()))
            self.kept = [*(before for before in self.kept if before != path), path][-KEPT:]
            for other in files(folder):
                if other not in self.kept:
                    other.unlink(missing_ok=True)
            self.written = place
        except Exception as error:  # whatever it is, the training is worth more
            self.failure = error


def _begun(checkpoints: Checkpoints, resumed: Path | None) -> list[Path]:
    """The checkpoints of this training that are in its folder, which is made; refused where another one is kept."""
    found = checkpoints.files
    mine = [file for file in found if resumed is not None and file.samefile(resumed)]
    if found and not mine:
        raise ChainruleError(
            f"fit: {checkpoints.folder} holds {found[0].name} of another training. Go on from it by resume=True, or "
            f"name another folder."
        )
    try:
        Path(checkpoints.folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"{checkpoints.folder} for checkpoints: {reason(error)}"
        raise ChainruleError(f"fit: can't make the folder {why}.") from None
    return mine
