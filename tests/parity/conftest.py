"""Parity with other libraries, whose implementations are not ours: values and gradients, kinks included.

Each file skips itself where its peer is not installed.
"""

import os

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "jax"  # before anyone imports Keras


@pytest.fixture(autouse=True)
def numbers_of_its_own(request, monkeypatch):
    """Each test draws from the beginning of its module's generator, whichever tests ran before it in this process."""
    if hasattr(request.module, "rng"):
        monkeypatch.setattr(request.module, "rng", np.random.default_rng(0))
