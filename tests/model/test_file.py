import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes

from chainrule.activations import ELU, Softmax
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain
from chainrule.layers import Dense
from chainrule.model import Model, load
from chainrule.model.container import digest
from chainrule.training import fit

RUN = """
import numpy as np
from chainrule.training import fit
x = np.random.default_rng(0).normal(size=(20, 2))
y = np.array(["no", "yes"])[(x[:, 0] > 0).astype(int)]
model = fit(
    "Dense(3) >> PReLU() >> Dense(2) >> Softmax()", x, y, optimizer="ClipNorm(1.0) >> Momentum(CosineDecay(0.1))",
    regularizer="L1(0.001) + L2(0.01)", epochs=2, batch_size=7, validation=0.2, early_stopping=1,
    metrics=["Accuracy()", "F1()"], progress=False,
)
"""


def run() -> tuple[Model, np.ndarray]:
    names = {}
    exec(RUN, names)
    return names["model"], names["x"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model, its file, its examples."""
    model, x = run()
    file = tmp_path_factory.mktemp("run") / "model.safetensors"
    model.save(file)
    return model, file, x


@pytest.fixture(scope="module")
def content(saved) -> bytes:
    return saved[1].read_bytes()


def refused(text: str, path) -> None:
    with pytest.raises(ChainruleError, match=f"^{text}$"):
        load(path)


def test_everything_comes_back(saved):
    model, file, x = saved
    back = load(file)
    np.testing.assert_array_equal(back(x), model(x))
    np.testing.assert_array_equal(back.predict(x), model.predict(x))
    assert back.predict(x).dtype == model.predict(x).dtype
    for name in ("network", "input_shape", "cost", "regularizer", "classes", "preprocessor", "history", "training"):
        assert getattr(back, name) == getattr(model, name), name
    assert jax.tree.structure(back.parameters) == jax.tree.structure(model.parameters)
    for one, other in zip(jax.tree.leaves(back.parameters), jax.tree.leaves(model.parameters), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_a_model_that_came_from_another_process_saves_the_same_bytes(saved, content, tmp_path):
    """With NumPy's arrays where nothing computes: types that were pickled are equal to NumPy's own, but others."""
    arrays = pickle.loads(pickle.dumps(jax.tree.map(np.asarray, saved[0].parameters)))
    replace(saved[0], parameters=arrays).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def test_a_model_that_was_loaded_saves_the_same_bytes(saved, content, tmp_path):
    load(saved[1]).save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def test_the_folder_of_a_run_stands_for_its_model(saved):
    model, file, _ = saved
    assert load(file.parent).history == load(str(file)).history == model.history


def test_a_regression_comes_back(tmp_path):
    x = np.linspace(-1, 1, 10)[:, None]
    model = fit("Dense(1)", x, x, epochs=1, batch_size="all", progress=False)
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.classes is back.regularizer is None
    np.testing.assert_array_equal(back.predict(x), model.predict(x))


def test_another_library_reads_the_parameters(saved):
    from safetensors.numpy import load_file

    arrays = load_file(saved[1])
    assert {name: array.shape for name, array in arrays.items()} == {
        "parameters.0.bias": (3,),
        "parameters.0.kernel": (2, 3),
        "parameters.1.slope": (3,),
        "parameters.2.bias": (2,),
        "parameters.2.kernel": (3, 2),
    }


def test_compositions_come_back_with_their_arrays_named_by_their_places(tmp_path):
    from safetensors.numpy import load_file

    network = (
        "Dense(4) * (Dense(4) >> Sigmoid()) >> Repeat(Identity() + Dense(4), 3) >> (Identity() | Dense(1)) >> Dense(1)"
    )
    x = np.random.default_rng(0).normal(size=(10, 2))
    model = fit(network, x, x[:, 0], epochs=1, batch_size="all", progress=False)
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert repr(back.network) == network
    np.testing.assert_array_equal(back.predict(x), model.predict(x))
    assert {name: array.shape for name, array in load_file(tmp_path / "model").items() if "kernel" in name} == {
        "parameters.0.0.kernel": (2, 4),
        "parameters.0.1.0.kernel": (2, 4),
        "parameters.1.1.kernel": (3, 4, 4),
        "parameters.2.1.kernel": (4, 1),
        "parameters.3.kernel": (5, 1),
    }


@pytest.mark.slow
def test_equal_runs_give_equal_bytes(content, tmp_path):
    runs = {}
    for seed in ("0", "1"):
        command = [sys.executable, "-c", RUN + f"model.save({str(tmp_path / seed)!r})"]
        runs[seed] = subprocess.Popen(command, env=os.environ | {"PYTHONHASHSEED": seed})
    for seed, run in runs.items():
        assert run.wait() == 0
        assert (tmp_path / seed).read_bytes() == content


@settings(max_examples=60)
@given(data=st.data())
def test_a_file_cut_short_is_refused(content, tmp_path_factory, data):
    length = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path_factory.mktemp("cut") / "model"
    path.write_bytes(content[:length])
    refused(rf"{path} (is cut short, or )?is no model file.* Use an intact copy, or train again\.", path)


def test_a_file_with_something_behind_it_is_refused(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content + b"\0")
    refused(rf"{path} is .*\. Use an intact copy, or train again\.", path)


def test_a_changed_byte_anywhere_is_refused(content, tmp_path):
    path = tmp_path / "model"
    random = np.random.default_rng(0)
    places = {*range(16), *random.integers(0, len(content), 100).tolist(), *range(len(content) - 8, len(content))}
    for place in places:
        for flip in (1 << int(random.integers(8)), 0xFF):
            path.write_bytes(content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :])
            with pytest.raises(ChainruleError, match=f"^{path} "):
                load(path)


def test_altered_numbers_are_named_as_such(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refused(rf"{path} was altered after it was saved: its digest does not match\. Use an intact copy\.", path)


def test_a_later_version(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content.replace(rb"\"format\": 3", rb"\"format\": 4"))
    refused(rf"{path} was written by a later version of Chainrule\. Update: pip install -U chainrule\.", path)


def rewritten(content: bytes, **changes) -> bytes:
    """A model's file with another description, digest and all."""
    from safetensors.numpy import load as arrays_of

    length, arrays = int.from_bytes(content[:8], "little"), arrays_of(content)
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["chainrule"]) | changes
    del about["digest"]
    return to_bytes(arrays, {"chainrule": json.dumps(about | {"digest": digest(about, arrays)})})


