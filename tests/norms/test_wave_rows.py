"""Waves at the best frequencies: what they contain of the leading singular vectors."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

import lipcore as lc
from lipcore import _backend as B
from lipcore.norms.plane_waves import symbol_of
from lipcore.norms.wave_rows import best_frequencies
from lipcore.solvers.start import leading_rows

ROOM = sys.modules["lipcore.norms.wave_rows"]


@pytest.fixture(autouse=True)
def at_any_size(monkeypatch):
    monkeypatch.setattr(ROOM, "_WORK", 0)


def kernel(shape, *, is_complex=False, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if is_complex else 0)


def contained(operator, k):
    """Norms of the projections of the first k right singular vectors on the span of the rows."""
    rows = leading_rows(operator, k)
    assert rows.dtype == operator.dtype
    Q = np.linalg.svd(rows, full_matrices=False)[2]
    V = np.linalg.svd(operator.to_dense())[2][:k]
    return np.linalg.norm(V @ Q.T, axis=1)


@pytest.mark.parametrize(
    ("shape", "image", "options"),
    [
        ((4, 3, 3, 3), (12, 12), {}),
        ((3, 4, 3, 3), (12, 12), {}),
        ((4, 2, 5, 5), (12, 12), {"stride": 2}),
        ((2, 3, 3, 3), (12, 16), {"dilation": 2}),
        ((6, 2, 3, 3), (10, 10), {"groups": 3}),
        ((3, 3, 5), (60,), {}),
        ((3, 3, 3, 1), (16, 1), {}),
        ((2, 2, 2, 2, 2), (6, 5, 6), {}),
    ],
)
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("padding_mode", ["circular", "zeros"])
def test_the_waves_contain_the_leading_vectors(shape, image, options, is_complex, padding_mode):
    size = [options.get("dilation", 1) * (n - 1) for n in shape[2:]]
    operator = lc.Convolution(
        kernel(shape, is_complex=is_complex),
        (shape[1] * options.get("groups", 1), *image),
        padding=[(n // 2, n - n // 2) for n in size],
        padding_mode=padding_mode,
        **options,
    )
    whole = contained(operator, 4)
    if padding_mode == "circular":
        np.testing.assert_allclose(whole, 1, atol=1e-6)
    else:
        assert np.all(whole > 0.7)
        assert whole[0] > 0.85


@pytest.mark.parametrize(("image", "stride"), [((9, 10), 1), ((70, 48), 1), ((80, 80), 2)])
def test_the_best_frequencies_are_those(image, stride):
    operator = lc.Convolution(kernel((3, 2, 3, 3), seed=1), (2, *image), padding=1, stride=stride)
    symbol = symbol_of(operator, operator.kernel[None][0])
    found = best_frequencies(operator, symbol, 12)
    counts = operator.output_shape[1:]
    angles = np.array([(2 * np.pi * i / counts[0], 2 * np.pi * j / counts[1]) for i, j in np.ndindex(*counts)])
    values = np.linalg.svd(symbol.evaluate(0, angles), compute_uv=False).ravel()
    # each value of a real kernel comes at an angle and at its mirror image, which is the same at few
    every = np.sort(values)[::-1]
    assert found[0].lower == pytest.approx(every[0], rel=1e-6)
    assert found[-1].lower >= every[2 * len(found)] * (1 - 1e-6)
    for a, b in itertools.combinations(found, 2):
        mirrored = np.abs(np.exp(1j * a.angle) - np.exp(-1j * b.angle)).max() < 1e-9
        same = np.abs(np.exp(1j * a.angle) - np.exp(1j * b.angle)).max() < 1e-9
        assert not mirrored or same
    for peak in found:
        response = symbol.evaluate(0, peak.angle[None])[0] @ peak.vector
        assert np.linalg.norm(response) == pytest.approx(peak.lower, rel=1e-6)


def test_several_values_at_one_frequency():
    # a mean over the image, of two channels with norms 3 and 2.95: both values are at the angle zero
    taps = np.einsum("ij,a->ija", np.diag([3.0, 2.95]), np.ones(5) / 5)
    operator = lc.Convolution(taps, (2, 40), padding=2)
    found = best_frequencies(operator, symbol_of(operator, taps), 2)
    assert [p.angle.tolist() for p in found] == [[0.0], [0.0]]


def test_the_side_of_a_transposed_convolution():
    inner = lc.Convolution(kernel((5, 2, 3, 3)), (2, 10, 10), padding=(1, 2), padding_mode="circular")
    operator = lc.ConvolutionTranspose(inner.kernel, inner.output_shape, padding=1)
    rows = leading_rows(operator, 3)
    assert rows.shape[-1] == operator.shape[-1]
    assert np.all(contained(operator, 3) > 0.7)


def test_rows_live_where_the_operator_does(backend):
    for name in backend.dtypes:
        operator = lc.Convolution(backend.asarray(kernel((3, 3, 3)).astype(name)), (3, 30), padding=1)
        rows = leading_rows(operator, 2)
        assert B.array_namespace(rows).__name__ == operator.xp.__name__
        assert B.dtype_name(rows.dtype) == name


@pytest.mark.parametrize(
    "shape",
    [(2, 3, 3, 3, 3), (3, 3, 1, 1), (3, 3, 3, 1)],
    ids=["a batch", "no angle", "repeated values"],
)
def test_where_nothing_is_known(shape):
    assert leading_rows(lc.Convolution(kernel(shape), (3, 8, 8)), 2) is None


def test_zero_kernels_large_counts_small_operators_and_others(monkeypatch):
    assert leading_rows(lc.Convolution(np.zeros((3, 3, 3)), (3, 30), padding=1), 2) is None
    operator = lc.Convolution(kernel((3, 3, 3)), (3, 30), padding=1)
    assert leading_rows(operator, 2) is not None
    assert leading_rows(operator, 30) is None
    assert leading_rows(lc.Dense(np.eye(4)), 2) is None
    monkeypatch.setattr(ROOM, "_BYTES", 1 << 10)
    assert leading_rows(operator, 2) is None
    monkeypatch.undo()
    assert leading_rows(operator, 2) is None
