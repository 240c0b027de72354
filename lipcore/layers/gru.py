"""Gated recurrent unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from ..operators.recurrent import GRUJacobian
from .base import Ord
from .intervals import Interval, affine, mixed, plus, sigmoid, sigmoid_slope, tanh, tanh_slope, times
from .recurrent import Recurrent, Step, closely, logistic
from .regions import Host
from .scaled_rows import ScaledRows


class GRU(Recurrent):
    r"""Gated recurrent unit, all hidden states as output.

    Parameters
    ----------
    weight_ih : array, shape (3 * hidden, features)
        Rows of the gates r, z, n, as torch stores them.
    weight_hh : array, shape (3 * hidden, hidden)
        U, in the same order.
    bias_ih, bias_hh : array, shape (3 * hidden,), optional
        b and b'.
    initial_hidden : array, shape (hidden,), optional
        State before the first time, zero by default; a constant of the layer.

    Raises
    ------
    TypeError
        If an array is not real floating point.
    ValueError
        If shapes do not meet; from a call, unless inputs are (samples, time, features).

    See Also
    --------
    LSTM : A cell with a state of its own.

    Notes
    -----
    .. math:: r, z = \sigma(W x_t + b + U h_{t-1} + b'), \quad n = \tanh(W_n x_t + b_n + r \circ m), \quad
              m = U_n h_{t-1} + b'_n, \quad h_t = (1 - z) n + z h_{t-1} .

    A change of the input at this time counts at most :math:`\|E W_r + F W_z + A W_n\|`, where the diagonal matrices
    :math:`E = (1 - z) n' m r'`, :math:`F = (h_{t-1} - n) z'` and :math:`A = (1 - z) n'` are entry by entry at most
    their largest values on the intervals that the inputs allow; one of the hidden state at most
    :math:`\|E U_r + F U_z\| + \|z + (1 - z) n' r U_n\|`. The last norm is at most :math:`\max z + \|A r U_n\|`; for
    ord 2 also :math:`(1 + \|n' r U_n\|^2)^{1/2}` and for ord inf :math:`\max_i z_i + (1 - z_i) \rho_i`,
    :math:`\rho_i` the sum of row i, since z takes averages entry by entry. Everywhere
    :math:`|h_t| \le \max(1, |h_0|)`, which bounds m. Unrolled in time, these numbers give the matrix whose norm bounds
    the constant (analytic).
    Source: Cho et al. 2014, arXiv 1406.1078, in the form of torch.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> gru = lc.layers.GRU(np.ones((3, 1)), np.zeros((3, 1)))
    >>> gru(np.zeros((1, 2, 1))).shape
    (1, 2, 1)
    >>> gru.lipschitz(2, input_shape=(1, 1)).upper < 1.5
    True
    """

    gates = 3

    def __init__(
        self,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None = None,
        bias_hh: Array | None = None,
        *,
        initial_hidden: Array | None = None,
    ) -> None:
        self._set_weights(weight_ih, weight_hh, bias_ih, bias_hh, initial_hidden=initial_hidden)

    def _forward(self, *xs: Array) -> Array:
        return self._run(xs[0], derivatives=False)[0]

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.linearize(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobian of one pass."""
        self._checked(xs)
        h, factors = self._run(xs[0], derivatives=True)
        return h, (GRUJacobian(self.weight_ih, self.weight_hh, *factors),)

    def _run(self, x: Array, *, derivatives: bool) -> tuple[Array, list[Array]]:
        xp = B.array_namespace(x)
        driven, h = self._driven(x), self._start(self.initial_hidden, x)
        outputs, factors = [], []
        for t in range(x.shape[1]):
            (xr, xz, xn), (hr, hz, m) = self._split(driven[:, t, :]), self._split(self._recurrent(h))
            r, z = logistic(xr + hr, xp), logistic(xz + hz, xp)
            n = xp.tanh(xn + r * m)
            before, h = h, (1 - z) * n + z * h
            outputs.append(h)
            if derivatives:
                new = (1 - z) * (1 - n * n)
                factors.append((new * m * r * (1 - r), (before - n) * z * (1 - z), new, r, z))
        return xp.stack(outputs, axis=1), [xp.stack(several, axis=1) for several in zip(*factors, strict=True)]

    def _steps(self, ord: Ord, inputs: Sequence[Interval]) -> list[tuple[Step, Interval]]:
        w, u, bias_ih, bias_hh = self._host()
        driven, gated, recurrent = ScaledRows(w, ord), ScaledRows(u[:2], ord), ScaledRows(u[2:], ord)
        hidden, close, size, found = self._point(self.initial_hidden), closely(len(inputs)), self.hidden, []
        parts = [slice(g * size, (g + 1) * size) for g in range(3)]
        for x in inputs:
            xr, xz, xn = (affine(a, x, bias_ih[part]) for a, part in zip(w, parts, strict=True))
            hr, hz, m = (affine(b, hidden, bias_hh[part]) for b, part in zip(u, parts, strict=True))
            zr, zz = plus(xr, hr), plus(xz, hz)
            r, z = sigmoid(zr), sigmoid(zz)
            zn = plus(xn, times(r, m))
            n, slope = tanh(zn), tanh_slope(zn)
            new = (1 - z.low) * slope
            apart = np.maximum(hidden.high - n.low, n.high - hidden.low)
            sizes = [new * m.size * sigmoid_slope(zr), apart * sigmoid_slope(zz), new]
            p = driven.of(sizes, closely=close)
            q = gated.of(sizes[:2], closely=close) + _kept(recurrent, u[2], z, slope * r.high, close)
            hidden = mixed(z, n, hidden)
            found.append((Step(p, q), hidden))
        return found


def _kept(recurrent: ScaledRows, u: Host, z: Interval, slope: Host, close: bool) -> float:
    """Norm of ``diag(z) + diag((1 - z) s) U`` for all z of the interval and slopes up to `slope`."""
    found = float(np.max(z.high)) + recurrent.of([(1 - z.low) * slope], closely=close)
    if recurrent.ord == 2:
        return min(found, math.hypot(1.0, recurrent.of([slope], closely=close)) * (1 + 1e-15))
    if recurrent.ord == math.inf:
        rows = slope * np.sum(np.abs(u), axis=1)
        mixtures = np.stack([end + (1 - end) * rows for end in z])
        return min(found, float(np.max(mixtures)) * (1 + 1e-12))
    return found
