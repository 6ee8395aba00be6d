"""Rules of optimizers and schedules of PyTorch, Optax and Keras: the same steps, and why some of theirs are others."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.optimizers import (
    LAMB,
    LARS,
    AdaBelief,
    Adafactor,
    AdaMax,
    AMSGrad,
    ClipAdaptive,
    GradientDescent,
    Nadam,
    QHMomentum,
    RAdam,
    Rprop,
    Yogi,
)
from chainrule.optimizers.schedules import (
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    OneCycle,
    PolynomialDecay,
    StepDecay,
)

torch = pytest.importorskip("torch")
keras = pytest.importorskip("keras")

STEPS = 20
rng = np.random.default_rng(0)
START, M = rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=(4, 3)).astype(np.float32)
DRAWN = rng.normal(size=(STEPS, 3, 2)).astype(np.float32)


def slope(w):
    return jax.grad(lambda w: jnp.sum(jnp.tanh(jnp.asarray(M) @ w - 1) ** 2))(w)


def paths(optimizers, start=START):
    """The parameters after each step of each optimizer, ours or Optax's."""

    def path(optimizer):
        def step(carry, _):
            w, state = carry
            updates, state = optimizer.update(slope(w), state, w)
            return (w + updates, state), w + updates

        w = jnp.asarray(start)
        return jax.lax.scan(step, (w, optimizer.init(w)), length=STEPS)[1]

    return jax.jit(lambda: [path(optimizer) for optimizer in optimizers])()


def steps_by(optimizer, gradients, state=None, w=START):
    """The steps by gradients that are given."""
    w, found, update = jnp.asarray(w), [], jax.jit(optimizer.update)
    state = optimizer.init(w) if state is None else state
    for g in gradients:
        step, state = update(jnp.asarray(g), state, w)
        found.append(step)
    return np.array(found)


def close(ours, theirs, names):
    for one, other, name in zip(ours, theirs, names, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5, err_msg=repr(name))


def test_optax():
    pairs = {
        AdaMax(0.05): optax.adamax(0.05),
        Nadam(0.05, momentum_decay=1e9): optax.nadam(0.05),
        AMSGrad(0.05): optax.amsgrad(0.05),
        RAdam(0.05): optax.radam(0.05, threshold=4.0),
        AdaBelief(0.05): optax.adabelief(0.05, eps=1e-8, eps_root=1e-8),
        LAMB(0.05): optax.lamb(0.05, weight_decay=0.01),
        LARS(5.0, weight_decay=0.0): optax.lars(5.0),
        Adafactor(0.05): optax.adafactor(0.05, min_dim_size_to_factor=1),
        ClipAdaptive(0.01) >> GradientDescent(0.5): optax.chain(optax.adaptive_grad_clip(0.01), optax.sgd(0.5)),
    }
    with jax.enable_x64(True):  # as Optax's RAdam loses digits of n in float32
        ours, theirs = (paths(side, np.float64(START)) for side in (pairs, pairs.values()))
    for one, other, pair in zip(ours, theirs, pairs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8, err_msg=repr(pair))


def of_torch(make, gradients=None):
    """The parameters after each step of one of PyTorch's, or its steps by gradients that are given."""
    w = torch.nn.Parameter(torch.tensor(START))
    optimizer, path = make([w]), []
    for number in range(STEPS):
        optimizer.zero_grad()
        before = w.detach().numpy().copy()
        if gradients is None:
            ((torch.tensor(M) @ w - 1).tanh() ** 2).sum().backward()
        else:
            w.grad = torch.tensor(gradients[number])
        optimizer.step()
        path.append(w.detach().numpy() - (0 if gradients is None else before))
    return np.array(path)


def test_torch():
    pairs = {
        AdaMax(0.05): lambda p: torch.optim.Adamax(p, 0.05),
        Nadam(0.05): lambda p: torch.optim.NAdam(p, 0.05),
        Adafactor(0.05): lambda p: torch.optim.Adafactor(p, 0.05, eps=(1e-30, 1e-3)),
        Rprop(0.05): lambda p: torch.optim.Rprop(p, 0.05),
        QHMomentum(0.5, 0.9, nu=0.9): lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
        QHMomentum(0.5, 0.9, nu=1.0): lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    }
    close(paths(pairs), map(of_torch, pairs.values()), pairs)


def test_keras():
    pairs = {
        AdaMax(0.05): keras.optimizers.Adamax(0.05, epsilon=1e-8),
        Nadam(0.05, momentum_decay=1.0): keras.optimizers.Nadam(0.05, epsilon=1e-8),
    }
    theirs, gradient = [], jax.jit(slope)
    for optimizer in pairs.values():
        variable, path = keras.Variable(START), []
        for _ in range(STEPS):
            optimizer.apply([gradient(variable.value)], [variable])
            path.append(np.asarray(variable.value))
        theirs.append(path)
    close(paths(pairs), theirs, pairs)


# Where theirs are others


def test_the_rates_of_torch_s_amsgrad_are_ours_until_gradients_fade():
    make = lambda p: torch.optim.Adam(p, 0.05, amsgrad=True)  # noqa: E731
    signs = np.sign(DRAWN)
    growing, fading = (signs * np.reshape(sizes, (-1, 1, 1)).astype(np.float32) for sizes in
                       (np.arange(1, 21), 2.0 ** -np.arange(20)))  # fmt: skip
    np.testing.assert_allclose(steps_by(AMSGrad(0.05), growing), of_torch(make, growing), rtol=1e-3, atol=1e-6)
    ours, theirs = steps_by(AMSGrad(0.05), fading), of_torch(make, fading)
    ratio = theirs[3:] / ours[3:]  # theirs is corrected by less and less, though the largest mean is an early one
    assert (ratio > 1).all()
    truth = np.broadcast_to(theirs_over_ours(np.arange(4, 21), fading), ratio.shape)
    np.testing.assert_allclose(ratio, truth, rtol=1e-2)


