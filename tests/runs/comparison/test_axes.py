"""What varies: how axes are said, what candidates have of them, and what is refused."""

import re

import pytest

from chainrule import parse
from chainrule.errors import ChainruleError
from chainrule.runs import plan
from chainrule.runs.comparison.axes import axes_of, candidates, changed, parts

BLOCKS = "Identity() + (Dense(4) >> Tanh()) >> (Dense(4) * Sigmoid()) >> Repeat(Dense(4) >> ELU(), 2) >> Dense(3)"


@pytest.fixture(scope="module")
def flower():
    network = "Dense(8) >> ReLU() >> Dropout(0.2) >> Dense(4) >> LeakyReLU() >> Dropout(0.1) >> Dense(3) >> Softmax()"
    return plan("iris", network=network, optimizer="ClipNorm(1.0) >> Nesterov()", regularizer="L2(0.1)")


def test_values_are_read_as_what_they_stand_for_and_written_alike():
    said = {
        "network": ["Dense(3)", parse("Dense(4)")],
        "regularizer": ["None", "L2(1e-3)"],
        "early_stopping": "never,5",
        "batch_size": "32, all",
        "optimizer.learning_rate": "1e-3,CosineDecay(0.1)",
        "network.layers.0.padding": "same,'valid'",
    }
    assert {axis: [*values] for axis, values in axes_of(said).items()} == {
        "network": ["Dense(3)", "Dense(4)"],
        "regularizer": ["None", "L2(0.001)"],
        "early_stopping": ["never", "EarlyStopping(patience=5)"],
        "batch_size": ["32", "all"],
        "optimizer.learning_rate": ["0.001", "CosineDecay(0.1)"],
        "network.layers.0.padding": ["same", "valid"],
    }


def test_candidates_are_all_combinations():
    axes = axes_of({"activation": ["ReLU", "ELU"], "epochs": "1,2"})
    assert [[*candidate.values()] for candidate in candidates(axes)] == [
        ["ReLU()", "1"], ["ReLU()", "2"], ["ELU(alpha=1.0)", "1"], ["ELU(alpha=1.0)", "2"]
    ]  # fmt: skip


def test_commas_within_brackets_and_texts_do_not_part():
    assert parts("L2(0.1),ElasticNet(0.1, 0.5), [1,2],'a,b'") == ["L2(0.1)", "ElasticNet(0.1, 0.5)", "[1,2]", "'a,b'"]


@pytest.mark.parametrize(
    ("axis", "value", "attribute", "expected"),
    [
        ("activation", "ELU(0.5)", "network",
         "Dense(8) >> ELU(0.5) >> Dropout(0.2) >> Dense(4) >> ELU(0.5) >> Dropout(0.1) >> Dense(3) >> Softmax()"),
        ("dropout", "0.5", "network",
         "Dense(8) >> ReLU() >> Dropout(0.5) >> Dense(4) >> LeakyReLU() >> Dropout(0.5) >> Dense(3) >> Softmax()"),
        ("network.layers.2.rate", "0.5", "network",
         "Dense(8) >> ReLU() >> Dropout(0.5) >> Dense(4) >> LeakyReLU() >> Dropout(0.1) >> Dense(3) >> Softmax()"),
        ("learning_rate", "0.5", "optimizer", "ClipNorm(1.0) >> Nesterov(0.5)"),
        ("optimizer.*.momentum", "0.5", "optimizer", "ClipNorm(1.0) >> Nesterov(momentum=0.5)"),
        ("regularizer.strength", "1", "regularizer", "L2(1.0)"),
    ],
)  # fmt: skip
def test_what_a_candidate_has_takes_its_place(flower, axis, value, attribute, expected):
    axes = axes_of({axis: [value]})
    [candidate] = candidates(axes)
    assert getattr(changed(flower, axes, candidate), attribute) == parse(expected)


def test_initializers_are_those_of_all_kernels(flower):
    axes = axes_of({"initializer": ["HeNormal"]})
    network = changed(flower, axes, {"initializer": "HeNormal()"}).network
    assert [network.layers[place].kernel_initializer for place in (0, 3, 6)] == [parse("HeNormal()")] * 3


def test_activations_within_blocks_are_replaced_and_gates_stay():
    axes = axes_of({"activation": ["ReLU"]})
    found = changed(plan("iris", network=f"{BLOCKS} >> Softmax()"), axes, {"activation": "ReLU()"}).network
    expected = BLOCKS.replace("Tanh", "ReLU").replace("ELU", "ReLU").replace("ReReLU", "ReLU")
    assert found == parse(f"{expected} >> Softmax()")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"activaton": ["ReLU"]}, "activaton can't vary. Did you mean activation?"),
        ({"optimizer.": ["1"]}, "optimizer. can't vary."),
        ({"seed": "1,2"}, "seed can't vary."),
        ({"activation": ["Relu"]}, "activation=Relu: Unknown formula 'Relu' in \"Relu\". Did you mean ReLU?"),
        ({"activation": ["Adam"]}, "activation=Adam: Expected one of the family Activation"),
        ({"learning_rate": "1e-3,0.001"}, "learning_rate: 0.001 is given twice. Give each once."),
        (
            {"optimizer": ["Adam([1, 2])"]},
            "optimizer=Adam([1, 2]): Adam(learning_rate=[1.0, 2.0])",
        ),
        ({"epochs": []}, "epochs: expected values to compare, got none. Give one at least."),
    ],
)
def test_what_is_no_axis_or_no_value_of_it_is_refused(said, problem):
    with pytest.raises(ChainruleError, match=re.escape(problem)):
        axes_of(said)


@pytest.mark.parametrize(
    ("axis", "value", "problem"),
    [
        ("optimizer.learning_rate", "1", "optimizer.learning_rate=1: optimizer.learning_rate is no parameter: Clip"),
        ("dropout", "2", "dropout=2: Dropout: rate must be a number >= 0 and < 1, got 2"),
        ("cost.beta", "2", "cost.beta=2: cost.beta is no parameter: CategoricalCrossEntropy() has the fields"),
        ("network.*.padding", "same", "network.*.padding=same: network.*.padding is no parameter:"),
        (
            "early_stopping.patience",
            "2",
            "early_stopping.patience=2: There is no early stopping to change.",
        ),
    ],
)
def test_a_field_that_is_not_there_or_refuses_a_value_is_named_with_it(flower, axis, value, problem):
    axes = axes_of({axis: [value]})
    without = changed(flower, {}, {}) if "early" not in axis else plan("iris", epochs=1)
    with pytest.raises(ChainruleError, match=re.escape(problem)):
        changed(without, axes, *candidates(axes))


def test_a_network_without_hidden_activation_is_refused():
    axes = axes_of({"activation": ["ReLU"]})
    with pytest.raises(ChainruleError, match=r"activation=ReLU\(\): .* has no activation between its layers."):
        changed(plan("iris", network="Dense(3) >> Softmax()"), axes, {"activation": "ReLU()"})
