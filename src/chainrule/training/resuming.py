"""Going on from a checkpoint: what it says is compared with what is asked for, and the plan begins where it stands."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from chainrule.data.files import known_path
from chainrule.errors import ChainruleError, counted, cut, warn
from chainrule.model.container import Arrays, plain
from chainrule.training.checkpoint import Checkpoint, Header, machine, opened, restored
from chainrule.training.keeping import Checkpoints, files
from chainrule.training.plan import Plan

Resume = Checkpoint | str | os.PathLike | bool | None


def resumed(plans: Sequence[Plan], resume: Resume, kept: Checkpoints | None) -> tuple[Sequence[Plan], Path | None]:
    """The plans that go on from checkpoints, which must be of the same training; and their file, if they are in one.

    Args:
        plans: what to go on with, of one network or of each of a population.
        resume: the checkpoint of one, its file, or a folder of checkpoints, of which the last is taken that is intact.
            True means the folder where the training is kept, which may be empty: then the training begins.
        kept: where that is.

    Raises:
        ChainruleError: for a checkpoint that is damaged, or of a training on something else.
    """
    one = plans[0]
    if isinstance(resume, bool):
        if resume and kept is None:
            raise ChainruleError("fit: resume=True goes on from the folder that checkpoint names. Name one.")
        resume = kept.folder if resume and kept and kept.files else None
    if resume is None:
        return plans, None
    if isinstance(resume, Checkpoint):
        if len(plans) > 1:
            raise ChainruleError("fit: resume is the checkpoint of one network. Give the file of all, or after=[…].")
        _check_same(one.identity, resume.choices)
        return [_beginning(one, resume)], None
    file, header, arrays = _intact(known_path(resume))
    if header.population != len(plans):
        was = counted(header.population, "network", "networks")
        raise ChainruleError(f"fit: the checkpoint is of {was}, not {len(plans)}. Give as many, or start afresh.")
    data = digest(one)
    for plan, network in zip(plans, header.networks, strict=False):
        _check_same(plan.identity | {"data": data}, network.choices | {"data": header.data})
    _say_what_differs(file, header.machine, machine(one.devices))
    begun = restored(header, arrays, one.problem, one.shape)
    return [*map(_beginning, plans, begun), *plans[len(begun) :]], file


def digest(plan: Plan, *beside: Any) -> str:
    """A digest of what a plan trains and validates on, of a loader of its first part; and of what else is said."""
    loaders = [loader for loader in (plan.examples, plan.held_out) if loader is not None]
    found = hashlib.sha256(repr([[[*map(int, loader.rows)] for loader in loaders], *beside]).encode())
    for array in jax.tree.leaves([loader.part(0) for loader in loaders]):
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _beginning(plan: Plan, checkpoint: Checkpoint) -> Plan:
    """A plan that begins at a checkpoint, even where early stopping has come to its end there."""
    history, rule = checkpoint.history, plan.early_stopping
    if rule and rule.is_over(len(history), history.best_epoch):
        checkpoint = checkpoint._replace(history=replace(history, stopped="early stopping"))
    return replace(plan, start=checkpoint)


def _intact(path: Path) -> tuple[Path, Header, Arrays]:
    """The last checkpoint in a folder, or the one before where that is damaged; or a file."""
    found = files(path) if path.is_dir() else [path]
    if not found or not found[0].is_file():
        raise ChainruleError(f"fit: there is no checkpoint {'in ' * path.is_dir()}{path}. Start afresh.")
    why: list[ChainruleError] = []
    for file in found:
        try:
            header, arrays = opened(file)
        except ChainruleError as error:
            why.append(error)
            continue
        if why:
            warn(f"{why[0].problem}. The one before is taken: {file.name}.")
        return file, header, arrays
    raise why[0]


def _check_same(wanted: dict[str, Any], found: Any) -> None:
    """Refuse a checkpoint of another training: the first thing that differs is named."""
    for name, value in plain(wanted).items():
        if (was := found.get(name)) == value:
            continue
        if name in ("data", "preprocessor"):
            raise ChainruleError("fit: the checkpoint is of a training on other data. Give those, or start afresh.")
        raise ChainruleError(
            f"fit: the checkpoint is of a training with {name} {cut(str(was))}, not {cut(str(value))}. "
            f"Give that, or start afresh."
        )


def _say_what_differs(file: Path, was: dict[str, str], here: dict[str, str]) -> None:
    """Warn where the machine is not the one that the checkpoint comes from."""
    if differs := [name for name in here if here[name] != was.get(name)]:
        there = ", ".join(f"{name} {was.get(name)}" for name in differs)
        now = ", ".join(f"{name} {here[name]}" for name in differs)
        warn(f"{file} was written with {there}; with {now} the bits may differ from those of a training never stopped.")
