"""A budget of time: it is kept whatever happens, schedules end with it, and a training that goes on has its rest."""

from dataclasses import replace
from importlib import import_module
from itertools import count

import numpy as np
import pytest

from chainrule import fit
from chainrule.errors import ChainruleError
from chainrule.training.budget import Budget
from chainrule.training.plan import Plan

X = np.linspace(-1, 1, 32)[:, None]
ASKED = {"optimizer": "GradientDescent(LinearDecay(0.1))", "epochs": 100, "progress": False}


def test_epochs_and_schedules_are_fitted_to_the_time(monkeypatch):
    now, checkpoints, lengths, fitting = [0.0], [], [], import_module("chainrule.training.fit")
    after = Plan.problem_after
    monkeypatch.setattr(Plan, "problem_after", lambda plan, rows: lengths.append(plan.epochs) or after(plan, rows))
    monkeypatch.setattr(fitting, "Budget", lambda *told: Budget(*told[:2], lambda: now[0]))

    def ten_seconds(end):
        now[0] += 10
        checkpoints.append(end.checkpoint())

    asked = ASKED | {"batch_size": 8, "callbacks": [ten_seconds], "minutes": 1}
    model = fit("Dense(1)", X, 2 * X, **asked)
    assert (len(model.history), model.history.stopped, lengths[-1]) == (5, "time", 5)

    for spent, epochs in ((30, 6), (50, 3)):
        kept = checkpoints[2]._replace(history=replace(checkpoints[2].history, seconds=spent))
        now[0] = 0.0
        model = fit("Dense(1)", X, 2 * X, **asked, resume=kept)
        assert (len(model.history), model.history.stopped) == (epochs, "time")

    monkeypatch.setattr(fitting, "Budget", lambda *told: Budget(*told[:2], count().__next__))
    model = fit("Dense(1)", X, 2 * X, **asked | {"batch_size": 1, "minutes": 0.05})
    assert (len(model.history), model.history.stopped) == (0, "time")
    assert lengths[-1] < 1
    assert np.isfinite(model(X)).all()


def test_what_is_no_time():
    for minutes in (0, -1, "2", True, float("nan")):
        with pytest.raises(ChainruleError, match=r"^fit: minutes must be a number above 0, such as 2 or 0.5, got "):
            fit("Dense(1)", X, X, minutes=minutes)  # type: ignore[arg-type]
    with pytest.raises(ChainruleError, match=r"^minutes are for one network, and here are 2. Leave them out.$"):
        fit("Dense(1)", X, X, seed=[0, 1], minutes=1)
