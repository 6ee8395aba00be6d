"""What commands say is one line, without markup, whatever cells and names are in it."""

import itertools
import shlex
import sys

import numpy as np
import pytest

from chainrule.cli import output
from chainrule.notation import parse
from chainrule.runs.comparison.comparison import Comparison
from chainrule.runs.comparison.trial import Trial

QUICK = '--network "Dense(2) >> Softmax()" --epochs 1'
ODD = "[bold]a\x1b[31m\nb"


def test_a_name_is_no_markup(run, here):
    for command in ("show ELU --png", "plot ELU --out"):
        said = run(f"{command} '[bold]x.png'")
        assert (said.code, said.err) == (0, "")
        assert said.out.endswith(" drawn in [bold]x.png.\n")
    assert (here / "[bold]x.png").exists()


@pytest.mark.parametrize("terminal", [False, True])
def test_names_and_cells_are_escaped_wherever_they_stand(run, here, monkeypatch, terminal):
    monkeypatch.setenv("TERM", "dumb" if terminal else "unknown")
    rows = "".join(f'{n},"{ODD if n % 2 else "c"}",{"ab"[n % 3 == 0]}\n' for n in range(40))
    (here / "[red]d.csv").write_text(f'n,"{ODD}","k{ODD}"\n{rows}')
    trained = run(f"train '[red]d.csv' {QUICK} --out '[b]run'")
    assert (trained.code, trained.err) == (0, "")
    assert trained.out.startswith(r"[red]d.csv: 3 inputs → k[bold]a\x1b[31m\nb, 2 classes")
    assert trained.out.endswith(" s. All of it is in [b]run.\n")
    assert "\x1b" not in trained.out

    (here / "new.csv").write_text(f'n,"{ODD}"\n1,"\x07{"z" * 100}"\n')
    said = run("predict '[b]run' new.csv --out '[i]p.csv'")
    assert said.out == "1 prediction in [i]p.csv.\n"
    assert said.err.startswith(r"note: column '[bold]a\x1b[31m\nb': training never showed \x07zzzz")
    assert "z…z" in said.err
    assert len(said.err) < 250

    (here / "new.csv").write_text(f'n,"{ODD}"\n{"1" * 99}x,c\n')
    said = run("predict '[b]run' new.csv")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "1…1" in said.err


def test_words_of_a_command_are_cut_and_escaped(run, here):
    for words in (["train", ODD + "y" * 400], ["train", "iris", "--" + ODD + "y" * 4000], [ODD], ["show", ODD]):
        said = run(shlex.join(words))
        assert said.code == 2
        assert said.err[:-1].isprintable()
        assert len(said.err) < 1100


def test_a_comparison_of_sixty_has_room_in_eighty_columns(here, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    axes = {"activation": [f"Softplus({n})" for n in range(12)], "optimizer": [f"Nesterov({n})" for n in range(5)]}
    values = np.random.default_rng(0).normal(0.9, 0.01, (60, 3))
    rows = {"train": 1258, "validation": 180, "test": 359}
    trials = [
        Trial(
            dict(zip(axes, choices, strict=True)),
            seed,
            {"optimizer.learning_rate": 10.0 ** -(seed + 1)},
            {"accuracy": value},
            {},
            {},
            rows,
            30,
            0.5,
            0.2,
        )
        for choices, each in zip(itertools.product(*axes.values()), values, strict=True)
        for seed, value in enumerate(each)
    ]
    output.comparison(Comparison(tuple(trials), axes, parse("Accuracy()"), data=f"flowers of {ODD}"))
    said = capsys.readouterr().out
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0] == r"flowers of [bold]a\x1b[31m\nb: 60 candidates × 3 seeds"
    whole = [line for line in lines if "Softplus(" in line and "Nesterov(" in line and "0.001–0.1" in line]
    assert len(whole) == 60
    assert "\nactivation, over 5 choices of optimizer × 3 seeds\n" in said
    assert " ".join(lines[-4:]).startswith("Softplus(")
