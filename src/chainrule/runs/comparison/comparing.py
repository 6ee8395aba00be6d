"""`compare`: from data and what varies to a comparison."""

import inspect
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any, Literal

import jax
import joblib

from chainrule.data.streams import is_large
from chainrule.errors import ArgumentError, ChainruleError, warn
from chainrule.notation.choices import SEEDS, as_whole
from chainrule.runs.comparison import jobs as carrying_out
from chainrule.runs.comparison.axes import ACTIVATION, Candidate, axes_of, candidates
from chainrule.runs.comparison.comparison import Comparison
from chainrule.runs.comparison.contest import Contest, Entry, structure
from chainrule.runs.comparison.journal import Journal
from chainrule.runs.comparison.record import Record, described
from chainrule.runs.comparison.shown import Shown
from chainrule.runs.comparison.trial import Trial
from chainrule.runs.material import in_table, material
from chainrule.runs.parts import source_of
from chainrule.runs.planning import Plan
from chainrule.training.interrupt import Interrupt

MANY = 64  # networks of a job: as many as a CPU computes side by side
TUNED = 7  # values that are tried of a field

AXES = "network", "cost", "optimizer", "regularizer", ACTIVATION, "initializer"
"""The arguments of which several may be given."""

READING = {"separator", "decimal", "header", "blank", "size"}
IN_TABLE = {*inspect.signature(in_table).parameters, *READING} - {"data", "reading"}
MATERIAL = {*inspect.signature(material).parameters} - {"data", "seed", "cost", "stream", "progress"}

Command = Callable[[Record], str]
"""Gives the words that repeat a comparison, from its record."""


