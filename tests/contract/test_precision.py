"""Products take all bits of float32 wherever they are computed: of GPUs and TPUs that is asked by name."""

import re

import jax
import jax.numpy as jnp
import pytest
from tests.contract.conftest import FORMULAS, example
from tests.contract.test_derivatives import OTHERS, first_fitting, problem

from chainrule import parse
from chainrule.kernels import native
from chainrule.optimizers import Optimizer
from chainrule.regularizers import Regularizer

PRODUCT = re.compile(r"stablehlo\.(?:dot|dot_general|convolution)\b.*f32.*")
W = {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}


@pytest.fixture(autouse=True)
def without_kernels_for_cpus(monkeypatch):
    monkeypatch.setattr(native, "processor", lambda: None)


def products(function, *arrays) -> list[str]:
    """The products of numbers in a function's program, as a GPU would be given it."""
    return PRODUCT.findall(jax.jit(function).trace(*arrays).lower(lowering_platforms=("cuda",)).as_text())


def exact(products: list[str]) -> bool:
    return all(product.count("HIGHEST") == 2 for product in products)


def examples(family):
    found = [example(formula) for formula in FORMULAS if issubclass(formula, family)]
    return pytest.mark.parametrize("made", found, ids=lambda made: type(made).__name__)


def test_of_each_layer_and_its_gradient(layer):
    cost, at, _ = problem(layer, first_fitting(layer))
    assert exact(products(jax.grad(cost), at))


@pytest.mark.parametrize("network", OTHERS, ids=lambda network: network[0])
def test_of_other_networks_and_their_gradients(network):
    text, shape = network
    cost, at, _ = problem(parse(text), shape)
    assert exact(products(jax.grad(cost), at))


@examples(Regularizer)
def test_of_each_penalty_and_its_gradient(made):
    assert exact(products(jax.value_and_grad(made), W["kernel"]))


@examples(Optimizer)
def test_of_each_step(made):
    def slope(w):
        return (jnp.sum(w["kernel"] ** 2) + jnp.sum(w["bias"]), None), w

    assert exact(products(lambda w: made.descend(slope, w, made.init(w), None), W))


def test_another_precision_is_jax_s_to_choose():
    cost, at, _ = problem(parse("Dense(3) >> Conv1D(2, 2)"), (4, 3))
    found = products(jax.grad(cost), at)
    assert found
    assert exact(found)
    with jax.default_matmul_precision("tensorfloat32"):
        assert not any("HIGHEST" in product for product in products(jax.grad(cost), at))
