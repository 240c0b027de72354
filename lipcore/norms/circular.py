"""The norm of a circular convolution at a given size: the largest over a grid of angles, without an SVD of each.

The frequencies ``2 pi f / N`` of a grid are bounded in blocks. Let ``M`` bound the supremum over all angles and let
``tau`` be the level to prove. By lemma 1 of `lipcore.norms.branch_and_bound`, a block whose frequencies lie within
d-distance e of its centre c holds one with ``||S|| > tau`` only if ``||S(c)|| > M cos(arccos(tau / M) + e)``, so
one Cholesky certificate at c, which need not be a grid point, settles the block. Blocks that resist are halved
along every axis, down to single frequencies, where ``e = 0`` and the test is ``||S|| <= tau`` itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from .. import _backend as B
from .branch_and_bound import Supremum, first_peaks, level_above, supremum
from .lag_gram import LagGram
from .peaks import Peak, top_vectors
from .symbol import Symbol

__all__ = ["grid_maximum"]

# Below this many frequencies every one gets its certificate: finding M would cost as much.
_DIRECT = 700


@dataclass(frozen=True, eq=False)
class Blocks:
    """Boxes ``first <= f < last`` of frequencies on a grid, each with a group."""

    first: np.ndarray
    last: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.groups)

    def keep(self, mask: np.ndarray) -> Blocks:
        """The blocks where `mask` is true."""
        return Blocks(self.first[mask], self.last[mask], self.groups[mask])

    def centres(self, counts: np.ndarray) -> np.ndarray:
        """Angles of the centres, in (-pi, pi] where they are grid points."""
        middle = (self.first + self.last - 1) * (np.pi / counts)
        return np.asarray(np.where(middle > np.pi, middle - 2 * np.pi, middle))

    def radii(self, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Largest d from the centre to a frequency of the block, rounded up; with the rounding of the angles."""
        reach = ((self.last - self.first - 1) * (np.pi / counts)) @ weights
        return np.asarray(reach * (1 + 1e-14) + 1e-12 * np.sum(weights))

    @property
    def single(self) -> np.ndarray:
        """Which blocks are one frequency."""
        return np.asarray(np.all(self.last - self.first == 1, axis=1))

    def split(self) -> Blocks:
        """Halves along every axis; empty ones are left out."""
        middle = (self.first + self.last + 1) // 2
        pieces = []
        for side in itertools.product((False, True), repeat=self.first.shape[1]):
            upper = np.array(side, dtype=bool)
            pieces.append(Blocks(np.where(upper, middle, self.first), np.where(upper, self.last, middle), self.groups))
        first = np.concatenate([p.first for p in pieces])
        last = np.concatenate([p.last for p in pieces])
        groups = np.concatenate([p.groups for p in pieces])
        whole = np.all(last > first, axis=1)
        return Blocks(first[whole], last[whole], groups[whole])


def blocks_of(counts: np.ndarray, size: np.ndarray, groups: int, *, half: bool) -> Blocks:
    """Blocks of at most the given size that cover the grid, or one of each pair ``f``, ``-f``, for every group."""
    counts = counts.copy()
    if half and len(counts):
        counts[0] = counts[0] // 2 + 1
    starts = [np.arange(0, n, s) for n, s in zip(counts, size, strict=True)]
    number = int(np.prod([len(s) for s in starts]))
    first = np.array(list(itertools.product(*starts)), dtype=np.int64).reshape(number, len(counts))
    last = np.minimum(first + size, counts)
    return Blocks(np.tile(first, (groups, 1)), np.tile(last, (groups, 1)), np.repeat(np.arange(groups), len(first)))


