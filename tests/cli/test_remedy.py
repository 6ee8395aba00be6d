from pathlib import Path

import pytest

from chainrule.cli.remedy import mended
from chainrule.errors import ChainruleError


def test_a_choice_that_may_be_made_once_takes_the_place_of_the_other():
    error = ChainruleError("d: no. Mend it", target="b", drop=["c"])
    for before in (["--target", "a"], ["--target=a"]):
        words = ["train", "d.csv", *before, "--drop", "a"]
        assert mended(error, words) == ("d: no. Mend it, or run: chainrule train d.csv --drop a --target b --drop c")


@pytest.mark.parametrize("name", ["Release Date", "it's", "$HOME", "a;b", 'say "x"', "*", "-x"])
def test_the_command_that_is_named_mends(run, here: Path, name):
    import csv
    import shlex

    with open("d.csv", "w", newline="") as file:
        rows = [[row, None, "ab"[row % 2]] for row in range(40)]
        csv.writer(file).writerows([["n", name, "kind"], *rows])
    command = 'train d.csv --network "Dense(2) >> Softmax()" --epochs 1 --out run --missing median'
    said = run(command)
    assert said.code == 2
    words = shlex.split(said.err.split("or run: ")[1])
    assert words == ["chainrule", *shlex.split(command), "--drop", name]
    assert run(shlex.join(words[1:])).code == 0


def test_all_problems_of_a_file_are_said_at_once_with_the_command_that_mends_them(run, here: Path):
    import csv
    import shlex

    with open("d.csv", "w", newline="") as file:
        rows = [
            [n % 7, f"p{n}", "inf" if n == 8 else 1.5, "" if n == 9 else "x", f"I saw {n}", "ab"[n % 2]]
            for n in range(1010)
        ]
        csv.writer(file).writerows([["size", "the id", "$rate", "colour", "note", "kind"], *rows])
    said = run('train d.csv --network "Dense(2) >> Softmax()" --epochs 1 --out run')
    assert said.err == (
        "chainrule: d.csv: 4 problems: column 'the id' is text with 1,010 distinct values, more than 1,000; line 10, "
        "column '$rate': expected a finite number, at most 1e+100, got infinity; column 'note' is text with 1,010 "
        "distinct values, more than 1,000; blank cells in colour (1). Mend them, or run: chainrule train d.csv "
        "--network 'Dense(2) >> Softmax()' --epochs 1 --out run --drop 'the id' --drop '$rate' --drop note "
        "--missing median\n"
    )
    words = shlex.split(said.err.split("or run: ")[1])
    assert run(shlex.join(words[1:])).code == 0
