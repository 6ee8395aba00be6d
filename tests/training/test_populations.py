"""Populations: each network is what its own training makes of it, whatever becomes of the others."""

import _thread
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.sparse import csr_array

from chainrule import parse
from chainrule.activations import Softmax
from chainrule.arrays import memory
from chainrule.arrays.devices import hosted
from chainrule.arrays.random import keyed
from chainrule.costs import CategoricalCrossEntropy
from chainrule.data.loaders import from_arrays
from chainrule.errors import ChainruleError, DivergedError
from chainrule.initializers import HeNormal, Initializer
from chainrule.layers import Dense
from chainrule.model.file import to_bytes
from chainrule.notation.choices import as_optimizer
from chainrule.optimizers import Adam, GradientDescent
from chainrule.regularizers import L1
from chainrule.training import Checkpoints, fit, loop, populations
from chainrule.training.keeping import Keeper
from chainrule.training.members import members
from chainrule.training.plan import plan
from chainrule.training.step import Problem, first

random = np.random.default_rng(0)
ROWS = 45
X = random.normal(size=(ROWS, 6)).astype(np.float32)
Y = (X @ random.normal(size=(6, 3))).argmax(axis=1)
WEIGHTS = random.uniform(0.5, 2, ROWS)
IMAGES = random.normal(size=(ROWS, 6, 6, 1)).astype(np.float32)
WAVES = [random.normal(size=(2 + n % 4, 3)) for n in range(ROWS)]
STEPS = [2 * wave[:, :1] for wave in WAVES]
FEW = csr_array(np.where(random.random((ROWS, 40)) < 0.1, 1.0, 0.0) + np.eye(ROWS, 40))
CHOICES = {"epochs": 2, "batch_size": 8, "progress": False}
SMALL = "Dense(3) >> Softmax()"
BY_STEPS = "Repeat(Dense(4), 2) >> BatchNorm() >> LSTM(3, forget_bias=1.0) >> Dense(3) >> Softmax()"
BY_WORDS = "Embedding(9, 4, padding_id=0) >> Conv1D(4, 3, groups=2) >> WeightNorm(GRU(3)) >> Dense(3) >> Softmax()"

NETWORKS = {
    "dropout, weights, a fraction": (
        "Dense(8) >> LeakyReLU([0.01, 0.2, 0.1]) >> Dropout([0.1, 0.5, 0.3]) >> Dense(3) >> Softmax()",
        X,
        {"seed": [3, 1, 3], "validation": 0.2, "sample_weight": WEIGHTS, "optimizer": "Adam([0.003, 0.01, 0.1])"},
    ),
    "normalised, in one batch": (
        "Dense(8, bias=False) >> BatchNorm() >> ReLU() >> Dense(3) >> Softmax()",
        X,
        {"seed": [0, 1], "validation": 0.2, "batch_size": "all", "regularizer": "GroupLasso([0.01, 0.1]) + MaxNorm(1)"},
    ),
    "images": (
        "Conv2D(4, 3) >> BatchNorm() >> ReLU() >> MaxPool2D(2) >> Flatten() >> Dense(3) >> Softmax()",
        IMAGES,
        {"seed": [0, 1], "optimizer": "Momentum(CosineDecay([0.01, 0.1]))", "validation": (IMAGES[:9], Y[:9])},
    ),
    "sequences": ("LSTM(4) >> Dense(3) >> Softmax()", WAVES, {"seed": [0, 1], "regularizer": "L2([0.0, 0.1])"}),
    "gated": (
        "GRU(4, recurrent_dropout=0.2) >> Dense(3) >> Softmax()",
        WAVES,
        {"optimizer": "RMSprop([0.001, 0.01])", "regularizer": "L2([0.1, 0.0])", "validation": 0.2},
    ),
    "values at each step": (
        "RNN(4, return_sequences=True) >> Dense(1)",
        WAVES,
        {"seed": [0, 1], "validation": 0.2, "early_stopping": "EarlyStopping(1, fall=[0.0, 1.0])"},
    ),
    "sparse": (SMALL, FEW, {"seed": [4, 5], "optimizer": "ClipNorm([0.1, 1.0]) >> Adam()", "validation": 0.3}),
}  # fmt: skip


def train(network=SMALL, x=X, y=Y, **options):
    return fit(network, x, y, **CHOICES | options)


