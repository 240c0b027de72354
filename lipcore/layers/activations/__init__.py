"""Functions of one variable, applied to each entry."""

from .arctan import Arctan
from .elu import CELU, ELU, SELU
from .gelu import GELU
from .hardswish import HardSwish
from .hardtanh import Hardtanh, ReLU6
from .identity import Abs, Identity
from .leaky_relu import LeakyReLU
from .mish import Mish, TanhExp
from .prelu import PReLU
from .relu import ReLU
from .shrink import Hardshrink, Softshrink, Threshold
from .sigmoid import HardSigmoid, Sigmoid
from .softplus import LogSigmoid, Softplus
from .softsign import Softsign
from .squared_relu import Exp, SquaredReLU
from .swish import QuickGELU, SiLU, Swish
from .tanh import Tanh, Tanhshrink
from .waves import Sin, Snake

__all__ = [
    "Abs",
    "Arctan",
    "CELU",
    "ELU",
    "Exp",
    "GELU",
    "HardSigmoid",
    "HardSwish",
    "Hardshrink",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "PReLU",
    "QuickGELU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Snake",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SquaredReLU",
    "Swish",
    "Tanh",
    "TanhExp",
    "Tanhshrink",
    "Threshold",
]
