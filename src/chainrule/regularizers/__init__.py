"""Regularisers: what keeps a network from learning its examples by heart: penalties, and stopping early.

A penalty is added to the cost for every regularised parameter (kernels; not biases, not PReLU slopes).
"""

from chainrule.regularizers.penalties import L1, L2, Regularizer, Sum, penalty, shrunk
from chainrule.regularizers.stopping import EarlyStopping

__all__ = ["L1", "L2", "EarlyStopping", "Regularizer", "Sum", "penalty", "shrunk"]
