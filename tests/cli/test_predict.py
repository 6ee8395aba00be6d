import csv
import errno
import itertools
import json
import os
import signal
import tomllib

import numpy as np
import pytest
from pyarrow import parquet as pq
from sklearn.metrics import r2_score

from chainrule import load
from chainrule.cli import main
from chainrule.data import files
from chainrule.data.streams import Stream

TRAIN = 'train flowers.csv --network "Dense(2) >> Softmax()" --epochs 3 --seed 1 --out run'


def table(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


def test_a_line_for_each_row_in_the_order_of_the_file(run, trained, here):
    said = run("predict run flowers.csv")
    assert (said.code, said.err) == (0, "")
    rows = table(said.out)
    assert rows[0] == ["kind"]
    assert len(rows) == 41
    raw = list(csv.DictReader((here / "flowers.csv").read_text().splitlines()))
    columns = {name: [row[name] for row in raw] for name in raw[0]}
    assert [row[0] for row in rows[1:]] == trained.predict(columns).tolist()
    # columns in any order, others beside them, and no target
    (here / "new.csv").write_text(
        "id,colour,width,length\n"
        + "".join(f'{n},"{row["colour"]}",{row["width"]},{row["length"]}\n' for n, row in enumerate(raw))
    )
    assert run("predict run new.csv").out == said.out


def test_probabilities(run, trained):
    rows = table(run("predict run flowers.csv --probabilities").out)
    assert rows[0] == ["kind", "p(iris)", "p(rose)"]
    for kind, *shares in rows[1:]:
        assert sum(map(float, shares)) == pytest.approx(1, abs=1e-6)
        assert kind == ("iris", "rose")[float(shares[1]) > float(shares[0])]


def test_probabilities_of_one_output(run, flowers):
    run('train flowers.csv --network "Dense(1) >> Sigmoid()" --epochs 1 --out run')
    for kind, *shares in table(run("predict run flowers.csv --probabilities").out)[1:]:
        assert sum(map(float, shares)) == pytest.approx(1, abs=1e-6)
        assert kind == ("iris", "rose")[float(shares[1]) > 0.5]


def test_scores_are_no_probabilities(run, flowers, here):
    run('train flowers.csv --network "Dense(1)" --cost "Hinge()" --epochs 1 --out run')
    said = run("predict run flowers.csv --probabilities")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "chainrule: --probabilities: the outputs of Dense(1) are no probabilities. Leave it out, or train with "
        "Softmax().\n"
    )


def test_values_are_in_the_units_of_the_target(run, prices, here):
    run('train prices.csv --network "Dense(1)" --epochs 200 --optimizer "Adam(0.1)" --out run')
    predicted = [float(row[0]) for row in table(run("predict run prices.csv").out)[1:]]
    expected = [float(row["price"]) for row in csv.DictReader(prices.read_text().splitlines())]
    assert predicted == pytest.approx(expected, abs=150)
    assert table(run("predict run prices.csv --probabilities").out)[0] == ["price"]  # it has none


@pytest.mark.parametrize(
    ("cost", "columns"),
    [
        ("GaussianNLL()", ["price", "depth", "price std", "depth std"]),
        ("Quantile((0.1, 0.5))", ["price", "depth", "price 0.1", "depth 0.1", "price 0.5", "depth 0.5"]),
    ],
)
def test_costs_of_several_outputs_tell_more_than_an_estimate(run, prices, cost, columns):
    words = f'--cost "{cost}" --target price --target depth --network "Dense(4)" --epochs 1'
    said = run(f"train prices.csv {words} --out run")
    assert (said.code, said.err) == (0, "")
    first, *rows = table(run("predict run prices.csv").out)
    assert first == columns
    found = dict(zip(first, np.array(rows, float).T, strict=True))
    model, raw = load("run"), np.genfromtxt(prices, delimiter=",", names=True)
    a = model({"width": raw["width"]})
    if cost == "GaussianNLL()":
        s, scale = model.outputs(model.preprocessor.inputs({"width": raw["width"]}))[:, 2:], model.preprocessor.units[0]
        np.testing.assert_allclose(found["price std"], scale[0] * np.exp(s[:, 0] / 2), rtol=1e-6)
        np.testing.assert_allclose([found["price"], found["depth"]], a[:, :2].T, rtol=1e-8)
    else:
        np.testing.assert_allclose([found[name] for name in columns[2:]], a.T, rtol=1e-8)
        assert (found["price"] == found["price 0.5"]).all()
    expected = np.column_stack([raw["price"], raw["depth"]])
    figures = model.evaluate({name: raw[name] for name in raw.dtype.names}, metrics=["R2()"])
    assert figures["r2"] == pytest.approx(r2_score(expected, model.predict({"width": raw["width"]})), rel=1e-5)


