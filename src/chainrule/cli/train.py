"""`chainrule train`: from data to a trained model in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from chainrule.cli import options
from chainrule.cli.base import sharing
from chainrule.cli.interrupt import CTRL_C
from chainrule.cli.options import FORMULAS, RUN, One, Several, taking
from chainrule.cli.words import option, quoted
from chainrule.errors import ArgumentError, ChainruleError

ENDS = {"early stopping": "stopped early", "interrupted": "interrupted", "time": "as many as there was time for"}
FINISHING = "finishing: what was trained is saved first"


@sharing(options.SHARED, before="minutes")
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="A named set (digits, iris, …), a file (CSV, TSV, Parquet, Feather, JSONL, XLSX, NPZ, .ts), or a "
            "folder of images, or of CSV, Parquet or Feather files.",
            show_default=False,
        ),
    ] = None,
    network: Annotated[
        One,
        taking(
            FORMULAS,
            "FORMULA",
            'Layers: "Dense(64) >> ReLU()"; an open end is completed [by the kind of data].',
        ),
    ] = None,
    cost: Annotated[One, taking(FORMULAS, "FORMULA", '"Quadratic()" [by the network\'s end].')] = None,
    optimizer: Annotated[
        One, taking(FORMULAS, "FORMULA", '"Nesterov(0.01)" [by the data; Adam(0.001) for a --network].')
    ] = None,
    regularizer: Annotated[One, taking(FORMULAS, "FORMULA", '"L1(1e-3) + L2(1e-4)", "MaxNorm(3)" [none].')] = None,
    metric: Annotated[Several, taking(FORMULAS, "FORMULA", '"F1()"; may be repeated [accuracy, or R²].')] = None,
    minutes: Annotated[
        One, taking(RUN, "NUMBER", "Train for so long at most: as many of the epochs as there is room for.")
    ] = None,
    seed: Annotated[One, taking(RUN, "NUMBER", "Of the first values, the shuffles and the parts [0].")] = None,
    devices: Annotated[
        One, taking(RUN, "NUMBER", "How many share each batch, or all [1]; a CPU is one device.")
    ] = None,
    hosts: Annotated[
        One,
        taking(
            RUN,
            "WHO",
            "Train with the same command on other hosts: auto (SLURM, mpirun, …), or ADDRESS:PORT,COUNT,INDEX.",
        ),
    ] = None,
    out: Annotated[One, taking(RUN, "FOLDER", "The folder to write [runs/NAME].")] = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Read files block after block, for data larger than memory [from a quarter of the free memory on].",
            rich_help_panel=RUN,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run in that folder.", rich_help_panel=RUN)
    ] = False,
    checkpoint: Annotated[
        One,
        taking(RUN, "INTERVAL", '10m, "5 epochs", "1000 steps", or never: how often it is kept [1m].'),
    ] = None,
    resume: Annotated[
        One,
        taking(RUN, "FOLDER", "Go on with the run in that folder, which was killed or interrupted."),
    ] = None,
    **shared: Any,
) -> int:
    """Train a network on a named data set or a file, and keep the result in a folder.

    Example: `chainrule train diamonds.csv --target price --network "Dense(64) >> ReLU() >> Dense(1)"
    --optimizer "Adam(0.003)" --regularizer "L2(1e-4)" --epochs 20 --batch-size 256 --seed 1`
    """
    own = dict(locals())
    given = own | own.pop("shared")
    from chainrule import runs
    from chainrule.cli import choices, output, reading
    from chainrule.costs import Cost
    from chainrule.formula.layer import Layer
    from chainrule.notation.choices import SEEDS
    from chainrule.optimizers import Optimizer
    from chainrule.regularizers import Regularizer

    every, computing = (
        choices.interval("--checkpoint", checkpoint, runs.EVERY),
        choices.number_or_all("--devices", devices),
    )
    if resume is not None:
        _check_alone([name for name, value in given.items() if value not in (None, False)])
        with _together(hosts, computing) as (leads, computing):
            if not leads:
                followed = runs.Followed.of(resume)
                return _followed(runs.repeated(followed, data, devices=computing), followed)
            with runs.reopened(resume) as folder:
                plan = runs.repeated(folder, data, devices=computing, progress=True)
                output.data(plan)
                return _carried_out(plan, folder, every)
    if data is None:
        raise ChainruleError("Missing argument 'DATA'. See: chainrule train --help.")
    asked = {
        "network": choices.formula("--network", network, Layer),
        "cost": choices.formula("--cost", cost, Cost),
        "optimizer": choices.formula("--optimizer", optimizer, Optimizer),
        "regularizer": choices.formula("--regularizer", regularizer, Regularizer),
        "metrics": choices.figures("--metric", metric or []),
        "seed": choices.whole("--seed", "0" if seed is None else seed, *SEEDS),
        **options.said(shared),
        "minutes": choices.minutes("--minutes", minutes),
        "stream": stream,
    }
    with _together(hosts, computing) as (leads, computing):
        if not leads:
            return _followed(runs.plan(data, **asked, devices=computing))
        runs.claimed(data, out, overwrite).release()  # a place where no run can be written is refused before all else
        plan = runs.plan(data, **asked, devices=computing, progress=True)
        output.data(plan)
        reading.say(*plan.found)
        CTRL_C.finish(FINISHING)
        with runs.claimed(data, out, overwrite) as folder:
            return _carried_out(plan, folder, every)


@contextmanager
def _together(hosts: str | None, devices: Any) -> Iterator[tuple[bool, Any]]:
    """Whether this process leads, alone or among those of several hosts; and the devices that compute."""
    if hosts is None:
        yield True, devices
        return
    if devices is not None:
        raise ChainruleError("--hosts trains on all devices of all hosts. Leave --devices out.")
    from chainrule.cli.output import note
    from chainrule.training.hosts import joined, leads

    def words(error: ChainruleError) -> str:
        return f"chainrule: {error.naming(option) if isinstance(error, ArgumentError) else error}"

    if hosts.endswith(",0"):
        note("waiting for the other hosts, five minutes at most")
    with joined(hosts, words):
        yield leads(), "all"


def _check_alone(given: list[str]) -> None:
    """Refuse what can't be said of a run that goes on, since it was said when it began."""
    for name in given:
        if name not in ("data", "resume", "checkpoint", "devices", "hosts"):
            raise ChainruleError(
                f"--resume repeats every choice of the run that it goes on with. Leave {option(name)} out."
            )


