"""The cache of prepared data: entries whole or not at all, and room for new ones."""

import gc
import os
import shutil
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

import pytest

from chainrule.data import cache
from chainrule.data.cache import ABOUT, Entry, writing
from chainrule.data.files import lock, under_way
from chainrule.errors import ChainruleError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(key, size=10):
    with writing(key, size) as entry:
        (entry.folder / "rows").write_bytes(bytes(size))
        return entry.finish({"key": key})


def names(place):
    return sorted(each.name for each in place.iterdir())


def test_an_entry_is_found_again(place):
    assert Entry.find("a") is None
    assert write("a").about == {"key": "a"}
    found = Entry.find("a")
    assert found.about == {"key": "a"}
    assert (found.folder / "rows").stat().st_size == 10
    assert names(place) == ["a"]


def test_an_entry_in_a_circle_closes_its_file_before_python_does(recwarn):
    for _ in range(20):
        entry = write("a")
        entry.file.itself, entry.itself = entry.file, entry  # each is freed by the collector alone
    del entry
    gc.collect()
    assert not recwarn.list


def test_what_is_not_finished_leaves_nothing(place):
    def interrupted():
        with writing("a", 1) as entry:
            (entry.folder / "rows").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Entry.find("a") is None
    assert names(place) == []


def test_entries_that_begin_together_are_not_taken_for_left_ones(place):
    with ThreadPoolExecutor(8) as threads:
        keys = [str(number) for number in range(64)]
        assert [entry.about["key"] for entry in threads.map(write, keys)] == keys
    assert names(place) == sorted(keys)


def test_what_a_killed_process_left_is_removed_by_the_next(place):
    place.mkdir()
    left, busy, empty = (under_way(place) for _ in range(3))
    for each in (left, busy, empty):
        each.mkdir()
    (left / ABOUT).touch()
    with open(busy / ABOUT, "w") as file:
        lock(file.fileno())
        write("a")
        assert names(place) == sorted([busy.name, "a"])


def test_an_entry_that_is_not_whole_is_none(place):
    write("a")
    (place / "a" / ABOUT).write_text('{"key"')
    assert Entry.find("a") is None


def test_the_first_of_two_that_write_the_same_wins(place):
    with writing("a", 1) as one, writing("a", 1) as other:
        (one.folder / "first").touch()
        one.finish({"by": 1})
        assert other.finish({"by": 2}).about == {"by": 1}
    assert names(place) == ["a"]


def test_the_entries_that_were_not_used_for_longest_make_room(place, monkeypatch):
    for time, key in enumerate("abc"):
        write(key, 100)
        os.utime(place / key / ABOUT, (time, time))
    held = Entry.find("a")  # which is its last use, too
    os.utime(place / "a" / ABOUT, (0, 0))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 450))
    write("d", 100)
    assert names(place) == ["a", "c", "d"]  # b, since a is held
    assert held.about == {"key": "a"}


def test_no_room(place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 10**9))
    with pytest.raises(ChainruleError) as caught:
        write("a", 4 * 10**9)
    assert str(caught.value) == (
        f"The prepared rows take 4 GB, and {place} has 1 GB left. Make room, or name another folder by CHAINRULE_CACHE."
    )
    place.rmdir()
    place.touch()
    with pytest.raises(ChainruleError, match=r"Can't write .*: File exists. Nothing was kept"):
        write("a")


def test_the_usual_place(monkeypatch, tmp_path):
    monkeypatch.delenv(cache.PLACE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache.sys, "platform", "linux")
    assert cache.place() == tmp_path / "chainrule"
    monkeypatch.setattr(cache.sys, "platform", "darwin")
    assert cache.place().parts[-3:] == ("Library", "Caches", "chainrule")
    monkeypatch.setattr(cache.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache.place() == tmp_path / "chainrule" / "Cache"
