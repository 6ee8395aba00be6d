"""Moments: published defaults, and what is particular of each rule."""

import dataclasses

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.optimizers import AdaBelief, Adam, AdaMax, AdamW, AMSGrad, Nadam, QHAdam, RAdam, Yogi
from chainrule.optimizers.moments import _rectification
from chainrule.training import fit


def along(optimizer, gradients, w=0.0):
    """The steps by these gradients, one after another."""
    state, found = optimizer.init(jnp.float32(w)), []
    update = jax.jit(optimizer.update)
    for g in gradients:
        step, state = update(jnp.float32(g), state)
        found.append(float(step))
    return found


def test_defaults_are_the_published_ones():
    adam = {"learning_rate": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    for rule, changed in {
        Adam: {},
        AdamW: {"weight_decay": 0.01},
        AdaMax: {"learning_rate": 0.002},
        Nadam: {"learning_rate": 0.002, "momentum_decay": 0.004},
        AMSGrad: {},
        RAdam: {},
        Yogi: {"learning_rate": 0.01, "epsilon": 1e-3},
        AdaBelief: {},
        QHAdam: {"beta1": 0.995, "nu1": 0.7, "nu2": 1.0},
    }.items():
        assert dataclasses.asdict(rule()) == adam | changed


def test_the_rates_of_amsgrad_never_rise():
    """When gradients fade after the first ones, Adam's do."""
    fading = [1.0] + [1e-3] * 40
    for rule, rises in ((AMSGrad(0.1), False), (Adam(0.1), True)):
        state, rates, w = rule.init(jnp.float32(0)), [], jnp.float32(0)
        for g in fading:
            state = rule.update(jnp.float32(g), state)[1]
            rates.append(float(rule.rates(state, w)))
        assert (max(np.diff(rates)) > 1e-6) == rises


@pytest.mark.parametrize("beta2", [0.9, 0.999, 0.99999])
def test_the_rectification_of_radam_keeps_its_digits(beta2):
    for t in (1, 4, 5, 6, 30, 1000, 10**6):
        with mpmath.workdps(50):
            b = mpmath.mpf(float(np.float32(beta2)))
            most = 2 / (1 - b) - 1
            n = most - 2 * t * b**t / (1 - b**t)
            truth = mpmath.sqrt((n - 4) * (n - 2) * most / ((most - 4) * (most - 2) * n)) if n > 4 else 0
        assert float(_rectification(jnp.float32(t), jnp.float32(beta2))) == pytest.approx(float(truth), rel=1e-6)


def test_radam_begins_along_the_mean_of_gradients():
    steps = along(RAdam(0.1), [4.0] * 6)
    assert steps[:4] == pytest.approx([-0.4] * 4)
    assert 0 < -steps[4] < -steps[5] < 0.1
    assert along(RAdam(0.1, beta2=0.5), [4.0] * 6) == pytest.approx([-0.4] * 6)  # where n is never above 4


def test_yogi_falls_no_faster_than_it_rises():
    yogi = Yogi(0.1)
    state = {**yogi.init(jnp.zeros(2)), "v": jnp.array([1.0, 4.0])}
    _, state = yogi.update(jnp.array([2.0, 1.0]), state)
    assert state["v"].tolist() == pytest.approx([1 + 0.001 * 4, 4 - 0.001 * 1])


def test_qhadam_between_its_relatives():
    gradients = [1.0, -2.0, 0.5, 3.0]
    assert along(QHAdam(0.1, beta1=0.9, nu1=1.0), gradients) == pytest.approx(along(Adam(0.1), gradients), rel=1e-5)
    signs = [-0.1, 0.1, -0.1, -0.1]
    assert along(QHAdam(0.1, nu1=0.0, nu2=0.0), gradients) == pytest.approx(signs, rel=1e-5)


def test_qhadam_with_l1_asks_for_a_rate_that_is_a_mean():
    with pytest.raises(ChainruleError) as caught:
        fit("Dense(1)", np.eye(4), np.ones(4), optimizer="QHAdam(nu2=0.5)", regularizer="L1(0.1)")
    assert str(caught.value) == (
        "fit: L1(0.1) needs the rates of the optimizer's steps, which QHAdam(learning_rate=0.001, nu2=0.5) does not "
        "tell. Use another optimizer, such as Adam(0.001), or L2."
    )
