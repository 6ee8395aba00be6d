import re

import pytest

from chainrule.activations import Activation
from chainrule.pictures import race
from chainrule.textbook.accuracy.measure import verifiable
from chainrule.textbook.accuracy.oracle import is_scalar


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Films of a few frames."""
    monkeypatch.setattr(race, "FRAMES", 3)


def test_the_first_example_of_the_help(run, here):
    said = run('plot Tanh Sigmoid ELU "LeakyReLU(0.2)" --derivative')
    assert said == (0, "4 formulas are drawn in Tanh-Sigmoid-ELU-LeakyReLU.png.\n", "")
    assert (here / "Tanh-Sigmoid-ELU-LeakyReLU.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")])
def test_kinds_of_files(run, here, name, start):
    assert run(f"plot ELU --from -1 --to 1 --out {name}").code == 0
    assert (here / name).read_bytes().startswith(start)


@pytest.mark.slow
def test_a_sheet_of_all_activations(run, here):
    said = run("plot activations --derivative --out sheet.svg")
    assert re.fullmatch(r"\d\d formulas are drawn in sheet\.svg\.\n", said.out)
    why = "note: left out, as they take several numbers at once or have a field without a default: "
    assert {"CReLU", "LogSoftmax", "Maxout", "Softmax", "Softmin", "Sparsemax"} <= {
        *said.err.removeprefix(why).removesuffix(".\n").split(", ")
    }
    scalar = [formula for formula in verifiable() if isinstance(formula, Activation) and is_scalar(formula)]
    drawn = (here / "sheet.svg").read_text()
    assert all(f"<!-- {type(formula).__name__} -->" in drawn for formula in scalar)


def test_schedules(run, here):
    assert run('plot "CosineDecay(0.1)" "StepDecay(0.1, 250)"').out.endswith("in CosineDecay-StepDecay.png.\n")


def test_a_race(run, here):
    said = run("plot GradientDescent Momentum --on ravine --steps 5 --out race.gif")
    assert said == (0, "2 formulas are drawn in race.gif.\n", "")
    assert (here / "race.gif").read_bytes().startswith(b"GIF89a")
    assert (
        run("plot Momentum --on saddle --steps 3 --published").out == "1 formula is drawn in Momentum-on-saddle.png.\n"
    )
    assert len(list(here.iterdir())) == 2


AN_OPTIMIZER = "Adam(learning_rate=0.001): an optimizer is drawn on a surface. Choose one: --on rosenbrock."
NO_CURVE = "expected an activation of one number, a schedule, or, with --on, an optimizer. Its formula is shown by:"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Adam Momentum", AN_OPTIMIZER),
        ("ELU Adam", AN_OPTIMIZER),
        ("Softmax", f"Softmax(): {NO_CURVE} chainrule show Softmax."),
        ("CrossEntropy", f"CrossEntropy(): {NO_CURVE} chainrule show CrossEntropy."),
        (
            'Adam ELU --on "saddle"',
            "ELU(alpha=1.0): expected an optimizer, as --on is a surface. Leave out --on to draw curves.",
        ),
        (
            'ELU "CosineDecay(0.1)"',
            "ELU(alpha=1.0) and CosineDecay(0.1): an activation and a schedule have no axis in common. "
            "Plot them apart.",
        ),
        ("Adam --on beal", "--on must be one of beale, rosenbrock, saddle, ravine, got beal. Did you mean beale?"),
        ("Elu", "Unknown formula 'Elu' in \"Elu\". Did you mean ELU?"),
        ("CosineDecay", 'CosineDecay: initial is missing in "CosineDecay": CosineDecay takes initial, final, steps.'),
        ("ELU --out a.gif", "--out must name a file that ends in .png, .svg or .pdf, got a.gif."),
        ("Adam --on saddle --out a", "--out must name a file that ends in .png, .svg, .pdf or .gif, got a."),
        ("ELU --from 1 --to 1", "--from must be below --to, got 1 and 1."),
        ("ELU --from nan", "--from must be below --to, got nan and 4."),
        ("ELU --steps 3", "--steps has no meaning without --on. See: chainrule plot --help."),
        ("Adam --on saddle --derivative", "--derivative has no meaning with --on. See: chainrule plot --help."),
        ("ELU --out no/a.png", "Can't write no/a.png: No such file or directory. Nothing was written."),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run, here, line, message):
    said = run(f"plot {line}")
    assert said == (2, "", f"chainrule: {message}\n")
    assert not list(here.iterdir())