def test_to_a_file(run, trained, here):
    said = run("predict run flowers.csv")
    assert run("predict run/model.safetensors flowers.csv --out kinds.csv").out == "40 predictions in kinds.csv.\n"
    assert (here / "kinds.csv").read_text() == said.out


def read_back(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return list(csv.DictReader(path.read_text().splitlines(), delimiter="\t" if path.suffix == ".tsv" else ","))


@pytest.mark.parametrize("ending", ["csv", "TSV", "parquet", "jsonl"])
def test_the_ending_says_the_format_and_columns_are_carried_along(run, trained, here, ending):
    rows = [f"{n:03},{n},{n % 5},{n % 3},red,{n}.50" for n in range(9)]
    (here / "new.csv").write_text("id,number,length,width,colour,note\n" + "\n".join(rows))
    keep = "--keep id --keep number --keep note --keep width"
    said = run(f"predict run new.csv {keep} --probabilities --out to.{ending}")
    assert (said.code, said.err, said.out) == (0, "", f"9 predictions in to.{ending}.\n")
    written = read_back((here / f"to.{ending}").rename(here / f"to.{ending.lower()}"))
    assert [*written[0]] == ["id", "number", "note", "width", "kind", "p(iris)", "p(rose)"]
    table = {"length": np.arange(9) % 5, "width": np.arange(9) % 3, "colour": ["red"] * 9}
    expected = trained.predict_proba(table)
    kind = float if ending in ("parquet", "jsonl") else str
    for n, row in enumerate(written):
        assert (row["id"], row["note"], row["kind"]) == (f"{n:03}", f"{n}.50", trained.predict(table)[n])
        assert (row["number"], row["width"]) == ((n, n % 3) if kind is float else (str(n), str(n % 3)))
        assert type(row["p(rose)"]) is kind
        assert [float(row[name]) for name in ("p(iris)", "p(rose)")] == pytest.approx(expected[n].tolist(), rel=1e-8)


@pytest.mark.parametrize("ending", ["xlsx", "npz", "cvs", "csv.gz"])
def test_another_ending_is_refused_before_anything_is_read(run, ending):
    said = run(f"predict nothing nowhere.csv --out to.{ending}")
    assert (said.code, said.err) == (
        2,
        f"chainrule: to.{ending}: can't write files of this kind. "
        "Let the name end in one of .csv, .tsv, .parquet, .jsonl.\n",
    )


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (
            "--keep number",
            "new.csv: there is no column 'number'. The columns are length, width, colour, kind.",
        ),
        ("--keep kind", "--keep kind: a column of the answers has that name. Rename it in new.csv."),
    ],
)
def test_columns_that_can_not_be_kept(run, trained, here, choice, message):
    (here / "new.csv").write_text("length,width,colour,kind\n1,2,red,x\n")
    assert run(f"predict run new.csv {choice} --out to.csv") == (2, "", f"chainrule: {message}\n")
    assert not (here / "to.csv").exists()


