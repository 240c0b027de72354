"""The largest norm on a grid of frequencies, against an SVD at every frequency."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lipcore.norms import circular
from lipcore.norms.branch_and_bound import supremum
from lipcore.norms.circular import Blocks, blocks_of, grid_maximum
from lipcore.norms.lag_gram import LagGram
from lipcore.norms.symbol import Symbol


def every_frequency(symbol, counts):
    sizes = np.array([counts[a] for a in symbol.axes], dtype=int)
    grid = np.array(list(itertools.product(*[2 * np.pi * np.arange(n) / n for n in sizes])))
    grid = grid if len(sizes) else np.zeros((1, 0))
    angles = grid * symbol.factors
    return max(np.max(np.linalg.norm(symbol.evaluate(g, angles), 2, axis=(1, 2))) for g in range(symbol.groups))


@st.composite
def problems(draw):
    dimension = draw(st.integers(1, 3))
    taps = draw(st.tuples(*[st.integers(1, 5 if dimension < 3 else 3)] * dimension))
    counts = draw(st.tuples(*[st.integers(1, 30 if dimension == 1 else 12 if dimension == 2 else 5)] * dimension))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = rng.standard_normal((groups * draw(st.integers(1, 3)), draw(st.integers(1, 3)), *taps))
    if draw(st.booleans()):
        kernel = kernel + 1j * rng.standard_normal(kernel.shape)
    stride = draw(st.tuples(*[st.integers(1, 2)] * dimension))
    dilation = draw(st.tuples(*[st.integers(1, 3)] * dimension))
    return Symbol.from_kernel(kernel, stride, groups, dilation), counts


@settings(max_examples=80, deadline=None)
@given(problems(), st.sampled_from([1e-2, 1e-5, 1e-9]), st.booleans())
def test_every_frequency_is_bounded_and_the_best_is_attained(problem, rtol, blockwise):
    symbol, counts = problem
    exact = every_frequency(symbol, counts)
    direct, circular._DIRECT = circular._DIRECT, 0 if blockwise else circular._DIRECT
    try:
        found = grid_maximum(symbol, counts, rtol)
    finally:
        circular._DIRECT = direct
    assert found.lower <= exact * (1 + 1e-13)
    assert exact <= found.upper * (1 + 1e-13)
    assert found.upper <= found.lower * (1 + rtol) * (1 + 1e-12)
    assert found.converged


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("counts", [(1,), (7,), (4, 5), (8, 1), (3, 2, 4)])
@pytest.mark.parametrize("size", [1, 3])
def test_blocks_hold_every_frequency_or_its_mirror_once(counts, size, half):
    sizes = np.array(counts)
    blocks = blocks_of(sizes, np.full(len(counts), size), 2, half=half)
    for _ in range(3):
        seen = []
        for first, last, group in zip(blocks.first, blocks.last, blocks.groups, strict=True):
            if group == 1:
                seen += list(itertools.product(*map(range, first, last)))
        assert len(seen) == len(set(seen))
        wanted = set(itertools.product(*map(range, counts)))
        mirrored = {tuple(int(m) for m in (-np.array(f)) % sizes) for f in seen} if half else set()
        assert set(seen) | mirrored == wanted
        blocks = blocks.split()


def test_centres_lie_within_the_radius_of_every_frequency_of_a_block():
    sizes, weights = np.array([30, 17]), np.array([1.0, 2.5])
    blocks = blocks_of(sizes, np.array([4, 3]), 1, half=False)
    radii, centres = blocks.radii(sizes, weights), blocks.centres(sizes)
    for first, last, radius, centre in zip(blocks.first, blocks.last, radii, centres, strict=True):
        for f in itertools.product(*map(range, first, last)):
            gap = np.remainder(2 * np.pi * np.array(f) / sizes - centre + np.pi, 2 * np.pi) - np.pi
            assert np.abs(gap) @ weights <= radius


def test_fine_grids_take_few_certificates():
    kernel = np.random.default_rng(0).standard_normal((8, 8, 3, 3))
    symbol = Symbol.from_kernel(kernel)
    fine = grid_maximum(symbol, (224, 224), 1e-6)
    assert fine.converged
    assert fine.evaluations <= 0.1 * 224 * 113
    loose = grid_maximum(symbol, (224, 224), 1e-2)
    assert loose.evaluations <= 400


def test_a_peak_between_frequencies_is_not_counted():
    symbol = Symbol.from_kernel(np.array([[[1.0, -1.0]]]))
    for n in (3, 5, 9, 1001):
        found = grid_maximum(symbol, (n,), 1e-9)
        exact = 2 * np.cos(np.pi / (2 * n)) / 2.0**symbol.exponent
        assert found.lower <= exact * (1 + 1e-15)
        assert exact * (1 - 1e-15) <= found.upper <= exact * (1 + 2e-9)


def test_ties_and_flat_symbols_end():
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    kernel = np.zeros((6, 6, 3, 3))
    kernel[:3, :, 0, 1], kernel[3:, :, 2, 2] = q[:3], q[3:]
    symbol = Symbol.from_kernel(kernel)
    found = grid_maximum(symbol, (40, 40), 1e-8)
    assert found.upper * 2.0**symbol.exponent == pytest.approx(1, abs=3e-8)
    assert found.converged


def test_the_cap_falls_back_on_the_supremum_over_all_angles():
    symbol = Symbol.from_kernel(np.random.default_rng(0).standard_normal((6, 6, 3, 3)))
    found = grid_maximum(symbol, (60, 60), 1e-9, max_evaluations=150)
    assert not found.converged
    assert found.lower <= every_frequency(symbol, (60, 60)) <= found.upper


def dropped_too_loud(seed):
    """How many blocks are dropped although one of their frequencies exceeds the level."""
    kernel = np.random.default_rng(seed).standard_normal((1, 1, 3, 3))
    symbol, sizes = Symbol.from_kernel(kernel), np.array([30, 30])
    gram = LagGram(symbol)
    ceiling = supremum(symbol, 1e-3, gram=gram).upper
    blocks = blocks_of(sizes, np.array([4, 4]), 1, half=False)
    level = every_frequency(symbol, (30, 30)) * 0.98
    gone = circular._dropped(gram, blocks, sizes, level, ceiling)
    assert np.any(gone)
    wrong = 0
    for first, last in zip(blocks.first[gone], blocks.last[gone], strict=True):
        angles = 2 * np.pi * np.array(list(itertools.product(*map(range, first, last)))) / sizes
        wrong += np.max(np.abs(symbol.evaluate(0, angles))) > level
    return wrong


def test_no_dropped_block_holds_a_louder_frequency(monkeypatch):
    assert sum(map(dropped_too_loud, range(20))) == 0
    # Negative control: with radii of zero, frequencies beside a low centre are lost.
    monkeypatch.setattr(Blocks, "radii", lambda self, counts, weights: np.zeros(len(self)))
    assert sum(map(dropped_too_loud, range(20))) > 0
