"""Every block of Python in the guides runs, and gives what stands there."""

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_what_a_guide_shows_is_so(guide):
    if "pandas" in guide.read_text():
        pytest.importorskip("pandas")
    runpy.run_path(str(DOCS / "generate.py"))["run_guide"](guide)
