"""Optimizers that are more than a rule a parameter, against PyTorch's and Optax's of the same formula."""

import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
import pytest
import torch

from chainrule.optimizers import (
    LBFGS,
    SAM,
    AdamW,
    Averaged,
    GradientDescent,
    Lookahead,
    Momentum,
    Muon,
    ScheduleFreeDescent,
)

rng = np.random.default_rng(0)
A, B = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=(6, 3)).astype(np.float32)
START = rng.normal(size=(4, 3)).astype(np.float32)
STEPS = 30


def ours(optimizer, start=START, scale=1):
    """The matrix after each step down Σ ln cosh(Aw − b) + Σ w² / 20, and what is published."""
    cost = lambda w: (scale * (jnp.sum(jnp.log(jnp.cosh(A @ w - B))) + jnp.sum(w**2) / 20), None)  # noqa: E731
    slope = jax.value_and_grad(cost, has_aux=True)

    def step(carry, _):
        w, state, _ = optimizer.descend(slope, *carry)
        return (w, state), (w, optimizer.published(w, state))

    return jax.jit(lambda w: jax.lax.scan(step, (w, optimizer.init(w)), length=STEPS)[1])(start)


def cost(w):
    """The same in PyTorch."""
    return (
        torch.log(torch.cosh(torch.tensor(A).to(w.dtype) @ w - torch.tensor(B).to(w.dtype))).sum() + (w**2).sum() / 20
    )


def theirs(make, after=lambda w: None, dtype=torch.float32, start=START, scale=1):
    w = torch.nn.Parameter(torch.tensor(np.asarray(start), dtype=dtype))
    optimizer, path = make([w]), []

    def closure():
        optimizer.zero_grad()
        found = scale * cost(w)
        found.backward()
        return found

    for _ in range(STEPS):
        optimizer.step(closure)
        after(w)
        path.append(w.detach().numpy().copy())
    return np.array(path)


@pytest.mark.parametrize("decay", [None, 0.9])
def test_averaged_models(decay):
    """PyTorch's exponential mean begins at the first parameters instead, whose part in it is known."""
    module = torch.nn.Linear(3, 4, bias=False)
    average = decay and torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
    averaged = torch.optim.swa_utils.AveragedModel(module, multi_avg_fn=average)
    means = []

    def after(w):
        module.weight.data[:] = w.data
        averaged.update_parameters(module)
        means.append(averaged.module.weight.detach().numpy().copy())

    walked = theirs(lambda w: torch.optim.SGD(w, lr=0.05), after)
    path, mean = ours(Averaged(GradientDescent(0.05), decay=decay))
    np.testing.assert_allclose(path, walked, rtol=1e-4, atol=1e-5)
    if decay is None:
        np.testing.assert_allclose(mean, means, rtol=1e-4, atol=1e-5)
    else:
        t = np.arange(1, STEPS + 1)[:, None, None]  # theirs = decay^(t - 1) · first + the weights of the others
        own = decay ** (t - 1) * walked[0] + (
            np.float64(mean) * (1 - decay**t) - (1 - decay) * decay ** (t - 1) * walked[0]
        )
        np.testing.assert_allclose(own, means, rtol=1e-4, atol=1e-5)


def test_lbfgs_where_the_first_length_is_good():
    """So it is near the minimum of a cost that is flat enough; elsewhere PyTorch's tries other lengths."""
    lowest, _ = ours(LBFGS())
    near, scale, steps = lowest[-1] + 0.05 * START, 0.1, 8
    make = lambda w: torch.optim.LBFGS(  # noqa: E731
        w, max_iter=1, max_eval=30, history_size=10, line_search_fn="strong_wolfe", tolerance_grad=0, tolerance_change=0
    )
    with jax.enable_x64(True):
        found, _ = ours(LBFGS(), np.asarray(near, np.float64), scale)
    truth = theirs(make, dtype=torch.float64, start=near, scale=scale)
    np.testing.assert_allclose(found[:steps], truth[:steps], rtol=1e-6, atol=1e-8)
    assert np.abs(truth[steps] - near).max() > 0.03


def test_muon():
    """Theirs has weights (outputs, inputs), and iterates in bfloat16."""
    rate, decay = 0.05, 0.1
    w = torch.nn.Parameter(torch.tensor(START.T.copy()))
    optimizer, path = torch.optim.Muon([w], lr=rate, momentum=0.9, weight_decay=decay), []
    for _ in range(10):
        optimizer.zero_grad()
        cost(w.T).backward()
        optimizer.step()
        path.append(w.detach().numpy().T.copy())
    found, _ = ours(Muon(rate, momentum=0.9, weight_decay=decay, rest=AdamW()))
    np.testing.assert_allclose(found[:10], path, atol=0.02)
    assert np.abs(np.array(path)[9] - START).max() > 0.2


def of_optax(optimizer, published=lambda state, w: w):
    slope = jax.grad(lambda w: jnp.sum(jnp.log(jnp.cosh(A @ w - B))) + jnp.sum(w**2) / 20)

    def step(carry, _):
        w, state = carry
        updates, state = optimizer.update(slope(w), state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), (w, published(state, w))

    return jax.jit(lambda w: jax.lax.scan(step, (w, optimizer.init(w)), length=STEPS)[1])(jnp.asarray(START))


def test_schedule_free():
    theirs = optax.contrib.schedule_free(optax.sgd(0.3), learning_rate=0.3, b1=0.9)
    found = of_optax(theirs, optax.contrib.schedule_free_eval_params)
    for path, truth in zip(ours(ScheduleFreeDescent(0.3)), found, strict=True):
        np.testing.assert_allclose(path, truth, rtol=1e-4, atol=1e-5)


def test_sam():
    """Optax's takes its two gradients in two calls of update."""
    slope = jax.grad(lambda w: jnp.sum(jnp.log(jnp.cosh(A @ w - B))) + jnp.sum(w**2) / 20)
    theirs = optax.contrib.sam(
        optax.sgd(0.05, momentum=0.9),
        optax.chain(optax.contrib.normalize(), optax.sgd(0.1)),
        sync_period=2,
        opaque_mode=True,
    )

    def step(carry, _):
        w, state = carry
        updates, state = theirs.update(slope(w), state, w, grad_fn=lambda w, _: slope(w))
        w = optax.apply_updates(w, updates)
        return (w, state), w

    truth = jax.jit(lambda w: jax.lax.scan(step, (w, theirs.init(w)), length=STEPS)[1])(jnp.asarray(START))
    np.testing.assert_allclose(ours(SAM(Momentum(0.05), rho=0.1))[0], truth, rtol=1e-4, atol=1e-5)


def test_lookahead():
    """Optax's keeps both points as parameters."""
    slope = jax.grad(lambda w: jnp.sum(jnp.log(jnp.cosh(A @ w - B))) + jnp.sum(w**2) / 20)
    theirs = optax.lookahead(optax.sgd(0.05, momentum=0.9), sync_period=4, slow_step_size=0.3)

    def step(carry, _):
        w, state = carry
        updates, state = theirs.update(slope(w.fast), state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    start = optax.LookaheadParams.init_synced(jnp.asarray(START))
    truth = jax.jit(lambda w: jax.lax.scan(step, (w, theirs.init(w)), length=STEPS)[1])(start)
    found = ours(Lookahead(Momentum(0.05), k=4, alpha=0.3))
    for path, expected in zip(found, (truth.fast, truth.slow), strict=True):
        np.testing.assert_allclose(path, expected, rtol=1e-4, atol=1e-5)
