"""Everything about one training, as files, and where they are saved."""

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.files import reason
from chainrule.data.loaders import Loader
from chainrule.errors import ArgumentError, ChainruleError, readable
from chainrule.metrics import ConfusionMatrix
from chainrule.model import Model
from chainrule.model.examples import take
from chainrule.model.file import FILE, to_bytes
from chainrule.model.history import History
from chainrule.notation.choices import BatchSize
from chainrule.pictures import results as pictures
from chainrule.runs import card, seen
from chainrule.runs.folder import REMEDY, Folder, claim
from chainrule.runs.parts import USUAL
from chainrule.runs.planning import Plan

Files = dict[str, Callable[[], bytes | str]]
Figures = dict[str, dict[str, float]]
Command = Callable[[dict[str, dict[str, Any]]], str]
"""Gives the words that repeat a run, from the sections of its record."""

RECORD = "run.toml"
SHOWN = 20_000  # predictions, of which a picture shows no more
FIRST = (FILE, RECORD, "history.csv", seen.FILE)  # without which there is no run
ESCAPED = r"\\"  # a backslash in a text of TOML


def run_files(
    plan: Plan,
    model: Model,
    measure: Callable[[], Figures],
    note: Callable[[str], None],
    command: Command | None = None,
) -> Files:
    """The content of a run's files by name, each made when it is asked for; what is worth most comes first.

    Args:
        plan: what was planned.
        model: what was trained.
        measure: called, gives the cost and metrics of each part.
        note: told what had to be left out.
        command: words for the record.
    """
    shown = next(plan.prepared[name] for name in ("test", "validation", "train") if name in plan.prepared)
    seconds = round(model.history.seconds, 3)

    def figures():
        return measure() | {"epochs": len(model.history), "seconds": seconds}

    return {
        FILE: lambda: _model(model, note),
        RECORD: lambda: record(plan, model.training["batch_size"], command),
        seen.FILE: lambda: seen.record(plan.prepared),
        "history.csv": lambda: model.history.to_csv(),
        "metrics.json": lambda: json.dumps(figures(), indent=2) + "\n",
        card.CONFIG: lambda: card.config(plan),
        card.CARD: lambda: card.card(plan, measure()),
        **_pictures(model, shown),
    }


def check_room(folder: Folder, parameters: int) -> None:
    """Refuse a disk that has no room for a network of so many parameters, before the training rather than after it."""
    needed, free = 4 * parameters, shutil.disk_usage(folder.place).free
    if free < needed:
        raise ArgumentError(
            f"Can't write {{}}: {needed:,} bytes are needed, and {free:,} are free. {REMEDY}.", folder.name
        )


def begin(folder: Folder, record: str) -> None:
    """Write the record, by which a run can be repeated if it is cut off."""
    try:
        folder.write(RECORD, record)
    except OSError as error:
        raise ArgumentError(f"Can't write {{}}: {{}}. {REMEDY}.", folder.name, reason(error)) from None


def save_run(folder: Folder, files: Files, note: Callable[[str], None], complete: bool = True) -> Path:
    """Write a run's files into its folder, or, where that fails, elsewhere; what takes time comes once it is whole.

    `note` is told what could not be made or written, which does not cost the rest. A run that is not complete stays
    one that can be resumed.

    Raises:
        ChainruleError: where the folder can't be written; it names the place where the run is instead.
    """
    first = dict(_made({name: make for name, make in files.items() if name in FIRST}, note))
    why = ""
    try:
        _write(folder, first)
    except OSError as error:
        why = f"Can't write {folder.name}: {reason(error)}."
        with folder:
            folder.clear()
            other = _elsewhere(f"chainrule-{folder.path.name}", first, why)
            if complete:
                folder.complete()
        folder = other
    with folder:
        for name, content in _made({name: make for name, make in files.items() if name not in FIRST}, note):
            try:
                folder.write(name, content)
            except OSError as error:
                note(f"{name} can't be written: {reason(error)}")
        if complete:
            folder.complete()
    if why:
        raise ChainruleError(f"{why} All of it is in {folder.name} instead.")
    return folder.name


def _write(folder: Folder, content: dict[str, bytes | str]) -> None:
    for name, data in content.items():
        folder.write(name, data)
    folder.finish()


