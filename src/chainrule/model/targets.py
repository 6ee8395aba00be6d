"""What users give as targets, checked: class numbers or values as the cost wants them, of steps too, and weights."""

from typing import Any

import numpy as np

from chainrule.arrays.dtypes import first_wrong
from chainrule.arrays.masked import Masked, Shape, over, parts, rows_of, shape_of, step_weights
from chainrule.costs import Cost
from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import Table
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Chain
from chainrule.formula.network import deciding
from chainrule.model.examples import check_exact, check_finite, check_real, is_ragged, live_steps, longer, side_by_side

Classes = tuple[Any, ...] | None

BLANKS = ("None", "nan", "NaT", "<NA>")  # how values that are missing print


def as_targets(y: Any, who: str = "fit") -> Any:
    """Targets of any kind as an array, those of sequences of unequal length as a `Masked`.

    Where that is padding, it has another step's target, so that it is one.

    Raises:
        ChainruleError: where they are no targets.
    """
    if is_ragged(y):
        y = side_by_side([as_targets(row, f"{who}: y[{index}]") for index, row in enumerate(y)], who)
    if isinstance(y, Masked):
        values, mask = as_targets(y.checked().values, who), live_steps(y, who)
        return Masked(np.where(over(mask, values.ndim), values, values[_first(mask, who)]), mask)
    try:
        y = np.asarray(y)
    except ValueError:
        raise ChainruleError(f"{who}: expected targets of one shape, got rows of unequal length.") from None
    check_real(y, who, "y")
    if y.dtype.kind in "Mm" or y.dtype.names:
        raise ChainruleError(f"{who}: expected y of classes or numbers, got {y.dtype}. Make numbers of it.")
    return y


def for_steps(y: Any, x: Any, network: Chain, who: str = "fit") -> Any:
    """Targets of any kind as `as_targets`, those of steps for as many steps as the network's outputs have.

    Padding is where the targets, or the inputs that stand for the same steps, have some.

    Raises:
        ChainruleError: where they are for other steps than the inputs.
    """
    ragged, y = is_ragged(y), as_targets(y, who)
    (values, mask), seen = parts(y), parts(x)[1]
    other = np.ndim(values) == 0 or len(values) != rows_of(x)  # rows, which is refused elsewhere
    if other or (mask is None and seen is None):
        return y
    outputs = network.output_shape(shape_of(x))
    if len(outputs) < 2:
        if mask is None:
            return y
        last = deciding(network)
        raise ChainruleError(
            f"{who}: expected targets of one shape, got rows of unequal length. {last!r} has one output a row: an "
            f"output for each step needs return_sequences=True, or no pooling."
        )
    time = outputs[0]
    if values.ndim < 2 or values.shape[1] > time or (mask is None and values.shape[1] < time):
        got = _steps(values.shape[1]) if values.ndim > 1 else f"shape {values.shape}"
        raise ChainruleError(f"{who}: expected targets for the {time} steps of the network's outputs, got {got}.")
    if mask is not None:
        values, mask = (longer(array, time) for array in (values, mask))
        values = np.where(over(mask, values.ndim), values, values[_first(mask, who)])
    if seen is None or seen.shape[1] != time:  # else which step of the inputs is whose, only the network knows
        return values if mask is None else Masked(values, mask)
    mine = seen if mask is None else mask
    wrong = (mine & ~seen).any(axis=1) | (ragged & (mine != seen).any(axis=1))
    if wrong.any():
        row = int(wrong.argmax())
        raise ChainruleError(
            f"{who}: y[{row}] has {_steps(int(mine[row].sum()))}, but x[{row}] has {seen[row].sum()}. "
            f"Give a target for each step."
        )
    return as_targets(Masked(values, mine), who)


def class_count(E: np.ndarray | None, classes: Classes, standardised: bool = False) -> int | None:
    """How many classes targets are of: 0 for values, None for numbers from 0 to 1, which may be either."""
    if classes:
        return len(classes)
    return None if E is not None and not standardised and ((E >= 0) & (E <= 1)).all() else 0


def check_cells(table: Table, preprocessor: Preprocessor, cost: Cost | None) -> None:
    """Refuse the first cell of values to predict that a cost can't take, by its place in the file."""
    if cost is None or preprocessor.classes or not cost.targets.bounded:
        return
    values = preprocessor.raw_targets(table)
    if (wrong := first_wrong(values, cost.targets.wrong)) is not None:
        row, column = wrong
        raise ChainruleError(
            f"{table.place(row, preprocessor.schema.targets[column])}: {cost!r} takes {cost.targets.expected}, got "
            f"{values[wrong]:g}. Mend the cell."
        )


