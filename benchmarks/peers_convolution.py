"""The peers for a convolution, written in torch as their users write them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse.linalg

from benchmarks.harness import UPPER, VALUE, Contestant, Missing
from benchmarks.peers_dense import primme
from benchmarks.problems import Convolution

Array = Any
Entries = Iterator[Contestant | Missing]


class TorchConvolution:
    """A zero-padded convolution and its adjoint on torch tensors, and as SciPy's LinearOperator."""

    def __init__(self, problem: Convolution) -> None:
        import torch

        self.torch = torch
        self.problem = problem
        self.kernel = torch.from_numpy(problem.kernel())

    def forward(self, x: Array) -> Array:
        return self.torch.nn.functional.conv2d(x, self.kernel, None, self.problem.stride, self.problem.padding)

    def adjoint(self, y: Array) -> Array:
        p = self.problem
        return self.torch.nn.functional.conv_transpose2d(y, self.kernel, None, p.stride, p.padding, p.output_padding)

    def operator(self) -> scipy.sparse.linalg.LinearOperator:
        from_numpy, p = self.torch.from_numpy, self.problem

        def matvec(x: Array) -> Array:
            return self.forward(from_numpy(x.reshape(1, *p.domain))).reshape(-1).numpy()

        def rmatvec(y: Array) -> Array:
            return self.adjoint(from_numpy(y.reshape(1, *p.range))).reshape(-1).numpy()

        def columns(apply: Any) -> Any:
            return lambda block: np.stack([apply(np.ascontiguousarray(column)) for column in block.T], axis=1)

        return scipy.sparse.linalg.LinearOperator(
            p.shape, matvec, rmatvec, columns(matvec), np.dtype("float32"), columns(rmatvec)
        )


def power(problem: Convolution, steps: int = 100) -> Entries:
    """What spectral normalisation does: `steps` times forward and back, one norm each."""
    try:
        convolution = TorchConvolution(problem)
    except ImportError:
        yield Missing(f"{steps} power steps", "torch is not installed")
        return
    torch = convolution.torch

    def run() -> float:
        with torch.no_grad():
            x = torch.randn(1, *problem.domain, generator=torch.Generator().manual_seed(0))
            for _ in range(steps):
                x = convolution.adjoint(convolution.forward(x))
                x = x / torch.linalg.vector_norm(x)
            return float(torch.linalg.vector_norm(convolution.forward(x)))

    yield Contestant(f"{steps} power steps, torch", run)


def primme_convolution(problem: Convolution, *, k: int = 1, tolerances: tuple[float, ...] = (1e-3,)) -> Entries:
    try:
        operator = TorchConvolution(problem).operator()
    except ImportError:
        yield Missing("PRIMME", "torch, which applies the convolution for it, is not installed")
        return
    yield from primme(operator, k, tolerances, slow=problem.size > 100)


def arpack(problem: Convolution, *, k: int = 1, tolerances: tuple[float, ...] = (0.0, 1e-3)) -> Entries:
    try:
        operator = TorchConvolution(problem).operator()
    except ImportError:
        yield Missing("SciPy arpack", "torch, which applies the convolution for it, is not installed")
        return

    def run(tolerance: float) -> Any:
        def call() -> Array:
            rng = np.random.default_rng(3)
            s = scipy.sparse.linalg.svds(operator, k, tol=tolerance, return_singular_vectors=False, rng=rng)
            return np.sort(s)[::-1]

        return call

    for tolerance in tolerances:
        name = f"SciPy svds arpack, tol {tolerance:.0e}" if tolerance else "SciPy svds arpack"
        yield Contestant(name, run(tolerance), slow=problem.size > 100)


def symbols(kernel: Array, grid: tuple[int, int]) -> Array:
    """The symbol at one of each pair of conjugate frequencies, as contiguous matrices (frequencies, out, in)."""
    import torch

    return torch.fft.rfft2(kernel, s=grid).permute(2, 3, 0, 1).reshape(-1, *kernel.shape[:2]).contiguous()


