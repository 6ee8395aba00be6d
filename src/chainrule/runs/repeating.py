"""A run's plan again, from the record that is in its folder."""

import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax

from chainrule.data.named import NAMED
from chainrule.errors import ChainruleError
from chainrule.runs.folder import Folder
from chainrule.runs.parts import TABLE
from chainrule.runs.planning import Plan, plan
from chainrule.runs.saving import RECORD


class Followed(NamedTuple):
    """The folder of a run that another process leads: this one writes nothing there."""

    name: Path
    place: Path

    @classmethod
    def of(cls, folder: str | os.PathLike) -> Self:
        """A folder by its name."""
        return cls(Path(folder), Path(folder))


def repeated(folder: Folder | Followed, data: Any = None, *, devices: Any = None, progress: bool = False) -> Plan:
    """The plan of a run that was cut off, with every choice as its record has it; the data are read again.

    Args:
        folder: that of the run.
        data: where the data are, if elsewhere.
        devices: what computes, if something else; by default as many devices as before, if there are.
        progress: as in `plan`.

    Raises:
        ChainruleError: where there is no record, or data that can't be read again.
    """
    try:
        record = tomllib.loads((folder.place / RECORD).read_text(encoding="utf-8"))
        choices = {**record["formulas"], **record["data"], **record["training"]}
        source, _, metrics = choices.pop("source"), choices.pop("rows"), choices.pop("metric")
    except (OSError, ValueError, KeyError, TypeError):
        raise ChainruleError(
            f"{folder.name} can't be resumed: its {RECORD} is missing or damaged. Train again."
        ) from None
    if data is None:
        _check_source(folder, source)
    choices["devices"] = devices or min(choices.get("devices", 1), jax.local_device_count())
    choices.setdefault("stream", False)  # what would be chosen now depends on how much memory is free
    return plan(source if data is None else data, metrics=metrics, progress=progress, **choices)


def _check_source(folder: Folder | Followed, source: str) -> None:
    """Refuse data that were there once."""
    there = source in NAMED or Path(source).exists()
    if source == TABLE and not there:
        why = "was trained on a table, which nothing can read again"
    elif not there:
        why = f"was trained on {source}, which is not there any more"
    elif source not in NAMED and not (Path(source).is_file() or Path(source).is_dir()):
        why = f"was trained on what came through {source}, which nothing can read again"
    else:
        return
    raise ChainruleError(f"{folder.name} {why}. Give the same data beside it to resume it.")