def theirs_over_ours(t, gradients):
    """√(v̂ₜ / (vₜ / (1 − β₂ᵗ))) of the largest of each, v̂ by each step's own correction and v by the last one's."""
    v, means = 0.0, []
    for g in np.abs(gradients[:, 0, 0]):
        v = 0.999 * v + 0.001 * float(g) ** 2
        means.append(v)
    ours = np.maximum.accumulate(means / (1 - 0.999 ** np.arange(1, 21)))
    theirs = np.maximum.accumulate(means) / (1 - 0.999 ** np.arange(1, 21))
    return np.sqrt(ours / theirs)[t - 1][:, None, None]


def test_torch_s_radam_waits_a_step_longer():
    ours, theirs = steps_by(RAdam(0.05), DRAWN), of_torch(lambda p: torch.optim.RAdam(p, 0.05), DRAWN)
    alike = np.arange(1, STEPS + 1) != 5
    np.testing.assert_allclose(ours[alike], theirs[alike], rtol=1e-3, atol=1e-6)
    mean = sum(0.1 * 0.9 ** (4 - i) * DRAWN[i] for i in range(5)) / (1 - 0.9**5)
    np.testing.assert_allclose(theirs[4], -0.05 * mean, rtol=1e-3, atol=1e-6)


def test_optax_s_yogi_is_ours_when_its_corrections_are_over():
    theirs = optax.yogi(0.05)
    state = theirs.init(jnp.asarray(START))
    began = jax.tree.map(lambda array: jnp.zeros_like(array) if array.ndim else jnp.int32(10**6), state)
    np.testing.assert_allclose(steps_by(Yogi(0.05), DRAWN), steps_by(theirs, DRAWN, began), rtol=1e-4, atol=1e-6)


def test_optax_s_lars_is_ours_where_gradient_and_decay_point_the_same_way():
    """So that the length of their sum is that of both together."""
    along = np.stack([START * (1 + number) for number in range(STEPS)])
    ours, theirs = LARS(5.0, weight_decay=0.1), optax.lars(5.0, weight_decay=0.1)
    np.testing.assert_allclose(steps_by(ours, along), steps_by(theirs, along), rtol=1e-4)
    assert (np.abs(steps_by(ours, -along[:1])) < np.abs(steps_by(theirs, -along[:1]))).all()


def test_optax_s_rprop_takes_each_step_one_later():
    holding = np.abs(DRAWN)
    ours, theirs = steps_by(Rprop(0.05), holding), steps_by(optax.rprop(0.05), holding)
    np.testing.assert_allclose(theirs, [np.zeros_like(START), *ours[:-1]], rtol=1e-6)


def rates(make, steps=60):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    schedule, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_schedules():
    schedules, t = torch.optim.lr_scheduler, np.arange(60)
    inverse = keras.optimizers.schedules.InverseTimeDecay(1.0, 40, 1 / 0.05 - 1)
    restarts = keras.optimizers.schedules.CosineDecayRestarts(1.0, 7, t_mul=2.0, alpha=0.1)
    pairs = {
        StepDecay(1.0, every=7, factor=0.5): rates(lambda o: schedules.StepLR(o, 7, 0.5)),
        ExponentialDecay(1.0, factor=0.9, steps=1): rates(lambda o: schedules.ExponentialLR(o, 0.9)),
        CosineDecay(1.0, final=0.1, steps=40): rates(lambda o: schedules.CosineAnnealingLR(o, 40, 0.1), 40),  # then up
        OneCycle(1.0, rise=11 / 39, steps=39): rates(
            lambda o: schedules.OneCycleLR(o, 1.0, total_steps=40, pct_start=0.3, cycle_momentum=False), 40
        ),  # torch's rise ends at 0.3 · 40 − 1 of the steps 0 … 39
        PolynomialDecay(1.0, power=2, steps=40): rates(lambda o: schedules.PolynomialLR(o, 40, 2.0)),
        PolynomialDecay(1.0, 3, 0.1, 40): jax.vmap(optax.polynomial_schedule(1.0, 0.1, 3, 40))(t),
        LinearDecay(1.0, 0.1, 40): rates(lambda o: schedules.LinearLR(o, 1.0, 0.1, 40)),
        InverseTimeDecay(1.0, 0.05, 40): [float(inverse(step)) for step in t],
        CosineRestarts(1.0, 7, final=0.1): rates(lambda o: schedules.CosineAnnealingWarmRestarts(o, 7, 2, 0.1)),
        CosineRestarts(1.0, 7, 2, 0.1): [float(restarts(step)) for step in t],
    }
    ours = jax.jit(lambda schedules: [jax.vmap(schedule)(jnp.asarray(t)) for schedule in schedules])([*pairs])
    for one, (schedule, theirs) in zip(ours, pairs.items(), strict=True):
        np.testing.assert_allclose(one[: len(theirs)], theirs, rtol=1e-5, atol=1e-9, err_msg=repr(schedule))
