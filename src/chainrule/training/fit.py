"""`fit`: from a network and data to a model."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from math import ceil
from typing import Any, Literal

from chainrule.arrays.compilation import refuse_fork
from chainrule.costs import Cost
from chainrule.data.loaders import Loader
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ArgumentError
from chainrule.formula.layer import Layer
from chainrule.metrics import Metric
from chainrule.model import Model
from chainrule.model.history import Stopped
from chainrule.notation.choices import as_minutes
from chainrule.optimizers.plateau import plateaus
from chainrule.regularizers import Regularizer
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training.budget import Budget, TimeUp
from chainrule.training.checkpoint import Checkpoint, to_bytes
from chainrule.training.feed import feed
from chainrule.training.interrupt import Interrupt
from chainrule.training.keeping import Checkpoints, Keeper, as_checkpoints
from chainrule.training.loop import Epoch, Loop
from chainrule.training.members import listed, members, one_of
from chainrule.training.observers import Callback, Records, as_callbacks, observers, watched
from chainrule.training.placement import Placement, placement
from chainrule.training.plan import Plan, plan
from chainrule.training.populations import train
from chainrule.training.progress import Progress
from chainrule.training.resuming import Resume, digest, resumed
from chainrule.training.validation import validated


def fit(
    network: Layer | str,
    x: Any,
    y: Any = None,
    *,
    cost: Cost | str | None = None,
    optimizer: Any = "Adam()",
    regularizer: Regularizer | str | None = None,
    epochs: int = 50,
    batch_size: int | Literal["all"] | None = None,
    validation: float | tuple[Any, ...] | Loader | None = None,
    early_stopping: EarlyStopping | int | str | None = None,
    sample_weight: Any = None,
    metrics: Sequence[Metric | str] | None = None,
    callbacks: Iterable[Callback] = (),
    seed: int | Sequence[int] = 0,
    progress: bool = True,
    classes: tuple[Any, ...] | None = None,
    preprocessor: Preprocessor | None = None,
    after: Checkpoint | Sequence[Checkpoint] | None = None,
    checkpoint: Checkpoints | str | os.PathLike | None = None,
    resume: Resume = None,
    devices: int | Literal["all"] | Sequence[Any] | None = None,
    minutes: float | None = None,
) -> Model:
    """Train a network on examples, or a population of networks together.

    The same seed gives the same bits on the same machine, whatever is displayed. Ctrl-C ends training and returns what
    was trained so far (`model.history.stopped` is then "interrupted").

    A list or an array where a formula has a number (`Adam([0.001, 0.01])`, `Dropout([0.1, 0.5])`), or of seeds, makes a
    population: a network for each, trained together in one program, and a list of models is returned. What is given
    once is the same for all. Each is what its own `fit` makes, to rounding: its shuffles, noise and validation rows are
    those of its seed, it stops early by itself, and one that diverges keeps its last good parameters, with a warning.

    Args:
        network: a composition of layers, or its notation. The end that its targets need is added where it is open,
            with a warning: Softmax for classes, Sigmoid for two of them behind one output, Dense behind an activation.
        x: examples, (rows, …), finite numbers; a sparse matrix of SciPy is made dense a batch at a time. Sequences of
            unequal length are a list of arrays (steps, …), or a `Masked`. Examples larger than memory are a `Loader`,
            which gives the targets too; see `chainrule.loaders`.
        y: class numbers or names of classes (rows,), or values (rows,) or (rows, …, outputs). For outputs at each step,
            (rows, time) or (rows, time, outputs); of unequal length, a list of arrays or a `Masked`.
        cost: by default the one whose canonical activation ends the network (CategoricalCrossEntropy behind Softmax,
            CrossEntropy behind Sigmoid), else Quadratic.
        optimizer: a formula, its notation, or one of Optax's.
        regularizer: L1, L2, … or a sum of them, on the kernels; constraints too, such as MaxNorm(3), alone or added.
        epochs: how often every example is seen.
        batch_size: examples a step; 1 is stochastic descent, "all" batch gradient descent. By default 32, or "all" for
            an optimizer that asks for it.
        validation: what to measure on after each epoch: (x, y) or (x, y, weights), or a `Loader` of them, or the
            fraction of the rows to set apart.
        early_stopping: a rule, or its patience in epochs; needs validation, and returns the best epoch's parameters. It
            watches the validation cost, or any metric: `EarlyStopping(10, monitor=F1())`.
        sample_weight: how much each example counts, (rows,), or each of its steps, (rows, time).
        metrics: measured beside the cost; by default accuracy for classes.
        callbacks: called with an `EpochEnd` after each epoch; training stops when one returns True. Of a population,
            called for each network, whose `member` tells which, and which alone stops.
        seed: of the parameters' first values, the shuffles and the noise; a list of them makes a population.
        progress: whether to show a bar (in a terminal) or lines (elsewhere).
        classes: the names of the classes that the numbers in y stand for.
        preprocessor: kept in the model, so that it takes raw rows.
        after: the checkpoint of an earlier training with the same seed, to train `epochs` more: parameters, optimizer,
            noise and history go on as if that training had never ended. Of a population, a list of one for each.
        checkpoint: a folder in which the last two checkpoints are kept while the training goes on, one a minute, or
            `Checkpoints(folder, every="10m")`; and one when it ends, by Ctrl-C and SIGTERM too.
        resume: a checkpoint, its file, or the folder of some, to go on to the bits of the training that was never
            stopped, with everything else as it was said for that. True goes on from the folder of `checkpoint`, and
            begins where it is empty.
        devices: how many share each batch, "all", or a list of JAX's; by default there is one. They have the result of
            one to rounding, but for noise (`Dropout`), which each draws for its own rows. A CPU is one device.
        minutes: how many the training may take, compilation and validation included. It does as many of its epochs as
            there is room for, by the pace of those that are done, to which schedules of an open length are fitted again
            and again; in time it ends even within an epoch. Its bits then depend on the machine's pace.

    Returns:
        The trained model, with its history; of a population, a list of models.

    Raises:
        ChainruleError: for a choice, a shape or a value that does not fit.
        DivergedError: when the cost is no longer finite; its `model` has the last good parameters. Of a population,
            when every network has diverged.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 64)[:, None]
    >>> model = fit("Dense(1)", x, 2 * x + 1, optimizer="Momentum(0.1)", epochs=100, progress=False)
    >>> bool(abs(model.predict([[3.0]]) - 7) < 0.01)
    True
    >>> models = fit("Dense(1)", x, 2 * x + 1, optimizer="Momentum([0.001, 0.1])", epochs=100, progress=False)
    >>> models[0].history["cost"][-1] > models[1].history["cost"][-1]
    True
    """
    refuse_fork()
    began = time.perf_counter()
    callbacks, seeds, places = as_callbacks(callbacks), listed(seed, "seed"), listed(after, "after")
    planned = plan(
        network,
        x,
        y,
        cost=cost,
        optimizer=optimizer,
        regularizer=regularizer,
        epochs=epochs,
        batch_size=batch_size,
        validation=validation,
        early_stopping=early_stopping,
        sample_weight=sample_weight,
        metrics=metrics,
        seed=one_of(seed, seeds),
        classes=classes,
        preprocessor=preprocessor,
        after=one_of(after, places),
        devices=devices,
    )
    kept, population = as_checkpoints(checkpoint), members(planned, seeds, places, validation)
    if population and planned.devices:
        raise ArgumentError("{devices} are for one network, and here are {}. Leave them out.", len(population))
    minutes = as_minutes(minutes, "fit: minutes")
    if population and minutes is not None:
        raise ArgumentError("{minutes} are for one network, and here are {}. Leave them out.", len(population))
    place = placement(planned.devices)
    plans, file = resumed(population or [planned], resume, kept)
    start = plans[0].start
    budget = Budget(minutes, start.history.seconds if start else 0.0, lambda: place.agreed([time.perf_counter()])[0])
    place.check_alike(lambda: digest(planned, planned.identity, start and int(start.state.step)))
    data = cache(lambda: digest(plans[0]))
    if kept and not planned.in_memory:
        data()  # now, since a loader is read in one thread at a time
    keeper = Keeper(
        kept if place.leads else None,
        planned.steps,
        file,
        lambda checkpoints: to_bytes(checkpoints, len(plans), data(), planned.devices),
    )
    ctrl_c = Interrupt(*[signal.SIGTERM] * (kept is not None))
    if population:
        return train(plans, callbacks, keeper, ctrl_c, progress, began)  # type: ignore[return-value]
    return _train(plans[0], callbacks, keeper, ctrl_c, place, progress, began, budget)


def _train(
    planned: Plan,
    callbacks: Sequence[Callback],
    keeper: Keeper,
    ctrl_c: Interrupt,
    place: Placement,
    progress: bool,
    began: float,
    budget: Budget,
) -> Model:
    """The model of a plan, from its beginning or from where a checkpoint stands."""
    with ctrl_c:
        start, begun = planned.start, planned.begun
        prepared = planned.prepared(begun)
        visited = feed(prepared.examples, planned.shape, planned.batch_size, planned.seed, place)
        loop = Loop(planned.problem, visited, begun, start and start.records, place)
    records = Records(planned, loop.state, began)
    done = (planned.left.start - 1) * planned.steps + len(loop.records)
    rates_follow = bool(plateaus(planned.optimizer))
    shown = Progress(progress and place.leads, planned.epochs, planned.steps, planned.rows, lambda: ctrl_c.came, done)
    with ctrl_c, shown, keeper:

        def follow(epochs: float) -> float:
            """Have the next steps follow the history, and the time that is left once so many epochs are done."""
            room = budget.room(epochs, planned.epochs) if budget.is_limited else planned.epochs
            shown.planned(ceil(room))
            if budget.is_limited or rates_follow:
                loop.problem = replace(planned, epochs=room).problem_after(records.history)
            return room

        def on_chunk(epoch: int, step: int) -> None:
            shown.step(epoch, step)
            if keeper.checkpoints:
                keeper.reached(_alone(records.place(loop.state, loop.recorded)), epoch, step)
            ctrl_c.check(place.anywhere)
            epochs = epoch - 1 + step / planned.steps
            if budget.is_limited and step < planned.steps and follow(epochs) <= epochs:
                raise TimeUp

        def ended(epoch: Epoch) -> Stopped | None:
            shown.epoch(epoch.row)
            room = follow(epoch.number)
            return "time" if room < min(epoch.number + 1, planned.epochs) else None

        trained = loop.epochs(planned.left, on_chunk)
        try:
            told = observers(records, callbacks, ended)
            records.history.stopped = watched(validated(prepared, trained), told, records.history.stopped, place)
            last = records.place(loop.state, stopped=records.history.stopped)
            keeper.reached(_alone(last), len(records.history) + 1, 0)
        except KeyboardInterrupt:
            records.last, records.history.stopped = planned.published(loop.state), "interrupted"
        except TimeUp:
            records.last, records.history.stopped = planned.published(loop.state), "time"
        ctrl_c.noticed = True  # what was trained is not lost any more
        keeper.finish(records.history.stopped == "interrupted")
        records.history.seconds = records.seconds
        return records.model()


def _alone(checkpoint: Callable[[], Checkpoint]) -> Callable[[], list[Checkpoint]]:
    """What gives the checkpoint of one network, as those of all."""
    return lambda: [checkpoint()]
