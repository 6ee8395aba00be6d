"""A layer around one other layer, which changes how that is trained or what it computes with."""

from chainrule.formula.layer import Composition, Layer


class Around(Composition):
    """A layer around any other, with its shapes, tokens and categories."""

    layer: Layer

    @property
    def tokens(self) -> int | None:
        return self.layer.tokens

    @property
    def categories(self) -> int:
        return self.layer.categories

    @property
    def learns(self) -> bool:
        return self.layer.learns

    def learned(self, p, state, x, mask):
        return self.layer.learned(p, state, x, mask)

    def parts(self, shape):
        yield self.layer, shape

    def output_shape(self, shape):
        return self.layer.output_shape(shape)

    def parameters(self, shape):
        return self.layer.parameters(shape)

    def state(self, shape):
        return self.layer.state(shape)
