"""Rules against their own textbook recurrences, with a kink in the cost, in populations, and by native kernels."""

import ast
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
from chainrule.notation.families import family
from chainrule.optimizers import (
    KERNELS,
    LAMB,
    LARS,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    AggMo,
    AMSGrad,
    ClipNorm,
    GradientDescent,
    Momentum,
    Muon,
    Nesterov,
    Optimizer,
    QHMomentum,
    RAdam,
    RMSprop,
    Rprop,
    Rule,
    Yogi,
)
from chainrule.optimizers.schedules import CosineDecay, StepDecay
from chainrule.regularizers import L1

RULES = [rule for rule in family(Rule) if rule.__module__.startswith("chainrule.") and rule is not Muon]
SCHEDULED = [rule for rule in RULES if rule is not Rprop]
STEPS = 50

rng = np.random.default_rng(0)
A, B, START = rng.normal(size=(6, 5)), rng.normal(size=6), rng.normal(size=5)


def gradient(theta, xp=np):
    """Of Σ ln cosh(Aθ − b) + θ⁴ / 20, which is not quadratic and has parameters that depend on each other."""
    return A.T.astype(theta.dtype) @ xp.tanh(A.astype(theta.dtype) @ theta - B.astype(theta.dtype)) + theta**3 / 5


class Arrays(ast.NodeTransformer):
    """A textbook as NumPy has it: cases by `where`, and of velocities one after another."""

    def visit_IfExp(self, node):
        return ast.Call(ast.Name("where", ast.Load()), [*map(self.visit, (node.test, node.body, node.orelse))], [])


def recurrence(rule):
    """A step of the rule's textbook, compiled, for names that stand for arrays."""
    lines = re.sub(r"v\[i\] = (.*)", r"v = stack([\1 for i in range(velocities)])", textwrap.dedent(rule.textbook))
    lines = lines.replace("mean(v[i] for i)", "mean(v, 0)")
    return compile(ast.fix_missing_locations(Arrays().visit(ast.parse(lines))), rule.__class__.__name__, "exec")


FUNCTIONS = {name: getattr(np, name) for name in ("sqrt", "sign", "abs", "where", "stack", "mean", "sum")} | {
    "max": np.maximum,
    "min": np.minimum,
    "mean_of_rows": lambda x: x.mean(1, keepdims=True),
    "mean_of_columns": lambda x: x.mean(0, keepdims=True),
    "gradient": gradient,
}


def textbook_path(rule, rate=lambda t: None):
    """θ after each step of the textbook's recurrence in float64; at the look-ahead point if the gradient is there.

    The parameters are those of `walk`, if the rule sees them as wholes: a matrix, and of one number another.
    """
    step, ahead, path = recurrence(rule), "gradient(" in rule.textbook, []
    arrays = [START[:1, None], START[1:].reshape(2, 2)] if rule.layerwise else [START]
    fields = FUNCTIONS | {field.name: getattr(rule, field.name) for field in dataclasses.fields(rule)}
    each = [fields | rule.slots(array) | {"theta": array} for array in arrays]
    for t in range(1, STEPS + 1):
        g = gradient(np.concatenate([names["theta"].ravel() for names in each]))
        for names in each:
            own, g = np.split(g, [names["theta"].size])
            names |= {"t": t, "g": own.reshape(names["theta"].shape)}
            names |= {"learning_rate": rate(t - 1) or rule.learning_rate}
            with np.errstate(invalid="ignore"):  # of cases that are not taken
                exec(step, names)
        ends = [names["theta"] - names["momentum"] * names["v"] if ahead else names["theta"] for names in each]
        path.append(np.concatenate([end.ravel() for end in ends]))
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


@pytest.mark.by_turns(4)
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


