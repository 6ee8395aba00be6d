"""Jobs through joblib: a worker that dies loses its jobs alone, and a cluster has them done as this process does."""

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from chainrule.errors import ChainruleError
from chainrule.runs.comparison import compare, jobs
from chainrule.training.interrupt import Interrupt

ASKED = {"network": "Dense(4) >> ReLU() >> Dense(3) >> Softmax()", "epochs": 2, "batch_size": 32, "seeds": 2}
ASKED |= {"activation": ["ReLU()", "Tanh()"], "progress": False}
THREADS = {"backend": "threading", "n_jobs": 2}


class Fragile:
    """A contest whose first job kills its worker, as often as a file has bytes."""

    def __init__(self, left: Path):
        self.left = left

    def trials(self, job, callbacks=()):
        if job == [0] and (left := self.left.read_text()):
            self.left.write_text(left[1:])
            os.kill(os.getpid(), signal.SIGKILL)
        return [os.getpid(), *job]


@pytest.mark.slow
def test_the_jobs_of_a_worker_that_dies_are_given_out_again(tmp_path):
    left = tmp_path / "left"
    left.write_text("x")
    done = jobs.done(Fragile(left), [[0], [1], [2], [3]], Interrupt(), {"backend": "loky", "n_jobs": 2}, [])
    found = [trials[1] for trials in done]
    assert sorted(found) == [0, 1, 2, 3]
    assert left.read_text() == ""
    left.write_text("xxxxxxxx")
    with pytest.raises(ChainruleError, match=r"^Workers died 3 times in a row, perhaps for want of memory."):
        [*jobs.done(Fragile(left), [[0]], Interrupt(), {"backend": "loky", "n_jobs": 2}, [])]


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 3])  # threads, processes
def test_all_jobs_of_this_machine_make_the_same_trials(tmp_path, jobs):
    here, there = compare("iris", **ASKED), compare("iris", **ASKED, jobs=jobs, out=tmp_path / "out")
    assert [trial.measures for trial in there.trials] == [pytest.approx(t.measures, rel=1e-4) for t in here.trials]
    assert [(trial.choices, trial.seed) for trial in there.trials] == [(t.choices, t.seed) for t in here.trials]


def test_what_is_wrong_with_a_job_and_ctrl_c_end_all_jobs():
    def wrong(job, callbacks=()):
        raise ChainruleError("This can't be.")

    with pytest.raises(ChainruleError, match=r"This can't be."):
        [*jobs.done(SimpleNamespace(trials=wrong), [[0], [1]], Interrupt(), THREADS, [])]
    ctrl_c = Interrupt()
    contest = SimpleNamespace(trials=lambda job, callbacks=(): job)
    done = jobs.done(contest, [[0], [1]], ctrl_c, THREADS, [])
    assert next(done) in ([0], [1])
    ctrl_c.wanted = True
    with pytest.raises(KeyboardInterrupt):
        [*done, *jobs.done(contest, [[0]], ctrl_c, None, [])]


@pytest.mark.parametrize("fails", [False, True])
def test_threads_take_short_turns_as_long_as_there_are_jobs(fails):
    before = sys.getswitchinterval()

    def turn(job, callbacks=()):
        if fails:
            raise ChainruleError("This can't be.")
        return sys.getswitchinterval()

    done = jobs.done(SimpleNamespace(trials=turn), [[0], [1]], Interrupt(), None, [], threads=2)
    if fails:
        with pytest.raises(ChainruleError):
            list(done)
    else:
        assert [*done] == [pytest.approx(jobs.TURN)] * 2
    assert sys.getswitchinterval() == before > jobs.TURN


def test_a_cluster_that_does_not_answer_is_said(monkeypatch):
    def client(address, timeout):
        raise OSError("timed out")

    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=client))
    with pytest.raises(ChainruleError, match=r"^address: no scheduler of Dask answers at nowhere:1: timed out."):
        compare("iris", **ASKED, on="dask", address="nowhere:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ChainruleError, match=r"needs the dask and distributed packages. Install them: pip install"):
        compare("iris", **ASKED, on="dask", address="nowhere:1")
