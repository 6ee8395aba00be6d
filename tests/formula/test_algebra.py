"""The algebra of layers: what compositions compute, and what they pass on: shapes, masks, statistics and noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.activations import ELU, Identity, PReLU, ReLU, Sigmoid, Tanh
from chainrule.arrays.masked import Masked
from chainrule.errors import ChainruleError
from chainrule.formula.context import INFERENCE, Context
from chainrule.formula.layer import Add, Chain, Concatenate, Layer, Multiply, outputs_of
from chainrule.formula.network import check_sizes, count, initialize, regularized
from chainrule.formula.repeat import Repeat
from chainrule.initializers import Constant, Zeros
from chainrule.layers import (
    GRU,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    EntityEmbedding,
    Flatten,
    GlobalAveragePool1D,
    GlobalAveragePool2D,
    MaxPool1D,
    MaxPool2D,
    Reshape,
)
from chainrule.notation import parse
from chainrule.regularizers import L1, L2, Regularizer, penalty, shrunk

KEY = jax.random.key(0)
f, g, h, k = Dense(3), ReLU(), Tanh(), Dropout(0.5)


class Count(Layer):
    """Adds up what passes in training: the smallest layer with statistics."""

    def state(self, shape):
        return {"seen": jnp.zeros(())}

    def forward(self, p, x):
        return x

    def apply(self, p, state, x, context=INFERENCE):
        return x, {"seen": state["seen"] + x.sum()} if context.training else state


def drawn(layer, shape):
    return jax.jit(lambda: initialize(layer, shape, KEY))()


def batch(*shape, rows=4):
    return jnp.asarray(np.random.default_rng(0).normal(size=(rows, *shape)).astype(np.float32))


def refused(text, action, *arguments):
    with pytest.raises(ChainruleError) as caught:
        action(*arguments)
    assert str(caught.value) == text


# Notation.


@pytest.mark.parametrize(
    ("made", "kind"), [(f >> g, Chain), (f + g, Add), (f * g, Multiply), (f | g, Concatenate)], ids=str
)
def test_an_operator_makes_its_composition(made, kind):
    assert type(made) is kind
    assert made == kind((f, g)) == kind([f, g])
    assert hash(made) == hash(kind((f, g)))


@pytest.mark.parametrize("kind", [Chain, Add, Multiply, Concatenate])
def test_each_is_flat_however_it_is_composed(kind):
    both = kind((f, g))
    assert kind((both, h)) == kind((f, kind((g, h)))) == kind((kind((f,)), g, kind((h,)))) == kind((f, g, h))
    assert kind.of(both, kind((h, k))).layers == (f, g, h, k)


@pytest.mark.parametrize(
    "text",
    [
        "Dense(3) + ReLU() * Tanh() >> ReLU() | Tanh()",
        "Dense(3) | ReLU() >> Tanh() + ReLU() * Tanh()",
        "Identity() + (LayerNorm() >> ReLU()) >> Identity() + (LayerNorm() >> Tanh())".replace("LayerNorm", "Sigmoid"),
        "(Dense(3) | ReLU()) >> (Dense(3) + ReLU()) * (Tanh() >> ReLU())",
        "(Dense(3) | ReLU()) * Tanh()",
        "ReLU() * (Dense(3) >> Sigmoid())",
        "Repeat(Identity() + (Dense(3) >> ReLU()), 3) | Chain((ReLU(),))",
        "Multiply((ReLU(),)) + Concatenate((ReLU() + Tanh(),))",
    ],
)
def test_it_prints_with_the_brackets_that_it_needs(text):
    assert repr(parse(text)) == text


trees = st.recursive(
    st.sampled_from([f, g, h, k]),
    lambda inner: (
        st.builds(
            lambda kind, many: kind(tuple(many)),
            st.sampled_from([Chain, Add, Multiply, Concatenate]),
            st.lists(inner, min_size=2, max_size=4),
        )
        | st.builds(Repeat, inner, st.integers(1, 3))
    ),
    max_leaves=12,
)


@given(trees)
def test_it_is_read_back_and_no_bracket_could_be_left_out(tree):
    text = repr(tree)
    assert parse(text) == tree
    for start, sign in enumerate(text):
        if sign == "(" and not text[start - 1 : start].isalnum():  # of no call
            end = closing(text, start)
            assert parse(text[:start] + text[start + 1 : end] + text[end + 1 :]) != tree


def closing(text, start):
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "(") - (text[place] == ")")
        if not depth:
            return place
    raise AssertionError(text)


@given(trees)
def test_python_makes_the_same_of_it(tree):
    names = {kind.__name__: kind for kind in (Dense, ReLU, Tanh, Dropout, Repeat)}
    assert eval(repr(tree), names) == tree


@pytest.mark.parametrize("compose", ["x >> y", "x + y", "x * y", "x | y", "y >> x", "y + x", "y * x", "y | x"])
@pytest.mark.parametrize("other", [3, 0.5, "ReLU()", None, Zeros(), L1(0.1)], ids=repr)
def test_a_layer_composes_with_layers_only(compose, other):
    with pytest.raises(TypeError):
        eval(compose, {"x": f, "y": other})


@pytest.mark.parametrize("text", ["+x", "-x", "~x", "x - x", "x / x", "x @ x", "x & x", "x ^ x", "x << x", "x ** 2"])
def test_other_operators_are_refused(text):
    with pytest.raises(TypeError):
        eval(text, {"x": f})


# Values.


def test_branches_are_added_multiplied_and_joined():
    x = batch(3)
    for made, truth in (
        (g + h + Identity(), jnp.maximum(x, 0) + jnp.tanh(x) + x),
        (g * h * Identity(), jnp.maximum(x, 0) * jnp.tanh(x) * x),
        (g | h | Identity(), jnp.concatenate([jnp.maximum(x, 0), jnp.tanh(x), x], axis=-1)),
    ):
        y = made.forward(((),) * 3, x)
        np.testing.assert_allclose(y, truth, rtol=1e-6)
        assert y.shape[1:] == made.output_shape((3,))


def test_each_branch_has_parameters_of_its_own_and_sees_the_same_input():
    glu = Dense(4) * (Dense(4) >> Sigmoid())
    p, x = drawn(glu, (3,)), batch(3)
    linear, (gate, none) = p
    assert none == {}
    assert not np.allclose(linear["kernel"], gate["kernel"])
    by_hand = (x @ linear["kernel"]) * jax.nn.sigmoid(x @ gate["kernel"])
    np.testing.assert_allclose(glu.forward(p, x), by_hand, rtol=1e-5)


def test_an_axis_of_one_and_axes_that_are_missing_spread_out():
    x = batch(2, 3, 4)
    excite = Identity() * (GlobalAveragePool2D() >> Tanh())
    np.testing.assert_allclose(
        excite.forward(((), ((), ())), x), x * jnp.tanh(x.mean((1, 2)))[:, None, None], rtol=1e-5
    )
    assert excite.output_shape((2, 3, 4)) == (2, 3, 4)
    column = Identity() + (
        Reshape((24,)) >> Dense(2, kernel_initializer=Zeros(), bias_initializer=Constant(1.0)) >> Reshape((2, 1, 1))
    )
    np.testing.assert_allclose(column.forward(drawn(column, (2, 3, 4)), x), x + 1, rtol=1e-6)
    joined = GlobalAveragePool2D() | Identity() | MaxPool2D((2, 3))
    y = joined.forward(((),) * 3, x)
    assert y.shape[1:] == joined.output_shape((2, 3, 4)) == (2, 3, 12)
    np.testing.assert_allclose(y[:, 1, 2, :4], x.mean((1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(y[:, 1, 2, 4:8], x[:, 1, 2])
    np.testing.assert_array_equal(y[:, 1, 2, 8:], x.max((1, 2)))


def test_whole_numbers_become_real_where_they_would_overflow():
    x = jnp.full((1, 2), 100, jnp.int8)
    assert (Identity() + Identity()).forward(((), ()), x).tolist() == [[200, 200]]
    assert (Identity() * Identity()).forward(((), ()), x).tolist() == [[10000, 10000]]
    assert (Identity() | Identity()).forward(((), ()), x).dtype == jnp.int8


def test_what_the_inputs_are_is_asked_of_the_branches():
    assert (Embedding(9, 2) + Embedding(7, 2)).tokens == 7
    assert (Embedding(9, 2) | Identity()).tokens == 9
    assert Repeat(Embedding(9, 2), 2).tokens == (Embedding(9, 2) >> ReLU()).tokens == 9
    assert (ReLU() + Tanh()).tokens is None
    entities = EntityEmbedding((3, 4), 2)
    assert (Identity() | entities).categories == (entities >> ReLU()).categories == Repeat(entities, 2).categories == 2


@pytest.mark.parametrize(
    ("made", "shape", "text"),
    [
        (Identity() + Conv2D(6, 3), (8, 8, 6),
         "Add: expected branches of shapes that agree, got (8, 8, 6) from Identity() and (6, 6, 6) from Conv2D(6, 3). "
         "Make their sizes equal, or 1 where one spreads out over the other."),
        (Dense(3) * Dense(1) * (Dense(4) >> ReLU()), (2,),
         "Multiply: expected branches of shapes that agree, got (3,) from Dense(3) and (4,) from Dense(4) >> ReLU(). "
         "Make their sizes equal, or 1 where one spreads out over the other."),
        (Identity() | MaxPool2D(2), (8, 8, 6),
         "Concatenate: expected branches of shapes that agree, got (8, 8, 6) from Identity() and (4, 4, 6) from "
         "MaxPool2D(size=2). Make their sizes equal, or 1 where one spreads out over the other."),
        (Identity() | Identity(), (),
         "Identity() | Identity(): expected examples of at least one axis, got shape (). Put Reshape((1,)) before it."),
        (Repeat(Dense(3) >> ReLU(), 4), (2,),
         "Repeat: expected a block that keeps its shape, got Dense(3) >> ReLU(), which makes (3,) of (2,). "
         "End it with as many outputs as it has inputs."),
    ],
    ids=range(5),
)  # fmt: skip
def test_shapes_that_do_not_go_together(made, shape, text):
    refused(text, made.output_shape, shape)
    refused(text, (made >> Flatten()).parameters, shape)


@pytest.mark.parametrize("kind", [Chain, Add, Multiply, Concatenate])
def test_none_at_all_is_refused(kind):
    name = kind.__name__
    refused(f"{name}: expected at least one layer, got none. For example: Tanh() {kind.sign} Sigmoid().", kind, ())
    refused(f"{name}: layers must be a tuple of formulas of the family Layer, got (ReLU(), 3).", kind, (g, 3))


def test_how_often_a_block_is_repeated():
    refused("Repeat: times must be a whole number >= 1, got 0.", Repeat, g, 0)
    refused("Repeat: block must be a formula of the family Layer, got 3.", Repeat, 3, 2)


# Masks.

MASK = np.arange(6) < np.array([[6], [4], [1]])


def masked(layer, shape=(6, 3)):
    """The mask that a layer makes of a masked batch, None where its outputs are no steps of sequences."""
    y, _ = outputs_of(layer, drawn(layer, shape), layer.state(shape), Masked(batch(*shape, rows=3), jnp.asarray(MASK)))
    return y.mask.tolist() if isinstance(y, Masked) else None


@pytest.mark.by_turns(3)
@pytest.mark.parametrize(
    "layer",
    [
        Identity() + Conv1D(3, 3, padding="same"),
        Identity() * (GRU(3, return_sequences=True) >> Sigmoid()),
        Identity() | Dense(2),
        Identity() + GlobalAveragePool1D(),  # the same for each step
        Identity() | (GlobalAveragePool1D() >> Dense(18) >> Reshape((6, 3))),  # none of it is padding
        Repeat(Identity() + Conv1D(3, 3, padding="same"), 2),
        Repeat(Identity() + (GlobalAveragePool1D() >> Dense(3)), 2),
    ],
    ids=repr,
)
def test_the_steps_of_sequences_stay_those_of_the_branches(layer):
    assert masked(layer) == MASK.tolist()


class Behind(Layer):
    """Takes the first of the steps for padding."""

    def output_mask(self, x, mask):
        return mask & (jnp.arange(x.shape[1]) > 0)

    def forward(self, p, x):
        return x


@pytest.mark.parametrize(
    "made", [Identity() + Behind(), Behind() * Tanh(), Identity() | (Tanh() >> Behind()) | Dense(2)]
)
def test_a_step_is_padding_where_it_is_in_any_branch(made):
    assert masked(made) == (MASK & (np.arange(6) > 0)).tolist()


def test_the_mask_changes_within_branches_and_is_gone_where_all_end_sequences():
    pooled = np.array(masked(MaxPool1D(2)))
    np.testing.assert_array_equal(masked(MaxPool1D(2) + (Dense(3) >> MaxPool1D(2))), pooled)
    assert masked(GRU(3) + GlobalAveragePool1D()) is None
    assert masked(Repeat(GlobalAveragePool1D() >> Dense(18) >> Reshape((6, 3)), 2)) == np.ones((3, 6), bool).tolist()


def test_a_branch_of_one_step_lends_its_mask_to_all():
    whole = MaxPool1D(6)  # one window, of steps that are there
    assert (
        masked(whole + (GlobalAveragePool1D() >> Dense(18) >> Reshape((6, 3))))
        == np.repeat(np.array(masked(whole)), 6, axis=1).tolist()
    )


def test_what_padding_holds_never_shows_in_values_or_gradients():
    layer = Repeat(Identity() + Conv1D(3, 3, padding="same") * (GRU(3, return_sequences=True) >> Sigmoid()), 2)
    p, x = drawn(layer, (6, 3)), np.asarray(batch(6, 3, rows=3))

    def cost(p, garbage):
        y, _ = outputs_of(layer, p, layer.state((6, 3)), Masked(jnp.where(MASK[..., None], x, garbage), MASK))
        return jnp.sum(jnp.where(y.mask[..., None], y.values, 0) ** 2)

    one, other = (jax.jit(jax.value_and_grad(cost))(p, garbage) for garbage in (0.0, 1e3))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), one, other)


@pytest.mark.parametrize(
    "layer",
    [Identity() + (GlobalAveragePool1D() >> Dense(36) >> Reshape((2, 6, 3))), Add((Flatten() >> Dense(2),))],
    ids=repr,
)
def test_branches_that_would_mix_steps_are_refused(layer):
    by = layer if len(layer.layers) > 1 else Flatten()
    refused(
        f"{by!r}: mixes the steps of sequences of unequal length, padding included. "
        f"Put a recurrent layer or a global pooling before it.",
        masked,
        layer,
    )


# Statistics and noise.


def test_each_branch_and_each_repetition_has_statistics_of_its_own():
    layer = (Count() + (Count() >> Tanh())) >> Repeat(Identity() + Count(), 3)
    p, state, x = drawn(layer, (2,)), layer.state((2,)), jnp.ones((1, 2))
    assert jax.tree.map(jnp.shape, state) == (({"seen": ()}, ({"seen": ()}, {})), ({}, {"seen": (3,)}))
    _, kept = layer.apply(p, state, x, Context(training=True))
    first = 2 * (1 + np.tanh(1))
    assert kept[0] == ({"seen": 2.0}, ({"seen": 2.0}, {}))
    np.testing.assert_allclose(kept[1][1]["seen"], [first, 2 * first, 4 * first], rtol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, layer.apply(p, kept, x)[1], kept)


@pytest.mark.parametrize("layer", [Count() + g, Repeat(Count(), 2), g >> (Count() | g)], ids=str)
def test_forward_knows_no_statistics(layer):
    refused(
        f"{layer!r}: forward knows no statistics. Call apply(p, state, x), with the model's state.",
        *(layer.forward, layer.parameters((2,)), jnp.ones((1, 2))),
    )


def test_each_branch_and_each_repetition_has_noise_of_its_own():
    x = jnp.ones((1, 1000))
    y, _ = (Dropout(0.5) | Dropout(0.5)).apply(((), ()), ({}, {}), x, Context(KEY))
    assert 0.4 < float((y[:, :1000] == y[:, 1000:]).mean()) < 0.6
    y, _ = Repeat(Dropout(0.5), 2).apply({}, {}, x, Context(KEY))
    assert 0.18 < float((y > 0).mean()) < 0.32  # with the same noise twice it would be a half
    assert Repeat(Dropout(0.5), 2).apply({}, {}, x)[0].tolist() == x.tolist()


# Repetition.

BLOCKS = [
    ("Identity() + (Dense(8) >> ReLU() >> Dropout(0.5) >> Dense(3))", (3,)),
    ("Identity() + (ReLU() >> Conv2D(4, 3, padding='same') >> PReLU())", (6, 6, 4)),
    ("Identity() * (Conv1D(3, 3, padding='same') >> ReLU() >> MaxPool1D(3, stride=1, padding='same'))", (7, 3)),
    ("Identity() + GRU(3, return_sequences=True)", (5, 3)),
    ("Tanh() + ELU(0.5)", (2,)),
    ("Repeat(Identity() + Dense(3), 2) >> Tanh()", (4, 3)),
]


@pytest.fixture(params=BLOCKS, ids=lambda block: block[0])
def repeated(request):
    """A repetition, the chain that it stands for, a shape, and the parameters of both."""
    block, shape = parse(request.param[0]), request.param[1]
    repeat, p = Repeat(block, 3), drawn(Repeat(block, 3), shape)
    of = [jax.tree.map(lambda array, place=place: array[place], p) for place in range(3)]
    return repeat, block, shape, p, of


@pytest.mark.slow
def test_a_repetition_is_the_chain_that_is_written_out(repeated):
    repeat, block, shape, p, of = repeated
    x = batch(*shape)

    def written_out(of, x):
        for place, own in enumerate(of):
            x, _ = block.apply(own, block.state(shape), x, Context(jax.random.fold_in(KEY, place), training=True))
        return x

    def cost(apply, p, x):
        return jnp.sum(jnp.sin(apply(p, x)))

    def looped(p, x):
        return repeat.apply(p, repeat.state(shape), x, Context(KEY, training=True))[0]

    def told(apply, of, x):
        """Values, gradients, and the slope along x."""
        slope = jax.jvp(lambda x: cost(apply, of, x), (x,), (x,))[1]
        return apply(of, x), jax.grad(cost, (1, 2))(apply, of, x), slope

    ours, truth = jax.jit(lambda p, of, x: (told(looped, p, x), told(written_out, of, x)))(p, of, x)
    (y, (of_p, of_x), slope), (y_, (of_each, of_x_), slope_) = ours, truth
    np.testing.assert_allclose(y, y_, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(of_x, of_x_, rtol=1e-4, atol=1e-5)
    assert float(slope) == pytest.approx(float(slope_), rel=1e-4)
    stacked = jax.tree.map(lambda *each: jnp.stack(each), *of_each)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), of_p, stacked)


@pytest.mark.by_turns(3)
def test_a_repetition_draws_counts_and_regularises_each(repeated):
    repeat, block, shape, p, of = repeated
    assert count(repeat, shape) == 3 * count(block, shape)
    assert jax.tree.structure(p) == jax.tree.structure(regularized(repeat, shape))
    assert jax.tree.leaves(regularized(repeat, shape)) == jax.tree.leaves(regularized(block, shape))
    for stack, one in zip(jax.tree.leaves(p), jax.tree.leaves(of[0]), strict=True):
        assert stack.shape == (3, *one.shape)
        assert np.ptp(stack) == 0 or not np.allclose(stack[0], stack[1])
    rule = L1(0.1) + L2(0.2)
    each = sum(penalty(rule, block, shape, own) for own in of)
    np.testing.assert_allclose(penalty(rule, repeat, shape, p), each, rtol=1e-6)


class Length(Regularizer):
    """The length of a parameter as one vector, which is not the sum of its entries' terms."""

    has_kink = True
    textbook = "sqrt(sum(w**2))"

    def __call__(self, w):
        return jnp.sqrt(jnp.sum(w**2))

    def proximal(self, w, rate):
        return w * jnp.maximum(1 - rate / self(w), 0)


