import pytest

from chainrule.arrays import memory
from chainrule.errors import ChainruleError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of 1 GiB, in a container of some limit."""
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PHYS_PAGES": 2**18, "SC_PAGE_SIZE": 2**12}.__getitem__)
    monkeypatch.setattr(memory, "LIMITS", (str(tmp_path / "limit"),))
    memory.most.cache_clear()
    yield tmp_path / "limit"
    memory.most.cache_clear()


@pytest.mark.parametrize(("limit", "most"), [(None, 2**28), ("max", 2**28), (str(2**28), 2**26), (str(2**60), 2**28)])
def test_a_quarter_of_the_machine_or_of_its_container(machine, limit, most):
    if limit:
        machine.write_text(f"{limit}\n")
    assert memory.most() == most


def test_what_is_larger_is_refused(machine):
    memory.check_memory(2**28, "x", "Give fewer.")
    with pytest.raises(ChainruleError) as caught:
        memory.check_memory(10**10, "a.npz: x", "Give fewer rows.")
    assert str(caught.value) == (
        "a.npz: x would take 10 GB, more than a quarter of this machine's memory (0.268 GB). Give fewer rows."
    )


def test_a_system_that_does_not_say(monkeypatch, machine):
    monkeypatch.setattr(memory.os, "sysconf", {}.__getitem__)
    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.most() == memory.UNKNOWN // 4
