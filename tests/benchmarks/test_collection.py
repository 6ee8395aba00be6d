"""The collection of real data: how it is divided, and how files come out of packages. Nothing is downloaded."""

import hashlib
import io
import tarfile
import zipfile

import numpy as np
import pytest
from benchmarks.collection import SETS, CollectionError, packages
from benchmarks.collection.columns import of_csv, of_frame
from benchmarks.collection.packages import Package, member
from benchmarks.collection.sets import Set, Source, parted

APART = ("letter", "spam", "reuters", "newsgroup", "movielens", "movies", "watch", "BasicMotions", "fashion")


def a_set(name, rows=4, kind="table", task="classes", columns=None):
    source = Source(Package("somewhere", "1", "MIT", ()), "a.csv", lambda: columns)
    return Set(name, kind, task, rows, "target", source)


def test_neighbours_in_size_are_in_different_parts_by_their_names_hashes():
    names = {"a": 10, "b": 12, "c": 500, "d": 900, "e": 1000}
    one_way = parted([a_set(name, rows) for name, rows in names.items()])
    other_way = parted([a_set(name, rows) for name, rows in reversed(names.items())])
    assert {name: one.part for name, one in one_way.items()} == {name: other_way[name].part for name in one_way}
    hashes = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    for pair in (("a", "b"), ("c", "d")):
        assert one_way[min(pair, key=hashes.__getitem__)].part == "choose"
        assert one_way[max(pair, key=hashes.__getitem__)].part == "report"
    assert one_way["e"].part == ("report" if int(hashes["e"], 16) % 2 else "choose")
    apart = parted([a_set("a", kind="text"), a_set("b", kind="text", task="values"), a_set("c")])
    assert apart["a"].part == parted([a_set("a", kind="text")])["a"].part, "kinds and tasks are divided by themselves"


def test_both_parts_hold_as_many_sets_of_each_kind_and_size():
    for kind, task in {(one.kind, one.task) for one in SETS.values()}:
        some = [one for one in SETS.values() if (one.kind, one.task) == (kind, task)]
        parts = [sorted(one.rows for one in some if one.part == part) for part in ("choose", "report")]
        assert abs(len(parts[0]) - len(parts[1])) <= 1
        middles = [np.median(rows) for rows in parts]
        assert max(middles) <= 3 * min(middles)
    assert {one.kind for one in SETS.values()} == {"table", "images", "series", "text"}
    assert len(SETS) >= 25


def test_what_stays_a_check_is_in_neither_part():
    said = [f"{one.name} {one.source}".lower() for one in SETS.values()]
    assert [text for text in said if any(word.lower() in text for word in APART)] == []


def test_every_file_that_is_read_has_a_digest_and_a_licence():
    known = packages.digests()
    carried = {str(one.source.package) for one in SETS.values() if one.source.package.download}
    assert carried == known.keys()
    assert all(one.source.package.licence for one in SETS.values())
    assert all(len(digest) == 64 for files in known.values() for digest in files.values())


def test_another_seed_divides_other_rows_and_keeps_each_class_s_share():
    columns = {"x": np.arange(50.0), "target": np.array(["a"] * 40 + ["b"] * 10, dtype=object)}
    one = a_set("fifty", 50, columns=columns)
    (train, test), (_, again), (_, other) = one.divided(0), one.divided(0), one.divided(1)
    assert sorted([*train["x"], *test["x"]]) == [*range(50)]
    assert (test["target"] == "b").sum() == 2
    np.testing.assert_array_equal(test["x"], again["x"])
    assert set(test["x"]) != set(other["x"])


def test_a_set_says_what_training_has_to_be_told():
    blank = {"x": np.array([1.0, np.nan, 2.0, 3.0]), "target": np.array(["a", "b", "a", "b"], dtype=object)}
    assert a_set("blank", columns=blank).said == {"target": "target", "task": "classification", "missing": "median"}
    text = {"post": np.array(["so", "it", "goes", "on"], dtype=object), "target": np.arange(4.0)}
    assert a_set("text", kind="text", task="values", columns=text).said == {
        "target": "target",
        "task": "regression",
        "words": ["post"],
    }
    with pytest.raises(CollectionError, match=r"^short: expected 5 rows with target, got 4 of \['x', 'target'\]\.$"):
        a_set("short", 5, columns=blank).load()


