import re

import numpy as np
import pytest
from scipy import sparse

from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.errors import ChainruleError
from chainrule.model.examples import inputs
from chainrule.model.targets import targets
from chainrule.notation import as_chain

SOFTMAX, SIGMOID, LINEAR = "Dense(3) >> Softmax()", "Dense(1) >> Sigmoid()", "Dense(1)"
COSTS = {SOFTMAX: CategoricalCrossEntropy(), SIGMOID: CrossEntropy(), LINEAR: Quadratic()}
NUMBERS = [2, 0, 1, 0]


def prepared(network: str, y, classes=None, cost=None, rows=4, shape=(5,)):
    chain = as_chain(network)
    return targets(y, rows, chain, chain.output_shape(shape), cost or COSTS.get(network, Quadratic()), classes)


def refused(text: str, *arguments, **options) -> None:
    with pytest.raises(ChainruleError, match=f"^{re.escape(text)}$"):
        prepared(*arguments, **options)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (["c", "a", "b", "a"], ("a", "b", "c")),
        (np.array(["c", "a", "b", "a"], object), ("a", "b", "c")),
        (np.array([b"c", b"a", b"b", b"a"]), ("a", "b", "c")),
        (NUMBERS, (0, 1, 2)),
        (np.array(NUMBERS, np.uint8), (0, 1, 2)),
    ],
    ids=["text", "objects", "bytes", "numbers", "small numbers"],
)
def test_classes_become_numbers(y, classes):
    E, found = prepared(SOFTMAX, y)
    assert (E.dtype, E.tolist(), found) == (np.int32, NUMBERS, classes)
    assert [type(name) for name in found] == [type(name) for name in classes]


@pytest.mark.parametrize(
    ("y", "classes"), [([1, 0, 1, 1], (0, 1)), ([True, False, True, True], (False, True)), (list("yxyy"), ("x", "y"))]
)
def test_two_classes_for_one_output(y, classes):
    E, found = prepared(SIGMOID, y)
    assert (E.dtype, E.tolist(), found) == (np.int32, [1, 0, 1, 1], classes)


def test_named_classes_keep_their_names_and_their_order():
    names = ("c", "a", "b")
    for y in (["b", "c", "a", "c"], NUMBERS):
        E, found = prepared(SOFTMAX, y, classes=names)
        assert (E.tolist(), found) == (NUMBERS, names)
    E, found = prepared(SOFTMAX, np.eye(3)[NUMBERS], classes=names)
    assert (E.argmax(axis=1).tolist(), found) == (NUMBERS, names)
    assert prepared(SIGMOID, ["n", "y", "y", "n"], cost=Quadratic())[1] == ("n", "y")


def test_one_hot_and_soft_targets_are_values():
    soft = np.full((4, 3), 1 / 3)
    for y in (np.eye(3, dtype=int)[NUMBERS], soft):
        E, classes = prepared(SOFTMAX, y)
        assert (E.dtype, classes) == (np.float32, (0, 1, 2))
        np.testing.assert_array_equal(E, y.astype(np.float32))


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("kind", [float, int])
def test_values_take_the_outputs_shape(shape, kind):
    E, classes = prepared(LINEAR, np.arange(4).reshape(shape).astype(kind))
    assert (E.dtype, E.shape, E.ravel().tolist(), classes) == (np.float32, (4, 1), [0, 1, 2, 3], None)


def test_several_values():
    y = np.arange(12.0).reshape(4, 3)
    E, classes = prepared("Dense(3)", y)
    np.testing.assert_array_equal(E, y)
    assert classes is None


def test_several_labels_at_once():
    E, classes = prepared("Dense(3) >> Sigmoid()", [[1, 0, 1]] * 4, cost=CrossEntropy())
    assert (E.dtype, E.shape, classes) == (np.float32, (4, 3), None)


def test_a_class_for_each_place_of_a_sequence():
    E, classes = prepared(SOFTMAX, [[0, 1], [2, 0], [1, 1], [0, 0]], shape=(2, 5))
    assert (E.dtype, E.shape, classes) == (np.int32, (4, 2), (0, 1, 2))


def test_another_number_of_rows():
    refused("fit: expected 4 targets, one for each example, got shape (3,).", SOFTMAX, [0, 1, 2])
    refused("fit: expected 4 targets, one for each example, got shape ().", SOFTMAX, 1)
    refused("fit: expected at least one example, got none.", SOFTMAX, [], rows=0)