@pytest.mark.by_turns(4)
@pytest.mark.parametrize("rule", SCHEDULED, ids=lambda rule: rule.__name__)
def test_a_schedule_is_asked_at_each_step_from_0(rule):
    truth = textbook_path(rule(), lambda t: 0.08 * 0.5 ** (t // 10))
    ours = our_path(rule(StepDecay(0.08, every=10, factor=0.5)), "float32")
    np.testing.assert_allclose(ours, truth, rtol=3e-5, atol=2e-5)


@pytest.mark.parametrize("rule", [Momentum, Nesterov, Adam], ids=lambda rule: rule.__name__)
def test_momentum_is_a_field(rule):
    changed = {"beta1": 0.5, "beta2": 0.9} if rule is Adam else {"momentum": 0.5}
    rule = rule(0.05, **changed)
    np.testing.assert_allclose(our_path(rule, "float32"), textbook_path(rule), rtol=3e-5, atol=3e-6)


@pytest.mark.by_turns(3)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_gradient_of_0_at_the_start_changes_nothing(rule):
    zeros = {"w": jnp.zeros(3), "none": jnp.zeros((0, 2))}
    updates, state = jax.tree.map(np.asarray, jax.jit(rule().update)(zeros, rule().init(zeros), zeros))
    assert not updates["w"].any()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((updates, state)))


@pytest.mark.by_turns(3)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_in_half_precision_the_steps_are_those_of_single_rounded(rule, dtype):
    g = jnp.array([0.0, 1e-5, -2.0, 300.0], dtype)  # squares of float16 are 0 or infinite

    def updates(g):
        first, state = rule().update(g, rule().init(g), g)
        return first, rule().update(g, state, g)[0]

    half, single = jax.jit(lambda g: (updates(g), updates(g.astype(jnp.float32))))(g)
    for ours, truth in zip(half, single, strict=True):
        np.testing.assert_array_equal(ours, truth.astype(dtype))
        assert ours[0] == 0


@pytest.mark.by_turns(3)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_last_step_that_can_be_counted_goes_on(rule):
    last = {**rule().init(jnp.ones(3)), "t": jnp.int32(2**31 - 2)}
    update = jax.jit(rule().update)
    for _ in range(3):
        updates, last = update(jnp.ones(3), last, jnp.ones(3))
        assert jnp.isfinite(updates).all()
    assert last["t"] == 2**31 - 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_complex_gradients_are_refused(rule):
    said = "Expected real numbers, got complex64. Make of a complex number two real ones."
    with pytest.raises(ChainruleError) as caught:
        rule().update(jnp.ones(2) * 1j, rule().init(jnp.ones(2)), jnp.ones(2))
    assert str(caught.value) == said


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_updates_keep_the_parameters_dtype_and_slots_have_32_bits(rule, dtype):
    params = {"w": jnp.ones(3, dtype)}
    for rate in (0.1, CosineDecay(0.1, steps=10.0))[: 1 + (rule in SCHEDULED)]:
        updates, state = jax.eval_shape(rule(rate).update, params, rule(rate).init(params), params)
        assert updates["w"].dtype == dtype
        assert {state[slot]["w"].dtype for slot in state.keys() - {"t"}} <= {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_state_keeps_its_structure(rule):
    params = {"w": jnp.ones(3)}
    state = rule().init(params)
    _, after = jax.eval_shape(rule().update, params, state, params)
    describe = lambda state: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)  # noqa: E731
    assert describe(after) == describe(state)


def test_a_population_of_rates_is_each_of_its_members():
    populations = jax.vmap(lambda rate: walk(Momentum(rate), {"first": START[:1], "rest": START[1:].reshape(2, 2)}))
    rates = [0.01, 0.1]
    together = populations(jnp.array(rates))
    np.testing.assert_allclose(together, [our_path(Momentum(rate), "float32") for rate in rates], rtol=1e-5, atol=1e-6)


def test_the_state_of_other_parameters_is_refused():
    adam = Adam(0.1)
    other, said = adam.init({"w": jnp.ones(3)}), "Begin with init(parameters)."
    for state in (other, {**other, "m": {"w": jnp.ones(2)}}, {"t": other["t"], "m": other["m"]}, None):
        with pytest.raises(ChainruleError) as caught:
            adam.update({"w": jnp.ones(2)}, state)
        assert str(caught.value) == (
            f"Adam(learning_rate=0.1): expected the state of parameters like the gradients. {said}"
        )
    with pytest.raises(ChainruleError) as caught:
        adam.update({"w": jnp.ones(3)}, other, {"w": jnp.ones(2)})
    assert str(caught.value) == (
        "Adam(learning_rate=0.1): expected a gradient for each parameter, of its shape. Give both alike."
    )


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
    AdamW: {"learning_rate": 0.002, "weight_decay": 0.0},
    QHMomentum: {"learning_rate": 0.1},
    AggMo: {"learning_rate": 0.01},
    LARS: {"learning_rate": 1.0, "weight_decay": 0.0},
    LAMB: {"learning_rate": 0.002, "weight_decay": 0.0},
    AMSGrad: {"learning_rate": 0.01},
    RAdam: {"learning_rate": 0.002},
    Yogi: {"learning_rate": 0.002},
}


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("rule", [rule for rule in RULES if rule().has_rates], ids=lambda rule: rule.__name__)
def test_with_l1_it_settles_in_the_lasso_with_exact_zeros(rule, lasso):
    _, _, coefficients = lasso
    w = settled(rule(**SETTLING.get(rule, {})), lasso)
    assert (coefficients == 0).sum() == 5
    assert ((w == 0) == (coefficients == 0)).all()
    np.testing.assert_allclose(w, coefficients, atol=2e-3)