def close(one, other) -> None:
    """Two models are the same to rounding, and described alike."""
    assert (one.network, one.cost, one.regularizer) == (other.network, other.cost, other.regularizer)
    assert one.training == other.training
    assert (one.history.stopped, one.history.best_epoch) == (other.history.stopped, other.history.best_epoch)
    assert one.history.columns == other.history.columns
    for column in one.history.columns:
        np.testing.assert_allclose(one.history[column], other.history[column], rtol=1e-4, atol=1e-6, err_msg=column)
    trees = [jax.tree.leaves((model.parameters, model.state)) for model in (one, other)]
    for mine, its in zip(*trees, strict=True):
        assert isinstance(mine, jax.Array)
        np.testing.assert_allclose(mine, its, rtol=1e-3, atol=3e-5)


def own(text, place: int):
    """The notation of one member, or what else is given for it."""
    if isinstance(text, str):
        return re.sub(r"\[([^]]*)\]", lambda numbers: numbers[1].split(", ")[place], text)
    return text[place] if isinstance(text, list) else text


@pytest.mark.by_turns(4)
@pytest.mark.parametrize("of", NETWORKS)
def test_each_is_what_its_own_fit_makes(of):
    network, x, options = NETWORKS[of]
    y = STEPS if "step" in of else Y
    models = train(network, x, y, **options)
    assert len(models) in (2, 3)
    for place in (0, len(models) - 1):
        alone = {name: own(value, place) for name, value in options.items()}
        close(models[place], train(own(network, place), x, y, **alone))


def test_values_begin_as_in_a_fit_to_the_bit():
    still = "GradientDescent(1e-38)"  # a rate that changes no bit
    for place, model in enumerate(train("Dense(4) >> Tanh() >> Dense(3) >> Softmax()", seed=[7, 8], optimizer=still)):
        alone = train("Dense(4) >> Tanh() >> Dense(3) >> Softmax()", seed=7 + place, optimizer=still)
        for mine, its in zip(jax.tree.leaves(model.parameters), jax.tree.leaves(alone.parameters), strict=True):
            np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("kind", ["threefry2x32", "rbg"])
def test_values_that_jax_draws_begin_as_in_a_fit(kind):
    class Drawn(Initializer):
        textbook = "N(0, 1)"

        def __call__(self, key, shape):
            return jax.random.normal(key, shape)

    network = Dense(3, kernel_initializer=Drawn()) >> Softmax()
    with jax.default_prng_impl(kind):
        models = train(network, seed=[7, 8], epochs=1, optimizer="GradientDescent(1e-38)")
        alone = train(network, seed=7, epochs=1, optimizer="GradientDescent(1e-38)")
    close(models[0], alone)
    assert np.std(models[1].parameters[0]["kernel"] - alone.parameters[0]["kernel"]) > 0.5


def test_an_initialiser_of_ones_own_is_given_what_jax_has():
    class Cleared(Initializer):
        textbook = "N(0, 1), and no first row"

        def __call__(self, key, shape):
            [own] = jax.random.split(key, 1)
            return HeNormal()(own, shape).at[:1].set(0)

    network = Dense(3, kernel_initializer=Cleared()) >> Softmax()
    models = train(network, seed=[7, 8], epochs=1, optimizer="GradientDescent(1e-38)")
    close(models[0], train(network, seed=7, epochs=1, optimizer="GradientDescent(1e-38)"))
    assert not np.any(models[1].parameters[0]["kernel"][0])


@pytest.mark.parametrize(
    "optimizer", ["Adam()", "Nesterov()", "GradientDescent()", "Muon()", "LBFGS()", "Averaged(Adam())"]
)
@pytest.mark.parametrize("network", [BY_STEPS, BY_WORDS])
def test_first_values_wait_on_the_host_for_those_of_the_others(optimizer, network):
    problem = Problem(parse(network), CategoricalCrossEntropy(), as_optimizer(optimizer), None, ())
    with hosted(), jax.transfer_guard("disallow"):
        state = first(problem, keyed(np.array([0, 1], np.uint32)), (5, 4) if network == BY_STEPS else (5,))
    assert {type(array) for array in jax.tree.leaves(state)} == {np.ndarray}


