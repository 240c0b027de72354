from __future__ import annotations

import numpy as np
import pytest

import lipcore as lc
from lipcore.norms.circular_symbol import acting_symbols
from lipcore.operators.circular_symbol import CircularSymbol, half_size

SIZES = {"line": (5,), "even line": (4,), "image": (3, 4), "odd image": (4, 3), "volume": (2, 3, 2), "pixel": (1, 1)}


def random_symbols(rng, size, c_out=2, c_in=3):
    shape = (*half_size(size), c_out, c_in)
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def dense(symbols, size):
    """The operator of all frequencies, written down."""
    axes = tuple(range(len(size)))
    acting = acting_symbols(symbols, size)
    full = np.zeros((*size, *symbols.shape[-2:]), complex)
    for f in np.ndindex(*size):
        mirrored = tuple(-i % n for i, n in zip(f, size, strict=True))
        full[f] = acting[f] if f[-1] < acting.shape[len(size) - 1] else np.conj(acting[mirrored])
    pixels = int(np.prod(size))
    columns = []
    for i in range(symbols.shape[-1]):
        for p in range(pixels):
            x = np.zeros((*size, symbols.shape[-1]))
            x[(*np.unravel_index(p, size), i)] = 1
            y = np.fft.ifftn(np.einsum("...oi,...i->...o", full, np.fft.fftn(x, axes=axes)), axes=axes)
            assert np.max(np.abs(y.imag)) < 1e-12
            columns.append(np.moveaxis(y.real, -1, 0).ravel())
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_is_the_operator_of_all_frequencies(size):
    symbols = random_symbols(np.random.default_rng(0), size)
    A = CircularSymbol(symbols, size)
    np.testing.assert_allclose(A.to_dense(), dense(symbols, size), atol=1e-12)
    assert lc.check_adjoint(A, rng=0)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_bounds_hold_the_norm(size):
    symbols = random_symbols(np.random.default_rng(1), size)
    for scale in (1.0, 1e150, 1e-150):
        bounds = lc.opnorm_bounds(CircularSymbol(symbols * scale, size), rtol=1e-9)
        norm = np.linalg.norm(dense(symbols, size), 2) * scale
        assert bounds.kind == "rigorous"
        assert bounds.converged
        assert bounds.lower <= norm * (1 + 1e-14)
        assert norm * (1 - 1e-14) <= bounds.upper <= norm * (1 + 2e-9)


def test_equals_a_circular_convolution(backend):
    name = backend.dtypes[-1]
    rng = np.random.default_rng(2)
    kernel = rng.standard_normal((2, 3, 3, 4))
    padded = np.pad(kernel, [(0, 0), (0, 0), (0, 2), (0, 2)])
    symbols = np.conj(np.moveaxis(np.fft.rfftn(padded, axes=(2, 3)), (0, 1), (-2, -1)))
    A = CircularSymbol(backend.asarray(symbols.astype(name)), (5, 6))
    x = rng.standard_normal((4, 3, 5, 6)).astype("float32" if name == "complex64" else "float64")
    reference = lc.Convolution(kernel, (3, 5, 6), padding=((0, 2), (0, 3)), padding_mode="circular")
    found = A.apply(backend.asarray(x))
    np.testing.assert_allclose(
        backend.to_numpy(found), reference.apply(np.float64(x)), atol=1e-4 if x.itemsize == 4 else 1e-11
    )
    assert lc.check_adjoint(A, rng=1)


def test_bad_input():
    with pytest.raises(TypeError, match="complex"):
        CircularSymbol(np.ones((3, 1, 1)), (4,))
    with pytest.raises(ValueError, match="must have shape"):
        CircularSymbol(np.ones((4, 1, 1), complex), (4,))
