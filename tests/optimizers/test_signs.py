"""Steps by signs: how far they go, and published defaults."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.optimizers import Lion, Rprop
from chainrule.training import fit


def test_lion_goes_as_far_for_gradients_of_every_size():
    g = jnp.array([1e-30, -3.0, 1e30, 0.0])
    updates, _ = Lion(0.5).update(g, Lion(0.5).init(g), g)
    assert updates.tolist() == [-0.5, 0.5, -0.5, 0.0]


def test_rprop_changes_its_lengths_by_signs_alone():
    """Of gradients whose products no float holds, too."""
    for scale in (1e-30, 1.0, 1e30):
        rprop, w, path = Rprop(0.1), jnp.float32(0), []
        state, update = rprop.init(w), jax.jit(rprop.update)
        for g in (1, 2, -3, -1, -1, 0, 1):
            step, state = update(jnp.float32(scale * g), state)
            path.append(float(step))
        assert path == pytest.approx([-0.1, -0.12, 0, 0.06, 0.072, 0, -0.072], rel=1e-6)


def test_the_lengths_of_rprop_are_bounded():
    w = jnp.zeros(2)
    rprop = Rprop(0.1, shortest=0.05, longest=0.2)
    state = rprop.init(w)
    for n in range(12):
        _, state = rprop.update(jnp.array([1.0, (-1.0) ** n]), state)
    np.testing.assert_allclose(state["Delta"], [0.2, 0.05], rtol=1e-6)


def test_rprop_asks_for_all_examples_and_refuses_l1():
    x, said = np.eye(5), "Rprop(learning_rate=0.1)"
    model = fit("Dense(1)", x, x[:, 0], optimizer="Rprop()", epochs=100, progress=False)
    assert model.training["batch_size"] == "all"
    assert model.history["cost"][-1] < 1e-4
    with pytest.raises(ChainruleError) as caught:
        fit("Dense(1)", x, x[:, 0], optimizer="Rprop()", batch_size=2)
    assert str(caught.value) == (
        f'batch_size must be "all" for {said}, whose steps are for all examples at once; got 2. Leave it out.'
    )
    with pytest.raises(
        ChainruleError, match=r"^fit: L1\(0\.1\) needs the rates of the optimizer's steps, which Rprop\("
    ):
        fit("Dense(1)", x, x[:, 0], optimizer="Rprop()", regularizer="L1(0.1)")


def test_defaults_are_the_published_ones():
    rprop = Rprop()
    assert (rprop.learning_rate, rprop.decrease, rprop.increase) == (0.1, 0.5, 1.2)
    assert (rprop.shortest, rprop.longest) == (1e-6, 50.0)
    assert (Lion().learning_rate, Lion().beta1, Lion().beta2, Lion().weight_decay) == (1e-4, 0.9, 0.99, 0.0)
