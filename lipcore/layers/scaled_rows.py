"""Norms of sums of matrices whose rows are scaled by numbers of which only the size is known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..norms import opnorm_bounds
from .base import Ord
from .regions import Host

_SLACK = 1 + 1e-12


class ScaledRows:
    """Norms of ``sum_g diag(d_g) M_g`` for vectors ``d_g`` known by upper bounds of their absolute values.

    Parameters
    ----------
    matrices : sequence of array, shape (m, n)
        The matrices M, on the host in double precision.
    ord : {1, 2, inf, "token"}
        Norm; "token" is 2 here.
    """

    def __init__(self, matrices: Sequence[Host], ord: Ord) -> None:
        self.matrices, self.ord = list(matrices), 2 if ord == "token" else ord
        self.norms = [self._norm(m) for m in self.matrices]
        self.stacked = self._norm(np.concatenate(self.matrices))

    def _norm(self, matrix: Host) -> float:
        return float(opnorm_bounds(matrix, self.ord, rtol=1e-4).upper)

    def of(self, sizes: Sequence[Host], *, closely: bool) -> float:
        r"""Upper bound of the norm for all ``|d_g| <= sizes[g]``.

        Notes
        -----
        For ord 1 and inf the norm of :math:`\sum_g \mathrm{diag}(s_g) |M_g|`, which no such sum exceeds entry by entry.
        For ord 2 the least of the sum of the norms, of :math:`\max_i (\sum_g s_{gi}^2)^{1/2}` times the norm of the
        matrices on top of each other (Cauchy and Schwarz), and, if `closely`, of the sum of the norms of
        :math:`\mathrm{diag}(s_g) M_g`.
        """
        if self.ord != 2:
            total = sum(size[:, None] * np.abs(m) for size, m in zip(sizes, self.matrices, strict=True))
            return float(np.max(np.sum(total, axis=0 if self.ord == 1 else 1))) * _SLACK
        tops = [float(np.max(size)) for size in sizes]
        largest = math.sqrt(float(np.max(sum(size**2 for size in sizes))))
        found = [sum(top * norm for top, norm in zip(tops, self.norms, strict=True)), largest * self.stacked]
        if closely and any(np.min(size) < 0.9 * top for size, top in zip(sizes, tops, strict=True)):
            found.append(sum(self._norm(size[:, None] * m) for size, m in zip(sizes, self.matrices, strict=True)))
        return float(min(found)) * _SLACK
