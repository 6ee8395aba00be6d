"""Layers that learn from the training inputs, before the first step, how to scale them."""

from abc import abstractmethod

import numpy as np

from chainrule.arrays.devices import put
from chainrule.arrays.dtypes import of_axes, real_type, wide_type
from chainrule.formula.layer import INFERENCE, Layer


class Scaling(Layer):
    """Each channel (the last axis), less a center and divided by a scale that the training inputs tell.

    `fit` learns them before its first step, of 65,536 rows at most, evenly spread, and of no step that is padding; they
    are kept as statistics. A channel whose values are all equal has the scale 1.
    """

    @property
    def learns(self) -> bool:
        return True

    @abstractmethod
    def scaling(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The center and the scale of each channel, of values (rows, channels)."""

    def output_shape(self, shape):
        if not shape:
            raise self.refuse("examples of at least one axis", shape, "Put Reshape((1,)) before it.")
        return shape

    def state(self, shape):
        zeros = np.zeros(shape[-1:], np.float32)
        return put({"center": zeros, "scale": zeros + 1})

    def forward(self, p, x):
        raise self.without_state()

    def learned(self, p, state, x, mask):
        x = np.asarray(x, np.float32)
        center, scale = self.scaling(x.reshape(-1, x.shape[-1]) if mask is None else x[np.asarray(mask)])
        return {"center": center.astype(np.float32), "scale": np.where(scale > 0, scale, 1).astype(np.float32)}

    def apply(self, p, state, x, context=INFERENCE):
        self.output_shape(x.shape[1:])
        wide = wide_type(x)
        center, scale = (of_axes(state[name].astype(wide), x) for name in ("center", "scale"))
        return ((x.astype(wide) - center) / scale).astype(real_type(x)), state


class Standardize(Scaling):
    """Each channel, less its mean and divided by its standard deviation over the training inputs.

    It is Keras' Normalization, which is told the inputs by `adapt`; here `fit` shows it them before its first step, as
    many as 65,536 rows, evenly spread. Unlike `BatchNorm`, nothing changes them afterwards.

    Reference: LeCun, Bottou, Orr & Müller, 1998, Efficient backprop.

    >>> from chainrule import fit
    >>> x = np.array([[1.0], [3.0]])
    >>> model = fit("Standardize() >> Dense(1)", x, x, epochs=1, batch_size="all", progress=False)
    >>> {name: each.tolist() for name, each in model.state[0].items()}
    {'center': [2.0], 'scale': [1.0]}
    """

    textbook = """
        mu[c] = mean(x[:, c])
        sigma[c] = sqrt(mean((x[:, c] - mu[c])**2))
        y[b, c] = (x[b, c] - mu[c]) / sigma[c]"""

    def scaling(self, values):
        return values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)


class RobustScale(Scaling):
    """Each channel, less its median and divided by the distance of its quartiles over the training inputs.

    Outliers change neither. Where half of the values or more are equal, as in most columns of a one-hot encoding, the
    quartiles may have no distance: half the distance of the least value and the largest takes its place. `fit` shows it
    the inputs before its first step, as many as 65,536 rows, evenly spread. A smooth clipping goes well with it:
    `RobustScale() >> ISRU(0.1)` leaves small values as they are, and large ones within ±√10.

    Scikit-learn's RobustScaler has the scale 1 where the quartiles have no distance.

    Reference: Holzmüller, Grinsztajn & Steinwart, 2024, Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data, arXiv:2407.04491.

    >>> from chainrule import fit
    >>> x = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0], [100.0, 1.0]])
    >>> model = fit("RobustScale() >> Dense(1)", x, x[:, 0], epochs=1, batch_size="all", progress=False)
    >>> {name: each.tolist() for name, each in model.state[0].items()}
    {'center': [3.0, 0.0], 'scale': [2.0, 0.5]}
    """

    textbook = """
        m[c] = quantile(x[:, c], 1/2)
        d[c] = quantile(x[:, c], 3/4) - quantile(x[:, c], 1/4)
        r[c] = (max(x[:, c]) - min(x[:, c])) / 2
        s[c] = d[c] if d[c] > 0 else r[c]
        y[b, c] = (x[b, c] - m[c]) / s[c]"""

    def scaling(self, values):
        least, low, center, high, most = np.quantile(values, [0, 0.25, 0.5, 0.75, 1], axis=0)
        return center, np.where(high > low, high - low, (most - least) / 2)
