"""Optimizers against their own textbook recurrences, inside Optax and around it, and with a kink in the cost."""

import dataclasses
import re
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import Lasso

from chainrule.errors import ChainruleError
from chainrule.kernels import native
from chainrule.notation import as_optimizer
from chainrule.notation.families import family
from chainrule.optimizers import (
    KERNELS,
    Adadelta,
    Adagrad,
    Adam,
    ClipNorm,
    Clipped,
    ClipValue,
    FromOptax,
    GradientDescent,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    Rule,
)
from chainrule.optimizers.schedules import CosineDecay, StepDecay
from chainrule.regularizers import L1, L2

RULES = [rule for rule in family(Rule) if rule.__module__.startswith("chainrule.")]
STEPS = 50

rng = np.random.default_rng(0)
A, B, START = rng.normal(size=(6, 5)), rng.normal(size=6), rng.normal(size=5)


def gradient(theta, xp=np):
    """Of Σ ln cosh(Aθ − b) + θ⁴ / 20, which is not quadratic and has parameters that depend on each other."""
    return A.T.astype(theta.dtype) @ xp.tanh(A.astype(theta.dtype) @ theta - B.astype(theta.dtype)) + theta**3 / 5


def textbook_path(rule, rate=lambda t: None):
    """θ after each step of the textbook's recurrence in float64; at the look-ahead point if the gradient is there."""
    names = {field.name: getattr(rule, field.name) for field in dataclasses.fields(rule)}
    names |= dict.fromkeys(rule.slots, np.zeros(5)) | {"sqrt": np.sqrt, "gradient": gradient, "theta": START}
    lines, ahead, path = textwrap.dedent(rule.textbook), "gradient(" in rule.textbook, []
    for t in range(1, STEPS + 1):
        names |= {"t": t, "g": gradient(names["theta"]), "learning_rate": rate(t - 1) or rule.learning_rate}
        exec(lines, names)
        path.append(names["theta"] - names["momentum"] * names["v"] if ahead else names["theta"])
    return np.array(path)


@jax.jit
def walk(rule, params):
    def step(carry, _):
        params, state = carry
        g = gradient(jnp.concatenate([params["first"], params["rest"].ravel()]), jnp)
        updates, state = rule.update({"first": g[:1], "rest": g[1:].reshape(2, 2)}, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), jnp.concatenate([params["first"], params["rest"].ravel()])

    return jax.lax.scan(step, (params, rule.init(params)), length=STEPS)[1]


def our_path(rule, dtype):
    """The parameters after each step, kept as a tree of two of different shapes."""
    theta = START.astype(dtype)
    return np.asarray(walk(rule, {"first": theta[:1], "rest": theta[1:].reshape(2, 2)}))


