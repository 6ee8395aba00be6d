"""Keras' models in and out: each answers alike in both, and comes back to the bit."""

import re

import jax
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.interchange.keras import from_keras, to_keras

keras = pytest.importorskip("keras")
k = keras.layers

rng = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning", "ignore::UserWarning")


def drawn(model):
    """Numbers of all kinds in every array, running statistics too."""
    for weight in model.weights:
        if weight.dtype == "float32":
            array = rng.normal(size=weight.shape) * 0.3
            weight.assign(np.abs(array) + 0.1 if "variance" in weight.path else array)
    return model


def straight(shape, *layers, dtype=None):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def graph(shape, made):
    x = keras.Input(shape)
    return keras.Model(x, made(x))


def inception(x):
    joined = k.Concatenate()([k.Conv2D(2, 1, activation="relu")(x), k.Conv2D(3, 3, padding="same")(x), x])
    y = k.Conv2D(4, 1)(joined) + k.Conv2D(4, 1)(x)
    gate = k.Reshape((1, 1, 4))(k.Dense(4, activation="sigmoid")(k.GlobalAveragePooling2D()(y)))
    return k.Flatten()(k.Multiply()([y, gate]))


def branching(x):
    x = k.Maximum()([x, k.Conv2D(2, 3, padding="same")(x)])
    x = k.Identity()(k.AdaptiveAveragePooling2D((1, 2))(x))
    x = k.EinsumDense("...x,xy->...y", 2)(k.EinsumDense("abcd,de->abce", (None, None, 3), bias_axes="e")(x))
    return k.Dropout(0.3, noise_shape=(None, 1, 1, 2))(k.Dropout(0.2, noise_shape=(None, 1, 1, 1))(x))


def averaged(x):
    """An average of branches, and a difference, behind numbers that were given."""
    x = k.Dense(4)(k.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0])(x))
    x = k.Average()([k.Dense(4)(x), x])
    return k.RepeatVector(2)(k.Subtract()([x, k.Dense(4)(x)]))


def of_two(kind, **choices):
    return lambda x: kind(**choices)([k.Dense(4)(x), k.Dense(4)(x)])


def transformer(x):
    y = k.LayerNormalization()(x)
    x = k.Add()([x, k.MultiHeadAttention(2, 3)(y, y, use_causal_mask=True)])
    return k.Dense(4)(k.LayerNormalization(epsilon=1e-6)(x))