EARLIER = Path(__file__).parent / "earlier"  # files that versions of earlier formats wrote, and what they answered


@pytest.mark.parametrize("kind", ["classes", "two_targets", "values", "words"])
def test_what_an_earlier_version_wrote_answers_the_same(kind):
    said = json.loads((EARLIER / "answers.json").read_text())[kind]
    np.testing.assert_allclose(load(EARLIER / f"{kind}.safetensors")(said["rows"]), said["answers"], rtol=1e-6)


def test_what_no_version_wrote_is_named_by_its_version(content, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(rewritten(content, format=1, preprocessor='{"schema": {"target": "kind"}}'))
    refused(rf"{path} was written by an earlier version of Chainrule\. Train it again\.", path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"width,height\n1,2\n" * 100, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(100), b"\xff" * 100],
    ids=["empty", "short", "text", "picture", "zeros", "ones"],
)
def test_other_files(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    refused(rf"{path} is (cut short, or is )?no model file.*\. Use an intact copy, or train again\.", path)


@pytest.mark.parametrize(
    "header", [None, {"format": "pt"}, {"chainrule": "?"}, {"chainrule": "[]"}, {"chainrule": "1"}]
)
def test_safetensors_of_others(tmp_path, header):
    path = tmp_path / "other"
    path.write_bytes(to_bytes({"w": np.zeros(3, np.float32)}, header))
    refused(rf"{path} is no model file of Chainrule: its header has no description\.", path)


def test_a_missing_file(tmp_path):
    for path, file in [(tmp_path / "none", tmp_path / "none"), (tmp_path, tmp_path / "model.safetensors")]:
        refused(rf"There is no model file {file}\. Train one: chainrule train digits\.", path)


def test_what_is_no_path():
    for path in (None, 3):
        with pytest.raises(ChainruleError, match=f"^Expected the path of a file, got {path}[.]$"):
            load(path)


def test_a_full_disk_leaves_the_old_model(saved, tmp_path, monkeypatch):
    model, file, _ = saved
    path = tmp_path / "model"
    path.write_bytes(file.read_bytes())

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    expected = f"Can't write {path}: No space left on device. The old file is unchanged."
    with pytest.raises(ChainruleError, match=f"^{re.escape(expected)}$"):
        model.save(path)
    assert os.listdir(tmp_path) == ["model"]
    assert load(path).history == model.history


def test_the_description_is_plain_json(content):
    length = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["chainrule"])
    assert about["network"] == "Dense(3) >> PReLU(initial=0.25) >> Dense(2) >> Softmax()"
    assert about["regularizer"] == "L1(0.001) + L2(0.01)"
    assert about["classes"] == ["no", "yes"]
    assert about["training"] == {
        "optimizer": "ClipNorm(max_norm=1.0) >> Momentum(learning_rate=CosineDecay(0.1))",
        "epochs": 2,
        "batch_size": 7,
        "early_stopping": "EarlyStopping(patience=1)",
        "metrics": ["Accuracy()", "F1(average='macro')"],
        "seed": 0,
    }


