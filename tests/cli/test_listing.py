import re
import sys

import pytest
from rich.cells import cell_len

from chainrule.cli.output import NOTATION
from chainrule.notation import formulas
from chainrule.notation.families import FAMILIES, kinships, members


def test_every_formula_has_one_line(run):
    said = run("list")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert [line for line in lines if line and line[0] != " "] == list(FAMILIES)
    listed = [re.match(r" {4}(\w+)\(", line)[1] for line in lines if line.startswith("    ")]
    written = {name for name, formula in formulas().items() if formula.__module__.startswith("chainrule.")}
    assert len(listed) == len(set(listed))
    assert set(listed) >= written


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family(run, family):
    lines = run(f"list {family}").out.splitlines()
    assert lines[0] == family
    formulas = [line.split("(")[0].strip() for line in lines if line.startswith("    ")]
    assert sorted(formulas) == sorted(one.__name__ for one in members(family))
    assert lines[-1] == ""


def test_formulas_of_a_kinship_stand_below_what_they_are(run):
    kinships = run("list optimizers").out.split("\n  ")[1:]
    [descent] = [each for each in kinships if each.startswith("Descent: a step against the gradient")]
    assert kinships[kinships.index(descent) + 1].startswith("  GradientDescent(")


def test_words_find_formulas(run):
    lines = run("list heavy ball").out.splitlines()
    assert lines == [
        "heavy ball",
        "    Momentum  A heavy ball: the velocity v gathers gradients and loses a part of itself at each step.",
    ]
    assert run("show 'heavy-ball'").out.splitlines()[1:] == lines[1:]
    message = f"chainrule: There is no family 'layer'. Did you mean layers? They are {', '.join(FAMILIES)}.\n"
    assert run("list layer") == (2, "", message)
    assert run("list zzz").err == message.replace("'layer'. Did you mean layers?", "'zzz'.")


def test_a_line_tells_the_fields_and_the_mathematics(run):
    said = run("list activations").out
    assert re.search(r"\n    ELU\(alpha=1.0\) +f\(x\) = x for x > 0, α \(eˣ − 1\) otherwise\n", said)
    assert re.search(r"\n    L2\(strength\) +R = λ Σⱼ wⱼ²\n", run("list regularizers").out)
    assert re.search(r"\n    Momentum\(.*\) +v ← γ v \+ η g; θ ← θ − v\n", run("list optimizers").out)


def test_where_no_terminal_is_the_mathematics_stand_below_each_other_and_nothing_is_cut(run):
    for family in FAMILIES:
        lines = run(f"list {family}").out.splitlines()[1:-1]
        assert "…" not in "".join(lines)
        lines = [line.removeprefix("    ") for line in lines if line.startswith("    ")]
        shown = [re.search(r"(?<=\S)  +(?=\S)", line) for line in lines if len(line.split("  ")[0]) <= NOTATION]
        assert len({gap.end() for gap in shown if gap}) <= 1  # those of other tests may have no mathematics


@pytest.mark.parametrize("width", [40, 80, 120])
def test_in_a_terminal_lines_are_cut_to_its_width(run, monkeypatch, width):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in run("list optimizers").out.splitlines()]
    assert len(lines) == len(members("optimizers")) + len(kinships("optimizers")) + 2
    assert max(map(cell_len, lines)) == width  # the hat of m̂ takes no place of its own
    assert any("θ ← θ" in line for line in lines)
    assert all(line.rstrip()[-1] == "…" for line in lines if cell_len(line.rstrip()) == width)
