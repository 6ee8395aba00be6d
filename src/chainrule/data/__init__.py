"""Data sets by name or file, as tables, and their parts for training, validation and test."""

from chainrule.data import loaders
from chainrule.data.named import NAMED
from chainrule.data.source import read
from chainrule.data.splitting import Split, split
from chainrule.data.table import Table
from chainrule.data.writing import computed, kind_of, shown, writer

__all__ = ["NAMED", "Split", "Table", "computed", "kind_of", "loaders", "read", "shown", "split", "writer"]
