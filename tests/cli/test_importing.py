"""`chainrule import`, and the files of `chainrule export` that it takes."""

import numpy as np
import pytest
from safetensors.numpy import save_file

OPTIONS = '--network "Dense(3) >> Softmax()" --input-shape 2'
ROWS = "--classes a,b,c --columns u,v --target kind --mean 1,2 --scale 0.5"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file({"fc.weight": np.eye(3, 2, dtype=np.float32), "fc.bias": np.zeros(3, np.float32)}, "peer.safetensors")
    (tmp_path / "rows.csv").write_text("u,v,kind\n2,2,a\n1,3,b\n0,0,c\n")


def test_what_is_imported_predicts_is_measured_and_goes_out_again(run, weights):
    said = run(f"import peer.safetensors {OPTIONS} {ROWS}")
    assert said.code == 0
    assert said.out.endswith("The model of peer.safetensors is in runs/peer.\n")
    assert run("predict runs/peer rows.csv").out == "kind\na\nb\nc\n"
    assert "1.0000" in run("evaluate runs/peer rows.csv").out
    said = run("export runs/peer model.keras")
    assert (said.code, said.out) == (0, "A model that takes prepared arrays in model.keras.\n")
    assert run(f"import model.keras {ROWS} --out runs/peer --overwrite").code == 0
    assert run("predict runs/peer rows.csv").out == "kind\na\nb\nc\n"
    said = run("export runs/peer again.safetensors")
    assert said.out == "The weights of a model that takes prepared arrays in again.safetensors.\n"
    assert run(f"import again.safetensors {OPTIONS} --names dense").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("peer.safetensors", "peer.safetensors holds weights alone. Give --network and --input-shape too."),
        (f"peer.safetensors {OPTIONS} --columns u", "--columns must name 2 columns, one for each feature, got 1."),
        (f"peer.safetensors {OPTIONS} --scale 0", "--scale must be one number or 2, above 0, got [0.0]."),
        (f"peer.safetensors {OPTIONS} --mean x", "--mean must be numbers such as 0.5 or 124,116,104, got x."),
        (
            "peer.txt",
            "Expected the name of a file that ends in .safetensors, .pt, .pth, .keras, .weights.h5 or .onnx",
        ),
        ("none.keras", "There is no file none.keras. Name one of Keras': .keras or .weights.h5."),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, weights, words, said):
    found = run(f"import {words}")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"chainrule: {said}")
    assert found.err.count("\n") == 1
