"""Regularisers: their textbook forms, and proximal steps that are minima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.notation.families import family
from chainrule.regularizers import L1, L2, Regularizer, Sum

W = jax.random.normal(jax.random.key(0), (4, 3))
EXAMPLES = [L1(0.3), L2(0.3), L1(0.2) + L2(0.1), Sum((L1(0.1),)), L1(0.0), L1(0.1) + L1(0.2)]
each = pytest.mark.parametrize("penalty", EXAMPLES, ids=repr)


def textbook(penalty, w):
    names = {"sum": lambda terms: np.sum(list(terms) if hasattr(terms, "send") else terms), "abs": np.abs, "w": w}
    names |= {"terms": [lambda w, term=term: textbook(term, w) for term in getattr(penalty, "terms", ())]}
    return eval(penalty.textbook, names | {"strength": getattr(penalty, "strength", None)})


def test_every_regularizer_is_tried():
    written = [one for one in family(Regularizer) if one.__module__ == Regularizer.__module__]
    assert {type(penalty) for penalty in EXAMPLES} == set(written)


@each
def test_the_term_is_its_textbook_form(penalty):
    assert penalty(W).shape == ()
    assert float(penalty(W)) == pytest.approx(float(textbook(penalty, np.float64(W))), rel=1e-6)


@each
def test_the_smooth_part_has_the_gradient_that_the_kink_leaves(penalty):
    """Away from 0 the smooth gradient and the proximal step together go down the whole term."""
    w, rate = jnp.array([2.0, -3.0, 1.5]), 1e-3
    whole = jax.grad(penalty)(w)
    moved = w - rate * jax.grad(penalty.smooth)(w)
    np.testing.assert_allclose((w - penalty.proximal(moved, rate)) / rate, whole, atol=2e-3)


@each
def test_the_proximal_step_is_a_minimum(penalty):
    w, rate = np.linspace(-1, 1, 41), 0.7
    with jax.enable_x64(True):
        reached = np.asarray(penalty.proximal(jnp.asarray(w), rate))
        candidates = np.linspace(-1.2, 1.2, 2401)
        rest = jax.vmap(lambda u: penalty(u) - penalty.smooth(u))(jnp.asarray(candidates)[:, None])
    objective = np.asarray(rest)[:, None] + (candidates[:, None] - w) ** 2 / (2 * rate)
    np.testing.assert_allclose(reached, candidates[objective.argmin(axis=0)], atol=1.1e-3)


def test_l1_reaches_exact_zeros_and_takes_a_rate_for_each_entry():
    w = jnp.array([0.04, -0.04, 0.06, -3.0, 0.0])
    np.testing.assert_allclose(L1(0.5).proximal(w, 0.1), [0, 0, 0.01, -2.95, 0], atol=1e-7)
    assert L1(0.5).proximal(w, 0.1)[:2].tolist() == [0, 0]
    assert L1(1.0).proximal(jnp.ones(3), jnp.array([0.0, 0.5, 2.0])).tolist() == [1, 0.5, 0]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@each
def test_dtypes_are_kept(penalty, dtype):
    w = W.astype(dtype)
    assert jax.eval_shape(jax.grad(lambda w: penalty(w).astype(jnp.float32)), w).dtype == dtype
    assert jax.eval_shape(lambda w: penalty.proximal(w, 0.1), w).dtype == dtype


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@each
def test_half_precision_is_added_up_in_single(penalty, dtype):
    w = jnp.full(5000, 300, dtype)  # whose squares are infinite in float16
    assert penalty(w) == jnp.float32(textbook(penalty, np.full(5000, 300.0))).astype(dtype)
    assert float(L2(1e-5)(w)) == pytest.approx(4500, rel=1e-2)


@each
def test_complex_numbers_are_refused(penalty):
    with pytest.raises(ChainruleError) as caught:
        penalty(W + 1j)
    assert str(caught.value) == "Expected real numbers, got complex64. Make of a complex number two real ones."


def test_sums_are_flat_however_they_are_composed():
    a, b, c = L1(0.1), L2(0.2), L1(0.3)
    assert (a + b) + c == a + (b + c) == Sum((a, b, c)) == Sum((a + b, c)) == Sum([a, b, c])
    assert repr(a + b + c) == "L1(0.1) + L2(0.2) + L1(0.3)"


def test_only_sums_with_a_kink_need_a_proximal_step():
    assert [penalty.has_kink for penalty in (L1(1.0), L2(1.0), L1(1.0) + L2(1.0), L2(1.0) + L2(2.0))] == [
        *(True, False, True, False)
    ]


@pytest.mark.parametrize("terms", [3, "L1(1)", (3,), (L1(1.0), 3), None])
def test_a_sum_is_of_regularizers(terms):
    with pytest.raises(ChainruleError) as caught:
        Sum(terms)
    assert str(caught.value) == f"Sum: terms must be a tuple of formulas of the family Regularizer, got {terms!r}."


def test_a_regularizer_adds_to_regularizers_only():
    with pytest.raises(TypeError):
        L1(0.1) + 3
