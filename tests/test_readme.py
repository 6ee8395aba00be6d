from pathlib import Path

import pytest

from chainrule.notation.families import FAMILIES, members

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_formula_stands_in_the_readme(family):
    [row] = [line for line in README.splitlines() if line.startswith(f"| {family} |")]
    ours = [formula.__name__ for formula in members(family) if formula.__module__.startswith("chainrule.")]
    assert sorted(name.strip("` ") for name in row.split("|")[2].split(",")) == sorted(ours)