@pytest.mark.parametrize("changed", [{}, {"learning_rate": 0.05}], ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_it_takes_the_steps_of_its_textbook(rule, changed):
    truth = textbook_path(rule(**changed))
    ours = our_path(rule(**changed), "float32")
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, truth, rtol=3e-5, atol=3e-5)
    assert np.abs(truth[-1] - START).max() > 1e-3
    with jax.enable_x64(True):
        ours = our_path(rule(**changed), "float64")
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, truth, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_schedule_is_asked_at_each_step_from_0(rule):
    truth = textbook_path(rule(), lambda t: 0.08 * 0.5 ** (t // 10))
    ours = our_path(rule(StepDecay(0.08, every=10, factor=0.5)), "float32")
    np.testing.assert_allclose(ours, truth, rtol=3e-5, atol=3e-6)


@pytest.mark.parametrize("rule", [Momentum, Nesterov, Adam], ids=lambda rule: rule.__name__)
def test_momentum_is_a_field(rule):
    changed = {"beta1": 0.5, "beta2": 0.9} if rule is Adam else {"momentum": 0.5}
    rule = rule(0.05, **changed)
    np.testing.assert_allclose(our_path(rule, "float32"), textbook_path(rule), rtol=3e-5, atol=3e-6)


def test_nesterov_is_the_look_ahead_form_step_by_step():
    """θ by the published rule, and φ = θ − γv by ours, without any textbook text between."""
    nesterov, theta, v, eta, gamma = Nesterov(0.05, 0.9), START.copy(), np.zeros(5), 0.05, 0.9
    with jax.enable_x64(True):
        phi = jnp.asarray(START)
        state = nesterov.init(phi)
        for _ in range(STEPS):
            v = gamma * v + eta * gradient(theta - gamma * v)
            theta = theta - v
            updates, state = nesterov.update(jnp.asarray(gradient(np.asarray(phi))), state)
            phi = phi + updates
            np.testing.assert_allclose(phi, theta - gamma * v, rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(state["v"], v, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_gradient_of_0_at_the_start_changes_nothing(rule):
    params = {"w": jnp.ones(3), "none": jnp.zeros((0, 2))}
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, state = jax.tree.map(np.asarray, jax.jit(rule().update)(zeros, rule().init(params), params))
    assert not updates["w"].any()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((updates, state)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_in_half_precision_the_steps_are_those_of_single_rounded(rule, dtype):
    g = jnp.array([0.0, 1e-5, -2.0, 300.0], dtype)  # squares of float16 are 0 or infinite

    def updates(g):
        first, state = rule().update(g, rule().init(g))
        return first, rule().update(g, state)[0]

    half, single = jax.jit(lambda g: (updates(g), updates(g.astype(jnp.float32))))(g)
    for ours, truth in zip(half, single, strict=True):
        np.testing.assert_array_equal(ours, truth.astype(dtype))
        assert ours[0] == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_last_step_that_can_be_counted_goes_on(rule):
    last = {**rule().init(jnp.ones(3)), "t": jnp.int32(2**31 - 2)}
    update = jax.jit(rule().update)
    for _ in range(3):
        updates, last = update(jnp.ones(3), last)
        assert jnp.isfinite(updates).all()
    assert last["t"] == 2**31 - 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_complex_gradients_are_refused(rule):
    said = "Expected real numbers, got complex64. Make of a complex number two real ones."
    for refused in (
        lambda: rule().update(jnp.ones(2) * 1j, rule().init(jnp.ones(2))),
        lambda: ClipNorm(1.0)({"w": jnp.ones(2) * 1j}),
        lambda: ClipValue(1.0)(jnp.ones(2) * 1j),
    ):
        with pytest.raises(ChainruleError) as caught:
            refused()
        assert str(caught.value) == said


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_updates_keep_the_parameters_dtype_and_slots_have_32_bits(rule, dtype):
    params = {"w": jnp.ones(3, dtype)}
    for rate in (0.1, CosineDecay(0.1, steps=10.0)):
        updates, state = jax.eval_shape(rule(rate).update, params, rule(rate).init(params), params)
        assert updates["w"].dtype == dtype
        assert {state[slot]["w"].dtype for slot in rule.slots} <= {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_state_keeps_its_structure(rule):
    params = {"w": jnp.ones(3)}
    state = rule().init(params)
    _, after = jax.eval_shape(rule().update, params, state, params)
    describe = lambda state: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)  # noqa: E731
    assert describe(after) == describe(state)


# With L1: the proximal step's fixed point


@pytest.fixture(scope="module")
def lasso():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 8)) @ np.diag([1, 1, 1, 2, 1, 1, 0.5, 1])
    y = x @ [3, -2, 0, 0.5, 0, 0, 0, 0.02] + 0.1 * rng.normal(size=60)
    return x, y, Lasso(alpha=0.1, fit_intercept=False, tol=1e-12, max_iter=100_000).fit(x, y).coef_


SETTLING = {
    GradientDescent: {"learning_rate": 0.1},
    Momentum: {"learning_rate": 0.01},
    Nesterov: {"learning_rate": 0.01},
    Adagrad: {"learning_rate": 0.5},
    Adadelta: {"epsilon": 1e-5},
    RMSprop: {"learning_rate": 0.002},
    Adam: {"learning_rate": 0.002},
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_with_l1_it_settles_in_the_lasso_with_exact_zeros(rule, lasso):
    x, y, coefficients = lasso
    optimizer, penalty = rule(**SETTLING.get(rule, {})), L1(0.1)
    with jax.enable_x64(True):

        @jax.jit
        def solve(w):
            def step(_, carry):
                w, state = carry
                updates, state = optimizer.update(x.T @ (x @ w - y) / len(y), state, w)
                return penalty.proximal(w + updates, optimizer.rates(state, w)), state

            return jax.lax.fori_loop(0, 6000, step, (w, optimizer.init(w)))[0]

        w = np.asarray(solve(jnp.full(8, 0.3)))
    assert (coefficients == 0).sum() == 5
    assert ((w == 0) == (coefficients == 0)).all()
    np.testing.assert_allclose(w, coefficients, atol=2e-3)


# Clipping


def test_a_long_gradient_is_scaled_to_the_bound_over_all_parameters():
    clipped = ClipNorm(2.0)({"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])})
    np.testing.assert_allclose(clipped["a"], [1.2, 0], rtol=1e-6)
    np.testing.assert_allclose(clipped["b"], [[1.6]], rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-45, 1e-38, 1e-30, 1e-20, 0.1])
def test_a_short_gradient_passes_untouched(scale):
    g = jnp.array([3.0, -4.0]) * scale
    np.testing.assert_array_equal(ClipNorm(1.0)(g), g)


@pytest.mark.parametrize("size", [1e10, 1e20, 1e30, 3e38])
def test_a_huge_gradient_keeps_its_direction(size):
    np.testing.assert_allclose(ClipNorm(1.0)(jnp.array([size, -size, size, size])), [0.5, -0.5, 0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize("clipping", [ClipNorm(1.0), ClipValue(1.0)], ids=repr)
def test_clipping_keeps_dtypes_also_mixed_ones(clipping):
    g = {name: jnp.full(2, 60_000.0, name) for name in ("float16", "bfloat16", "float32")}
    clipped = clipping(g)
    assert {name: leaf.dtype for name, leaf in clipped.items()} == {name: jnp.dtype(name) for name in g}
    assert all(0.3 < float(leaf[0]) <= 1 for leaf in clipped.values())


@pytest.mark.parametrize("clipping", [ClipNorm(1.0), ClipValue(1.0)], ids=repr)
def test_of_no_gradients_there_are_none_to_clip(clipping):
    assert clipping({}) == {}
    assert clipping([(), {}]) == [(), {}]


def test_clipping_agrees_with_optax():
    g = {"a": np.linspace(-2, 3, 5, dtype=np.float32), "b": np.full((2, 2), -3, np.float32)}
    ours = jax.jit(ClipNorm(0.7))(g)
    theirs = jax.jit(lambda g: optax.clip_by_global_norm(0.7).update(g, optax.EmptyState())[0])(g)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), ours, theirs)
    assert ClipValue(0.5)(jnp.array([-3.0, 0.2, 3.0])).tolist() == pytest.approx([-0.5, 0.2, 0.5])


def test_a_clipped_optimizer_clips_first():
    params = jnp.zeros(2)
    clipped = ClipNorm(1.0) >> GradientDescent(0.5)
    updates, state = clipped.update(jnp.array([30.0, -40.0]), clipped.init(params), params)
    np.testing.assert_allclose(updates, [-0.3, 0.4], rtol=1e-6)
    assert clipped.rates(state, params) == 0.5


def test_clippings_compose_with_optimizers_only():
    nested = ClipNorm(1.0) >> (ClipValue(0.5) >> Adam(0.1))
    assert repr(nested) == "ClipNorm(max_norm=1.0) >> (ClipValue(limit=0.5) >> Adam(learning_rate=0.1))"
    assert as_optimizer(repr(nested)) == nested == Clipped(ClipNorm(1.0), Clipped(ClipValue(0.5), Adam(0.1)))
    with pytest.raises(TypeError):
        ClipNorm(1.0) >> L2(1.0)


# Optax's protocol


def run(optimizer, steps=20):
    params = {"w": jnp.asarray(START, jnp.float32)}
    state = optimizer.init(params)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.tree.map(lambda w: gradient(w, jnp), params), state, params)
        return optax.apply_updates(params, updates), state

    for _ in range(steps):
        params, state = step(params, state)
    return params["w"], state


def test_ours_stand_inside_optax():
    theirs, _ = run(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01)))
    ours, _ = run(optax.chain(optax.clip_by_global_norm(1.0), Adam(0.01)))
    composed, _ = run(ClipNorm(1.0) >> Adam(0.01))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    np.testing.assert_allclose(composed, theirs, rtol=1e-5)


def test_optax_stands_in_the_place_of_ours():
    wrapped = as_optimizer(optax.adam(0.01))
    assert isinstance(wrapped, FromOptax)
    np.testing.assert_array_equal(run(wrapped)[0], run(optax.adam(0.01))[0])
    assert jax.tree.leaves(wrapped) == []


@pytest.mark.parametrize("value", [Adam(0.1), "Adam(0.1)"], ids=repr)
def test_as_optimizer_takes_formulas_and_text(value):
    assert as_optimizer(value) == Adam(0.1)


def test_a_population_of_rates_is_each_of_its_members():
    together = jax.vmap(lambda rate: run(Momentum(rate), 3)[0])(jnp.array([0.01, 0.1]))
    np.testing.assert_allclose(together, [run(Momentum(rate), 3)[0] for rate in (0.01, 0.1)], rtol=1e-6)


def test_defaults_are_the_published_ones():
    assert (Adam().learning_rate, Adam().beta1, Adam().beta2, Adam().epsilon) == (0.001, 0.9, 0.999, 1e-8)
    assert (Adadelta().learning_rate, Adadelta().rho, Adadelta().epsilon) == (1.0, 0.95, 1e-6)
    assert (Momentum().momentum, Nesterov().momentum, RMSprop().rho) == (0.9, 0.9, 0.9)
    assert all(issubclass(rule, Optimizer) for rule in RULES)


SHAPES = ((70, 71), (33,), (5,), (), (0, 3))  # more numbers than WORTH_A_CALL, and less than a vector


def arrays(seed):
    return [jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32) for shape in SHAPES]


def three_steps(rule, advance):
    params, state = arrays(0), rule.init(arrays(0))
    for seed in (1, 2, 3):
        params, state = advance(rule, params, arrays(seed), state)
    return params, state


def close(ours, truth):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6), ours, truth)