ACTIVATIONS = "relu6 elu selu celu silu mish softplus softsign hard_sigmoid log_sigmoid tanh hard_tanh tanh_shrink"
INCEPTION = "(Conv2D(2, 1) >> ReLU() | Conv2D(3, 3, padding='same') | Identity()) >> Conv2D(4, 1)"
MODELS = {
    "Dense(3) >> GELU(approximate=False) >> Dense(2, bias=False) >> Softmax()": lambda: straight(
        (4,), k.Dense(3, activation="gelu"), k.Dense(2, use_bias=False), k.Softmax()
    ),
    "Conv1D(6, 3, padding='causal', dilation=2, groups=2) >> MaxPool1D(size=2) >> Flatten()": lambda: straight(
        (9, 4), k.Conv1D(6, 3, dilation_rate=2, groups=2, padding="causal"), k.MaxPooling1D(2), k.Flatten()
    ),
    "Conv2D(4, (3, 2), stride=2, padding='same') >> LeakyReLU(slope=0.2) >> BatchNorm(momentum=0.99, epsilon=0.001) "
    ">> ReLU6() >> AveragePool2D(size=2, padding='same') >> Flatten() >> Dense(3)": lambda: straight(
        (7, 6, 3),
        k.Conv2D(4, (3, 2), strides=2, padding="same", activation="leaky_relu"),
        k.BatchNormalization(),
        k.ReLU(6.0),
        k.AveragePooling2D(2, padding="same"),
        k.Flatten(),
        k.Dense(3),
    ),
    "Conv3D(3, 2) >> ELU(alpha=0.5) >> MaxPool3D(size=2)": lambda: straight(
        (4, 4, 4, 2), k.Conv3D(3, 2), k.ELU(0.5), k.MaxPooling3D(2)
    ),
    "ZeroPad2D(padding=((0, 1), (0, 1))) >> DepthwiseConv2D(3, stride=2, multiplier=2) >> DepthwiseConv2D(2, "
    "bias=False) >> Conv2D(4, 1) >> PReLU(initial=0.25)": lambda: straight(
        (7, 6, 3),
        k.ZeroPadding2D(((0, 1), (0, 1))),
        k.DepthwiseConv2D(3, depth_multiplier=2, strides=2),
        k.SeparableConv2D(4, 2),
        k.PReLU(shared_axes=[1, 2]),
    ),
    "Conv1D(6, 3, stride=2, padding='same', groups=3) >> ReLU() >> Conv1D(12, 2, groups=6, bias=False) >> "
    "Conv1D(4, 1)": lambda: straight(
        (9, 3),
        k.DepthwiseConv1D(3, depth_multiplier=2, strides=2, padding="same", activation="relu"),
        k.SeparableConv1D(4, 2, depth_multiplier=2),
    ),
    "(Identity() | Conv2D(2, 3, padding='same')) >> Reshape((12, 2, 2)) >> MaxPool2D(size=(1, 2)) >> Reshape((3, 4, 2))"
    " >> AveragePool2D(size=(3, 2)) >> Dense(3) >> Dense(2, bias=False) >> StochasticDepth(rate=0.2) >> "
    "SpatialDropout(rate=0.3)": lambda: graph((3, 4, 2), branching),
    "Reshape((2, 3, 8)) >> ZeroPad2D(padding=((1, 0), (0, 2))) >> Reshape((15, 4, 2)) >> ZeroPad2D(padding=((0, 0), "
    "(3, 1))) >> Reshape((3, 5, 8, 2)) >> Reshape((3, 5, 16)) >> Crop2D(cropping=1) >> Reshape((3, 8, 2)) >> "
    "Crop2D(cropping=((0, 0), (1, 1))) >> Reshape((1, 3, 6, 2)) >> Reshape((1, 3, 12)) >> Upsample2D(size=2) >> "
    "Reshape((12, 6, 2)) >> Upsample2D(size=(1, 3)) >> Reshape((2, 6, 18, 2)) >> Dense(2)": lambda: straight(
        (2, 3, 4, 2),
        k.ZeroPadding3D(((1, 0), (0, 2), (3, 1))),
        k.Cropping3D(1),
        k.UpSampling3D((2, 2, 3)),
        k.Dense(2),
    ),
    "ConvTranspose1D(4, 3, stride=2) >> ConvTranspose1D(4, 4, stride=2, padding='same')": lambda: straight(
        (5, 3), k.Conv1DTranspose(4, 3, strides=2), k.Conv1DTranspose(4, 4, strides=2, padding="same")
    ),
    "ConvTranspose2D(4, 3, stride=2, padding='same') >> Upsample2D(size=2) >> Crop2D(cropping=1)": lambda: straight(
        (4, 3, 2), k.Conv2DTranspose(4, 3, strides=2, padding="same"), k.UpSampling2D(2), k.Cropping2D(1)
    ),
    "GroupNorm(2, epsilon=0.001) >> InstanceNorm(epsilon=0.001, scale=True, offset=True) >> LayerNorm(epsilon=0.001) "
    ">> RMSNorm(epsilon=1e-06)": lambda: straight(
        (3, 4, 4),
        k.GroupNormalization(2),
        k.GroupNormalization(-1),
        k.LayerNormalization(),
        k.RMSNormalization(),
    ),
    "BatchNorm(momentum=0.99, epsilon=0.001, scale=False) >> Frozen(Dense(2))": lambda: straight(
        (4,), k.BatchNormalization(scale=False), k.Dense(2, trainable=False)
    ),
    "Embedding(7, 4, padding_id=0) >> LSTM(3)": lambda: straight((6,), k.Embedding(7, 4, mask_zero=True), k.LSTM(3)),
    "RNN(4, return_sequences=True, activation=ReLU()) >> GRU(3, return_sequences=True, reset_after=True) >> GRU(2, "
    "reverse=True)": lambda: straight(
        (5, 3),
        k.SimpleRNN(4, activation="relu", return_sequences=True),
        k.GRU(3, return_sequences=True),
        k.GRU(2, reset_after=False, go_backwards=True),
    ),
    "SpatialDropout(rate=0.2) >> LSTM(4, return_sequences=True) >> Bidirectional(LSTM(3, return_sequences=True), "
    "merge='sum') >> Bidirectional(GRU(2, reset_after=True))": lambda: straight(
        (5, 3),
        k.LSTM(4, return_sequences=True, dropout=0.2, use_bias=False),
        k.Bidirectional(k.LSTM(3, return_sequences=True), merge_mode="sum"),
        k.Bidirectional(k.GRU(2)),
    ),
    "Embedding(7, 4) >> Conv1D(3, 2) >> GlobalMaxPool1D()": lambda: straight(  # which forget the mask
        (6,), k.Embedding(7, 4, mask_zero=True), k.Conv1D(3, 2), k.GlobalMaxPooling1D()
    ),
    "Reshape((8, 3)) >> GlobalAveragePool1D() >> Dense(2)": lambda: straight(
        (2, 2, 2, 3), k.GlobalAveragePooling3D(), k.Dense(2)
    ),
    "Dense(4) >> Tanh() >> GlobalMaxPool1D() >> PReLU(initial=0.25) >> HardSwish()": lambda: straight(
        (5, 3),
        k.TimeDistributed(k.Dense(4, activation="tanh")),
        k.GlobalMaxPooling1D(),
        k.PReLU(),
        k.Activation("hard_silu"),
    ),
    f"({INCEPTION}) + Conv2D(4, 1) >> Identity() * (GlobalAveragePool2D() >> Dense(4) >> Sigmoid() >> "
    "Reshape((1, 1, 4))) >> Flatten() >> Dense(2)": lambda: straight(
        (5, 5, 3), graph((5, 5, 3), inception), k.Dense(2)
    ),
    "Identity() + (LayerNorm(epsilon=0.001) >> SelfAttention(2, causal=True, key_size=3, value_size=3)) >> "
    "LayerNorm(epsilon=1e-06) >> Dense(4)": lambda: graph((5, 4), transformer),
    "ReLU6() >> ELU(alpha=1.0) >> SELU() >> CELU(alpha=1.0) >> SiLU(beta=1.0) >> Mish() >> Softplus() >> Softsign() >> "
    "HardSigmoid() >> LogSigmoid() >> Tanh() >> HardTanh(low=-1.0) >> TanhShrink()": lambda: straight(
        (4,), *map(k.Activation, ACTIVATIONS.split())
    ),
}