def test_arrays_lists_and_notation_say_the_same():
    for optimizer in (Adam(np.array([0.1, 0.2])), Adam([0.1, 0.2]), Adam((0.1, 0.2)), "Adam([0.1, 0.2])"):  # type: ignore[arg-type]
        first, second = train(optimizer=optimizer, epochs=1)
        assert first.training["optimizer"] == "Adam(learning_rate=0.1)"
        assert second.training["optimizer"] == "Adam(learning_rate=0.2)"
    [alone] = train(seed=[0], epochs=1)
    close(alone, train(epochs=1))
    assert len(train(seed=np.arange(3), epochs=1)) == len(train(seed=range(3), epochs=1)) == 3


def planned(**options):
    given = {"cost": None, "optimizer": "Adam()", "regularizer": None, "epochs": 2, "batch_size": 8, "validation": 0.2}
    given |= {"early_stopping": None, "sample_weight": None, "metrics": None, "seed": 0, "classes": None}
    return plan(SMALL, X, Y, **given | {"preprocessor": None, "after": None} | options)  # type: ignore[arg-type]


def test_a_member_is_an_ordinary_plan_of_examples_that_all_share():
    one, other = members(planned(optimizer=Adam([0.1, 0.2])), [5, 6], None, 0.2)  # type: ignore[arg-type,misc]
    alone = planned(optimizer="Adam(0.2)", seed=6)
    assert other.choices == alone.choices
    np.testing.assert_array_equal(other.examples.part(0).x, alone.examples.part(0).x)
    np.testing.assert_array_equal(other.held_out.part(0).E, alone.held_out.part(0).E)  # type: ignore[union-attr]
    assert one.examples.examples.x is other.examples.examples.x  # type: ignore[attr-defined]
    assert not np.array_equal(one.examples.chosen, other.examples.chosen)  # type: ignore[attr-defined]
    assert members(alone, None, None, 0.2) is None


# What becomes of one, and not of the others


def test_a_network_that_stopped_is_changed_no_more():
    options = {"validation": (X[:10], Y[:10]), "epochs": 6, "early_stopping": 1, "seed": [0, 1, 2]}
    models = train(optimizer="Adam([0.01, 1e-30, 0.01])", **options)
    assert [len(model.history) for model in models] == [6, 2, 6]
    assert [model.history.stopped for model in models] == ["epochs", "early stopping", "epochs"]
    for place in (1, 2):
        alone = options | {"seed": place}
        close(models[place], train(optimizer=f"Adam({own('[0.01, 1e-30, 0.01]', place)})", **alone))


def test_few_that_are_left_go_on_among_themselves(monkeypatch):
    counts = []
    begin = populations.Population.__init__

    def begun(self, members, *others, **more):
        counts.append(len(members))
        begin(self, members, *others, **more)

    monkeypatch.setattr(populations.Population, "__init__", begun)
    options = {"validation": (X[:10], Y[:10]), "epochs": 4, "early_stopping": 1}
    models = train(optimizer="Adam([1e-30, 0.01, 1e-30, 1e-30])", **options)
    assert counts == [4, 1]
    close(models[1], train(optimizer="Adam(0.01)", **options))
    assert [len(model.history) for model in models] == [2, 4, 2, 2]


def test_one_that_diverges_ends_alone():
    said = (
        r"^Of 3 networks, counted from 0, number 1 diverged and keeps the last good parameters. Number 1: "
        r"The \w+ became \w+ in epoch \d; .* Lower the learning rate of GradientDescent\(learning_rate=1e\+30\), "
    )
    with pytest.warns(UserWarning, match=said):
        models = train("Dense(1)", y=X[:, 0] * 2, optimizer=GradientDescent([0.1, 1e30, 0.2]), epochs=3)  # type: ignore[arg-type]
    assert [model.history.stopped for model in models] == ["epochs", "diverged", "epochs"]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(models[1].parameters))
    close(models[2], train("Dense(1)", y=X[:, 0] * 2, optimizer="GradientDescent(0.2)", epochs=3))


def test_where_all_diverge_that_is_the_error():
    with pytest.raises(DivergedError, match="Lower the learning rate of ") as caught:
        train("Dense(1)", y=X[:, 0], optimizer="GradientDescent([1e30, 1e31])")
    with pytest.raises(DivergedError) as alone:
        train("Dense(1)", y=X[:, 0], optimizer="GradientDescent(1e30)")
    assert str(caught.value) == str(alone.value)
    close(caught.value.model, alone.value.model)


