"""Layer norm and RMS norm: rows over the last axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import _backend as B
from .._typing import Array, Namespace, Shape
from .row_normalization import RowNormalizing
from .scalars import count


class LastAxes(RowNormalizing):
    """A normalisation over the last axes of a sample."""

    def __init__(
        self, normalized_shape: int | Sequence[int], eps: float, weight: Array | None, bias: Array | None
    ) -> None:
        sizes = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
        given = tuple(count(size, "normalized_shape") for size in sizes)
        if not given:
            raise ValueError("`normalized_shape` must name at least one axis, got none")
        self.normalized_shape = given
        for name, array in (("weight", weight), ("bias", bias)):
            if array is not None and B.is_array(array) and tuple(array.shape) != given:
                raise ValueError(f"`{name}` must have shape {given}, got {tuple(array.shape)}")
        super().__init__(eps, weight, bias)
        if len(given) == 1:  # then a row is a token
            self.ords = (1, 2, math.inf, "token")

    def _layout(self, shape: Shape) -> Shape:
        last = len(self.normalized_shape)
        if tuple(shape[-last:]) != self.normalized_shape:
            raise ValueError(f"`x` must have samples of shape (..., {self.normalized_shape}), got {tuple(shape)}")
        return (math.prod(shape[:-last]), math.prod(self.normalized_shape), 1)

    def _known_layout(self, shape: Shape | None) -> Shape:
        return (1, math.prod(self.normalized_shape), 1) if shape is None else self._layout(shape)

    def _spread(self, xp: Namespace, values: Array, layout: Shape) -> Array:
        return xp.reshape(values, (1, layout[1], 1))


class LayerNorm(LastAxes):
    r"""Layer norm, :math:`g \circ (x - \bar x) / \sqrt{\mathrm{var}(x) + e} + b` over the last axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axes of a sample, over which mean and variance are taken.
    eps : float
        The stabiliser e, not negative.
    weight, bias : array, shape (*normalized_shape), optional
        The factors g and the shift b.

    Raises
    ------
    ValueError
        If a shape does not fit, or `eps` is negative.

    Notes
    -----
    The Jacobian of a row of n entries is :math:`\mathrm{diag}(g) (C - \hat x \hat x^T / n) / s` with
    :math:`C = I - 1 1^T / n` and :math:`s^2 = \mathrm{var} + e`. Constants:

    - 2-norm: :math:`\|\mathrm{diag}(g) C\|_2 / \sqrt e`, since the matrix in parentheses commutes with C and has
      eigenvalues between 0 and 1; attained at a constant row. Without factors it is :math:`1/\sqrt e`, 316.2 at 1e-5.
      Rigorous. Over a region the variance is bounded below, and with it s.
    - inf- and 1-norm: a row sum is at most :math:`1 - 1/n - a^2/n + \sqrt{(n-1)(n-1-2a^2+a^2(n\theta-a^2))}/n` with
      :math:`a = |\hat x_i|, \theta = 1 - e/s^2` (Cauchy-Schwarz); the maximum over a is known in closed form, that over
      :math:`\theta` is enclosed by branch and bound. Rows with one large entry and two levels besides nearly attain it.
      It grows like :math:`\sqrt{n/27}/\sqrt e`. Analytic.

    Ba, Kiros and Hinton 2016 (arXiv 1607.06450).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> norm = lc.layers.LayerNorm(4, eps=1e-4)
    >>> norm(np.array([[1.0, 2.0, 3.0, 4.0]]))
    array([[-1.3416, -0.4472,  0.4472,  1.3416]])
    >>> round(norm.lipschitz().upper, 6)
    100.0
    >>> norm.lipschitz(region=lc.Ball(np.array([1.0, 2.0, 3.0, 4.0]), 0.5)).upper < 1.2
    True
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        weight: Array | None = None,
        bias: Array | None = None,
    ) -> None:
        super().__init__(normalized_shape, eps, weight, bias)


class RMSNorm(LastAxes):
    r"""Root-mean-square norm, :math:`g \circ x / \sqrt{\mathrm{mean}(x^2) + e}` over the last axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The last axes of a sample, over which the mean is taken.
    eps : float
        The stabiliser e, not negative; PyTorch takes the spacing of the dtype by default.
    weight : array, shape (*normalized_shape), optional
        The factors g.

    Raises
    ------
    ValueError
        If a shape does not fit, or `eps` is negative.

    Notes
    -----
    The Jacobian of a row of n entries is :math:`\mathrm{diag}(g) (I - \hat x \hat x^T / n) / s`,
    :math:`s^2 = \mathrm{mean}(x^2) + e`. Constants, all of them attained:

    - 2-norm: :math:`\max|g| / \sqrt e`, at x = 0. Rigorous. Over a region s is bounded below.
    - inf-norm: :math:`\max|g|\, V(q) / \sqrt e` with :math:`q = (\sqrt n - 1)/2` and
      :math:`V(q) = \max_\theta \sqrt{1 - \theta}\,(1 + q \theta)`, at a row with one large entry among equal ones:
      1.066, 1.964 and 5.729 for n = 8, 64, 768. Analytic.
    - 1-norm: the same with :math:`q = (\|g\|_2 / \max|g| - 1)/2`. Analytic.

    Zhang and Sennrich 2019 (arXiv 1910.07467).

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> norm = lc.layers.RMSNorm(64, eps=1e-4)
    >>> round(norm.lipschitz().upper, 6), round(norm.lipschitz(np.inf).upper, 1)
    (100.0, 196.4)
    """

    centered = False

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-6, weight: Array | None = None) -> None:
        super().__init__(normalized_shape, eps, weight, None)
