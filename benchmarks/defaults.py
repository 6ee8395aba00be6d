"""Untuned trainings side by side on the collection: `python -m benchmarks.defaults [--times] [--table] …`."""

import argparse
import subprocess
import sys
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from benchmarks.collection import SETS, CollectionError, Set
from benchmarks.defaults_page import page
from benchmarks.machine import description
from benchmarks.standings import OURS, Outcome, Standings
from benchmarks.untuned import ENTRANTS, LIBRARIES, OF_KIND

RESULTS = Path(__file__).with_name("results") / "defaults.json"
SEEDS = 5


def main() -> int:
    """Measure what is not measured yet, and keep each outcome as it comes; 1 where a set is not to be had."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.defaults", description="Untuned trainings.")
    parser.add_argument("--part", choices=["choose", "report"], default="report", help="of the collection [report]")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="some of them, whichever their part")
    parser.add_argument("--kind", choices=[*OF_KIND], help="only sets of a kind")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"divisions of the rows [{SEEDS}, for times 1]")
    parser.add_argument("--without", action="append", default=[], choices=[*ENTRANTS], help="leave an entrant out")
    parser.add_argument("--again", action="append", default=[], choices=[*ENTRANTS], help="measure an entrant anew")
    parser.add_argument(
        "--out", type=Path, default=RESULTS, metavar="FILE", help=f"where outcomes are kept [{RESULTS.name}]"
    )
    parser.add_argument(
        "--times",
        action="store_true",
        help="measure seconds on a quiet machine: outcomes are kept apart, for them alone",
    )
    parser.add_argument("--table", action="store_true", help="only write docs/defaults.md of what is kept")
    options = parser.parse_args()
    if unknown := [name for name in options.sets or () if name not in SETS]:
        parser.error(f"there is no set {unknown[0]!r}. They are: {', '.join(SETS)}.")
    seeds = (1 if options.times else SEEDS) if options.seeds is None else options.seeds
    if seeds < 1:
        parser.error(f"--seeds must be 1 or more, got {seeds}.")
    standings, times = Standings(options.out), Standings(options.out.with_stem(f"{options.out.stem}_times"))
    if options.table:
        if not any(who == OURS for _, who, _ in standings.outcomes):
            parser.error(f"{options.out} has no outcome of {OURS}. Measure first: leave --table out.")
        Path("docs/defaults.md").write_text(page(standings, times), encoding="utf-8")
        return 0
    chosen = [SETS[name] for name in options.sets or SETS]
    chosen = [one for one in chosen if options.sets or one.part == options.part]
    chosen = [one for one in chosen if options.kind in (None, one.kind)]
    kept = times if options.times else standings
    return measure(kept, chosen, seeds, set(options.without), set(options.again))


def measure(standings: Standings, sets: list[Set], seeds: int, without: set[str], again: set[str]) -> int:
    """Each division of each set in a process of its own, in which the entrants take turns; another one begins each."""
    machine, stamps, code = description(), {who: stamp(who) for who in ENTRANTS}, 0
    afresh = {"max_workers": 1, "max_tasks_per_child": 1, "mp_context": get_context("spawn")}
    with ProcessPoolExecutor(**afresh) as processes:
        for seed in range(seeds):
            for one in sets:
                turns = [who for who in OF_KIND[one.kind] if who not in without]
                turns = [who for who in turns if who in again or (one.name, who, seed) not in standings.outcomes]
                turns = turns[seed % len(turns) :] + turns[: seed % len(turns)] if turns else []
                try:
                    found = processes.submit(trained, one.name, turns, seed, stamps).result() if turns else []
                except CollectionError as error:
                    print(error, file=sys.stderr)
                    code = 1
                    continue
                for outcome in found:
                    standings.add(outcome, machine)
                    shown = outcome.error or f"{outcome.score:.4f}"
                    print(f"{one.name}, seed {seed}: {outcome.entrant} {shown}, {outcome.seconds:.1f} s", flush=True)
    return code


def trained(name: str, turns: list[str], seed: int, stamps: dict[str, str]) -> list[Outcome]:
    """What entrants come to on a division of a set, one after another."""
    one, found = SETS[name], []
    train, test = one.divided(seed)
    for who in turns:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of trainings that end before they converge, as untuned ones do
            try:
                score, seconds = ENTRANTS[who](one, train, test, seed)
            except Exception as error:  # is an outcome: whoever brings these data gets it too
                traceback.print_exc()
                found.append(Outcome(name, who, seed, None, 0.0, stamps[who], f"{type(error).__name__}: {error}"))
            else:
                found.append(Outcome(name, who, seed, float(f"{score:.6g}"), float(f"{seconds:.4g}"), stamps[who]))
    return found


def stamp(who: str) -> str:
    """What is measured: ours by its commit, a peer by its library's version."""
    library = LIBRARIES[who]
    if who != OURS:
        return f"{library} {version(library)}"
    commit, changes = (
        subprocess.run(["git", *asked.split()], capture_output=True, text=True, check=False).stdout.strip()
        for asked in ("describe --always", "status --porcelain src")
    )
    return f"{library} {commit or version(library)}{'-dirty' if changes else ''}"


if __name__ == "__main__":
    sys.exit(main())
