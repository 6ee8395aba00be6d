"""Comparisons: several formulas on the same data, each trained from several seeds."""

from chainrule.runs.comparison.comparing import Planned, carry_out, compare, planned
from chainrule.runs.comparison.comparison import Comparison
from chainrule.runs.comparison.record import repeated
from chainrule.runs.comparison.trial import Trial

__all__ = ["Comparison", "Planned", "Trial", "carry_out", "compare", "planned", "repeated"]
