"""Graphs of other libraries as the algebra of layers: what joins again became branches where it parted."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from chainrule.errors import ChainruleError

Node = Hashable


class Join(NamedTuple):
    """A node of several inputs, and the way to each of them from where they part."""

    node: Any
    branches: tuple["Path", ...]


Path = list[Any]
"""Nodes one after another, each of one input, or a `Join`."""


def path(inputs: Mapping[Any, Sequence[Any]], source: Node, target: Node) -> Path:
    """The way from a graph's source to a node.

    A node of several inputs joins what parted at the last node that all ways to it go through; a branch without a node
    of its own is empty. What two branches share is in both of them.

    Args:
        inputs: the nodes that each node takes, in topological order; it takes the source, or what comes from it.
        source, target: the first node, which is not in the way, and the last one, which is.

    >>> graph = {"x": [], "f": ["x"], "g": ["f"], "add": ["f", "g"], "h": ["add"]}
    >>> path(graph, "x", "h")
    ['f', Join(node='add', branches=([], ['g'])), 'h']
    """
    return _path(inputs, _last_shared(inputs, source), source, target)


def _path(inputs: Mapping[Any, Sequence[Any]], parting: Mapping[Any, Any], source: Node, target: Node) -> Path:
    way: Path = []
    node = target
    while node != source:
        before = inputs[node]
        if len(before) > 1:
            start = parting[node]
            way.append(Join(node, tuple(_path(inputs, parting, start, each) for each in before)))
            node = start
        else:
            way.append(node)
            node = before[0]
    return way[::-1]


def _last_shared(inputs: Mapping[Any, Sequence[Any]], source: Node) -> dict[Any, Any]:
    """The last node, in topological order, that all ways to each node go through."""
    parting: dict[Any, Any] = {}
    depth = {source: 0}
    for node, before in inputs.items():
        if node == source:
            continue
        if not before:
            raise ChainruleError(f"{node} has no input.")
        shared = before[0]
        for other in before[1:]:
            while shared != other:  # the deeper of both goes back
                if depth[shared] >= depth[other]:
                    shared = parting[shared]
                else:
                    other = parting[other]
        parting[node], depth[node] = shared, depth[shared] + 1
    return parting
