import json

from chainrule import load
from chainrule.runs import train

TABLE = {"width": [0.5, 1.5, 2.5, 3.5] * 10, "colour\n": ["red", "blue"] * 20, "kind": ["`a`", "ä"] * 20}


def test_a_folder_is_a_model_repository_of_hugging_face(here):
    run = train(TABLE, target="kind", network="Dense(2) >> Softmax()", epochs=1, out="run", progress=False)
    front, _, body = (run.folder / "README.md").read_text().removeprefix("---\n").partition("---\n")
    said = {name: json.loads(value) for name, _, value in (line.partition(": ") for line in front.splitlines())}
    assert said["library_name"] == "chainrule"
    assert said["pipeline_tag"] == "tabular-classification"
    assert said["metrics"] == ["accuracy"]
    [result] = said["model-index"][0]["results"]
    accuracy = run.figures["test"]["accuracy"]
    assert result["metrics"] == [{"type": "accuracy", "name": "accuracy (test)", "value": accuracy}]
    assert "`width`, `colour\\n`" in body
    assert "28 rows for train, 4 rows for validation, 8 rows for test" in body
    assert "| test | " in body
    assert "Dense(2) >> Softmax()" in body
    said = json.loads((run.folder / "config.json").read_text())
    assert said["network"] == "Dense(2) >> Softmax()"
    assert said["classes"] == ["`a`", "ä"]
    assert said["inputs"] == ["width", "colour\n"]

    snapshot = here / "snapshot"
    snapshot.mkdir()
    for name in ("model.safetensors", "config.json", "README.md"):
        (snapshot / name).symlink_to(here / "run" / name)
    (snapshot / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    assert repr(load(snapshot)) == repr(run.model)
