"""A few kills of the campaign."""

import os
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_trainings_are_resumed_to_the_same_bytes(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    from campaign import campaign

    said = []
    assert campaign(2, 1, ["loader"], said.append).total() >= 2
    assert "the same bytes after" in said[-1]
