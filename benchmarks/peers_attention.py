"""Self-attention as a user writes it in torch and in JAX, and the peers that find the norm of its Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse.linalg

from benchmarks.harness import Contestant, Missing
from benchmarks.problems import reference

Array = Any
Entries = Iterator[Contestant | Missing]


@dataclass(frozen=True)
class Attention:
    """One head of self-attention with projections on random tokens."""

    tokens: int
    features: int = 64

    @property
    def name(self) -> str:
        return f"self-attention of {self.tokens} x {self.features}, float32"

    def arrays(self, dtype: str = "float32") -> tuple[Array, Array, Array, Array]:
        """Tokens, and the projections of queries, keys and values."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.tokens, self.features))
        weights = [rng.standard_normal((self.features, self.features)) / self.features**0.5 for _ in range(3)]
        x, q, k, v = (a.astype("float32").astype(dtype) for a in (x, *weights))
        return x, q, k, v

    def norm(self) -> float:
        """The norm of the stored arrays' Jacobian, by ARPACK in float64."""
        run = TorchAttention(self, "float64").arpack(0.0)
        return float(reference(f"attention-{self.tokens}-{self.features}", run))


class TorchAttention:
    """Products by torch.func."""

    def __init__(self, problem: Attention, dtype: str = "float32") -> None:
        import torch

        self.torch = torch
        self.dtype = dtype
        self.x, *self.weights = (torch.from_numpy(a) for a in problem.arrays(dtype))
        self.pull = torch.func.vjp(self.function, self.x)[1]

    def function(self, x: Array) -> Array:
        q, k, v = (x @ w.mT for w in self.weights)
        return self.torch.softmax(q @ k.mT / q.shape[-1] ** 0.5, -1) @ v

    def forward(self, t: Array) -> Array:
        return self.torch.func.jvp(self.function, (self.x,), (t,))[1]

    def adjoint(self, t: Array) -> Array:
        return self.pull(t)[0]

    def arpack(self, tolerance: float) -> Callable[[], float]:
        shape = tuple(self.x.shape)

        def through(product: Callable[[Array], Array]) -> Callable[[Array], Array]:
            def apply(y: Array) -> Array:
                tensor = self.torch.from_numpy(np.ascontiguousarray(y.reshape(shape), dtype=self.dtype))
                return product(tensor).reshape(-1).numpy()

            return apply

        size = self.x.numel()
        operator = scipy.sparse.linalg.LinearOperator(
            (size, size), through(self.forward), through(self.adjoint), dtype=self.dtype
        )

        def call() -> float:
            rng = np.random.default_rng(3)
            return float(
                scipy.sparse.linalg.svds(operator, 1, tol=tolerance, return_singular_vectors=False, rng=rng)[0]
            )

        return call

    def power(self, steps: int) -> Callable[[], float]:
        torch = self.torch

        def call() -> float:
            with torch.no_grad():
                t = torch.randn(self.x.shape, generator=torch.Generator().manual_seed(0))
                for _ in range(steps):
                    t = self.adjoint(self.forward(t))
                    t = t / torch.linalg.vector_norm(t)
                return float(torch.linalg.vector_norm(self.forward(t)))

        return call


def torch_func(problem: Attention, *, slow: bool = False) -> Entries:
    try:
        attention = TorchAttention(problem)
    except ImportError:
        yield Missing("SciPy arpack and power steps over torch.func", "torch is not installed")
        return
    attention.adjoint(attention.forward(attention.x))  # torch.func imports itself late
    for tolerance in (0.0, 1e-3):
        name = f"SciPy svds arpack over torch.func, tol {tolerance:g}"
        yield Contestant(name, attention.arpack(tolerance), slow=slow)
    yield Contestant("100 power steps over torch.func", attention.power(100), slow=slow)


def jax_function(x: Array, weights: tuple[Array, ...]) -> Array:
    import jax

    q, k, v = (x @ w.T for w in weights)
    return jax.nn.softmax(q @ k.T / q.shape[-1] ** 0.5, -1) @ v


def matfree(problem: Attention, depth: int = 30) -> Entries:
    """Golub-Kahan with full reorthogonalisation over JAX's derivatives, compiled."""
    try:
        import jax
        from matfree import decomp
    except ImportError as error:
        yield Missing("matfree, jit", f"{error.name} is not installed")
        return
    x, *weights = map(jax.numpy.asarray, problem.arrays())
    start = jax.numpy.asarray(np.random.default_rng(4).standard_normal(x.size).astype("float32"))
    bidiagonalize = decomp.bidiag(depth, materialize=True)

    @jax.jit
    def norm(vector: Array, x: Array, weights: Any) -> Array:
        def push(v: Array, x: Array, weights: Any) -> Array:
            return jax.jvp(lambda x: jax_function(x, weights), (x,), (v.reshape(x.shape),))[1].reshape(-1)

        _, b, *_ = bidiagonalize(push, vector, x, weights)
        return jax.numpy.linalg.svd(b, compute_uv=False)[0]

    def call() -> float:
        # matfree mixes in 64-bit constants where they are enabled, and then fails on float32
        with jax.enable_x64(False):
            return float(norm(start, x, tuple(weights)))

    call()  # compiles once, and not as part of the race
    yield Contestant(f"matfree bidiag, {depth} steps, jit", call)