def test_the_native_kernels_make_the_same_steps():
    rules = [*(rule() for rule in RULES), ClipNorm(1.0) >> Momentum(CosineDecay(0.1, steps=5))]
    natively = lambda rule, *args: rule.advance(*args)  # noqa: E731
    run = jax.jit(lambda rules, advance: [three_steps(r, advance) for r in rules], static_argnums=1)
    text = run.lower(rules, natively).as_text()
    assert native.processor() is None or all(f"@chainrule_{KERNELS[rule]}(" in text for rule in RULES)
    close(run(rules, natively), run(rules, Optimizer.advance))


def test_the_native_kernels_have_the_names_of_slots_and_constants_in_the_same_order():
    source = Path(native.__file__).with_name("optimizers.cc").read_text()
    kernels = dict(re.findall(r"^CHAINRULE_OPTIMIZER\((\w+), (\w+)\);$", source, re.MULTILINE))
    assert kernels.keys() == set(KERNELS.values()) == set(native.OPTIMIZERS)
    for rule, kernel in KERNELS.items():
        struct = re.search(rf"^struct {kernels[kernel]} {{$(.*?)^}};$", source, re.MULTILINE | re.DOTALL)
        slots, constants = (names.split(", ")[:-1] for names in re.findall(r"enum \w+ { (.*) };", struct[1]))
        assert (slots, constants) == ([*rule.slots], [*rule().constants(0.1, jnp.ones(()))])


