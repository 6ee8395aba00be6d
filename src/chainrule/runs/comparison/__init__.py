"""Comparisons: several formulas on the same data, each trained from several seeds."""
