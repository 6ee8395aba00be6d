"""What keeps a network from learning its examples by heart: penalties on its parameters, and stopping early."""

from chainrule.regularizers.penalties import L1, L2, Regularizer, Sum, penalty
from chainrule.regularizers.stopping import EarlyStopping

__all__ = ["L1", "L2", "EarlyStopping", "Regularizer", "Sum", "penalty"]
