import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import Lasso

from chainrule.costs import CategoricalCrossEntropy, CrossEntropy, Quadratic
from chainrule.errors import ChainruleError, DivergedError
from chainrule.formula.layer import INFERENCE, Layer
from chainrule.model import load
from chainrule.notation import as_optimizer
from chainrule.optimizers import Adam, ClipNorm, GradientDescent, Nesterov
from chainrule.optimizers.schedules import CosineDecay
from chainrule.regularizers.stopping import EarlyStopping
from chainrule.training import fit, loop

random = np.random.default_rng(0)
X = random.normal(size=(40, 4)).astype(np.float32)
Y = (X @ random.normal(size=(4, 3))).argmax(axis=1)
NAMES = np.array(["ant", "bee", "cat"])[Y]
NOISE = random.integers(0, 3, 40)
NETWORK = "Dense(3) >> Softmax()"
STILL = "GradientDescent(1e-38)"  # a rate that changes no bit: the parameters stay what they were at first


def train(network=NETWORK, x=X, y=Y, **options):
    return fit(network, x, y, **({"epochs": 3, "batch_size": 8, "progress": False} | options))


def same(one, other) -> None:
    """Two models are equal to the bit."""
    for left, right in zip(jax.tree.leaves(one.parameters), jax.tree.leaves(other.parameters), strict=True):
        np.testing.assert_array_equal(left, right)
    assert one.history == other.history
    assert one.history.columns == other.history.columns


def close(one, other, **tolerance) -> None:
    for left, right in zip(jax.tree.leaves(one.parameters), jax.tree.leaves(other.parameters), strict=True):
        np.testing.assert_allclose(left, right, **tolerance)


def refused(text: str, *arguments, **options) -> None:
    with pytest.raises(ChainruleError) as caught:
        train(*arguments, **options)
    assert str(caught.value) == text


@pytest.fixture(scope="module")
def trained():
    return train()


# One seed, one result


def test_a_seed_gives_the_same_bits(trained):
    same(train(), trained)
    other = train(seed=1)
    assert other.history["cost"][0] != trained.history["cost"][0]
    assert not np.array_equal(other.parameters[0]["kernel"], trained.parameters[0]["kernel"])


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_cuts_never_change_the_result(trained, monkeypatch, seconds):
    monkeypatch.setattr(loop, "CHUNK", seconds)
    same(train(), trained)


def test_what_is_shown_or_called_never_changes_the_result(trained, capsys):
    same(train(progress=True), trained)
    assert len(capsys.readouterr().out.splitlines()) == 3
    same(train(callbacks=[lambda end: end.model().predict(X)]), trained)
    assert capsys.readouterr().out == ""


def test_a_validation_set_never_changes_the_training(trained):
    watched = train(validation=(X[:5], Y[:5]))
    assert watched.history["cost"] == trained.history["cost"]
    np.testing.assert_array_equal(watched.parameters[0]["kernel"], trained.parameters[0]["kernel"])


def test_more_epochs_go_on_where_fewer_end(trained):
    assert train(epochs=5).history.rows[:3] == trained.history.rows


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    "network", ["Dropout(0.5) >> Dense(3) >> Softmax()", "Dense(6) >> NoisyReLU() >> Dense(3) >> Softmax()"]
)
def test_noise_is_drawn_in_training_only_and_from_the_seed(network):
    once = train(network, optimizer=STILL, batch_size="all")
    assert len(set(once.history["cost"])) == 3  # nothing but the noise differs
    np.testing.assert_array_equal(once(X), once(X))
    same(train(network, optimizer=STILL, batch_size="all"), once)


# What is minimised


