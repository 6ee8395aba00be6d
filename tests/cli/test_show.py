import re
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from chainrule.notation.families import FAMILIES, members

PAGE = """\
ELU   Exponential linear unit: smooth, and saturating at −alpha.

         ⎧x           for x > 0
  f(x) = ⎨
         ⎩α (eˣ − 1)  otherwise

          ⎧1     for x > 0
  f′(x) = ⎨
          ⎩α eˣ  otherwise

"""

ENDS = """\
field     default  allowed       meaning
alpha  α  1.0      a number > 0  minus the value that it approaches far below 0

Often misprinted as max(x, alpha (eˣ − 1)), which is wrong above 0. The derivative at 0 is alpha.

Reference  Clevert, Unterthiner & Hochreiter, 2015, Fast and accurate deep network learning by exponential linear \
units, arXiv:1511.07289.
Notation   ELU(alpha=1.0)
"""


@pytest.mark.parametrize("words", ["LSTM", '"LSTM(3)"', "Conv2D", "Adam", '"OneCycle(0.1)"'])
def test_numbers_and_notations_are_not_broken_at_80_columns(run, monkeypatch, words):
    whole = run(f"show {words}").out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    narrow = re.sub(r"\x1b\[[\d;]*m", "", run(f"show {words}").out)
    table = narrow[narrow.index("\nfield ") :]
    assert max(map(len, narrow.splitlines())) <= 80
    assert not re.search(r"[<>=](?=\s)(?! \d)", table.split("\nparameter ")[0].split("\n\n")[0])
    for piece in ("Orthogonal(gain=1.0)", "GlorotUniform()", "0.001", "1e-08", "0.0"):
        assert whole.count(piece) == narrow.count(piece)


def test_a_default_is_shown_where_the_value_is_another(run):
    rows = {line.split()[0]: line.split()[1:4] for line in run('show "Adam(0.1)"').out.splitlines() if line}
    assert rows["learning_rate"] == ["η", "0.1", "0.001"]
    assert rows["beta1"][:2] == ["β₁", "0.9"]
    assert rows["beta1"][2] != "0.9"


def test_the_example_of_the_help(run):
    said = run("show ELU")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(PAGE)
    assert said.out.endswith(ENDS)
    assert "⠋" in said.out


@pytest.mark.parametrize("family", FAMILIES)
def test_a_formula_of_every_family(run, family):
    formula = members(family)[-1]
    said = run(f"show {formula.__name__}")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{formula.__name__}   {formula.title()}")
    assert not any(line.endswith(" ") for line in said.out.splitlines())


def test_notation_gives_its_values(run):
    said = run('show "LeakyReLU(0.2)"')
    assert "⎩0.2 x  otherwise" in said.out
    assert "field  value  default" in said.out
    assert "slope  0.2    0.01" in said.out


def test_a_network_shows_its_layers(run):
    said = run('show "Dense(64) >> ReLU()"').out
    assert "Dense(64)\n  y = x W + b\n\nReLU()\n  f(x) = max(0, x)\n" in said


def test_branches_are_shown_by_their_letters(run):
    said = run('show "Identity() * (Dense(3) >> Tanh())"').out
    assert "  y = f₁(x) f₂(x)\n\nf₁ = Identity()\n  f(x) = x\n\nf₂ = Dense(3) >> Tanh()\n" in said
    assert said.endswith("Notation   Identity() * (Dense(3) >> Tanh())\n")


def test_lines_of_one_row_stand_together(run):
    assert "  v ← γ v + η g\n  θ ← θ − v\n\n" in run("show Momentum").out


def test_what_a_cost_becomes_behind_its_canonical_activation(run):
    assert "  behind Sigmoid:\n  ∂J/∂zₖ = aₖ − Eₖ\n" in run("show CrossEntropy").out


@pytest.mark.parametrize("width", [40, 80, 120])
def test_in_a_terminal_it_fits_its_width(run, monkeypatch, width):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    for name in ("ELU", "LSTM", "Conv2D"):
        said = re.sub(r"\x1b\[[\d;]*m", "", run(f"show {name}").out)
        assert max(map(len, said.splitlines())) <= width


def test_latex(run):
    said = run("show Momentum --latex")
    assert said.out == (
        "\\begin{aligned}\n    v &\\leftarrow \\gamma \\, v + \\eta \\, g \\\\\n"
        "    \\theta &\\leftarrow \\theta - v\n\\end{aligned}\n"
    )


def test_mathml(run):
    first, second = run("show Sigmoid --mathml").out.splitlines()
    assert ElementTree.fromstring(first).tag.endswith("math")
    assert "".join(ElementTree.fromstring(second).itertext()) == "f′(x)=e−x(1+e−x)2"


def test_png(run, here):
    said = run("show Sigmoid --png sigmoid.png")
    assert said == (0, "Sigmoid is drawn in sigmoid.png.\n", "")
    assert (here / "sigmoid.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Sigmoit", "There is no formula 'Sigmoit'. Did you mean Sigmoid? They are listed by: chainrule list."),
        ("LReLU", "There is no formula 'LReLU'. Here that is LeakyReLU(). They are listed by: chainrule list."),
        ("qqq", "There is no formula 'qqq'. They are listed by: chainrule list."),
        ('"ELU(beta=1)"', "ELU has no field 'beta': ELU takes alpha."),
        ('"ELU(-1)"', "ELU: alpha must be a number > 0, got -1. The default is 1.0."),
        ('"1 + 1"', 'Can\'t read "1 + 1": + composes formulas, and 1 is none.'),
        ("ELU --png elu.jpg", "--png must name a file that ends in .png, got elu.jpg."),
        ("ELU --png no/elu.png", "Can't write no/elu.png: No such file or directory. Nothing was written."),
        ("ELU --latex --mathml", "--latex, --mathml and --png are three ways of saying the same. Choose one."),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run, here, line, message):
    said = run(f"show {line}")
    assert said == (2, "", f"chainrule: {message}\n")
    assert not list(here.iterdir())
