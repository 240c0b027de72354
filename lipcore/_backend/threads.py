"""Threads of many small factorisations on the host: one in each BLAS call, several calls at a time."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from .._typing import Namespace
from .namespace import is_numpy

Item = TypeVar("Item")
Result = TypeVar("Result")

_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context in which OpenBLAS, where NumPy and SciPy use it, runs in the calling thread alone.

    A Cholesky factorisation of 64 columns takes less time than waking a second thread for it, and NumPy and SciPy each
    bring a pool of their own, whose idle threads spin on the cores of the other: a loop over such matrices is up to
    five times slower with threads than without. OpenBLAS has one setting for the whole process, so meanwhile others
    run in one thread too; it is restored when the last context is left. Nothing happens with another BLAS.
    """
    with _one_thread(_pools()):
        yield


@contextlib.contextmanager
def scipy_blas_threads() -> Iterator[None]:
    """Context in which NumPy's OpenBLAS runs in the calling thread alone, and SciPy's in all of its threads.

    For large factorisations by `scipy.linalg` with small products by NumPy in between: NumPy's idle threads would look
    for work on the cores of SciPy's, and a Cholesky factorisation of order 2000 took twice as long.
    """
    pools = _pools()
    with _one_thread(pools[:1] if len(pools) > 1 else []):
        yield


@contextlib.contextmanager
def _one_thread(pools: list[_Pool]) -> Iterator[None]:
    with _lock:
        for pool in pools:
            pool.enter()
    try:
        yield
    finally:
        with _lock:
            for pool in pools:
                pool.leave()


def beside(xp: Namespace) -> contextlib.AbstractContextManager[None]:
    """Context for work on the host in between products of another library: `one_blas_thread` unless that is NumPy.

    After a call in several threads OpenBLAS's idle threads keep looking for work for a tenth of a second, on the cores
    that the other library's threads need: products of torch took two to four times as long.
    """
    return contextlib.nullcontext() if is_numpy(xp) else one_blas_thread()


def map_in_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """``[function(i) for i in items]``, in as many threads as OpenBLAS had when `one_blas_thread` was entered.

    To be used inside that context, for functions that spend their time in NumPy or in `lapack` calls, which both
    release the interpreter's lock.
    """
    count = min(max((pool.before for pool in _pools() if pool.depth), default=1), len(items))
    if count <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(function, items))


@functools.cache
def lapack(name: str, arguments: int) -> Callable[..., None]:
    """A LAPACK or BLAS routine of SciPy's build by its Fortran name, called without the interpreter's lock.

    All `arguments` are pointers, so that parts of arrays will do. SciPy's own wrappers copy those, and hold the lock,
    so that threads would wait for each other.
    """
    from scipy.linalg import cython_blas, cython_lapack

    module = cython_lapack if name in cython_lapack.__pyx_capi__ else cython_blas
    capsule = module.__pyx_capi__[name]
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = ctypes.c_char_p, [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = api.PyCapsule_GetPointer(capsule, api.PyCapsule_GetName(capsule))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)(address)


@dataclass
class _Pool:
    """The threads of one OpenBLAS: how many contexts hold it to one, and how many threads it had before the first."""

    put: Callable[[int], Any]
    get: Callable[[], int]
    depth: int = 0
    before: int = 1

    def enter(self) -> None:
        """One thread from here on."""
        self.depth += 1
        if self.depth == 1:
            self.before = self.get()
            self.put(1)

    def leave(self) -> None:
        """As before, once nobody holds it any more."""
        self.depth -= 1
        if self.depth == 0:
            self.put(self.before)


_lock = threading.RLock()


@functools.cache
def _pools() -> list[_Pool]:
    """The pool of each OpenBLAS that NumPy (first) and SciPy are linked with."""
    import numpy.linalg._umath_linalg as of_numpy
    import scipy.linalg._fblas as of_scipy

    pools = {}
    for module in (of_numpy, of_scipy):
        try:
            library = ctypes.CDLL(module.__file__)
        except OSError:
            continue
        for name in _NAMES:
            put = getattr(library, name.format("set_num_threads"), None)
            get = getattr(library, name.format("get_num_threads"), None)
            if put is not None and get is not None:
                put.argtypes, put.restype, get.restype = [ctypes.c_int], None, ctypes.c_int
                pools[ctypes.cast(put, ctypes.c_void_p).value] = _Pool(put, get)
                break
    return list(pools.values())
