"""Weights of other libraries and of ours: the same numbers, in other arrays."""
