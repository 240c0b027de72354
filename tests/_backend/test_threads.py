"""How many threads OpenBLAS has inside of the contexts, and what it has afterwards."""

from __future__ import annotations

import pytest

from lipcore import _backend as B
from lipcore._backend import threads

POOLS = threads._pools()


def counts() -> list[int]:
    return [pool.get() for pool in POOLS]


@pytest.fixture
def two_threads():
    before = counts()
    for pool in POOLS:
        pool.put(2)
    yield
    for pool, count in zip(POOLS, before, strict=True):
        pool.put(count)


@pytest.mark.skipif(not POOLS, reason="another BLAS")
def test_one_thread_everywhere_and_back(two_threads):
    with B.one_blas_thread():
        assert counts() == [1] * len(POOLS)
        with B.one_blas_thread(), B.scipy_blas_threads():
            assert counts() == [1] * len(POOLS)
        assert counts() == [1] * len(POOLS)
    assert counts() == [2] * len(POOLS)


@pytest.mark.skipif(len(POOLS) < 2, reason="NumPy and SciPy share one BLAS, or have another")
def test_only_scipy_has_threads_and_back(two_threads):
    with pytest.raises(ZeroDivisionError), B.scipy_blas_threads():  # noqa: PT012
        assert counts() == [1, 2]
        with B.scipy_blas_threads():
            assert counts() == [1, 2]
        raise ZeroDivisionError
    assert counts() == [2, 2]


@pytest.mark.skipif(len(POOLS) < 2, reason="NumPy and SciPy share one BLAS, or have another")
def test_contexts_of_two_threads_may_overlap(two_threads):
    """The one that opens inside of the other may be left after it."""
    outer, inner = B.scipy_blas_threads(), B.one_blas_thread()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert counts() == [1, 1]
    inner.__exit__(None, None, None)
    assert counts() == [2, 2]
