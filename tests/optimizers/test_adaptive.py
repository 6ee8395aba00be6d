"""Adaptive rates: published defaults."""

from chainrule.optimizers import Adadelta, RMSprop


def test_defaults_are_the_published_ones():
    assert (Adadelta().learning_rate, Adadelta().rho, Adadelta().epsilon) == (1.0, 0.95, 1e-6)
    assert RMSprop().rho == 0.9
