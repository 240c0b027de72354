"""Symbols of convolutions: the matrix-valued trigonometric polynomial behind every norm of a convolution.

A convolution with taps ``K[a]`` (``c_out x c_in`` matrices, ``a`` a multi-index) acts on the plane wave
``x exp(j theta.p)`` as the matrix ``S(theta) = sum_a K[a] exp(-j a.theta)`` up to a sign of the angle and a phase,
neither of which changes singular values. Everything here is done on the host in float64 (complex128), on kernels
scaled by a power of two, so that neither overflow nor underflow matters; float32 kernels are converted exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._typing import Array

__all__ = ["Symbol", "polyphase", "scaled"]

U64 = 2.0**-53
# cos and sin of NumPy are faithful to a few ulp on every platform NumPy supports; four ulp are granted.
_TRIG_ULPS = 8.0


def per_axis(value: Any, spatial: int, name: str) -> tuple[int, ...]:
    """Broadcast an integer option to the spatial axes, with a clear error."""
    values = tuple(value) if isinstance(value, Sequence) else (value,) * spatial
    if len(values) != spatial or any(not isinstance(v, int | np.integer) or v < 1 for v in values):
        raise ValueError(
            f"{name}={value!r} given; expected a positive integer or {spatial} of them, one per spatial axis of the "
            "kernel"
        )
    return tuple(int(v) for v in values)


def polyphase(
    kernel: np.ndarray, stride: int | Sequence[int] = 1, groups: int = 1, dilation: int | Sequence[int] = 1
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Rewrite a strided, dilated, grouped kernel as unit-stride kernels, one per group, exactly.

    Parameters
    ----------
    kernel : ndarray, shape (c_out, c_in / groups, *k)
        Taps in the layout of ``lc.Convolution``; one to three spatial axes.
    stride : int or sequence of int, default 1
        Per-axis stride; it may exceed the kernel.
    groups : int, default 1
        Number of groups; must divide ``c_out``.
    dilation : int or sequence of int, default 1
        Per-axis dilation.

    Returns
    -------
    components : ndarray, shape (groups, c_out / groups, c_in / groups * R, *q)
        Unit-stride kernels. R is the number of residues ``d a mod s`` that some tap a touches, over all axes.
    positions : tuple of ndarray of int
        Per axis, the positions of the taps of `components`: the distinct values of ``d a // s``.

    Raises
    ------
    ValueError
        For a kernel without 1 to 3 spatial axes, a stride or dilation below one, or groups that do not divide
        ``c_out``.

    Notes
    -----
    The output of the convolution at p is ``sum_a K[., ., a] x[s p + d a]``. With the polyphase components
    ``x_r[p] = x[s p + r]``, a permutation of pixels, and ``d a = s q + r`` this is ``sum_q K'[., (., r), q] x_r[p +
    q]``, ``K'[., (., d a mod s), d a // s] = K[., ., a]``: a unit-stride convolution with more input channels. No
    rounding: entries are moved, and zeros are added.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.symbol import polyphase
    >>> components, positions = polyphase(np.arange(5.0).reshape(1, 1, 5), stride=2)
    >>> components[0, 0]
    array([[0., 2., 4.],
           [1., 3., 0.]])
    """
    kernel = np.asarray(kernel)
    spatial = kernel.ndim - 2
    if not 1 <= spatial <= 3:
        raise ValueError(
            f"kernel has shape {kernel.shape}; expected (c_out, c_in / groups, *k) with one to three spatial axes"
        )
    if min(kernel.shape) < 1:
        raise ValueError(f"kernel has shape {kernel.shape}; every extent must be at least one")
    if groups != int(groups) or groups < 1 or kernel.shape[0] % groups:
        raise ValueError(f"groups={groups!r} given; expected a positive divisor of c_out = {kernel.shape[0]}")
    strides, dilations = per_axis(stride, spatial, "stride"), per_axis(dilation, spatial, "dilation")
    places = [d * np.arange(k) for d, k in zip(dilations, kernel.shape[2:], strict=True)]
    residues = [np.unique(p % s, return_inverse=True) for p, s in zip(places, strides, strict=True)]
    quotients = [np.unique(p // s, return_inverse=True) for p, s in zip(places, strides, strict=True)]
    shape = [kernel.shape[0], kernel.shape[1], *(len(r) for r, _ in residues), *(len(q) for q, _ in quotients)]
    split = np.zeros(shape, dtype=kernel.dtype)
    where: Any = (slice(None), slice(None), *np.ix_(*(i for _, i in residues)), *np.ix_(*(i for _, i in quotients)))
    split[where] = kernel
    channels = kernel.shape[1] * int(np.prod(shape[2 : 2 + spatial]))
    components = split.reshape(groups, kernel.shape[0] // groups, channels, *shape[2 + spatial :])
    return components, tuple(q for q, _ in quotients)


@dataclass(frozen=True, eq=False)
class Symbol:
    """The symbols of all groups of a convolution, scaled by a power of two.

    Parameters
    ----------
    taps : ndarray, shape (groups, T, m, n), float64 or complex128
        Non-zero taps, transposed where necessary so that ``n <= m``; the true taps are ``taps * 2**exponent``.
    offsets : ndarray of int, shape (T, D)
        Position of each tap on the active axes (those on which the taps spread over more than one position),
        divided by `factors`.
    extents : ndarray of int, shape (D,)
        ``k_axis``: one plus the largest offset. The entries of ``S`` have degree ``k_axis - 1`` in each angle.
    factors : ndarray of int, shape (D,)
        Common divisor of the tap positions per active axis (the dilation, where there is no stride): the
        convolution's symbol at ``theta`` is this one's at ``factors * theta``.
    exponent : int
        Power of two taken out.
    axes : tuple of int
        The active spatial axes of the kernel.
    tap_norms : ndarray, shape (groups, T)
        Upper bounds of the Frobenius norms of the taps.
    transposed : bool
        True where the channel axes of the taps were swapped.

    Notes
    -----
    Singular values are those of the transposed matrix, of the matrix times a phase, and at a shifted set of angles
    those of the kernel with its taps moved; dilation replaces ``theta`` by ``d theta``, which maps the torus onto
    itself. So transposition, tap positions, dilation, centring and transposed convolution all leave
    ``Sup = sup_theta ||S(theta)||_2`` unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.symbol import Symbol
    >>> symbol = Symbol.from_kernel(np.ones((1, 1, 3)))
    >>> abs(symbol.evaluate(0, np.array([[0.0], [np.pi / 2]]))).ravel() * 2.0**symbol.exponent
    array([3., 1.])
    """

    taps: np.ndarray
    offsets: np.ndarray
    extents: np.ndarray
    factors: np.ndarray
    exponent: int
    axes: tuple[int, ...]
    tap_norms: np.ndarray
    transposed: bool

    @classmethod
    def from_kernel(
        cls, kernel: Array, stride: int | Sequence[int] = 1, groups: int = 1, dilation: int | Sequence[int] = 1
    ) -> Symbol:
        """Symbol of a host kernel ``(c_out, c_in / groups, *k)``, after `polyphase`."""
        kernel = np.asarray(kernel)
        if kernel.dtype.kind not in "fc" or kernel.dtype.itemsize > (16 if kernel.dtype.kind == "c" else 8):
            raise TypeError(
                f"kernel has dtype {kernel.dtype}; expected a real or complex floating dtype up to double precision"
            )
        if not np.all(np.isfinite(kernel)):
            raise ValueError("kernel holds NaN or infinity; bounds need finite weights")
        wide = kernel.astype(np.complex128 if kernel.dtype.kind == "c" else np.float64)
        return cls.from_components(*polyphase(wide, stride, groups, dilation))

    @classmethod
    def from_components(cls, components: np.ndarray, places: tuple[np.ndarray, ...]) -> Symbol:
        """Symbol of the unit-stride kernels that `polyphase` returns."""
        spatial = components.ndim - 3
        largest = max(np.max(np.abs(components.real)), np.max(np.abs(components.imag)))
        exponent = int(np.frexp(largest)[1]) if largest > 0 else 0
        positions = np.array(list(itertools.product(*places)), dtype=np.int64)
        flat = components.reshape(*components.shape[:3], -1)
        used = np.flatnonzero(np.any(flat != 0, axis=(0, 1, 2)))
        used = used if used.size else np.array([0])
        positions = positions[used] - positions[used].min(axis=0)
        active = tuple(a for a in range(spatial) if positions[:, a].max() > 0)
        taps = np.moveaxis(flat[..., used], -1, 1)
        transposed = taps.shape[2] < taps.shape[3]
        taps = np.ascontiguousarray(scaled(np.swapaxes(taps, 2, 3) if transposed else taps, -exponent))
        offsets = positions[:, list(active)]
        factors = np.gcd.reduce(offsets, axis=0) if active else np.zeros(0, dtype=np.int64)
        offsets = offsets // np.maximum(factors, 1)
        squares = np.sum(taps.real**2 + taps.imag**2 if np.iscomplexobj(taps) else taps**2, axis=(2, 3))
        entries = taps.shape[2] * taps.shape[3]
        norms = np.sqrt(squares) * (1 + 4 * (entries + 8) * U64) + 1e-150
        extents = offsets.max(axis=0) + 1 if active else np.zeros(0, dtype=np.int64)
        return cls(taps, offsets, extents, factors, exponent, active, norms, transposed)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self.taps.shape[0])

    @property
    def dimension(self) -> int:
        """Number of active axes, the dimension of the torus of angles."""
        return int(self.offsets.shape[1])

    @property
    def is_real(self) -> bool:
        """Whether ``sigma(-theta) = sigma(theta)``, so that half of the torus is enough."""
        return not np.iscomplexobj(self.taps)

    @property
    def weights(self) -> np.ndarray:
        """``(k_axis - 1) / 2``: the angle that one unit of ``theta_axis`` can turn ``arccos(sigma / Sup)`` by."""
        return np.asarray((self.extents - 1) / 2.0)

    def phase_error(self, largest_angle: float) -> float:
        """Bound on the error of one computed ``exp(-j a.theta)`` for angles up to `largest_angle` in modulus."""
        reach = float(np.sum(self.extents)) * largest_angle
        return U64 * (_TRIG_ULPS + 2 * (self.dimension + 2) * reach)

    def evaluation_error(self, largest_angle: float) -> np.ndarray:
        """Per group, a bound on ``||fl(S(theta)) - S(theta)||_2``, also for ``fl(S x)`` relative to ``||x||``."""
        terms = 2 * (self.taps.shape[1] + self.taps.shape[3]) + 16
        relative = 1.5 * terms * U64 / (1 - terms * U64) + self.phase_error(largest_angle)
        return np.asarray(relative * np.sum(self.tap_norms, axis=1) * (1 + 1e-12) + 1e-290)

    def phases(self, angles: np.ndarray) -> np.ndarray:
        """``exp(-j a.theta)`` as ``(B, T)`` for angles ``(B, D)``."""
        return np.asarray(np.exp(-1j * (np.asarray(angles, dtype=np.float64) @ self.offsets.T.astype(np.float64))))

    def evaluate(self, group: int, angles: np.ndarray) -> np.ndarray:
        """``S(theta)`` of one group as ``(B, m, n)`` for angles ``(B, D)``, within `evaluation_error`."""
        phases = self.phases(angles)
        _, count, m, n = self.taps.shape
        flat = self.taps[group].reshape(count, m * n)
        if self.is_real:
            out = np.empty((len(phases), m * n), dtype=np.complex128)
            out.real, out.imag = phases.real @ flat, phases.imag @ flat
        else:
            out = phases @ flat
        return np.asarray(out.reshape(-1, m, n))

    def lower_bound(self, group: int, angle: np.ndarray, x: np.ndarray) -> float:
        """Rigorous lower bound of ``sigma_max(S(angle))``, in scaled units, from a vector ``x`` of length ``n``."""
        x = np.asarray(x, dtype=np.complex128)
        x = x / max(float(np.linalg.norm(x)), 1e-300)
        response = (self.phases(np.asarray(angle)[None, :]) @ (self.taps[group] @ x))[0]
        slack = (max(response.size, x.size) + 16) * 4 * U64
        length = float(np.linalg.norm(x)) * (1 + slack)
        largest = float(np.max(np.abs(angle), initial=0.0))
        reached = float(np.linalg.norm(response)) * (1 - slack) / length
        return float(max(0.0, (reached - float(self.evaluation_error(largest)[group])) * (1 - slack)))


def scaled(array: np.ndarray, exponent: int) -> np.ndarray:
    """``array * 2**exponent`` without overflow on the way; exact but for entries lost below the underflow threshold."""
    if np.iscomplexobj(array):
        out = np.empty(array.shape, dtype=np.complex128)
        out.real, out.imag = np.ldexp(array.real, exponent), np.ldexp(array.imag, exponent)
        return out
    return np.asarray(np.ldexp(array, exponent))
