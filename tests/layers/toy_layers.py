"""Two layers small enough to be seen through, for tests of compositions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import lipcore as lc
from lipcore import _backend as B
from lipcore.layers import Layer, LinearLayer
from lipcore.norms import Bounds


class Matrix(LinearLayer):
    """``W x + b`` of flat samples."""

    def __init__(self, weight: Any, bias: Any = None) -> None:
        self.weight, self.bias = weight, bias

    def _arrays(self):
        return {"weight": self.weight}

    def _operator(self, shape, arrays, like):
        return lc.Dense(arrays["weight"])

    def _offset(self, shape):
        return self.bias

    def _constant(self, ord, region, shape):
        return lc.opnorm_bounds(self.weight, ord)


class Tanh(Layer):
    def _forward(self, *xs):
        return B.array_namespace(*xs).tanh(xs[0])

    def _jacobians(self, *xs):
        y = self._forward(*xs)
        return (lc.Diagonal(B.array_namespace(y).reshape(1 - y * y, (y.shape[0], math.prod(y.shape[1:])))),)

    def _constant(self, ord, region, shape):
        if region is None:
            return Bounds(1.0, 1.0, "analytic", ord=ord)
        nearest = np.maximum(np.maximum(region.lower, -region.upper), 0.0)
        return Bounds(0.0, float(np.max(1 - np.tanh(nearest) ** 2)), "analytic", ord=ord)

    def _image(self, regions, shapes):
        (region,) = regions
        if region is None:
            return None if shapes[0] is None else lc.Box(-np.ones(shapes[0]), np.ones(shapes[0]))
        return lc.Box(np.tanh(region.lower) - 1e-15, np.tanh(region.upper) + 1e-15, kind="analytic")


def weight(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((rows, columns)) / math.sqrt(columns)


def matrix(backend: Any, dtype: Any, rows: int, columns: int, seed: int = 0, bias: bool = True) -> Matrix:
    """A random affine layer on a backend."""
    name = B.dtype_name(dtype)
    arrays = [weight(rows, columns, seed)] + ([weight(rows, 1, seed + 100)[:, 0]] if bias else [])
    return Matrix(*(backend.asarray(a.astype(name)) for a in arrays))
