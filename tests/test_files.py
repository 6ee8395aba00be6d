import errno
import os
import re
import stat

import pytest

from chainrule.errors import ChainruleError
from chainrule.files import write_whole


@pytest.fixture
def file(tmp_path):
    """A file with some content, alone in its folder."""
    path = tmp_path / "file"
    path.write_text("old")
    return path


def fails(monkeypatch, name: str, error: BaseException) -> None:
    """From now on a function of `os` fails."""

    def failing(*arguments, **options):
        raise error

    monkeypatch.setattr(os, name, failing)


@pytest.mark.parametrize("content", ["", "ünï\r\nfoo\n", b"", bytes(range(256)) * 1000])
def test_content_is_written_as_it_is(file, content):
    write_whole(file, content)
    assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert os.listdir(file.parent) == ["file"]


def test_a_path_may_be_text_or_relative(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    write_whole("file", "new")
    assert file.read_text() == "new"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_rights_are_those_of_any_new_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_whole(tmp_path / "file", "new")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


@pytest.mark.parametrize("name", ["fsync", "chmod", "replace"])
def test_a_full_disk_leaves_the_old_file(file, monkeypatch, name):
    fails(monkeypatch, name, OSError(errno.ENOSPC, "No space left on device"))
    expected = f"Can't write {file}: No space left on device. The old file is unchanged."
    with pytest.raises(ChainruleError, match=f"^{re.escape(expected)}$"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(file.parent) == ["file"]


def test_a_full_disk_leaves_no_new_file(tmp_path, monkeypatch):
    fails(monkeypatch, "fsync", OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(ChainruleError, match=r"No space left on device\. Nothing was written\.$"):
        write_whole(tmp_path / "file", "new")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="has no device that is always full")
def test_a_device_that_is_really_full(file, monkeypatch):
    import tempfile

    def full(**options):
        descriptor, path = tempfile.mkstemp(dir=file.parent)
        os.close(descriptor)
        return os.open("/dev/full", os.O_WRONLY), path

    monkeypatch.setattr("chainrule.files.tempfile", type("tempfile", (), {"mkstemp": staticmethod(full)}))
    with pytest.raises(ChainruleError, match=r"No space left on device\. The old file is unchanged\.$"):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(file.parent) == ["file"]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_an_interruption_leaves_the_old_file(file, monkeypatch, name):
    fails(monkeypatch, name, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert os.listdir(file.parent) == ["file"]


def test_no_such_folder(tmp_path):
    path = tmp_path / "none" / "file"
    expected = f"Can't write {path}: No such file or directory. Nothing was written."
    with pytest.raises(ChainruleError, match=f"^{re.escape(expected)}$"):
        write_whole(path, "new")


def test_a_folder_is_not_replaced(tmp_path):
    expected = f"Can't write {tmp_path}: Is a directory. Nothing was written."
    with pytest.raises(ChainruleError, match=f"^{re.escape(expected)}$"):
        write_whole(tmp_path, "new")
    assert tmp_path.is_dir()
