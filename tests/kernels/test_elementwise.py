"""Native activations are the rounded truth, in every shape; they have all derivatives, batched, and in threads."""

import re
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.activations import ELU, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from chainrule.kernels import elementwise, native
from chainrule.kernels.elementwise import elu, sigmoid, softplus, tanh
from chainrule.notation import parse
from chainrule.textbook.accuracy.measure import errors

built = pytest.mark.skipif(native.processor() is None, reason="the native kernels are not built")

TRUTH = {  # in float64: value and derivative
    Tanh(): (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    Sigmoid(): (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    Softplus(): (lambda x: np.logaddexp(x, 0), lambda x: 1 / (1 + np.exp(-x))),
    ELU(0.5): (lambda x: np.where(x > 0, x, np.expm1(x) / 2), lambda x: np.where(x > 0, 1, np.exp(x) / 2)),
}
FUNCTIONS = {"tanh": tanh, "sigmoid": sigmoid, "softplus": softplus, "elu": lambda x: elu(x, 0.5)}


def numbers(size):
    """Of many magnitudes, from −60 to 60."""
    random = np.random.default_rng(size)
    return (random.choice([-1, 1], size) * 10 ** random.uniform(-6, 1.77, size)).astype(np.float32)


@jax.jit
def values_and_slopes(x):
    return [(f(x), *jax.jvp(f, (x,), (jnp.ones_like(x),))) for f in TRUTH]


@built
@pytest.mark.parametrize("size", [0, 1, 7, 15, 16, 17, 2**14 - 1, 2**14 + 1, 50_000])
def test_results_are_the_rounded_truth(size):
    x = numbers(size)
    for results, (value, slope) in zip(values_and_slopes(x), TRUTH.values(), strict=True):
        for ours, truth in zip(results, (value, value, slope), strict=True):
            assert errors(np.asarray(ours), truth(x.astype(np.float64))).max(initial=0) < 0.501


@pytest.mark.parametrize(
    ("function", "minus_0", "low", "high", "slopes"),
    [
        ("tanh", -0.0, -1, 1, (1, 0, 0)),
        ("sigmoid", 0.5, 0, 1, (0.25, 0, 0)),
        ("softplus", np.float32(np.log(2)), 0, np.inf, (0.5, 0, 1)),
        ("elu", -0.0, -0.5, np.inf, (0.5, 0, 1)),
    ],
)
def test_the_ends(function, minus_0, low, high, slopes):
    f = FUNCTIONS[function]
    x = jnp.array([-0.0, -jnp.inf, jnp.inf, jnp.nan])
    value, slope = jax.jvp(f, (x,), (jnp.ones_like(x),))
    for y in (f(x), value):
        assert y[:3].tolist() == pytest.approx([minus_0, low, high], rel=1e-7)
        assert jnp.isnan(y[3])
        assert jnp.signbit(y[0]) == np.signbit(minus_0)
    assert slope[:3].tolist() == list(slopes)
    far = jnp.array([-3e38, 3e38])
    np.testing.assert_array_equal(f(far), jnp.minimum(jnp.array([low, high]), far.at[0].set(1)))


OTHERS = """GELU() GELU(approximate=True) SiLU(1.7) Mish() TanhExp() LiSHT() ELiSH() HardELiSH() SELU() CELU(0.5)
ISRLU() LogSigmoid() ArcTan() SobolevaTanh(2,1,3,1) SoftClipping(3) TanhShrink() Sinusoid() Sinc() Gaussian()
BentIdentity() Exp()"""  # as their plain forms, whose truth `chainrule verify` knows


@built
def test_the_others_are_as_exact_as_their_plain_forms(monkeypatch):
    formulas = [*map(parse, OTHERS.split())]
    x = np.concatenate([numbers(60), np.float32([0, -0.0, 20, -20, 88, -88, 3e38, -3e38, np.inf, -np.inf, np.nan])])

    def program():
        return jax.jit(lambda x: [jax.jvp(f, (x,), (jnp.ones_like(x),)) for f in formulas])

    natively = program()
    assert len(set(re.findall(r"@chainrule_(\w+)", natively.lower(x).as_text()))) == len(formulas)
    ours = natively(x)
    monkeypatch.setattr(native, "processor", lambda: None)
    for formula, results, plain in zip(formulas, ours, program()(x), strict=True):
        for one, other in zip(results, plain, strict=True):
            assert errors(np.asarray(one), np.asarray(other, np.float64)).max() <= 1, formula


@built
def test_the_layout_in_memory_does_not_matter():
    x = numbers(35).reshape(5, 7)
    for one, other in zip(
        jax.tree.leaves(values_and_slopes(x)),
        jax.tree.leaves(jax.jit(lambda x: values_and_slopes(x.T))(x)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other.T)


@built
def test_a_population_of_alphas():
    pull = jax.value_and_grad(lambda x, alpha: elu(x, alpha).sum())

    @jax.jit
    def together_and_apart(x, alphas):
        grid = jax.vmap(jax.vmap(pull, in_axes=(None, 0)), in_axes=(0, None))(x, alphas)
        diagonal, row = jax.vmap(pull)(x, alphas), jax.vmap(pull, in_axes=(None, 0))(x[0], alphas)
        column = jax.vmap(pull, in_axes=(0, None))(x, alphas[0])
        return grid, diagonal, row, column, [[pull(x[i], alphas[k]) for k in range(3)] for i in range(3)]

    *together, apart = together_and_apart(numbers(12).reshape(3, 4), np.float32([0.5, 1, 2]))
    for part, (grid, *lines) in enumerate(zip(*together, strict=True)):
        for i, k in np.ndindex(3, 3):
            np.testing.assert_array_equal(grid[i, k], apart[i][k][part])
        for i in range(3):
            for line, member in zip(lines, (grid[i, i], grid[0, i], grid[i, 0]), strict=True):
                np.testing.assert_array_equal(line[i], member)


@pytest.mark.slow
@pytest.mark.by_turns(2)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_further_derivatives_are_those_of_the_plain_form(monkeypatch, function):
    x, direction = jnp.linspace(-3, 3, 7), jnp.arange(7.0)

    def derivatives(x):
        f = lambda x: jnp.sum(FUNCTIONS[function](x) ** 2)  # noqa: E731
        forward = jax.jvp(jax.grad(f), (x,), (direction,))[1]
        return jax.grad(f)(x), forward, jax.grad(lambda x: jax.grad(f)(x) @ direction)(x), jax.hessian(f)(x) @ direction

    ours = jax.jit(derivatives)(x)
    monkeypatch.setattr(native, "processor", lambda: None)
    plain = jax.jit(lambda x: derivatives(x))(x)
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    for one in ours[2:]:
        np.testing.assert_allclose(one, ours[1], rtol=1e-5, atol=1e-5)


def test_derivatives_by_alpha():
    @jax.jit
    def derivatives(x, alpha):
        square = lambda x, alpha: elu(x, alpha) ** 2  # noqa: E731
        return jax.grad(elu, 1)(x, alpha), jax.grad(jax.grad(elu, 1))(x, alpha), *jax.grad(square, (0, 1))(x, alpha)

    m, e = np.expm1(-2), np.exp(-2)
    assert derivatives(-2.0, 0.5) == pytest.approx((m, e, m * e / 2, m**2))
    assert derivatives(2.0, 0.5) == (0, 0, 4, 0)


def test_an_alpha_for_each_number():
    alphas = jnp.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(elu(jnp.array([-2.0, -0.0, 1.0]), alphas), [np.expm1(-2), 0, 1], rtol=1e-6)


@built
def test_in_loops_and_from_many_threads_the_bits_are_the_same():
    x = numbers(40_000)
    once = jax.tree.map(np.asarray, values_and_slopes(x))
    looped = jax.jit(lambda x: jax.lax.scan(lambda none, x: (none, values_and_slopes(x)), None, x.reshape(8, -1))[1])(x)
    with ThreadPoolExecutor(8) as threads:
        others = list(threads.map(lambda _: values_and_slopes(x), range(20)))
    for other in (*others, looped):
        jax.tree.map(lambda one, other: np.testing.assert_array_equal(one, np.ravel(other)), once, other)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "uint8"])
def test_other_numbers_are_left_to_jax(dtype):
    with jax.enable_x64(dtype == "float64"):
        x = jnp.array([1, 0, 3], dtype)
        for f, (value, _) in TRUTH.items():
            exact = value(np.array([1.0, 0, 3]))
            rounding = float(jnp.finfo(dtype).eps) if "float" in dtype else 1e-7
            np.testing.assert_allclose(np.asarray(f(x), np.float64), exact, rtol=2 * rounding)


@built
@pytest.mark.parametrize(
    ("name", "shapes", "arrays"),
    [
        ("tanh", (3,), [(4,)]),
        ("elu", (4,), [(4,), (0,)]),
        ("tanh", ((4,), (3,)), [(4,)]),
        ("elu", (4,), [(4,), (3,)]),
        ("elu", (4,), [(4,)]),
        ("tanh", (4,), [(4,), ()]),
    ],
)
def test_shapes_are_checked_before_memory_is_touched(name, shapes, arrays):
    with pytest.raises(jax.errors.JaxRuntimeError, match="shapes of input, numbers and outputs do not fit"):
        native.call(name, shapes, *map(jnp.ones, arrays))


def test_whole_numbers_have_a_derivative_by_alpha():
    slope = lambda x: float(jax.grad(lambda alpha: elu(x, alpha).sum())(0.5))  # noqa: E731
    assert slope(jnp.arange(-2, 3)) == pytest.approx(slope(jnp.arange(-2.0, 3)), rel=1e-6)


@built
@pytest.mark.parametrize("activation", [ReLU(), LeakyReLU(), LeakyReLU(0.3)], ids=repr)
def test_large_arrays_have_the_same_bits(monkeypatch, activation):
    x = np.concatenate([numbers(1001), np.float32([0, -0.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-37])])

    def all_of(f):
        ones = jnp.ones_like(x)
        return f(x), *jax.jvp(f, (x,), (ones,)), jax.grad(lambda x: f(x).sum())(x), jax.jvp(jax.grad(f), (2.0,), (1.0,))

    small = jax.jit(lambda: all_of(activation))()
    monkeypatch.setattr(elementwise, "LARGE", 1)
    large, inside = (jax.jit(lambda f=f: all_of(f))() for f in (activation, lambda x: activation.forward({}, x)))
    assert "chainrule" in jax.jit(lambda x: activation(x)).lower(x).as_text()
    assert "chainrule" not in jax.jit(lambda x: activation.forward({}, x)).lower(x).as_text()
    for forms in zip(*map(jax.tree.leaves, (small, large, inside)), strict=True):
        for form in forms[1:]:
            np.testing.assert_array_equal(form, forms[0])
            np.testing.assert_array_equal(np.signbit(form), np.signbit(forms[0]))


@built
def test_only_large_arrays_are_computed_natively():
    for size, native_it_is in ((elementwise.LARGE - 1, False), (elementwise.LARGE, True)):
        text = jax.jit(lambda x: ReLU()(x)).lower(jax.ShapeDtypeStruct((size,), jnp.float32)).as_text()
        assert ("chainrule_relu" in text) == native_it_is


def test_slopes_below_0_have_derivatives_and_populations_in_large_arrays_too(monkeypatch):
    monkeypatch.setattr(elementwise, "LARGE", 1)
    x, slopes = jnp.array([-2.0, -0.0, 3.0]), jnp.array([0.1, 0.5])
    pull = jax.grad(lambda slope, x: (elementwise.leaky_relu(x, slope) * jnp.arange(1.0, 4)).sum(), (0, 1))
    assert pull(0.5, x)[0] == -2
    np.testing.assert_array_equal(pull(0.5, x)[1], [0.5, 1, 3])
    together = jax.vmap(lambda slope: LeakyReLU(slope)(x))(slopes)
    np.testing.assert_array_equal(together, [LeakyReLU(0.1)(x), LeakyReLU(0.5)(x)])
