"""The matrices and kernels of the benchmarks, and their reference values from converged float64 runs.

References are computed once per problem and kept in the temporary directory, named by everything that determines them.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse.linalg

Array = Any


def reference(key: str, compute: Callable[[], Any]) -> Any:
    """Value of `compute()`, as a float or a float64 array, from the cache where it is known."""
    path = Path(tempfile.gettempdir()) / "lipcore-benchmarks" / f"{key}.json"
    if not path.exists():
        value = np.asarray(compute(), dtype=float).tolist()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    return np.asarray(json.loads(path.read_text()))[()]


def matrix(spectrum: str, m: int, n: int, dtype: str, *, seed: int = 0) -> Array:
    """Gaussian matrix, or one with singular values 1, 0.999, 0.998, ... (0.999**i) and random singular vectors."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((m, n))
    if spectrum == "clustered":
        k = min(m, n)
        u, _ = np.linalg.qr(a[:, :k])
        v, _ = np.linalg.qr(rng.standard_normal((n, k)))
        a = (u * 0.999 ** np.arange(k)) @ v.T
    return a.astype(dtype)


def matrix_values(spectrum: str, m: int, n: int, dtype: str, k: int = 1) -> Any:
    """Leading singular values of the stored matrix, by LAPACK in float64."""
    values = reference(
        f"dense-{spectrum}-{m}x{n}-{dtype}",
        lambda: np.linalg.svd(matrix(spectrum, m, n, dtype).astype(float), compute_uv=False)[:16],
    )
    return values[0] if k == 1 else values[:k]


@dataclass(frozen=True)
class Convolution:
    """A convolution with a Gaussian kernel; its square images and kernels have `size` and `taps` per side."""

    name: str
    c_in: int
    c_out: int
    taps: int
    size: int
    stride: int = 1
    padding: int = 1
    padding_mode: str = "zeros"

    def kernel(self, *, seed: int = 0) -> Array:
        shape = (self.c_out, self.c_in, self.taps, self.taps)
        return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)

    @property
    def domain(self) -> tuple[int, int, int]:
        return (self.c_in, self.size, self.size)

    @property
    def range(self) -> tuple[int, int, int]:
        out = (self.size + 2 * self.padding - self.taps) // self.stride + 1
        return (self.c_out, out, out)

    @property
    def shape(self) -> tuple[int, int]:
        return int(np.prod(self.range)), int(np.prod(self.domain))

    @property
    def output_padding(self) -> int:
        return self.size - ((self.range[-1] - 1) * self.stride - 2 * self.padding + self.taps)

    def values(self, k: int = 1) -> Any:
        """Leading singular values: by frequencies where circular, else ARPACK in float64 on torch's convolution."""
        compute = self._circular_values if self.padding_mode == "circular" else self._arpack_values
        shape = f"{self.c_in}-{self.c_out}-{self.taps}-{self.size}-{self.stride}-{self.padding}-{self.padding_mode}"
        values = reference(f"conv-{shape}-{k}", lambda: compute(k))
        return values[0] if k == 1 else values

    def _circular_values(self, k: int) -> Array:
        axes = (self.size, self.size)
        symbol = np.moveaxis(np.fft.rfft2(self.kernel().astype(float), axes), (2, 3), (0, 1))
        half = np.linalg.svd(symbol, compute_uv=False)
        # frequencies strictly inside the half plane stand for two
        twice = half[:, 1 : (self.size + 1) // 2].ravel()
        return np.sort(np.concatenate([half.ravel(), twice]))[::-1][:k]

    def _arpack_values(self, k: int) -> Array:
        """ARPACK in float64 on float32 products; a last Rayleigh-Ritz step in float64 squares their rounding."""
        import torch

        kernel = torch.from_numpy(self.kernel())
        functional = torch.nn.functional

        def forward(x: Array, dtype: Any) -> Array:
            image = torch.from_numpy(x).reshape(-1, *self.domain).to(dtype)
            return functional.conv2d(image, kernel.to(dtype), None, self.stride, self.padding)

        def normal(x: Array) -> Array:
            y = forward(x, torch.float32)
            back = functional.conv_transpose2d(y, kernel, None, self.stride, self.padding, self.output_padding)
            return back.reshape(-1).double().numpy()

        n = self.shape[1]
        gram = scipy.sparse.linalg.LinearOperator((n, n), matvec=normal, dtype=float)
        start = np.random.default_rng(1).standard_normal(n)
        vectors = scipy.sparse.linalg.eigsh(gram, k, which="LA", tol=1e-6, ncv=max(30, 3 * k), v0=start)[1]
        q, _ = np.linalg.qr(vectors)
        images = [forward(np.ascontiguousarray(column), torch.float64).reshape(-1).numpy() for column in q.T]
        return np.linalg.svd(np.stack(images), compute_uv=False)


COLUMNS = {
    "64-64-32": Convolution("64 -> 64 channels, 3x3, 32 x 32, zeros", 64, 64, 3, 32),
    "256-256-32": Convolution("256 -> 256 channels, 3x3, 32 x 32, zeros", 256, 256, 3, 32),
    "64-64-224": Convolution("64 -> 64 channels, 3x3, 224 x 224, zeros", 64, 64, 3, 224),
    "3-64-224": Convolution("3 -> 64 channels, 7x7, stride 2, 224 x 224, zeros", 3, 64, 7, 224, 2, 3),
}

CIRCULAR = {
    "64-32": Convolution("64 channels, 3x3, 32 x 32, circular", 64, 64, 3, 32, padding_mode="circular"),
    "256-32": Convolution("256 channels, 3x3, 32 x 32, circular", 256, 256, 3, 32, padding_mode="circular"),
    "64-224": Convolution("64 channels, 3x3, 224 x 224, circular", 64, 64, 3, 224, padding_mode="circular"),
}
