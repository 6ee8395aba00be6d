import io
import re

import numpy as np
import pytest

from chainrule.training.progress import Progress


def show(epochs: int, wanted: bool = True, steps: int = 4) -> None:
    """Runs a training of `epochs` that costs 1/epoch."""
    with Progress(wanted, epochs, steps=steps, rows=100) as shown:
        for epoch in range(1, epochs + 1):
            for step in range(1, steps + 1):
                shown.step(epoch, step)
            shown.epoch({"epoch": epoch, "cost": 1 / epoch, "validation_accuracy": 0.5})


def terminal(monkeypatch) -> io.StringIO:
    """From now on standard output says that it is a terminal."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return stream


@pytest.mark.parametrize("epochs", [1, 2, 9, 10, 11, 19, 20, 25, 99, 100, 101, 1000])
def test_elsewhere_than_in_a_terminal_about_ten_plain_lines(epochs, capsys):
    show(epochs)
    lines = capsys.readouterr().out.splitlines()
    shown = [int(re.match(r"epoch +(\d+)/", line)[1]) for line in lines]
    assert shown == sorted(set(shown))
    assert (shown[0], shown[-1]) == (1, epochs)
    assert min(epochs, 5) <= len(lines) <= 12


def test_a_line_tells_epoch_figures_and_speed(capsys):
    show(20)
    line = capsys.readouterr().out.splitlines()[2]
    assert re.fullmatch(r"epoch  4/20  cost 0\.25  validation accuracy 0\.5  [\d,]+ examples/s", line)


def test_nothing_where_it_is_not_wanted(capsys):
    show(20, wanted=False)
    assert capsys.readouterr() == ("", "")


def test_nothing_in_a_terminal_where_it_is_not_wanted(monkeypatch):
    stream = terminal(monkeypatch)
    show(20, wanted=False)
    assert stream.getvalue() == ""


def test_a_bar_in_a_terminal(monkeypatch):
    stream = terminal(monkeypatch)
    show(20)
    text = stream.getvalue()
    assert "\x1b[" in text
    assert "━" in text
    bar, figures = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text).strip().splitlines()[-2:]
    assert re.search(r"epoch 20/20 ━+ 00:00 [\d,]+ examples/s$", bar)
    assert figures.strip() == "cost 0.05   validation accuracy 0.5"


def test_the_bar_is_cleared_away_when_training_fails(monkeypatch):
    stream = terminal(monkeypatch)

    def interrupted():
        with Progress(True, 2, steps=4, rows=100) as shown:
            shown.step(1, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h") == 1  # the cursor is back


@pytest.mark.parametrize("width", [50, 60, 80, 200])
def test_the_bar_and_its_figures_fit_the_terminal_and_none_is_cut(monkeypatch, width):
    stream = terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", str(width))
    figures = {"cost": 0.061234, "accuracy": 0.97654, "validation_cost": 0.053, "validation_accuracy": 0.98}
    with Progress(True, 200, steps=4, rows=10) as shown:
        for epoch in range(1, 201):
            shown.step(epoch, 4)
            shown.epoch({"epoch": epoch, **figures})
    lines = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", stream.getvalue()).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
    start = max(place for place, line in enumerate(lines) if line.startswith("epoch"))
    assert re.fullmatch(r"epoch 200/200 ━+ 00:00 [\d,]+ examples/s", lines[start])
    said = " ".join(" ".join(lines[start + 1 :]).split())
    assert said == "cost 0.06123, validation 0.053 accuracy 0.9765, validation 0.98"


def test_the_bar_says_that_it_ends_early(monkeypatch):
    stream = terminal(monkeypatch)
    asked = []
    with Progress(True, 9, steps=4, rows=10, ending=lambda: bool(asked)) as shown:
        shown.step(1, 4)
        shown.epoch({"epoch": 1, "cost": 0.5})
        assert "finishing" not in stream.getvalue()
        asked.append(True)
    assert "finishing: what was trained is kept" in stream.getvalue()


def test_speed_leaves_compilation_out(monkeypatch, capsys):
    times = iter([0.0, 50.0, 90.0, 99.0, 100.0, 101.0])  # made, first step, first row, end of epoch 1, second row
    monkeypatch.setattr("time.perf_counter", lambda: next(times))
    shown = Progress(True, epochs=2, steps=4, rows=100)
    for epoch in (1, 2):
        for step in range(1, 5):
            shown.step(epoch, step)
        shown.epoch({"epoch": epoch, "cost": 0.5})
    assert [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()] == ["2 examples/s", "100 examples/s"]


def test_a_first_epoch_of_one_step_has_no_speed_yet(capsys):
    show(3, steps=1)
    assert capsys.readouterr().out.splitlines()[0] == "epoch 1/3  cost 1  validation accuracy 0.5"


def test_speed_counts_examples(monkeypatch):
    clock = iter(np.arange(10.0))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    assert Progress(False, epochs=2, steps=4, rows=100)._speed(8) == "200 examples/s"


@pytest.mark.parametrize("epoch", [1, 5])
def test_the_speed_is_without_compilation_wherever_a_training_begins(monkeypatch, capsys, epoch):
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    with Progress(True, epoch, steps=10, rows=100, done=10 * (epoch - 1)) as shown:
        shown.step(epoch, 0)
        for step, seconds in ((2, 1000), (6, 1), (10, 1)):  # the first of which compiles
            now[0] += seconds
            shown.step(epoch, step)
        shown.epoch({"epoch": epoch, "cost": 0.5})
    assert capsys.readouterr().out.endswith("  40 examples/s\n")
