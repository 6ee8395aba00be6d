"""A comparison on a cluster of Dask, as a user starts one on this machine: what comes is what this process makes."""

import os
import subprocess
import sys
import threading
import time

import pytest

from chainrule.runs.comparison import compare

pytest.importorskip("distributed")

ASKED = {"network": "Dense(4) >> ReLU() >> Dense(3) >> Softmax()", "epochs": 2, "batch_size": 32, "seeds": 2}
ASKED |= {"activation": ["ReLU()", "Tanh()", "ELU()", "SiLU()"], "progress": False}

CLUSTER = """
import os, signal, sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        for line in sys.stdin:
            [worker, *_] = cluster.workers.values()
            os.kill(worker.pid, signal.SIGKILL)
            print(worker.pid, flush=True)
"""


@pytest.fixture
def cluster(tmp_path):
    """Its process, which tells its address, and kills a worker for each line that it is given."""
    (tmp_path / "cluster.py").write_text(CLUSTER)
    words = [sys.executable, str(tmp_path / "cluster.py")]
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=paths) as cluster:
        yield cluster
        cluster.stdin.close()


def test_the_two_workers_of_a_dask_cluster_make_the_same_trials_also_where_one_is_killed(tmp_path, cluster):
    address, kept = cluster.stdout.readline().strip(), tmp_path / "kept" / "trials.jsonl"

    def kill_at_work():
        while not (kept.exists() and kept.read_text()):
            time.sleep(0.05)
        print(file=cluster.stdin, flush=True)

    thread = threading.Thread(target=kill_at_work)
    thread.start()
    there = compare("iris", **ASKED, on="dask", address=address, out=tmp_path / "kept")
    thread.join()
    assert cluster.stdout.readline().strip().isdecimal()  # one was killed
    here = compare("iris", **ASKED)
    assert [trial.measures for trial in there.trials] == [pytest.approx(t.measures, rel=1e-4) for t in here.trials]
