"""The exponential of a skew operator, term by term."""

from __future__ import annotations

from .._typing import Array
from .base import LinearOperator


class SkewExponential(LinearOperator):
    r"""Taylor polynomial of the exponential of a square operator, :math:`\sum_{t \le T} A^t / t!`.

    Parameters
    ----------
    generator : LinearOperator, shape (N, N)
        The operator A, without a batch; made for skew ones, whose exponential is orthogonal.
    terms : int
        Degree T of the polynomial, at least 1.

    Attributes
    ----------
    generator : LinearOperator
        The operator that was given.
    terms : int
        Degree of the polynomial.

    Raises
    ------
    ValueError
        If `generator` is not square or has a batch, or `terms` is below 1.

    Notes
    -----
    For a skew A the singular values are :math:`|p_T(i y)|` for the eigenvalues :math:`i y`, so they lie within
    :math:`\|A\|^{T + 1} / (T + 1)!` of 1. For T = 4, 8, 12, 16, 20, 24 none is above 1 as long as :math:`\|A\|` is at
    most 2.8 (T = 4) or 3.2. A product costs T products with A.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.skew_exponential import SkewExponential
    >>> quarter = SkewExponential(lc.Dense(np.array([[0.0, -np.pi / 2], [np.pi / 2, 0.0]])), 20)
    >>> np.allclose(quarter.to_dense(), [[0.0, -1.0], [1.0, 0.0]])
    True
    """

    def __init__(self, generator: LinearOperator, terms: int) -> None:
        if len(generator.shape) != 2 or generator.shape[0] != generator.shape[1]:
            raise ValueError(f"`generator` must be one square operator, got shape {generator.shape}")
        if isinstance(terms, bool) or not hasattr(terms, "__index__") or terms < 1:
            raise ValueError(f"`terms` must be a positive integer, got {terms!r}")
        self.generator, self.terms = generator, int(terms)
        self._setup(
            generator.shape,
            dtype=generator.dtype,
            xp=generator.xp,
            device=generator.device,
            domain_shape=generator.domain_shape,
            range_shape=generator.range_shape,
        )

    def _matmat(self, X: Array) -> Array:
        y = X
        for t in range(self.terms, 0, -1):
            y = X + self.generator.matmat(y) / t
        return y

    def _rmatmat(self, Y: Array) -> Array:
        x = Y
        for t in range(self.terms, 0, -1):
            x = Y + self.generator.rmatmat(x) / t
        return x
