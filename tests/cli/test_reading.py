"""How a file is read is found by `train`, or chosen, and holds for what comes after it."""

import tomllib

import pytest

from chainrule import load

QUICK = '--network "Dense(2) >> Softmax()" --epochs 2'


@pytest.fixture
def german(here):
    """40 rows with decimal commas and points between thousands."""
    rows = [f"{n % 7},5;1.{n % 9}00;{n}%;{('rot', 'blau')[n % 2]}\n" for n in range(40)]
    (here / "de.csv").write_text("Breite;Preis;Anteil;Art\n" + "".join(rows))


def test_what_was_found_is_said_once(run, german, here):
    said = run(f"train de.csv {QUICK} --out run")
    assert said.code == 0
    assert said.err.splitlines()[:2] == [
        "note: de.csv: cells are separated by ';'. Choose another by --separator.",
        "note: de.csv: numbers are read with the decimal mark ',': '0,5' in column 'Breite' as 0.5, '1.000' in column "
        "'Preis' as 1000, '0%' in column 'Anteil' as 0. Choose another mark by --decimal, or keep a column as text by "
        "--text.",
    ]
    assert load(here / "run").training["reading"] == {"separator": ";", "decimal": ",", "header": True}
    for line in ("evaluate run de.csv", "predict run de.csv"):
        said = run(line)
        assert (said.code, said.err) == (0, "")


def test_the_next_file_is_read_as_the_training_file_was(run, german, here):
    run(f"train de.csv {QUICK} --out run")
    columns = {"Breite": [1.234, 0.5], "Preis": [1100.0, 1200.0], "Anteil": [0.57, 0.05]}
    expected = "".join(f"{kind}\n" for kind in load(here / "run").predict(columns))
    (here / "new.csv").write_text("Breite;Preis;Anteil\n1,234;1.100;57%\n0,5;1.200;5%\n")
    assert run("predict run new.csv").out == f"Art\n{expected}"
    (here / "new.csv").write_text("Breite,Preis,Anteil\n1.234,1100,0.57\n0.5,1200,0.05\n")
    assert run("predict run new.csv --decimal .").out == f"Art\n{expected}"


def test_a_file_without_a_header(run, here):
    rows = [f"{n % 5}.5,{n % 3}.5,{'ab'[n % 2]}\n" for n in range(40)]
    (here / "iris.data").write_text("".join(rows))
    assert (
        "note: iris.data: the first line is taken for the columns' names, among them 0.5, 0.5. "
        "If it is a row of data, add --no-header.\n"
    ) not in run(f"train iris.data {QUICK}").err
    said = run(f"train iris.data --no-header {QUICK} --out run")
    assert said.code == 0
    assert "rows: 28 to train, 4 to validate, 8 to test" in said.out
    about = tomllib.loads((here / "run" / "run.toml").read_text())
    assert about["data"]["header"] is False
    assert "--no-header" in about["command"]
    assert run("predict run iris.data").out.count("\n") == 41
    assert "iris.data, 8 rows to test" in run("evaluate run iris.data").out


def test_a_header_of_numbers_is_refused_with_the_whole_command(run, here):
    (here / "iris.data").write_text("1,1,a\n2,3,b\n")
    assert run("train iris.data").err == (
        "chainrule: iris.data: more than one column is called '1'. Give every column its own name, "
        "or run: chainrule train iris.data --no-header\n"
    )
    assert run("train iris.data --header").err.endswith("Give every column its own name.\n")


def test_words_that_are_blank(run, here):
    rows = [f"{'NA' if n % 10 == 0 else n},{('NA', 'yes')[n % 2]},{n % 2}\n" for n in range(40)]
    (here / "na.csv").write_text("age,kind,y\n" + "".join(rows))
    assert run(f"train na.csv {QUICK}").err == (
        "chainrule: na.csv: blank cells in age (4, 4 as 'NA'). Fill them, or run: chainrule train na.csv "
        "--network 'Dense(2) >> Softmax()' --epochs 2 --missing median\n"
    )
    said = run(f"train na.csv {QUICK} --missing median --out run")
    assert "note: na.csv: read as blank: 'NA' (4) in column 'age'. Choose the words by --blank.\n" in said.err
    assert load(here / "run").preprocessor.columns[1].values == ("NA", "yes")
    said = run('train na.csv --network "Dense(1)" --epochs 2 --missing drop --blank NA --target age --out other')
    assert "rows: 14 to train, 2 to validate, 4 to test" in said.out
    (here / "new.csv").write_text("kind,y\nNA,1\n")
    assert run("predict other new.csv").out == 'age\n""\n'  # blank there too


def test_another_separator_than_the_chosen_one(run, here):
    (here / "bars.csv").write_text("a|b|y\n" + "1|2|3\n" * 20)
    said = run("train bars.csv --separator ,")
    assert said.err == (
        "chainrule: bars.csv: has one column, 'a|b|y', but its cells seem to be separated by '|'. "
        "Separate them by ',', or run: chainrule train bars.csv --separator '|'\n"
    )
    (here / "tabs.csv").write_text("a\tb\n" + "".join(f"{row}\t{row % 2}\n" for row in range(20)))
    assert run("train tabs.csv --separator ';'").err.endswith("train tabs.csv --separator tab\n")
    assert "note: tabs.csv: cells are separated by tabs." in run("train tabs.csv --epochs 1").err


def test_what_looks_like_numbers(run, here):
    rows = [f"{row:04},{'$€'[row % 2]}5,{f'({row}.50)' if row % 2 else row},{row}\n" for row in range(20)]
    (here / "codes.csv").write_text(f"zip,price,change,y\n{''.join(rows)}")
    words = "train codes.csv --network 'Dense(1)' --epochs 1 --task regression"
    said = run(f"{words} --out run")
    assert [line for line in said.err.splitlines() if line.startswith("note: codes.csv")] == [
        "note: codes.csv: cells with leading zeros are read as numbers: '0000' in column 'zip' as 0. "
        "Leave it so, or add --text zip.",
        "note: codes.csv: numbers of several units are read as text: '$5' with '€5' in column 'price'. "
        "Write them in one unit, or add --text price.",
        "note: codes.csv: numbers are read with the decimal mark '.': '(1.50)' in column 'change' as -1.5. "
        "Choose another mark by --decimal, or keep a column as text by --text.",
    ]
    later = run("predict run codes.csv")
    assert (later.code, later.err) == (0, "")
    assert "leading zeros" not in run(f"{words} --text zip --text price --out other").err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--separator :", "--separator must be ',', ';', tab, '|' or blank, got ':'."),
        ("--decimal x", "--decimal must be '.' or ',', got 'x'."),
    ],
)
@pytest.mark.parametrize("command", ["train", "evaluate run", "predict run"])
def test_choices_that_are_none(run, flowers, trained, command, options, message):
    said = run(f"{command} flowers.csv {options}")
    assert (said.code, said.err) == (2, f"chainrule: {message}\n")


def test_too_large_to_be(run, flowers, here):
    said = run('train flowers.csv --network "Dense(1000000000000) >> Dense(2) >> Softmax()" --epochs 1 --out run')
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert not (here / "run").exists()
    said = run("plot Momentum --on beale --steps 1000000000")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert said.err.startswith("chainrule: Invalid value for '--steps': ")
