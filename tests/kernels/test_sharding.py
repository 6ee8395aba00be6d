"""The work of native kernels, cut for several devices; `devices.py` tries it in processes that have four."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from chainrule.kernels import native
from chainrule.kernels.sharding import Rule

built = pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")


def on_four_devices(*names):
    script = Path(__file__).with_name("devices.py")
    own = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, script, *names], capture_output=True, text=True, check=False, env=own)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@built
def test_each_device_computes_its_own_rows():
    assert on_four_devices("dense", "surprisal", "no native cell", "Momentum")["wrong"] == {}


@built
@pytest.mark.slow
def test_so_it_does_with_every_kernel():
    found = on_four_devices()
    assert found["wrong"] == {}
    elsewhere = ["add", "exchange", "leaky_relu", "relu"]  # which serve runs without XLA alone, and large arrays
    noise = ["bernoulli", "bits", "fold_in"]  # of keys, which have no rows
    others = sorted(elsewhere + noise)
    assert found["never called"] == dict.fromkeys(("jit", "explicit", "shard_map"), others)


@pytest.mark.parametrize(
    ("text", "shapes", "rule"),
    [
        ("n_,_o,o->no", [(8, 3), (3, 2), (2,), (8, 2)], (("n", None), (None, "o"), ("o",), ("n", "o"))),
        ("n*,*->n*", [(8, 3, 3), (2,), (8,)], (("n", None, None), (None,), ("n",))),
        ("..._,->..._", [(8, 5, 3), (), (8, 5, 3)], ((0, 1, None), (), (0, 1, None))),
        ("n*,n*->n*", [(8, 3), (0, 3), (8, 3)], (("n", None), (None, None), ("n", None))),
    ],
)
def test_a_rule_names_axes(text, shapes, rule):
    assert Rule.of(text, shapes[:-1], shapes[-1:]) == Rule(rule[:-1], rule[-1:])


def test_a_rule_as_shardy_reads_it():
    rule = Rule.of("n*,_o->no", [(5, 7, 3), (3, 2)], [(5, 2)]).of_networks
    assert rule.text == "n0 n1 w0 w1, n0 w2 n3 -> n0 n1 n3"


@built
def test_one_device_calls_a_kernel_as_it_is():
    text = jax.jit(lambda x: native.call("softmax", x.shape, x, rule="..._->..._")).lower(jnp.ones((8, 3))).as_text()
    assert "@chainrule_softmax(" in text
    assert "CustomSPMDPartitioning" not in text
