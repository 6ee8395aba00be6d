"""The scikit-learn interface: its own checks, and what its users ask for in vain elsewhere."""

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from scipy import sparse
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler, scale

from chainrule import NetworkClassifier, NetworkRegressor
from chainrule.errors import ChainruleError, DivergedError
from chainrule.layers import Dense
from chainrule.optimizers import Adam
from chainrule.optimizers.schedules import CosineDecay
from chainrule.regularizers.stopping import EarlyStopping

X, Y = load_iris(return_X_y=True)
X = scale(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
BINARY = NAMES[:100]
VALUES = X @ np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5], [1.0, 1.0]])
QUICK = {"network": (8,), "epochs": 3, "batch_size": 50, "random_state": 0}


def classifier(**options) -> NetworkClassifier:
    return NetworkClassifier(**(QUICK | options))


def regressor(**options) -> NetworkRegressor:
    return NetworkRegressor(**(QUICK | options))


def network(estimator) -> str:
    return repr(estimator.model_.network)


def same(one, other) -> None:
    for left, right in zip(*(jax.tree.leaves(each.model_.parameters) for each in (one, other)), strict=True):
        np.testing.assert_array_equal(left, right)


def refused(text, action) -> None:
    with pytest.raises(ChainruleError) as caught:
        action()
    assert text in str(caught.value)


def compilations(caplog, action) -> list[str]:
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        caplog.clear()
        action()
    return [record.message for record in caplog.records if record.message.startswith("Compiling jit(run)")]


# scikit-learn's own checks: all of them


# Parameters


def test_parameters_reach_inside_formulas_and_their_notation():
    model = NetworkClassifier("Dense(4) >> ELU()", optimizer=Adam(CosineDecay(0.1)), regularizer="L1(0.1) + L2(0.2)")
    deep = model.get_params()
    assert deep["optimizer__learning_rate__initial"] == 0.1
    assert deep["network__layers__0__units"] == 4
    assert deep["regularizer__terms__1__strength"] == 0.2
    model.set_params(
        optimizer__learning_rate__initial=0.5,
        optimizer__beta1=0.8,
        network__layers__1__alpha=2.0,
        regularizer__terms__1="L2(0.3)",
    )
    assert repr(model.optimizer) == "Adam(learning_rate=CosineDecay(0.5), beta1=0.8)"
    assert repr(model.network) == "Dense(4) >> ELU(alpha=2.0)"
    assert repr(model.regularizer) == "L1(0.1) + L2(0.3)"
    assert model.set_params(optimizer="Momentum(0.1)", optimizer__momentum=0.5).optimizer.momentum == 0.5


def test_parameters_reach_inside_branches_and_repetitions():
    model = NetworkClassifier("Dense(4) >> Repeat(Identity() + Dense(4) * (Dense(1) >> ELU()), 2)")
    deep = model.get_params()
    assert deep["network__layers__1__times"] == 2
    assert deep["network__layers__1__block__layers__1__layers__0__units"] == 4
    model.set_params(
        network__layers__1__times=3,
        network__layers__1__block__layers__1__layers__1__layers__1__alpha=0.5,
        network__layers__0="Dense(2) | Dense(2)",
    )
    text = "(Dense(2) | Dense(2)) >> Repeat(Identity() + Dense(4) * (Dense(1) >> ELU(alpha=0.5)), 3)"
    assert repr(model.network) == text
    model.set_params(epochs=2).fit(X, Y)
    assert repr(model.model_.network) == f"{text} >> Dense({len(set(Y))}) >> Softmax()"


def test_a_path_that_leads_nowhere_is_refused():
    refused(
        "NetworkClassifier: optimizer__rate is no parameter: Adam(learning_rate=0.001) has the fields learning_rate, "
        "beta1, beta2, epsilon, not 'rate'.",
        lambda: NetworkClassifier().set_params(optimizer__rate=1),
    )
    refused("learning_rate must be a number > 0", lambda: NetworkClassifier().set_params(optimizer__learning_rate=-1))
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        NetworkClassifier().set_params(depth=3)


def test_formulas_survive_cloning():
    model = NetworkClassifier(Dense(4), optimizer=Adam(0.1), early_stopping=EarlyStopping(3))
    assert clone(model).get_params() == model.get_params()
    assert repr(clone(model)) == repr(model)


