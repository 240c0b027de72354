"""The supremum over angles: its lemmas, its covers, its enclosures, and the number of certificates it takes."""

import itertools

import mpmath
import numpy as np
import pytest
import scipy.optimize

from lipcore.norms import branch_and_bound
from lipcore.norms.branch_and_bound import supremum
from lipcore.norms.cells import cover
from lipcore.norms.lag_gram import LagGram
from lipcore.norms.peaks import Peak
from lipcore.norms.symbol import Symbol


def gaussian(seed, shape, *, is_complex=False):
    rng = np.random.default_rng(seed)
    kernel = rng.standard_normal(shape)
    return kernel + 1j * rng.standard_normal(shape) if is_complex else kernel


def orthogonal_kernel(seed, size):
    """Product of two 1-D paraunitary factors ``P + (I - P) z``: every singular value of the symbol is 1."""
    rng = np.random.default_rng(seed)
    projectors = []
    for _ in range(2):
        q = np.linalg.qr(rng.standard_normal((size, size)))[0][:, : size // 2]
        projectors.append(q @ q.T)
    (p, r), eye = projectors, np.eye(size)
    kernel = np.zeros((size, size, 2, 2))
    for a, b in itertools.product(range(2), repeat=2):
        kernel[:, :, a, b] = (eye - p if a else p) @ (eye - r if b else r)
    return kernel


def norms(symbol, group, angles):
    return np.linalg.norm(symbol.evaluate(group, angles), 2, axis=(1, 2))


def independent_supremum(symbol, count):
    """A dense grid, then Nelder-Mead from its best nodes; no part of it is shared with the code under test."""
    grid = np.array(list(itertools.product(*[2 * np.pi * np.arange(count) / count] * symbol.dimension)))
    best = 0.0
    for group in range(symbol.groups):
        values = norms(symbol, group, grid)
        for i in np.argsort(-values)[:5]:
            found = scipy.optimize.minimize(
                lambda t: -norms(symbol, group, t[None])[0],  # noqa: B023
                grid[i],
                method="Nelder-Mead",
                options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 2000},
            )
            best = max(best, -found.fun)
    return best


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("extents", [(2,), (7,), (3, 3), (2, 5), (4, 3), (3, 2, 4), (2, 2, 2)])
@pytest.mark.parametrize("radius", [0.2, 0.7, 1.5])
def test_cells_cover_the_torus(extents, radius, half):
    weights = (np.array(extents) - 1) / 2
    if len(extents) == 3 and radius < 0.7:
        pytest.skip("thousands of cells, of the same shape as at larger radii")
    cells = cover(weights, radius, 2, half=half)
    assert cells.radius(weights) <= radius * (1 + 1e-9)
    rng = np.random.default_rng(0)
    points = rng.uniform(-np.pi, np.pi, (60, len(extents)))
    for stage in (cells, cells.split()):
        centres = stage.centres[stage.groups == 1]
        inverse = np.linalg.inv(stage.frame)
        covered = np.zeros(len(points), dtype=bool)
        for sign in (1, -1) if half else (1,):
            for shift in itertools.product((-1, 0, 1), repeat=len(extents)):
                gaps = sign * points[:, None, :] + 2 * np.pi * np.array(shift) - centres[None, :, :]
                covered |= np.any(np.all(np.abs(gaps @ inverse.T) <= 1 + 1e-9, axis=2), axis=1)
        assert np.all(covered)


def test_cells_cost_what_the_docstring_says():
    weights = np.array([1.0, 1.0])
    squares = (2 * np.pi / 0.1) ** 2  # squares of radius 0.1 are 0.1 wide
    assert len(cover(weights, 0.1)) <= 0.52 * squares
    assert len(cover(weights, 0.1, half=True)) <= 0.5 * len(cover(weights, 0.1)) + 2


@pytest.mark.parametrize("case", range(12))
def test_lemmas_hold_at_random_offsets(case):
    shape = [(2, 2, 3), (1, 1, 4), (3, 2, 3, 3), (1, 1, 2, 5), (2, 3, 2, 2, 2), (1, 2, 7)][case % 6]
    kernel = gaussian(case, shape, is_complex=case >= 6)
    symbol = Symbol.from_kernel(kernel)
    gram = LagGram(symbol)
    found = supremum(symbol, 1e-10, gram=gram)
    top, m = found.peaks[0].angle, gram.oscillation[0]
    rng = np.random.default_rng(case)
    # at the maximiser (lemma 2)
    offsets = rng.uniform(-1, 1, (2000, symbol.dimension)) * rng.uniform(0, 1, (2000, 1)) * np.pi
    e = np.abs(offsets) @ symbol.weights
    offsets, e = offsets[e < np.pi / 2], e[e < np.pi / 2]
    values = norms(symbol, 0, top + offsets)
    bound = found.lower**2 - 2 * min(found.lower**2 / 2, m) * np.sin(e) ** 2
    assert np.all(values**2 >= bound - 1e-9 * found.upper**2)
    # anywhere (lemma 1)
    starts = rng.uniform(-np.pi, np.pi, offsets.shape)
    phi = np.arccos(np.minimum(norms(symbol, 0, starts) / found.upper, 1))
    allowed = np.minimum(phi + e, np.pi)
    assert np.all(norms(symbol, 0, starts + offsets) >= found.upper * np.cos(allowed) - 1e-9)