def test_callbacks_are_told_of_each_and_stop_it_alone():
    told = []

    def tell(end):
        told.append((end.member, end.row["epoch"], end.epochs))
        assert end.model().training["seed"] == end.member + 4
        return end.member == 1

    models = train(seed=[4, 5, 6], callbacks=[tell])
    assert told == [(0, 1, 2), (1, 1, 2), (2, 1, 2), (0, 2, 2), (2, 2, 2)]
    assert [model.history.stopped for model in models] == ["epochs", "callback", "epochs"]


def test_checkpoints_of_each_go_on(monkeypatch):
    checkpoints = {}

    def keep(end):
        checkpoints[end.member] = end.checkpoint()

    train(seed=[0, 1], epochs=2, callbacks=[keep], optimizer="Adam([0.01, 0.1])")
    models = train(seed=[0, 1], epochs=1, after=[checkpoints[0], checkpoints[1]], optimizer="Adam([0.01, 0.1])")
    for model, whole in zip(models, train(seed=[0, 1], epochs=3, optimizer="Adam([0.01, 0.1])"), strict=True):
        assert model.history.rows == whole.history.rows
        for mine, its in zip(jax.tree.leaves(model.parameters), jax.tree.leaves(whole.parameters), strict=True):
            np.testing.assert_array_equal(mine, its)


def test_ctrl_c_returns_all():
    def interrupt(end):
        if (end.member, end.row["epoch"]) == (0, 2):
            _thread.interrupt_main()

    models = train(seed=[0, 1], epochs=1000, callbacks=[interrupt])
    assert [model.history.stopped for model in models] == ["interrupted"] * 2
    assert {len(model.history) for model in models} == {2}


@pytest.mark.slow
def test_groups_as_large_as_memory_allows(monkeypatch):
    network, rates = "Dense(8) >> ReLU() >> Dense(3) >> Softmax()", "Adam([0.001, 0.01, 0.1])"
    at_once = train(network, optimizer=rates, seed=[1, 2, 3], validation=0.2)
    groups = []
    begin = populations.Population.__init__

    def begun(self, members, *others):
        groups.append(len(members))
        begin(self, members, *others)

    monkeypatch.setattr(populations.Population, "__init__", begun)
    monkeypatch.setattr(populations, "most", lambda: 9_000)
    for mine, its in zip(train(network, optimizer=rates, seed=[1, 2, 3], validation=0.2), at_once, strict=True):
        close(mine, its)
    assert groups == [1, 2]
    assert memory.most() > 9_000


def test_ctrl_c_leaves_later_groups_as_they_began(monkeypatch):
    monkeypatch.setattr(populations, "most", lambda: 1)
    first, second = train(seed=[0, 1], epochs=1000, callbacks=[lambda end: _thread.interrupt_main()])
    assert (first.history.stopped, len(first.history)) == ("interrupted", 1)
    assert (second.history.stopped, len(second.history)) == ("interrupted", 0)
    assert second.predict(X).shape == Y.shape


