"""Parity with other libraries, whose implementations are not ours: values and gradients, kinks included.

Each file skips itself where its peer is not installed.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"  # before anyone imports Keras
