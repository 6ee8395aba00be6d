import pytest


@pytest.fixture(autouse=True)
def quick(no_pictures):
    """Without pictures."""
