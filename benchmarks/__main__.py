"""Chainrule beside its peers: `python -m benchmarks [--rounds 9] [--out FOLDER] [--readme] [NAME …]`."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.machine import description
from benchmarks.report import Report
from benchmarks.suite import WORKLOADS, measured


def main() -> int:
    """Measure the workloads whose titles contain one of the words given, or all; 1 where the costs differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Chainrule and its peers, taking turns.")
    parser.add_argument("names", nargs="*", help="parts of the workloads' titles")
    parser.add_argument("--rounds", type=int, default=9, help="counted rounds; the table shows their median")
    parser.add_argument("--without", action="append", default=[], metavar="PEER", help="a peer to leave out")
    parser.add_argument("--out", type=Path, help="a folder for results.md and results.json; what is there is kept")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    chosen = [t for t in WORKLOADS if not options.names or any(name.lower() in t.lower() for name in options.names)]
    if not chosen:
        parser.error(f"no workload is called {' or '.join(options.names)}. They are: {'; '.join(WORKLOADS)}.")
    found = Report(description(), WORKLOADS, options.out)
    print(found.heading(), flush=True)
    afresh = {"max_workers": 1, "max_tasks_per_child": 1, "mp_context": get_context("spawn")}
    with ProcessPoolExecutor(**afresh) as processes:  # one for each workload: none leaves the next its memory
        for title in chosen:
            try:
                found.add(title, processes.submit(measured, title, options.rounds, options.without).result())
            except ImportError as error:
                print(f"{title}: left out: {error}", file=sys.stderr)
            else:
                print(found.line(title), flush=True)
    print(found.summary())
    if options.readme:
        found.into_readme(Path("README.md"))
    return 1 if any(entry.differing for entry in found.entries.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
