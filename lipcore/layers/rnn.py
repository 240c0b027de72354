"""Elman's recurrent network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import _backend as B
from .._typing import Array
from ..operators import LinearOperator
from ..operators.recurrent import ElmanJacobian
from .base import Ord
from .intervals import Interval, affine, plus, tanh, tanh_slope
from .recurrent import Recurrent, Step, closely
from .scaled_rows import ScaledRows


class RNN(Recurrent):
    r"""Elman network, :math:`h_t = \phi(W x_t + b + U h_{t-1} + b')`, all hidden states as output.

    Parameters
    ----------
    weight_ih : array, shape (hidden, features)
        W, as torch stores it.
    weight_hh : array, shape (hidden, hidden)
        U.
    bias_ih, bias_hh : array, shape (hidden,), optional
        b and b'.
    nonlinearity : {"tanh", "relu"}
    initial_hidden : array, shape (hidden,), optional
        State before the first time, zero by default; a constant of the layer.

    Raises
    ------
    TypeError
        If an array is not real floating point.
    ValueError
        If shapes do not meet, or `nonlinearity` is unknown; from a call, unless inputs are (samples, time, features).

    See Also
    --------
    LSTM, GRU : Cells with gates.
    Sequential : Several of them on top of each other.

    Notes
    -----
    :math:`\mathrm{d}h_t = d_t \circ (W \mathrm{d}x_t + U \mathrm{d}h_{t-1})` with slopes :math:`d_t` between 0 and 1: a
    change of the input at time s reaches time t with at most :math:`\|U\|^{t-s} \|W\|` in every norm. Over a region
    :math:`\|\mathrm{diag}(D_t) U\|` and :math:`\|\mathrm{diag}(D_t) W\|` take their places, D the largest slopes on the
    intervals that the inputs allow: the diagonal of smaller slopes is one of numbers up to 1 times that of D. The
    constant of the sequence is at most the norm of the triangular matrix of these numbers (analytic). The time comes
    from `input_shape` or the region. Source: Elman 1990.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> rnn = lc.layers.RNN(np.array([[1.0]]), np.array([[0.5]]), nonlinearity="relu")
    >>> rnn(np.ones((1, 3, 1)))[0, :, 0]
    array([1.  , 1.5 , 1.75])
    >>> round(rnn.lipschitz(np.inf, input_shape=(3, 1)).upper, 9)
    1.75
    """

    def __init__(
        self,
        weight_ih: Array,
        weight_hh: Array,
        bias_ih: Array | None = None,
        bias_hh: Array | None = None,
        *,
        nonlinearity: str = "tanh",
        initial_hidden: Array | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f'`nonlinearity` must be "tanh" or "relu", got {nonlinearity!r}')
        self._set_weights(weight_ih, weight_hh, bias_ih, bias_hh, initial_hidden=initial_hidden)
        self.nonlinearity = nonlinearity

    def _states(self, x: Array) -> Array:
        xp = B.array_namespace(x)
        driven, h = self._driven(x), self._start(self.initial_hidden, x)
        found = []
        for t in range(x.shape[1]):
            z = driven[:, t, :] + self._recurrent(h)
            h = xp.tanh(z) if self.nonlinearity == "tanh" else xp.where(z > 0, z, xp.zeros_like(z))
            found.append(h)
        return xp.stack(found, axis=1)

    def _forward(self, *xs: Array) -> Array:
        return self._states(xs[0])

    def _jacobians(self, *xs: Array) -> tuple[LinearOperator, ...]:
        return self.linearize(*xs)[1]

    def linearize(self, *xs: Array) -> tuple[Array, tuple[LinearOperator, ...]]:
        """Output and Jacobian of one pass."""
        self._checked(xs)
        h = self._states(xs[0])
        slopes = 1 - h * h if self.nonlinearity == "tanh" else B.cast(h > 0, h.dtype)
        return h, (ElmanJacobian(self.weight_ih, self.weight_hh, slopes),)

    def _steps(self, ord: Ord, inputs: Sequence[Interval]) -> list[tuple[Step, Interval]]:
        (w,), (u,), bias_ih, bias_hh = self._host()
        forward, recurrent = ScaledRows([w], ord), ScaledRows([u], ord)
        hidden, close = self._point(self.initial_hidden), closely(len(inputs))
        found = []
        for x in inputs:
            z = plus(affine(w, x, bias_ih), affine(u, hidden, bias_hh))
            if self.nonlinearity == "tanh":
                hidden, slope = tanh(z), tanh_slope(z)
            else:
                hidden = Interval(np.maximum(z.low, 0.0), np.maximum(z.high, 0.0))
                slope = np.where(z.high > 0, 1.0, 0.0)
            found.append((Step(forward.of([slope], closely=close), recurrent.of([slope], closely=close)), hidden))
        return found
