"""Graphs as ways through them: what joins, and where it parted."""

import pytest

from chainrule.interchange.algebra import Join, path

GRAPHS = {
    "a chain": ({"x": [], "f": ["x"], "g": ["f"]}, ["f", "g"]),
    "the input itself": ({"x": []}, []),
    "a residual block within another": (
        {"x": [], "f": ["x"], "g": ["f"], "+": ["f", "g"], "h": ["+"], "++": ["h", "x"]},
        [Join("++", (["f", Join("+", ([], ["g"])), "h"], []))],
    ),
    "what parts again behind a join": (
        {"x": [], "f": ["x"], "g": ["x"], "+": ["f", "g"], "|": ["+", "+", "+"]},
        [Join("+", (["f"], ["g"])), Join("|", ([], [], []))],
    ),
    "dense connections": (
        {"x": [], "f": ["x"], "|": ["x", "f"], "g": ["|"], "||": ["|", "g"]},
        [Join("|", ([], ["f"])), Join("||", ([], ["g"]))],
    ),
    "a U": (
        {"x": [], "d": ["x"], "e": ["d"], "u": ["e"], "|": ["d", "u"], "v": ["|"], "||": ["x", "v"]},
        [Join("||", ([], ["d", Join("|", ([], ["e", "u"])), "v"]))],
    ),
    "branches that cross, whose shared part is in both": (
        {"x": [], "f": ["x"], "g": ["x"], "+": ["f", "g"], "h": ["f"], "*": ["+", "h"]},
        [Join("*", ([Join("+", (["f"], ["g"]))], ["f", "h"]))],
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_way_through_a_graph(name):
    inputs, expected = GRAPHS[name]
    assert path(inputs, "x", [*inputs][-1]) == expected
