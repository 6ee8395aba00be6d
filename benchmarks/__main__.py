"""Run the benchmarks and print one table: `python -m benchmarks [--rounds 15] [NAME …]`."""

import argparse

from benchmarks.activations import activation
from benchmarks.estimators import fits
from benchmarks.layers import cnn, embedding, local, recurrent
from benchmarks.measure import take_turns
from benchmarks.startup import imports
from benchmarks.training import mlp, stochastic

WORKLOADS = {
    "MLP 784-256-128-10, batch 32: a step": lambda: mlp(32),
    "MLP 784-256-128-10, batch 256: a step": lambda: mlp(256),
    "MLP 64-64-10, batch 1: a step": stochastic,
    "CNN 32-64-64 on 28 × 28, batch 32: a step": lambda: cnn(32),
    "CNN 32-64-64 on 28 × 28, batch 128: a step": lambda: cnn(128),
    "LSTM 64→128, 100 steps, batch 32: a step": lambda: recurrent("LSTM", 32, 100, 64, 128),
    "LSTM 32→64, 200 steps, batch 16: a step": lambda: recurrent("LSTM", 16, 200, 32, 64),
    "GRU 64→128, 100 steps, batch 32: a step": lambda: recurrent("GRU", 32, 100, 64, 128),
    "GRU 32→64, 200 steps, batch 16: a step": lambda: recurrent("GRU", 16, 200, 32, 64),
    "LocallyConnected2D 16 × 16 × 16 → 32, batch 64: a step": local,
    "Embedding 20,000 × 64, pooled, batch 32: a step": embedding,
    "estimator, digits: a fit of 30 epochs": lambda: fits("digits"),
    "estimator, breast_cancer: a fit of 30 epochs": lambda: fits("breast_cancer"),
    "estimator, diamonds: a fit of 5 epochs": lambda: fits("diamonds"),
    "import: a process": imports,
} | {
    f"activations: {name} of 16 million numbers{title}": lambda name=name, derivative=derivative: activation(
        name, derivative
    )
    for name in ("Tanh", "Sigmoid", "Softplus", "ELU")
    for title, derivative in (("", False), (", with derivatives", True))
}


def main() -> None:
    """Measure the workloads whose names contain one of the words given, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Chainrule and its peers, taking turns.")
    parser.add_argument("names", nargs="*", help="parts of the workloads' names")
    parser.add_argument("--rounds", type=int, default=15, help="counted rounds; the table shows their median")
    options = parser.parse_args()
    print("| workload | library | median | fastest – slowest | times ours |\n| --- | --- | ---: | ---: | ---: |")
    for title, workload in WORKLOADS.items():
        if options.names and not any(name.lower() in title.lower() for name in options.names):
            continue
        results = take_turns(*workload(), options.rounds)
        ours = next(iter(results.values())).median
        for name, result in results.items():
            spread = f"{_time(result.fastest)} – {_time(result.slowest)}"
            print(f"| {title} | {name} | {_time(result.median)} | {spread} | {result.median / ours:.2f} |", flush=True)


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} µs" if seconds < 0.01 else f"{seconds:.3f} s"


main()
