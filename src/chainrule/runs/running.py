"""A run itself: a folder is claimed, a network trained, and everything kept in the folder."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from chainrule.data.source import PACKED
from chainrule.errors import ArgumentError, DivergedError, warn
from chainrule.model import Model
from chainrule.runs.folder import Folder, can_be_resumed, claim, reopen
from chainrule.runs.parts import source_of
from chainrule.runs.planning import Plan, plan
from chainrule.runs.repeating import Followed, repeated
from chainrule.runs.saving import Command, Figures, begin, check_room, record, run_files, save_run
from chainrule.training import Checkpoints, fit
from chainrule.training.interrupt import Held

EVERY = "1m"  # a checkpoint, so that what is trained within a minute needs none


@dataclass(frozen=True)
class Run:
    """What a training left.

    Attributes:
        model: what was trained.
        folder: where everything about it is kept.
        interrupted: whether Ctrl-C came.
        measure: called, gives the `figures`.
    """

    model: Model
    folder: Path
    interrupted: bool
    measure: Callable[[], Figures]

    @property
    def figures(self) -> Figures:
        """The cost and metrics of each part: train, and validation and test where there are any."""
        return self.measure()


def train(
    data: Any,
    *,
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
    progress: bool = True,
    checkpoint: int | str | None = EVERY,
    **choices: Any,
) -> Run:
    """Train a network on a data set, and keep the result in a folder: what `chainrule train` does.

    Ctrl-C ends training, and what was trained so far is kept, and can be resumed. What can't be written where it
    should be is written elsewhere, and the error says where.

    Args:
        data: a named set, a file, a folder of images, or a table.
        out: the folder to write; by default `runs/NAME`, after the data, or the next free name (`runs/NAME-2`, …).
        overwrite: whether a run that is in that folder may be replaced; it stays until the new one is whole.
        progress: whether to show a bar (in a terminal) or lines (elsewhere).
        checkpoint: how often to keep where the training stands, as in `Checkpoints`; None for never.
        **choices: whatever else is said of the formulas, the data and the training, as in `chainrule.runs.plan`:
            target, network, optimizer, epochs, seed, …

    Raises:
        ChainruleError: for a folder that is taken, before anything is read; for data and choices as in `plan`.
        DivergedError: when the cost is no longer finite; its `model` is what was good before, and is kept.

    >>> from tempfile import TemporaryDirectory
    >>> formulas = {"network": "Dense(3) >> Softmax()", "optimizer": "Adam(0.1)"}
    >>> with TemporaryDirectory() as place:
    ...     run = train("iris", target="target", **formulas, out=f"{place}/iris", progress=False)
    ...     sorted(path.name for path in run.folder.iterdir() if path.suffix not in (".csv", ".png", ".toml"))
    ['README.md', 'config.json', 'manifest.json', 'metrics.json', 'model.safetensors', 'rows.safetensors']
    >>> list(run.figures), run.figures["test"]["accuracy"] > 0.8
    (['train', 'validation', 'test'], True)
    """
    claimed(data, out, overwrite).release()  # a place where no run can be written is refused before anything is read
    planned = plan(data, progress=progress, **choices)
    for note in dict.fromkeys(str(note) for found in planned.found for note in found.notes.values()):
        warn(note)
    with claimed(data, out, overwrite) as folder:
        return carry_out(planned, folder, progress=progress, checkpoint=checkpoint)


def resume(
    folder: str | os.PathLike,
    data: Any = None,
    *,
    devices: Any = None,
    progress: bool = True,
    checkpoint: int | str | None = EVERY,
) -> Run:
    """Go on with a run that was killed or interrupted, to the files that it would have had otherwise.

    It goes on from its last checkpoint, or begins again where it has none, with every choice as it was made for it.

    Args:
        folder: where the run is.
        data: where its data are; by default where they were. Without it a run on a table can't be resumed.
        devices: what computes; by default as many devices as before.
        progress, checkpoint: as in `train`.

    Raises:
        ChainruleError: for a folder without a run, one of a run that is finished or still running, and data that are
            not those that it was trained on.
    """
    with reopened(folder) as mine:
        return carry_out(repeated(mine, data, devices=devices), mine, progress=progress, checkpoint=checkpoint)


def reopened(folder: str | os.PathLike) -> Folder:
    """The folder of a run that was cut off or interrupted, claimed to go on with it."""
    return reopen(Path(folder))


def claimed(data: Any, out: str | os.PathLike | None = None, overwrite: bool = False) -> Folder:
    """The folder of a run on some data, claimed for it: the one that is said, else one named after the data."""
    if out is not None and not os.fspath(out):
        raise ArgumentError("{out} is empty. Name a folder, or leave it out.")
    return claim(Path(out or f"runs/{_name(data)}"), counted=not out and not overwrite, overwrite=overwrite)


def carry_out(
    plan: Plan,
    folder: Folder,
    *,
    progress: bool = True,
    checkpoint: int | str | None = EVERY,
    command: Command | None = None,
) -> Run:
    """Train as planned, and keep everything in a folder that was claimed; from its beginning on, nothing is lost.

    Args:
        plan: what to do.
        folder: where to keep it, and from which to go on if it has checkpoints.
        progress: whether to show how far it is.
        checkpoint: how often to keep where it stands.
        command: gives the words that repeat the run, for its record.
    """
    check_room(folder, sum(row.parameters for row in plan.layers))
    if not folder.resumed:
        begin(folder, record(plan, plan.batch_size, command))
    with Held(signal.SIGTERM) as ctrl_c:
        diverged = None
        try:
            checkpoints = None if checkpoint is None else Checkpoints(folder.place, checkpoint, at_end=False)
            model = _fitted(plan, folder.place, progress, checkpoints)
        except DivergedError as error:
            if not len(error.model.history):  # nothing good to keep
                raise
            model, diverged = error.model, error
        measured = {"metrics": model.training["metrics"] or [repr(each) for each in plan.measured]}
        chosen = plan.chosen | {"balanced": plan.balanced} | measured
        model = replace(model, training=model.training | chosen)
        metrics = list(dict.fromkeys([*model.metrics, *plan.shown]))
        measure = cache(lambda: {name: model.evaluate(part, metrics=metrics) for name, part in plan.prepared.items()})
        notes: list[str] = []
        try:
            files = run_files(plan, model, measure, notes.append, command)
            kept = save_run(folder, files, notes.append, complete=model.history.stopped != "interrupted")
        finally:
            for note in notes:  # only now: a warning may be an error to whoever called
                warn(note)
    if diverged:
        raise DivergedError(f"{diverged} What was good before is in {kept}.", model)
    return Run(model, kept, ctrl_c.came or model.history.stopped == "interrupted", measure)


def follow(plan: Plan, folder: Followed | None = None) -> Model:
    """Train as planned, together with the process that leads and keeps everything.

    Args:
        plan: what to do, in all processes.
        folder: that of the run where it goes on, in which this process must find the checkpoints too.
    """
    with Held(signal.SIGTERM):
        return _fitted(plan, folder and folder.place, progress=False)


def _fitted(plan: Plan, place: Path | None, progress: bool, checkpoints: Checkpoints | None = None) -> Model:
    """The model of a plan, which goes on from what is kept in a place, if anything is."""
    resume = place if place and can_be_resumed(place) else None
    return fit(**plan.asked, minutes=plan.minutes, progress=progress, checkpoint=checkpoints, resume=resume)


def _name(data: Any) -> str:
    """What a run on some data is called: after the file, or the folder."""
    source = source_of(data)
    with suppress(OSError):  # where the working directory is gone
        source = source if Path(source).stem.strip(".") else os.path.abspath(source)
    name = Path(source)
    while name.suffix.lower() in PACKED:
        name = name.with_suffix("")
    return name.stem.strip(".") or "run"
