import errno
import fcntl
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chainrule.data.files import UNDER_WAY, check_output, known_path, under_way, write_whole
from chainrule.errors import ChainruleError


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


@pytest.mark.parametrize("name", ["fsync", "replace"])
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
def test_a_device_that_is_really_full():
    expected = "Can't write /dev/full: No space left on device. Nothing was written."
    with pytest.raises(ChainruleError, match=f"^{re.escape(expected)}$"):
        write_whole("/dev/full", "new")
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


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


def refused(path, why: str, **options) -> None:
    """What can't be written is refused in the same words before any work, and when it is written."""
    kept = "The old file is unchanged." if path.is_file() else "Nothing was written."
    for act in (check_output, lambda path, **options: write_whole(path, "new", **options)):
        with pytest.raises(ChainruleError, match="^" + re.escape(f"Can't write {path}: {why}. {kept}") + "$"):
            act(path, **options)


# What is no regular file


def test_a_device_stays_one():
    before = os.stat("/dev/null")
    write_whole("/dev/null", b"x" * 100_000)
    assert os.stat("/dev/null").st_rdev == before.st_rdev
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        write_whole(pipe, b"x" * 1_000_000)
        assert read.result() == b"x" * 1_000_000
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_socket_is_refused_and_stays(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(ChainruleError, match="No such device or address"):
            write_whole(tmp_path / "socket", "new")
        assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["> file", ">> file", "| cat > file"])
def test_standard_output_is_written_to_where_it_goes(tmp_path, where):
    code = "import chainrule.data.files as f; print('before'); f.write_whole('/dev/stdout', 'new\\n'); print('after')"
    subprocess.run(f'"{sys.executable}" -c "{code}" {where}', shell=True, check=True, cwd=tmp_path)
    assert (tmp_path / "file").read_text() == "before\nnew\nafter\n"


# Links


@pytest.mark.parametrize("target", ["file", "new"])
def test_links_are_followed(file, target):
    link = file.parent / "folder" / "link"
    link.parent.mkdir()
    link.symlink_to(f"../{target}")
    write_whole(link, "new")
    assert link.is_symlink()
    assert (file.parent / target).read_text() == "new"
    assert os.listdir(link.parent) == ["link"]


def test_a_link_into_nowhere(tmp_path):
    (tmp_path / "link").symlink_to("none/file")
    refused(tmp_path / "link", "No such file or directory")


def test_another_name_of_a_file_has_the_new_content_too(file):
    os.link(file, file.parent / "other")
    write_whole(file, "new and longer")
    write_whole(file, "new")
    assert (file.parent / "other").read_text() == file.read_text() == "new"
    assert file.stat().st_nlink == 2


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_file_of_two_names_keeps_its_content_if_the_new_one_fails(file, monkeypatch, error):
    os.link(file, file.parent / "other")
    fails(monkeypatch, "fsync", error)
    with pytest.raises((ChainruleError, KeyboardInterrupt)):
        write_whole(file, "new and longer")
    assert (file.parent / "other").read_text() == file.read_text() == "old"


# Mode, owner, rights


@pytest.mark.parametrize("mode", [0o640, 0o755, 0o600])
def test_the_mode_stays(file, mode):
    file.chmod(mode)
    write_whole(file, "new")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", mode)
    assert time.time() - file.stat().st_mtime < 60


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(file):
    os.chown(file, 1234, 4321)
    write_whole(file, "new")
    assert (file.read_text(), file.stat().st_uid, file.stat().st_gid) == ("new", 1234, 4321)


def test_where_the_owner_cannot_stay_the_file_is_written_over(file, monkeypatch):
    before, mine = file.stat(), os.fstat
    monkeypatch.setattr(
        os, "fstat", lambda descriptor: os.stat_result([*mine(descriptor)[:4], 99, 99, *mine(descriptor)[6:10]])
    )
    fails(monkeypatch, "chown", PermissionError(errno.EPERM, "Operation not permitted"))
    write_whole(file, "new")
    assert (file.read_text(), file.stat().st_ino) == ("new", before.st_ino)
    assert os.listdir(file.parent) == ["file"]


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="the system has no rights beyond the mode")
def test_rights_beyond_the_mode_stay(file):
    try:
        os.setxattr(file, "user.chainrule", b"kept")
    except OSError:
        pytest.skip("the file system has no rights beyond the mode")
    write_whole(file, "new")
    assert os.getxattr(file, "user.chainrule") == b"kept"


def test_a_file_that_is_only_read_is_refused(file):
    file.chmod(0o444)
    refused(file, "Permission denied")
    assert file.read_text() == "old"


# What is read


