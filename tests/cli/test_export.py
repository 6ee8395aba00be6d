"""`chainrule export`."""

import pytest


def test_what_is_exported_predicts_and_is_summarised_like_the_run(run, trained):
    said = run("export run flowers.onnx")
    assert (said.code, said.out, said.err) == (0, "A model that takes raw rows in flowers.onnx.\n", "")
    assert run("export run arrays.onnx --arrays").out == "A model that takes arrays in arrays.onnx.\n"
    for command in ("predict {} flowers.csv --probabilities", "summary {}", "export {} again.onnx"):
        whole, *others = (run(command.format(model)) for model in ("run", "flowers.onnx", "arrays.onnx"))
        assert whole.code == 0
        assert [other.out for other in others] == [whole.out, whole.out]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "run model.txt",
            "Expected the name of a file that ends in .onnx, .safetensors, .pt, .pth, .keras or .weights.h5, "
            "got 'model.txt'.",
        ),
        ("run none/m.onnx", "Can't write none/m.onnx: No such file or directory. Nothing was written."),
        ("none m.onnx", "There is no model file none. Train one: chainrule train digits."),
        (
            "flowers.csv m.onnx",
            "flowers.csv is no model file, or is cut short or damaged. Use an intact copy, or train ",
        ),
        (
            "run run/model.safetensors",
            "Can't write run/model.safetensors: It is read, too. The old file is unchanged.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, trained, words, said):
    found = run(f"export {words}")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"chainrule: {said}")
    assert found.err.count("\n") == 1