def _followed(plan: Any, folder: Any = None) -> int:
    """Train as planned with the process that leads, which says and keeps everything; the exit code."""
    from chainrule import runs

    CTRL_C.finish(FINISHING)
    model = runs.follow(plan, folder)
    return CTRL_C.code if CTRL_C.wanted or model.history.stopped == "interrupted" else 0


def _carried_out(plan: Any, folder: Any, every: str | None) -> int:
    """Train as planned, and say so; the exit code."""
    from chainrule import runs
    from chainrule.cli import output
    from chainrule.cli.words import command

    CTRL_C.finish(FINISHING)
    output.say("run: ", (str(folder.name), "bold"))
    output.layers(plan.layers)
    output.plan(plan)
    run = runs.carry_out(plan, folder, checkpoint=every, command=command)
    output.figures(run.figures)
    output.say(f"{_ending(run.model.history)}. All of it is in ", (str(run.folder), "bold"), ".")
    if output.lost():
        output.note(f"All of it is in {run.folder}.")
    if run.model.history.stopped == "interrupted" and every is not None:
        output.note(f"To go on with it: chainrule train --resume {quoted(str(run.folder))}")
    return CTRL_C.code if CTRL_C.wanted or run.interrupted else 0


def _ending(history: Any) -> str:
    """How training ended, in words."""
    kept = f"epoch {history.best_epoch} is kept" if history.best_epoch else ""
    words = [
        f"{len(history)} epoch{'s' * (len(history) != 1)} in {history.seconds:.1f} s",
        ENDS.get(history.stopped, ""),
        "" if len(history) else "the steps of the first are kept",
        kept,
        "still improving" if history.improving else "",
        f"the validation cost lowest in epoch {history.lowest_epoch}" if history.worsened else "",
    ]
    return ", ".join(filter(None, words))