INWARD = {
    "Frozen(Affine(scale=True)) >> Dense(2)": lambda: straight(
        (3,), k.Rescaling(0.5, offset=[1.0, 2.0, 3.0]), k.Dense(2)
    ),
    "Frozen(Affine(scale=True)) >> Dense(4) >> Dense(4) + Identity() >> Frozen(Affine(scale=True, offset=False)) >> "
    "Identity() + (Dense(4) >> Frozen(Affine(scale=True, offset=False))) >> Reshape((1, 4)) >> "
    "Upsample1D(size=2)": lambda: graph((3,), averaged),
    "Frozen(Affine(scale=True)) >> ReLU6() >> Frozen(Affine(scale=True, offset=False))": lambda: graph(
        (4,), lambda x: k.ReLU(6.0)(x + 3.0) * (1 / 6)
    ),
    "(Dense(4) >> Frozen(Affine(scale=True, offset=False)) | Dense(4) >> Frozen(Affine(scale=True, offset=False))) >> "
    "Reshape((1, 2, 4)) >> MaxPool2D(size=(1, 2)) >> Reshape((4,)) >> Frozen(Affine(scale=True, "
    "offset=False))": lambda: graph((3,), of_two(k.Minimum)),
    "(Dense(4) >> Frozen(RMSNorm(epsilon=2.5e-25))) * (Dense(4) >> Frozen(RMSNorm(epsilon=2.5e-25))) >> "
    "Frozen(Dense(1, bias=False))": lambda: graph((3,), of_two(k.Dot, axes=-1, normalize=True)),
    "Dense(4) >> Frozen(RMSNorm(epsilon=2.5e-25))": lambda: straight((3, 3), k.Dense(4), k.UnitNormalization()),
    "Frozen(Embedding(5, 5)) >> GlobalMaxPool1D() >> Dense(2)": lambda: straight(
        (4,), k.CategoryEncoding(5, "multi_hot"), k.Dense(2), dtype="int32"
    ),
    "Frozen(Embedding(5, 5)) >> GlobalAveragePool1D() >> Frozen(Affine(scale=True, offset=False))": lambda: straight(
        (4,), k.CategoryEncoding(5, "count"), dtype="int32"
    ),
    "Frozen(Embedding(5, 5)) >> Flatten()": lambda: straight((1,), k.CategoryEncoding(5, "one_hot"), dtype="int32"),
}
"""Models with numbers that are no weights in Keras: their layers here have arrays, which its files are without."""


