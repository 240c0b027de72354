"""What recurrent layers share: weights, and constants of sequences from those of single steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds, opnorm_bounds
from .base import Layer, Ord
from .composite import point_norm, raised
from .intervals import Interval
from .regions import Box, Host, Region

_EACH_STEP = 64  # steps whose matrices are scaled by what is known of that step
_MATRIX = 2048  # times up to which the matrix of gains is written down
_SLACK = 1 + 1e-12


class Step(NamedTuple):
    r"""How far one step can carry a change.

    With the sizes :math:`\xi` of the change of the input, :math:`\eta` of the hidden state and :math:`\gamma` of the
    cell's: :math:`\gamma_t \le F \gamma_{t-1} + a \xi_t + b \eta_{t-1}` and
    :math:`\eta_t \le K \gamma_t + p \xi_t + q \eta_{t-1}`.
    """

    input: float  # p
    hidden: float  # q
    forget: float = 0.0  # F
    input_to_cell: float = 0.0  # a
    hidden_to_cell: float = 0.0  # b
    cell: float = 0.0  # K


class Recurrent(Layer):
    r"""A cell applied to one time after the other, whose hidden states of all times are the output.

    Notes
    -----
    A subclass sets ``gates``, implements ``_forward`` and ``_jacobians``, and ``_steps(ord, inputs)``, which yields for
    each time a `Step` and the interval of the hidden state.

    A change of the input at time s then changes the hidden state at time t by at most the entry :math:`G_{ts}` of a
    matrix that the recursion of the steps gives, started by a unit change at s. The constant of the sequence is at most
    the norm of G: the largest column sum for ord 1, row sum for ord inf and "token", singular value for ord 2.
    """

    ords: tuple[Ord, ...] = (1, 2, math.inf, "token")
    gates = 1
    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None
    bias_hh: Array | None
    initial_hidden: Array | None
    initial_cell: Array | None

    def _set_weights(
        self, weight_ih: Array, weight_hh: Array, bias_ih: Array | None, bias_hh: Array | None, **states: Array | None
    ) -> None:
        named = {"weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh, **states}
        given = {name: x for name, x in named.items() if x is not None}
        for name, x in given.items():
            xp = B.array_namespace(x, weight_ih, name=name)
            if not B.is_floating(xp, x.dtype) or B.is_complex(xp, x.dtype):
                raise TypeError(f"`{name}` must be real floating point, got {B.dtype_name(x.dtype)}; cast it first")
        if weight_hh.ndim != 2 or weight_hh.shape[0] != self.gates * weight_hh.shape[1]:
            raise ValueError(
                f"`weight_hh` must have shape ({self.gates} * hidden, hidden), got {tuple(weight_hh.shape)}"
            )
        rows, self.hidden = weight_hh.shape
        if weight_ih.ndim != 2 or weight_ih.shape[0] != rows:
            raise ValueError(f"`weight_ih` must have shape ({rows}, features), got {tuple(weight_ih.shape)}")
        self.features = weight_ih.shape[1]
        for name, x in given.items():
            size = rows if name.startswith("bias") else self.hidden
            if not name.startswith("weight") and tuple(x.shape) != (size,):
                raise ValueError(f"`{name}` must have shape ({size},), got {tuple(x.shape)}")
        for name, x in named.items():
            setattr(self, name, x)

    # The layer -------------------------------------------------------------------------------------------------------

    def _checked(self, xs: Sequence[Array]) -> None:
        super()._checked(xs)
        (x,) = xs
        if x.ndim != 3 or x.shape[2] != self.features or x.shape[1] < 1:
            raise ValueError(
                f"`x` must have shape (samples, time, {self.features}) for {type(self).__name__}, got {tuple(x.shape)}"
            )

    def _driven(self, x: Array) -> Array:
        """What the inputs of all times give to the gates, (samples, time, gates * hidden)."""
        y = x @ B.transpose(self.weight_ih)
        return y if self.bias_ih is None else y + self.bias_ih

    def _recurrent(self, h: Array) -> Array:
        """What the hidden state gives to the gates, (samples, gates * hidden)."""
        y = h @ B.transpose(self.weight_hh)
        return y if self.bias_hh is None else y + self.bias_hh

    def _start(self, state: Array | None, x: Array) -> Array:
        """State before the first time, (samples, hidden)."""
        xp = B.array_namespace(x)
        rest = xp.zeros((x.shape[0], self.hidden), dtype=x.dtype, device=B.device_of(x))
        return rest if state is None else rest + state

    def _split(self, y: Array) -> list[Array]:
        return [y[:, start : start + self.hidden] for start in range(0, y.shape[1], self.hidden)]

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Time, hidden."""
        return (input_shapes[0][0], self.hidden)

    # Constants -------------------------------------------------------------------------------------------------------

    def _steps(self, ord: Ord, inputs: Sequence[Interval]) -> list[tuple[Step, Interval]]:
        raise NotImplementedError(f"{type(self).__name__} does not implement `_steps`")

    def _walk(self, ord: Ord, region: Region | None, shape: Shape | None) -> list[tuple[Step, Interval]]:
        time, features = self.known_shape(shape)
        if features != self.features:
            raise ValueError(f"samples of {type(self).__name__} have shape (time, {self.features}), got {shape}")
        nowhere = np.full(features, np.inf)
        if region is None:
            return self._steps(ord, [Interval(-nowhere, nowhere)] * time)
        return self._steps(ord, [Interval(low, high) for low, high in zip(region.lower, region.upper, strict=True)])

    def _constant(self, ord: Ord, region: Region | None, shape: Shape | None) -> Bounds:
        steps = [step for step, _ in self._walk(ord, region, shape)]
        upper, log2_upper = sequence_norm(steps, ord)
        return Bounds(
            0.0,
            upper,
            "analytic",
            ord=ord,
            method="recursion of step gains",
            log2_lower=-math.inf,
            log2_upper=log2_upper,
        )

    def _bounds(self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Bounds:
        bounds = super()._bounds(ord, regions, shapes)
        return bounds if ord == "token" else raised(bounds, point_norm(self, ord, regions, shapes))

    def _image(self, regions: Sequence[Region | None], shapes: Sequence[Shape | None]) -> Region | None:
        if shapes[0] is None:
            return None
        hidden = [interval for _, interval in self._walk("token", regions[0], shapes[0])]
        low, high = (np.stack(ends) for ends in zip(*hidden, strict=True))
        if regions[0] is None and not (np.all(np.isfinite(low)) and np.all(np.isfinite(high))):
            return None
        return Box(low, high, kind="analytic")

    # Parts of `_steps` -----------------------------------------------------------------------------------------------

    def _host(self) -> tuple[list[Host], list[Host], Host, Host]:
        """Weights of each gate and both biases, on the host."""
        size = self.hidden
        both = [np.asarray(B.to_numpy(w), dtype=np.float64) for w in (self.weight_ih, self.weight_hh)]
        parts = [[w[g * size : (g + 1) * size] for g in range(self.gates)] for w in both]
        biases = [
            np.zeros(self.gates * size) if b is None else np.asarray(B.to_numpy(b), dtype=np.float64)
            for b in (self.bias_ih, self.bias_hh)
        ]
        return parts[0], parts[1], biases[0], biases[1]

    def _point(self, state: Array | None) -> Interval:
        value = np.zeros(self.hidden) if state is None else np.asarray(B.to_numpy(state), dtype=np.float64)
        return Interval(value, value)


def sequence_norm(steps: Sequence[Step], ord: Ord) -> tuple[float, float]:
    r"""Norm of the matrix of gains, and its base-2 logarithm.

    Notes
    -----
    The recursion runs in logarithms, since gains above one grow with the power of the time. Beyond 2048 times all steps
    are taken for the worst of them: G is then a Toeplitz matrix, whose norms are all at most the sum of its first
    column.
    """
    time = len(steps)
    if time > _MATRIX:
        worst = Step(*(max(values) for values in zip(*steps, strict=True)))
        column = _log_gains([worst] * time, np.arange(1))[:, 0]
        total = float(np.logaddexp2.reduce(column))
        return _float(total), total
    logs = _log_gains(steps, np.arange(time))
    top = float(np.max(logs))
    if top == -math.inf:
        return 0.0, -math.inf
    gains = np.exp2(logs - top)
    if ord == 2:
        size = opnorm_bounds(gains, rtol=1e-6).upper
    else:
        size = float(np.max(np.sum(gains, axis=0 if ord == 1 else 1)))
    log2 = math.log2(size * _SLACK) + top + 1e-12 * abs(top)
    return _float(log2), log2


def _float(log2: float) -> float:
    return float(np.exp2(log2) * _SLACK) if log2 < 1023.5 else math.inf


def _log_gains(steps: Sequence[Step], starts: Host) -> Host:
    """Base-2 logarithms of what unit changes at the times `starts` become at every time."""
    nothing = np.full(starts.size, -np.inf)
    cell, hidden, rows = nothing, nothing, []
    for t, step in enumerate(steps):
        with np.errstate(divide="ignore"):
            p, q, f, a, b, k = np.log2(np.asarray(step))
        driven = np.where(starts == t, 0.0, -np.inf)
        cell = np.logaddexp2(np.logaddexp2(f + cell, a + driven), b + hidden)
        hidden = np.logaddexp2(np.logaddexp2(k + cell, p + driven), q + hidden)
        rows.append(hidden)
    return np.stack(rows)


def closely(steps: int) -> bool:
    """Whether each step's matrices are worth norms of their own."""
    return steps <= _EACH_STEP


def logistic(x: Array, xp: Any) -> Array:
    """The logistic function, without overflow."""
    return 0.5 * (1 + xp.tanh(0.5 * x))
