"""Trainings killed by SIGKILL at random moments, which must go on to the bytes of the ones that nobody killed.

    python tests/faults/campaign.py --kills 100 [--seed 0] [--case mlp --case cnn …]

A training runs in a process of its own, which kills itself at a random moment of its time, while it trains, keeps
checkpoints, saves, measures or draws; or at one of its steps; or at one of its file operations. It is then resumed, and
killed again as often as chance will have it, until it is whole.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CHILD = """
import os, signal, sys, threading, time
from pathlib import Path
sys.path.insert(0, {here!r})
import campaign, chainrule.training.loop
chainrule.training.loop.CHUNK = 0.02  # seconds between two places; no bit depends on it
campaign.arm({kind!r}, {amount!r})
{code}
campaign.finished()
"""
OPERATIONS = ("fsync", "replace", "unlink")
LOG = "campaign.log"


@dataclass(frozen=True)
class Case:
    """A training.

    Attributes:
        prepare: makes its data in a folder.
        begin, go_on: code that trains, and that resumes it.
        out: where it leaves its files, or the one file.
    """

    prepare: Callable[[Path], None]
    begin: str
    go_on: str
    out: str = "run"


def command(*words: str) -> str:
    """Code that runs a command, and goes on behind it."""
    return f"""
from chainrule.cli import main
try:
    main({list(words)!r})
except SystemExit as end:
    assert not end.code, end.code