def as_names(classes: Any) -> Classes:
    """The names of classes as a tuple."""
    if classes is None:
        return None
    if not isinstance(classes, list | tuple | np.ndarray) or any(map(np.ndim, classes)):
        raise ChainruleError(f"fit: classes must be a tuple of names, got {classes!r}. For example: ('ant', 'bee').")
    return tuple(classes)


def targets(
    y: Any, rows: int, network: Chain, outputs: Shape, cost: Cost, classes: Classes, who: str = "fit"
) -> tuple[Any, Classes]:
    """The targets E, class numbers (int32) or values (float32), and the classes if there are any.

    Raises:
        ChainruleError: for another number of rows, classes or values than the network has.
    """
    y = as_targets(y, who)
    if isinstance(y, Masked):
        E, classes = targets(y.values, rows, network, outputs, cost, classes, who)
        return Masked(E, y.mask), classes
    if y.ndim == 0 or len(y) != rows:
        raise ChainruleError(f"{who}: expected {rows} targets, one for each example, got shape {y.shape}.")
    if rows == 0:
        raise ChainruleError(f"{who}: expected at least one example, got none.")
    outputs, no, yes = cost.target_shape(outputs), cost.targets.no, cost.targets.yes
    if y.dtype.kind == "i" and no < 0 and outputs[-1] == 1 and np.isin(y, (no, yes)).all():
        y, classes = (y == yes).astype(int), classes or (no, yes)
    if y.dtype.kind in "USOb":
        y, classes = _numbered(y, classes, who)
    one_fewer = y.shape[1:] == outputs[:-1]
    if y.dtype.kind in "iu" and one_fewer and (classes or outputs[-1] >= cost.targets.fewest):
        classes = classes or tuple(range(max(outputs[-1], 2)))
        _check_classes(y, classes, network, outputs, who)
        return y.astype(np.int32), classes
    if y.shape[1:] != outputs and not (one_fewer and outputs[-1] == 1):
        last = deciding(network)
        first = next((layer for layer in network.layers if type(layer) is type(last)), last)
        remedy = f"Put Flatten() before {first!r}." if y.ndim < len(outputs) else f"Change the last layer, {last!r}."
        raise ChainruleError(
            f"{who}: expected targets of shape {(rows, *outputs)}, as the network's outputs, or class numbers "
            f"{(rows, *outputs[:-1])}, got {y.dtype} of shape {y.shape}. {remedy}"
        )
    check_exact(y, who, "y")
    y = y.astype(np.float32)
    check_finite(y, who, "y")
    y = y.reshape(rows, *outputs)
    cost.targets.check(y, f"{who}: y")
    if not cost.targets.of_all:
        return y, None
    classes = classes or tuple(range(outputs[-1]))
    _check_classes(y.argmax(axis=-1), classes, network, outputs, who)
    return y, classes


def expected(
    y: Any, weights: Any, x: Any, network: Chain, cost: Cost, classes: Classes, who: str = "fit"
) -> tuple[np.ndarray, np.ndarray | None, Classes]:
    """What a network should give for checked inputs, how much each row or step counts, and the classes, if any."""
    y, outputs = for_steps(y, x, network, who), network.output_shape(shape_of(x))
    E, classes = targets(y, rows_of(x), network, outputs, cost, classes, who)
    return *counted(E, weights, who), classes


def counted(E: Any, weights: Any, who: str = "fit") -> tuple[np.ndarray, np.ndarray | None]:
    """Targets as an array, and how much each row counts, (rows,), or each step, (rows, time); None: all count alike."""
    E, mask = parts(E)
    steps = E.shape[1] if E.ndim > 1 + (E.dtype.kind == "f") else None
    if steps and is_ragged(weights):
        weights = _of_steps(weights, np.ones(E.shape[:2], bool) if mask is None else mask, who)
    weights = sample_weights(weights, len(E), who, steps)
    if mask is not None:
        weights = step_weights(mask.shape, weights, mask).astype(np.float32)
        if not weights.any():
            raise ChainruleError(f"{who}: sample_weight is zero at every step that is no padding.")
    return E, weights


