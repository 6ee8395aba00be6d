"""Weights of PyTorch, of which NumPy knows all: order, names, and what is refused. Its own answers are in parity."""

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chainrule import load
from chainrule.errors import ChainruleError
from chainrule.interchange.pytorch import from_torch, to_torch

rng = np.random.default_rng(0)


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def dense(name, inputs, units):
    return {f"{name}.weight": array(units, inputs), f"{name}.bias": array(units)}


TWO = dense("0", 4, 3) | dense("2", 3, 2)
NETWORK = "Dense(3) >> ReLU() >> Dense(2)"


def kernels(model):
    return [np.asarray(p["kernel"]) for p in model.parameters if p]


def test_names_of_safetensors_are_sorted_as_people_do(tmp_path):
    weights = {name: each for place in range(12) for name, each in dense(f"{place}", 2, 2).items()}
    save_file(weights, tmp_path / "deep.safetensors")  # in which 10 stands before 2
    model = from_torch(tmp_path / "deep.safetensors", " >> ".join(["Dense(2)"] * 12), (2,))
    for place, kernel in enumerate(kernels(model)):
        np.testing.assert_array_equal(kernel.T, weights[f"{place}.weight"])


def test_the_first_layer_of_a_form_takes_the_first_module_of_that_form():
    weights = dense("out", 3, 2) | dense("a", 4, 3) | dense("b", 3, 3)
    model = from_torch(weights, "Dense(3) >> Dense(3) >> Dense(2)", (4,))
    assert model.training["modules"] == ["a", "b", "out"]


def test_names_say_what_is_taken_in_which_order():
    weights = dense("head.b", 3, 3) | dense("head.a", 3, 3) | dense("body.0", 3, 3) | dense("aside", 3, 3)
    model = from_torch(weights, "Dense(3) >> Dense(3) >> Dense(3)", (3,), names=["body", "head.a", "head"])
    assert model.training["modules"] == ["body.0", "head.a", "head.b"]


def test_rows_behind_flatten_are_permuted_only_if_a_convolution_came_before():
    direct = from_torch(dense("1", 12, 2), "Flatten() >> Dense(2)", (2, 3, 2))
    behind = {"0.weight": array(2, 2, 1, 1)} | dense("2", 12, 2)
    model = from_torch(behind, "Conv2D(2, 1, bias=False) >> Flatten() >> Dense(2)", (2, 3, 2))
    rows = kernels(model)[1].reshape(2, 3, 2, 2).transpose(2, 0, 1, 3).reshape(12, 2)
    np.testing.assert_array_equal(rows.T, behind["2.weight"])
    assert kernels(direct)[0].shape == (12, 2)