def _elsewhere(name: str, content: dict[str, bytes | str], why: str) -> Folder:
    """A run in a folder of the user's that is not the one that was wanted."""
    for place in (tempfile.gettempdir(), os.path.expanduser("~")):
        with suppress(OSError, ChainruleError):
            folder = claim(Path(place, name), counted=True)
            try:
                _write(folder, content)
                return folder
            except OSError:
                folder.release()
    raise ChainruleError(f"{why} Nothing was written.")


def _model(model: Model, note: Callable[[str], None]) -> bytes:
    try:
        return to_bytes(model)
    except ChainruleError as error:  # such as one of more epochs than a model's file can list
        note(f"{FILE} is without the history. {error}")
        return to_bytes(replace(model, history=History(stopped=model.history.stopped)))


def _made(files: Files, note: Callable[[str], None]) -> Iterator[tuple[str, bytes | str]]:
    """The content of files; one that can't be made is noted, and does not cost the others."""
    for name, make in files.items():
        try:
            yield name, make()
        except Exception as error:
            if name == FILE:
                raise
            note(f"{name} can't be made: {error}")


def _pictures(model: Model, part: Loader) -> Files:
    """How training went, and how the predictions for a part compare with what was expected."""
    preprocessor, classes = model.preprocessor, model.classes
    if preprocessor is None or not len(model.history):  # interrupted within the first epoch
        return {}
    if classes is None:
        x, y = _some(part)
        expected, targets = preprocessor.restore(y), preprocessor.schema.targets

        def predicted():
            return preprocessor.restore(model.cost.estimate(model.outputs(x)))

        last = {"predictions.png": lambda: pictures.predictions(predicted(), expected, targets)}
    else:
        matrix = ConfusionMatrix()

        def confusion():
            return pictures.confusion(model.evaluate(part, metrics=[matrix])[matrix.label()], classes)

        last = {"confusion.png": confusion}
    return {"curves.png": lambda: pictures.curves(model.history), **last}


def _some(part: Loader) -> Any:
    """As many examples as a picture shows, evenly from the first parts that have them: those of a stream are random."""
    count = int(np.searchsorted(np.cumsum(part.rows), SHOWN)) + 1
    found = [part.part(index)[:2] for index in range(min(count, len(part.rows)))]
    x, y = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
    return take((x, y), np.arange(0, len(y), -(-len(y) // SHOWN)))


def record(plan: Plan, batch_size: BatchSize, command: Command | None) -> str:
    """Every choice of a run as TOML, and the words that repeat it bit for bit."""
    used = plan.chosen
    parts = {name: used[name] or None if plan.said[name] is None else plan.said[name] for name in USUAL}
    sections = {
        "formulas": {
            "network": repr(plan.network),
            "cost": repr(plan.cost),
            "optimizer": repr(plan.optimizer),
            "regularizer": plan.regularizer and repr(plan.regularizer),
            "early_stopping": plan.early_stopping and repr(plan.early_stopping),
            "metric": [repr(metric) for metric in plan.followed],
        },
        "data": {
            "source": plan.source,
            "rows": used["rows"],
            **plan.said,
            **parts,
            "balanced": plan.balanced,
            "stream": plan.stream or None,
        },
        "training": {
            "epochs": plan.epochs,
            "batch_size": batch_size,
            "seed": plan.seed,
            "devices": len(plan.devices) if len(plan.devices) > 1 else None,
            "minutes": plan.minutes,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("chainrule", "jax", "numpy")},
        },
    }
    return toml({"command": command and command(sections)}) + "".join(
        f"\n[{name}]\n{toml(sections[name])}" for name in sections
    )


def toml(values: Mapping[str, Any]) -> str:
    """Lines of TOML for plain values; None is left out. JSON's texts, numbers and lists are TOML's too."""
    plain = {key: json.dumps(value, ensure_ascii=False) for key, value in values.items() if value is not None}
    return "".join(f"{_key(key)} = {readable(text, ESCAPED)}\n" for key, text in plain.items())


def _key(name: str) -> str:
    """A key of TOML, in quotes where it has other letters than those of a name."""
    return name if name.isascii() and name.isidentifier() else json.dumps(name)