def test_a_whole_batch_takes_the_step_of_the_full_gradient():
    first, after = (train(optimizer=o, batch_size="all", epochs=1) for o in (STILL, "GradientDescent(0.5)"))
    error = (first(X) - np.eye(3)[Y]) / 40
    [p, _], [q, _] = first.parameters, after.parameters
    np.testing.assert_allclose(q["kernel"], p["kernel"] - 0.5 * X.T @ error, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(q["bias"], p["bias"] - 0.5 * error.sum(axis=0), rtol=1e-5, atol=1e-7)
    assert after.history["cost"][0] == pytest.approx(first.evaluate(X, Y)["cost"], rel=1e-6)


def test_a_weight_of_two_is_the_row_twice_and_of_zero_is_none():
    weights = np.arange(40) % 3
    weighted = train(sample_weight=weights, batch_size="all", optimizer="Momentum(0.5)")
    repeated = train(
        x=np.repeat(X, weights, axis=0), y=np.repeat(Y, weights), batch_size="all", optimizer="Momentum(0.5)"
    )
    close(weighted, repeated, rtol=1e-5, atol=1e-7)
    assert weighted.history["cost"] == pytest.approx(repeated.history["cost"], rel=1e-6)
    assert weighted.history["accuracy"] == pytest.approx(repeated.history["accuracy"], rel=1e-6)


def test_rows_of_weight_zero_never_count():
    weights = np.arange(40) < 20
    x = np.where(weights[:, None], X, 1e6)
    same(train(x=x, sample_weight=weights), train(x=X, sample_weight=weights))


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(("end", "y"), [("Softmax", Y), ("Sigmoid", np.eye(3)[Y])])
def test_cost_and_last_activation_are_computed_together(end, y):
    cost, activation = (
        (CategoricalCrossEntropy(), jax.nn.log_softmax) if end == "Softmax" else (CrossEntropy(), jax.nn.log_sigmoid)
    )
    E = np.eye(3, dtype=np.float32)[Y]

    def by_hand(kernel):
        z = X @ kernel
        other = 0 if end == "Softmax" else (1 - E) * jax.nn.log_sigmoid(-z)
        return -jnp.mean(jnp.sum(E * activation(z) + other, axis=1))

    first, after = (
        train(f"Dense(3, bias=False) >> {end}()", y=y, optimizer=optimizer, batch_size="all", epochs=1)
        for optimizer in (STILL, "GradientDescent(1.0)")
    )
    assert first.cost == cost
    value, gradient = jax.value_and_grad(by_hand)(first.parameters[0]["kernel"])
    assert first.history["cost"][0] == pytest.approx(float(value), rel=1e-6)
    np.testing.assert_allclose(after.parameters[0]["kernel"], first.parameters[0]["kernel"] - gradient, atol=1e-6)


@pytest.mark.parametrize(("network", "y"), [("Dense(1, kernel_initializer=Constant(-1.0)) >> Sigmoid()", [1])])
def test_a_network_that_is_sure_and_wrong_still_learns(network, y):
    x = np.array([[200.0]])
    model = train(network, x=x, y=y, optimizer="GradientDescent(0.01)", batch_size="all", epochs=1)
    assert model.history["cost"] == [200.0]
    assert float(model.parameters[0]["kernel"][0, 0]) == pytest.approx(-1 + 0.01 * 200)
    assert float(model.parameters[0]["bias"][0]) == pytest.approx(0.01)


def test_the_default_cost_is_the_one_whose_canonical_activation_ends_it():
    assert train(epochs=1).cost == CategoricalCrossEntropy()
    assert train("Dense(1) >> Sigmoid()", y=Y > 0, epochs=1).cost == CrossEntropy()
    assert train("Dense(1)", y=X[:, 0], epochs=1).cost == Quadratic()


# Regularisers


@pytest.fixture(scope="module")
def sparse():
    """Three of twenty inputs are relevant."""
    random = np.random.default_rng(1)
    x = random.normal(size=(200, 20))
    kernel = np.zeros(20)
    kernel[[2, 7, 11]] = 2, -1.5, 1
    return x, x @ kernel + 3 + 0.1 * random.normal(size=200)


@pytest.mark.by_turns(2)
@pytest.mark.parametrize(
    "optimizer",
    [
        "GradientDescent(0.3)",
        "Momentum(0.05)",
        "Nesterov(0.05)",
        "Adagrad(0.5)",
        "RMSprop(CosineDecay(0.03))",
        "Adam(CosineDecay(0.1))",
    ],
)
def test_l1_leaves_exact_zeros_and_is_the_lasso(sparse, optimizer):
    x, y = sparse
    model = train(
        "Dense(1)", x=x, y=y, optimizer=optimizer, regularizer="L1(0.1)", epochs=500, batch_size="all", metrics=()
    )
    lasso = Lasso(alpha=0.1, tol=1e-10).fit(x, y)
    kernel = np.asarray(model.parameters[0]["kernel"])[:, 0]
    assert np.flatnonzero(kernel).tolist() == np.flatnonzero(lasso.coef_).tolist() == [2, 7, 11]
    np.testing.assert_allclose(kernel, lasso.coef_, atol=2e-3)
    np.testing.assert_allclose(model.parameters[0]["bias"], lasso.intercept_, atol=2e-3)  # it is not regularised


def test_l2_is_ridge_regression(sparse):
    x, y = sparse
    options = {"optimizer": "GradientDescent(0.3)", "epochs": 300, "batch_size": "all"}
    model = train("Dense(1)", x=x, y=y, regularizer="L2(0.1)", **options)
    centred = x - x.mean(axis=0)
    kernel = np.linalg.solve(centred.T @ centred / 200 + 0.2 * np.eye(20), centred.T @ (y - y.mean()) / 200)
    np.testing.assert_allclose(np.asarray(model.parameters[0]["kernel"])[:, 0], kernel, atol=1e-5)
    np.testing.assert_allclose(model.parameters[0]["bias"], y.mean() - x.mean(axis=0) @ kernel, atol=1e-5)


def test_the_cost_includes_the_term():
    model = train(optimizer=STILL, regularizer="L1(0.1) + L2(0.01)", epochs=1)
    kernel = np.asarray(model.parameters[0]["kernel"], np.float64)
    term = 0.1 * abs(kernel).sum() + 0.01 * (kernel**2).sum()
    plain = train(optimizer=STILL, epochs=1)
    assert model.history["cost"][0] == pytest.approx(plain.history["cost"][0] + term, rel=1e-6)
    assert model.evaluate(X, Y)["cost"] == pytest.approx(plain.evaluate(X, Y)["cost"] + term, rel=1e-6)


def test_only_kernels_are_regularised():
    network = "Dense(4, bias_initializer=Constant(0.5)) >> PReLU() >> Dense(1)"
    strong = train(network, y=np.zeros(40), optimizer="GradientDescent(0.1)", regularizer="L1(1e6)", epochs=1)
    first, slopes, last = strong.parameters
    assert not first["kernel"].any()
    assert not last["kernel"].any()
    np.testing.assert_allclose(first["bias"], 0.5, atol=0.5)
    assert first["bias"].all()
    assert slopes["slope"].all()


def test_slopes_are_trained():
    assert (train("Dense(4) >> PReLU() >> Dense(3) >> Softmax()").parameters[1]["slope"] != 0.25).all()


# Optimizers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Adam(0.01), optax.adam(0.01)),
        (Nesterov(0.01), optax.sgd(0.01, momentum=0.9, nesterov=True)),
        (ClipNorm(0.1) >> GradientDescent(0.5), optax.chain(optax.clip_by_global_norm(0.1), optax.sgd(0.5))),
        (GradientDescent(CosineDecay(0.5)), optax.sgd(optax.cosine_decay_schedule(0.5, 15))),  # 3 epochs of 5 steps
    ],
    ids=["Adam", "Nesterov", "clipped", "schedule"],
)
def test_optimizers_of_optax_do_the_same(ours, theirs):
    one, other = train(optimizer=ours), train(optimizer=theirs)
    close(one, other, rtol=1e-4, atol=1e-6)
    assert one.history["cost"] == pytest.approx(other.history["cost"], rel=1e-5)