def test_decay_beside_l1_shrinks_what_l1_leaves(lasso):
    _, _, coefficients = lasso
    w = settled(AdamW(0.002, weight_decay=0.05), lasso)
    left = coefficients != 0
    assert ((w != 0) == left).all()
    assert (np.abs(w) < np.abs(coefficients) - 3e-3)[left].all()


def settled(optimizer, lasso):
    """Where descent on the squared error ends, with proximal steps of L1."""
    (x, y, _), penalty = lasso, L1(0.1)
    with jax.enable_x64(True):

        @jax.jit
        def solve(w):
            def step(_, carry):
                w, state = carry
                updates, state = optimizer.update(x.T @ (x @ w - y) / len(y), state, w)
                return penalty.proximal(w + updates, optimizer.rates(state, w)), state

            return jax.lax.fori_loop(0, 6000, step, (w, optimizer.init(w)))[0]

        return np.asarray(solve(jnp.full(8, 0.3)))


# Native kernels


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
    rules = [*(rule() for rule in KERNELS), ClipNorm(1.0) >> Momentum(CosineDecay(0.1, steps=5))]
    natively = lambda rule, *args: rule.advance(*args)  # noqa: E731
    run = jax.jit(lambda rules, advance: [three_steps(r, advance) for r in rules], static_argnums=1)
    text = run.lower(rules, natively).as_text()
    assert native.processor() is None or all(f"@chainrule_{kernel}(" in text for kernel in KERNELS.values())
    close(run(rules, natively), run(rules, Optimizer.advance))


def test_the_native_kernels_have_the_names_of_slots_and_constants_in_the_same_order():
    source = Path(native.__file__).with_name("optimizers.cc").read_text()
    kernels = dict(re.findall(r"^CHAINRULE_OPTIMIZER\((\w+), (\w+)\);$", source, re.MULTILINE))
    assert kernels.keys() == set(KERNELS.values()) == set(native.OPTIMIZERS)
    for rule, kernel in KERNELS.items():
        struct = re.search(rf"^struct {kernels[kernel]} {{$(.*?)^}};$", source, re.MULTILINE | re.DOTALL)
        slots, constants = (names.split(", ")[:-1] for names in re.findall(r"enum \w+ { (.*) };", struct[1]))
        assert (slots, constants) == ([*rule().slots(START)], [*rule().constants(0.1, jnp.ones(()))])


def test_a_population_each_with_its_rate_is_one_call():
    rates = jnp.array([0.1, 0.2, 0.3])
    together = jax.jit(jax.vmap(lambda rate: three_steps(Adam(rate), Adam.advance)))
    close(together(rates), jax.jit(jax.vmap(lambda rate: three_steps(Adam(rate), Optimizer.advance)))(rates))
    assert native.processor() is None or together.lower(rates).as_text().count("@chainrule_adam(") == 3


class Still(Adam):
    def step(self, g, w, s, eta, t):
        return jnp.zeros_like(g), super().step(g, w, s, eta, t)[1]


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