def test_what_is_shown(capsys):
    train(seed=[0, 1, 2], progress=True, validation=0.2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    figures = r"  cost [\d.]+  accuracy [\d.]+  validation cost [\d.]+  validation accuracy [\d.]+"
    assert re.match(r"epoch 2/2  networks 3" + figures, lines[1])


def test_a_loader_is_visited_in_one_order():
    loader = from_arrays(X, Y, size=16)
    first, second = fit(SMALL, loader, optimizer="Adam([0.01, 0.1])", **CHOICES)
    close(second, fit(SMALL, loader, optimizer="Adam(0.1)", **CHOICES))
    assert first.history.rows != second.history.rows


# Going on from a file


KEPT = {
    "seeds and noise": {
        "network": "Dense(6) >> Dropout([0.1, 0.5, 0.3]) >> Dense(3) >> Softmax()", "seed": [0, 1, 0], "validation": 0.2
    },
    "stopped early and diverged": {
        "optimizer": "GradientDescent([0.1, 1e30, 0.03, 1e-9, 1e-9, 1e-9])",
        "regularizer": "L2([0, 1e30, 0, 0, 0, 0])",
        "validation": (X[:9], (Y[:9] + 1) % 3),
        "early_stopping": "EarlyStopping(1, fall=[0.0, 0.0, 0.0, 1.0, 1.0, 1.0])",
        "epochs": 4,
    },
    "in groups": {"optimizer": "Adam([0.01, 0.1, 0.03])"},
}  # fmt: skip


@pytest.mark.parametrize("case", KEPT)
@pytest.mark.filterwarnings("ignore:Of 6 networks")
def test_it_goes_on_from_a_file_to_the_same_bits(monkeypatch, tmp_path, case):
    files: list[Path] = []

    def reached(self, checkpoints, epoch, step):
        files.append(tmp_path / f"{len(files)} epoch {epoch} step {step}")
        files[-1].write_bytes(self.content(checkpoints()))

    if case == "in groups":
        monkeypatch.setattr(populations, "most", lambda: 1)
    with monkeypatch.context() as patched:
        patched.setattr(loop, "CHUNK", 0.0)
        patched.setattr(Keeper, "reached", reached)
        whole = [*map(to_bytes, train(**KEPT[case], checkpoint=tmp_path / "kept"))]
    for file in [*files[::5], files[-1]]:
        again = train(**KEPT[case], resume=file)
        assert [*map(to_bytes, again)] == whole, file.name


def test_a_population_is_kept_in_a_folder(tmp_path):
    whole = train(seed=[0, 1], checkpoint=Checkpoints(tmp_path, every="3 steps"))
    assert len([*tmp_path.iterdir()]) == 2
    again = train(seed=[0, 1], checkpoint=tmp_path, resume=True)
    assert [*map(to_bytes, again)] == [*map(to_bytes, whole)]
    with pytest.raises(ChainruleError, match="the checkpoint is of 2 networks, not 3"):
        train(seed=[0, 1, 2], resume=tmp_path)
    with pytest.raises(ChainruleError, match="the checkpoint is of a training with seed 1, not 2"):
        train(seed=[0, 2], resume=tmp_path)


# What does not fit


REFUSALS = {
    "seed is given for 3 networks and optimizer.learning_rate for 2. Give both for as many.": {"seed": [0, 1, 2]},
    "optimizer.learning_rate is given for 2 networks and regularizer.strength for 3. Give both for as many.": {
        "regularizer": L1([0.1, 0.2, 0.3])  # type: ignore[arg-type]
    },
    "optimizer.learning_rate is of shape (1, 2). Give a list: a number for each network.": {
        "optimizer": Adam(np.array([[0.1, 0.2]]))  # type: ignore[arg-type]
    },
    "seed is an empty list. Give one for each network.": {"seed": []},
    "seed must be a whole number from 0 to 4294967295, got 0.5.": {"seed": [0, 0.5]},
    "after must be the checkpoint that a callback is told, got int.": {"after": [None, 3]},
    "networks visit the parts of a loader together, in one order. Give one seed for all.": {
        "seed": [0, 1], "x": from_arrays(X, Y, size=16), "y": None
    },
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals(reason):
    with pytest.raises(ChainruleError) as caught:
        train(**{"optimizer": "Adam([0.1, 0.2])"} | REFUSALS[reason])
    assert str(caught.value) == f"fit: {reason}"


def test_checkpoints_of_different_epochs_are_refused():
    ends = []
    train(callbacks=[lambda end: ends.append(end.checkpoint())])
    with pytest.raises(ChainruleError, match=r"^fit: after must be checkpoints of the same epoch\. "):
        train(seed=[0, 0], after=ends)


def test_first_values_that_do_not_fit_show_the_number_of_one_member():
    with pytest.raises(ChainruleError, match=r"^Dirac\(gain=0\.5\): expected a convolution's kernel, got shape "):
        train("Dense(3, kernel_initializer=Dirac([0.5, 0.6])) >> Softmax()")


def test_a_number_of_one_member_that_its_field_refuses():
    with pytest.raises(ChainruleError, match=r"^Adam: learning_rate\[1\] must be a number > 0 or a schedule, got -1\."):
        parse("Adam([0.1, -1])")


def test_a_network_without_numbers_is_the_same_for_all():
    models = train(Dense(3) >> parse("Softmax()"), optimizer="Adam([0.1, 0.2])", epochs=1)  # type: ignore[arg-type]
    assert {repr(model.network) for model in models} == {SMALL}
