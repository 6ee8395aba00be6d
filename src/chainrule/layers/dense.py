"""The fully connected layer."""

from chainrule.formula.constraints import positive_int
from chainrule.formula.layer import Layer, Parameter
from chainrule.initializers import GlorotUniform, Initializer, Zeros
from chainrule.kernels.dense import dense


class Dense(Layer):
    """Fully connected layer: every output is a weighted sum of all inputs.

    It acts on the last axis: (…, inputs) → (…, units). The kernel is (inputs, units), PyTorch's weight transposed.

    Reference: Rosenblatt, 1958, The perceptron: a probabilistic model for information storage and organization.

    >>> Dense(10).output_shape((64,))
    (10,)
    """

    units: int = positive_int(meaning="the number of outputs")
    bias: bool = True
    kernel_initializer: Initializer = GlorotUniform()
    bias_initializer: Initializer = Zeros()
    textbook = "x @ kernel + bias"

    def output_shape(self, shape):
        if not shape:
            raise self.refuse("examples of at least one axis", shape, "Put Reshape((1,)) before it.")
        return (*shape[:-1], self.units)

    def parameters(self, shape):
        self.output_shape(shape)
        kernel = Parameter((shape[-1], self.units), self.kernel_initializer, regularized=True)
        return {"kernel": kernel} | ({"bias": Parameter((self.units,), self.bias_initializer)} if self.bias else {})

    def forward(self, p, x):
        return dense(x, p["kernel"], p.get("bias"))
