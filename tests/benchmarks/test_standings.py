"""What came of untuned trainings: kept, compared, counted against the goals, and shown with its losses."""

import pytest
from benchmarks import defaults, defaults_page
from benchmarks.standings import GOALS, Outcome, Standings, counted, mean_ranks

MACHINE = {"processor": "a", "threads": "2"}


def standings(tmp_path, **scores):
    """Standings of one table, whose entrants' scores and seconds are said."""
    found = Standings(tmp_path / "defaults.json")
    for who, outcomes in scores.items():
        for seed, (score, seconds) in enumerate(outcomes):
            error = "" if score is not None else "ValueError: no"
            found.add(Outcome("sonar", who, seed, score, seconds, f"{who} 1", error), MACHINE)
    return found


def test_outcomes_are_kept_as_they_come(tmp_path):
    kept = standings(tmp_path, Chainrule=[(0.5, 1.0), (0.75, 2.0)], MLP=[(None, 0.0)])
    again = Standings(kept.file)
    assert again.outcomes == kept.outcomes
    assert again.machine == MACHINE
    assert again.of("sonar", "Chainrule")[1] == Outcome("sonar", "Chainrule", 1, 0.75, 2.0, "Chainrule 1")
    assert again.scores("sonar") == {"Chainrule": 0.5, "MLP": 0.0}  # of the division that both have
    assert [path.name for path in tmp_path.iterdir()] == ["defaults.json"]


@pytest.mark.parametrize(
    ("ours", "theirs", "as_good", "beyond"),
    [
        ([0.9, 0.8], [0.8, 0.9], True, False),
        ([0.8, 0.8], [0.9, 0.8], False, False),  # 0.05 behind, ± 0.07
        ([0.7, 0.6], [0.9, 0.9], False, True),  # 0.25 behind, ± 0.07
        ([0.7], [0.8], False, True),
        ([None, 0.9], [0.5, 0.9], False, False),
    ],
)
def test_ours_is_compared_on_the_same_divisions(tmp_path, ours, theirs, as_good, beyond):
    found = standings(tmp_path, Chainrule=[(s, 3.0) for s in ours], MLP=[(s, 1.5) for s in [*theirs, 0.1]])
    compared = found.compared("sonar", "MLP")
    assert (compared.is_as_good, compared.is_beyond_spread, compared.time) == (as_good, beyond, 2.0)
    assert found.compared("sonar", "Keras") is None


def test_goals_are_counted_on_the_sets_of_their_kinds(tmp_path):
    found = standings(tmp_path, Chainrule=[(0.8, 5.0)] * 2, MLP=[(0.7, 2.0)] * 2, HistGradientBoosting=[(0.9, 1.0)] * 2)
    counts = {count.goal.words: count for count in counted(found, found, {"sonar": "table", "films": "text"})}
    assert {words for words, count in counts.items() if count.reached} == {
        "at least as good as the MLP",
        "not worse than the MLP beyond the spread",
    }
    assert counts["in at most twice the MLP's time"].missed == ("sonar",)
    assert counts["at least as good as boosted trees"].missed == ("sonar",)
    assert not counts["at least as good as boosted trees"].is_met
    assert counts["at least as good as TF-IDF"].missed == ()
    assert len(counts) == len(GOALS)


def test_half_of_the_tables_is_enough_where_a_goal_says_so():
    goal = next(goal for goal in GOALS if goal.least == 0.5)
    count = defaults_page.Count
    assert count(goal, ("a",), ("b",)).is_met
    assert not count(goal, ("a",), ("b", "c")).is_met


def test_entrants_are_shown_by_the_divisions_that_all_have(tmp_path):
    found = standings(tmp_path, Chainrule=[(0.5, 1.0), (0.7, 1.0), (1.0, 1.0)], MLP=[(0.75, 2.0), (0.25, 2.0)])
    assert found.scores("sonar") == pytest.approx({"Chainrule": 0.6, "MLP": 0.5})


def test_equal_scores_share_their_ranks():
    ranks = mean_ranks([{"a": 0.9, "b": 0.8, "c": 0.9}, {"a": 0.1, "b": 0.3, "c": 0.2}])
    assert ranks == {"a": 2.25, "b": 2.0, "c": 1.75}