@pytest.mark.parametrize(
    ("kernel", "norm"),
    [
        (np.array([[[1.0, 0.0, 1.0]]]), 2.0),
        (np.array([[[1.0, 0.0, 0.0, 0.0, -1.0]]]), 2.0),
        (np.array([[[[1.0, 0.0], [0.0, 1.0]]]]), 2.0),  # attains the sum over axes inside one cosine
        (np.array([[[[1.0, 1.0], [1.0, -1.0]]]]), 2 * np.sqrt(2)),
        (np.ones((1, 1, 3, 3)), 9.0),
        (np.array([[[1.0]]]) * np.array([[[3.0]]]), 3.0),
        (np.pad(np.eye(3)[:, :, None, None], ((0, 0), (0, 0), (1, 1), (1, 1))), 1.0),  # a delta
        (orthogonal_kernel(0, 8), 1.0),
        (np.array([[[1.0, 1j, -1.0]]]), 3.0),
    ],
)
def test_known_suprema_are_enclosed(kernel, norm):
    symbol = Symbol.from_kernel(kernel)
    found = supremum(symbol, 1e-8)
    scale = 2.0**symbol.exponent
    assert found.converged
    # sqrt(2) for [[1, 1], [1, -1]]: |1 + z + w - z w|, largest at z = w = i
    assert found.lower * scale <= norm * (1 + 1e-15)
    assert norm * (1 - 1e-15) <= found.upper * scale <= norm * (1 + 1.1e-8)


@pytest.mark.parametrize(
    ("shape", "stride", "groups", "count"),
    [
        ((3, 4, 3, 3), 1, 1, 48),
        ((4, 4, 5, 2), 1, 1, 48),
        ((6, 2, 5, 5), 2, 3, 32),
        ((5, 1, 3, 3), 1, 5, 32),
        ((3, 3, 9), 1, 1, 400),
        ((2, 2, 2, 3, 2), 1, 1, 16),
        ((4, 3, 4, 4), (5, 3), 1, 48),
    ],
)
@pytest.mark.parametrize("is_complex", [False, True])
def test_enclosures_hold_an_independent_search(shape, stride, groups, count, is_complex):
    symbol = Symbol.from_kernel(gaussian(sum(shape), shape, is_complex=is_complex), stride, groups)
    exact = (
        independent_supremum(symbol, count)
        if symbol.dimension
        else max(np.linalg.norm(symbol.evaluate(g, np.zeros((1, 0)))[0], 2) for g in range(groups))
    )
    for rtol in (1e-2, 1e-4, 1e-7):
        found = supremum(symbol, rtol)
        assert found.converged
        assert found.upper <= found.lower * (1 + rtol)
        assert found.lower <= exact * (1 + 1e-9)
        assert found.upper >= exact * (1 - 1e-12)


def test_supremum_in_forty_digits_is_enclosed():
    # |a + b z + c z^2| with a, b, c real: at its maximum z solves a quadratic, so the supremum is known exactly.
    rng = np.random.default_rng(5)
    for _ in range(100):
        a, b, c = (float(t) for t in rng.standard_normal(3) * 10.0 ** rng.integers(-3, 4, 3))
        with mpmath.workdps(40):
            value = lambda t: abs(a + b * mpmath.expj(t) + c * mpmath.expj(2 * t))  # noqa: B023, E731
            candidates = [mpmath.mpf(0), mpmath.pi]
            cosine = -mpmath.mpf(b) * (mpmath.mpf(a) + c) / (4 * mpmath.mpf(a) * c)
            if abs(cosine) < 1:
                candidates.append(mpmath.acos(cosine))
            exact = max(value(t) for t in candidates)
            symbol = Symbol.from_kernel(np.array([[[a, b, c]]]))
            found = supremum(symbol, 1e-10)
            scale = mpmath.mpf(2) ** symbol.exponent
            assert found.lower * scale <= exact <= found.upper * scale


def test_number_of_certificates():
    # What square cells with SVDs at their centres took for the same kinds of kernel.
    counts = [supremum(Symbol.from_kernel(gaussian(s, (16, 16, 3, 3))), 1e-3).evaluations for s in range(5)]
    assert max(counts) <= 483
    counts = [supremum(Symbol.from_kernel(gaussian(s, (16, 16, 3, 3))), 1e-6).evaluations for s in range(5)]
    assert max(counts) <= 643
    low_pass = np.random.default_rng(0).random((16, 16))[:, :, None, None] * np.outer([1, 2, 1], [1, 2, 1])
    assert supremum(Symbol.from_kernel(low_pass), 1e-6).evaluations <= 415


