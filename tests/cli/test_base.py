import pytest


@pytest.mark.parametrize(
    ("command", "option", "times"),
    [
        ("train flowers.csv --out a --out b", "--out", 2),
        ("train flowers.csv --seed 1 --epochs 1 --seed=1 --seed 2", "--seed", 3),
        ("train flowers.csv --balanced --balanced", "--balanced", 2),
        ("evaluate run flowers.csv --all --all", "--all", 2),
        ("predict run flowers.csv --out a --out a", "--out", 2),
        ("summary 'Dense(2)' --input 3 --input 4", "--input", 2),
        ("show Tanh --png a --png b", "--png", 2),
        ("verify Tanh --sample 2 --sample 3", "--sample", 2),
        ("plot Tanh --on 0:1 --on 0:2", "--on", 2),
    ],
)
def test_what_counts_once_is_given_once(run, here, command, option, times):
    assert run(command) == (2, "", f"chainrule: {option} can be given once, got {times} times.\n")
    assert list(here.iterdir()) == []


def test_what_may_be_repeated_is(run, here):
    assert "There is no file" in run("train flowers.csv --drop a --drop b --metric F1 --metric MAE").err
