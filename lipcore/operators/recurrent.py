"""Jacobians of recurrent cells over a whole sequence, swept forward and backward in time."""

from __future__ import annotations

from .. import _backend as B
from .._typing import Array
from .base import LinearOperator

State = tuple[Array, ...]


class Unrolled(LinearOperator):
    r"""Jacobian of a recurrent cell from the inputs of all times to the hidden states of all times.

    Parameters
    ----------
    weight_ih : array, shape (gates * hidden, features)
        What the inputs are multiplied by.
    weight_hh : array, shape (gates * hidden, hidden)
        What the hidden states are multiplied by.
    *factors : array, shape (samples, time, hidden)
        Derivatives of the gates at the point; a subclass says which.

    Notes
    -----
    A forward sweep adds up tangents, a backward sweep cotangents; both keep one state, so that memory is that of the
    factors and of the products of the inputs, ``O(time * hidden)`` for each column. A product costs that of both
    matrices with a column for every time.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> from lipcore.operators.recurrent import ElmanJacobian
    >>> J = ElmanJacobian(np.ones((1, 1)), np.ones((1, 1)), np.full((1, 3, 1), 0.5))
    >>> J.to_dense()[0]
    array([[0.5  , 0.   , 0.   ],
           [0.25 , 0.5  , 0.   ],
           [0.125, 0.25 , 0.5  ]])
    """

    states = 1  # arrays of the size of the hidden state that are carried along

    def __init__(self, weight_ih: Array, weight_hh: Array, *factors: Array) -> None:
        self.weight_ih, self.weight_hh = weight_ih, weight_hh
        samples, time, hidden = factors[0].shape
        xp = B.array_namespace(weight_ih, weight_hh, *factors)
        self.factors = tuple(xp.expand_dims(factor, axis=-1) for factor in factors)
        features = weight_ih.shape[-1]
        self._setup(
            (samples, time * hidden, time * features),
            dtype=factors[0].dtype,
            xp=xp,
            device=B.device_of(factors[0]),
            domain_shape=(time, features),
            range_shape=(time, hidden),
        )

    def _step(self, at: State, driven: Array, state: State) -> State:
        """State after a step; its last member is the hidden one, which goes out."""
        raise NotImplementedError

    def _back(self, at: State, state: State) -> tuple[Array, State]:
        """Cotangent of what the inputs drive, and of the state before the step."""
        raise NotImplementedError

    def _matmat(self, X: Array) -> Array:
        samples, columns = self.shape[0], X.shape[-1]
        (time, features), hidden = self.domain_shape, self.range_shape[1]
        driven = self.weight_ih @ self.xp.reshape(X, (samples, time, features, columns))
        state = self._rest(columns)
        found = []
        for t in range(time):
            state = self._step(tuple(factor[:, t, :, :] for factor in self.factors), driven[:, t, :, :], state)
            found.append(state[-1])
        return self.xp.reshape(self.xp.stack(found, axis=1), (samples, time * hidden, columns))

    def _rmatmat(self, Y: Array) -> Array:
        samples, columns = self.shape[0], Y.shape[-1]
        (time, features), hidden = self.domain_shape, self.range_shape[1]
        Y = self.xp.reshape(Y, (samples, time, hidden, columns))
        state = self._rest(columns)
        found: list[Array] = []
        for t in range(time - 1, -1, -1):
            state = (*state[:-1], state[-1] + Y[:, t, :, :])
            driven, state = self._back(tuple(factor[:, t, :, :] for factor in self.factors), state)
            found.insert(0, driven)
        back = B.transpose(self.weight_ih) @ self.xp.stack(found, axis=1)
        return self.xp.reshape(back, (samples, time * features, columns))

    def _rest(self, columns: int) -> State:
        shape = (self.shape[0], self.range_shape[1], columns)
        return tuple(self.xp.zeros(shape, dtype=self.dtype, device=self.device) for _ in range(self.states))

    def _gates(self, x: Array) -> list[Array]:
        """Rows of each gate."""
        hidden = self.range_shape[1]
        return [x[:, start : start + hidden, :] for start in range(0, x.shape[1], hidden)]