def test_a_column_that_the_model_takes_as_numbers_is_kept_as_it_is_written(run, trained, here):
    (here / "new.csv").write_text("length,width,colour\n007,1.50,red\n08,NA,red\n")
    said = run("predict run new.csv --keep length --blank NA")
    assert (said.code, said.err.split(": ")[1]) == (2, "new.csv, line 3, column 'width'")
    (here / "new.csv").write_text("length,width,colour\n007,1.50,red\n08,2,red\n")
    rows = table(run("predict run new.csv --keep length --keep width").out)
    assert [row[:2] for row in rows] == [["length", "width"], ["007", "1.50"], ["08", "2"]]
    assert [row[2] for row in rows[1:]] == trained.predict(
        {"length": [7, 8], "width": [1.5, 2], "colour": ["red"] * 2}
    ).tolist()


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_file_with_only_a_header_gives_only_a_header(run, trained, here, ending):
    (here / "new.csv").write_text("id,length,width,colour\n")
    said = run("predict run new.csv --keep id --probabilities")
    assert said == (0, "id,kind,p(iris),p(rose)\n", "")
    assert run(f"predict run new.csv --out to.{ending}") == (0, f"0 predictions in to.{ending}.\n", "")
    assert read_back(here / f"to.{ending}") == []
    assert run("evaluate run new.csv").code == 2


def test_to_a_place_that_is_none(run, trained, here):
    said = run("predict run flowers.csv --out nowhere/kinds.csv")
    assert (said.code, said.out, said.err) == (
        2,
        "",
        "chainrule: Can't write nowhere/kinds.csv: No such file or directory. Nothing was written.\n",
    )


def test_values_that_training_never_showed_are_noted(run, trained, here):
    (here / "new.csv").write_text("length,width,colour\n1,2,red\n1,2,green\n1,2,green\n1,2,grey\n")
    said = run("predict run new.csv")
    assert said.code == 0
    assert len(table(said.out)) == 5
    assert said.err.startswith("note: column 'colour': training never showed ")
    assert {"green (2)", "grey (1)"} <= set(said.err.split("showed ")[1].split(";")[0].split(", "))
    assert said.err.endswith("; such cells count as none of the known values.\n")
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("length,colour\n1,red\n", "new.csv: there is no column 'width'. The columns are length, colour."),
        (
            "Length,COLOUR,other\n1,red,2\n",
            "new.csv: there are no columns 'length', 'width', 'colour'. Did you mean Length, COLOUR? The columns are "
            "Length, COLOUR, other.",
        ),
        (
            "1,2,red\n1,3,red\n",
            "new.csv: there are no columns 'length', 'width', 'colour'. The columns are 1, 2, red. If the first line "
            "is a row of data, write the names of the columns above it.",
        ),
        (
            "length;width;colour\n1;2,5;red\n1;3;red\n",
            "new.csv, line 2, column 'width': expected a number, got '2,5'. Mend the cell, or run: chainrule predict "
            "run new.csv --out answers.csv --decimal ,",
        ),
        (
            "length,width,colour\n1,2,red\n1,wide,red\n",
            "new.csv, line 3, column 'width': expected a number, got 'wide'. Mend the cell.",
        ),
        (
            "length,width,colour\n1,2,red\n1,,red\n",
            "new.csv, line 3, column 'width': the cell is blank, and the model knows no value to put there. "
            "Fill it, or train with --missing median.",
        ),
        (
            "length,width,colour\n1,-inf,red\n",
            "new.csv, line 2, column 'width': expected a finite number, at most 1e+100, got infinity. Mend the cell.",
        ),
    ],
)
def test_rows_that_do_not_fit(run, trained, here, text, message):
    (here / "new.csv").write_text(text)
    said = run("predict run new.csv --out answers.csv")
    assert (said.code, said.out, said.err) == (2, "", f"chainrule: {message}\n")
    assert not (here / "answers.csv").exists()


def test_blank_cells_are_filled_where_training_did_so(run, flowers, here):
    run(f"{TRAIN} --missing median")
    (here / "new.csv").write_text("length,width,colour\n1,2,red\n,,\n")
    said = run("predict run new.csv")
    assert (said.code, said.err, len(table(said.out))) == (0, "", 3)


