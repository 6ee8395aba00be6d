"""A trained network: its predictions, what they are worth, its summary, its history and its file."""

from chainrule.model.model import Model, load

__all__ = ["Model", "load"]
