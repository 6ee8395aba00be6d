"""Where a training stands, going on from there, and the file of it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from chainrule.arrays.masked import Shape
from chainrule.arrays.random import seeded
from chainrule.data.records import read, require
from chainrule.errors import ChainruleError
from chainrule.kernels import native
from chainrule.model.container import Arrays, Container, Description, by_place, filled, plain
from chainrule.model.file import Epochs, Plain
from chainrule.model.history import History
from chainrule.training.step import Problem, State, first

RECORDS = "records"
CHECKPOINT = Container("checkpoint", "chainrule-checkpoint", 1, 1_000_000)
OTHER = "fit: the checkpoint is of another network or optimizer, whose arrays do not fit. Start afresh."
NONE = np.zeros((0, 0), np.float32)


class Checkpoint(NamedTuple):
    """Where a training stands, all of it: `fit(…, resume=checkpoint)` goes on to the bits of one that never ended."""

    state: State
    best: State
    """What the state after the best epoch published, where early stopping looks for it."""
    history: History
    records: np.ndarray = NONE
    """What each step of the epoch under way recorded, (steps, figures); none between two epochs."""
    choices: Mapping[str, Any] = {}
    """What the training was given, in notation, by name; its examples apart."""
    last: State | None = None
    """What the state after the last epoch that was sound published, where that is another."""


@dataclass(frozen=True)
class Timed(Epochs):
    """A history."""

    seconds: float


@dataclass(frozen=True)
class Stand:
    """Where a network stands, without its arrays.

    Attributes:
        choices: what its training was given, in notation.
        history: of the epochs that have ended.
    """

    choices: dict[str, Plain | list[Plain]]
    history: Timed


@dataclass(frozen=True)
class Header:
    """A checkpoint without its arrays.

    Attributes:
        format: the container's.
        population: how many networks are trained together; one in most trainings.
        networks: those of them that have begun, which are the first ones.
        data: a digest of their examples.
        machine: what the bits depend on beside all that.
    """

    format: Literal[1]
    population: int
    networks: list[Stand]
    data: str
    machine: dict[str, str]


def as_checkpoint(after: Any) -> Checkpoint | None:
    """What `fit` is to go on from, if anything. Raises `ChainruleError` where it is something else."""
    if after is not None and not isinstance(after, Checkpoint):
        raise ChainruleError(f"fit: after must be the checkpoint that a callback is told, got {type(after).__name__}.")
    return after and after._replace(history=replace(after.history, stopped="epochs"))


def fitting(state: State, problem: Problem, shape: Shape) -> State:
    """A state to go on from, which must have the arrays that the problem's own first state would have."""
    if _described(state) != _described(_first(problem, shape)):
        raise ChainruleError(OTHER)
    return state


def to_bytes(checkpoints: Sequence[Checkpoint], population: int, data: str, devices: tuple[Any, ...] = ()) -> bytes:
    """The content of a file of checkpoints.

    Args:
        checkpoints: of the networks that have begun.
        population: how many there will be.
        data: the digest of their examples.
        devices: what computes.
    """
    arrays, networks = {}, []
    for number, (state, best, history, records, choices, last) in enumerate(checkpoints):
        trees = {"state": state, RECORDS: records, "best": best if history.best_epoch else None, "last": last}
        arrays |= by_place({str(number): trees})
        networks.append({"choices": dict(choices), "history": asdict(history)})
    about = {
        "format": CHECKPOINT.format,
        "population": population,
        "networks": networks,
        "data": data,
        "machine": machine(devices),
    }
    return CHECKPOINT.packed(plain(about), arrays)


def opened(file: Path) -> tuple[Header, Arrays]:
    """What a checkpoint's file says, and its arrays.

    Raises:
        ChainruleError: for a file of something else, cut short, altered, or of another version.
    """
    return CHECKPOINT.unpacked(file, lambda about, arrays: (_header(about, arrays), arrays))


def restored(header: Header, arrays: Arrays, problem: Problem, shape: Shape) -> list[Checkpoint]:
    """The checkpoints of a file, whose arrays must be those that a problem of their structure has."""
    state, there = _first(problem, shape), {tuple(name.split(".")[:2]) for name in arrays}
    wanted = {
        str(number): {"state": state, RECORDS: arrays[_record(number)]}
        | {name: state._replace(slots=()) for name in ("best", "last") if (str(number), name) in there}
        for number in range(len(header.networks))
    }
    try:
        found = filled(wanted, arrays)
    except ChainruleError:
        raise ChainruleError(OTHER) from None
    checkpoints = []
    for trees, network in zip(found.values(), header.networks, strict=True):
        records, states = trees.pop(RECORDS), jax.device_put(trees)
        best = states.get("best", states["state"]._replace(slots=()))
        history = History(**vars(network.history))
        checkpoints.append(Checkpoint(states["state"], best, history, records, network.choices, states.get("last")))
    return checkpoints


def machine(devices: tuple[Any, ...] = ()) -> dict[str, str]:
    """What the bits of a training depend on, beside what it was given; without devices there is one."""
    there = jax.devices()
    threads = os.environ.get("PJRT_NPROC") or len(getattr(os, "sched_getaffinity", lambda _: ())(0)) or os.cpu_count()
    return {name: version(name) for name in ("chainrule", "jax", "numpy")} | {
        "kernels": native.processor() or "none",
        "threads": str(threads),
        "devices": f"{len(devices) or 1} of {len(there)} × {(devices or there)[0].device_kind}",
    }


def _header(about: Description, arrays: Arrays) -> Header:
    header = read(Header, about)
    count = len(header.networks)
    require(0 < count <= header.population, "a network of the population at least, and no others")
    for number in range(count):
        records = arrays.get(_record(number), np.zeros(0))
        require(records.dtype == np.float32 and records.ndim == 2, "records (steps, figures) in float32")
    return header


def _record(number: int) -> str:
    """The place of a network's records."""
    return f"{number}.{RECORDS}"


def _first(problem: Problem, shape: Shape) -> State:
    """The shapes and types of the arrays of a problem's first state."""
    return jax.eval_shape(partial(first, shape=shape), problem, seeded(0))


def _described(state: State) -> Any:
    return jax.tree.map(lambda array: (array.shape, array.dtype), state)