def padded_grid(problem: Convolution) -> Entries:
    """Upper bound: the zero-padded map is a part of the circular one on a grid larger by the kernel's reach."""
    name = "FFT and Gram eigenvalues, padded grid, torch"
    if problem.stride != 1:
        yield Missing(name, "written for stride 1")
        return
    try:
        import torch
    except ImportError:
        yield Missing(name, "torch is not installed")
        return
    kernel = torch.from_numpy(problem.kernel())
    side = problem.size + problem.taps - 1

    def run() -> float:
        symbol = symbols(kernel, (side, side))
        return math.sqrt(float(torch.linalg.eigvalsh(symbol.mH @ symbol).max()))

    yield Contestant(name, run, UPPER, slow=problem.size > 100)


def spatial_gram(problem: Convolution, steps: int) -> Entries:
    """Gram iteration on the kernel itself (Delattre et al. 2024, arXiv 2402.00240), an upper bound for zero padding.

    Each step replaces the kernel by the kernel of its Gram map, of twice the reach: entry (i, j) is the correlation
    of the columns i and j over the output channels, with the zero lag in the centre. Padding by the full reach keeps
    it there. The Gram map is bounded by its largest absolute row sum.
    """
    name = f"spatial Gram iteration, {steps} steps, torch"
    if problem.stride != 1:
        yield Missing(name, "written for stride 1")
        return
    try:
        import torch
    except ImportError:
        yield Missing(name, "torch is not installed")
        return
    original = torch.from_numpy(problem.kernel())

    def run() -> float:
        kernel, log_scale = original, 0.0
        for _ in range(steps):
            norm = torch.linalg.vector_norm(kernel)
            log_scale = 2 * (log_scale + float(torch.log(norm)))
            columns = (kernel / norm).transpose(0, 1)
            kernel = torch.nn.functional.conv2d(columns, columns, padding=kernel.shape[-1] - 1)
        total = float(torch.log(kernel.abs().sum(dim=(1, 2, 3)).max())) + log_scale
        return math.exp(total / 2**steps)

    yield Contestant(name, run, UPPER)


def circular_svd(problem: Convolution) -> Entries:
    """Exact singular values of a circular convolution (Sedghi et al. 2019, arXiv 1805.10408).

    As published it factorises every frequency; the half plane is enough for a real kernel and is what counts here.
    """
    try:
        import torch
    except ImportError:
        yield Missing("FFT and SVD", "torch is not installed")
        return
    kernel = torch.from_numpy(problem.kernel())
    grid = (problem.size, problem.size)

    def full() -> float:
        symbol = torch.fft.fft2(kernel, s=grid).permute(2, 3, 0, 1).contiguous()
        return float(torch.linalg.svdvals(symbol).max())

    def half() -> float:
        return float(torch.linalg.svdvals(symbols(kernel, grid)).max())

    slow = problem.size > 100 or problem.c_in > 100
    yield Contestant("FFT and SVD, half plane, torch", half, VALUE, slow=slow)
    yield Contestant("FFT and SVD, all frequencies (as published), torch", full, VALUE, slow=slow)


def circular_gram(problem: Convolution, steps: int = 5) -> Entries:
    """Gram iteration at every frequency (Delattre et al. 2023, arXiv 2305.16173), on the half plane."""
    try:
        import torch
    except ImportError:
        yield Missing("FFT and Gram iteration", "torch is not installed")
        return
    kernel = torch.from_numpy(problem.kernel())
    grid = (problem.size, problem.size)

    def run() -> float:
        gram = symbols(kernel, grid)
        log_scale = torch.zeros(gram.shape[0])
        for _ in range(steps):
            norm = torch.linalg.matrix_norm(gram)
            gram = gram / norm[:, None, None]
            gram = gram.mH @ gram
            log_scale = 2 * (log_scale + torch.log(norm))
        total = torch.log(torch.linalg.matrix_norm(gram)) + log_scale
        return float(torch.exp(total.max() / 2**steps))

    slow = problem.size > 100 or problem.c_in > 100
    yield Contestant(f"FFT and Gram iteration, {steps} steps, half plane, torch", run, UPPER, slow=slow)
