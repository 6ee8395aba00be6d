"""A comparison on a cluster of Dask, as a user starts one on this machine: what comes is what this process makes."""

import os
import subprocess
import sys

import pytest

from chainrule.runs.comparison import compare

pytest.importorskip("distributed")

ASKED = {"network": "Dense(4) >> ReLU() >> Dense(3) >> Softmax()", "epochs": 2, "batch_size": 32, "seeds": 2}
ASKED |= {"activation": ["ReLU()", "Tanh()"], "progress": False}

CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


def test_the_two_workers_of_a_dask_cluster_make_the_same_trials(tmp_path):
    (tmp_path / "cluster.py").write_text(CLUSTER)
    words = [sys.executable, str(tmp_path / "cluster.py")]
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=paths) as cluster:
        address = cluster.stdout.readline().strip()
        there = compare("iris", **ASKED, on="dask", address=address, out=tmp_path / "kept")
        cluster.stdin.close()
    here = compare("iris", **ASKED)
    assert [trial.measures for trial in there.trials] == [pytest.approx(t.measures, rel=1e-4) for t in here.trials]
