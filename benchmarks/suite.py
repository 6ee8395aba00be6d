"""All workloads, and how one is measured."""

from benchmarks.activations import ACTIVATIONS, activation
from benchmarks.comparisons import afresh, comparison
from benchmarks.estimators import fits
from benchmarks.machine import limits, products, sums
from benchmarks.measure import take_turns
from benchmarks.networks import (
    CNN,
    LARGE,
    LOCAL,
    MLP,
    NORMALIZED,
    POOLED,
    RESIDUAL,
    SEGMENTER,
    SEPARABLE,
    SERIES,
    SMALL,
    SPOKEN,
    STACKED,
    TRANSFORMER,
    WIDE,
    recurrent,
    step,
)
from benchmarks.populations import population
from benchmarks.predictions import GRU, of_table, prediction
from benchmarks.processes import digits, imports
from benchmarks.report import Entry
from benchmarks.updates import OPTIMIZERS, update

SGD = "GradientDescent(0.01)"
WORKLOADS = {
    "MLP 784-256-128-10, batch 1": lambda: step(MLP, (784,), 1, 500, dense=True),
    "MLP 784-256-128-10, batch 32": lambda: step(MLP, (784,), 32, 200, dense=True),
    "MLP 784-256-128-10, batch 256": lambda: step(MLP, (784,), 256, 100, dense=True),
    "MLP 64-64-10, batch 1, gradient descent": lambda: step(SMALL, (64,), 1, 1347, optimizer=SGD, dense=True),
    "MLP 256-1024-1024-10, batch 128": lambda: step(WIDE, (256,), 128, 100),
    "MLP 2048-2048-2048-10, batch 1024": lambda: step(LARGE, (2048,), 1024, 6),
    "CNN 32-64-64 on 28 × 28 × 1, batch 32": lambda: step(CNN, (28, 28, 1), 32),
    "CNN 32-64-64 on 28 × 28 × 1, batch 128": lambda: step(CNN, (28, 28, 1), 128),
    "CNN 32-64-64 on 32 × 32 × 3, batch 32": lambda: step(CNN, (32, 32, 3), 32),
    "CNN 32-64-64 on 32 × 32 × 3, batch 128": lambda: step(CNN, (32, 32, 3), 128),
    "depthwise separable CNN 32-64-64 on 32 × 32 × 3, batch 32": lambda: step(SEPARABLE, (32, 32, 3), 32),
    "CNN 32-64-64 with BatchNorm on 32 × 32 × 3, batch 32": lambda: step(NORMALIZED, (32, 32, 3), 32),
    "residual network 32-64 on 32 × 32 × 3, batch 32": lambda: step(RESIDUAL, (32, 32, 3), 32),
    "ConvTranspose2D, a class for each pixel of 32 × 32 × 3, batch 32": lambda: step(SEGMENTER, (32, 32, 3), 32),
    "Conv1D 32-64 on series of 512 × 16, batch 32": lambda: step(SERIES, (512, 16), 32),
    "LocallyConnected2D 16 × 16 × 16 → 32, batch 64": lambda: step(LOCAL, (16, 16, 16), 64),
    "Embedding 20,000 × 64, pooled, 100 tokens, batch 32": lambda: step(POOLED, (100,), 32),
    "Embedding 20,000 × 64 and GRU 64, 100 tokens, batch 32": lambda: step(SPOKEN, (100,), 32),
    **{
        f"{kind} {features}→{units}, {time} steps, batch {batch}": (
            lambda layer=f"{kind}({units}{options})", batch=batch, time=time, features=features: recurrent(
                layer, batch, time, features
            )
        )
        for kind, options in {"RNN": "", "LSTM": "", "GRU": ", reset_after=True"}.items()
        for batch, time, features, units in ((32, 100, 64, 128), (64, 50, 128, 256), (16, 200, 32, 64))
    },
    "transformer, 2 blocks of 128 with 4 heads, 64 steps, batch 32": lambda: step(TRANSFORMER, (64, 128), 32),
    "two LSTM 256, 50 steps of 128, batch 64": lambda: step(STACKED, (50, 128), 64),
    "64 networks of 64-64-10 at once, batch 32": lambda: population(64),
    **{f"{name.split('(')[0]}, 10 million parameters": lambda name=name: update(name) for name in OPTIMIZERS},
    **{f"{name}, 16 million numbers": lambda name=name: activation(name) for name in ACTIVATIONS},
    "prediction of one row by MLP 784-256-128-10": lambda: prediction(MLP, 1, 2000),
    "prediction of 100 rows by MLP 784-256-128-10": lambda: prediction(MLP, 100, 200),
    "prediction of 100,000 rows by MLP 784-256-128-10": lambda: prediction(MLP, 100_000, 1),
    "prediction of one row by CNN 32-64-64 on 28 × 28 × 1": lambda: prediction(CNN, 1, 1000),
    "prediction of 100 rows by CNN 32-64-64 on 28 × 28 × 1": lambda: prediction(CNN, 100, 20),
    "prediction of one row by GRU 64→128, 100 steps": lambda: prediction(GRU, 1, 500),
    "prediction of 100 rows by GRU 64→128, 100 steps": lambda: prediction(GRU, 100, 20),
    "prediction of one raw row of a table of 8 columns": lambda: of_table(1, 2000),
    "prediction of 10,000 raw rows of a table of 8 columns": lambda: of_table(10_000, 2),
    "fit of an estimator to digits, 30 epochs": lambda: fits("digits"),
    "fit of an estimator to breast_cancer, 30 epochs": lambda: fits("breast_cancer"),
    "fit of an estimator to diamonds, 5 epochs": lambda: fits("diamonds"),
    "comparison of 9 candidates from 10 seeds on digits": comparison,
    "process: import": imports,
    "process: trains digits": lambda: digits(again=False),
    "process: trains digits, programs kept": lambda: digits(again=True),
    "process: compares 9 candidates from 10 seeds on digits": afresh,
}
"""What a unit of work is, by its title: a step of training, an update, a call, a fit or a process."""


def measured(title: str, rounds: int, without: list[str]) -> Entry:
    """A workload's results. The machine's limits take their turns too, since its speed is not the same all the time."""
    workload = WORKLOADS[title]()
    machine = ({"products": products()} if workload.flops else {}) | ({"sums": sums()} if workload.moved else {})
    contestants = {name: work for name, work in workload.contestants().items() if name not in without}
    found = take_turns(contestants | machine, workload.units, rounds * workload.turns)
    limit = limits(
        *(found.pop(name).median * workload.units if name in machine else 0.0 for name in ("products", "sums"))
    )
    works = ((workload.flops, limit.flops), (workload.moved, limit.bandwidth))
    return Entry(found, max((work / speed for work, speed in works if work), default=0.0), limit)