def test_columns_keep_blanks_and_make_booleans_words():
    import pandas

    columns = of_frame(pandas.DataFrame({"n": pandas.array([1, None], "Int64"), "b": [True, False], "c": ["x", None]}))
    np.testing.assert_array_equal(columns["n"], [1.0, np.nan])
    assert [columns[name].tolist() for name in "bc"] == [["true", "false"], ["x", None]]
    columns = of_csv(b",size,kind\n1,?,NA\n2,3,None\n")
    assert list(columns) == ["size", "kind"]
    np.testing.assert_array_equal(columns["size"], [np.nan, 3.0])
    assert columns["kind"].tolist() == [None, "None"]


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(files, mode):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def of_debian(files):
    parts = {"debian-binary": b"2.0", "data.tar.xz": tarred(files, "w:xz")}
    headed = (
        f"{name:<48}{len(content):<10}`\n".encode() + content + b"\n" * (len(content) % 2)
        for name, content in parts.items()
    )
    return b"!<arch>\n" + b"".join(headed)


@pytest.mark.parametrize(
    "archive",
    [
        lambda files: zipped(files),
        lambda files: tarred({f"package-1/{name}": content for name, content in files.items()}, "w:gz"),
        lambda files: of_debian({f"./usr/lib/{name}": content for name, content in files.items()}),
    ],
    ids=["a wheel", "a source archive", "a Debian package"],
)
def test_files_come_out_of_every_archive(archive):
    whole = archive({"data/a.csv": b"1,2", "data/aa.csv": b"3"})
    assert member(whole, "data/a.csv") == b"1,2"
    with pytest.raises(CollectionError, match=r"^there is no a/b\.csv\.$"):
        member(whole, "a/b.csv")


def test_a_package_comes_once_and_its_files_are_verified(tmp_path, monkeypatch):
    content, calls = b"a,b\n1,2\n", []
    inner = zipped({"deep.csv": content})

    def download(command, cwd, **_):
        calls.append(command)
        (tmp_path / cwd / "some-1.whl").write_bytes(zipped({"some/inner.zip": inner}))

    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setenv("CHAINRULE_COLLECTION", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "digests", lambda: {"some 1": {"some/inner.zip/deep.csv": digest}})
    monkeypatch.setattr(packages.subprocess, "run", download)
    for _ in range(2):
        package = Package("some", "1", "MIT", ("get", "some"))
        assert package.file("some/inner.zip", "deep.csv") == content
    assert calls == [("get", "some")]
    [kept] = (tmp_path / "cache").rglob("deep.csv")
    kept.write_bytes(b"another")
    with pytest.raises(
        CollectionError,
        match=r"^some 1: some/inner\.zip/deep\.csv has the SHA-256 \w+, expected \w+\. Remove .*, and try again\.$",
    ):
        package.file("some/inner.zip", "deep.csv")


def test_a_package_that_is_not_to_be_had_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_COLLECTION", str(tmp_path))
    with pytest.raises(CollectionError, match=r"^some 1 comes by no-such-command, which is not here\.$"):
        Package("some", "1", "MIT", ("no-such-command",)).file("a.csv")
    with pytest.raises(
        CollectionError, match=r"^some 1 could not be downloaded \(gone\)\. Try: sh -c echo gone >&2; false$"
    ):
        Package("some", "1", "MIT", ("sh", "-c", "echo gone >&2; false")).file("a.csv")


def test_sets_are_listed_and_written_as_training_takes_them(tmp_path, monkeypatch, capsys):
    from benchmarks.collection import __main__ as command

    from chainrule.data import read

    table = {"x": np.array([1.0, np.nan]), "kind of": np.array(["a", None], object), "target": np.array([1.0, 2.0])}
    images = {"image": np.zeros((2, 4, 3), np.uint8), "target": np.array(["cat", "dog"], object)}
    sets = [a_set("a table", 2, task="values", columns=table), a_set("images", 2, "images", columns=images)]
    sets.append(a_set("wrong", 7, columns=images))
    monkeypatch.setattr(command, "SETS", {one.name: one for one in sets})
    monkeypatch.setattr("sys.argv", ["collection", "--write", str(tmp_path)])
    assert command.main() == 1
    said = capsys.readouterr()
    assert "| a table | table | values | 2 | 20% | 2 |  | 2 | report | somewhere 1, a.csv | MIT |" in said.out
    assert "| images | images | classes | 2 | 20% | 4 × 3 | 2 |  | report | somewhere 1, a.csv | MIT |" in said.out
    assert f"{tmp_path}/a-table.parquet: --target target --task regression --missing median\n" in said.err
    assert f"{tmp_path}/images.npz: --task classification\n" in said.err
    assert "wrong: expected 7 rows with target, got 2 of ['image', 'target'].\n" in said.err
    assert read(tmp_path / "a-table.parquet")["kind of"].tolist() == ["a", None]
    assert [cells.shape for cells in read(tmp_path / "images.npz").values()] == [(2, 4, 3, 1), (2,)]
    monkeypatch.setattr("sys.argv", ["collection", "tables"])
    with pytest.raises(SystemExit):
        command.main()
    assert "there is no set 'tables'. They are: a table, images, wrong." in capsys.readouterr().err