@pytest.mark.slow
def test_searches_tune_any_field():
    grid = {"optimizer__learning_rate": [1e-4, 0.1], "network": [(4,), "Dense(8) >> Tanh()"]}
    search = GridSearchCV(classifier(epochs=10), grid, cv=3).fit(X, NAMES)
    assert search.best_params_["optimizer__learning_rate"] == 0.1
    space = {"regularizer__strength": loguniform(1e-4, 1e-1), "optimizer": ["Adam(0.01)", "Momentum(0.01)"]}
    RandomizedSearchCV(classifier(regularizer="L2(0.1)"), space, n_iter=3, cv=2, random_state=0).fit(X, Y)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"network": "Dnse(3)"}, "Unknown formula 'Dnse'"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"epochs": None}, "epochs must be"),
        ({"batch_size": "some"}, "batch_size must be"),
        ({"validation": 2}, "NetworkClassifier: validation must be (X, y) or a fraction between 0 and 1, got 2."),
    ],
)
def test_bad_choices_are_refused_by_fit(options, text):
    refused(text, lambda: classifier(**options).fit(X, Y))


# Networks are completed to fit the target


@pytest.mark.parametrize(
    ("given", "y", "made"),
    [
        ((8, 4), NAMES, "Dense(8) >> ReLU() >> Dense(4) >> ReLU() >> Dense(3) >> Softmax()"),
        (8, Y % 2, "Dense(8) >> ReLU() >> Dense(1) >> Sigmoid()"),
        ((), Y, "Dense(3) >> Softmax()"),
        ("Dense(8) >> ELU()", Y, "Dense(8) >> ELU(alpha=1.0) >> Dense(3) >> Softmax()"),
        ("Dense(3)", Y, "Dense(3) >> Softmax()"),
        ("Dense(3) >> ReLU()", Y, "Dense(3) >> ReLU() >> Dense(3) >> Softmax()"),
        ("Dense(2) >> Softmax()", Y % 2, "Dense(2) >> Softmax()"),
        ("Dense(3) >> Sigmoid()", Y, "Dense(3) >> Sigmoid()"),
        ("Reshape((2, 2)) >> Dense(3)", Y, "Reshape((2, 2)) >> Dense(3) >> Flatten() >> Dense(3) >> Softmax()"),
        ((4,), np.stack([Y == 0, Y > 0], axis=1), "Dense(4) >> ReLU() >> Dense(2) >> Sigmoid()"),
    ],
)
def test_a_classifier_gets_its_end(given, y, made):
    model = classifier(network=given, epochs=1, cost="CrossEntropy()" if "3) >> Sigmoid" in str(given) else None)
    model._targets(y, None, False)
    assert repr(model._completed(X.shape[1:])) == made
    if given in ((), "Dense(2) >> Softmax()", "Dense(3) >> Sigmoid()"):
        assert network(model.fit(X, y)) == made
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.by_turns(3)
@pytest.mark.parametrize(
    ("given", "y", "made"),
    [
        ((8,), VALUES[:, 0], "Dense(8) >> ReLU() >> Dense(1)"),
        ("Dense(8) >> Tanh()", VALUES, "Dense(8) >> Tanh() >> Dense(2)"),
        ("Dense(8) >> Dense(1) >> Softplus()", VALUES[:, 0], "Dense(8) >> Dense(1) >> Softplus()"),
    ],
)
def test_a_regressor_gets_its_end(given, y, made):
    model = regressor(network=given, epochs=1).fit(X, y)
    assert network(model) == made
    assert model.predict(X).shape == y.shape
    assert model.predict(X).dtype == np.float64


# Targets


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("y", [NAMES, NAMES.astype(object), Y, Y + 5, Y.astype(float), BINARY, Y[:100] > 0])
def test_classes_of_any_kind(y):
    model = classifier(epochs=30, optimizer="Adam(0.03)").fit(X[: len(y)], y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    assert model.predict(X).dtype == model.classes_.dtype
    assert model.score(X[: len(y)], y) > 0.9
    assert model.model_.classes == tuple(np.unique(y).tolist())
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)))


def test_one_class_is_predicted_always():
    model = classifier().fit(X, NAMES == "none")
    assert not model.predict(X).any()
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((150, 1)))


def test_several_labels_at_once():
    x, y = make_multilabel_classification(100, 10, n_classes=4, random_state=0)
    x = scale(x)
    model = classifier(epochs=100, optimizer="Adam(0.03)").fit(x, y)
    assert (model.predict(x) == y).mean() > 0.9
    assert model.predict_proba(x).shape == (100, 4)
    same(classifier(epochs=100, optimizer="Adam(0.03)").fit(x, sparse.csr_array(y)), model)
    refused("y has several columns of several classes", lambda: model.fit(x, np.stack([Y[:100], Y[50:]], axis=1)))


