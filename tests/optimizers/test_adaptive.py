"""Adaptive rates: published defaults."""

import dataclasses

from chainrule.optimizers import Adadelta, Adam, AdamW, RMSprop


def test_defaults_are_the_published_ones():
    assert (Adam().learning_rate, Adam().beta1, Adam().beta2, Adam().epsilon) == (0.001, 0.9, 0.999, 1e-8)
    assert (Adadelta().learning_rate, Adadelta().rho, Adadelta().epsilon) == (1.0, 0.95, 1e-6)
    assert RMSprop().rho == 0.9
    assert dataclasses.asdict(AdamW()) == dataclasses.asdict(Adam()) | {"weight_decay": 0.01}
