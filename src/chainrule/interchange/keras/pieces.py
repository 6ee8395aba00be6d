"""What Keras says of a layer, and what it becomes here: a network with the names of its modules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chainrule.activations import Identity
from chainrule.arrays.masked import Shape
from chainrule.errors import ChainruleError
from chainrule.formula.layer import Layer
from chainrule.interchange.weights.matching import Stored
from chainrule.regularizers import Regularizer

Config = Mapping[str, Any]

NOTHING = Identity()


@dataclass(frozen=True)
class Piece:
    """A network, and the names of its modules in its order."""

    layer: Layer = NOTHING
    modules: tuple[str, ...] = ()

    def __rshift__(self, other: "Piece") -> "Piece":
        if self.layer == NOTHING:
            return other
        return self if other.layer == NOTHING else Piece(self.layer >> other.layer, self.modules + other.modules)


@dataclass
class Notes:
    """What a description says beside its layers.

    Attributes:
        penalties: by layer with kernels, how these are regularised.
        told: by module, the arrays of one that has no weights there.
        left: modules whose arrays only training needs.
    """

    penalties: dict[str, Regularizer | None] = field(default_factory=dict)
    told: Stored = field(default_factory=dict)
    left: set[str] = field(default_factory=set)


class Described(NamedTuple):
    """A layer's description.

    Attributes:
        kind: its class.
        config: its attributes.
        who: its name and class, for errors.
        module: the name by which a file of weights knows it.
        shape: that of the examples that reach it.
        call: what its call is told beside them.
        notes: where it says what concerns the whole network.
    """

    kind: str
    config: Config
    who: str
    module: str
    shape: Shape
    call: Config
    notes: Notes

    def refused(self, attribute: str, value: Any = None) -> ChainruleError:
        """The error of an attribute that has no form here."""
        value = self.config.get(attribute) if value is None else value
        value = value.get("class_name") if isinstance(value, Mapping) else value
        return ChainruleError(f"{self.who}: {attribute}={value!r} has no form here. Choose what both have.")

    def of_last(self, attribute: str) -> bool:
        """Whether an attribute names the last axis alone."""
        return self.config.get(attribute, -1) in (None, -1, [-1], len(self.shape), [len(self.shape)])

    @property
    def channels_last(self) -> bool:
        """Whether its channels are last, as here."""
        return self.config.get("data_format") in ("channels_last", None)

    def within(self, config: Config, part: str) -> "Described":
        """A layer in it."""
        inner, kind = config.get("config") or {}, str(config.get("class_name"))
        return self._replace(kind=kind, config=inner, module=f"{self.module}{part}", who=f"{self.who}'s {kind}")