def test_an_optimizer_may_be_notated():
    same(train(optimizer="Adam(0.01)"), train(optimizer=Adam(0.01)))


def test_clipping_bounds_the_step():
    first, after = (
        train(optimizer=o, batch_size="all", epochs=1) for o in (STILL, "ClipNorm(0.001) >> GradientDescent(1.0)")
    )
    steps = jax.tree.map(jnp.subtract, after.parameters, first.parameters)
    norm = sum(jnp.sum(step**2) for step in jax.tree.leaves(steps)) ** 0.5
    assert float(norm) == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("optimizer", [optax.adam(0.01), "Lion()", "ClipNorm(1.0) >> Lion()"], ids=["optax", *"12"])
def test_l1_needs_an_optimizer_whose_rates_are_known(optimizer):
    refused(
        f"fit: L1(0.1) needs the rates of the optimizer's steps, which {as_optimizer(optimizer)!r} does not tell. "
        f"Use another optimizer, such as Adam(0.001), or L2.",
        optimizer=optimizer,
        regularizer="L1(0.1)",
    )


# When it ends


@pytest.fixture(scope="module")
def stopped():
    """A training on noise, which early stopping ends."""
    return train(y=NOISE, optimizer="Adam(0.3)", validation=0.5, early_stopping=2, epochs=100)


