"""The same operator on NumPy views of arrays that lie in the host's memory."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np

from .. import _backend as B
from .algebra import AdjointOperator, ProductOperator, ScaledOperator, SumOperator, TransposedOperator
from .attention import AttentionJacobian
from .attention_heads import AttentionHeads
from .attention_kernel import AttentionKernel
from .attention_scores import Scores
from .base import LinearOperator
from .convolution import Convolution
from .convolution_options import multiplications
from .convolution_transpose import ConvolutionTranspose
from .dense import Dense
from .diagonal import Diagonal
from .identity import Identity
from .pair_rotation import PairRotation
from .per_sample import Folded, PerSample
from .row_extension import RowExtension
from .row_maps import RowNormalization
from .stack import HStack, VStack
from .token_map import TokenMap, TokenMaps

# Operators that are made of nothing but arrays, numbers and such operators.
_KNOWN = (
    AdjointOperator, AttentionHeads, AttentionJacobian, Convolution, ConvolutionTranspose, Dense, Diagonal, Folded,
    HStack, Identity, PairRotation, PerSample, ProductOperator, RowExtension, RowNormalization, ScaledOperator,
    SumOperator, TokenMap, TokenMaps, TransposedOperator, VStack,
)  # fmt: skip
# Multiplications of a convolution up to which its products take no longer in NumPy than in torch, whose threads are
# woken for each. 64 channels, 3 x 3, 32 x 32 (38 million): 0.7 and 0.8 ms; 256 channels (604 million): 12 and 8 ms.
_SMALL = 1 << 26


class Twin(NamedTuple):
    """An operator on NumPy vectors, and whether a derivative may be asked for of what the original is made of."""

    operator: LinearOperator
    differentiated: bool


class NoTwinError(Exception):
    """Something that cannot be had on NumPy views."""


class HostViews:
    """Copies of objects with NumPy views in the place of arrays in the host's memory."""

    def __init__(self) -> None:
        self.differentiated = self.pays = self.heavy = False
        self._numpy = B.array_namespace(np.zeros(()))

    def moved(self, x: Any) -> Any:
        """`x` with each array in it as a NumPy view."""
        if B.is_array(x):
            view = B.host_view(x)
            if view is None:
                raise NoTwinError
            self.differentiated |= B.is_differentiated(x)
            return view
        if isinstance(x, LinearOperator):
            return self._operator(x)
        if isinstance(x, AttentionKernel | Scores):
            return self.copied(x)
        if isinstance(x, dict):
            return {key: self.moved(value) for key, value in x.items()}
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return type(x)(*map(self.moved, x))
        return type(x)(map(self.moved, x)) if isinstance(x, list | tuple) else x

    def _operator(self, x: LinearOperator) -> LinearOperator:
        if type(x) not in _KNOWN:
            raise NoTwinError
        if isinstance(x, Convolution | ConvolutionTranspose):
            self.heavy |= multiplications(x) > _SMALL
        self.pays |= isinstance(x, AttentionJacobian | Convolution | ConvolutionTranspose)
        home = {"xp": self._numpy, "device": "cpu", "dtype": B.numpy_dtype(x.dtype)}
        kept = {key: value for key, value in x.__dict__.items() if key not in home}
        twin: LinearOperator = copy.copy(x)
        twin.__dict__.update({**{key: self.moved(value) for key, value in kept.items()}, **home})
        return twin

    def copied(self, x: Any) -> Any:
        """`x` with its attributes moved."""
        twin = copy.copy(x)
        twin.__dict__.update({key: self.moved(value) for key, value in x.__dict__.items()})
        return twin


def may_be_differentiated(x: Any) -> bool:
    """Whether a derivative may be asked for of what `x`, an operator, is made of; True where that is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.host_twin import may_be_differentiated
    >>> may_be_differentiated(lc.Diagonal(np.ones(2)))
    False
    """
    if B.is_array(x):
        return B.is_differentiated(x)
    if isinstance(x, LinearOperator):
        if B.is_numpy(x.xp) or type(x) not in _KNOWN:
            return not B.is_numpy(x.xp)
        parts = [value for key, value in x.__dict__.items() if key not in ("xp", "device", "dtype")]
    elif isinstance(x, AttentionKernel | Scores):
        parts = list(x.__dict__.values())
    else:
        parts = list(x.values()) if isinstance(x, dict) else list(x) if isinstance(x, list | tuple) else []
    return any(map(may_be_differentiated, parts))


def host_twin(operator: LinearOperator) -> Twin | None:
    """A twin of an operator that attention or small convolutions are part of; None where it is NumPy's, or has none.

    Attention takes some twenty steps a product, each of which costs several times as much to start in torch, and
    tens of times in JAX outside of a compiled function, as it does in NumPy; so do the few operations on vectors of
    some ten thousand numbers between products with small convolutions. On the host no array is copied. Devices, half
    precision, traced arrays, large convolutions, and operators of other kinds in a composition have no twin.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.host_twin import host_twin
    >>> host_twin(lc.Diagonal(np.ones(2))) is None
    True
    """
    if B.is_numpy(operator.xp) or not (B.is_torch(operator.xp) or B.is_jax(operator.xp)):
        return None
    builder = HostViews()
    try:
        twin = builder.moved(operator)
    except NoTwinError:
        return None
    return Twin(twin, builder.differentiated) if builder.pays and not builder.heavy else None