class ElmanJacobian(Unrolled):
    r"""Jacobian of :math:`h_t = \phi(W x_t + U h_{t-1} + b)`; the factor is :math:`d_t = \phi'`.

    Notes
    -----
    .. math:: \mathrm{d}h_t = d_t \circ (W \mathrm{d}x_t + U \mathrm{d}h_{t-1}), \qquad
              v_t = d_t \circ (y_t + U^T v_{t+1}), \quad \bar x_t = W^T v_t .
    """

    def _step(self, at: State, driven: Array, state: State) -> State:
        return (at[0] * (driven + self.weight_hh @ state[0]),)

    def _back(self, at: State, state: State) -> tuple[Array, State]:
        v = at[0] * state[0]
        return v, (B.transpose(self.weight_hh) @ v,)


class LSTMJacobian(Unrolled):
    r"""Jacobian of a long short-term memory, gates in the order i, f, g, o.

    Notes
    -----
    With :math:`c_t = f c_{t-1} + i g`, :math:`h_t = o \tanh c_t` and :math:`z = W \mathrm{d}x_t + U \mathrm{d}h_{t-1}`,

    .. math:: \mathrm{d}c_t &= f \mathrm{d}c_{t-1} + g i' z_i + c_{t-1} f' z_f + i g' z_g, \\
              \mathrm{d}h_t &= \tanh(c_t)\, o' z_o + o \tanh'(c_t)\, \mathrm{d}c_t .

    Factors: :math:`f, g i', c_{t-1} f', i g', \tanh(c_t) o', o \tanh'(c_t)`.
    """

    states = 2

    def _step(self, at: State, driven: Array, state: State) -> State:
        forget, *inner, output, passed = at
        cell, hidden = state
        *gates, last = self._gates(driven + self.weight_hh @ hidden)
        cell = forget * cell
        for factor, gate in zip(inner, gates, strict=True):
            cell = cell + factor * gate
        return cell, output * last + passed * cell

    def _back(self, at: State, state: State) -> tuple[Array, State]:
        forget, *inner, output, passed = at
        cell, hidden = state
        cell = cell + passed * hidden
        driven = self.xp.concat([*(factor * cell for factor in inner), output * hidden], axis=1)
        return driven, (forget * cell, B.transpose(self.weight_hh) @ driven)


class GRUJacobian(Unrolled):
    r"""Jacobian of a gated recurrent unit, gates in the order r, z, n.

    Notes
    -----
    With :math:`n = \tanh(W_n x_t + b_n + r \circ m)`, :math:`m = U_n h_{t-1} + b'_n` and
    :math:`h_t = (1 - z) n + z h_{t-1}`,

    .. math:: \mathrm{d}h_t = (1 - z) n' \bigl[ W_n \mathrm{d}x_t + r U_n \mathrm{d}h_{t-1} + m r' z_r \bigr]
              + (h_{t-1} - n) z' z_z + z\, \mathrm{d}h_{t-1} .

    Factors: :math:`(1 - z) n' m r', (h_{t-1} - n) z', (1 - z) n', r, z`.
    """

    def _step(self, at: State, driven: Array, state: State) -> State:
        reset, update, new, gate, kept = at
        (hidden,) = state
        r, z, n = self._gates(driven)
        hr, hz, hn = self._gates(self.weight_hh @ hidden)
        return (reset * (r + hr) + update * (z + hz) + new * (n + gate * hn) + kept * hidden,)

    def _back(self, at: State, state: State) -> tuple[Array, State]:
        reset, update, new, gate, kept = at
        (hidden,) = state
        parts = [reset * hidden, update * hidden, new * hidden]
        through = self.xp.concat([*parts[:2], gate * parts[2]], axis=1)
        before = B.transpose(self.weight_hh) @ through + kept * hidden
        return self.xp.concat(parts, axis=1), (before,)
