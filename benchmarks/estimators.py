"""What a whole `fit` costs, compilation included: scikit-learn's MLP, skorch and ours on the same network and data.

The first fit of a process compiles, and is not counted; the later ones are on other seeds. skorch and ours compute in
float32, scikit-learn in float64, its way. `python -m benchmarks.estimators` compares how good they are.
"""

import warnings
from importlib.util import find_spec
from itertools import count, pairwise
from pathlib import Path

import numpy as np

from benchmarks.workload import Contestants, Workload

HIDDEN = (64, 32)


def fits(name: str) -> Workload:
    """Whole fits of the MLP to a set: 30 epochs of a small one, 5 of diamonds."""

    def contestants() -> Contestants:
        x, y = DATA[name]()
        kinds = {"skorch": np.float32}
        return {
            library: _again(make, x.astype(kinds.get(library, float)), y, *SCHEDULE[name])
            for library, make in LIBRARIES.items()
        }

    return Workload(contestants)


def scores(name: str, seeds: int = 5) -> dict[str, list[float]]:
    """The accuracy, or R², of each library on a fifth of the rows, which another seed sets apart each time."""
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.model_selection import train_test_split

    x, y = DATA[name]()
    measure = r2_score if y.dtype.kind == "f" else accuracy_score
    found = {library: [] for library in LIBRARIES}
    for seed in range(seeds):
        x_train, x_test, y_train, y_test = train_test_split(x.astype(np.float32), y, test_size=0.2, random_state=seed)
        for library, make in LIBRARIES.items():
            estimator, targets = make(x_train, y_train, *SCHEDULE[name], seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found[library].append(measure(y_test, np.ravel(estimator.fit(x_train, targets).predict(x_test))))
    return found


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 images of digits, as rows."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return x / 16, y


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    """569 tumours, standardised."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.preprocessing import scale

    x, y = load_breast_cancer(return_X_y=True)
    return scale(x), y


def diamonds() -> tuple[np.ndarray, np.ndarray]:
    """53,940 diamonds from plotnine's table: standardised and one-hot, and the logarithm of the price, standardised."""
    import pyarrow.csv
    from sklearn.preprocessing import OneHotEncoder, scale

    found = find_spec("plotnine")  # never imported
    if found is None:
        raise ImportError("diamonds: their table is a part of plotnine: pip install --no-deps plotnine")
    [folder] = found.submodule_search_locations
    table = pyarrow.csv.read_csv(Path(folder, "data", "diamonds.csv"))
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    kinds = np.stack([columns.pop(name) for name in ("cut", "color", "clarity")], axis=1)
    y = scale(np.log(columns.pop("price").astype(float)))
    numbers = scale(np.stack(list(columns.values()), axis=1).astype(float))
    return np.hstack([numbers, OneHotEncoder(sparse_output=False).fit_transform(kinds)]), y


def _again(make, x, y, epochs, batch):
    """A fit on another seed each time."""
    seeds = count()

    def fit() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the epochs are over
            estimator, targets = make(x, y, epochs, batch, next(seeds))
            estimator.fit(x, targets)

    return fit


def ours(x, y, epochs, batch, seed):
    """Our estimator, and the targets that it takes."""
    from chainrule import NetworkClassifier, NetworkRegressor

    kind = NetworkRegressor if y.dtype.kind == "f" else NetworkClassifier
    return kind(HIDDEN, epochs=epochs, batch_size=batch, metrics=(), random_state=seed), y


def mlp(x, y, epochs, batch, seed):
    """scikit-learn's, without its plateau rule and its alpha."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPRegressor if y.dtype.kind == "f" else MLPClassifier
    options = {"alpha": 0.0, "tol": 0.0, "n_iter_no_change": epochs + 1, "random_state": seed}
    return kind(hidden_layer_sizes=HIDDEN, max_iter=epochs, batch_size=batch, **options), y


def skorch(x, y, epochs, batch, seed):
    """skorch's, without its split and its prints."""
    import torch
    from skorch import NeuralNetClassifier, NeuralNetRegressor

    torch.set_num_threads(2)
    torch.manual_seed(seed)
    values = y.dtype.kind == "f"
    sizes = (x.shape[1], *HIDDEN)
    layers = [layer for a, b in pairwise(sizes) for layer in (torch.nn.Linear(a, b), torch.nn.ReLU())]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 1 if values else len(np.unique(y))))
    options = {"max_epochs": epochs, "batch_size": batch, "train_split": None, "verbose": 0, "lr": 0.001}
    options |= {"optimizer": torch.optim.Adam, "iterator_train__shuffle": True}
    if values:
        return NeuralNetRegressor(network, **options), y.astype(np.float32)[:, None]
    return NeuralNetClassifier(network, criterion=torch.nn.CrossEntropyLoss, **options), y.astype(np.int64)


LIBRARIES = {"Chainrule": ours, "scikit-learn": mlp, "skorch": skorch}
DATA = {"digits": digits, "breast_cancer": breast_cancer, "diamonds": diamonds}
SCHEDULE = {"digits": (30, 32), "breast_cancer": (30, 32), "diamonds": (5, 128)}
"""Epochs and batch size."""


def main() -> None:
    """Print each library's mean score and its spread over 5 seeds."""
    print("| set | library | mean | standard deviation |\n| --- | --- | ---: | ---: |")
    for name in DATA:
        for library, values in scores(name).items():
            print(f"| {name} | {library} | {np.mean(values):.4f} | {np.std(values, ddof=1):.4f} |", flush=True)


if __name__ == "__main__":
    main()
