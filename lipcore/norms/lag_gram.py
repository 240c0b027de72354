"""Gram matrices of symbols through lag matrices, and the Cholesky certificates built on them.

``S(theta)^H S(theta) = R_0 + sum_lag (R_lag exp(-j lag.theta) + R_lag^H exp(j lag.theta))`` with
``R_lag = sum_a K_a^H K_{a+lag}``: once the lag matrices are known, a Gram matrix costs a few additions of ``n x n``
matrices (one product of a table of cosines and sines with the stacked lag matrices) instead of a product of cubic
cost, so that a certificate costs little more than its Cholesky factorisation.
"""

from __future__ import annotations

import numpy as np

from .. import _backend as B
from .peaks import largest_pairs
from .rounding import UNIT, gamma
from .symbol import Symbol

__all__ = ["LagGram"]

_CHUNK_BYTES = 1 << 23
_GATHER_ENTRIES = 1 << 14


class LagGram:
    """``G(theta) = S(theta)^H S(theta)`` for all groups of a `Symbol`, with certificates ``G(theta) <= s I``.

    Parameters
    ----------
    symbol : Symbol
        Scaled symbol with ``T`` taps of shape ``(m, n)``, ``n <= m``.

    Attributes
    ----------
    oscillation : ndarray, shape (groups,)
        Upper bound of ``sup_theta ||G(theta) - R_0||_2``, from the triangle inequality.
    evaluations : int
        Certificates attempted so far: a deterministic measure of cost.

    Notes
    -----
    *The certificate* (after Rump, "Verification of positive definiteness", BIT 46, 2006). Let ``H = fl(t I - G)``. If
    the Cholesky factorisation of ``H`` runs to completion in floating point, the computed factor ``R`` satisfies
    ``R^H R = H + E`` with ``|E_ij| <= g_min(i,j) sum_k |R_ki| |R_kj|``, where ``g_k`` bounds the error of a complex
    inner product of length ``k`` with one subtraction, one division or root: ``2 k`` real products in any order for
    each of the two parts, so ``g_k = sqrt(2) gamma(2 k + 8)`` with room for a division done as a multiplication by
    the reciprocal. Cauchy-Schwarz and ``sum_k |R_kj|^2 <= H_jj / (1 - g_j)`` give ``|E_ij| <= d_i d_j`` with
    ``d_j^2 = g_j H_jj / (1 - g_j)``, so ``||E||_2 <= sum_j d_j^2 <= kappa max_j H_jj``. As ``R^H R >= 0``,
    ``lambda_max(G) <= t + ||E||_2 + ||H - (t I - G)||_2``. The last term holds the errors of the lag matrices
    (``gamma`` times ``(sum_a ||K_a||_F)^2``), of the cosines, of the table product and, in float32, of rounding the
    lag matrices: a multiple of ``t + sum_rows ||row||_F``. So with ``t = (s - absolute) / (1 + relative)`` success
    proves ``||S(theta)||_2^2 <= s``. The analysis holds for every order of summation, FMA included; not for
    Strassen-like products, TF32 or bf16, which no BLAS on a CPU uses for float32 or float64 GEMM.

    *Cost* per angle: ``4 L n^2`` real operations for ``L`` half-lags, and ``4 n^3 / 3`` for the factorisation, in
    complex64 where the float32 error term (about ``sqrt(2) n^2 2^-24`` relative to ``s``) is small beside what the
    caller has to prove.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.symbol import Symbol
    >>> gram = LagGram(Symbol.from_kernel(np.ones((2, 2, 3))))
    >>> unit = 2.0 ** (2 * gram.symbol.exponent)  # ||S(0)||^2 = 36
    >>> gram.at_most(np.zeros(2, int), np.zeros((2, 1)), np.array([36 / unit * (1 + 1e-12), 36 / unit * (1 - 1e-12)]))
    array([ True, False])
    """

    @B.one_blas_thread()
    def __init__(self, symbol: Symbol) -> None:
        self.symbol = symbol
        self.evaluations = 0
        self.size = int(symbol.taps.shape[3])
        lags, matrices = _lag_matrices(symbol)
        self.lags = lags
        self._tables: dict[str, np.ndarray] = {"float64": _table(matrices)}
        rows = self._tables["float64"]
        self.row_norms = np.sqrt(np.sum(rows**2, axis=2)) * (1 + 1e-10) + 1e-140
        self.oscillation = self._oscillation(matrices)
        self._lag_zero = matrices[:, 0]

    def _lag_error(self) -> np.ndarray:
        """Per group, bound of the error of all stored lag matrices together, in the spectral norm of G."""
        taps = self.symbol.taps
        terms = 2 * taps.shape[1] * taps.shape[2] + 8
        return np.asarray(2 * gamma(terms) * np.sum(self.symbol.tap_norms, axis=1) ** 2 * (1 + 1e-10) + 1e-280)

    def _oscillation(self, matrices: np.ndarray) -> np.ndarray:
        if matrices.shape[1] == 1:
            return self._lag_error()
        rest = np.abs(matrices[:, 1:])
        frobenius = np.sqrt(np.sum(rest**2, axis=(2, 3)))
        geometric = np.sqrt(np.max(np.sum(rest, axis=2), axis=2) * np.max(np.sum(rest, axis=3), axis=2))
        return np.asarray(2 * np.sum(np.minimum(frobenius, geometric), axis=1) * (1 + 1e-10) + self._lag_error())

    def table(self, precision: str) -> np.ndarray:
        """Rows ``(groups, 1 + 2 L, 2 n^2)`` to be combined by ``(1, cos, sin)``."""
        if precision not in self._tables:
            self._tables[precision] = self._tables["float64"].astype(np.float32)
        return self._tables[precision]

    def slack(self, precision: str, largest_angle: float) -> tuple[float, np.ndarray]:
        """``(relative, absolute)``: success at ``t`` proves ``lambda_max(G) <= t (1 + relative) + absolute``."""
        unit, n = UNIT[precision], self.size
        sizes = 2.0 * np.arange(1, n + 1) + 8
        inner = np.sqrt(2.0) * sizes * unit / (1 - sizes * unit)
        if 2 * np.sqrt(2.0) * (2 * n + 8) * unit >= 0.5:
            return np.inf, np.full(self.symbol.groups, np.inf)
        kappa = float(np.sum(inner / (1 - inner)))
        rows = self.table("float64").shape[1]
        reach = 2 * self.symbol.phase_error(largest_angle)
        per_row = gamma(rows + 4, unit) + 4 * unit + reach
        total = np.sum(self.row_norms, axis=1)
        tiny = 1e-280 if precision == "float64" else 1e-34 * n * n * rows
        relative = (kappa + per_row) * (1 + per_row) * (1 + 1e-8)
        absolute = (per_row * (1 + kappa) * total + self._lag_error()) * (1 + 1e-8) + tiny
        return relative, np.asarray(absolute)

    def precision_for(self, square: float, budget: float) -> str:
        """Choose "float32" where its slack at level `square` is a small part of `budget`, else "float64"."""
        relative, absolute = self.slack("float32", 2 * np.pi)
        return "float32" if relative * square + float(np.max(absolute)) <= 0.25 * budget else "float64"

    def _coefficients(self, angles: np.ndarray) -> np.ndarray:
        """``(1, cos(lag.theta), -sin(lag.theta))`` as ``(B, 1 + 2 L)``."""
        turns = np.asarray(angles, dtype=np.float64) @ self.lags.T.astype(np.float64)
        return np.concatenate([np.ones((len(turns), 1)), np.cos(turns), -np.sin(turns)], axis=1)

    def chunks(self, groups: np.ndarray) -> list[np.ndarray]:
        """Index lists of nodes that are worked on together: of one group, or of any where each has few small ones."""
        rows, width = self.table("float64").shape[1:]
        order = np.argsort(groups, kind="stable")
        present, starts = np.unique(groups[order], return_index=True)
        if len(present) > 1 and rows * width <= _GATHER_ENTRIES and len(groups) < 8 * len(present):
            length = max(1, _CHUNK_BYTES // (8 * width * rows))
            return [order[i : i + length] for i in range(0, len(order), length)]
        length = max(1, _CHUNK_BYTES // (8 * width))
        ends = [*starts[1:], len(order)]
        return [order[i : min(i + length, e)] for s, e in zip(starts, ends, strict=True) for i in range(s, e, length)]

    def matrices(self, groups: np.ndarray, angles: np.ndarray, precision: str, *, sign: int = 1) -> np.ndarray:
        """``sign G`` of one chunk, as ``(B, n, n)`` of complex64 or complex128."""
        table = self.table(precision)
        coefficients = (sign * self._coefficients(angles)).astype(table.dtype)
        if groups[0] == groups[-1]:  # chunks are sorted by group
            flat = coefficients @ table[groups[0]]
        else:
            flat = np.matmul(coefficients[:, None, :], table[groups])[:, 0]
        parts = flat.view(np.complex64 if precision == "float32" else np.complex128)
        return np.asarray(parts.reshape(-1, self.size, self.size))

    @B.one_blas_thread()
    def at_most(
        self, groups: np.ndarray, angles: np.ndarray, squares: np.ndarray, precision: str = "float64"
    ) -> np.ndarray:
        """Where ``||S(theta)||_2^2 <= squares`` is proved, as a bool array ``(B,)``.

        Parameters
        ----------
        groups : ndarray of int, shape (B,)
        angles : ndarray, shape (B, D)
        squares : ndarray, shape (B,)
            In scaled units.
        precision : {"float64", "float32"}
            Arithmetic of the certificate; both are rigorous, float32 gives up nearer to the norm.

        Returns
        -------
        ndarray of bool, shape (B,)
            False claims nothing.
        """
        proved = np.zeros(len(groups), dtype=bool)
        self.evaluations += len(groups)
        relative, absolute = self.slack(precision, float(np.max(np.abs(angles), initial=0.0)))
        levels = (squares * (1 - 1e-14) - absolute[groups]) / (1 + relative) * (1 - 1e-14)
        diagonal = np.arange(self.size)
        self.table(precision)  # made once, before threads ask for it

        def prove(chunk: np.ndarray) -> None:
            matrices = self.matrices(groups[chunk], angles[chunk], precision, sign=-1)
            matrices[:, diagonal, diagonal] += levels[chunk, None].astype(matrices.real.dtype)
            proved[chunk] = _positive_definite(matrices) & (levels[chunk] > 0)

        B.map_in_threads(prove, self.chunks(groups))
        return proved

    def top(self, groups: np.ndarray, angles: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Estimates (from below) of ``||S||_2^2`` and of the right singular vectors, ``(B,)`` and ``(B, n)``."""
        squares, vectors = self.leading(groups, angles, steps, 1)
        return squares[:, 0], vectors[:, 0]

    @B.one_blas_thread()
    def leading(self, groups: np.ndarray, angles: np.ndarray, steps: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The same for the `count` (at most n) largest singular values: ``(B, count)`` and ``(B, count, n)``."""
        count = min(count, self.size)
        values = np.empty((len(groups), count))
        vectors = np.empty((len(groups), count, self.size), dtype=np.complex128)
        self.table("float32")  # made once, before threads ask for it

        def solve(chunk: np.ndarray) -> None:
            matrices = self.matrices(groups[chunk], angles[chunk], "float32")
            values[chunk], vectors[chunk] = largest_pairs(matrices, steps, count)

        B.map_in_threads(solve, self.chunks(groups))
        return values, vectors


def _lag_matrices(symbol: Symbol) -> tuple[np.ndarray, np.ndarray]:
    """Half-lags ``(L, D)`` and the matrices ``R_0, R_lag...`` as ``(groups, 1 + L, n, n)``."""
    taps, offsets = symbol.taps, symbol.offsets
    groups, count, _, n = taps.shape
    left, right = np.triu_indices(count)
    # The taps are in lexicographic order, so that the differences of pairs left <= right are the lags that count once.
    differences = offsets[right] - offsets[left]
    lags, inverse = np.unique(differences, axis=0, return_inverse=True)
    inverse = np.ravel(inverse)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(lags) + 1))
    out = np.empty((groups, len(lags), n, n), dtype=taps.dtype)
    for i in range(len(lags)):
        pairs = order[starts[i] : starts[i + 1]]
        a = taps[:, left[pairs]].reshape(groups, -1, n)
        b = taps[:, right[pairs]].reshape(groups, -1, n)
        out[:, i] = np.matmul(np.conj(np.swapaxes(a, 1, 2)), b)
    zero = int(np.flatnonzero(~np.any(lags, axis=1))[0]) if lags.shape[1] else 0
    others = [i for i in range(len(lags)) if i != zero]
    return lags[others], out[:, [zero, *others]]


def _table(matrices: np.ndarray) -> np.ndarray:
    groups, _, n, _ = matrices.shape
    zero, rest = matrices[:, :1], matrices[:, 1:]
    flipped = np.conj(np.swapaxes(rest, 2, 3))
    rows = np.concatenate(
        [(zero + np.conj(np.swapaxes(zero, 2, 3))) / 2, rest + flipped, 1j * (rest - flipped)], axis=1
    )
    return np.ascontiguousarray(rows.astype(np.complex128)).view(np.float64).reshape(groups, rows.shape[1], 2 * n * n)


def _positive_definite(matrices: np.ndarray) -> np.ndarray:
    """Whether floating-point Cholesky succeeds on each Hermitian matrix; overwrites them."""
    if matrices.shape[1] == 1:
        return np.asarray(matrices[:, 0, 0].real > 0)
    factor = B.lapack("cpotrf" if matrices.dtype == np.complex64 else "zpotrf", 5)
    size, info, upper = np.array(matrices.shape[1], dtype=np.intc), np.zeros(1, dtype=np.intc), np.array(b"U")
    proved = np.empty(len(matrices), dtype=bool)
    for i, a in enumerate(matrices):
        # A row-major matrix read column by column is its transpose, Hermitian too: no copy is made.
        factor(upper.ctypes.data, size.ctypes.data, a.ctypes.data, size.ctypes.data, info.ctypes.data)
        proved[i] = info[0] == 0
    return proved