def test_early_stopping_returns_the_best_epoch(stopped):
    history = stopped.history
    costs = history["validation_cost"]
    assert history.stopped == "early stopping"
    assert costs[history.best_epoch - 1] == min(costs)
    assert len(history) == history.best_epoch + 2
    best = train(y=NOISE, optimizer="Adam(0.3)", validation=0.5, epochs=history.best_epoch)
    for left, right in zip(jax.tree.leaves(best.parameters), jax.tree.leaves(stopped.parameters), strict=True):
        np.testing.assert_array_equal(left, right)


def test_the_validation_cost_is_that_of_the_model():
    model = train(x=X[:30], y=NOISE[:30], optimizer="Adam(0.3)", validation=(X[30:], NOISE[30:]), early_stopping=2)
    row = model.history.rows[model.history.best_epoch - 1]
    measured = model.evaluate(X[30:], NOISE[30:])
    assert measured == {"cost": row["validation_cost"], "accuracy": row["validation_accuracy"]}


def test_a_rule_may_be_notated(stopped):
    for rule in (EarlyStopping(2), "EarlyStopping(2)"):
        same(train(y=NOISE, optimizer="Adam(0.3)", validation=0.5, early_stopping=rule, epochs=100), stopped)


def test_all_epochs_keep_the_best_too():
    model = train(y=NOISE, optimizer="Adam(0.3)", validation=0.5, early_stopping=100)
    assert model.history.stopped == "epochs"
    assert model.history.best_epoch == np.argmin(model.history["validation_cost"]) + 1


def test_a_callback_is_told_the_row_and_the_model():
    ends = []
    model = train(callbacks=(ends.append for _ in range(1)))  # any iterable
    assert [end.row for end in ends] == model.history.rows
    assert {end.epochs for end in ends} == {3}
    same(ends[-1].model(), model)
    np.testing.assert_array_equal(ends[0].model().parameters[0]["kernel"], train(epochs=1).parameters[0]["kernel"])


def test_a_model_that_a_callback_keeps_has_its_own_history():
    kept = []
    train(callbacks=[lambda end: kept.append(end.model())])
    assert [len(model.history) for model in kept] == [1, 2, 3]


def test_a_callback_stops_by_true_only(trained):
    called = []
    model = train(callbacks=[lambda end: end.row["epoch"] == 2, lambda end: called.append(end.row["epoch"])])
    assert model.history.stopped == "callback"
    assert len(model.history) == 2
    assert called == [1, 2]  # every callback is called
    same(train(callbacks=[lambda end: 1]), trained)
    assert len(train(callbacks=[lambda end: np.True_]).history) == 1


def interrupt(end) -> None:
    if end.row["epoch"] == 2:
        raise KeyboardInterrupt


def test_an_interruption_returns_what_was_trained(trained):
    model = train(callbacks=[interrupt])
    assert model.history.stopped == "interrupted"
    assert model.history.rows == trained.history.rows[:2]
    np.testing.assert_array_equal(model.parameters[0]["kernel"], train(epochs=2).parameters[0]["kernel"])


def test_an_interruption_keeps_the_best_epoch():
    options = {"y": NOISE, "optimizer": "Adam(3.0)", "validation": 0.5, "early_stopping": 50}
    model = train(callbacks=[interrupt], **options)
    history = model.history
    assert (history.stopped, len(history)) == ("interrupted", 2)
    expected = train(**(options | {"early_stopping": None}), epochs=history.best_epoch)
    np.testing.assert_array_equal(model.parameters[0]["kernel"], expected.parameters[0]["kernel"])