def test_several_values_at_once():
    model = regressor(epochs=100, optimizer="Adam(0.03)").fit(X, VALUES)
    assert model.score(X, VALUES) > 0.99
    scaled = TransformedTargetRegressor(regressor(epochs=100, optimizer="Adam(0.03)"), transformer=StandardScaler())
    assert scaled.fit(X, 1e4 * VALUES[:, 0]).score(X, 1e4 * VALUES[:, 0]) > 0.99


# Inputs


def test_data_frames_and_sparse_matrices_train_alike():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    trained = classifier().fit(X, NAMES)
    names = ["a", "b", "c", "d"]
    for frame, y in [
        (pandas.DataFrame(X, columns=names), pandas.Series(NAMES)),
        (polars.DataFrame(X, schema=names), polars.Series(NAMES).to_numpy()),
    ]:
        model = classifier().fit(frame, y)
        same(model, trained)
        assert model.feature_names_in_.tolist() == names
        np.testing.assert_array_equal(model.predict(frame), trained.predict(X))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(pandas.DataFrame(X, columns=names[::-1]))
    for kind in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        same(classifier().fit(kind(X), NAMES), trained)
        np.testing.assert_array_equal(trained.decision_function(kind(X)), trained.decision_function(X))


@pytest.mark.slow
def test_images_and_series_keep_their_axes():
    images, y = load_digits(return_X_y=True)
    images = images[:200].reshape(-1, 8, 8, 1) / 16
    model = classifier(network='Conv2D(8, 3, padding="same") >> ReLU() >> MaxPool2D(2)').fit(images, y[:200])
    assert network(model).endswith("MaxPool2D(size=2) >> Flatten() >> Dense(10) >> Softmax()")
    assert model.predict_proba(images[:5]).shape == (5, 10)
    assert network(classifier(epochs=1).fit(images, y[:200])).startswith("Flatten() >> Dense(8)")
    refused("expected examples of shape (rows, 8, 8, 1)", lambda: model.predict(images[:, :, :4]))
    series = regressor(network="GRU(4)", epochs=1).fit(images[..., 0], images.mean(axis=(1, 2, 3)))
    assert network(series) == "GRU(4) >> Dense(1)"


def test_text_comes_as_tokens_also_where_an_encoder_made_them_floats():
    tokens = np.random.default_rng(0).integers(0, 20, (60, 7))
    y = (tokens == 3).any(axis=1)
    embedding = "Embedding(20, 4) >> GlobalMaxPool1D()"
    model = classifier(network=embedding, epochs=60, optimizer="Adam(0.05)").fit(tokens, y)
    assert model.score(tokens, y) > 0.95
    same(classifier(network=embedding, epochs=60, optimizer="Adam(0.05)").fit(tokens.astype(float), y), model)
    refused("expected tokens", lambda: model.predict(tokens + 0.5))
    refused("expected tokens", lambda: model.predict((tokens + 2048).astype(np.float16)))


def test_categories_of_a_table_are_embedded():
    pandas = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    table = pandas.DataFrame({"size": random.normal(size=120), "kind": random.choice(list("abcd"), 120)})
    price = table["size"] + table["kind"].map({"a": 3.0, "b": -2.0, "c": 0.5, "d": 7.0})
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    columns = make_column_transformer((OrdinalEncoder(**unknown), ["kind"]), (StandardScaler(), ["size"]))
    embedded = regressor(network="EntityEmbedding((4,), units=2) >> Dense(16) >> ReLU()", optimizer="Adam(0.03)")
    model = make_pipeline(columns, embedded.set_params(epochs=100)).fit(table, price)
    assert model.score(table, price) > 0.97
    assert embedded.model_.parameters[0]["tables"][0].shape == (4, 2)
    model.predict(table.assign(kind="new"))


def test_a_pipeline_can_speak_in_frames():
    pandas = pytest.importorskip("pandas")
    pipeline = make_pipeline(StandardScaler(), classifier()).set_output(transform="pandas")
    pipeline.fit(pandas.DataFrame(X, columns=list("abcd")), NAMES)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcd")


def test_rows_do_not_depend_on_their_company():
    model = classifier(network="Dense(40) >> Tanh()").fit(X, Y)
    alone = np.concatenate([model.decision_function(x[None]) for x in X[:10]])
    np.testing.assert_allclose(model.decision_function(X)[:10], alone, rtol=1e-7, atol=1e-7)