def test_flat_symbols_are_settled_by_their_small_oscillation():
    exact = supremum(Symbol.from_kernel(orthogonal_kernel(1, 16)), 1e-6)
    assert exact.converged
    assert exact.evaluations <= 400
    noise = 1e-5 * np.random.default_rng(0).standard_normal((16, 16, 2, 2))
    near = supremum(Symbol.from_kernel(orthogonal_kernel(1, 16) + noise), 1e-5)
    assert near.converged


def test_a_cap_gives_a_wider_bracket_that_still_holds():
    kernel = orthogonal_kernel(2, 8) + 1e-2 * np.random.default_rng(1).standard_normal((8, 8, 2, 2))
    symbol = Symbol.from_kernel(kernel)
    exact = supremum(symbol, 1e-7)
    assert exact.converged
    widths = []
    for cap in (50, 300, 1000):
        found = supremum(symbol, 1e-7, max_evaluations=cap)
        assert found.upper >= exact.lower
        assert found.lower <= exact.upper
        assert found.converged == (found.upper <= found.lower * (1 + 2e-7))
        widths.append(found.upper / found.lower - 1)
    assert widths[0] > 1e-4
    assert widths[2] < widths[0]


def test_a_level_is_proved_or_passed_over():
    symbol = Symbol.from_kernel(gaussian(3, (6, 6, 3, 3)))
    exact = supremum(symbol, 1e-6)
    easy = supremum(symbol, 1e-6, level=1.05 * exact.upper)
    assert easy.upper == 1.05 * exact.upper
    assert easy.evaluations < exact.evaluations
    beyond = supremum(symbol, 1e-6, level=0.9 * exact.lower)
    assert exact.lower * (1 - 1e-9) <= beyond.upper <= exact.upper * (1 + 1e-6)


def test_one_loud_group_among_many_sets_the_supremum():
    kernel = gaussian(7, (40, 1, 3, 3))
    kernel[17] *= 5
    symbol = Symbol.from_kernel(kernel, 1, 40)
    found = supremum(symbol, 1e-6)
    alone = Symbol.from_kernel(kernel[17:18])
    single = supremum(alone, 1e-6)
    assert found.peaks[0].group == 17
    assert found.lower * 2.0**symbol.exponent == pytest.approx(single.lower * 2.0**alone.exponent, rel=2e-6)


def one_peak():
    """Kernels with ``|1 + exp(j (a - t_2)) + exp(j (b - t_1))|``, 3 at the angle (b, a) only, and that angle."""
    for a, b in np.random.default_rng(0).uniform(-np.pi, np.pi, (40, 2)):
        yield Symbol.from_kernel(np.array([[[[1.0, np.exp(1j * a)], [np.exp(1j * b), 0.0]]]])), np.array([b, a])


def lost_peaks():
    """How often the cell that holds the peak is dropped at a level below the peak."""
    lost = 0
    for symbol, peak in one_peak():
        cells = cover(symbol.weights, 0.7)
        gaps = np.remainder(peak - cells.centres + np.pi, 2 * np.pi) - np.pi
        holds = np.all(np.abs(gaps @ np.linalg.inv(cells.frame).T) <= 1, axis=1)
        assert np.any(holds)
        gone = branch_and_bound._dropped(LagGram(symbol), cells, 2.99 / 2.0**symbol.exponent, 1e-3)
        lost += np.any(gone & holds)
    return lost


def test_cells_dropped_without_the_cosine_would_be_seen(monkeypatch):
    assert lost_peaks() == 0
    # Negative control.
    monkeypatch.setattr(branch_and_bound, "_targets", lambda gram, tau, radius: np.array([tau**2]))
    assert lost_peaks() > 0


def missed_suprema():
    """How often the enclosure misses the peak, from a weak incumbent that is not improved."""
    missed = 0
    for symbol, _ in one_peak():
        weak = Peak(1.0 / 2.0**symbol.exponent, 0, np.zeros(2), np.ones(1, dtype=complex))
        missed += supremum(symbol, 1e-3, peaks=[weak], max_evaluations=3000).upper * 2.0**symbol.exponent < 3
    return missed


def test_a_cover_of_a_quarter_of_the_torus_would_be_seen(monkeypatch):
    monkeypatch.setattr(branch_and_bound, "_improved", lambda gram, cells, known, rtol: known)
    assert missed_suprema() == 0

    # Negative control.
    def quarter(weights, radius, groups=1, *, half=False):
        cells = cover(weights, radius, groups, half=half)
        return cells.keep(np.all(cells.centres >= 0, axis=1))

    monkeypatch.setattr(branch_and_bound, "cover", quarter)
    assert missed_suprema() > 0