def test_a_model_goes_out_and_comes_back_to_the_bit(tmp_path):
    model = from_torch(
        {name: -np.zeros_like(each) if "bias" in name else each for name, each in TWO.items()}, NETWORK, (4,)
    )
    to_torch(model, tmp_path / "w.safetensors")
    assert load_file(tmp_path / "w.safetensors").keys() == TWO.keys()
    again = from_torch(tmp_path / "w.safetensors", NETWORK, (4,))
    again.save(tmp_path / "again.safetensors")
    model.save(tmp_path / "model.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    assert load(tmp_path / "again.safetensors").training == {"modules": ["0", "2"]}


def test_modules_without_names_of_their_own_have_their_places_as_names(tmp_path):
    model = from_torch(TWO, NETWORK, (4,))
    model.training.clear()
    to_torch(model, tmp_path / "w.safetensors")
    assert load_file(tmp_path / "w.safetensors").keys() == TWO.keys()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_numbers_of_other_types_become_float32(dtype):
    weight = array(3, 4).astype(dtype)
    [kernel] = kernels(from_torch({"weight": weight}, "Dense(3, bias=False)", (4,)))
    np.testing.assert_array_equal(kernel.T, weight.astype(np.float32))


def test_classes_and_cost_follow_the_end_of_the_network():
    model = from_torch(TWO, f"{NETWORK} >> Softmax()", (4,), regularizer="L2(0.1)")
    assert model.classes == (0, 1)
    assert repr(model.cost) == "CategoricalCrossEntropy()"
    assert model.predict(array(3, 4)).shape == (3,)
    assert from_torch(TWO, f"{NETWORK} >> Softmax()", (4,), classes=["no", "yes"]).classes == ("no", "yes")


REFUSED = [
    (
        TWO,
        "Dense(5) >> Dense(2)",
        (4,),
        {},
        "The state_dict does not fit the network (left: what it declares; right: what the file has): Dense(5) with "
        "weight (5, 4), bias (5,) | 0 with weight (3, 4), bias (3,); Dense(2) with weight (2, 5), bias (2,) | 2 with "
        "weight (2, 3), bias (2,). Write the network as the file has it, or name its modules in the network's order.",
    ),
    (TWO, f"{NETWORK} >> BatchNorm()", (4,), {}, "running_mean (2,), running_var (2,) | nothing."),
    (TWO, NETWORK, (4,), {"names": ["0"]}, "Dense(2) with weight (2, 3), bias (2,) | nothing."),
    (TWO, NETWORK, (4,), {"names": ["0", "head"]}, "The state_dict: there is no module 'head'. It has 0, 2."),
    (TWO, NETWORK, (4,), {"classes": ["a"]}, "The network has 2 outputs, and 1 classes are named. Name one for each."),
    ({}, "LayerNormLSTM(3)", (4, 2), {}, "LayerNormLSTM(3): PyTorch has no such layer. Choose layers that it has."),
    ({}, "GRU(3)", (4, 2), {}, "PyTorch's GRU resets after the product. Write GRU(3, reset_after=True)."),
    ({}, "LSTM(3, learn_start=True)", (4, 2), {}, "PyTorch has no array for the network's 0.start."),
    ({}, "WeightNorm(ConvTranspose1D(2, 2))", (4, 2), {}, "PyTorch's WeightNorm of ConvTranspose1D(2, 2) is another"),
    ({}, "SelfAttention(2, rotary=True)", (4, 4), {}, "no rotary places. Write SelfAttention(2)."),
    ({"weight": np.full((1, 4), np.nan)}, "Dense(1, bias=False)", (4,), {}, "weight holds NaN or infinity."),
    ({"weight": "x"}, "Dense(1, bias=False)", (4,), {}, "is str, and no array of numbers. Save module.state_dict()."),
]


@pytest.mark.parametrize(
    ("source", "network", "shape", "options", "expected"), REFUSED, ids=lambda case: str(case)[:30]
)
def test_what_does_not_fit_is_said(source, network, shape, options, expected):
    with pytest.raises(ChainruleError) as refused:
        from_torch(source, network, shape, **options)
    assert expected in str(refused.value)


def test_bad_files_are_refused(tmp_path):
    model = from_torch(TWO, NETWORK, (4,))
    good, bad = tmp_path / "good.safetensors", tmp_path / "bad.safetensors"
    to_torch(model, good)
    for content in (good.read_bytes()[:-5], b"\xff" * 8 + b"x" * 20, b"", b"cos\nsystem\n(S'true'\ntR."):
        bad.write_bytes(content)
        with pytest.raises(
            ChainruleError, match=r"is no file of safetensors, or is cut short or damaged\. Use an intact"
        ):
            from_torch(bad, NETWORK, (4,))
    model.save(bad)
    with pytest.raises(ChainruleError, match=r"is a model of Chainrule\. Read it by chainrule\.load\."):
        from_torch(bad, NETWORK, (4,))
    with pytest.raises(ChainruleError, match=r"There is no file .*none\.pt\. Name one of weights"):
        from_torch(tmp_path / "none.pt", NETWORK, (4,))
    with pytest.raises(ChainruleError, match=r"Expected a file of PyTorch's weights, \.safetensors, \.pt, \.pth, got"):
        to_torch(model, tmp_path / "model.bin")
    assert not (tmp_path / "model.bin").exists()
