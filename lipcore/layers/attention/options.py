"""What may happen to queries and keys before they meet: rotary embedding and normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..._typing import Array
from .checks import check_positive


@dataclass(frozen=True)
class Rotary:
    r"""Rotary position embedding: pairs of features are turned by an angle that grows with the position.

    Parameters
    ----------
    base : float
        Pair i of a head turns by :math:`t\, \mathrm{base}^{-2i/\mathrm{dim}}` at position t = 0, 1, ...
    dim : int, optional
        How many of the head's features turn, an even number; all by default. The rest stay as they are.
    interleaved : bool
        Whether features 2i and 2i + 1 are a pair (as in the paper), or i and i + dim / 2 (as in most model files).

    Raises
    ------
    ValueError
        If `base` is not positive and finite, or `dim` is not a positive even number.

    Notes
    -----
    Every position's map is orthogonal, so norms of queries and keys stay. Source: Su et al. 2021, arXiv 2104.09864.

    Examples
    --------
    >>> import lipcore as lc
    >>> lc.layers.Rotary(base=500000.0)
    Rotary(base=500000.0, dim=None, interleaved=False)
    """

    base: float = 10000.0
    dim: int | None = None
    interleaved: bool = False

    def __post_init__(self) -> None:
        check_positive("base", self.base)
        if self.dim is not None and (self.dim < 2 or self.dim % 2):
            raise ValueError(f"`dim` must be a positive even number, got {self.dim!r}")


@dataclass(frozen=True, eq=False)
class QKNorm:
    r"""Normalisation of each query and key, head by head, before rotation.

    Parameters
    ----------
    kind : {"rms", "l2"}
        ``x / sqrt(mean(x^2) + eps)`` or ``x / sqrt(sum(x^2) + eps)`` over the features of a head.
    eps : float
        Positive.
    q_gain, k_gain : array, shape (head_dim,), optional
        Factors of the features afterwards.

    Raises
    ------
    ValueError
        If `kind` is unknown or `eps` is not positive.

    Notes
    -----
    The map is smooth, with the constant :math:`\max|g| / \sqrt{\epsilon}`, attained at 0.
    Source: Henry et al. 2020, arXiv 2010.04245 (l2); Dehghani et al. 2023, arXiv 2302.05442.

    Examples
    --------
    >>> import lipcore as lc
    >>> lc.layers.QKNorm("l2", eps=1e-12).kind
    'l2'
    """

    kind: Literal["rms", "l2"] = "rms"
    eps: float = 1e-6
    q_gain: Array | None = None
    k_gain: Array | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("rms", "l2"):
            raise ValueError(f'`kind` must be "rms" or "l2", got {self.kind!r}')
        check_positive("eps", self.eps)
