"""Everything about one training, as files, and where they are saved."""

import json
import os
import platform
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chainrule.cli import seen
from chainrule.cli.folder import Folder, claim
from chainrule.cli.output import note
from chainrule.cli.parts import Divided
from chainrule.cli.remedy import options_of
from chainrule.errors import ChainruleError
from chainrule.files import reason
from chainrule.history import History
from chainrule.metrics import ConfusionMatrix
from chainrule.model import Model
from chainrule.pictures import results as pictures
from chainrule.storage import FILE, to_bytes

Files = dict[str, Callable[[], bytes | str]]

FIRST = (FILE, "run.toml", "history.csv", seen.FILE)  # without which there is no run
ESCAPED = r"\\"  # a backslash in a text of TOML


def run_files(
    model: Model,
    divided: Divided,
    prepared: dict[str, tuple[Any, Any]],
    measure: Callable[[], dict[str, dict[str, float]]],
    source: str,
    choices: dict[str, Any],
) -> Files:
    """The content of a run's files by name, each made when it is asked for; what is worth most comes first.

    Args:
        model: what was trained.
        divided: the parts of the data.
        prepared: the same as inputs and targets.
        measure: called, gives the cost and metrics of each part.
        source: where the data came from, as the user named it.
        choices: what the user said of the data, by the names of the options.
    """
    shown = divided.parts.get("test") or divided.parts.get("validation") or divided.parts["train"]
    seconds = round(model.history.seconds, 3)
    figures = lambda: measure() | {"epochs": len(model.history), "seconds": seconds}  # noqa: E731
    return {
        FILE: lambda: _model(model),
        "run.toml": lambda: _record(model, source, choices),
        seen.FILE: lambda: seen.record(prepared),
        "history.csv": lambda: model.history.to_csv(),
        "metrics.json": lambda: json.dumps(figures(), indent=2) + "\n",
        **_pictures(model, shown),
    }


def check_room(folder: Folder, parameters: int) -> None:
    """Refuse a disk that has no room for a network of so many parameters, before the training rather than after it."""
    needed, free = 4 * parameters, shutil.disk_usage(folder.place).free
    if free < needed:
        raise ChainruleError(
            f"Can't write {folder.name}: {needed:,} bytes are needed, and {free:,} are free. "
            f"Name another folder by --out."
        )


def save_run(folder: Folder, files: Files) -> Path:
    """Write a run's files into its folder, or, where that fails, elsewhere; what takes time comes once it is whole.

    Raises:
        ChainruleError: where the folder can't be written; it names the place where the run is instead.
    """
    first = dict(_made({name: make for name, make in files.items() if name in FIRST}))
    why = ""
    try:
        _write(folder, first)
    except OSError as error:
        folder.release()
        why = f"Can't write {folder.name}: {reason(error)}."
        folder = _elsewhere(f"chainrule-{folder.path.name}", first, why)
    with folder:
        for name, content in _made({name: make for name, make in files.items() if name not in FIRST}):
            try:
                folder.write(name, content)
            except OSError as error:
                note(f"{name} can't be written: {reason(error)}")
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


def _model(model: Model) -> bytes:
    try:
        return to_bytes(model)
    except ChainruleError as error:  # such as one of more epochs than a model's file can list
        note(f"{FILE} is without the history. {error}")
        return to_bytes(replace(model, history=History(stopped=model.history.stopped)))


def _made(files: Files) -> Iterator[tuple[str, bytes | str]]:
    """The content of files; one that can't be made is noted, and does not cost the others."""
    for name, make in files.items():
        try:
            yield name, make()
        except Exception as error:
            if name == FILE:
                raise
            note(f"{name} can't be made: {error}")


def _pictures(model: Model, part: Any) -> Files:
    """How training went, and how the predictions compare with what was expected."""
    if model.preparation is None or not len(model.history):  # interrupted within the first epoch
        return {}
    expected, targets, classes = model.preparation.raw_targets(part), model.preparation.roles.targets, model.classes
    if classes is None:
        last = {"predictions.png": lambda: pictures.predictions(model(part), expected, targets)}
    else:
        last = {"confusion.png": lambda: pictures.confusion(ConfusionMatrix()(model(part), expected), classes)}
    return {"curves.png": lambda: pictures.curves(model.history), **last}


def _record(model: Model, source: str, choices: dict[str, Any]) -> str:
    """Every choice of a run as TOML, and the command that repeats it bit for bit."""
    training = model.training
    formulas = {
        "network": repr(model.network),
        "cost": repr(model.cost),
        "optimizer": training["optimizer"],
        "regularizer": model.regularizer and repr(model.regularizer),
        "early_stopping": training["early_stopping"],
        "metric": training["metrics"],
    }
    run = {name: training[name] for name in ("epochs", "batch_size", "seed")}
    data = choices | {part: _fraction(choices[part], training.get(part)) for part in ("test", "validation")}
    words = ["chainrule", "train", source, *(["--balanced"] if training["balanced"] else [])]
    for name, value in {**formulas, **data, **run}.items():
        words += [] if value is None else options_of(name, value)
    sections = {
        "formulas": formulas,
        "data": {"source": source, "rows": training["rows"], **data, "balanced": training["balanced"]},
        "training": run,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("chainrule", "jax", "numpy")},
        },
    }
    return _toml({"command": " ".join(map(_quoted, words))}) + "".join(
        f"\n[{name}]\n{_toml(sections[name])}" for name in sections
    )


def _fraction(said: str | None, used: float | None) -> str | float | None:
    """What makes a part: a fraction or a file as it was said; where nothing was, the fraction that was used."""
    if said is None:
        return used or None
    try:
        return float(said)
    except ValueError:
        return said


def _quoted(word: str) -> str:
    r"""A word for the shell; bytes of a file's name that are no UTF-8 as the shells' $'…' has them.

    >>> print(_quoted("it's"), _quoted(os.fsdecode(b"caf\xe9.csv")))
    'it'"'"'s' $'caf\xe9.csv'
    """
    if word == _readable(word):
        return shlex.quote(word)
    return "$'" + _readable(re.sub(r"[\\']", r"\\\g<0>", word)) + "'"


def _readable(text: str, backslash: str = "\\") -> str:
    """Text that UTF-8 can hold, bytes of a file's name that are no UTF-8 as escapes."""
    return re.sub("[\udc80-\udcff]", lambda byte: f"{backslash}x{ord(byte[0]) - 0xDC00:02x}", text)


def _toml(values: dict[str, Any]) -> str:
    """Lines of TOML for plain values; None is left out. JSON's texts, numbers and lists are TOML's too."""
    plain = {key: json.dumps(value, ensure_ascii=False) for key, value in values.items() if value is not None}
    return "".join(f"{key} = {_readable(text, ESCAPED)}\n" for key, text in plain.items())
