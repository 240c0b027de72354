"""What every construction of an explicit weight must do; `CASES` names them all."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import lipcore as lc
from lipcore import parametrizations as P

RTOL = 1e-10  # width of the certificates


@dataclasses.dataclass(frozen=True)
class Construction:
    """One construction with the options of one layer."""

    function: Callable[..., Any]
    shape: tuple[int, ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    orthogonal: bool = False  # under circular padding
    slack: float = 64.0  # what the norm may lie above 1, in spacings of the dtype
    host: bool = False  # reads the weight on the host

    @property
    def name(self) -> str:
        options = "".join(f"-{k}{v}" for k, v in self.options.items()).replace(" ", "")
        return f"{self.function.__name__}-{'x'.join(map(str, self.shape))}{options}"

    @property
    def convolution(self) -> dict[str, Any]:
        """The options that the convolution has too."""
        return {k: v for k, v in self.options.items() if k in ("stride", "groups", "dilation")}

    def __call__(self, weight: Any) -> Any:
        return self.function(weight, **self.options)

    def upper(self, constrained: Any) -> float:
        """Rigorous upper bound of the norm: of the matrix, or of the circular convolution on a small image."""
        bounds = lc.opnorm_bounds(self.operator(constrained, "circular"), rtol=RTOL, kind="rigorous")
        return float(bounds.upper)

    def supremum(self, constrained: Any) -> float:
        """Rigorous upper bound of the convolution's norm for every image size, wider."""
        return float(lc.norms.convolution_supremum(constrained, rtol=1e-3, **self.convolution).upper)

    def operator(self, constrained: Any, mode: str) -> lc.LinearOperator:
        """The convolution on a small image, whose circular padding goes round once; the matrix where dense."""
        if len(self.shape) == 2:
            return lc.aslinearoperator(constrained)
        axes = len(self.shape) - 2
        strides, gaps = (_per_axis(self.options.get(name, 1), axes) for name in ("stride", "dilation"))
        sides = [s * max(4, -(-d * k // s)) for s, d, k in zip(strides, gaps, self.shape[2:], strict=True)]
        pads = [(d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2) for d, k in zip(gaps, self.shape[2:], strict=True)]
        if mode == "none":
            pads = [(0, 0)] * axes
        image = (self.shape[1] * self.options.get("groups", 1), *sides)
        padding_mode = "circular" if mode == "circular" else "zeros"
        return lc.Convolution(constrained, image, padding=pads, padding_mode=padding_mode, **self.convolution)


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    return (value,) * axes if isinstance(value, int) else tuple(value)


def parameters(shape: tuple[int, ...], dtype: str) -> Iterator[tuple[str, np.ndarray]]:
    """Weights of every kind: random, without entries, of low rank, and at the ends of the range."""
    rng = np.random.default_rng(math.prod(shape))
    w = rng.standard_normal(shape)
    yield "random", w.astype(dtype)
    yield "zero", np.zeros(shape, dtype)
    yield "ones", np.ones(shape, dtype)
    yield "huge", (1e30 * w).astype(dtype)
    yield "tiny", (1e-30 * w).astype(dtype)
    factors = [rng.standard_normal(n) for n in shape]
    rank_one = factors[0]
    for factor in factors[1:]:
        rank_one = np.multiply.outer(rank_one, factor)
    yield "rank one", rank_one.astype(dtype)
    spread = w * 10.0 ** rng.integers(-12, 12, (1, shape[1], *(1 for _ in shape[2:])))
    yield "columns of all sizes", spread.astype(dtype)
    w = w.copy()
    w[0] = 0
    w[:, -1] = 0
    yield "zero row and column", w.astype(dtype)


def gradient_by_torch(function: Callable[[Any], Any], weight: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    """Derivative of <cotangent, function(weight)> by torch."""
    import torch

    w = torch.tensor(weight, requires_grad=True)
    (function(w) * torch.tensor(cotangent)).sum().backward()
    return np.asarray(w.grad.numpy())


def gradient_by_jax(function: Callable[[Any], Any], weight: np.ndarray, cotangent: np.ndarray) -> np.ndarray:
    """The same by JAX, in a compiled program unless the function reads its weight."""
    import jax
    import jax.numpy as jnp

    gradient = jax.grad(lambda w: jnp.sum(function(w) * jnp.asarray(cotangent)))
    gradient = gradient if getattr(function, "host", False) else jax.jit(gradient)
    return np.asarray(gradient(jnp.asarray(weight)))


DENSE = ((6, 6), (7, 4), (3, 8))
KERNELS = [
    ((4, 3, 3), {}),
    ((4, 4, 3, 3), {}),
    ((6, 2, 3, 3), {"stride": 2}),
    ((6, 2, 3, 2), {"groups": 3}),
    ((4, 2, 4, 3), {"stride": (3, 2), "groups": 2}),
    ((4, 3, 5), {"stride": 2, "dilation": 3}),
    ((4, 3, 5), {"stride": 2, "dilation": 2}),
    ((3, 2, 4), {"dilation": 3}),
]
AOC = [
    ((4, 4, 3, 3), {}),
    ((4, 3, 3), {"stride": 2}),
    ((8, 2, 3, 3), {"stride": 2}),
    ((9, 2, 4, 3), {"stride": 2}),
    ((2, 4, 4, 3), {"stride": (2, 1), "groups": 2}),
    ((6, 4, 5), {"stride": 2, "dilation": 3}),
    ((4, 4, 3), {"stride": 2, "dilation": 2}),
    ((7, 2, 4), {"stride": 4, "dilation": 3}),
]
CASES = [
    *(
        Construction(f, shape, orthogonal=True)
        for f in (P.rko, P.bjorck, P.cayley, P.lot, P.soc, P.block_reflectors)
        for shape in DENSE
    ),
    *(Construction(f, shape, options) for f in (P.rko, P.bjorck) for shape, options in KERNELS),
    *(Construction(P.bcop, shape, orthogonal=True) for shape in DENSE),
    *(Construction(P.aoc, shape, options, orthogonal=True) for shape, options in AOC),
    *(
        Construction(P.bcop, shape, options, orthogonal=True)
        for shape, options in [
            ((4, 4, 3, 3), {}),
            ((4, 3, 3), {}),
            ((3, 5, 2), {}),
            ((5, 3, 3, 2), {"groups": 1}),
            ((3, 7, 2, 4), {}),
            ((1, 1, 3, 3), {}),
            ((8, 2, 3, 3), {"groups": 4}),
            ((4, 4, 3), {"dilation": 2}),
            ((2, 2, 2, 2, 2), {}),
        ]
    ),
    Construction(P.rko, (4, 1, 2, 2), {"stride": 2}, orthogonal=True),
    Construction(P.rko, (5, 2, 3), {"stride": 3}, orthogonal=True),
    *(Construction(f, shape, host=f is P.spectral) for f in (P.frobenius, P.aol, P.spectral) for shape in DENSE),
    *(
        Construction(f, shape, options, host=f is P.spectral)
        for f in (P.frobenius, P.aol, P.spectral)
        for shape, options in KERNELS
    ),
]