NETWORK = Dense(3) >> ELU() >> Dense(2) >> Softmax()
NUMBERS = [
    jnp.float32(0.3),
    np.float32(0.3),
    np.array(0.3),
    jnp.array(0.3, jnp.bfloat16),
    np.float64(0.3),
    1,
    np.int8(1),
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"{type(number).__name__} {number}")
def test_any_number_in_a_formula_comes_back(saved, tmp_path, number):
    model = replace(saved[0], network=Dense(3) >> ELU(number) >> Dense(2) >> Softmax(), parameters=PLAIN)
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    assert back.network == model.network
    np.testing.assert_array_equal(back(saved[2]), model(saved[2]))


def test_parameters_are_on_the_device_once_loaded(saved):
    model = load(saved[1])
    assert all(isinstance(array, jax.Array) for array in jax.tree.leaves((model.parameters, model.state)))


PLAIN = (
    {"kernel": np.ones((2, 3), np.float32), "bias": np.ones(3, np.float32)},
    {},
    {"kernel": np.ones((3, 2), np.float32), "bias": np.ones(2, np.float32)},
    {},
)
POPULATION = Dense(3) >> ELU(jnp.array([0.5, 1.0])) >> Dense(2) >> Softmax()  # type: ignore[arg-type]
SPOILT = ({"kernel": np.full((2, 3), np.nan, np.float32), "bias": np.ones(3, np.float32)}, *PLAIN[1:])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": POPULATION, "parameters": PLAIN},
         "Dense(3) >> ELU(alpha=[0.5, 1.0]) >> Dense(2) >> Softmax(): layers[1].alpha holds "
         "2 numbers, of a population. Take one formula out of it: jax.tree.map(lambda numbers: numbers[0], formula)."),
        ({"parameters": SPOILT}, "expected finite numbers in parameters.0.kernel, got NaN or infinity."),
        ({"parameters": jax.tree.map(np.float64, PLAIN)}, "expected parameters.0.bias in float32, got float64."),
        ({"parameters": PLAIN[:2]}, "expected an array parameters.2.bias of shape (2,), which the network declares."),
        ({"input_shape": (2, 0)}, "expected an input_shape of sizes of 1 or more."),
        ({"classes": ("a",)}, "expected two distinct classes or more."),
        ({"classes": ("a", "b", "c")}, "expected 2 classes, one an output."),
        ({"classes": (1j, 2)}, "expected numbers and texts to describe it, got something else: "
         "'complex' object has no attribute 'item'."),
        ({"training": {"optimizer": [[1]]}}, "training.optimizer[0]: expected true or false or a whole number or "
         "a number or a text or null, got a list of 1."),
        ({"network": Chain((Dense(3),) * 3_000)}, "A formula's notation is at most 20000 characters long, got 35996."),
    ],
    ids=["population", "not finite", "wide", "missing", "empty", "one class", "classes", "complex", "nested", "long"],
)  # fmt: skip
def test_what_could_not_be_read_back_is_not_written(saved, tmp_path, changes, reason):
    model = replace(saved[0], **({"network": NETWORK, "parameters": PLAIN} | changes))
    with pytest.raises(ChainruleError) as caught:
        model.save(tmp_path / "model")
    assert str(caught.value) == f"The model can't be saved: {reason}"
    assert not os.listdir(tmp_path)