def test_another_number_of_classes():
    text = "fit: the targets have {} classes, but {} gives {} outputs. End it with Dense({}) >> Softmax()."
    refused(text.format(4, "Dense(3)", 3, 4), SOFTMAX, [0, 1, 2, 3])
    refused(text.format(4, "Dense(3)", 3, 4), SOFTMAX, list("abcd"))
    refused(text.format(2, "Dense(3)", 3, 2), SOFTMAX, list("abab"))
    refused(text.format(2, "Dense(3)", 3, 2), SOFTMAX, np.eye(3)[[0, 1, 0, 1]], classes=("a", "b"))
    refused(text.format(3, "Dense(1)", 1, 3), SIGMOID, NUMBERS)
    refused(text.format(3, "Dense(1)", 1, 3), LINEAR, list("abca"))
    refused(text.format(6, "Dense(5)", 5, 6), "Dense(5) >> ReLU() >> Softmax()", [0, 1, 5, 2], cost=COSTS[SOFTMAX])


@pytest.mark.parametrize("y", [NUMBERS, np.eye(3)[NUMBERS]], ids=["numbers", "one-hot"])
def test_a_class_without_a_name(y):
    text = "fit: y has the class number 2, but the classes are ('a', 'b'). Name them all."
    refused(text, SOFTMAX, y, classes=("a", "b"))


def test_negative_classes():
    refused("fit: expected class numbers 0, 1, …, got -1. Count classes from 0.", SOFTMAX, [0, -1, 1, 2])


def test_a_class_never_seen():
    refused(
        "fit: the class 'z' is not one of the training part's: ('a', 'b', 'c').",
        SOFTMAX,
        ["a", "z", "b", "c"],
        classes=("a", "b", "c"),
    )


@pytest.mark.parametrize(("blank", "shown"), [(None, "None"), (float("nan"), "nan")])
def test_a_blank_among_names(blank, shown):
    y = np.array(["a", "b", blank, "c"], object)
    refused(f"fit: y[2] is {shown}, expected a class. Fill the gap or leave the row out.", SOFTMAX, y)


def test_a_class_may_be_called_none():
    assert prepared(SOFTMAX, np.array(["None", "nan", "a", "a"], object))[1] == ("None", "a", "nan")


def test_values_that_are_not_finite():
    text = "fit: y[{}] is {}, expected finite numbers. Fill the gap or leave the row out."
    refused(text.format("2", "nan"), LINEAR, [0.0, 1.0, np.nan, np.nan])
    refused(text.format("3, 1", "-inf"), "Dense(2)", [[0, 1], [2, 3], [4, 5], [6, -np.inf]])


def test_values_of_another_shape():
    refused(
        "fit: expected targets of shape (4, 2), as the network's outputs, or class numbers (4,), got float64 of shape "
        "(4, 3). Change the last layer, Dense(2).",
        "Dense(2)",
        np.ones((4, 3)),
    )


@pytest.mark.parametrize(
    ("y", "shown"),
    [
        ([5, 7, 9, 5], "5, 7, 9"),
        ([1, 2, 3, 1], "1, 2, 3"),
        ([2**53, 2**53 + 1, 2**53 + 3, 2**53], "9007199254740992, 9007199254740993, 9007199254740995"),
    ],
)
def test_class_numbers_that_do_not_count_from_0(y, shown):
    text = (
        f"fit: y has the class numbers {shown}, but class numbers are 0, 1, …, one for each of 3 outputs of Dense(3). "
        f"Number the 3 classes from 0 to 2, or give their names: y.astype(str)."
    )
    refused(text, SOFTMAX, y)
    assert prepared(SOFTMAX, np.array(y).astype(str))[1] == tuple(sorted(set(map(str, y))))


LARGE = np.array([2**53, 2**53 + 1, 2**53 + 3, 0])
ROUNDED = "which float64 rounds. Round the numbers, or, if they are names, encode them as categories."


def test_whole_numbers_that_float64_rounds():
    refused(f"fit: y[1] is 9007199254740993, {ROUNDED}", LINEAR, LARGE)
    for x in (LARGE[:, None], LARGE[:, None].tolist(), LARGE[:, None].astype(np.uint64)):
        with pytest.raises(ChainruleError, match=re.escape(f"fit: x[1, 0] is 9007199254740993, {ROUNDED}")):
            inputs(x)
    with pytest.raises(ChainruleError, match=re.escape(f"fit: x.data[1] is 9007199254740993, {ROUNDED}")):
        inputs(sparse.csr_array(LARGE[:, None]))
    held = np.array([[2**53], [2**62], [-(2**60)], [2**24 + 1]])
    for x in (held, held.astype(np.float32), held.tolist()):
        np.testing.assert_array_equal(inputs(x), held.astype(np.float32))
