"""Optimizers: how the gradient g of the cost changes the parameters θ.

They keep Optax's protocol, `init(params)` and `update(grads, state, params)`, whose updates are added to the
parameters: ours stand inside `optax.chain`, Optax's inside `fit`.
"""

from chainrule.optimizers.adaptive import Adadelta, Adagrad, RMSprop
from chainrule.optimizers.averaging import Averaged, Lookahead
from chainrule.optimizers.base import KERNELS, Optimizer, Rule
from chainrule.optimizers.clipping import ClipAdaptive, ClipNorm, Clipped, Clipping, ClipValue
from chainrule.optimizers.descent import AggMo, GradientDescent, Momentum, Nesterov, QHMomentum
from chainrule.optimizers.foreign import FromOptax
from chainrule.optimizers.layerwise import LAMB, LARS, Adafactor
from chainrule.optimizers.matrices import Muon
from chainrule.optimizers.moments import AdaBelief, Adam, AdaMax, AdamW, AMSGrad, Nadam, QHAdam, RAdam, Yogi
from chainrule.optimizers.plateau import ReduceOnPlateau
from chainrule.optimizers.quasinewton import LBFGS
from chainrule.optimizers.schedulefree import ScheduleFreeAdamW, ScheduleFreeDescent
from chainrule.optimizers.schedules import (
    ConstantRate,
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    NoamDecay,
    OneCycle,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Warmup,
)
from chainrule.optimizers.sharpness import SAM
from chainrule.optimizers.signs import Lion, Rprop

__all__ = [
    "KERNELS",
    "LAMB",
    "LARS",
    "LBFGS",
    "SAM",
    "AMSGrad",
    "AdaBelief",
    "AdaMax",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "AggMo",
    "Averaged",
    "ClipAdaptive",
    "ClipNorm",
    "ClipValue",
    "Clipped",
    "Clipping",
    "ConstantRate",
    "CosineDecay",
    "CosineRestarts",
    "ExponentialDecay",
    "FromOptax",
    "GradientDescent",
    "InverseTimeDecay",
    "LinearDecay",
    "Lion",
    "Lookahead",
    "Momentum",
    "Muon",
    "Nadam",
    "Nesterov",
    "NoamDecay",
    "OneCycle",
    "Optimizer",
    "PolynomialDecay",
    "QHAdam",
    "QHMomentum",
    "RAdam",
    "RMSprop",
    "ReduceOnPlateau",
    "Rprop",
    "Rule",
    "Schedule",
    "ScheduleFreeAdamW",
    "ScheduleFreeDescent",
    "StepDecay",
    "Warmup",
    "Yogi",
]