def test_rows_with_blank_cells_have_no_answer_where_training_left_them_out(run, flowers, here):
    run(f"{TRAIN} --missing drop")
    (here / "new.csv").write_text("length,width,colour\n1,2,red\n,2,red\n1,2,\n1,2,red\n")
    said = run("predict run new.csv --probabilities")
    rows = table(said.out)
    assert (said.code, said.err) == (
        0,
        "note: 2 rows have blank cells, which training left out: their answers are blank.\n",
    )
    assert rows[2] == rows[3] == ["", "", ""]
    assert rows[1] == rows[4] != ["", "", ""]
    (here / "new.csv").write_text("length,width,colour\n,,\n,,\n")
    assert table(run("predict run new.csv").out) == [["kind"], [""], [""]]


def test_a_model_of_arrays_takes_no_rows(run, flowers, here):
    from chainrule import fit

    fit("Dense(1)", [[1.0], [2.0]], [1.0, 2.0], batch_size="all", epochs=1, progress=False).save(
        here / "arrays.safetensors"
    )
    for command in ("predict", "evaluate"):
        said = run(f"{command} arrays.safetensors flowers.csv")
        assert (said.code, said.err) == (
            2,
            "chainrule: arrays.safetensors: this model takes arrays, not rows of a table. "
            "Use it in Python: chainrule.load.\n",
        )


def test_a_model_file_cut_short(run, trained, here):
    whole = (here / "run" / "model.safetensors").read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        (here / "cut.safetensors").write_bytes(whole[:length])
        said = run("predict cut.safetensors flowers.csv")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert said.err.startswith("chainrule: cut.safetensors is no model file, or is cut short or damaged. ")
    (here / "cut.safetensors").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert run("predict cut.safetensors flowers.csv").err == (
        "chainrule: cut.safetensors was altered after it was saved: its digest does not match. Use an intact copy.\n"
    )


@pytest.mark.parametrize("words", ["", "--text id"])
def test_whole_numbers_of_any_size_are_classes(run, here, words):
    ids = [9007199254740992, 9007199254740993, 9007199254740995]
    (here / "ids.csv").write_text("a,b,id\n" + "".join(f"{k % 2},{k // 2},{ids[k]}\n" for k in (0, 1, 2)) * 20)
    quick = '--network "Dense(3) >> Softmax()" --optimizer "Adam(0.3)" --epochs 60 --batch-size all --out run'
    run(f"train ids.csv --target id --task classification {quick} {words}")
    assert run("predict run ids.csv").out.split()[1:4] == [*map(str, ids)]


def test_several_targets(run, here):
    numbers = np.random.default_rng(0).uniform(1, 3, (60, 2)).round(3)
    rows = [f"{a},{100 * (a + b):.3f},{b},{a - b:.3f}\n" for a, b in numbers]
    (here / "t.csv").write_text("a,total,b,rest\n" + "".join(rows))
    trained = run('train t.csv --target rest --target total --optimizer "Adam(0.01)" --epochs 60 --out run')
    assert "t.csv: 2 inputs → rest, total, 2 values (regression)" in trained.out
    record = tomllib.loads((here / "run" / "run.toml").read_text())
    assert record["data"]["target"] == ["rest", "total"]
    assert "--target rest --target total" in record["command"]
    said = run("predict run t.csv").out.splitlines()
    assert said[0] == "rest,total"
    predicted = np.array([line.split(",") for line in said[1:]], float)
    expected = np.stack([numbers[:, 0] - numbers[:, 1], 100 * numbers.sum(axis=1)], axis=1)
    assert (np.abs(predicted - expected).mean(axis=0) < [0.1, 10]).all()
    columns, _, figures = (line.split() for line in run("evaluate run t.csv --all").out.splitlines()[1:4])
    assert columns == ["cost", "r2"]
    assert float(figures[-1]) > 0.9
    (here / "new.csv").write_text("a,b\n1,2\n")
    assert len(run("predict run new.csv").out.splitlines()) == 2


