"""What one takes along: the command line, a Python program, the model's file, the points."""

import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.model.file import to_bytes
from chainrule.playground.choices import Choices
from chainrule.playground.examples import NOTHING, held_out
from chainrule.playground.frames import framed
from chainrule.playground.session import Session


def taken(session: Session, asked: dict[str, Any]) -> dict[str, Any]:
    """All that is text."""
    choices = session.choices
    epochs = max(session.moment.rows if session.moment else 0, 1)
    how = session.examples.how if session.examples else NOTHING
    return {
        "kind": "taken",
        "command": command(choices, epochs, how),
        "program": program(choices, epochs, how),
        "size": how.get("size"),
    }


def file_taken(session: Session, asked: dict[str, Any]) -> bytes:
    """A file: the model as it stands, or the points; those of a table of one's own as the network sees them."""
    moment, found, training = session.moment, session.examples, session.training
    if moment is None or found is None or training is None:
        raise ChainruleError("Nothing is chosen yet.")
    if asked.get("what") == "model":
        content = b"".join([to_bytes(training.model())])
        return framed({"kind": "file", "ask": asked.get("ask"), "name": "model.safetensors"}, content=content)
    if len(found.shape) != 1:
        raise ChainruleError("Images are no points: take the files or the set that they came from.")
    name = f"{found.name}.csv" if session.choices.of_points else f"{Path(found.name).stem}-as-seen.csv"
    return framed({"kind": "file", "ask": asked.get("ask"), "name": name}, content=_csv(found))


def command(choices: Choices, epochs: int, how: Mapping[str, str] = NOTHING) -> str:
    """The command line that trains the same network on the same file.

    >>> print(command(Choices(), 5))
    chainrule train moons.csv --target y --network 'Dense(6) >> Tanh() >> Dense(4) >> Tanh()' --optimizer 'Adam(0.01)' \
--test 0.3 --validation 0 --epochs 5 --batch-size 16 --seed 0
    """
    ours = choices.of_points
    words = ["chainrule", "train", f"{choices.data}.csv" if ours else choices.data]
    words += ["--target", "y" if ours else choices.target] if ours or choices.target else []
    words += [word for name, value in how.items() for word in (f"--{name}", value)]
    words += [word for name in choices.drop.splitlines() for word in ("--drop", name)]
    words += ["--network", choices.network, "--optimizer", choices.optimizer]
    words += ["--cost", choices.cost] if choices.cost else []
    words += ["--regularizer", choices.regularizer] if choices.regularizer else []
    words += ["--test", f"{choices.test:g}", "--validation", "0", "--epochs", str(epochs)]
    return shlex.join([*words, "--batch-size", str(choices.batch), "--seed", str(choices.seed)])


def program(choices: Choices, epochs: int, how: Mapping[str, str] = NOTHING) -> str:
    """A Python program that trains what the page trains: on its points to the same bits."""
    if choices.of_points:
        held = held_out(choices)
        data = f"""
found = points({choices.data!r}, {choices.rows}, {choices.noise!r}, {choices.seed}, {choices.curve!r})
order = np.random.default_rng({choices.seed}).permutation({choices.rows})
test, train = np.split(order, [{held}])
x, y, classes, preprocessor = found.x, found.y, found.classes, None
"""
        imports = "import numpy as np\n\nfrom chainrule import fit\nfrom chainrule.data.points import points\n"
        parts = "x[train],\n    y[train]", "(x[test], y[test])"
    else:
        columns = f", target={choices.target!r}" if choices.target else ""
        columns += "".join(f", {name}={value!r}" for name, value in how.items())
        columns += f", drop={choices.drop.splitlines()!r}" if choices.drop else ""
        data = f"""
planned = runs.plan({choices.data!r}{columns}, test={choices.test!r}, validation=0, seed={choices.seed})
x, y, _ = planned.examples("train")
test = planned.examples("test")[:2]
preprocessor, classes = planned.preprocessor, planned.preprocessor.classes or None
"""
        imports = "from chainrule import fit, runs\n"
        parts = "x,\n    y", "test"
    chosen = [f"    {name}={getattr(choices, name)!r},\n" for name in ("cost", "regularizer") if getattr(choices, name)]
    return f"""{imports}{data}
model = fit(
    {choices.network!r},
    {parts[0]},
    optimizer={choices.optimizer!r},
{"".join(chosen)}    epochs={epochs},
    batch_size={choices.batch},
    validation={parts[1]},
    seed={choices.seed},
    classes=classes,
    preprocessor=preprocessor,
)
print(model.summary())
model.save("model.safetensors")
"""


def _csv(found: Any) -> bytes:
    """The examples as a file, those to train on first."""
    x, y = (np.concatenate([train, test]) for train, test in zip(found.train, found.test, strict=True))
    file = io.StringIO()
    file.write(",".join([f"x{place + 1}" for place in range(x.shape[1])] + ["y"]) + "\n")
    for row, target in zip(x, np.ravel(y), strict=True):
        said = target if found.classes is None else found.classes[int(target)]
        file.write(",".join([*(f"{value:.9g}" for value in row), str(said)]) + "\n")
    return file.getvalue().encode()