def test_an_interruption_within_an_epoch(trained, monkeypatch):
    def step(self, epoch, step):
        if (epoch, step) == (3, 2):
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "CHUNK", 0.0)
    monkeypatch.setattr("chainrule.training.progress.Progress.step", step)
    model = train()
    monkeypatch.undo()
    assert model.history.stopped == "interrupted"
    assert model.history.rows == trained.history.rows[:2]
    assert model(X).shape == (40, 3)
    for whole in (train(epochs=2), trained):  # it is beyond the one and short of the other
        assert not np.array_equal(model.parameters[0]["kernel"], whole.parameters[0]["kernel"])


# When it goes wrong


def diverged(*arguments, **options) -> DivergedError:
    with pytest.raises(DivergedError) as caught:
        train(*arguments, **options)
    model = caught.value.model
    assert model.history.stopped == "diverged"
    assert all(np.isfinite(array).all() for array in jax.tree.leaves(model.parameters))
    assert np.isfinite(model(X)).all()
    return caught.value


def test_a_cost_that_is_no_longer_finite():
    error = diverged("Dense(1)", y=X[:, 0], optimizer="GradientDescent(300.0)", batch_size="all", epochs=100)
    rows = error.model.history.rows
    assert len(rows) > 2
    assert str(error) == (
        f"The cost became {float('inf')} in epoch {len(rows) + 1}; the last finite cost was {rows[-1]['cost']:.4g}. "
        "Lower the learning rate of GradientDescent(learning_rate=300.0), clip the gradient (ClipNorm(1.0) >> …), "
        "or standardise the data."
    )


def test_the_first_epoch_is_bad_already():
    error = diverged("Dense(1)", y=1e4 * X[:, 0], optimizer="GradientDescent(1e38)")
    assert str(error).startswith("The cost became nan in epoch 1; no epoch before was sound. Lower the learning rate")
    assert error.model.history.rows == []


@pytest.mark.parametrize("epochs", [1, 2])
def test_parameters_that_are_no_longer_finite(epochs):
    error = diverged("Dense(1)", y=1e4 * X[:, 0], optimizer="GradientDescent(1e38)", batch_size="all", epochs=epochs)
    assert str(error).startswith("The parameters became infinite in epoch 1; no epoch before was sound. Lower the")


def test_a_validation_cost_that_is_not_finite():
    error = diverged("Dense(1)", y=X[:, 0], validation=(5e18 * X, np.full(len(X), 1.8e19)), epochs=1)
    assert str(error).startswith("The validation cost became inf in epoch 1; no epoch before was sound. Lower the")


# Targets of every kind


def test_names_and_numbers_and_one_hot_train_alike(trained):
    named, one_hot = train(y=NAMES), train(y=np.eye(3)[Y])
    same(named, trained)
    close(one_hot, trained, rtol=1e-5)
    assert named.classes == ("ant", "bee", "cat")
    assert named.predict(X).tolist() == np.array(named.classes)[trained.predict(X)].tolist()


def test_two_classes_with_one_output():
    model = train("Dense(1) >> Sigmoid()", y=np.where(X[:, 0] > 0, "yes", "no"), optimizer="Adam(0.1)", epochs=30)
    assert model.classes == ("no", "yes")
    assert np.mean(model.predict(X) == np.where(X[:, 0] > 0, "yes", "no")) == model.history["accuracy"][-1] == 1.0


def test_values_in_a_column_or_not_train_alike():
    one, other = (train("Dense(1)", y=y) for y in (X[:, 0], X[:, :1]))
    same(one, other)
    assert one.predict(X).shape == (40,)
    assert one.classes is None
    assert one.history.columns == ["epoch", "cost"]


def test_several_values():
    model = train("Dense(2)", y=X[:, :2] * [1, 2], optimizer="GradientDescent(0.5)", batch_size="all", epochs=100)
    np.testing.assert_allclose(model.predict(X), X[:, :2] * [1, 2], atol=1e-3)


def test_validation_targets_are_read_as_those_of_training():
    model = train(y=NAMES, validation=(X[:5], NAMES[:5]))
    same(model, train(y=NAMES, validation=(X[:5].tolist(), Y[:5])))
    refused(
        "validation: the class 'dog' is not one of the training part's: ('ant', 'bee', 'cat').",
        y=NAMES,
        validation=(X[:2], ["ant", "dog"]),
    )


