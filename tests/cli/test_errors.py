"""What is wrong is answered in one line that names place and remedy, with exit code 2, and nothing is written."""

import os
import subprocess
import sys

import numpy as np
import pytest

from chainrule.cli.commands import app
from chainrule.costs import Cost
from chainrule.notation.families import FAMILIES, family

QUICK = '--network "Dense(2) >> Softmax()" --epochs 2'
TABLES = {
    "empty.csv": "",
    "header.csv": "a,b\n",
    "short.csv": "a,b,c\n1,2,3\n4,5\n",
    "long.csv": "a,b,c\n1,2,3\n4,5,6,7\n",
    "twice.csv": "a,a,b\n1,2,3\n",
    "alone.csv": "kind\nx\ny\n",
    "single.csv": "length,kind\n" + "1,rose\n" * 9,
    "junk.xyz": "a\0b",
    "damaged.parquet": "zzz",
    "damaged.npz": "zzz",
    "text.safetensors": "hello",
    "other.safetensors": "x" * 500,
}
CELLS = {
    "infinite.csv": {6: "inf,1,red,rose"},
    "stray.csv": {6: "oops,1,red,rose"},
    "blank.csv": {6: ",1,red,rose", 8: "NaN,1,,rose"},
    "another.csv": {6: "1,1,red,tulip"},
}


@pytest.fixture(autouse=True)
def files(here, flowers, prices):
    """Files with everything that can be wrong; nothing may come to them."""
    for name, text in TABLES.items():
        (here / name).write_text(text)
    good = flowers.read_text().splitlines()
    for name, cells in CELLS.items():
        (here / name).write_text("\n".join(cells.get(number, line) for number, line in enumerate(good, 1)))
    (here / "latin.csv").write_bytes("a,b\n1,é\n".encode("latin-1"))
    np.savez(here / "images.npz", x=np.zeros((40, 4, 4, 1)) + np.arange(40)[:, None, None, None], y=np.arange(40) % 2)
    (here / "folder").mkdir()
    before = sorted(here.rglob("*"))
    yield
    assert sorted(here.rglob("*")) == before


