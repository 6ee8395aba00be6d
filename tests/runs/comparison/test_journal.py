"""The folder of a comparison: whole lines, one writer, one comparison."""

import re
from dataclasses import replace

import pytest

from chainrule.errors import ChainruleError
from chainrule.runs.comparison.journal import RECORD, TRIALS, Journal, read
from chainrule.runs.comparison.trial import Trial

TRIAL = Trial({"activation": "ReLU()"}, 0, {}, {"cost": 0.1 + 0.2}, {}, {"cost": [1.0, float("nan")]}, {}, 2, 0.5, 1.5)
OTHER = replace(TRIAL, seed=1, error="The cost became nan in epoch 1.", measures={})
ABOUT = {
    "command": "chainrule compare iris",
    "axes": {"activation": ["ReLU()", "ELU()"], "optimizer.learning_rate": ["0.1"]},
    "comparison": {"seeds": [0, 1], "tune": [], "budget": None},
    "data": {"source": 'it\'s "iris".csv', "rows": 150},
}


def test_a_line_that_was_cut_off_is_forgotten_and_the_next_is_whole(tmp_path):
    with Journal(tmp_path / "a" / "b", ABOUT) as journal:
        journal.add([TRIAL, OTHER])
    with open(tmp_path / "a" / "b" / TRIALS, "a") as file:
        file.write(OTHER.to_json()[:50])
    with Journal(tmp_path / "a" / "b", ABOUT) as journal:
        assert [trial.to_json() for trial in journal.trials] == [TRIAL.to_json(), OTHER.to_json()]
        journal.add([OTHER])
    assert [Trial.from_json(line).seed for line in (tmp_path / "a" / "b" / TRIALS).read_text().splitlines()] == [
        0,
        1,
        1,
    ]


def test_its_record_says_again_what_is_compared(tmp_path):
    Journal(tmp_path, ABOUT).file.close()
    found = read(tmp_path)
    assert found.pop("comparison") == {"seeds": [0, 1], "tune": []}
    assert found == {name: value for name, value in ABOUT.items() if name != "comparison"}


def test_more_seeds_may_come_and_words_may_change(tmp_path):
    with Journal(tmp_path, ABOUT) as journal:
        journal.add([TRIAL])
    more = ABOUT | {"command": "another", "comparison": ABOUT["comparison"] | {"seeds": [0, 1, 2]}}
    with Journal(tmp_path, more) as journal:
        assert len(journal.trials) == 1
    assert read(tmp_path)["comparison"]["seeds"] == [0, 1, 2]


@pytest.mark.parametrize(
    ("section", "change", "problem"),
    [
        ("axes", {"activation": ["ReLU()"]}, "holds another comparison: its activation is ReLU(), ELU(), not ReLU()."),
        ("comparison", {"tune": ["learning_rate"]}, "its tune is none, not learning_rate."),
        ("data", {"rows": 151}, "its rows is 150, not 151."),
        ("choices", {"epochs": 3}, "its epochs is not said, not 3."),
    ],
)
def test_another_comparison_is_refused(tmp_path, section, change, problem):
    Journal(tmp_path, ABOUT).file.close()
    with pytest.raises(ChainruleError, match=re.escape(problem)):
        Journal(tmp_path, ABOUT | {section: ABOUT.get(section, {}) | change})
    assert read(tmp_path)["data"]["rows"] == 150


def test_a_folder_of_anything_else_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ChainruleError, match=r"is not empty, and holds no comparison. Name another by out."):
        Journal(tmp_path, ABOUT)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ChainruleError, match=r"Can't write .*Not a directory"):
        Journal(tmp_path / "mine.txt" / "below", ABOUT)


def test_one_process_writes(tmp_path):
    with Journal(tmp_path, ABOUT), pytest.raises(ChainruleError, match="is being written by another comparison"):
        Journal(tmp_path, ABOUT)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [(TRIALS, "{}\n", "trials.jsonl is damaged"), (RECORD, "=", "compare.toml is damaged. Compare again.")],
)
def test_damage_is_said(tmp_path, file, content, problem):
    Journal(tmp_path, ABOUT).file.close()
    (tmp_path / file).write_text(content)
    with pytest.raises(ChainruleError, match=problem):
        Journal(tmp_path, ABOUT)


def test_where_nothing_was_compared_nothing_is_repeated(tmp_path):
    with pytest.raises(ChainruleError, match=r"holds no comparison: compare.toml: No such file or directory."):
        read(tmp_path)