def leaves(model):
    return [np.asarray(array).view(np.int32) for array in jax.tree.leaves((model.parameters, model.state))]


def alike(model, peer):
    shape, tokens = model.input_shape, model.network.tokens
    x = rng.integers(0, tokens, (3, *shape)) if tokens else rng.normal(size=(3, *shape)).astype(np.float32)
    np.testing.assert_allclose(model(x), peer.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    return x


@pytest.mark.parametrize("network", MODELS | INWARD)
def test_each_model_comes_in_and_goes_out(network, tmp_path):
    theirs, mine = (tmp_path / name for name in ("theirs.keras", "mine.keras"))
    peer = drawn((MODELS | INWARD)[network]())
    peer.save(theirs)
    model = from_keras(theirs)
    assert " >> ".join(map(repr, model.network.layers)) == network or repr(model.network) == network
    alike(model, peer)

    if network in INWARD:
        return
    to_keras(model, mine)
    alike(model, keras.saving.load_model(mine))
    again = from_keras(mine)
    assert again.network == model.network
    for a, b in zip(leaves(model), leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)

    peer.save_weights(tmp_path / "theirs.weights.h5")
    weights = from_keras(tmp_path / "theirs.weights.h5", model.network, model.input_shape)
    for a, b in zip(leaves(model), leaves(weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_keras_has_adapted_comes_in_and_goes_out(tmp_path):
    peer = straight((3,), k.Normalization(), k.Dense(2))
    peer.layers[0].adapt(rng.normal(2, 3, (20, 3)))
    peer.save(tmp_path / "theirs.keras")
    model = from_keras(tmp_path / "theirs.keras")
    assert repr(model.network) == "Standardize() >> Dense(2)"
    alike(model, peer)
    to_keras(model, tmp_path / "mine.keras")
    alike(model, keras.saving.load_model(tmp_path / "mine.keras"))


def test_what_acts_in_training_alone_is_left_out_with_a_word(tmp_path):
    kept = k.SpectralNormalization(k.Conv2D(3, 1))
    peer = drawn(straight((4, 5, 2), k.RandomFlip(), k.CenterCrop(2, 2), kept, k.ActivityRegularization(0.1)))
    peer.save(tmp_path / "theirs.keras")
    with pytest.warns(UserWarning, match="layer .*: it") as caught:
        model = from_keras(tmp_path / "theirs.keras")
    said = [re.sub("'.*?'", "'name'", str(each.message)) for each in caught]
    assert said == [
        "layer 'name', RandomFlip: it is left out, as it acts in training alone.",
        "layer 'name', SpectralNormalization: its kernel is as it was trained. Here it is held no longer: SpectralNorm "
        "would do so.",
        "layer 'name', ActivityRegularization: it is left out, as it acts in training alone.",
    ]
    assert repr(model.network) == "Crop2D(cropping=((1, 1), (1, 2))) >> Conv2D(3, 1)"
    alike(model, peer)


def test_flips_and_shifts_come_in_and_go_out_where_they_are_the_same(tmp_path):
    shares, nearest = (2.5 / 8, (-2 / 10, 0.21)), {"interpolation": "nearest", "fill_mode": "constant"}
    peer = straight((8, 10, 1), k.RandomFlip("horizontal"), k.RandomTranslation(*shares, **nearest), k.Flatten())
    peer.save(tmp_path / "theirs.keras")
    model = from_keras(tmp_path / "theirs.keras")
    assert repr(model.network) == "Flip(rate=0.5) >> Shift(pixels=2) >> Flatten()"
    to_keras(model, tmp_path / "mine.keras")
    mine = keras.saving.load_model(tmp_path / "mine.keras")
    assert repr(from_keras(tmp_path / "mine.keras").network) == repr(model.network)
    image = rng.normal(size=(8, 10, 1)).astype(np.float32)
    moved = {
        np.pad(each, ((2, 2), (2, 2), (0, 0)))[2 + u : 10 + u, 2 + v : 12 + v].tobytes()
        for each in (image, image[:, ::-1])
        for u in range(-2, 3)
        for v in range(-2, 3)
    }
    shown = np.asarray(mine(np.stack(2000 * [image]), training=True))  # all 50 are among them, but for once in 10¹⁵
    assert {row.tobytes() for row in shown} == moved
    others = [k.RandomTranslation(*pair, **nearest) for pair in ((0.2, 0.4), ((0.1, 0.2), 0.1), (0.01, 0.01))]
    others += [k.RandomFlip("vertical"), k.RandomTranslation(*shares, "constant")]
    straight((8, 10, 1), *others, k.Flatten()).save(tmp_path / "others.keras")
    with pytest.warns(UserWarning, match="it is left out, as it acts in training alone") as caught:
        assert repr(from_keras(tmp_path / "others.keras").network) == "Chain((Flatten(),))"
    assert len(caught) == len(others)


def mobilenet():
    return keras.applications.MobileNet(weights=None, input_shape=(32, 32, 3), alpha=0.25, classes=5)


def efficientnet():
    """EfficientNet of its second and third stages, in each of which a block is sometimes left out."""
    from keras.src.applications import efficientnet as of

    stages = of.DEFAULT_BLOCKS_ARGS[1:3]
    choices = {"weights": None, "input_shape": (32, 32, 3), "classes": 5, "classifier_activation": None}
    return of.EfficientNet(0.25, 1.0, 32, blocks_args=[dict(each) for each in stages], **choices)


@pytest.mark.parametrize("made", [mobilenet, efficientnet])
def test_networks_of_keras_come_in_and_answer_alike(made, tmp_path):
    keras.utils.set_random_seed(0)
    peer = made()
    for weight in peer.weights:  # by which rows stay different to the end
        seen = np.prod(weight.shape[: 2 if "depthwise" in weight.path or "dw" in weight.path else -1])
        if "kernel" in weight.path:
            weight.assign(rng.normal(size=weight.shape) * (2 / seen) ** 0.5)
        elif not weight.path.startswith("normalization"):  # which takes its numbers when it is built
            weight.assign(rng.uniform(0, 0.1, weight.shape) + bool(re.search("gamma|variance", weight.path)))
    peer.save(tmp_path / "peer.keras")
    model = from_keras(tmp_path / "peer.keras")
    x = alike(model, peer)
    assert np.asarray(model(x)).std(0).max() > 1e-5
    if made is efficientnet:
        assert repr(model.network).count("StochasticDepth(rate=") == 2
        return
    assert model.classes == (0, 1, 2, 3, 4)
    to_keras(model, tmp_path / "mine.weights.h5")
    peer.load_weights(tmp_path / "mine.weights.h5")
    alike(model, peer)


def test_regularisers_of_kernels_come_in_where_all_share_them(tmp_path):
    def made(*penalties):
        straight((4,), *(k.Dense(3, kernel_regularizer=each) for each in penalties)).save(tmp_path / "model.keras")
        return from_keras(tmp_path / "model.keras").regularizer

    assert repr(made("l2", keras.regularizers.L1L2(0.0, 0.01))) == "L2(0.01)"
    with pytest.warns(UserWarning, match=r"Kernels are not all regularised alike in Keras, .*layer 'dense.*', Dense\."):
        assert made("l2", None) is None


@keras.saving.register_keras_serializable("ours")
class Dense(k.Dense):
    """A class of another package that has the name of one of Keras'."""


BOTH = "Choose what both have."
REFUSED = {
    "Lambda: there is no such layer here. Choose layers that both have.": lambda: straight(
        (4,), k.Lambda(lambda x: 2 * x)
    ),
    f"Dense: kernel_constraint='NonNeg' has no form here. {BOTH}": lambda: straight(
        (4,), k.Dense(3, kernel_constraint="non_neg")
    ),
    f"LSTM: activation='relu' has no form here. {BOTH}": lambda: straight((4, 3), k.LSTM(3, activation="relu")),
    "LSTM: go_backwards=True with return_sequences=True gives the steps backwards": lambda: straight(
        (4, 3), k.LSTM(3, go_backwards=True, return_sequences=True)
    ),
    f"BatchNormalization: axis=1 has no form here. {BOTH}": lambda: straight((4, 3), k.BatchNormalization(axis=1)),
    f"Bidirectional: merge_mode='mul' has no form here. {BOTH}": lambda: straight(
        (4, 3), k.Bidirectional(k.LSTM(2), merge_mode="mul")
    ),
    "the model takes examples of any size, [None, None, 3], and a network here of one. Give input_shape.": lambda: (
        straight((None, 3), k.LSTM(2))
    ),
    "is called 2 times with the same weights, as none is here. Make copies.": lambda: graph(
        (4,), lambda x: (lambda dense: dense(dense(x)))(k.Dense(4))
    ),
    "TrueDivide: of a number by a tensor there is none here.": lambda: graph((4,), lambda x: 2.0 / x),
    "Dense: its class is not Keras' own, and no code is run. Choose layers that both have.": lambda: straight(
        (4,), Dense(3)
    ),
    "goes into branches that do not join where they part, which + * | can't write.": lambda: graph((4,), crossing),
    "Maximum: its inputs have shapes (4,) and (1,). Give it equal ones.": lambda: graph(
        (4,), lambda x: k.Maximum()([x, k.Dense(1)(x)])
    ),
    "Dot: it multiplies arrays of several axes. Of two vectors there is one here.": lambda: graph(
        (3, 4), lambda x: k.Dot(axes=2)([x, x])
    ),
    f"EinsumDense: equation='abc,cde->abde' has no form here. {BOTH}": lambda: straight(
        (3, 4), k.EinsumDense("abc,cde->abde", (None, 4, 2))
    ),
    f"AdaptiveAveragePooling1D: output_size=[2] has no form here. {BOTH}": lambda: straight(
        (5, 4), k.AdaptiveAveragePooling1D(2)
    ),
    f"Dropout: noise_shape=[None, 5, 1] has no form here. {BOTH}": lambda: straight(
        (5, 4), k.Dropout(0.2, noise_shape=(None, 5, 1))
    ),
    "Masking: which steps are padding comes with the data here, not as a value of them. Leave it out": lambda: straight(
        (4, 3), k.Masking(), k.LSTM(2)
    ),
}


def crossing(x):
    a, b = k.Dense(4)(x), k.Dense(4)(x)
    return k.Multiply()([k.Add()([a, b]), k.Dense(4)(a)])


@pytest.mark.parametrize("expected", REFUSED)
def test_what_has_no_form_here_is_named(expected, tmp_path):
    REFUSED[expected]().save(tmp_path / "model.keras")
    with pytest.raises(ChainruleError) as refused:
        from_keras(tmp_path / "model.keras")
    assert expected in str(refused.value)