OPTIONS = ", ".join(str(command.name) for command in app.registered_commands)
THEY_ARE = f"They are {', '.join(FAMILIES)}."
SMALL = "--batch-size must be a whole number of 1 or more, or all, got"
STOPPING = "--early-stopping must be a number of epochs, never, or EarlyStopping(…), got"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # Files
        ("train flower.csv", "There is no file 'flower.csv'. Did you mean flowers.csv?"),
        ("train digit", "There is no file 'digit'. Did you mean digits?"),
        (
            "train iris --optimizer 'Adam([0.1, 0.2])'",
            "--optimizer: Adam(learning_rate=[0.1, 0.2]): learning_rate holds "
            "2 numbers, of a population. Give one number.",
        ),
        ("plot 'ELU([0.1, 0.2])'", "ELU(alpha=[0.1, 0.2]): alpha holds 2 numbers, of a population. Give one number."),
        ("train empty.csv", "empty.csv: the file is empty. Give a header with the columns' names, and rows below it."),
        ("train header.csv", "header.csv: has no rows. Give rows of data."),
        ("train short.csv", "short.csv, line 3: expected 3 cells, got 2. Mend the line."),
        ("train long.csv", "long.csv, line 3: expected 3 cells, got 4. Mend the line."),
        ("train twice.csv", "twice.csv: more than one column is called 'a'. Give every column its own name."),
        ("train latin.csv", "latin.csv, line 2: is not UTF-8 text. Save the file as UTF-8."),
        (
            "train damaged.parquet",
            "damaged.parquet: is no whole Parquet file. Write it again, or give a CSV file.",
        ),
        (
            "train damaged.npz",
            "damaged.npz: is no whole NPZ file. Write it again by numpy.savez(file, x=…, y=…).",
        ),
        # Columns and cells
        ("train alone.csv", "alone.csv: has one column, 'kind'. Give a target, and inputs beside it."),
        (
            "train single.csv",
            "single.csv: the target 'kind' has a single class, 'rose'. Give rows of two classes or more.",
        ),
        (
            "train flowers.csv --target knd",
            "flowers.csv: there is no column 'knd'. Did you mean kind? The columns are length, width, colour, kind.",
        ),
        (
            "train flowers.csv --drop lenght",
            "flowers.csv: there is no column 'lenght'. Did you mean length? "
            "The columns are length, width, colour, kind.",
        ),
        (
            "train flowers.csv --text zip",
            "flowers.csv: there is no column 'zip'. The columns are length, width, colour, kind.",
        ),
        (
            "train flowers.csv --target kind --drop kind",
            "flowers.csv: column 'kind' is both dropped and the target. Choose one.",
        ),
        (
            "train flowers.csv --task regression",
            "flowers.csv: regression needs numbers, and the target 'kind' is text. Name another target, or run: "
            "chainrule train flowers.csv --task classification",
        ),
        (
            "train infinite.csv",
            "infinite.csv, line 6, column 'length': expected a finite number, at most 1e+100, got infinity. "
            "Mend the cell, or run: chainrule train infinite.csv --drop length",
        ),
        (
            "train stray.csv",
            "stray.csv, line 6, column 'length': expected a number, got 'oops'. "
            "Mend the cell, or run: chainrule train stray.csv --text length",
        ),
        (
            "train blank.csv",
            "blank.csv: blank cells in length (2, 1 as 'NaN'), colour (1). "
            "Fill them, or run: chainrule train blank.csv --missing median",
        ),
        *[
            (
                f"train flowers.csv --{part} another.csv",
                "another.csv, line 6, column 'kind': the class 'tulip' was never seen in training (iris, rose). "
                "Mend the cell, or train on rows of that class.",
            )
            for part in ("test", "validation")
        ],
        (
            "train flowers.csv --test alone.csv",
            "alone.csv: there are no columns 'length', 'width', 'colour'. The columns are kind.",
        ),
        ("train iris --minutes soon", "--minutes must be a number above 0, such as 2 or 0.5, got 'soon'."),
        # Networks
        (
            'train flowers.csv --network "Dense(3) >> Softmax()"',
            "fit: the targets have 2 classes, but Dense(3) gives 3 outputs. End it with Dense(2) >> Softmax().",
        ),
        (
            'train images.npz --network "Dense(8) >> ReLU() >> Dense(2) >> Softmax()"',
            "fit: expected targets of shape (28, 4, 4, 2), as the network's outputs, or class numbers (28, 4, 4), got "
            "int32 of shape (28,). Put Flatten() before Dense(8).",
        ),
        (
            'train flowers.csv --network "Dense(4) >> Reshape((3, 3)) >> Dense(2)"',
            "Reshape((3, 3)): expected examples of 9 values, got shape (4,). They have 4 values: choose axes whose "
            "product is that.",
        ),
        # Formulas
        ('train iris --network "Dens(2)"', "--network: Unknown formula 'Dens' in \"Dens(2)\". Did you mean Dense?"),
        ('train iris --network "Dense(0)"', "--network: Dense: units must be a whole number >= 1, got 0."),
        (
            'train iris --network "Dense(2, bia=True)"',
            "--network: Dense has no field 'bia': Dense takes units, bias, kernel_initializer, bias_initializer. "
            "Did you mean bias?",
        ),
        *[
            (
                f'train iris --network "{text}"',
                f'--network: Can\'t read "{text}" as a formula: something is missing or too much. '
                "For example: Dense(64) >> ReLU().",
            )
            for text in ("Dense(2) >>", "Dense(2) => ReLU()")
        ],
        (
            'train iris --cost ""',
            "--cost: Expected one of the family Cost ({costs}), got ''.",
        ),
        (
            'train iris --cost "ReLU()"',
            "--cost: Expected one of the family Cost ({costs}), got ReLU() of the family Activation.",
        ),
        ("train iris --cost Qadratic", "--cost: Unknown formula 'Qadratic' in \"Qadratic\". Did you mean Quadratic?"),
        *[
            (
                f'train iris --optimizer "Adam({rate})"',
                f"--optimizer: Adam: learning_rate must be a number > 0 or a schedule, got {rate}. "
                "The default is 0.001.",
            )
            for rate in ("0", "-0.1")
        ],
        (
            'train iris --regularizer "L2(-1)"',
            "--regularizer: L2: strength must be a number >= 0, got -1.",
        ),
        (
            'train iris --metric "ConfusionMatrix()"',
            "--metric: ConfusionMatrix() is a table, not a figure. A run keeps it as confusion.png.",
        ),
        (
            'evaluate text.safetensors iris --metric "F2()"',
            "--metric: Unknown formula 'F2' in \"F2()\".",
        ),
        # Other options
        *[
            (f"train iris --epochs {text}", f"--epochs must be a whole number from 1 to 1000000000, got {text}.")
            for text in ("0", "-3", "abc", "1.5", "1" * 30)
        ],
        *[(f"train iris --batch-size {text}", f"{SMALL} {text}.") for text in ("0", "-4", "many", "1.5")],
        *[
            (f"train iris --devices {text}", f"{SMALL.replace('batch-size', 'devices')} {text}.")
            for text in ("0", "alll")
        ],
        (
            "train iris --hosts me",
            "--hosts must be auto, or ADDRESS:PORT,COUNT,INDEX with an index below the count, such as "
            "10.0.0.1:1234,2,0, got 'me'.",
        ),
        ("train iris --hosts auto --devices 1", "--hosts trains on all devices of all hosts. Leave --devices out."),
        ("train iris --devices 999", "--devices is 999, but JAX finds 1 here (cpu). Choose 1 at most."),
        *[
            (f"train iris --seed {text}", f"--seed must be a whole number from 0 to 4294967295, got {text}.")
            for text in ("-1", "x", "9" * 20)
        ],
        *[
            (f"train iris --{part} '{text}'", f"--{part} must be a fraction from 0 up to 1, or a file, got {text}.")
            for part in ("test", "validation")
            for text in ("2", "1", "-0.1", "nan", "")
        ],
        (
            "train iris --test 0.6 --validation 0.5",
            "Validation and test must be fractions from 0 up to 1, together below 1; got 0.5 and 0.6.",
        ),
        ("train iris --task foo", "--task must be classification or regression, got foo."),
        (
            "train iris --task regresion",
            "--task must be classification or regression, got regresion. Did you mean regression?",
        ),
        ("train iris --missing foo", "--missing must be median or drop, got foo."),
        *[(f"train iris --early-stopping {text}", f"{STOPPING} {text}.") for text in ("x", "0", "-1", "1.5")],
        (
            'train iris --early-stopping "EarlyStopping(0)"',
            "--early-stopping: EarlyStopping: patience must be a whole number >= 1, got 0. The default is 10.",
        ),
        (
            "train flowers.csv --early-stopping 2 --validation 0",
            "--early-stopping watches the validation cost: choose --validation too, such as 0.1.",
        ),
        ("train iris --out empty.csv/run", "Can't write empty.csv/run: Not a directory. Name another folder by --out."),
        # Words
        ("trian iris", f"There is no command trian. Did you mean train? They are {OPTIONS}."),
        ("frobnicate", f"There is no command frobnicate. They are {OPTIONS}."),
        ("--frob", "There is no option --frob. See: chainrule --help."),
        ("train iris --epoch 2", "There is no option --epoch. Did you mean --epochs? See: chainrule train --help."),
        ("train iris --frobnicate", "There is no option --frobnicate. See: chainrule train --help."),
        ("train", "Missing argument 'DATA'. See: chainrule train --help."),
        ("train iris wine", "Got unexpected extra argument(s) (wine). See: chainrule train --help."),
        ("evaluate", "Missing argument 'MODEL'. See: chainrule evaluate --help."),
        ("predict text.safetensors", "Missing argument 'DATA'. See: chainrule predict --help."),
        ("summary", "Missing argument 'NETWORK'. See: chainrule summary --help."),
        # Models
        *[
            (f"{command} {model} {data}", f"There is no model file {file}. Train one: chainrule train digits.")
            for command, data in (("summary", ""), ("evaluate", "iris"), ("predict", "iris"))
            for model, file in {"nothing": "nothing", "folder": "folder/model.safetensors"}.items()
        ],
        *[
            (
                f"predict {name}.safetensors iris",
                f"{name}.safetensors is no model file, or is cut short or damaged. Use an intact copy, or train again.",
            )
            for name in ("text", "other")
        ],
        # Summary and list
        (
            'summary "Dense(2)"',
            "A network in notation needs the shape of its input: --input 64 or --input 8,8,1.",
        ),
        *[
            (f'summary "Dense(2)" --input "{text}"', f"--input must be whole numbers such as 64 or 8,8,1, got {text}.")
            for text in ("a", "0", "", "8,,8", "-3", "1.5")
        ],
        ('summary "Dens(2)" --input 3', "network: Unknown formula 'Dens' in \"Dens(2)\". Did you mean Dense?"),
        (
            'summary "Reshape((2, 3))" --input 8',
            "Reshape((2, 3)): expected examples of 6 values, got shape (8,). They have 8 values: choose axes whose "
            "product is that.",
        ),
        ("list activation", f"There is no family 'activation'. Did you mean activations? {THEY_ARE}"),
        ("list foo", f"There is no family 'foo'. {THEY_ARE}"),
    ],
)
def test_one_line(run, line, message):
    said, costs = run(line), ", ".join([*[cost.__name__ for cost in family(Cost)][:12], "…"])
    assert (said.code, said.err) == (2, f"chainrule: {message.replace('{costs}', costs)}\n")
    assert "Traceback" not in said.out