def test_texts_that_a_spreadsheet_would_compute(run, here):
    rows = [f"{n},{('=1+1', '-3', '@x')[n % 3]},+{n}a\n" for n in range(30)]
    (here / "odd.csv").write_text("n,kind,tag\n" + "".join(rows))
    said = run(
        'train odd.csv --target kind --text kind --drop tag --network "Dense(3) >> Softmax()" --epochs 1 --out run'
    )
    assert said.code == 0
    plain = run("predict run odd.csv --keep tag --probabilities")
    assert plain.code == 0
    answers = [line.split(",") for line in plain.out.splitlines()]
    assert answers[0] == ["tag", "kind", "p(-3)", "p(=1+1)", "p(@x)"]
    assert {row[1] for row in answers[1:]} <= {"=1+1", "-3", "@x"}
    computed = 30 + sum(row[1] in ("=1+1", "@x") for row in answers[1:])
    assert (
        plain.err == f"note: a spreadsheet would compute {computed} texts such as '+0a'. For one, add --spreadsheet.\n"
    )
    guarded = run("predict run odd.csv --keep tag --probabilities --spreadsheet")
    assert (guarded.code, guarded.err) == (0, "")
    for row, shown in zip(answers[1:], guarded.out.splitlines()[1:], strict=True):
        kind = row[1] if row[1] == "-3" else f"'{row[1]}"
        assert shown.split(",")[:2] == [f"'{row[0]}", kind]


@pytest.fixture
def small(monkeypatch):
    """Blocks of 16 rows."""
    monkeypatch.setattr("chainrule.arrays.memory.NUMBERS", 16)
    monkeypatch.setattr("chainrule.arrays.memory.ROWS", 16)


@pytest.mark.parametrize("missing", [None, "drop"])
def test_many_rows_are_answered_block_after_block(run, flowers, here, missing, request):
    run(TRAIN + (f" --missing {missing}" if missing else ""))
    colours = ["red", "red", "grey"] + ([""] if missing else [])
    rows = [f"{n:03},{n % 7},{n % 11},{colours[n % len(colours)]},{n / 2}" for n in range(100)]
    (here / "new.csv").write_text("id,length,width,colour,half\n" + "\n".join(rows))
    words = "predict run new.csv --keep id --keep half --out"
    endings = ("csv", "tsv", "jsonl", "parquet")
    notes = [run(f"{words} whole.{ending}").err for ending in endings]
    shown = run(f"{words[:-6]}").out
    request.getfixturevalue("small")
    assert notes == [run(f"{words} blocks.{ending}").err for ending in endings]
    assert "grey (" in notes[0]
    assert ("rows have blank cells" in notes[0]) == bool(missing)
    assert run(f"{words[:-6]}").out == shown == (here / "blocks.csv").read_text()
    for ending in endings[:3]:
        assert (here / f"blocks.{ending}").read_bytes() == (here / f"whole.{ending}").read_bytes()
    blocks, whole = (pq.read_table(here / f"{name}.parquet") for name in ("blocks", "whole"))
    assert blocks.schema == whole.schema
    assert blocks.to_pylist() == whole.to_pylist() == read_back(here / "blocks.jsonl")
    run("predict run new.csv --probabilities --out shares.parquet")
    shares = pq.read_table(here / "shares.parquet").to_pydict()
    assert shares["kind"] == blocks["kind"].to_pylist()
    for kind, *pair in zip(*shares.values(), strict=True):
        assert (pair == [None, None]) if kind is None else (kind == ("iris", "rose")[pair[1] > pair[0]])