def test_what_is_read_is_not_written_over(file):
    os.link(file, file.parent / "other")
    (file.parent / "link").symlink_to("file")
    for name in ("file", "other", "link"):
        refused(file.parent / name, "It is read, too", inputs=["iris", file])
    assert file.read_text() == "old"
    write_whole(file, "new", inputs=["iris", file.parent / "none"])


@pytest.mark.parametrize(("name", "why"), [("x" * 300, "File name too long"), ("a\0b", "embedded null byte")])
def test_names_that_no_file_can_have(tmp_path, name, why):
    with pytest.raises(ChainruleError, match=f"{why}. Nothing was written.$"):
        write_whole(tmp_path / name, "new")
    with pytest.raises(ChainruleError, match=f"{why}. Nothing was written.$"):
        check_output(tmp_path / name)


def test_a_name_as_long_as_names_may_be(tmp_path):
    write_whole(tmp_path / ("x" * 255), "new")
    assert (tmp_path / ("x" * 255)).read_text() == "new"


def test_a_name_of_odd_bytes(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9")
    write_whole(path, f"name: {path.name}")
    assert path.read_bytes() == b"name: caf\xe9"


# Leftovers


KILLED = """
import os, signal, sys
from chainrule.data.files import write_whole
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write_whole(sys.argv[1], "x" * 1000)
"""


@pytest.mark.slow
def test_what_a_killed_process_left_is_gone_after_the_next_write(file):
    for _ in range(3):
        subprocess.run([sys.executable, "-c", KILLED, str(file)])
    [left] = [name for name in os.listdir(file.parent) if name != "file"]  # the one before is cleaned up each time
    assert Path(left).match(UNDER_WAY)
    assert file.read_text() == "old"
    write_whole(file.parent / "another", "new")
    assert sorted(os.listdir(file.parent)) == ["another", "file"]


def test_what_another_process_is_writing_stays(file):
    name = under_way(file.parent)
    with open(name, "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        write_whole(file, "new")
        assert name.exists()
    other = file.parent / ".chainrule-notes"
    other.write_text("mine")
    write_whole(file, "new")
    assert not name.exists()
    assert other.exists()


def test_many_writers_at_once(tmp_path):
    """Each content is whole at every moment, and nothing else is left."""
    path, done = tmp_path / "file", threading.Event()
    write_whole(path, "0" * 10_000)

    def read() -> set[str]:
        seen = set()
        while not done.is_set():
            text = path.read_text()
            seen.add(f"{len(text)} {len(set(text))}")
        return seen

    with ThreadPoolExecutor() as pool:
        seen = pool.submit(read)
        with ThreadPoolExecutor(16) as writers:
            list(writers.map(lambda number: write_whole(path, str(number % 10) * 10_000), range(200)))
        done.set()
        assert seen.result() == {"10000 1"}
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_synced_after_the_renaming(file, monkeypatch):
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino) or fsync(descriptor))
    write_whole(file, "new")
    assert synced == [file.stat().st_ino, file.parent.stat().st_ino]


NAMES = {"x" * 300: "File name too long", "a\0b": "embedded null byte", "\ud800": "'utf-8' codec can't encode .*"}


@pytest.mark.parametrize("name", NAMES, ids=["long", "null", "no text"])
def test_names_that_no_file_has(tmp_path, name):
    with pytest.raises(ChainruleError, match=f"^Can't reach '.*': {NAMES[name]}\\.$"):
        known_path(name)
    with pytest.raises(ChainruleError, match=rf"^Can't write .*: {NAMES[name]}\. Nothing was written\.$"):
        write_whole(tmp_path / name, "new")


def test_a_path_is_known_whether_or_not_something_is_there(file):
    for path in (file, file.parent, file.parent / "none", file / "below a file"):
        assert known_path(str(path)) == path


def test_content_may_come_piece_after_piece(tmp_path, file):
    """Also where it takes the place of another, or is written over it."""
    pieces = [b"a", b"", b"bc" * 1000, b"d"]
    other = tmp_path / "other"
    os.link(file, other)
    for path in (tmp_path / "new", file):
        write_whole(path, iter(pieces))
        assert path.read_bytes() == b"".join(pieces)
    assert other.read_bytes() == b"".join(pieces)


def test_content_that_fails_half_way_leaves_the_old_file(tmp_path, file):
    def pieces():
        yield b"a" * 1000
        raise ChainruleError("The rest is missing.")

    old = file.read_bytes()
    os.link(file, tmp_path / "other")
    for path in (tmp_path / "new", file):
        with pytest.raises(ChainruleError, match="The rest is missing"):
            write_whole(path, pieces())
    assert not (tmp_path / "new").exists()
    assert file.read_bytes() == (tmp_path / "other").read_bytes() == old
    assert not [*tmp_path.glob(".chainrule-*")]