def test_a_regularizer_sees_each_repetition_by_itself():
    layer = Repeat(Repeat(Dense(2), 2) >> Tanh(), 3)
    p, declared = drawn(layer, (2,)), layer.parameters((2,))
    kernels = p[0]["kernel"].reshape(6, 2, 2)
    lengths = [float(Length()(kernel)) for kernel in kernels]
    assert float(penalty(Length(), layer, (2,), p)) == pytest.approx(sum(lengths), rel=1e-6)
    after = shrunk(Length(), declared, p, jax.tree.map(lambda w: jnp.float32(0.5), p))
    np.testing.assert_array_equal(after[0]["bias"], p[0]["bias"])
    shorter = [max(length - 0.5, 0) for length in lengths]
    np.testing.assert_allclose([Length()(w) for w in after[0]["kernel"].reshape(6, 2, 2)], shorter, rtol=1e-5)


def test_the_fans_are_those_of_the_block():
    kernel = drawn(Repeat(Dense(64, bias=False), 100), (64,))["kernel"]
    assert float(jnp.abs(kernel).max()) == pytest.approx(np.sqrt(6 / 128), rel=1e-3)


def test_equal_keys_draw_equal_repetitions_in_and_out_of_a_program():
    layer = Repeat(Dense(3), 2)
    jax.tree.map(np.testing.assert_array_equal, initialize(layer, (3,), KEY), drawn(layer, (3,)))


