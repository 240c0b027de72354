"""Long short-term memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from ..operators.recurrent import LSTMJacobian
from .base import Ord
from .intervals import Interval, affine, plus, sigmoid, sigmoid_slope, tanh, tanh_slope, times
from .recurrent import Recurrent, Step, closely, logistic
from .scaled_rows import ScaledRows


class LSTM(Recurrent):
    r"""Long short-term memory, all hidden states as output.

    Parameters
    ----------
    weight_ih : array, shape (4 * hidden, features)
        Rows of the gates i, f, g, o, as torch stores them.
    weight_hh : array, shape (4 * hidden, hidden)
        U, in the same order.
    bias_ih, bias_hh : array, shape (4 * hidden,), optional
        b and b'.
    initial_hidden, initial_cell : array, shape (hidden,), optional
        States before the first time, zero by default; constants of the layer.

    Raises
    ------
    TypeError
        If an array is not real floating point.
    ValueError
        If shapes do not meet; from a call, unless inputs are (samples, time, features).

    See Also
    --------
    GRU : A cell with fewer gates.

    Notes
    -----
    .. math:: i, f, o = \sigma(W x_t + b + U h_{t-1} + b'), \quad g = \tanh(\cdot), \quad
              c_t = f c_{t-1} + i g, \quad h_t = o \tanh c_t .

    With sizes :math:`\xi, \eta, \gamma` of the changes of input, hidden and cell state,

    .. math:: \gamma_t &\le \max f\, \gamma_{t-1} + \|A_W\| \xi_t + \|A_U\| \eta_{t-1}, \quad
              A_W = g i' W_i + c_{t-1} f' W_f + i g' W_g, \\
              \eta_t &\le \max o \tanh'(c_t)\, \gamma_t + \|B_W\| \xi_t + \|B_U\| \eta_{t-1}, \quad
              B_W = \tanh(c_t) o' W_o,

    where the products of slopes stand for diagonal matrices, entry by entry at most their largest values on the
    intervals that the inputs allow; everywhere these are :math:`i', f', o' \le 1/4`, :math:`|g|, g', i, f, o \le 1` and
    :math:`|c_t| \le t + |c_0|`. Unrolled in time, these give the matrix whose norm bounds the constant (analytic).
    Everywhere it grows with a power of the time as soon as :math:`1 + \|U\|` does; ``log2_upper`` holds where floats
    overflow. Source: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> lstm = lc.layers.LSTM(np.ones((4, 1)), np.zeros((4, 1)))
    >>> lstm(np.zeros((1, 2, 1))).shape
    (1, 2, 1)
    >>> lstm.lipschitz(2, input_shape=(1, 1)).upper < 1.5
    True
    """

    gates = 4

    def __init__(
        self,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None = None,
        bias_hh: Array | None = None,
        *,
        initial_hidden: Array | None = None,
        initial_cell: Array | None = None,
    ) -> None:
        self._set_weights(
            weight_ih, weight_hh, bias_ih, bias_hh, initial_hidden=initial_hidden, initial_cell=initial_cell
        )

    def _forward(self, *xs: Array) -> Array:
        return self._run(xs[0], derivatives=False)[0]

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.linearize(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobian of one pass."""
        self._checked(xs)
        h, factors = self._run(xs[0], derivatives=True)
        return h, (LSTMJacobian(self.weight_ih, self.weight_hh, *factors),)

    def _run(self, x: Array, *, derivatives: bool) -> tuple[Array, list[Array]]:
        xp = B.array_namespace(x)
        driven = self._driven(x)
        h, c = self._start(self.initial_hidden, x), self._start(self.initial_cell, x)
        outputs, factors = [], []
        for t in range(x.shape[1]):
            i, f, g, o = self._split(driven[:, t, :] + self._recurrent(h))
            i, f, g, o = logistic(i, xp), logistic(f, xp), xp.tanh(g), logistic(o, xp)
            before, c = c, f * c + i * g
            squashed = xp.tanh(c)
            h = o * squashed
            outputs.append(h)
            if derivatives:
                slopes = (i * (1 - i), f * (1 - f), 1 - g * g, o * (1 - o), 1 - squashed * squashed)
                factors.append(
                    (f, g * slopes[0], before * slopes[1], i * slopes[2], squashed * slopes[3], o * slopes[4])
                )
        return xp.stack(outputs, axis=1), [xp.stack(several, axis=1) for several in zip(*factors, strict=True)]

    def _steps(self, ord: Ord, inputs: Sequence[Interval]) -> list[tuple[Step, Interval]]:
        w, u, bias_ih, bias_hh = self._host()
        inner, outer = [ScaledRows(m[:3], ord) for m in (w, u)], [ScaledRows(m[3:], ord) for m in (w, u)]
        hidden, cell = self._point(self.initial_hidden), self._point(self.initial_cell)
        close, size, found = closely(len(inputs)), self.hidden, []
        for x in inputs:
            zi, zf, zg, zo = (
                plus(affine(a, x, bias_ih[part]), affine(b, hidden, bias_hh[part]))
                for a, b, part in zip(w, u, (slice(g * size, (g + 1) * size) for g in range(4)), strict=True)
            )
            i, f, g, o = sigmoid(zi), sigmoid(zf), tanh(zg), sigmoid(zo)
            inside = [g.size * sigmoid_slope(zi), cell.size * sigmoid_slope(zf), i.high * tanh_slope(zg)]
            cell = plus(times(f, cell), times(i, g))
            squashed = tanh(cell)
            outside = [squashed.size * sigmoid_slope(zo)]
            hidden = times(o, squashed)
            hidden = Interval(np.maximum(hidden.low, -1.0), np.minimum(hidden.high, 1.0))
            a, b = (gains.of(inside, closely=close) for gains in inner)
            p, q = (gains.of(outside, closely=close) for gains in outer)
            kept = float(np.max(o.high * tanh_slope(cell)))
            found.append((Step(p, q, float(np.max(f.high)), a, b, kept), hidden))
        return found