def sample_weights(weights: Any, rows: int, who: str = "fit", steps: int | None = None) -> np.ndarray | None:
    """A weight for each example, float32 (rows,), none negative and some not zero; None where all count alike.

    Where examples are sequences of steps, each step may have one, (rows, time).
    """
    if weights is None:
        return None
    check_real(weights, who, "sample_weight")
    try:
        weights = np.asarray(weights, np.float32)
    except (TypeError, ValueError):
        kind = type(weights).__name__
        raise ChainruleError(f"{who}: expected sample_weight to be numbers, one an example, got {kind}.") from None
    if weights.shape not in ((rows,), (rows, steps)):
        each = f" or {(rows, steps)}" if steps else ""
        raise ChainruleError(f"{who}: expected sample_weight of shape {(rows,)}{each}, got {weights.shape}.")
    check_finite(weights, who, "sample_weight")
    if weights.min() < 0 or weights.max() == 0:
        raise ChainruleError(f"{who}: sample_weight must not be negative, and not zero everywhere.")
    return weights


def _of_steps(weights: Any, live: np.ndarray, who: str) -> np.ndarray:
    """Weights of the steps of each sequence, by its length, as an array of all steps."""
    given = side_by_side([np.asarray(row, np.float32) for row in weights], who)
    counts, wanted = given.mask.sum(axis=1), live.sum(axis=1)
    if len(counts) == len(wanted) and (wrong := counts != wanted).any():
        row = int(wrong.argmax())
        raise ChainruleError(
            f"{who}: sample_weight[{row}] has {_steps(int(counts[row]))}, but y[{row}] has {wanted[row]}. "
            f"Give a weight for each step."
        )
    return longer(given.values, live.shape[1])


def balanced_weights(y: np.ndarray) -> np.ndarray:
    """A weight for each example that lets every class count alike: examples / (classes · examples of its class).

    >>> balanced_weights(np.array([0, 0, 1, 1, 1, 1])).tolist()
    [1.5, 1.5, 0.75, 0.75, 0.75, 0.75]
    """
    _, numbers, counts = np.unique(y, return_inverse=True, return_counts=True)
    return (y.size / (len(counts) * counts))[numbers].reshape(y.shape).astype(np.float32)


def _numbered(y: np.ndarray, classes: Classes, who: str) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Class numbers for names of classes."""
    if y.dtype.kind in "OS":
        for place, name in np.ndenumerate(y):
            if not isinstance(name, str) and str(name) in BLANKS:
                at = ", ".join(map(str, place))
                raise ChainruleError(f"{who}: y[{at}] is {name}, expected a class. Fill the gap or leave the row out.")
        y = y.astype(str)
    if not classes:
        found, numbers = np.unique(y, return_inverse=True)
        return numbers.reshape(y.shape), tuple(found.tolist())
    number = {name: index for index, name in enumerate(classes)}
    unknown = [name for name in y.ravel().tolist() if name not in number]
    if unknown:
        raise ChainruleError(f"{who}: the class {unknown[0]!r} is not one of the training part's: {classes}.")
    return np.vectorize(number.get, otypes=[int])(y), classes


def _check_classes(y: np.ndarray, classes: tuple[Any, ...], network: Chain, outputs: Shape, who: str) -> None:
    wanted = max(len(classes), int(y.max()) + 1)
    if y.min() < 0:
        raise ChainruleError(f"{who}: expected class numbers 0, 1, …, got {int(y.min())}. Count classes from 0.")
    if len(classes) <= y.max() < outputs[-1]:
        raise ChainruleError(
            f"{who}: y has the class number {int(y.max())}, but the classes are {classes}. Name them all."
        )
    shown = np.unique(y)
    if y.max() >= len(classes) and (shown[0] > 0 or 2 * len(shown) < wanted):
        numbers = ", ".join(map(str, shown[:5])) + (", …" if len(shown) > 5 else "")
        raise ChainruleError(
            f"{who}: y has the class numbers {numbers}, but class numbers are 0, 1, …, one for each of "
            f"{outputs[-1]} outputs of {deciding(network)!r}. Number the {len(shown)} classes from 0 to "
            f"{len(shown) - 1}, or give their names: y.astype(str)."
        )
    if wanted != outputs[-1] and not (wanted == 2 and outputs[-1] == 1):
        raise ChainruleError(
            f"{who}: the targets have {wanted} classes, but {deciding(network)!r} gives {outputs[-1]} outputs. "
            f"End it with Dense({wanted}) >> Softmax()."
        )


def _steps(count: int) -> str:
    return f"{count} step{'s' * (count != 1)}"


def _first(mask: np.ndarray, who: str) -> tuple[int, ...]:
    """The place of a step that is no padding."""
    if not mask.any():
        raise ChainruleError(f"{who}: expected a step that is no padding, got none.")
    return tuple(np.argwhere(mask)[0].tolist())