@B.one_blas_thread()
def grid_maximum(
    symbol: Symbol, counts: tuple[int, ...], rtol: float = 1e-6, *, max_evaluations: int = 10**6
) -> Supremum:
    """Rigorous enclosure of the largest ``||S(2 pi f / N)||_2`` over a grid of frequencies f and over the groups.

    Parameters
    ----------
    symbol : Symbol
        Of the convolution, by `Symbol.from_kernel` with its stride, dilation and groups.
    counts : tuple of int
        Grid points per spatial axis of the kernel: image size divided by the stride. Every size is allowed, also
        below the kernel's: taps that wrap around are summed by the phases themselves, so nothing has to be folded.
    rtol : float
        Wanted ``upper / lower - 1``.
    max_evaluations : int
        Cap on the certificates; when it is reached, the enclosure ends at the supremum over all angles.

    Returns
    -------
    Supremum
        In scaled units. The first peak is the frequency that attains `lower`.

    Notes
    -----
    The convolution's symbol is this symbol at ``factors * theta`` (`Symbol.factors`), which maps the grid of N
    angles onto the grid of ``N / gcd(N, factor)``. The incumbent is the best of the grid points around the peaks of
    the symbol over all angles, and of all single frequencies that resisted. Below about 700 frequencies (conjugate
    symmetry halves their number for real kernels) each is certified at once; above, ``M`` comes from a loose branch
    and bound, and if its upper bound is already within `rtol` of the best frequency the grid is not visited at all.
    At most as many factorisations as about 4/3 of the frequencies, usually a small part.

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.circular import grid_maximum
    >>> from lipcore.norms.symbol import Symbol
    >>> symbol = Symbol.from_kernel(np.array([[[1.0, -1.0]]]))  # |1 - exp(-j theta)|: 2 at pi, which 5 points miss
    >>> found = grid_maximum(symbol, (5,), rtol=1e-9)
    >>> round(found.lower * 2.0**symbol.exponent, 8), round(float(2 * np.sin(2 * np.pi / 5)), 8)
    (1.90211303, 1.90211303)
    """
    gram = LagGram(symbol)
    if not np.any(symbol.taps):
        return Supremum(0.0, 0.0)
    sizes = np.array([counts[axis] for axis in symbol.axes], dtype=np.int64)
    sizes = sizes // np.gcd(sizes, symbol.factors)
    total = symbol.groups * int(np.prod(sizes)) // (2 if symbol.is_real else 1)
    if total <= _DIRECT:
        known, ceiling = _nearest(gram, sizes, first_peaks(gram, 1e-2)[0], rtol), np.inf
        blocks = blocks_of(sizes, np.ones_like(sizes), symbol.groups, half=symbol.is_real)
    else:
        overall = supremum(symbol, max(rtol / 2, 1e-3), gram=gram)
        known, ceiling = _nearest(gram, sizes, overall.peaks, rtol), overall.upper
        if ceiling <= known.lower * (1 + rtol):
            return Supremum(known.lower, ceiling, [known], gram.evaluations)
        blocks = blocks_of(sizes, _block_size(sizes, symbol.weights), symbol.groups, half=symbol.is_real)
    return _search(gram, sizes, blocks, known, ceiling, rtol, max_evaluations)


def _search(
    gram: LagGram, sizes: np.ndarray, blocks: Blocks, known: Peak, ceiling: float, rtol: float, cap: int
) -> Supremum:
    """Split and certify until every block is settled; `ceiling` bounds the supremum over all angles."""
    symbol = gram.symbol
    tau = level_above(known.lower, rtol)
    while True:
        blocks = blocks.keep(~_dropped(gram, blocks, sizes, tau, ceiling))
        if not len(blocks):
            return Supremum(known.lower, min(tau, ceiling), [known], gram.evaluations)
        better = _best_single(gram, blocks.keep(blocks.single), sizes, known, rtol)
        stuck = better is known and bool(np.all(blocks.single))
        known, tau = better, max(tau, level_above(better.lower, rtol))
        if gram.evaluations + len(blocks) * 2**symbol.dimension > cap:
            return Supremum(known.lower, ceiling, [known], gram.evaluations, converged=False)
        if stuck:
            break
        blocks = blocks.split()
    # Single frequencies within the rounding slack of the level: raise it by that much.
    step, level = 1e-12, tau
    while len(blocks):
        level, step = level * (1 + step), 4 * step
        squares = np.full(len(blocks), max(0.0, level - _displacement(gram.symbol)) ** 2)
        blocks = blocks.keep(~gram.at_most(blocks.groups, blocks.centres(sizes), squares))
    upper = min(level, ceiling)
    return Supremum(known.lower, upper, [known], gram.evaluations, converged=upper <= known.lower * (1 + 2 * rtol))


