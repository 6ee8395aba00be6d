"""Layers: each a shape rule, a table of parameters and a formula."""

from chainrule.layer import Chain, Layer
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.shape import Flatten, Reshape

__all__ = ["Chain", "Dense", "Dropout", "Flatten", "Layer", "Reshape"]
