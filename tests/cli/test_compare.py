"""`chainrule compare`: what is asked, shown and kept; the trials themselves are made up."""

import shlex
import tomllib

import pytest

from chainrule.runs.comparison import Comparison, Trial, comparing

ASKED = "--activation ReLU --activation ELU(0.5) --vary learning_rate=1e-3,0.01 --metric f1 --drop colour --seeds 2"
ROWS = {"train": 28, "validation": 4, "test": 8}


@pytest.fixture(autouse=True)
def untrained(monkeypatch):
    """Every trial at once, without pictures."""
    jobs = []

    def trials(self, job, callbacks=()):
        jobs.append(job)
        if len(jobs) > 1:
            raise KeyboardInterrupt
        figures = {"cost": 0.5, "f1": 0.75}
        return [Trial(*entry, {}, figures, figures, {"cost": [0.5]}, ROWS, 1, 0.1, 0.5) for entry in job]

    monkeypatch.setattr("chainrule.runs.comparison.contest.Contest.trials", trials)
    monkeypatch.setattr(Comparison, "save", lambda self, folder: folder)
    return jobs


def test_what_is_asked_is_compared_kept_and_repeated(run, here, flowers, untrained, monkeypatch):
    monkeypatch.setattr(comparing, "structure", lambda plan: "all alike")
    said = run(f"compare flowers.csv {ASKED} --epochs 2 --out runs/which")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[:3] == [
        "flowers.csv: 2 inputs → kind, 2 classes (the last column; --target names another)",
        "rows: 28 to train, 4 to validate, 8 to test",
        lines[2],
    ]
    assert lines[2].startswith("trial 8/8  ")
    assert lines[4].startswith("flowers.csv: 4 candidates × 2 seeds")
    assert lines[-1] == "All of it is in runs/which."
    record = tomllib.loads((here / "runs" / "which" / "compare.toml").read_text())
    assert record["axes"] == {"activation": ["ReLU()", "ELU(alpha=0.5)"], "learning_rate": ["0.001", "0.01"]}
    again = run(shlex.join([*shlex.split(record["command"])[1:], "--out", "runs/which"]))
    assert (again.code, again.err) == (0, "")
    assert again.out.splitlines()[3:] == lines[4:]
    assert run("compare --repeat runs/which").out == again.out
    assert len(untrained) == 1


def test_what_ends_it_says_how_to_go_on(run, here, flowers, untrained):
    said = run(f"compare flowers.csv {ASKED} --epochs 2 --out which")
    assert said.code == 130
    assert said.err == "note: Interrupted: 4 of 8 trials are in which. The same again goes on from there.\n"
    said = run(f"compare flowers.csv {ASKED} --epochs 3 --out which")
    assert (said.code, said.err) == (2, "chainrule: which holds another comparison: its epochs is 2, not 3. Name "
                                        "another folder by --out.\n")  # fmt: skip


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", "Missing argument 'DATA'. See: chainrule compare --help."),
        ("iris", "Nothing varies. Give several of --activation, --optimizer or --network, or --vary a field."),
        ("iris --activation ReLu", "activation=ReLu: Unknown formula 'ReLu' in \"ReLu\". Did you mean ReLU?"),
        ("iris --vary epochs", "--vary must be a path and its values, such as batch_size=32,128, got epochs."),
        ("iris --activation ReLU --seeds 0", "--seeds must be a whole number from 1 to 10000, got 0."),
        ("iris --activation ReLU --jobs x", "--jobs must be a whole number of 1 or more, or all, got x."),
        ("iris --activation ReLU --on dask", '--on must be "dask", with the --address of its scheduler, HOST:PORT'),
        ("--repeat nowhere --epochs 3", "--repeat repeats every choice of that comparison. Leave --epochs out."),
        ("--repeat nowhere", "nowhere holds no comparison: compare.toml: No such file or directory."),
        ("iris --vary optimizer.rate=1,2", "optimizer.rate=1: optimizer.rate is no parameter: Adam("),
        ("iris --activation ReLU --test 0", "--test: a comparison needs rows to test on. Leave it out."),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run, here, words, problem):
    said = run(f"compare {words}")
    assert (said.code, said.out) == (2, said.out)
    assert said.err.startswith(f"chainrule: {problem}")
    assert said.err.count("\n") == 1


def test_a_choice_that_mends_it_comes_with_the_whole_command(run, here, flowers):
    flowers.write_text(flowers.read_text().replace("3,9,", ",9,", 1))
    said = run("compare flowers.csv --activation ReLU")
    assert said.code == 2
    assert "or run: chainrule compare flowers.csv --activation ReLU --missing median" in said.err