def test_a_population_each_with_its_rate_is_one_call():
    rates = jnp.array([0.1, 0.2, 0.3])
    together = jax.jit(jax.vmap(lambda rate: three_steps(Adam(rate), Adam.advance)))
    close(together(rates), jax.jit(jax.vmap(lambda rate: three_steps(Adam(rate), Optimizer.advance)))(rates))
    assert native.processor() is None or together.lower(rates).as_text().count("@chainrule_adam(") == 3


class Still(Adam):
    def step(self, g, s, eta, t):
        return jnp.zeros_like(g), super().step(g, s, eta, t)[1]


def test_a_subclass_has_its_own_rule_for_many_parameters_too():
    params, _ = three_steps(Still(0.1), Still.advance)
    jax.tree.map(np.testing.assert_array_equal, params, arrays(0))


def test_steps_of_many_parameters_have_derivatives_by_the_rate():
    length = lambda advance: lambda rate: sum(jnp.sum(p**2) for p in three_steps(Momentum(rate), advance)[0])  # noqa: E731
    ours, truth = (float(jax.jit(jax.grad(length(advance)))(0.1)) for advance in (Momentum.advance, Optimizer.advance))
    assert ours == pytest.approx(truth, rel=1e-5)


def test_a_rate_for_each_column_is_not_taken_for_networks():
    params = jnp.ones((1000, 2))
    descent = GradientDescent(jnp.array([0.1, 0.2]))
    assert descent.advance(params, params, descent.init(params))[0][0].tolist() == pytest.approx([0.9, 0.8])


@pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")
def test_sizes_are_checked_before_memory_is_touched():
    with pytest.raises(jax.errors.JaxRuntimeError, match="not of the same sizes"):
        native.update("momentum", jnp.ones(2), [jnp.ones(5), jnp.ones(5)], [jnp.ones(4)])
    with pytest.raises(jax.errors.JaxRuntimeError, match="not of the same sizes"):
        native.update("adam", jnp.ones(6), [jnp.ones(5), jnp.ones(5), jnp.ones(5)], [jnp.ones(5)])
