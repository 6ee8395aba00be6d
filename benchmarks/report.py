"""What was measured, as a table (Markdown) and as data (JSON)."""

import json
import os
import re
import statistics
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import Limits
from benchmarks.measure import Result

LIBRARIES = ("Chainrule", "ONNX Runtime", "PyTorch", "torch.compile", "Keras", "Flax", "scikit-learn", "skorch")
TOLERANCE = 2e-3  # how far first costs may differ: of a GRU without a second bias, of an RNN with one too many
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


class Entry(NamedTuple):
    """A workload's results, and what the machine could do in the same rounds."""

    results: dict[str, Result]
    least: float
    """Seconds that a unit would take at that limit; 0 where none is known."""
    limits: Limits

    @property
    def ours(self) -> Result:
        """Our own result."""
        return self.results["Chainrule"]

    @property
    def lead(self) -> float:
        """The best peer's time in ours."""
        return min(result.median for name, result in self.results.items() if name != "Chainrule") / self.ours.median

    @property
    def differing(self) -> list[str]:
        """Who came to another figure than ours: they did other work."""
        mine = self.ours.figure or 0.0
        others = {name: result.figure for name, result in self.results.items() if result.figure is not None}
        far = {name: figure for name, figure in others.items() if abs(figure - mine) > TOLERANCE * abs(mine)}
        return [f"{name} came to {figure:.6g}, Chainrule to {mine:.6g}" for name, figure in far.items()]


class Report:
    """The results of workloads, in the order of their titles; those of an earlier run in a folder stay until replaced.

    Attributes:
        machine: what it is.
        entries: the results by title.
    """

    def __init__(self, machine: dict[str, str], titles: Iterable[str], folder: Path | None = None) -> None:
        self.machine, self.titles, self.folder = machine, list(titles), folder
        self.entries: dict[str, Entry] = {}
        if folder is not None and (folder / "results.json").exists():
            earlier = json.loads((folder / "results.json").read_text(encoding="utf-8"))["workloads"]
            self.entries = {title: _entry(kept) for title, kept in earlier.items() if title in self.titles}

    def add(self, title: str, entry: Entry) -> None:
        """Take in what was measured of a workload, and write it where there is a folder."""
        self.entries[title] = entry
        self.entries = {title: self.entries[title] for title in self.titles if title in self.entries}
        if self.folder is not None:
            self._write(self.folder)

    def heading(self) -> str:
        """The table's first lines."""
        columns = [*LIBRARIES, "best peer ÷ Chainrule", "of the limit"]
        return f"| workload | {' | '.join(columns)} |\n| --- |{' ---: |' * len(columns)}"

    def line(self, title: str, spread: bool = True) -> str:
        """A workload's line: medians with half their range, the lead, and how near the limit we are."""
        entry = self.entries[title]
        times = [_time(entry.results[name], spread) if name in entry.results else "" for name in LIBRARIES]
        near = f"{entry.least / entry.ours.median:.0%}" if entry.least else ""
        return f"| {title} | {' | '.join([*times, f'{entry.lead:.2f}', near])} |"

    def summary(self) -> str:
        """The machine, and all workloads in one figure."""
        leads = {title: entry.lead for title, entry in self.entries.items()}
        behind = [title for title, lead in leads.items() if lead < 1]
        ratios = {name: self._ratios(name) for name in LIBRARIES[1:]}
        peers = [f"{name} {statistics.geometric_mean(each):.2f}" for name, each in ratios.items() if each]
        others = [f"{title}: {one}" for title, entry in self.entries.items() for one in entry.differing]
        flops, bandwidth = zip(*(entry.limits for entry in self.entries.values()), strict=True)
        lines = [
            f"The best peer's time is {statistics.geometric_mean(leads.values()):.2f} times ours in the geometric mean "
            f"of {len(leads)} workloads ({', '.join(peers)}). Behind the best peer: {'; '.join(behind) or 'none'}.",
            f"The limits, taking turns with each workload: {_range(flops)} GFLOP/s in a product of matrices, "
            f"{_range(bandwidth)} GB/s from and to memory.",
            ", ".join(f"{name} {value}" for name, value in self.machine.items()) + ".",
            *(f"Not the same work: {other}." for other in others),
        ]
        return "\n" + "\n\n".join(lines)

    def into_readme(self, readme: Path) -> None:
        """The table in the place of README's."""
        table = "\n".join([self.heading(), *(self.line(title, spread=False) for title in self.entries)])
        text = readme.read_text(encoding="utf-8")
        readme.write_text(re.sub(r"\| workload \| (.*\n\|)*.*", lambda old: table, text), encoding="utf-8")

    def _ratios(self, name: str) -> list[float]:
        """A peer's times in ours."""
        both = [entry for entry in self.entries.values() if name in entry.results]
        return [entry.results[name].median / entry.ours.median for entry in both]

    def _write(self, folder: Path) -> None:
        """`results.md` and `results.json`, whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).date().isoformat()
        table = "\n".join([self.heading(), *map(self.line, self.entries), self.summary()])
        workloads = {
            title: {
                "libraries": {name: result._asdict() for name, result in entry.results.items()},
                "least": entry.least,
                "limits": entry.limits._asdict(),
                "best peer / Chainrule": entry.lead,
            }
            for title, entry in self.entries.items()
        }
        data = {"date": now, "machine": self.machine, "unit": "seconds", "workloads": workloads}
        for name, text in (("results.md", f"{now}\n\n{table}\n"), ("results.json", json.dumps(data, indent=1))):
            part = folder / f"{name}.partial"
            part.write_text(text, encoding="utf-8")
            os.replace(part, folder / name)


def _entry(kept: dict) -> Entry:
    results = {name: Result(**result) for name, result in kept["libraries"].items()}
    return Entry(results, kept["least"], Limits(**kept["limits"]))


def _range(values: Sequence[float]) -> str:
    known = [value / 1e9 for value in values if value] or [0.0]
    low, high = f"{min(known):.0f}", f"{max(known):.0f}"
    return low if low == high else f"{low} to {high}"


def _time(result: Result, spread: bool) -> str:
    size, unit = next((u for u in UNITS if result.median >= u[0]), UNITS[-1])
    half = (result.slowest - result.fastest) / 2 / result.median
    return f"{result.median / size:.3g} {unit}" + (f" ±{half:.0%}" if spread else "")
