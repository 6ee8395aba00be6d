"""Chainrule beside its peers: `python -m benchmarks [--rounds 9] [--out FOLDER] [--readme] [NAME …]`."""

import argparse
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.activations import ACTIVATIONS, activation
from benchmarks.estimators import fits
from benchmarks.machine import description, limits
from benchmarks.measure import take_turns
from benchmarks.networks import CNN, LARGE, LOCAL, MLP, POOLED, SERIES, SMALL, SPOKEN, prediction, recurrent, step
from benchmarks.populations import population
from benchmarks.processes import digits, imports
from benchmarks.updates import OPTIMIZERS, update

SGD = "GradientDescent(0.01)"
WORKLOADS = {
    "MLP 784-256-128-10, batch 1": lambda: step(MLP, (784,), 1, 200, dense=True),
    "MLP 784-256-128-10, batch 32": lambda: step(MLP, (784,), 32, 200, dense=True),
    "MLP 784-256-128-10, batch 256": lambda: step(MLP, (784,), 256, 100, dense=True),
    "MLP 64-64-10, batch 1, gradient descent": lambda: step(SMALL, (64,), 1, 1347, optimizer=SGD, dense=True),
    "MLP 2048-2048-2048-10, batch 1024": lambda: step(LARGE, (2048,), 1024, 6),
    "CNN 32-64-64 on 28 × 28 × 1, batch 32": lambda: step(CNN, (28, 28, 1), 32),
    "CNN 32-64-64 on 28 × 28 × 1, batch 128": lambda: step(CNN, (28, 28, 1), 128),
    "CNN 32-64-64 on 32 × 32 × 3, batch 32": lambda: step(CNN, (32, 32, 3), 32),
    "CNN 32-64-64 on 32 × 32 × 3, batch 128": lambda: step(CNN, (32, 32, 3), 128),
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
    "64 networks of 64-64-10 at once, batch 32": lambda: population(64),
    **{f"{name.split('(')[0]}, 10 million parameters": lambda name=name: update(name) for name in OPTIMIZERS},
    **{f"{name}, 16 million numbers": lambda name=name: activation(name) for name in ACTIVATIONS},
    "prediction of one row by MLP 784-256-128-10": lambda: prediction(1, 200),
    "prediction of 100,000 rows by MLP 784-256-128-10": lambda: prediction(100_000, 1),
    "fit of an estimator to digits, 30 epochs": lambda: fits("digits"),
    "fit of an estimator to breast_cancer, 30 epochs": lambda: fits("breast_cancer"),
    "fit of an estimator to diamonds, 5 epochs": lambda: fits("diamonds"),
    "process: import": imports,
    "process: trains digits": lambda: digits(again=False),
    "process: trains digits, programs kept": lambda: digits(again=True),
}
"""What a unit of work is, by its title: a step of training, an update, a call, a fit or a process."""


def main() -> int:
    """Measure the workloads whose titles contain one of the words given, or all; 1 where the costs differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Chainrule and its peers, taking turns.")
    parser.add_argument("names", nargs="*", help="parts of the workloads' titles")
    parser.add_argument("--rounds", type=int, default=9, help="counted rounds; the table shows their median")
    parser.add_argument("--without", nargs="*", default=[], help="peers to leave out")
    parser.add_argument("--out", type=Path, help="a folder for the table, as results.md and results.json")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    chosen = [t for t in WORKLOADS if not options.names or any(name.lower() in t.lower() for name in options.names)]
    if not chosen:
        parser.error(f"no workload is called {' or '.join(options.names)}. They are: {'; '.join(WORKLOADS)}.")
    found = report.Report(description(), limits())
    print(found.heading(), flush=True)
    for title in chosen:
        workload = WORKLOADS[title]()
        try:
            made = workload.contestants()
        except ImportError as error:
            print(f"{title}: left out: {error}", file=sys.stderr)
            continue
        contestants = {name: work for name, work in made.items() if name not in options.without}
        found.add(title, workload, take_turns(contestants, workload.units, options.rounds))
        print(found.line(title), flush=True)
        if options.out is not None:
            found.write(options.out)
    print(found.summary())
    if options.readme:
        found.into_readme(Path("README.md"))
    return 1 if found.differing else 0


if __name__ == "__main__":
    sys.exit(main())