def test_metrics_may_be_chosen():
    model = train(metrics=["TopK(2)", "F1()"], validation=0.25)
    assert model.history.columns == [
        "epoch",
        "cost",
        "top_k_2",
        "validation_cost",
        "validation_top_k_2",
        "validation_f1",
    ]


def test_a_model_knows_how_it_was_trained():
    assert train(batch_size=36, early_stopping=5, validation=0.1, optimizer="Adam(CosineDecay(0.1))").training == {
        "optimizer": "Adam(learning_rate=CosineDecay(0.1))",
        "epochs": 3,
        "batch_size": "all",
        "early_stopping": "EarlyStopping(patience=5)",
        "metrics": ["Accuracy()"],
        "seed": 0,
    }


# State


class RunningMean(Layer):
    """Takes off the mean of what it saw in training."""

    def state(self, shape):
        return {"mean": jnp.zeros(shape)}

    def forward(self, p, x):
        raise NotImplementedError

    def apply(self, p, state, x, context=INFERENCE):
        if context.training:
            state = {"mean": 0.5 * state["mean"] + 0.5 * jnp.average(x, axis=0, weights=context.weights)}
        return x - state["mean"], state


def test_state_is_updated_by_training_and_used_afterwards(tmp_path):
    x = X + 10
    model = train("RunningMean() >> Dense(3) >> Softmax()", x=x, batch_size="all", epochs=2)
    mean = x.mean(axis=0)
    np.testing.assert_allclose(model.state[0]["mean"], 0.75 * mean, rtol=1e-5)
    p = model.parameters[1]
    z = (x - 0.75 * mean) @ np.asarray(p["kernel"]) + np.asarray(p["bias"])
    np.testing.assert_allclose(model(x), jax.nn.softmax(z), rtol=1e-4)
    model.save(tmp_path / "model")
    back = load(tmp_path / "model")
    np.testing.assert_array_equal(back.state[0]["mean"], model.state[0]["mean"])
    np.testing.assert_array_equal(back(x), model(x))


class Seen(Layer):
    """Counts what it is given in training, each row by its weight."""

    def state(self, shape):
        return {"rows": jnp.zeros(()), "sum": jnp.zeros(shape)}

    def forward(self, p, x):
        return x

    def apply(self, p, state, x, context=INFERENCE):
        if not context.training:
            return x, state
        rows, total = context.weights.sum(), jnp.tensordot(context.weights, x, 1)
        return x, {"rows": state["rows"] + rows, "sum": state["sum"] + total}


@pytest.mark.by_turns(2)
@pytest.mark.parametrize("batch_size", [16, 7, 40, "all"])
def test_rows_of_padding_and_rows_read_again_enter_no_statistic(batch_size):
    model = train("Seen() >> Dense(3) >> Softmax()", batch_size=batch_size, epochs=2)
    assert model.state[0]["rows"] == 2 * len(X)
    np.testing.assert_allclose(model.state[0]["sum"], 2 * X.sum(axis=0), rtol=1e-5, atol=1e-5)


# Choices that are refused


@pytest.mark.parametrize("name", ["epochs", "seed"])
@pytest.mark.parametrize("value", [-1, 1.5, "3", None, True, 10**10])
def test_whole_numbers(name, value):
    span = "1 to 1000000000" if name == "epochs" else "0 to 4294967295"
    refused(f"fit: {name} must be a whole number from {span}, got {value!r}.", **{name: value})


@pytest.mark.parametrize("value", [0, -1, 1.5, "some", True])
def test_batch_size(value):
    refused(f'fit: batch_size must be a whole number >= 1 or "all", got {value!r}.', batch_size=value)


def test_a_batch_larger_than_the_data_is_all_of_it():
    with pytest.warns(
        UserWarning, match=r'^batch_size 41 is more than the 40 training rows: it becomes "all"\.$'
    ) as told:
        model = train(batch_size=41)
    assert [warning.filename for warning in told] == [__file__]
    same(model, train(batch_size="all"))


def test_examples():
    refused("fit: x[3, 1] is nan, expected finite numbers. Fill the gap or leave the row out.", x=blank(X, (3, 1)))
    refused("fit: expected examples of shape (rows, …), got ().", x=1.0)
    nothing = "fit: expected examples with something in them, got shape {}."
    for shape in ((40, 0), (40, 0, 2), (40, 3, 0)):
        refused(nothing.format(shape), x=np.zeros(shape))
    large = X.astype(np.float32)
    large[3, 1] = 3e38
    refused("fit: x[3, 1] is 3e+38, expected numbers up to 1.8e+19. Divide by their scale.", x=large)
    refused("fit: expected at least one example, got none.", x=X[:0], y=Y[:0])


