"""Every formula by its name, and formulas read from their notation: `parse(repr(f)) == f`."""

from chainrule.notation.choices import as_chain, as_metrics, as_optimizer, check_measured
from chainrule.notation.parsing import as_formula, formulas, parse, suggestion

__all__ = [
    "as_chain",
    "as_formula",
    "as_metrics",
    "as_optimizer",
    "check_measured",
    "formulas",
    "parse",
    "suggestion",
]