def test_a_block_is_traced_once_however_often_it_is_repeated():
    traces = []

    class Traced(Layer):
        def forward(self, p, x):
            traces.append(x)
            return x

    jax.jit(Repeat(Traced(), 50).forward)({}, jnp.ones((1, 2)))
    assert len(traces) == 1


def test_a_program_is_no_longer_however_often_its_block_is_repeated():
    block = parse("Identity() + (BatchNorm() >> ReLU() >> Conv2D(4, 3, padding='same'))")

    def lines(times):
        layer = Repeat(block, times)
        p, state = jax.eval_shape(lambda: (initialize(layer, (6, 6, 4), KEY), layer.state((6, 6, 4))))

        def cost(p, state, x):
            y, kept = layer.apply(p, state, x, Context(KEY, training=True))
            return jnp.sum(y**2), kept

        lowered = jax.jit(jax.grad(cost, has_aux=True)).lower(p, state, batch(6, 6, 4))
        return len(lowered.as_text().splitlines())

    assert lines(50) == lines(2)


def test_half_precision_and_whole_numbers_pass_through():
    for dtype, dense, identity in (("bfloat16", jnp.bfloat16, jnp.bfloat16), ("int8", jnp.float32, jnp.float32)):
        x = jnp.ones((2, 3), dtype)
        p = jax.tree.map(lambda w, dense=dense: w.astype(dense), drawn(Repeat(Dense(3), 2), (3,)))
        assert Repeat(Dense(3), 2).forward(p, x).dtype == dense
        assert Repeat(Identity(), 2).forward({}, x).dtype == identity


