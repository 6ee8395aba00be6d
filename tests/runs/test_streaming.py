"""Runs on data that are read block after block."""

import re
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import csv, parquet

from chainrule.arrays import memory
from chainrule.data import cache, dealing, fitting
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.readers import delimited
from chainrule.errors import ChainruleError
from chainrule.runs import evaluate, plan, seen, streaming, train

RNG = np.random.default_rng(0)
ROWS = 3000
DAYS = np.datetime64("2020-01-01") + RNG.integers(0, 900, ROWS).astype("timedelta64[D]")
TABLE = {
    "a": RNG.normal(1e6, 1, ROWS),
    "city": RNG.choice(np.array(["Rome", "Oslo", "Bern"], dtype=object), ROWS),
    "day": DAYS.astype(str).astype(object),
    "target": np.sort(RNG.integers(0, 3, ROWS)),
}
FORMULAS = {"network": "Dense(4) >> ReLU() >> Dense(3) >> Softmax()", "epochs": 2, "progress": False}


@pytest.fixture(autouse=True)
def small(monkeypatch, tmp_path, no_pictures):
    """Blocks of some rows, buckets of few, and a cache of its own."""
    monkeypatch.setattr(memory, "NUMBERS", 256)
    monkeypatch.setattr(memory, "ROWS", 64)
    monkeypatch.setattr(delimited, "BLOCK", 5000)
    monkeypatch.setattr(dealing, "BUCKET", 8000)
    monkeypatch.setenv(cache.PLACE, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def write(name="d.csv", **changed):
    csv.write_csv(pa.table(TABLE | changed), name)
    return name


def entries() -> list:
    return sorted(each for each in cache.place().iterdir()) if cache.place().exists() else []


def said(data="d.csv", **choices) -> str:
    with pytest.raises(ChainruleError) as caught:
        plan(data, stream=True, **choices)
    assert not entries()
    return str(caught.value)


def rows_of(planned) -> dict[str, np.ndarray]:
    """The examples of each part as rows."""
    found = {}
    for name, part in planned.prepared.items():
        parts = [part.part(index) for index in range(len(part.rows))]
        found[name] = np.concatenate([np.column_stack([x, y]) for x, y in parts])
    return found


def test_the_parts_are_all_rows_as_they_are_prepared_in_memory():
    planned = plan(write(), stream=True, seed=3)
    assert sum(planned.rows.values()) == ROWS
    assert abs(planned.rows["test"] - 0.2 * ROWS) < 100 > abs(planned.rows["validation"] - 0.1 * ROWS)
    assert len(planned.prepared["train"].rows) > 4
    table, rows = TABLE | {"target": TABLE["target"].astype(str)}, rows_of(planned)
    x, y = planned.preprocessor.inputs(table), planned.preprocessor.targets(table)
    whole = np.column_stack([x, y])
    order = [*range(whole.shape[1])]
    np.testing.assert_array_equal(
        np.array(sorted(map(tuple, np.concatenate([*rows.values()])))), np.array(sorted(map(tuple, whole[:, order])))
    )
    of_all = Preprocessor.fit(table)  # what all rows tell is near to what those of the training part do
    np.testing.assert_allclose(planned.preprocessor.columns[0].mean, of_all.columns[0].mean, atol=0.1)
    assert planned.preprocessor.columns[1] == of_all.columns[1]
    assert planned.preprocessor.predicted == of_all.predicted


def test_buckets_are_as_mixed_as_a_shuffle():
    """Rows sorted by class: the share of each class is the same in all buckets, but for what chance allows."""
    planned = plan(write(), stream=True)
    part = planned.prepared["train"]
    shares = [np.bincount(part.part(index)[1], minlength=3) / part.rows[index] for index in range(len(part.rows))]
    assert np.ptp(part.rows) <= len(part.rows)
    assert np.abs(np.array(shares) - 1 / 3).max() < 4 * np.sqrt(2 / 9 / min(part.rows))


def test_the_same_seed_draws_the_same_parts_and_another_one_others():
    one, same, other = (rows_of(plan(write(), stream=True, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one["test"], same["test"])
    assert one["test"].shape != other["test"].shape or (one["test"] != other["test"]).any()


def test_a_second_run_takes_the_rows_from_the_cache(capsys):
    first = plan(write(), stream=True, progress=True)
    assert len(entries()) == 1
    assert "d.csv: learned in " in (out := capsys.readouterr().out)
    assert f"prepared rows: {entries()[0]} (to empty the cache, remove {cache.place()})" in out
    second = plan("d.csv", stream=True, progress=True)
    assert "prepared rows: those in " in (out := capsys.readouterr().out)
    assert "learned" not in out
    assert second.preprocessor == first.preprocessor
    assert second.chosen == first.chosen
    assert second.found == first.found
    plan("d.csv", stream=True, seed=1)
    plan("d.csv", stream=True, drop=["day"])
    assert len(entries()) == 3
    write(a=TABLE["a"] + 1)
    plan("d.csv", stream=True)
    assert len(entries()) == 4


def test_a_run_on_a_stream(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = train(write(), stream=True, target="target", balanced=True, metrics=["F1()"], **FORMULAS)
    assert [*run.figures] == ["train", "validation", "test"]
    assert {"model.safetensors", "confusion.png", "rows.safetensors"} <= {each.name for each in run.folder.iterdir()}
    assert "stream = true" in (run.folder / "run.toml").read_text()
    measured = evaluate(str(run.folder), "d.csv")
    assert measured.to_test
    assert measured.figures == pytest.approx({name: run.figures["test"][name] for name in measured.figures}, rel=1e-5)


def test_values_are_regressed():
    run = train(write(target=TABLE["a"] * 2), stream=True, network="Dense(1)", epochs=1, batch_size=64, progress=False)
    assert run.figures["test"]["r2"] > -10
    assert (run.folder / "predictions.png").exists()


def test_values_stay_within_what_a_cost_takes():
    write(target=np.arange(ROWS) % 50)
    choices = {"stream": True, "network": "Dense(1) >> Exp()"}
    planned = plan("d.csv", cost="Poisson()", **choices)
    scale, shift = planned.preprocessor.units
    assert (scale, shift) == (pytest.approx(24.5, rel=0.1), 0)
    y = rows_of(planned)["train"][:, -1]
    assert (y.min(), y.max()) == (0, pytest.approx(49 / scale[0]))
    standardised = plan("d.csv", network="Dense(1)", stream=True)  # the cache has its own rows
    assert rows_of(standardised)["train"][:, -1].min() < -1
    assert len(entries()) == 2


def test_a_value_that_a_cost_can_not_take_is_named_by_its_place():
    lines = [f"{n / 7},{n % 4}\n" for n in range(40)]
    Path("counts.csv").write_text("".join(["size,count\n", *lines]))
    Path("more.csv").write_text("".join(["size,count\n", *lines[:7], "1.5,-3\n"]))
    for data, choices in (("more.csv", {}), ("counts.csv", {"validation": "more.csv"})):
        for stream in (None, True):
            with pytest.raises(ChainruleError) as caught:
                plan(data, cost="Poisson()", network="Dense(1) >> Exp()", stream=stream, **choices)
            assert str(caught.value) == (
                "more.csv, line 9, column 'count': Poisson() takes a number >= 0, got -3. Mend the cell."
            )


def test_a_sample_of_the_rows_is_remembered(monkeypatch):
    monkeypatch.setattr(seen, "MOST", 400)
    run = train(write(), stream=True, **FORMULAS)
    known = seen.Seen.beside(str(run.folder))
    assert known.one_in == 8
    assert 200 < sum(map(len, (known.train, known.validation, known.test))) < 600
    measured = evaluate(str(run.folder), "d.csv")
    assert (measured.rows, measured.to_test) == (ROWS, False)
    assert abs(measured.seen - 0.8 * ROWS) < 600
    assert evaluate(str(run.folder), write("e.csv", a=TABLE["a"] + 9)).seen == 0


def test_parts_of_their_own():
    write("t.csv", city=np.array(["Paris", *TABLE["city"][1:]], dtype=object))
    with pytest.warns(UserWarning, match=r"column 'city': training never showed Paris \(1\)"):
        planned = plan(write(), stream=True, test="t.csv", validation=0)
    assert planned.rows == {"train": ROWS, "test": ROWS}


def test_parts_of_their_own_are_looked_at_before_a_pass(monkeypatch):
    csv.write_csv(pa.table({name: column for name, column in TABLE.items() if name != "day"}), "t.csv")
    monkeypatch.setattr(streaming, "Fitting", None)  # what begins a pass
    assert said(write(), test="t.csv") == "t.csv: there is no column 'day'. The columns are a, city, target."
    Path("t.csv").write_text("a,city,day,target\n")
    assert said(test="t.csv") == "t.csv: has no rows. Give rows of data."


def test_groups_stay_together():
    patient = np.array([f"p{row % 60}" for row in range(ROWS)], dtype=object)
    planned = plan(write(a=np.arange(ROWS) % 60, patient=patient), stream=True, group="patient", target="target")
    groups = {name: {*part[:, 0].tolist()} for name, part in rows_of(planned).items()}
    assert len(groups["train"] | groups["validation"] | groups["test"]) == sum(map(len, groups.values())) == 60
    assert "patient" not in planned.preprocessor.schema.inputs


def test_the_task_is_what_all_rows_tell():
    assert plan(write(target=np.arange(ROWS) // 100), stream=True).preprocessor.task == "regression"
    assert plan(write(target=np.arange(ROWS) // 300), stream=True).preprocessor.task == "classification"
    assert plan(write(target=[*[1] * (ROWS - 1), 1.5]), stream=True).preprocessor.task == "regression"


def test_every_class_is_known_to_training():
    for seed in range(5):
        target = np.array([*["a"] * (ROWS // 2), *["b"] * (ROWS // 2 - 1), "c"], dtype=object)
        assert plan(write(target=target), stream=True, seed=seed).preprocessor.classes == ("a", "b", "c")


def test_blank_cells():
    blank = [None, *TABLE["a"][1:-1], None]
    write(a=blank)
    assert said() == "d.csv, line 2, column 'a': the cell is blank. Fill it, or choose missing='median'."
    planned = plan("d.csv", stream=True, missing="median")
    assert sum(planned.rows.values()) == ROWS
    assert abs(planned.preprocessor.columns[0].fill[0] - 1e6) < 1
    assert sum(plan("d.csv", stream=True, missing="drop").rows.values()) == ROWS - 2
    with pytest.warns(UserWarning, match=r"d.csv: rows with a blank target are left out: target \(2\)\."):
        planned = plan(write(target=[None, *TABLE["target"][1:-1], None]), stream=True, missing="drop")
    assert sum(planned.rows.values()) == ROWS - 2


def test_medians_of_a_sample_say_so(monkeypatch):
    monkeypatch.setattr(fitting, "HELD", 4 * 500)
    blank = [None, *TABLE["a"][1:]]
    for _ in range(2):  # from the cache too
        planned = plan(write(a=blank), stream=True, missing="median")
        note = str(planned.found[0].notes["medians"])
        assert re.fullmatch(
            r"d.csv: blank cells are filled by medians of random rows, \d+ or more of each column\.", note
        )
    assert abs(planned.preprocessor.columns[0].fill[0] - 1e6) < 1
    np.testing.assert_allclose(planned.preprocessor.columns[0].scale, 1, rtol=0.1)
    assert "medians" not in plan("d.csv", stream=True, missing="drop").found[0].notes


def test_images():
    for name in ("cat", "dog"):
        Path("pets", name).mkdir(parents=True)
        for number in range(20):
            pixels = RNG.integers(0, 255, (5, 6, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(f"pets/{name}/{number}.png")
    planned = plan("pets", stream=True)
    assert planned.preprocessor.input_shape == (5, 6, 3)
    assert sum(planned.rows.values()) == 40
    x, y = planned.prepared["train"].part(0)
    assert x.shape[1:] == (5, 6, 3)
    assert set(y) == {0, 1}


def test_what_is_refused():
    write()
    assert said(order_by="day") == (
        "order_by: the rows of a stream are divided as they pass, not in an order. Give the last ones as files of "
        "their own: test and validation."
    )
    assert said("iris") == "stream is for files that are larger than memory, but the data are in memory. Leave it out."
    Path("header.csv").write_text("a,city\n")
    assert said("header.csv") == "header.csv: has no rows. Give rows of data."
    assert "has a single class, '1'. Give rows of two classes or more." in said(write(target=[1] * ROWS))
    names = np.array([f"n{row}" for row in range(ROWS)], dtype=object)
    assert "column 'city' is text with 1," in (message := said(write(city=names), words=[]))
    assert "distinct values so far, more than 1,000. Join the rare ones, or choose drop=['city']." in message
    assert "column 'a' is blank throughout. Fill it, or" in said(write(a=[None] * ROWS), missing="median")
    mixed = np.array([*["x"] * 100, *["5"] * (ROWS - 100)], dtype=object)
    message = "column 'city' is mostly of numbers, but 'x' is none. Mend the cells, or choose text=['city']."
    assert said(write(city=mixed)) == f"d.csv: {message}"
    times = np.array([*["x"] * 100, *DAYS.astype(str)[100:]], dtype=object)
    assert "is mostly of times, but its first cells are not" in said(write(city=times))
    message = "the validation part would be empty, of 3,000 rows. Give more rows, or choose validation=0."
    assert said(write(), validation=1e-9) == f"d.csv: {message}"


def test_a_full_disk_leaves_nothing(monkeypatch):
    written = [0]

    def full(opened, array):
        written[0] += 1
        if written[0] > 20:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(dealing, "write", full)
    assert "The disk is full. Nothing was kept; make room, or name another folder by CHAINRULE_CACHE." in said(write())


def test_an_interrupted_pass_leaves_nothing(monkeypatch):
    def interrupt(opened, array):
        raise KeyboardInterrupt

    monkeypatch.setattr(dealing, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        plan(write(), stream=True)
    assert not entries()


def test_files_that_change_between_the_passes(monkeypatch):
    deal = dealing.Dealer.deal

    def changing(self, x, y):
        with open("d.csv", "a") as file:
            file.write("1,Rome,2020-01-01,1\n")
        deal(self, x, y)

    monkeypatch.setattr(dealing.Dealer, "deal", changing)
    assert said(write()) == "d.csv changed while it was read. Run again once it is whole."


def test_folders(tmp_path):
    (tmp_path / "parts").mkdir()
    for number in range(4):
        rows = slice(number * 750, (number + 1) * 750)
        parquet.write_table(pa.table({name: values[rows] for name, values in TABLE.items()}), f"parts/{number}.parquet")
    planned = plan("parts")  # a folder of tables is always a stream
    assert planned.stream
    assert sum(planned.rows.values()) == ROWS
    with pytest.raises(
        ChainruleError, match=r"stream: the files of a folder are read block after block. Leave it out\."
    ):
        plan("parts", stream=False)
    write("parts/x.csv")
    with pytest.raises(
        ChainruleError, match=r"parts: holds files of several kinds: .parquet, .csv. Keep those of one\."
    ):
        plan("parts")
