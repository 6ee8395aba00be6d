"""A comparison's folder while it is carried out: what it is of, and each trial as soon as there is one."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Any

from chainrule.data.files import known_path, lock, reason, write_whole
from chainrule.errors import ArgumentError, ChainruleError
from chainrule.runs.comparison.trial import Trial
from chainrule.runs.saving import toml

RECORD, TRIALS = "compare.toml", "trials.jsonl"
SEEDS = "seeds"  # of which there may be more each time


class Journal:
    """The trials that are kept in a folder, a line each, so that a comparison goes on where it stood.

    A line that was cut off is forgotten. Other seeds may come to what is there, and nothing else.

    Args:
        folder: where; it is made.
        record: what is compared, as sections of plain values; `versions` and `command` may change.

    Raises:
        ChainruleError: where another comparison is there, or anything else, or it can't be written.
    """

    def __init__(self, folder: str | os.PathLike, record: Mapping[str, Any]):
        self.folder = known_path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            known = self._known()
            if known is not None and (other := _difference(known, record)):
                raise ArgumentError(f"{{}} holds another comparison: {other}. Name another folder by {{out}}.", folder)
            if known is None and any(self.folder.iterdir()):
                raise ArgumentError("{} is not empty, and holds no comparison. Name another by {out}.", folder)
            with ExitStack() as unless_mine:
                self.file = unless_mine.enter_context(FileIO(self.folder / TRIALS, "a+"))
                if lock(self.file.fileno()) is False:
                    raise ArgumentError("{} is being written by another comparison. Name another by {out}.", folder)
                self.trials = self._read()
                write_whole(self.folder / RECORD, text(record))
                unless_mine.pop_all()
        except OSError as error:
            raise ArgumentError("Can't write {}: {}. Name another folder by {out}.", folder, reason(error)) from None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: Any) -> None:
        self.file.close()

    def add(self, trials: Iterable[Trial]) -> None:
        """Keep trials, before anything else happens."""
        self.file.write("".join(f"{trial.to_json()}\n" for trial in trials).encode())
        os.fsync(self.file.fileno())

    def _known(self) -> dict[str, Any] | None:
        return read(self.folder) if (self.folder / RECORD).exists() else None

    def _read(self) -> list[Trial]:
        """The trials of whole lines; what is behind them is cut off."""
        trials = read_trials(self.folder)
        self.file.truncate((self.folder / TRIALS).read_bytes().rfind(b"\n") + 1)
        return trials


def read_trials(folder: Path) -> list[Trial]:
    """The trials in a folder, of whole lines; none where there is no file of them."""
    place = folder / TRIALS
    try:
        kept = place.read_bytes().rpartition(b"\n")[0] if place.exists() else b""
        return [Trial.from_json(line) for line in kept.decode().splitlines()]
    except (ValueError, TypeError):
        raise ChainruleError(f"{place} is damaged. Remove it to train all again.") from None


def read(folder: str | os.PathLike) -> dict[str, Any]:
    """The record of a comparison. Raises `ChainruleError` where there is none."""
    place = known_path(folder) / RECORD
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChainruleError(f"{folder} holds no comparison: {RECORD}: {reason(error)}.") from None
    except ValueError:
        raise ChainruleError(f"{place} is damaged. Compare again.") from None


def text(record: Mapping[str, Any]) -> str:
    """A record as TOML: sections of plain values, and before them what belongs to none."""
    first = {name: value for name, value in record.items() if not isinstance(value, Mapping)}
    sections = ((name, value) for name, value in record.items() if isinstance(value, Mapping))
    return toml(first) + "".join(f"\n[{name}]\n{toml(section)}" for name, section in sections)


def _difference(known: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """What of a comparison is not as it was, in words; empty where it is the same."""
    for section in dict.fromkeys([*known, *record]):
        if section in ("command", "versions"):
            continue
        was, now = (dict(each.get(section) or {}) for each in (known, record))
        for name in dict.fromkeys([*was, *now]):
            if name != SEEDS and _plain(was.get(name)) != _plain(now.get(name)):
                return f"its {name} is {_said(was.get(name))}, not {_said(now.get(name))}"
    return ""


def _plain(value: Any) -> Any:
    """As TOML gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "not said" if value is None else str(value)