@pytest.mark.parametrize(
    ("source", "beginning"),
    [
        ("nowhere/data.csv", "There is no file 'nowhere/data.csv'. Named sets are digits, iris, wine, "),
        ("folder", "'folder' is a folder"),
        ("junk.xyz", "'junk.xyz': can't read files of this kind. Give one of .csv, .tsv, .parquet, .feather"),
    ],
)
def test_sources_of_no_kind(run, source, beginning):
    said = run(f"train {source}")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"chainrule: {beginning}")


def test_an_option_without_its_value(run):
    said = run("train iris --epochs")
    assert said.code == 2
    assert said.err.startswith("chainrule: Option '--epochs' requires an argument. See: chainrule")


def test_a_line_stays_one_line(run):
    said = run('train iris --network "Dense(\n2) >> Softmx()"')
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert said.err.endswith("Did you mean Softmax?\n")


def test_a_cost_that_is_not_finite(run):
    said = run('train prices.csv --network "Dense(1)" --epochs 5 --optimizer "GradientDescent(1e30)"')
    assert (said.code, said.err) == (
        2,
        "chainrule: The validation cost became inf in epoch 1; no epoch before was sound. Lower the learning rate of "
        "GradientDescent(learning_rate=1e+30), clip the gradient (ClipNorm(1.0) >> …), or standardise the data.\n",
    )


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(run, here):
    (here / "folder").chmod(0o500)
    said = run("train iris --out folder/run")
    assert (said.code, said.err) == (
        2,
        "chainrule: Can't write folder/run: Permission denied. Name another folder by --out.\n",
    )


@pytest.mark.parametrize("line", ["chainrule --help", "chainrule train --help"])
def test_help_needs_no_jax(line):
    check = "import atexit, sys; atexit.register(lambda: print('jax' in sys.modules)); "
    check += f"sys.argv = {line.split()}; from chainrule.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


COMMANDS = [
    *("train {}", "train iris --epochs 1 --out {}", "train iris --test {}", "train iris --network {}"),
    *("evaluate {} iris", "predict {} iris", "summary {}", "show {}", "plot {}", "verify {}", "list {}", "{}"),
    *("show ELU --png {}.png", "plot ELU --out {}.png"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_names_that_nothing_can_have(run, command):
    for name in ("x" * 300, "x" * 300 + ".csv", "'a\0b.csv'", "\ud800.csv"):
        said = run(command.format(name))
        assert said.code == 2
        assert said.err.startswith("chainrule: ")
        assert said.err.count("\n") == 1
        assert len(said.err) < 1200
