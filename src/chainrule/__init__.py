"""Chainrule: every network is a composition of formulas, and every gradient is the chain rule."""