def _dropped(gram: LagGram, blocks: Blocks, sizes: np.ndarray, tau: float, ceiling: float) -> np.ndarray:
    """Blocks that are proved to hold no frequency with a norm above tau (lemma 1)."""
    single = blocks.single
    at_grid = max(0.0, tau * (1 - 1e-15) - _displacement(gram.symbol)) ** 2 * (1 - 1e-15)
    squares = np.full(len(blocks), at_grid)
    if not np.all(single):
        # The ratio is rounded down before arccos, which would magnify an error near one.
        turned = np.arccos(min(tau / ceiling, 1.0) * (1 - 4e-16)) * (1 + 1e-14)
        angles = np.minimum(turned + blocks.radii(sizes, gram.symbol.weights), np.pi / 2)
        levels = np.maximum(ceiling * (np.cos(angles) - 1e-15), 0.0) * (1 - 1e-15)
        squares = np.where(single, squares, levels**2 * (1 - 1e-15))
    centres = blocks.centres(sizes)
    # A block with too low a level is split without a try: hardly any centre lies so far below the top.
    tried = squares > 0.25 * tau**2
    relative, absolute = gram.slack("float32", 2 * np.pi)
    cheap = bool(relative * tau**2 + float(np.max(absolute)) <= 0.02 * tau**2)
    proved = np.zeros(len(blocks), dtype=bool)
    if cheap:
        proved[tried] = gram.at_most(blocks.groups[tried], centres[tried], squares[tried], "float32")
    # What float32 could not settle gets a second try where splitting cannot help.
    again = tried & ~proved & (single | (not cheap))
    if np.any(again):
        proved[again] = gram.at_most(blocks.groups[again], centres[again], squares[again])
    return proved


def _displacement(symbol: Symbol) -> float:
    """Bound on ``| ||S(fl(theta))|| - ||S(theta)|| |`` for the rounded angle of a frequency (lemma 1)."""
    return 8e-15 * float(np.sum(symbol.weights)) * float(np.max(np.sum(symbol.tap_norms, axis=1)))


def _block_size(sizes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Frequencies per axis of the first blocks: a radius of about 0.3 altogether."""
    return 1 + np.floor(0.3 * sizes / (np.pi * weights * max(len(sizes), 1))).astype(np.int64)


def _at_frequency(gram: LagGram, group: int, angle: np.ndarray, start: np.ndarray, rtol: float) -> Peak:
    vector = top_vectors(gram.symbol.evaluate(group, angle[None]), start[None], rtol)[0]
    lower = gram.symbol.lower_bound(group, angle, vector) - _displacement(gram.symbol)
    return Peak(max(0.0, lower * (1 - 1e-15)), group, angle, vector)


def _nearest(gram: LagGram, sizes: np.ndarray, peaks: list[Peak], rtol: float) -> Peak:
    """The best of the grid points around known peaks of the symbol."""
    steps = 2 * np.pi / sizes
    shifts = np.array(list(itertools.product((0, 1), repeat=len(sizes)))).reshape(2 ** len(sizes), len(sizes))
    angles = np.concatenate([(np.floor(p.angle / steps) + shifts) * steps for p in peaks])
    groups = np.repeat([p.group for p in peaks], len(shifts))
    squares, vectors = gram.top(groups, angles, 8)
    i = int(np.argmax(squares))
    angle = np.remainder(np.round(angles[i] / steps), sizes) * steps
    angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    return _at_frequency(gram, int(groups[i]), angle, vectors[i], rtol)


def _best_single(gram: LagGram, blocks: Blocks, sizes: np.ndarray, known: Peak, rtol: float) -> Peak:
    """A resisting frequency that beats the best known one, or that one itself."""
    if not len(blocks):
        return known
    centres = blocks.centres(sizes)
    squares, vectors = gram.top(blocks.groups, centres, 8)
    for i in np.argsort(-squares, kind="stable")[:16]:
        found = _at_frequency(gram, int(blocks.groups[i]), centres[i], vectors[i], rtol)
        if found.lower > known.lower:
            return found
    return known