"""


def trained(data: str, *words: str, prepare: Callable[[Path], None] = lambda place: None) -> Case:
    """The case of a run."""
    often = ("--checkpoint", "3 steps")
    return Case(
        prepare,
        command("train", data, *words, "--out", "run", *often),
        command("train", "--resume", "run", *often),
    )


def table(place: Path) -> None:
    """Numbers and two classes."""
    numbers = np.random.default_rng(0).normal(size=(400, 4)).round(3)
    rows = [f"{','.join(map(str, row))},{'yes' if row[0] * row[1] > 0 else 'no'}\n" for row in numbers]
    (place / "table.csv").write_text("a,b,c,d,kind\n" + "".join(rows))


def texts(place: Path) -> None:
    """Texts of unequal length, and two classes."""
    draw = np.random.default_rng(0)
    words = np.array([f"word{n}" for n in range(30)])
    rows = [draw.choice(words, draw.integers(2, 20)) for _ in range(300)]
    lines = [f"{' '.join(row)},{'yes' if 'word1' in row else 'no'}\n" for row in rows]
    (place / "texts.csv").write_text("text,kind\n" + "".join(lines))


LIBRARY = """
import numpy as np
from chainrule import loaders
from chainrule.training import Checkpoints, fit
draw = np.random.default_rng(0)
x = draw.normal(size=(500, 4)).astype(np.float32)
model = fit(
    "Dense(16) >> BatchNorm() >> ReLU() >> Dense(1)", loaders.from_arrays(x, x[:, :1] * x[:, 1:2], size=90),
    optimizer="ClipNorm(1.0) >> AdamW(OneCycle(0.01))", regularizer="L1(0.001)", epochs=8, validation=(x, x[:, :1]),
    early_stopping=5, batch_size=16, progress=False, checkpoint=Checkpoints("kept", every="3 steps"), resume=True,
)
model.save("model.safetensors")
"""

POPULATION = """
from pathlib import Path
import numpy as np
from chainrule.model.file import to_bytes
from chainrule.training import Checkpoints, fit
draw = np.random.default_rng(0)
x = draw.normal(size=(300, 4)).astype(np.float32)
models = fit(
    "Dense(8) >> ReLU() >> Dropout([0.0, 0.1, 0.2, 0.5]) >> Dense(2) >> Softmax()", x, (x[:, 0] > x[:, 1]).astype(int),
    optimizer="Adam([0.001, 0.003, 0.01, 0.03])", seed=[0, 1, 2, 3], epochs=12, validation=0.2, early_stopping=3,
    batch_size=16, progress=False, checkpoint=Checkpoints("kept", every="3 steps"), resume=True,
)
Path("models.part").write_bytes(b"".join(map(to_bytes, models)))
Path("models.part").replace("models")
"""

CASES = {
    "mlp": trained(
        "table.csv", "--network", "Dense(32) >> ReLU() >> Dropout(0.3) >> Dense(2) >> Softmax()", "--epochs", "25",
        "--optimizer", "Adam(CosineDecay(0.01))", "--early-stopping", "20", "--batch-size", "16", prepare=table,
    ),
    "cnn": trained(
        "digits", "--network", "Conv2D(8, 3) >> BatchNorm() >> ReLU() >> MaxPool2D(2) >> Flatten() >> Dense(10) >> "
        "Softmax()", "--epochs", "5", "--optimizer", "Nesterov(StepDecay(0.05, every=100))",
    ),
    "gru": trained(
        "texts.csv", "--words", "text", "--network", "Embedding(40, 8, padding_id=0) >> GRU(12) >> Dropout(0.2) >> "
        "Dense(2) >> Softmax()", "--epochs", "12", "--balanced", prepare=texts,
    ),
    "stream": trained(
        "table.csv", "--stream", "--network", "Dense(16) >> ReLU() >> Dense(2) >> Softmax()", "--epochs", "20",
        "--batch-size", "16", prepare=table,
    ),
    "loader": Case(lambda place: None, LIBRARY, LIBRARY, "model.safetensors"),
    "population": Case(lambda place: None, POPULATION, POPULATION, "models"),
}  # fmt: skip


# In the process that trains


def arm(kind: str, amount: float) -> None:
    """Have this process killed after some seconds of training, or at a step or a file operation; or count them."""
    began: list[float] = []
    count = Counter[str]()

    def counted(what: str, name: str) -> None:
        count[what] += 1
        if kind == what and count[what] == amount:
            die(name)

    for name in OPERATIONS:
        setattr(os, name, _around(getattr(os, name), lambda name=name: counted("operations", name)))

    def claimed() -> None:
        if not began:
            began.append(time.perf_counter())
            if kind == "seconds":
                _after(amount, lambda: die("seconds"))

    from chainrule import runs
    from chainrule.training.keeping import Keeper
    from chainrule.training.progress import Progress

    runs.carry_out = _around(runs.carry_out, claimed)
    Keeper.__init__ = _around(Keeper.__init__, claimed)
    Progress.step = _around(Progress.step, lambda: counted("steps", "a step"))
    arm.found = lambda: {"seconds": time.perf_counter() - began[0], **count}  # type: ignore[attr-defined]


def finished() -> None:
    """Tell how long it took, and how many operations."""
    Path(LOG).write_text(json.dumps(arm.found()))  # type: ignore[attr-defined]


def die(where: str) -> None:
    """Leave this process as a power cut would."""
    descriptor = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, json.dumps({"killed": where}).encode())
    os.kill(os.getpid(), 9)


def _around(function: Callable[..., Any], before: Callable[[], None]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        before()
        return function(*arguments, **named)

    return call


def _after(seconds: float, action: Callable[[], None]) -> None:
    import threading

    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


# Around it


def run(case: Case, place: Path, code: str, kind: str = "none", amount: float = 0) -> tuple[int, str, dict[str, Any]]:
    """What a training in a process of its own ends with, says, and tells of itself."""
    (place / LOG).unlink(missing_ok=True)
    script = CHILD.format(here=str(Path(__file__).parent), kind=kind, amount=amount, code=code)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "XDG_CACHE_HOME": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=place, env=environment, capture_output=True, text=True, timeout=300
    )
    told = json.loads((place / LOG).read_text()) if (place / LOG).exists() else {}
    return done.returncode, done.stderr, told


def left(case: Case, place: Path) -> dict[str, Any]:
    """What a training left, but what tells of seconds."""
    out = place / case.out
    if out.is_file():
        return {out.name: out.read_bytes()}
    found: dict[str, Any] = {path.name: path.read_bytes() for path in out.iterdir() if path.name != "manifest.json"}
    found["metrics.json"] = {**json.loads(found["metrics.json"]), "seconds": 0}
    return found


def phase(case: Case, place: Path) -> str:
    """Where a killed training stood, by what it left."""
    out = place / case.out
    if (place / "kept").exists() or out.is_file():
        return "saved" if out.is_file() else "training" if any((place / "kept").iterdir()) else "before a checkpoint"
    if not out.is_dir():
        return "before its folder"
    names = {path.name for path in out.iterdir()}
    if '"files"' in (out / "manifest.json").read_text():
        return "measuring"
    if names & {"model.safetensors", "history.csv"}:
        return "saving"
    return "training" if any(name.startswith("checkpoint-") for name in names) else "before a checkpoint"


def killed_and_resumed(
    case: Case, place: Path, whole: dict[str, Any], usual: dict[str, Any], draw: random.Random
) -> list[str]:
    """Kill a training, and each process that resumes it, as chance will have it; the phases in which it was killed.

    Args:
        case: what is trained.
        place: an empty folder.
        whole: what is left where nobody kills it.
        usual: how many seconds, steps and operations that takes.
        draw: chance.

    Raises:
        AssertionError: where it does not go on, or to other bytes.
    """
    case.prepare(place)
    code, phases = case.begin, []
    while True:
        spared = len(phases) > 0 and draw.random() < 0.4
        kind = "none" if spared else draw.choice([*usual])
        amount = 0 if spared else draw.uniform(0, usual[kind]) if kind == "seconds" else draw.randint(1, usual[kind])
        ended, said, told = run(case, place, code, kind, amount)
        if ended == -9:
            phases.append(f"{phase(case, place)}, {'at a moment' if kind == 'seconds' else 'at ' + told['killed']}")
            code = case.go_on
            continue
        if code == case.go_on and ("holds no run to go on with" in said or "run.toml is missing" in said):
            assert phases[-1].startswith(("before a checkpoint", "before its folder")), said
            code = case.begin
            continue
        if code == case.go_on and "is finished" in said:
            ended = 0
        assert ended == 0, (phases, said)
        found = left(case, place)
        assert found.keys() == whole.keys(), (phases, found.keys() ^ whole.keys())
        assert found == whole, (phases, [name for name in whole if found[name] != whole[name]])
        return phases


def campaign(kills: int, seed: int, names: list[str], tell: Callable[[str], Any] = print) -> Counter[str]:
    """Kill trainings until so many were killed, the cases taking turns; how often in which phase."""
    draw, count = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        known = {}
        for name in names:
            place = Path(folder, name)
            place.mkdir()
            CASES[name].prepare(place)
            ended, said, told = run(CASES[name], place, CASES[name].begin)
            assert ended == 0, said
            known[name] = left(CASES[name], place), told
            tell(f"{name}: {told['seconds']:.1f} s, {told['steps']} looks, {told['operations']} file operations")
        number = 0
        while count.total() < kills:
            name, number = names[number % len(names)], number + 1
            with tempfile.TemporaryDirectory() as place:
                phases = killed_and_resumed(CASES[name], Path(place), *known[name], draw)
            count.update(f"{name}: {phase}" for phase in phases)
            tell(f"{count.total():>4} kills  {name}, the same bytes after {len(phases)}: {'; '.join(phases)}")
    return count


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", action="append", choices=[*CASES])
    chosen = parser.parse_args()
    began = time.monotonic()
    found = campaign(chosen.kills, chosen.seed, chosen.case or [*CASES], lambda line: print(line, flush=True))
    for phase_name, times in sorted(found.items()):
        print(f"{times:>4}  {phase_name}")
    print(f"{found.total()} kills in {time.monotonic() - began:.0f} s: every training was resumed to the same bytes")