# Weights


def test_class_weights_are_sample_weights():
    weighted = classifier(class_weight={"setosa": 2, "versicolor": 1, "virginica": 0.5}).fit(X, NAMES)
    same(weighted, classifier().fit(X, NAMES, sample_weight=np.array([2, 1, 0.5])[Y]))
    rare = np.r_[0:50, 50:55]
    same(
        classifier(class_weight="balanced").fit(X[rare], Y[rare]),
        classifier().fit(X[rare], Y[rare], sample_weight=np.where(Y[rare] == 0, 0.55, 5.5)),
    )


def test_in_one_batch_neither_order_nor_repetition_changes_a_bit():
    counts = np.random.default_rng(0).integers(0, 4, 150)
    weighted = classifier(batch_size="all").fit(X, Y, sample_weight=counts)
    repeated = np.random.default_rng(1).permutation(np.repeat(np.arange(150), counts))
    same(weighted, classifier(batch_size="all").fit(X[repeated], Y[repeated]))


def test_metadata_is_routed():
    with config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        cross_validate(model, X, Y, cv=3, params={"sample_weight": np.ones(150)})


# Going on


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"network": "Dense(8) >> Dropout(0.5)"},
        {"early_stopping": 50},
        {"optimizer": "Adam(CosineDecay(0.1, steps=20))"},
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_warm_start_goes_on_to_the_same_bits(options):
    whole = classifier(epochs=6, **options).fit(X, NAMES)
    halves = classifier(epochs=3, warm_start=True, **options).fit(X, NAMES)
    halves = pickle.loads(pickle.dumps(halves)).fit(X, NAMES)
    same(whole, halves)
    assert whole.history_ == halves.history_
    assert (whole.n_iter_, halves.n_iter_, len(halves.loss_curve_)) == (6, 3, 6)
    cold = classifier(epochs=3, **options).fit(X, NAMES)
    assert cold.fit(X, NAMES).loss_curve_ == halves.loss_curve_[:3]


def test_an_open_schedule_is_as_long_as_all_calls_of_a_warm_start():
    """150 rows in batches of 50: 3 steps an epoch."""
    steps = {"optimizer": "Adam(CosineDecay(0.1))", "warm_start": True}
    open_ended = classifier(**steps).fit(X, NAMES)
    same(open_ended, classifier(optimizer="Adam(CosineDecay(0.1, steps=9))").fit(X, NAMES))
    told = pickle.loads(pickle.dumps(open_ended)).set_params(optimizer="Adam(CosineDecay(0.1, steps=18))")
    same(open_ended.fit(X, NAMES), told.fit(X, NAMES))
    fewer = [*range(0, 150, 3)]  # one step an epoch
    told = pickle.loads(pickle.dumps(open_ended)).set_params(optimizer="Adam(CosineDecay(0.1, steps=21))")
    before = open_ended.model_
    same(open_ended.fit(X[fewer], NAMES[fewer]), told.fit(X[fewer], NAMES[fewer]))
    assert not np.array_equal(open_ended.model_.parameters[0]["kernel"], before.parameters[0]["kernel"])


def test_partial_fit_is_fit_an_epoch_at_a_time():
    for make, y in ((classifier, NAMES), (regressor, VALUES)):
        steps = make()
        for _ in range(3):
            steps.partial_fit(X, y)
        same(steps, make().fit(X, y))
    cosine = classifier(optimizer="Adam(CosineDecay(0.1))")
    for _ in range(3):
        cosine.partial_fit(X, NAMES)
    same(cosine, classifier(optimizer="Adam(CosineDecay(0.1))").fit(X, NAMES))


def test_partial_fit_stops_early_too():
    model = classifier(early_stopping=2, optimizer="Adam(0.5)", validation=(X[::3], NAMES[::3]))
    model.partial_fit(X[1::3], NAMES[1::3])
    while model.history_.stopped != "early stopping":
        model.partial_fit(X[1::3], NAMES[1::3])
    costs = model.history_["validation_cost"]
    assert model.history_.best_epoch == np.argmin(costs) + 1 == len(costs) - 2
    assert model.model_.evaluate(X[::3], Y[::3])["cost"] == pytest.approx(min(costs), rel=1e-5)


