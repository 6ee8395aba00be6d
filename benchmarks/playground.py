"""The playground beside `fit`: first pictures, pictures, bytes and steps a second, with 60 units that learn spirals.

A first picture is counted from the click on Run, and from the choice of another activation, which compiles.
`python -m benchmarks.playground [--rounds 3]` takes two minutes. The page's part is played by a socket that says of
each picture at once that it is drawn; the server and `fit` each have a process of their own and take turns.
"""

# pyright: reportMissingImports=false

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple

NETWORK = "Dense(30) >> Tanh() >> Dense(30) >> Tanh()"
SECONDS, BEGUN = 8.0, 1.5
"""How long is measured, and how much before that is not."""
KEPT = "JAX_COMPILATION_CACHE_DIR"
"""The variable that would have programs kept from one process to the next."""
SERVE = "from chainrule.cli import main; main()"


class Seen(NamedTuple):
    """What a page sees of a training that runs."""

    first: float
    chosen: float
    pictures: float
    kilobytes: float
    steps: float


@contextmanager
def served() -> Iterator[str]:
    """A playground of its own, by its address."""
    command = [sys.executable, "-c", SERVE, "playground", "--no-browser"]
    environment = {name: value for name, value in os.environ.items() if name != KEPT}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()


def page(address: str) -> Seen:
    """One tab: from the click to the first picture that has learned, some seconds, and another activation."""
    from websockets.sync.client import connect

    origin, _, token = address.partition("/?token=")
    socket = f"{origin.replace('http', 'ws')}/socket?token={token}"
    with connect(socket, origin=origin, max_size=None) as link:  # type: ignore[arg-type]

        def picture() -> tuple[int, int, int]:
            """Of the next picture the training's number, its steps, and the bytes."""
            while True:
                message = link.recv()
                if isinstance(message, bytes):
                    header = json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])
                    if header["kind"] == "picture":
                        link.send(json.dumps({"do": "drawn"}))
                        return header["training"], header["steps"], len(message)

        link.send(json.dumps({"do": "choose", "choices": {"network": NETWORK, "data": "spirals"}}))
        picture()
        time.sleep(3)  # as one looks at the page before one clicks
        clicked = time.perf_counter()
        link.send(json.dumps({"do": "run"}))
        while picture()[1] == 0:
            pass
        first = time.perf_counter() - clicked
        while time.perf_counter() - clicked < BEGUN:
            _, begin, _ = picture()
        began, count, size = time.perf_counter(), 0, 0
        while time.perf_counter() - began < SECONDS:
            number, end, length = picture()
            count, size = count + 1, size + length
        seconds = time.perf_counter() - began
        link.send(json.dumps({"do": "pause"}))
        time.sleep(1)
        clicked = time.perf_counter()
        link.send(json.dumps({"do": "choose", "choices": {"network": NETWORK.replace("Tanh", "GELU")}}))
        while picture()[0] == number:
            pass
        chosen = time.perf_counter() - clicked
        return Seen(first, chosen, count / seconds, size / seconds / 1000, (end - begin) / seconds)


def fitted() -> float:
    """Steps a second of `fit`, which learns and measures the same without a page."""
    command = [sys.executable, "-m", "benchmarks.playground", "--fit"]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def _fit() -> float:
    import numpy as np

    from chainrule import fit
    from chainrule.data.points import points

    found = points("spirals", 300, 0.1, 0)
    test, train = np.split(np.random.default_rng(0).permutation(300), [90])
    ends: list[float] = []

    def end(row: Any) -> bool:
        ends.append(time.perf_counter())
        return ends[-1] - ends[0] > BEGUN + SECONDS

    fit(
        NETWORK,
        found.x[train],
        found.y[train],
        optimizer="Adam(0.01)",
        batch_size=16,
        validation=(found.x[test], found.y[test]),
        classes=found.classes,
        epochs=10**6,
        callbacks=[end],
        progress=False,
    )
    counted = [at for at in ends if at - ends[0] > BEGUN]
    return 14 * (len(counted) - 1) / (counted[-1] - counted[0])


def main() -> None:
    """Measure in turns, and print each and the medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.playground", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fit", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        print(_fit())
        return
    shown = (
        "first picture after Run {:.2f} s, after another activation {:.2f} s; {:.1f} pictures/s, {:.0f} kB/s, "
        "{:,.0f} steps/s; fit {:,.0f} steps/s: {:.0%}"
    )
    turns = []
    with served() as address:
        for _ in range(options.rounds):
            seen, alone = page(address), fitted()
            turns.append((*seen, alone, seen.steps / alone))
            print(shown.format(*turns[-1]), flush=True)
    print("median:", shown.format(*map(median, zip(*turns, strict=True))))


if __name__ == "__main__":
    main()