def test_the_page_shows_losses_and_failures_too(tmp_path):
    found = standings(
        tmp_path, Chainrule=[(0.5, 1.0), (None, 0.0)], MLP=[(0.75, 2.0)] * 2, HistGradientBoosting=[(0.5, 2.0)] * 2
    )
    times = Standings(tmp_path / "times.json")
    untimed = defaults_page.page(found, times)
    assert "| 0.250 ± 0.354 † | **0.750** ± 0.000 | 0.500 ± 0.000 |\n" in untimed
    assert "Seconds were not measured." in untimed
    times.add(Outcome("sonar", "Chainrule", 0, 0.5, 3.0, "Chainrule 2"), MACHINE)
    times.add(Outcome("sonar", "MLP", 0, 0.75, 1.0, "MLP 1"), MACHINE)
    page = defaults_page.page(found, times)
    assert "| sonar | classes | 208 | 2 | 0.250 ± 0.354 † | **0.750** ± 0.000 | 0.500 ± 0.000 | 3.0 | 1.0 |" in page
    assert "| in at most twice the MLP's time | 0 of 1 | sonar |" in page
    assert "Seconds: Chainrule 2, MLP 1; processor a, threads 2." in page
    assert "| at least as good as the MLP | 0 of 1 | sonar |" in page
    assert "| at least as good as boosted trees | 0 of 1 (goal: 50%) | sonar |" in page
    assert "Mean rank over 1 tables: MLP 1.00, HistGradientBoosting 2.00, Chainrule 3.00." in page
    assert "† Chainrule on sonar: ValueError: no" in page
    found.outcomes.pop(("sonar", "MLP", 0)), found.outcomes.pop(("sonar", "MLP", 1))
    assert "MLP was not measured on sonar." in defaults_page.page(found, times)
    assert "TF-IDF's time" not in page
    assert "## Texts" not in page


def test_what_is_measured_already_is_not_measured_again(tmp_path, monkeypatch, capsys):
    asked = []

    class Processes:
        def __init__(self, **_): ...
        def __enter__(self):
            return self

        def __exit__(self, *_): ...
        def submit(self, _, name, turns, seed, stamps):
            asked.append((name, turns, seed))
            outcomes = [Outcome(name, who, seed, 0.5, 1.0, stamps[who]) for who in turns]
            return type("Future", (), {"result": lambda self: outcomes})()

    monkeypatch.setattr(defaults, "ProcessPoolExecutor", Processes)
    monkeypatch.setattr(defaults, "description", lambda: MACHINE)
    monkeypatch.setattr(defaults, "stamp", lambda who: f"{who} 1")
    file = str(tmp_path / "kept.json")

    def run(*words):
        asked.clear()
        monkeypatch.setattr("sys.argv", ["defaults", "--out", file, "--sets", "sonar", *words])
        assert defaults.main() == 0
        return list(asked)

    assert run("--seeds", "2", "--without", "MLP") == [
        ("sonar", ["Chainrule", "HistGradientBoosting"], 0),
        ("sonar", ["HistGradientBoosting", "Chainrule"], 1),
    ]
    assert run("--seeds", "2") == [("sonar", ["MLP"], 0), ("sonar", ["MLP"], 1)]
    assert run("--seeds", "1") == []
    assert run("--seeds", "1", "--again", "Chainrule") == [("sonar", ["Chainrule"], 0)]
    assert run("--times", "--without", "MLP") == [("sonar", ["Chainrule", "HistGradientBoosting"], 0)]
    assert run("--times", "--without", "MLP") == []
    assert "sonar, seed 1: MLP 0.5000, 1.0 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sets", "sonr"], "there is no set 'sonr'. They are: faces, "),
        (["--seeds", "0"], "--seeds must be 1 or more, got 0."),
        (["--table", "--out", "no/outcomes.json"], "no/outcomes.json has no outcome of Chainrule. Measure first: "),
        (["--part", "both"], "invalid choice: 'both'"),
    ],
)
def test_what_is_not_there_is_refused(words, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["defaults", *words])
    with pytest.raises(SystemExit) as ended:
        defaults.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
