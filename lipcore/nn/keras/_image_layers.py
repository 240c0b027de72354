"""Layers of lipcore for convolutions that are made for images of one size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import _backend as B
from ... import layers as L
from ..._typing import Array, Shape
from ...layers.base import Ord
from ...norms import Bounds, convolution_supremum, opnorm_bounds
from ...norms import rounding as r
from ...operators import Convolution, LinearOperator
from ...operators.circular_symbol import CircularSymbol
from ...operators.selection import Selection
from ...operators.skew_exponential import SkewExponential

Host = np.ndarray[Any, Any]


class _Shifted(L.LinearLayer):
    """A linear map of images, and a shift of each channel."""

    bias: Host | None
    outputs: int

    def _offset(self, shape: Shape) -> Array | None:
        return None if self.bias is None else self.bias.reshape(-1, *(1,) * (len(shape) - 1))

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        return (self.outputs, *input_shapes[0][1:])


class FrequencyConvolution(_Shifted):
    r"""A circular convolution by a matrix at each frequency of the image.

    Parameters
    ----------
    real, imaginary : ndarray, shape (\*half, out, in)
        Parts of the matrices, as `lipcore.operators.circular_symbol.CircularSymbol` takes them.
    size : sequence of int
        Of the image.
    bias : ndarray, shape (out,), optional

    Notes
    -----
    The constant in the 2-norm is at most the largest norm of a matrix: what acts at a frequency is one of them or the
    mean of two. Each is certified by itself; between the ends of the last axis each acts as it is.
    """

    def __init__(self, real: Host, imaginary: Host, size: Sequence[int], bias: Host | None = None) -> None:
        self.real, self.imaginary, self.size, self.bias = real, imaginary, tuple(size), bias
        self.outputs = int(real.shape[-2])

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        self._check(shape)
        xp = B.array_namespace(like)
        name = "complex128" if B.dtype_name(like.dtype) == "float64" else "complex64"
        return CircularSymbol(B.from_numpy(self._symbols().astype(name), xp=xp, device=B.device_of(like)), self.size)

    def _check(self, shape: Shape) -> None:
        known = (int(self.real.shape[-1]), *self.size)
        if tuple(shape) != known:
            raise ValueError(
                f"FrequencyConvolution takes samples {known}, for which it was made, got the shape {shape}"
            )

    def output_shape(self, *input_shapes: Shape) -> Shape:
        """Shape of one output sample."""
        self._check(tuple(input_shapes[0]))
        return super().output_shape(*input_shapes)

    def _symbols(self) -> Host:
        found: Host = self.real.astype("float64") + 1j * self.imaginary.astype("float64")
        return found

    def _constant(self, ord: Ord, region: L.Region | None, shape: Shape | None) -> Bounds:
        if ord != 2:
            return super()._constant(ord, region, shape)
        if shape is not None:
            self._check(shape)
        found = opnorm_bounds(self._symbols(), rtol=self.rtol)
        middle = np.asarray(found.lower)[..., 1 : (self.size[-1] + 1) // 2]
        upper, lower = float(np.max(found.upper)), float(np.max(middle, initial=0.0))
        return Bounds(lower, upper, found.kind, found.failure_probability, method="all frequencies")


class ExponentialConvolution(_Shifted):
    r"""The Taylor polynomial of the exponential of a convolution, between images of `inputs` and `outputs` channels.

    Parameters
    ----------
    kernel : ndarray, shape (c, c, \*k)
        The generator A, c the larger number of channels.
    channels : pair of int
        Of inputs and outputs.
    terms : int
        Degree T of the polynomial.
    padding_mode : {"zeros", "circular"}
        Of the generator.
    bias : ndarray, shape (outputs,), optional

    Notes
    -----
    Where the kernel is exactly skew, :math:`A[o, i, t] = -A[i, o, -t]`, so is the operator, whatever the image, and the
    polynomial is within :math:`\nu^{T + 1} / (T + 1)!` of an orthogonal one, :math:`\nu = \|A\|`, which is
    certified. Otherwise, and for short polynomials, the norm of the operator itself is.
    """

    def __init__(
        self, kernel: Host, channels: tuple[int, int], terms: int, padding_mode: str, bias: Host | None = None
    ) -> None:
        self.kernel, self.channels, self.terms = kernel, channels, terms
        self.padding_mode, self.bias, self.outputs = padding_mode, bias, channels[1]

    def _arrays(self) -> Mapping[str, Array]:
        return {"kernel": self.kernel}

    def _operator(self, shape: Shape, arrays: Mapping[str, Array], like: Array) -> LinearOperator:
        inputs, outputs = self.channels
        if len(shape) != self.kernel.ndim - 1 or shape[0] != inputs:
            raise ValueError(f"ExponentialConvolution takes samples of {inputs} channels, got the shape {shape}")
        whole = (max(self.channels), *shape[1:])
        generator = Convolution(arrays["kernel"], whole, padding="same", padding_mode=self.padding_mode)
        found: LinearOperator = SkewExponential(generator, self.terms)
        pixels, length = math.prod(shape[1:]), math.prod(whole)
        if inputs < whole[0]:
            found = found @ Selection(np.arange(inputs * pixels), length, dtype=found.dtype).H
        if outputs < whole[0]:
            found = Selection(np.arange(outputs * pixels), length, dtype=found.dtype) @ found
        return found.with_shapes(shape, (outputs, *shape[1:]))

    def _constant(self, ord: Ord, region: L.Region | None, shape: Shape | None) -> Bounds:
        turned = np.flip(np.swapaxes(self.kernel, 0, 1), axis=tuple(range(2, self.kernel.ndim)))
        odd = all(k % 2 for k in self.kernel.shape[2:])
        if ord == 2 and odd and np.array_equal(self.kernel, -turned):
            norm = convolution_supremum(self.kernel, rtol=1e-2)
            rest = 1.0
            for t in range(1, self.terms + 2):
                rest = float(r.mul_up(rest, np.nextafter(norm.upper / t, math.inf)))
            if rest < 1e-3:
                return Bounds(1 - 2 * rest, float(r.add_up(1.0, rest)), norm.kind, method="exponential of a skew one")
        return super()._constant(ord, region, shape)