# Networks.


def test_walking_tells_what_reaches_each_layer():
    network = Dense(4) >> (Identity() | Dense(2) >> ReLU()) >> Repeat(Dense(6) + Tanh(), 3)
    assert list(network.walk((3,))) == [
        *((Dense(4), (3,)), (Identity(), (4,)), (Dense(2), (4,)), (ReLU(), (2,))),
        *((Dense(6), (6,)), (Tanh(), (6,)), (Repeat(Dense(6) + Tanh(), 3), (6,))),
    ]


def test_sizes_are_checked_within_branches_and_for_all_repetitions():
    for layer in (Identity() + (Dense(10**9) >> Dense(3)), Repeat(Identity() + (Dense(10**9) >> Dense(3)), 2)):
        with pytest.raises(ChainruleError, match=r"^fit: Dense\(1000000000\): its 4,000,000,000 parameters would take"):
            check_sizes(layer >> ReLU(), (3,), 1, "fit")
    with pytest.raises(ChainruleError, match=r"^fit: Repeat\(Dense\(3\), 1000000000\): its 12,000,000,000 parameters"):
        check_sizes(Repeat(Dense(3), 10**9) >> ReLU(), (3,), 1, "fit")


def test_arrays_in_the_numbers_are_a_population():
    population = Repeat(Identity() + (Dense(3) >> ELU(jnp.array([0.5, 2.0]))), 2) * PReLU()  # type: ignore[arg-type]
    axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, population)
    x, p = batch(3), drawn(Repeat(Identity() + (Dense(3) >> ELU()), 2) * PReLU(), (3,))
    ys = jax.jit(jax.vmap(lambda own: own.forward(p, x), in_axes=(axes,)))(population)
    for alpha, y in zip((0.5, 2.0), ys, strict=True):
        alone = Repeat(Identity() + (Dense(3) >> ELU(alpha)), 2) * PReLU()
        np.testing.assert_allclose(y, alone.forward(p, x), rtol=1e-5)