@pytest.mark.parametrize("to", ["answers.csv", "answers.parquet", None])
def test_a_row_that_does_not_fit_late_in_the_file_leaves_what_was_there(run, trained, here, small, to):
    (here / "new.csv").write_text("length,width,colour\n" + "1,2,red\n" * 90 + "1,,red\n" * 2)
    (here / "answers.csv").write_text("old")
    said = run("predict run new.csv" + (f" --out {to}" if to else ""))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("chainrule: new.csv, line 92, column 'width': the cell is blank, ")
    assert (here / "answers.csv").read_text() == "old"
    assert {path.name for path in here.iterdir()} == {"answers.csv", "flowers.csv", "new.csv", "run"}


def test_a_disk_that_gets_full_on_the_way_leaves_nothing(run, trained, here, small, monkeypatch):
    fill = files._fill

    def filling(file, data):
        def some():
            yield from itertools.islice(data, 3)
            raise OSError(errno.ENOSPC, "No space left on device")

        fill(file, some())

    monkeypatch.setattr(files, "_fill", filling)
    (here / "new.csv").write_text("length,width,colour\n" + "1,2,red\n" * 90)
    assert run("predict run new.csv --out answers.csv") == (
        2,
        "",
        "chainrule: Can't write answers.csv: No space left on device. Nothing was written.\n",
    )
    assert {path.name for path in here.iterdir()} == {"flowers.csv", "new.csv", "run"}


def test_ctrl_c_while_it_is_written_leaves_nothing(run, trained, here, small, monkeypatch):
    seen = []

    class Ended(BaseException):
        """As if the process had ended."""

    def end(code):
        seen.append((code, sorted(path.name for path in here.iterdir())))
        raise Ended

    fill = files._fill

    def filling(file, data):
        fill(file, itertools.islice(data, 3))
        assert any(path.name.startswith(".chainrule-") for path in here.iterdir())
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(files, "_fill", filling)
    monkeypatch.setattr(os, "_exit", end)
    (here / "new.csv").write_text("length,width,colour\n" + "1,2,red\n" * 90)
    with pytest.raises(Ended):
        main(["predict", "run", "new.csv", "--out", "answers.csv"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert seen == [(130, ["flowers.csv", "new.csv", "run"])]


@pytest.fixture
def streamed(monkeypatch):
    """Every file is larger than memory, and read in blocks of few lines."""
    monkeypatch.setattr("chainrule.runs.answering.is_large", lambda source: True)
    monkeypatch.setattr("chainrule.data.readers.delimited.BLOCK", 200)


@pytest.mark.parametrize("missing", [None, "drop"])
def test_a_file_larger_than_memory_is_answered_table_after_table(run, flowers, here, missing, request):
    run(TRAIN + (f" --missing {missing}" if missing else ""))
    colours = ["red", "red", "grey"] + ([""] if missing else [])
    rows = [f"{n:03},{n % 7},{n % 11},{colours[n % len(colours)]}" for n in range(100)]
    (here / "new.csv").write_text("id,length,width,colour\n" + "\n".join(rows))
    whole = run("predict run new.csv --keep id --keep colour")
    request.getfixturevalue("streamed")
    read = []
    tables = Stream.tables
    request.getfixturevalue("monkeypatch").setattr(
        Stream, "tables", lambda *given: (read.append(table.rows) or table for table in tables(*given))
    )
    assert run("predict run new.csv --keep id --keep colour") == whole
    assert sum(read) == 100
    assert max(read) < 20
    assert whole.err.count("training never showed grey (") == 1


def test_what_does_not_fit_late_in_a_file_larger_than_memory_leaves_no_file(run, trained, here, streamed):
    (here / "new.csv").write_text("length,width,colour\n" + "1,2,red\n" * 90 + "1,wide,red\n")
    said = run("predict run new.csv --out answers.csv")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("chainrule: new.csv, line 92, column 'width': expected a number, got 'wide'")
    assert {path.name for path in here.iterdir()} == {"flowers.csv", "new.csv", "run"}
    assert run("predict run new.csv --keep nothing --out answers.csv").err.startswith(
        "chainrule: new.csv: there is no column 'nothing'."
    )
