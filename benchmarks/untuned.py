"""Who trains without being tuned: ours as `chainrule train` has it, and peers as their documentation has them.

An entrant is given the rows to train on and those to test on, and gives the model's score on the latter, accuracy or
R², and the seconds from raw rows to a model that is trained.
"""

import os
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported

import numpy as np

from benchmarks.collection import Set
from benchmarks.collection.columns import Columns

CATEGORIES = 255  # that HistGradientBoosting takes at most; a column of more is numbered


class Trained(NamedTuple):
    """What came of a training."""

    score: float
    seconds: float


Entrant = Callable[[Set, Columns, Columns, int], Trained]
"""From a set, its rows to train on and to test on, and a seed."""


def chainrule(one: Set, train: Columns, test: Columns, seed: int) -> Trained:
    """What `chainrule train` does where nothing is chosen; what it takes to write the folder is not counted."""
    from chainrule import runs
    from chainrule.data import Table

    rows, others = (Table(columns, name=name) for columns, name in ((train, "train"), (test, "test")))
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        plan = runs.plan(rows, test=others, seed=seed, **one.said)
        planned = time.perf_counter() - began
        with runs.claimed(rows, f"{place}/run") as folder:
            run = runs.carry_out(plan, folder, progress=False, checkpoint=None)
    figures = run.figures["test"]
    return Trained(figures["accuracy" if one.task == "classes" else "r2"], planned + run.model.history.seconds)


def mlp(one: Set, train: Columns, test: Columns, seed: int) -> Trained:
    """scikit-learn's MLP in the usual pipeline: blanks filled, numbers standardised, categories one-hot."""
    from sklearn.compose import TransformedTargetRegressor, make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (categories, make_column_selector(dtype_exclude="number")),
    )
    if one.task == "classes":
        network = MLPClassifier(random_state=seed)
    else:
        network = TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler())
    return _scored(make_pipeline(columns, network), one, _frame(one, train), _frame(one, test), train, test)


def boosting(one: Set, train: Columns, test: Columns, seed: int) -> Trained:
    """scikit-learn's gradient-boosted trees, which take blanks and categories as they are."""
    import pandas
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    trees = HistGradientBoostingClassifier if one.task == "classes" else HistGradientBoostingRegressor
    began = time.perf_counter()
    rows, others = _frame(one, train), _frame(one, test)
    for name in rows.select_dtypes(exclude="number"):
        values = sorted(set(rows[name].dropna()))
        both = [pandas.Categorical(each[name], categories=values) for each in (rows, others)]
        few = len(values) <= CATEGORIES
        rows[name], others[name] = both if few else (np.where(c.codes < 0, np.nan, c.codes) for c in both)
    prepared = time.perf_counter() - began
    outcome = _scored(trees(random_state=seed), one, rows, others, train, test)
    return outcome._replace(seconds=outcome.seconds + prepared)


def words(one: Set, train: Columns, test: Columns, seed: int) -> Trained:
    """TF-IDF of words and pairs of them, or of one to three characters, and a linear model."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    [name] = one.inputs
    of = {"words": {"ngram_range": (1, 2)}, "characters": {"analyzer": "char", "ngram_range": (1, 3)}}[one.unit]
    linear = LogisticRegression(max_iter=1000) if one.task == "classes" else Ridge()
    texts = [[text or "" for text in columns[name]] for columns in (train, test)]
    return _scored(make_pipeline(TfidfVectorizer(**of), linear), one, *texts, train, test)


def keras(one: Set, train: Columns, test: Columns, seed: int) -> Trained:
    """The network of Keras's examples: "Simple MNIST convnet", "Timeseries classification from scratch"."""
    import keras
    from sklearn.metrics import accuracy_score, r2_score

    keras.utils.set_random_seed(seed)
    began = time.perf_counter()
    [name] = one.inputs
    targets = train[one.target]
    labels, y = (
        np.unique(targets, return_inverse=True) if one.task == "classes" else (None, _standard(targets, targets))
    )
    x, others = (_arrays(one, columns[name], train[name]) for columns in (train, test))
    rows = np.random.default_rng(seed).permutation(len(x))
    network = {"images": _of_images, "series": _of_series}[one.kind](keras, x[rows], y[rows], labels)
    seconds = time.perf_counter() - began
    outputs = network.predict(others, verbose=0)
    if labels is not None:
        return Trained(accuracy_score(test[one.target], labels[outputs.argmax(axis=1)]), seconds)
    return Trained(r2_score(_standard(test[one.target], targets), outputs[:, 0]), seconds)


def _of_images(keras: Any, x: np.ndarray, y: np.ndarray, labels: Any) -> Any:
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(32, 3, activation="relu", padding="same"),  # as there, but for images of 8 × 8 pixels
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(len(labels), activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(x, y, batch_size=128, epochs=15, validation_split=0.1, verbose=0)
    return network


def _of_series(keras: Any, x: np.ndarray, y: np.ndarray, labels: Any) -> Any:
    layers = keras.layers
    network = keras.Sequential([keras.Input(x.shape[1:])])
    for _ in range(3):
        normalized = layers.BatchNormalization(momentum=0.9)  # not 0.99, which takes longer than it trains on few rows
        for layer in (layers.Conv1D(64, 3, padding="same"), normalized, layers.ReLU()):
            network.add(layer)
    network.add(layers.GlobalAveragePooling1D())
    network.add(layers.Dense(1) if labels is None else layers.Dense(len(labels), activation="softmax"))
    network.compile("adam", "mse" if labels is None else "sparse_categorical_crossentropy")
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=20, min_lr=0.0001),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=50, restore_best_weights=True),
    ]
    network.fit(x, y, batch_size=32, epochs=500, callbacks=callbacks, validation_split=0.2, verbose=0)
    return network


def _arrays(one: Set, cells: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Images between 0 and 1; series standardised as those to train on are, 0 after their end."""
    if one.kind == "images":
        return (cells if cells.ndim == 4 else cells[..., None]).astype(np.float32) / 255
    axes = (0, 1)
    return np.nan_to_num((cells - np.nanmean(of, axis=axes)) / np.nanstd(of, axis=axes)).astype(np.float32)


def _standard(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    return (values - of.mean()) / of.std()


def _frame(one: Set, columns: Columns) -> Any:
    """The inputs as pandas has them."""
    import pandas

    return pandas.DataFrame({name: cells for name, cells in columns.items() if name != one.target})


def _scored(model: Any, one: Set, x: Any, others: Any, train: Columns, test: Columns) -> Trained:
    """A model of scikit-learn, fitted and scored: accuracy or R²."""
    began = time.perf_counter()
    model.fit(x, train[one.target].astype(str if one.task == "classes" else float))
    seconds = time.perf_counter() - began
    return Trained(model.score(others, test[one.target].astype(str if one.task == "classes" else float)), seconds)


ENTRANTS: dict[str, Entrant] = {
    "Chainrule": chainrule,
    "MLP": mlp,
    "HistGradientBoosting": boosting,
    "TF-IDF": words,
    "Keras": keras,
}
"""All of them, by name."""

OF_KIND = {
    "table": ("Chainrule", "MLP", "HistGradientBoosting"),
    "text": ("Chainrule", "TF-IDF"),
    "series": ("Chainrule", "Keras"),
    "images": ("Chainrule", "Keras"),
}
"""Who takes which kind of data."""

LIBRARIES = {
    "Chainrule": "chainrule",
    "MLP": "scikit-learn",
    "HistGradientBoosting": "scikit-learn",
    "TF-IDF": "scikit-learn",
    "Keras": "keras",
}
"""Whose they are."""
