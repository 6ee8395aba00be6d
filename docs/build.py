"""Builds the documentation, without a network: `pip install ".[docs]" && python docs/build.py`."""

import sys

from generate import DOCS, generate, run_guide
from sphinx.cmd.build import main as sphinx

from chainrule.errors import ChainruleError


def build() -> int:
    """Run the guides, write the reference, make the site; a warning is an error. Returns the exit code."""
    try:
        generate()
        for guide in sorted((DOCS / "guides").glob("*.md")):
            run_guide(guide)
    except ChainruleError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    site = DOCS / "_build" / "html"
    code = sphinx(["-q", "-E", "-W", "--keep-going", "-b", "html", str(DOCS), str(site)])
    if not code:
        print(f"The documentation is in {site / 'index.html'}.")
    return code


if __name__ == "__main__":
    sys.exit(build())
