"""A step of training, and predictions, of networks that every library has."""

from benchmarks.tasks import classification
from benchmarks.workload import Contestants, Workload

EXAMPLES = 3200  # an epoch: long enough for the machine to come to its speed

SMALL = "Dense(64) >> ReLU() >> Dense(10) >> Softmax()"
MLP = "Dense(256) >> ReLU() >> Dense(128) >> ReLU() >> Dense(10) >> Softmax()"
WIDE = "Dense(1024) >> ReLU() >> Dense(1024) >> ReLU() >> Dense(10) >> Softmax()"
LARGE = "Dense(2048) >> ReLU() >> Dense(2048) >> ReLU() >> Dense(10) >> Softmax()"
CNN = (
    'Conv2D(32, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Conv2D(64, 3, padding="same") >> ReLU() >> '
    "MaxPool2D(2) >> Flatten() >> Dense(64) >> ReLU() >> Dense(10) >> Softmax()"
)
SERIES = (
    'Conv1D(32, 5, padding="same") >> ReLU() >> MaxPool1D(2) >> Conv1D(64, 5, padding="same") >> ReLU() >> '
    "GlobalAveragePool1D() >> Dense(10) >> Softmax()"
)
SEPARABLE = (
    'Conv2D(32, 3, padding="same") >> ReLU() >> DepthwiseConv2D(3, padding="same") >> Conv2D(64, 1) >> ReLU() >> '
    'DepthwiseConv2D(3, padding="same") >> Conv2D(64, 1) >> ReLU() >> GlobalAveragePool2D() >> Dense(10) >> Softmax()'
)
LOCAL = "LocallyConnected2D(32, 3) >> ReLU() >> Flatten() >> Dense(10) >> Softmax()"
POOLED = "Embedding(20000, 64) >> GlobalAveragePool1D() >> Dense(10) >> Softmax()"
NORMALIZED = (
    'Conv2D(32, 3, padding="same", bias=False) >> BatchNorm() >> ReLU() >> MaxPool2D(2) >> '
    'Conv2D(64, 3, padding="same", bias=False) >> BatchNorm() >> ReLU() >> MaxPool2D(2) >> '
    "Flatten() >> Dense(64) >> ReLU() >> Dense(10) >> Softmax()"
)
BLOCK = " >> ".join(2 * ['BatchNorm() >> ReLU() >> Conv2D({0}, 3, padding="same")'])
RESIDUAL = (
    f'Conv2D(32, 3, padding="same") >> Identity() + ({BLOCK.format(32)}) >> MaxPool2D(2) >> '
    f"Conv2D(64, 1) + ({BLOCK.format(64)}) >> BatchNorm() >> ReLU() >> GlobalAveragePool2D() >> Dense(10) >> Softmax()"
)
SEGMENTER = (
    'Conv2D(32, 3, padding="same") >> ReLU() >> MaxPool2D(2) >> Conv2D(64, 3, padding="same") >> ReLU() >> '
    'MaxPool2D(2) >> ConvTranspose2D(64, 4, stride=2, padding="same") >> ReLU() >> '
    'ConvTranspose2D(32, 4, stride=2, padding="same") >> ReLU() >> Conv2D(10, 1) >> Softmax()'
)
ATTENTIVE = (
    "Identity() + (LayerNorm() >> SelfAttention(4)) >> "
    "Identity() + (LayerNorm() >> Dense(512) >> GELU() >> Dense(128)) >> "
)
TRANSFORMER = f"{2 * ATTENTIVE}LayerNorm() >> GlobalAveragePool1D() >> Dense(10) >> Softmax()"
STACKED = "LSTM(256, return_sequences=True) >> LSTM(256) >> Dense(10) >> Softmax()"
SPOKEN = "Embedding(20000, 64) >> GRU(64, reset_after=True) >> Dense(10) >> Softmax()"


def step(
    notation: str,
    shape: tuple[int, ...],
    batch: int,
    steps: int | None = None,
    optimizer: str = "Adam(0.001)",
    dense: bool = False,
) -> Workload:
    """A step of training, shuffle included; `dense` networks are MLPs, which scikit-learn has too."""
    steps = steps or EXAMPLES // batch
    task = classification(notation, shape, batch, steps, optimizer=optimizer)

    def contestants() -> Contestants:
        from benchmarks.peers import flax_nnx, keras_on_jax, ours, pytorch, scikit_learn

        made = {"Chainrule": ours.trainer(task), "PyTorch": pytorch.trainer(task)}
        if not any(kind in notation for kind in ("RNN", "LSTM", "GRU")):  # which torch.compile leaves as they are
            made["torch.compile"] = pytorch.trainer(task, compiled=True)
        if "Local" not in notation:
            made["Keras"] = keras_on_jax.trainer(task)
        made["Flax"] = flax_nnx.trainer(task)
        return made | ({"scikit-learn": scikit_learn.trainer(task)} if dense else {})

    return Workload(contestants, steps, flops=task.flops)


def recurrent(layer: str, batch: int, time: int, features: int) -> Workload:
    """A step of one recurrent layer and a dense one."""
    return step(f"{layer} >> Dense(10) >> Softmax()", (time, features), batch)
