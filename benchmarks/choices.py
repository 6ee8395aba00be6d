"""What the choices of each family do on three real data sets: `python -m benchmarks.choices [--out FILE] [FAMILY …]`.

Each network is trained once a seed, which draws its first values, its shuffles and the quarter of the rows that it
never sees; the figure is that of these rows after the last epoch. Nothing is chosen by it: no rate, no epoch.
"""

import argparse
import json
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

from chainrule import fit
from chainrule.errors import DivergedError
from chainrule.formula.base import Formula, fields
from chainrule.notation.families import members
from chainrule.optimizers import Optimizer
from chainrule.textbook.page import with_defaults

SEEDS = 10
EPOCHS = 40
RATES = (0.0001, 0.001, 0.01, 0.1, 1.0)


class Data(NamedTuple):
    """A data set as networks take it, and how a network of it ends."""

    x: np.ndarray
    y: np.ndarray
    end: str
    figure: str


@cache
def data(name: str) -> Data:
    """Inputs of mean 0 and variance 1, values likewise; the scales are those of all rows."""
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    x = StandardScaler().fit_transform(x).astype(np.float32)
    if name == "diabetes":
        return Data(x, StandardScaler().fit_transform(y[:, None])[:, 0].astype(np.float32), "Dense(1)", "r2")
    return Data(x, y, f"Dense({len(set(y.tolist()))}) >> Softmax()", "accuracy")


SETS = ("digits", "breast_cancer", "diabetes")


