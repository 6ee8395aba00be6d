import re
import sys

import jax.numpy as jnp
import pytest

from chainrule.activations import ELU
from chainrule.textbook.accuracy import measure as measuring

EXPECTED = (
    "expected an activation of one number or of a row, such as ELU() or Softmax(), or a cost with a canonical "
    "activation, such as CrossEntropy()"
)


def test_one_formula(run):
    said = run("verify ELU --sample 1000003")
    assert (said.code, said.err) == (0, "")
    head, _, row = said.out.split("\n")[1:4]
    assert head.split() == ["formula", "value", "error", "at", "derivative", "error", "at", "bound"]
    assert re.fullmatch(r"ELU\(alpha=1\.0\) +0\.\d+ +\S.* +0\.\d+ +\S.* +2 +ok", row.rstrip())


def test_with_values(run):
    said = run('verify "LeakyReLU(0.2)" --sample 1000003')
    assert said.code == 0
    assert "LeakyReLU(slope=0.2)" in said.out


def test_several(run):
    said = run('verify Identity ReLU "LeakyReLU(0.2)" --sample 10000019')
    assert said.code == 0
    rows = [line.split()[0] for line in said.out.splitlines()[3:6]]
    assert rows == ["Identity()", "ReLU()", "LeakyReLU(slope=0.2)"]
    assert run("verify Identity Dense --sample 10000019").code == 2


def test_all_of_them(run, monkeypatch):
    formulas = [formula for formula in measuring.verifiable() if type(formula).__name__ in ("ReLU", "Identity")]
    monkeypatch.setattr(measuring, "verifiable", lambda: formulas)
    said = run("verify --sample 10000019")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()[3:5]] == ["Identity()", "ReLU()"]


def test_a_broken_formula_fails(run, monkeypatch):
    monkeypatch.setattr(ELU, "__call__", lambda self, x: jnp.where(x > 0, x, jnp.exp(jnp.minimum(x, 0)) - 1))
    said = run("verify ELU --sample 1000003")
    assert said.code == 1
    assert "broken" in said.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ELUU", "Unknown formula 'ELUU' in \"ELUU\". Did you mean ELU?"),
        ('"Dense(3)"', f"Dense(3): {EXPECTED}; Dense is neither."),
        ("Quadratic", f"Quadratic(): {EXPECTED}; this cost has none."),
        ("APL", f"APL(hinges=5): {EXPECTED}; its a and b are drawn."),
        ("CReLU", f"CReLU(): {EXPECTED}; its outputs are not its inputs, one by one."),
        ("ELU --sample 0", "--sample must be a whole number from 1 to 2147483648, got 0."),
        ("ELU --sample many", "--sample must be a whole number from 1 to 2147483648, got many."),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, words, message):
    said = run(f"verify {words}")
    assert (said.code, said.out, said.err) == (2, "", f"chainrule: {message}\n")


def test_in_a_terminal_there_is_a_bar(run, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    said = run("verify Identity --sample 10000019")
    assert said.code == 0
    assert "Identity()" in said.out
    assert "ok" in said.out
