"""`chainrule export`."""

import jax
import numpy as np
import pytest

from chainrule.costs import Quadratic
from chainrule.data.preprocessing import Preprocessor
from chainrule.formula.network import is_parameter
from chainrule.model import Model
from chainrule.notation import as_chain


def test_what_is_exported_predicts_and_is_summarised_like_the_run(run, trained):
    said = run("export run flowers.onnx")
    assert (said.code, said.out, said.err) == (0, "A model that takes raw rows in flowers.onnx.\n", "")
    assert run("export run arrays.onnx --arrays").out == "A model that takes arrays in arrays.onnx.\n"
    for command in ("predict {} flowers.csv --probabilities", "summary {}", "export {} again.onnx"):
        whole, *others = (run(command.format(model)) for model in ("run", "flowers.onnx", "arrays.onnx"))
        assert whole.code == 0
        assert [other.out for other in others] == [whole.out, whole.out]


def test_what_inputs_are_given_as_is_noted_where_it_is_not_plain(run, here):
    columns = {"day": [f"2024-01-{day}" for day in (10, 20, 30)], "text": ["a b", "b c", "a"]}
    notes = {
        "day": "note: day: times are given as seconds since 1970, in UTC.\n",
        "text": "note: texts are taken apart by ONNX Runtime's own operator Tokenizer, which other runtimes lack.\n",
    }
    for name, network in (("day", "Dense(1)"), ("text", "Embedding(5, 1) >> Flatten() >> Dense(1)")):
        words = {"words": ["text"]} if name == "text" else {}
        preprocessor = Preprocessor.fit({name: columns[name], "y": [0.5, 1.5, 2.5]}, **words)
        network, shape = as_chain(network), preprocessor.input_shape
        parameters = jax.tree.map(
            lambda p: np.ones(p.shape, np.float32), network.parameters(shape), is_leaf=is_parameter
        )
        model = Model(network, parameters, network.state(shape), shape, Quadratic(), preprocessor=preprocessor)
        model.save(f"{name}.safetensors")
        assert run(f"export {name}.safetensors {name}.onnx").err == notes[name]
        assert run(f"export {name}.safetensors {name}.onnx --arrays").err == ""


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
