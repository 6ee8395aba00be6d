"""A run's folder: everything about one training, written whole or not at all."""

import contextlib
import itertools
import json
import os
import platform
import shlex
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from chainrule import pictures
from chainrule.cli.parts import Divided
from chainrule.errors import ChainruleError
from chainrule.metrics import ConfusionMatrix
from chainrule.model import Model
from chainrule.storage import FILE, to_bytes


def run_files(
    model: Model, divided: Divided, measured: dict[str, dict[str, float]], source: str, choices: dict[str, Any]
) -> dict[str, bytes | str]:
    """The content of a run's files by name.

    Args:
        model: what was trained.
        divided: the parts of the data.
        measured: the cost and metrics of each part.
        source: where the data came from, as the user named it.
        choices: what the user said of the data, by the names of the options.
    """
    shown = divided.parts.get("test") or divided.parts.get("validation") or divided.parts["train"]
    seconds = round(model.history.seconds, 3)
    return {
        FILE: to_bytes(model),
        "history.csv": model.history.to_csv(),
        "metrics.json": json.dumps(measured | {"epochs": len(model.history), "seconds": seconds}, indent=2) + "\n",
        **_pictures(model, shown),
        "run.toml": _record(model, source, choices),
    }


def check_writable(wanted: Path) -> None:
    """Refuse a place where no folder can be made, before the training rather than after it."""
    place = next(parent for parent in wanted.absolute().parents if parent.exists())
    try:
        os.rmdir(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=place))
    except OSError as error:
        raise ChainruleError(
            f"Can't write {wanted}: {error.strerror or error}. Name another folder by --out."
        ) from None


def write_run(wanted: Path, files: dict[str, bytes | str]) -> Path:
    """Write a folder of files under the name that is wanted, or the next free one (`digits-2`, `digits-3`, …).

    Raises:
        ChainruleError: where it can't be written; then nothing is.
    """
    temporary = None
    made = [parent for parent in wanted.parents if not parent.exists()]
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.parent))
        folder = temporary / "run"  # made as usual, so that it is as readable as any other folder
        folder.mkdir()
        for name, content in files.items():
            with open(folder / name, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
        free = next(name for name in _names(wanted) if not name.exists())
        os.rename(folder, free)
        made = []
        return free
    except OSError as error:
        raise ChainruleError(f"Can't write {wanted}: {error.strerror or error}. Nothing was written.") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        for parent in made:
            with contextlib.suppress(OSError):
                parent.rmdir()


def _names(wanted: Path) -> Any:
    return itertools.chain([wanted], (wanted.with_name(f"{wanted.name}-{number}") for number in itertools.count(2)))


def _pictures(model: Model, part: Any) -> dict[str, bytes]:
    """How training went, and how the predictions compare with what was expected."""
    if model.preparation is None or not len(model.history):  # interrupted within the first epoch
        return {}
    a, expected = model(part), model.preparation.raw_targets(part)
    curves = {"curves.png": pictures.curves(model.history)}
    if model.classes is not None:
        return curves | {"confusion.png": pictures.confusion(ConfusionMatrix()(a, expected), model.classes)}
    return curves | {"predictions.png": pictures.predictions(a[:, 0], expected[:, 0], model.preparation.roles.target)}


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
        for each in value if isinstance(value, list) else [value]:
            words += [] if each is None else [f"--{name.replace('_', '-')}", str(each)]
    sections = {
        "formulas": formulas,
        "data": {"source": source, "rows": training["rows"], **data, "balanced": training["balanced"]},
        "training": run,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("chainrule", "jax", "numpy")},
        },
    }
    return _toml({"command": shlex.join(words)}) + "".join(f"\n[{name}]\n{_toml(sections[name])}" for name in sections)


def _fraction(said: str | None, used: float | None) -> str | float | None:
    """What makes a part: a fraction or a file as it was said; where nothing was, the fraction that was used."""
    if said is None:
        return used or None
    try:
        return float(said)
    except ValueError:
        return said


def _toml(values: dict[str, Any]) -> str:
    """Lines of TOML for plain values; None is left out. JSON's texts, numbers and lists are TOML's too."""
    plain = {key: value for key, value in values.items() if value is not None}
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in plain.items())
