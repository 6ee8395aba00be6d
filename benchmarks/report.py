"""What was measured, as a table (Markdown) and as data (JSON)."""

import json
import os
import re
import statistics
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import Limits
from benchmarks.measure import Result
from benchmarks.workload import Workload

LIBRARIES = ("Chainrule", "PyTorch", "torch.compile", "Keras", "Flax", "scikit-learn", "skorch")
TOLERANCE = 2e-3  # how far first costs may differ: of a GRU without a second bias, of an RNN with one too many
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


class Report:
    """The results of a run, one workload after another.

    Attributes:
        machine: what it is.
        limits: what it can do at best.
        differing: the contestants whose first figure was another than ours: they did other work.
    """

    def __init__(self, machine: dict[str, str], limits: Limits) -> None:
        self.machine, self.limits = machine, limits
        self.results: dict[str, dict[str, Result]] = {}
        self.fractions: dict[str, float | None] = {}
        self.differing: list[str] = []

    def add(self, title: str, workload: Workload, results: dict[str, Result]) -> None:
        """Take in what was measured of a workload."""
        self.results[title] = results
        least = max(workload.flops / self.limits.flops, workload.moved / self.limits.bandwidth)
        self.fractions[title] = least / results["Chainrule"].median if least else None
        ours = results["Chainrule"].figure
        for library, result in results.items():
            if ours is not None and result.figure is not None and abs(result.figure - ours) > TOLERANCE * abs(ours):
                self.differing.append(f"{title}: {library} came to {result.figure:.6g}, Chainrule to {ours:.6g}")

    def lead(self, title: str) -> float:
        """The best peer's time in ours."""
        ours, *peers = self.results[title].values()
        return min(peer.median for peer in peers) / ours.median

    def heading(self) -> str:
        """The table's first lines."""
        columns = [*LIBRARIES, "best peer ÷ Chainrule", "of the limit"]
        return f"| workload | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}"

    def line(self, title: str, spread: bool = True) -> str:
        """A workload's line: medians with half their range, the lead, and how near the limit we are."""
        results, fraction = self.results[title], self.fractions[title]
        times = [_time(results[library], spread) if library in results else "" for library in LIBRARIES]
        cells = [*times, f"{self.lead(title):.2f}", "" if fraction is None else f"{fraction:.0%}"]
        return f"| {title} | {' | '.join(cells)} |"

    def summary(self) -> str:
        """The machine, its limits, and all workloads in one figure."""
        leads = [self.lead(title) for title in self.results]
        behind = [title for title in self.results if self.lead(title) < 1]
        lines = [
            f"The best peer's time is {statistics.geometric_mean(leads):.2f} times ours in the geometric mean of "
            f"{len(leads)} workloads. Behind the best peer: {'; '.join(behind) or 'none'}.",
            f"The limits: {self.limits.flops / 1e9:.0f} GFLOP/s in a product of matrices, "
            f"{self.limits.bandwidth / 1e9:.1f} GB/s from and to memory.",
            ", ".join(f"{name} {value}" for name, value in self.machine.items()) + ".",
            *(f"Not the same work: {line}." for line in self.differing),
        ]
        return "\n" + "\n\n".join(lines)

    def write(self, folder: Path) -> None:
        """`results.md` and `results.json`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).date().isoformat()
        table = "\n".join([self.heading(), *map(self.line, self.results), self.summary()])
        data = {
            "date": now,
            "machine": self.machine,
            "limits": self.limits._asdict(),
            "unit": "seconds",
            "workloads": {
                title: {
                    "libraries": {library: result._asdict() for library, result in results.items()},
                    "best peer / Chainrule": self.lead(title),
                    "of the limit": self.fractions[title],
                }
                for title, results in self.results.items()
            },
        }
        for name, text in (("results.md", f"{now}\n\n{table}\n"), ("results.json", json.dumps(data, indent=1))):
            part = folder / f"{name}.partial"
            part.write_text(text, encoding="utf-8")
            os.replace(part, folder / name)

    def into_readme(self, readme: Path) -> None:
        """The table in the place of README's."""
        table = "\n".join([self.heading(), *(self.line(title, spread=False) for title in self.results)])
        text = readme.read_text(encoding="utf-8")
        readme.write_text(re.sub(r"\| workload \| (.*\n\|)*.*", lambda old: table, text), encoding="utf-8")


def _time(result: Result, spread: bool) -> str:
    size, unit = next((u for u in UNITS if result.median >= u[0]), UNITS[-1])
    half = (result.slowest - result.fastest) / 2 / result.median
    return f"{result.median / size:.3g} {unit}" + (f" ±{half:.0%}" if spread else "")
