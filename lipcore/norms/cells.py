"""Cells that cover the torus of angles.

The metric ``d(theta, phi) = sum_a w_a |theta_a - phi_a|`` of `lipcore.norms.branch_and_bound` is a weighted l1
metric, so cells are l1 balls: rhombi around a checkerboard of centres cover the plane with half as many centres as
rectangles of the same ``e`` (the first two axes; a third axis is added as an interval). A rhombus splits into four
of half the size. As many cells as the product form of the Ehlich-Zeller inequality on one square grid would need
for the same factor are therefore enough without any pruning, and pruning comes on top.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

__all__ = ["Cells", "cover"]

_ANGLE_SLACK = 1e-12


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells ``centre + frame @ [-1, 1]^D`` of one shape, each with a group.

    Parameters
    ----------
    centres : ndarray, shape (B, D)
    groups : ndarray of int, shape (B,)
    frame : ndarray, shape (D, D)
    """

    centres: np.ndarray
    groups: np.ndarray
    frame: np.ndarray

    def __len__(self) -> int:
        return len(self.groups)

    def radius(self, weights: np.ndarray) -> float:
        """Largest ``d`` from the centre to a point of a cell, rounded up."""
        corners = _signs(len(weights)) @ self.frame.T
        reach = float(np.max(np.abs(corners) @ weights, initial=0.0))
        return reach * (1 + 1e-14) + _ANGLE_SLACK * float(np.sum(weights))

    def keep(self, mask: np.ndarray) -> Cells:
        """The cells where `mask` is true."""
        return Cells(self.centres[mask], self.groups[mask], self.frame)

    def split(self) -> Cells:
        """The ``2^D`` halves of every cell."""
        shifts = _signs(self.frame.shape[0]) @ (self.frame.T / 2)
        centres = (self.centres[:, None, :] + shifts[None, :, :]).reshape(-1, self.frame.shape[0])
        return Cells(centres, np.repeat(self.groups, len(shifts)), self.frame / 2)


def _signs(dimension: int) -> np.ndarray:
    return np.array(list(itertools.product((-1.0, 1.0), repeat=dimension))).reshape(2**dimension, dimension)


def cover(weights: np.ndarray, radius: float, groups: int = 1, *, half: bool = False) -> Cells:
    """Cells of at most the given radius that cover the torus of angles, for every group.

    Parameters
    ----------
    weights : ndarray, shape (D,)
        Half-extents ``(k_a - 1) / 2 > 0``, D from 0 to 3.
    radius : float
        Wanted bound of ``d`` from the centre of a cell.
    groups : int
    half : bool
        Keep one of each pair of cells ``c``, ``-c``: enough where ``sigma(-theta) = sigma(theta)``.

    Returns
    -------
    Cells

    Examples
    --------
    >>> import numpy as np
    >>> from lipcore.norms.cells import cover
    >>> cells = cover(np.array([1.0, 1.0]), np.pi / 4)
    >>> len(cells), round(cells.radius(np.array([1.0, 1.0])) / np.pi, 6)
    (32, 0.25)
    """
    dimension = len(weights)
    order = np.argsort(-weights, kind="stable")
    share = np.full(dimension, 1.0)
    if dimension == 3:
        share[order[2]], share[order[:2]] = 1 / 3, 2 / 3
    counts = np.maximum(1, np.ceil(np.pi * weights / (radius * share) - 1e-9)).astype(np.int64)
    if dimension > 1:
        counts[order[:2]] *= 2
    index = np.array(list(itertools.product(*(range(c) for c in counts))), dtype=np.int64)
    index = index.reshape(int(np.prod(counts)), dimension)
    frame = np.diag(np.pi / counts) if dimension else np.zeros((0, 0))
    if dimension > 1:
        a, b = order[:2]
        index = index[(index[:, a] + index[:, b]) % 2 == 0]
        # Half-diagonals 2 pi / count along the two axes: the checkerboard's l1 cells.
        step_a, step_b = 2 * np.pi / counts[a], 2 * np.pi / counts[b]
        frame[a, a], frame[a, b], frame[b, a], frame[b, b] = step_a / 2, step_a / 2, step_b / 2, -step_b / 2
    if half and dimension:
        code, mirrored = (np.ravel_multi_index(tuple((s * index % counts).T), tuple(counts)) for s in (1, -1))
        index = index[code <= mirrored]
    centres = index * (2 * np.pi / counts)
    centres = np.where(centres > np.pi, centres - 2 * np.pi, centres)
    return Cells(np.tile(centres, (groups, 1)), np.repeat(np.arange(groups), len(centres)), frame)