def test_classes_of_later_calls_must_be_known():
    model = classifier().partial_fit(X[:50], NAMES[:50], classes=np.unique(NAMES))
    model.partial_fit(X[50:], NAMES[50:])
    refused("y has the class np.str_('oak')", lambda: model.partial_fit(X, np.where(Y == 1, "oak", NAMES)))
    refused("Previously got", lambda: model.partial_fit(X, NAMES, classes=["a", "b", "c"]))
    refused("Previously got", lambda: model.set_params(warm_start=True).fit(X[:100], BINARY))
    refused("class_weight", lambda: classifier(class_weight="balanced").partial_fit(X, Y))
    warm = regressor(warm_start=True).fit(X, VALUES)
    refused("expected 2 values an example", lambda: warm.fit(X, VALUES[:, 0]))
    refused("the checkpoint is of another network", lambda: warm.set_params(network=(9,)).fit(X, VALUES))


# How training ends


def test_early_stopping_watches_any_metric():
    model = classifier(early_stopping="EarlyStopping(3, monitor=F1())", epochs=500, optimizer="Adam(0.1)")
    model.set_params(early_stopping__monitor="Recall").fit(X, NAMES)
    watched = model.history_["validation_recall"]
    assert model.history_.best_epoch == int(np.argmax(watched)) + 1 == len(watched) - 3


def test_classes_are_whole_numbers_of_any_size():
    large = np.array([2**53, 2**53 + 1, 2**53 + 3])
    model = classifier(epochs=200, optimizer="Adam(0.1)").fit(X, large[Y])
    assert model.classes_.tolist() == list(model.model_.classes) == large.tolist()
    assert (model.predict(X) == large[Y]).mean() > 0.9


def test_inputs_that_no_float_holds():
    large = np.array([2**53, 2**53 + 1, 2**53 + 3])[Y]
    first, rounds = int((Y > 0).argmax()), "which float64 rounds. Round the numbers"
    pandas = pytest.importorskip("pandas")
    refused(
        f"NetworkClassifier: X['c'][{first}] is {large[first]}, {rounds}",
        lambda: classifier().fit(pandas.DataFrame({"c": large, "half": 0.5}), Y),
    )
    refused(f"X[{first}, 0] is {large[first]}, {rounds}", lambda: classifier().fit(large[:, None], Y))
    refused(f"NetworkRegressor: y[{first}] is {large[first]}, {rounds}", lambda: NetworkRegressor().fit(X, large))
    model = classifier().fit(X[:, :1], Y)
    refused(f"X[{first}, 0] is {large[first]}, {rounds}", lambda: model.predict(large[:, None]))


def test_inputs_of_text():
    pandas = pytest.importorskip("pandas")
    refused(
        "NetworkClassifier: expected X of numbers, got text such as 'a'. Put scikit-learn's OneHotEncoder before it, "
        "or train on the table by chainrule.runs.train.",
        lambda: classifier().fit(pandas.DataFrame({"c": ["a"] * len(Y)}), Y),
    )


def test_early_stopping_sets_rows_of_each_class_apart():
    model = classifier(early_stopping=True, epochs=500, optimizer="Adam(0.1)").fit(X, NAMES)
    assert model.history_.stopped == "early stopping"
    assert model.n_iter_ == len(model.loss_curve_) == model.history_.best_epoch + 10
    with pytest.warns(ConvergenceWarning, match="3 epochs ended before early stopping did"):
        classifier(early_stopping=10).fit(X, NAMES)
    refused("part would be empty", lambda: classifier(early_stopping=1).fit(X[::50], Y[::50]))


def test_divergence_is_said():
    wild = {"optimizer": "GradientDescent(10.0)", "epochs": 60, "network": ()}
    with pytest.raises(DivergedError, match="Lower the learning rate"):
        regressor(**wild).fit(X, VALUES)
    with pytest.raises(NotFittedError):
        regressor().predict(X)
    with pytest.warns(ConvergenceWarning, match="The best epoch before is kept"):
        model = regressor(**wild, early_stopping=60).fit(X, VALUES)
    assert np.isfinite(model.predict(X)).all()


def test_minutes_end_a_training_but_no_single_epoch_of_partial_fit():
    model = NetworkRegressor((4,), optimizer="Adam(CosineDecay(0.01))", epochs=10**6, minutes=1e-3, random_state=0)
    x, y = np.linspace(-1, 1, 40)[:, None], np.linspace(0, 1, 40)
    assert model.fit(x, y).history_.stopped == "time"
    done = model.n_iter_
    assert len(model.partial_fit(x, y).history_) == done + 1
    with pytest.raises(ChainruleError, match=r"^fit: minutes must be"):
        model.set_params(minutes=0).fit(x, y)