@dataclass(frozen=True)
class Planned:
    """A comparison before it begins.

    Attributes:
        contest: what is compared on which data.
        entries: what is trained.
        first: the plan of the first of them, from which the others differ by their choices and seeds.
        kinds: the structure of each candidate's training, by its number; those of one train together.
        grids: the values that the trainings of each candidate try of each field that is tuned.
        record: what was said, as its folder keeps it.
    """

    contest: Contest
    entries: list[Entry]
    first: Plan
    kinds: list[Any]
    grids: list[dict[str, list[float]]]
    record: Record

    @property
    def networks(self) -> int:
        """How many each trial trains."""
        return self.contest.budget ** len(self.contest.tune)

    def jobs(self, left: Sequence[Entry], workers: int) -> list[list[Entry]]:
        """What is left, in jobs of one structure each: as large as may be, but as many for each worker.

        The last ones, of which there are none for some workers, are cut into parts for all.
        """
        seeds = len(self.entries) // len(self.kinds)
        kinds = [self.kinds[number // seeds] for number in range(len(self.entries))]
        missing = {id(entry) for entry in left}
        groups: dict[Any, list[Entry]] = {}
        for kind, entry in zip(kinds, self.entries, strict=True):
            if id(entry) in missing:
                groups.setdefault(kind, []).append(entry)
        most = MANY if jax.default_backend() == "cpu" or workers > 1 else len(left) * self.networks
        whole = [job for each in groups.values() for job in _cut(each, ceil(len(each) * self.networks / most))]
        over = len(whole) % workers
        even = len(whole) - over
        return whole[:even] + [part for job in whole[even:] for part in _cut(job, ceil(workers / over))]


def _cut(job: list[Entry], count: int) -> list[list[Entry]]:
    """A job as so many, of nearly one size, or as many as it has entries."""
    size = ceil(len(job) / count)
    return [job[begin : begin + size] for begin in range(0, len(job), size)]


def compare(
    data: Any,
    *,
    jobs: int | Literal["all"] = 1,
    on: str | None = None,
    address: str | None = None,
    out: str | os.PathLike | None = None,
    progress: bool = True,
    **choices: Any,
) -> Comparison:
    """Compare formulas on data, fairly: each candidate is trained from several seeds, and tested once.

    The candidates are all combinations of what varies. Each seed divides the data anew, as `train` does with it, so
    that the spread of what comes has that of the split in it; and for each seed all candidates have the same rows,
    shuffles and noise, and first values that are drawn alike, so that they can be compared in pairs. The test part is
    looked at once, when a training is over.

    Seeds, and candidates that differ in numbers alone, are trained together in one program, 64 at most on a CPU. Each
    network is what `chainrule.runs.train` makes with its choices and its seed, to rounding. On a CPU that saves the
    work around the arithmetic: small networks gain by half, and large ones neither gain nor lose.

    Args:
        data: a named set, a file, or a table, as in `chainrule.runs.plan`.
        jobs: how many share the work on this machine, or "all" for as many as it has cores: two threads of this
            process, or more processes, each of which has its part of the cores.
        on: "dask" has the workers of a Dask cluster do it, and `address` says where its scheduler is.
        address: HOST:PORT.
        out: a folder to keep every trial in as soon as it is over, and in the end the answer; the same call goes on
            from what is there, and may have more seeds.
        progress: whether to show a bar (in a terminal) or lines (elsewhere).
        **choices: what varies, and whatever else is said of the data and of every training, as in `planned`.

    Raises:
        ChainruleError: where nothing varies, and for data and choices as in `plan`; it names the candidate.
        KeyboardInterrupt: by Ctrl-C; it says how many trials are kept.

    >>> rates = {"learning_rate": [0.001, 0.1]}
    >>> comparison = compare("iris", vary=rates, network="Dense(3) >> Softmax()", seeds=3, epochs=5, progress=False)
    >>> comparison.best.choices["learning_rate"]
    '0.1'
    """
    ready = planned(data, **choices)
    for note in dict.fromkeys(str(note) for found in ready.first.found for note in found.notes.values()):
        warn(note)
    return carry_out(ready, jobs=jobs, on=on, address=address, out=out, progress=progress)


def planned(
    data: Any,
    *,
    vary: Mapping[str, Iterable[Any]] | None = None,
    seeds: int | Sequence[int] = 10,
    tune: str | Sequence[str] = (),
    budget: int = TUNED,
    **choices: Any,
) -> Planned:
    """What a comparison will do, checked before it begins.

    Args:
        data: a named set, a file, or a table, as in `chainrule.runs.plan`.
        vary: values of other choices, or of fields by their paths: {"optimizer.learning_rate": [0.001, 0.01],
            "network.layers.2.rate": [0.1, 0.5], "batch_size": [32, 128]}. A step `*` is every formula that has the
            field behind it; `dropout` is `network.*.rate`, and `learning_rate` is `optimizer.*.learning_rate`.
        seeds: how many, from 0 on, or which.
        tune: fields, such as "learning_rate", of which each training first finds its own value: of `budget` values,
            half a decade apart around the one that it has, the one whose validation cost is lowest. Each seed chooses
            by its own validation part, since the rows of another's may be among its test rows.
        budget: how many values each training tries of each of these fields.
        **choices: `activation`, of which several take the place of all activations between the network's layers (those
            within recurrent layers and products stay, and so does the end); `optimizer`, `network`, `cost`,
            `regularizer`, and `initializer` (of all kernels): one, or several; and whatever else is said of the data
            and of every training, as in `chainrule.runs.plan`: target, epochs, …

    Raises:
        ChainruleError: where nothing varies, and for data and choices as in `plan`; it names the candidate.

    >>> ready = planned("iris", activation=["ReLU()", "ELU()"], seeds=3)
    >>> len(ready.entries), ready.first.rows
    (6, {'train': 105, 'validation': 15, 'test': 30})
    """
    said = {name: _several(value) for name, value in choices.items() if name in AXES and value is not None}
    said |= vary or {}
    if not said:
        raise ArgumentError(
            "Nothing varies. Give several of {activation}, {optimizer} or {network}, or {vary} a field."
        )
    if choices.get("minutes") is not None:
        raise ArgumentError("{minutes}: a comparison counts epochs, as many for all. Leave it out.")
    axes, seeds = axes_of(said), _seeds(seeds)
    tune, budget = [tune] if isinstance(tune, str) else [*tune], as_whole(budget, "{budget}", 2, 1000)
    if is_large(data):
        raise ChainruleError(
            f"{source_of(data)} is read block after block, and a comparison divides rows in memory. Take some of them."
        )
    choices = {name: value for name, value in choices.items() if name not in AXES and value is not None}
    table = in_table(data, **{name: choices[name] for name in IN_TABLE & choices.keys()})
    of_data = {name: choices[name] for name in (MATERIAL - READING) & choices.keys()}
    asked = {name: value for name, value in choices.items() if name not in MATERIAL}
    contest = Contest(table, of_data, asked, axes, tune, budget)
    compared = candidates(axes)
    plans = [contest.plan(Entry(candidate, seeds[0])) for candidate in compared]
    if "test" not in plans[0].prepared:
        raise ArgumentError("{test}: a comparison needs rows to test on. Leave it out.")
    if tune and "validation" not in plans[0].prepared:
        raise ArgumentError("{tune} chooses by the validation cost: choose {validation} too, such as 0.1.")
    record = described(source_of(data), table, axes, seeds, tune, budget, choices)
    return Planned(
        contest,
        [Entry(candidate, seed) for candidate, seed in product(compared, seeds)],
        plans[0],
        [structure(plan) for plan in plans],
        [contest.grids(plan) for plan in plans],
        record,
    )


def carry_out(
    ready: Planned,
    *,
    jobs: int | Literal["all"] = 1,
    on: str | None = None,
    address: str | None = None,
    out: str | os.PathLike | None = None,
    progress: bool = True,
    command: Command | None = None,
) -> Comparison:
    """Train as planned; arguments are those of `compare`, and what gives the words that repeat it, for its record."""
    jobs = joblib.cpu_count() if jobs == "all" else as_whole(jobs, "{jobs}", 1, 10_000)
    if (on is None) != (address is None) or on not in (None, "dask"):
        raise ArgumentError('{on} must be "dask", with the {address} of its scheduler, HOST:PORT; got {!r}.', on)
    entries, contest = ready.entries, ready.contest
    with ExitStack() as stack:
        ctrl_c = stack.enter_context(Interrupt(signal.SIGTERM))
        journal = None
        if out is not None:
            words = {} if command is None else {"command": command(ready.record)}
            journal = stack.enter_context(Journal(out, words | ready.record))
        known = {trial.key: trial for trial in (journal.trials if journal else ())}
        left = [entry for entry in entries if _key(*entry) not in known]
        shown = stack.enter_context(Shown(progress, len(entries), len(entries) - len(left), ready.networks))
        with carrying_out.workers(contest, jobs, on, address) as backend:
            cut = ready.jobs(left, jobs if backend is None else max(jobs, 2))
            try:
                for trials in carrying_out.done(contest, cut, ctrl_c, backend, [shown.epoch], jobs):
                    if journal:
                        journal.add(trials)
                    known |= {trial.key: trial for trial in trials}
                    shown.finished(len(trials))
            except KeyboardInterrupt:
                kept = sum(_key(*entry) in known for entry in entries)
                raise KeyboardInterrupt(_interrupted(kept, len(entries), out)) from None
    first = ready.first
    comparison = Comparison(
        tuple(known[_key(*entry)] for entry in entries),
        {axis: [*values] for axis, values in contest.axes.items()},
        first.measured[0],
        bool(first.chosen["test"]) and first.said["order_by"] is None,
        contest.table.name,
    )
    if out is not None:
        comparison.save(out)
    _say_edges(ready, comparison.trials)
    return comparison


def _say_edges(ready: Planned, trials: Sequence[Trial]) -> None:
    """Warn of what is tuned to the first or the last of the values that were tried."""
    seeds = len(trials) // len(ready.grids)
    for name in ready.contest.tune:
        grids = (grid[name] for grid in ready.grids for _ in range(seeds))
        at = sum(trial.tuned.get(name) in (grid[0], grid[-1]) for trial, grid in zip(trials, grids, strict=True))
        if at:
            warn(
                f"{name}: {at} of {len(trials)} trials chose the first or the last of the values that they tried. "
                f"A better one may be beyond: try more of them, or begin with another."
            )


def _interrupted(kept: int, trials: int, out: Any) -> str:
    """What is left of a comparison that Ctrl-C ended, and how to go on."""
    if out is None:
        return f"Interrupted: {kept} of {trials} trials were done, and no folder keeps them."
    return f"Interrupted: {kept} of {trials} trials are in {os.fspath(out)}. The same again goes on from there."


def _key(choices: Candidate, seed: int) -> tuple[tuple[str, ...], int]:
    """That of the trial which is made of an entry."""
    return tuple(choices.values()), seed


def _several(value: Any) -> Any:
    """What is given of an axis, as a list of it."""
    return value if isinstance(value, list | tuple) else [value]


def _seeds(given: Any) -> list[int]:
    """The seeds, from how many they are, or from themselves."""
    if isinstance(given, Sequence):
        seeds = [as_whole(seed, "{seeds}", *SEEDS) for seed in given]
    else:
        seeds = [*range(as_whole(given, "{seeds}", 1, 10_000))]
    if not seeds or len({*seeds}) < len(seeds):
        raise ArgumentError("{seeds} must be different whole numbers, or how many there are, got {!r}.", given)
    return seeds