def test_targets():
    refused("fit: expected 40 targets, one for each example, got shape (39,).", y=Y[1:])
    refused("fit: y[3] is nan, expected finite numbers. Fill the gap or leave the row out.", "Dense(1)", y=blank(Y, 3))
    refused(
        "fit: the targets have 3 classes, but Dense(2) gives 2 outputs. End it with Dense(3) >> Softmax().",
        "Dense(2) >> Softmax()",
    )


def blank(array, place) -> np.ndarray:
    array = array.astype(float)
    array[place] = np.nan
    return array


def test_weights():
    refused("fit: expected sample_weight of shape (40,), got (3,).", sample_weight=[1, 2, 3])
    refused("fit: expected sample_weight to be numbers, one an example, got str.", sample_weight="balanced")
    refused(
        "fit: sample_weight[3] is nan, expected finite numbers. Fill the gap or leave the row out.",
        sample_weight=blank(np.ones(40), 3),
    )
    for weights in (np.zeros(40), -np.ones(40)):
        refused("fit: sample_weight must not be negative, and not zero everywhere.", sample_weight=weights)


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0.0"), (1.0, "1.0"), (1, "1"), ("a", "'a'"), ([X, Y], "list"), ((X, Y, Y, Y), "tuple")]
)
def test_validation(value, shown):
    refused(f"fit: validation must be (x, y) or a fraction between 0 and 1, got {shown}.", validation=value)


def test_validation_that_leaves_nothing():
    for fraction in (0.001, 0.999):
        refused(
            f"fit: validation={fraction} of 40 rows leaves a part empty. Choose another fraction.", validation=fraction
        )
    refused(
        "fit: validation=0.1 leaves a part where sample_weight is zero everywhere. Choose another fraction.",
        validation=0.1,
        sample_weight=np.arange(40) == 0,
    )
    refused("validation: expected at least one example, got none.", validation=(X[:0], Y[:0]))


def test_validation_of_another_shape():
    refused("validation: expected examples of shape (rows, 4), got (40, 3).", validation=(X[:, :3], Y))
    refused("validation: expected 40 targets, one for each example, got shape (3,).", validation=(X, Y[:3]))


@pytest.mark.parametrize("metrics", [None, ["F1"], []])
def test_early_stopping_may_watch_a_metric(metrics):
    model = train(
        y=NOISE,
        optimizer="Adam(0.3)",
        validation=0.5,
        early_stopping="EarlyStopping(3, monitor=F1())",
        epochs=100,
        metrics=metrics,
    )
    watched = model.history["validation_f1"]
    assert model.history.stopped == "early stopping"
    assert model.history.best_epoch == int(np.argmax(watched)) + 1 == len(watched) - 3
    assert model.training["early_stopping"] == "EarlyStopping(patience=3, monitor=F1(average='macro'))"


def test_early_stopping_needs_validation():
    refused("fit: early_stopping watches the validation cost: give validation too, such as 0.1.", early_stopping=3)
    refused(
        "EarlyStopping: patience must be a whole number >= 1, got 0. The default is 10.",
        early_stopping=0,
        validation=0.5,
    )


@pytest.mark.parametrize(
    ("network", "what"),
    [
        ("Dense(10000000000) >> Dense(1)", "Dense(10000000000): its 20,000,000,000 parameters would take 80 GB"),
        (
            "Reshape((1, 1)) >> Conv1D(8, 1) >> Reshape((8,)) >> Dense(10000000) >> Dense(1)",
            "Dense(10000000): its outputs for 100,000 examples would take 4e+03 GB",
        ),
    ],
)
def test_networks_larger_than_memory(network, what):
    x = np.zeros((100_000, 1))
    with pytest.raises(ChainruleError) as caught:
        fit(network, x, x[:, 0], batch_size="all", epochs=1, progress=False)
    assert str(caught.value).startswith(f"fit: {what}, more than a quarter of this machine's memory (")