def test_random_states():
    same(classifier(random_state=7).fit(X, Y), classifier(random_state=7).fit(X, Y))
    generator = np.random.RandomState(0)
    first, second = (classifier(random_state=generator).fit(X, Y).loss_curve_ for _ in range(2))
    assert first != second
    assert classifier(random_state=None).fit(X, Y).loss_curve_ != classifier(random_state=None).fit(X, Y).loss_curve_


def test_verbose_shows_progress(capsys):
    classifier(verbose=True).fit(X, Y)
    assert "epoch 3/3" in capsys.readouterr().out
    classifier().fit(X, Y)
    assert capsys.readouterr().out == ""


# No recompilation tax, no leak


def test_folds_and_grids_compile_once(caplog):
    x, y = load_breast_cancer(return_X_y=True)
    x = scale(x)
    model = classifier(network=(7,), regularizer="L2(0.1)", optimizer="Adam(0.1)", epochs=1)
    assert len(compilations(caplog, lambda: cross_val_score(model, x, y, cv=5))) == 1
    grid = {"optimizer__learning_rate": np.logspace(-4, -1, 5), "regularizer__strength": [0, 1e-4, 1e-3, 1e-2]}
    weights = {"class_weight": ["balanced"], **grid}
    assert compilations(caplog, lambda: GridSearchCV(model, grid, cv=5, refit=False).fit(x, y)) == []
    assert compilations(caplog, lambda: RandomizedSearchCV(model, weights, n_iter=1, cv=5, refit=False).fit(x, y)) == []


def test_no_array_is_left_of_fits_that_are_gone():
    before = len(jax.live_arrays())
    for seed in range(20):
        classifier(random_state=seed).fit(X, Y).predict(X)
    assert len(jax.live_arrays()) == before


@pytest.mark.slow
def test_it_trains_in_threads_and_processes():
    alone = [classifier(random_state=seed).fit(X, Y) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: classifier(random_state=seed).fit(X, Y), range(4)))
    for one, other in zip(alone, together, strict=True):
        same(one, other)
    scores = cross_val_score(classifier(), X, NAMES, cv=2, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(classifier(), X, NAMES, cv=2))


def test_metrics_that_do_not_fit_the_targets():
    refused("R2() is for values, but y is a class. Choose", lambda: classifier(metrics=["R2()"]).fit(X, NAMES))
    values = NetworkRegressor((4,), early_stopping="EarlyStopping(3, monitor=F1())")
    refused("F1() is for classes, but y is a value. Choose MAE", lambda: values.fit(X, 9 * X[:, 0] + 50))


def test_what_is_chosen_by_the_data(monkeypatch):
    X, y = load_iris(return_X_y=True)
    auto = {"network": "auto", "optimizer": "auto", "epochs": 20, "random_state": 0}
    model = clone(NetworkClassifier(**auto)).fit(X * [1, 10, 1e3, 1] + 50, y)
    hidden = "Dense(256) >> ReLU() >> Dropout(rate=0.1)"
    assert repr(model.model_.network) == f"Standardize() >> {hidden} >> {hidden} >> Dense(3) >> Softmax()"
    assert repr(model.model_.cost) == "CategoricalCrossEntropy(smoothing=0.1)"
    assert model.model_.training["optimizer"].startswith("AdamW(learning_rate=Warmup(then=CosineDecay(0.002, steps=80.")
    assert model.score(X * [1, 10, 1e3, 1] + 50, y) > 0.9
    values = NetworkRegressor(**auto | {"optimizer": "Adam()", "epochs": 1}).fit(np.tile(X, (14, 1)), np.tile(y, 14))
    assert repr(values.model_.network).startswith("Standardize() >> (Identity() | Periodic(")
    assert values.model_.training["optimizer"] == "Adam(learning_rate=0.001)"
    asked = NetworkClassifier(**auto | {"epochs": "auto"})._asked(X, y, None, "auto")
    assert (asked["epochs"], asked["batch_size"]) == (150, 32)
    assert asked["optimizer"].learning_rate.then.steps == 150 * 5 - 20
    monkeypatch.setattr("chainrule.estimators.base.default_epochs", lambda *_: 2)
    counted = NetworkClassifier("Dense(3)", epochs="auto", early_stopping=3).fit(X, y)
    assert counted.n_iter_ == 2  # without a warning that early stopping was still to come