def figures(of: Data, network: str, **options: Any) -> list[float]:
    """The figure of each seed on the rows that its network has not seen; NaN where training diverged."""
    choices = {"epochs": EPOCHS, "validation": 0.25, "seed": [*range(SEEDS)], "progress": False} | options
    metrics = {"accuracy": "Accuracy()", "r2": "R2()"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that one of them diverged
            models = fit(f"{network} >> {of.end}", of.x, of.y, metrics=[metrics[of.figure]], **choices)
    except DivergedError:  # of all of them
        return [float("nan")] * len(choices["seed"])
    return [
        float("nan") if history.stopped == "diverged" else float(history[f"validation_{of.figure}"][-1])
        for history in (model.history for model in models)  # type: ignore[attr-defined]
    ]


Row = tuple[str, Callable[[Data], list[float]]]


def activations() -> Iterator[Row]:
    """Two hidden layers of 64 with each activation that has defaults."""
    for made in defaults("activations"):
        if type(made).__name__ not in ("Softmax", "Softmin", "LogSoftmax", "Sparsemax"):
            network = f"Dense(64) >> {made!r} >> Dense(64) >> {made!r}"
            yield repr(made), lambda of, network=network: figures(of, network)


def initializers() -> Iterator[Row]:
    """Eight hidden layers of 64 with ReLU, whose kernels begin with each initialiser."""
    for made in defaults("initializers"):
        if type(made).__name__ == "Dirac":  # of convolutions alone
            continue
        network = " >> ".join([f"Dense(64, kernel_initializer={made!r}) >> ReLU()"] * 8)
        yield repr(made), lambda of, network=network: figures(of, network)


def optimizers() -> Iterator[Row]:
    """Two hidden layers of 64 with ReLU, by each optimizer at its published rate and at the best of some others."""
    network = "Dense(64) >> ReLU() >> Dense(64) >> ReLU()"
    rules = [made for made in defaults("optimizers") if isinstance(made, Optimizer)]
    for made in rules:
        yield repr(made), lambda of, made=made: figures(of, network, optimizer=made)
    for rule in (type(made) for made in rules if "learning_rate" in [field.name for field in fields(made)]):
        yield f"{rule.__name__}, best rate", lambda of, rule=rule: best_rate(of, network, rule)


def best_rate(of: Data, network: str, rule: type[Formula]) -> list[float]:
    """The figures at the rate whose mean is best, of seeds that are not those of the table."""
    others = [*range(SEEDS, SEEDS + 3)]
    rates = np.repeat(RATES, len(others))
    tried = figures(of, network, optimizer=rule(rates), seed=others * len(RATES))
    means = np.mean(np.reshape(tried, (len(RATES), len(others))), axis=1)
    best = RATES[int(np.argmax(np.nan_to_num(means, nan=-np.inf)))]
    return figures(of, network, optimizer=rule(best))


def penalties() -> Iterator[Row]:
    """Two hidden layers of 64 with ReLU, held back in several ways."""
    network = "Dense(64) >> ReLU() >> Dense(64) >> ReLU()"
    yield "nothing", lambda of: figures(of, network)
    for strength in (0.0001, 0.001, 0.01):
        for name in ("L1", "L2", "GroupLasso"):
            chosen = f"{name}({strength})"
            yield chosen, lambda of, chosen=chosen: figures(of, network, regularizer=chosen)
    for noise in ("Dropout(0.2)", "Dropout(0.5)", "GaussianNoise(0.2)", "GaussianDropout(0.2)"):
        noisy = f"Dense(64) >> ReLU() >> {noise} >> Dense(64) >> ReLU() >> {noise}"
        yield noise, lambda of, noisy=noisy: figures(of, noisy)
    for norm in ("BatchNorm()", "LayerNorm()", "RMSNorm()"):
        normal = f"Dense(64) >> {norm} >> ReLU() >> Dense(64) >> {norm} >> ReLU()"
        yield norm, lambda of, normal=normal: figures(of, normal)


def costs() -> Iterator[Row]:
    """Two hidden layers of 64 with ReLU, trained for each cost behind what fits it."""
    network = "Dense(64) >> ReLU() >> Dense(64) >> ReLU()"
    for figure, head, cost in COSTS:

        def row(of: Data, figure: str = figure, head: str = head, cost: str = cost) -> list[float]:
            end = " >> ".join(filter(None, (of.end.split(" >> ")[0], head)))
            return figures(of._replace(end=end), network, cost=cost) if of.figure == figure else []

        yield f"{cost} behind {head}" if head else cost, row


COSTS = [
    *(("accuracy", "Softmax()", cost) for cost in ("CategoricalCrossEntropy()", "Quadratic()", "KullbackLeibler()")),
    ("accuracy", "Softmax()", "CategoricalCrossEntropy(smoothing=0.1)"),
    ("accuracy", "Softmax()", "Hellinger()"),
    ("accuracy", "Sigmoid()", "CrossEntropy()"),
    ("accuracy", "Sparsemax()", "SparsemaxCost()"),
    *(("r2", "", cost) for cost in ("Quadratic()", "AbsoluteError()", "Huber()", "LogCosh()", "Quantile(0.5)")),
]

FAMILIES: dict[str, Callable[[], Iterator[Row]]] = {
    "activations": activations,
    "initializers": initializers,
    "optimizers": optimizers,
    "penalties": penalties,
    "costs": costs,
}


def defaults(family: str) -> list[Formula]:
    """Each formula of a family that its bare name makes."""
    return [made for kind in members(family) if (made := with_defaults(kind)) is not None]


USUAL = {
    "activations": ["ReLU()"],
    "initializers": ["GlorotUniform()"],
    "optimizers": ["Adam(learning_rate=0.001)"],
    "penalties": ["nothing"],
    "costs": ["CategoricalCrossEntropy() behind Softmax()", "Quadratic()"],
}
"""The rows that the others of a family are compared with, on each data set the first that has it."""

CODE = re.compile(r"\w+\([^)]*\)|\w+(?=,)")
"""What is notation in a row's name."""

SURE = 4
"""How many standard errors a difference is told from: one in three hundred is as large by chance, of ten seeds."""


def table(rows: dict[str, dict[str, list[float]]], usual: list[str]) -> str:
    """Mean and standard deviation over the seeds; an arrow where a row surely differs from the usual one, in bold."""

    def cell(found: list[float], beside: list[float]) -> str:
        if not found:
            return ""
        good = [value for value in found if np.isfinite(value)]
        lost = f", {len(found) - len(good)} diverged" if len(good) < len(found) else ""
        shown = f"{np.mean(good):.3f} ± {np.std(good):.3f}{lost}" if good else "diverged"
        return f"{arrow(found, beside)} {shown}".strip().replace("-", "−").replace(" ", "\u00a0")

    lines = [f"| | {' | '.join(SETS).replace('_', ' ')} |", f"| --- |{' ---: |' * len(SETS)}"]
    for name, found in rows.items():
        besides = [next(rows[row][each] for row in usual if rows[row][each]) for each in SETS]
        cells = [cell(found.get(each, []), beside) for each, beside in zip(SETS, besides, strict=True)]
        shown = CODE.sub(lambda code: f"`{code[0]}`", name)
        lines.append(f"| {f'**{shown}**' if name in usual else shown} | {' | '.join(cells)} |")
    return "\n".join(lines)


def arrow(found: list[float], beside: list[float]) -> str:
    """Whether figures are surely higher or lower than those of the same seeds beside them."""
    gains = np.subtract(found, beside)
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    return "↑" if gains.mean() > SURE * error else "↓" if gains.mean() < -SURE * error else ""


def main() -> None:
    """Measure the families, or those named, into a file that keeps what was measured before; print their tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.choices")
    parser.add_argument("families", nargs="*", choices=[[], *FAMILIES], default=[])
    parser.add_argument("--out", type=Path, default=Path("choices.json"))
    options = parser.parse_args()
    known = json.loads(options.out.read_text()) if options.out.exists() else {}
    for family in options.families or FAMILIES:
        rows = known.setdefault(family, {})
        for name, row in FAMILIES[family]():
            for each in SETS:
                if each not in rows.setdefault(name, {}):
                    rows[name][each] = row(data(each))
                    options.out.write_text(json.dumps(known, indent=1))
            print(f"{name}: {rows[name]}", file=sys.stderr, flush=True)
        ordered = {name: rows[name] for name, _ in FAMILIES[family]()}
        print(f"## {family}\n\n{table(ordered, USUAL[family])}\n")


if __name__ == "__main__":
    main()
