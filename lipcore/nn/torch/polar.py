"""Polar factors while training: one eigendecomposition of the small Gram matrix, and the exact derivative."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from ..._typing import Array

# Eigenvalues of the Gram matrix below this part of the largest one are rounding: 1e-3 of the norm in single precision.
_FLOOR = 16.0


class PolarFactor(torch.autograd.Function):
    r"""Polar factors of a stack (..., m, n) with m <= n, ``PolarFactor.apply(w)``.

    Notes
    -----
    ``W W^T = U D U^T`` gives :math:`Q = U D^{-1/2} U^T W`, and one plain cubic step, which leaves no singular value
    above 1, takes off what the rounding of the Gram matrix left. Singular values below the root of the rounding (1e-3
    of the norm in single precision) are not brought to 1.

    With :math:`H = U D^{1/2} U^T` the derivative for a cotangent G is :math:`Y Q + H^{-1} (G - G Q^T Q)` with
    :math:`H Y + Y H = G Q^T - Q G^T`: sums of singular values divide, never differences. It is not differentiable
    itself.
    """

    @staticmethod
    def forward(w: Array) -> tuple[Array, Array, Array]:
        """The factor, eigenvectors, and roots of eigenvalues."""
        values, vectors = torch.linalg.eigh(w @ w.mT)
        largest = values[..., -1:].clamp_min(0)
        floor = _FLOOR * torch.finfo(w.dtype).eps * largest
        roots = torch.maximum(values, floor).sqrt()
        tiny = torch.finfo(w.dtype).tiny ** 0.5
        roots = torch.where(roots > tiny, roots, torch.full_like(roots, torch.inf))  # zero stays zero
        q = (vectors / roots[..., None, :]) @ (vectors.mT @ w)
        q = torch.baddbmm(q, q @ q.mT, q, beta=1.5, alpha=-0.5)
        return q, vectors, roots

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep the decomposition."""
        ctx.save_for_backward(*output)
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, g: Array, *_: Any) -> Array:
        """The exact derivative, in the basis of the eigenvectors."""
        q, vectors, roots = ctx.saved_tensors
        rotated, turned = vectors.mT @ q, vectors.mT @ g
        inner = turned @ rotated.mT
        twist = (inner - inner.mT) / (roots[..., :, None] + roots[..., None, :])
        rest = (turned - inner @ rotated) / roots[..., :, None]
        return vectors @ (twist @ rotated + rest)


class WarmPolar(nn.Module):
    r"""Constructions out of polar factors on the CPU, for training only.

    Parameters
    ----------
    function : callable
        The construction, which is called where weights are on another device.
    with_factor : callable
        ``with_factor(weight, factor, **place)``: the same with polar factors by a function of its own.
    place : mapping
        `stride`, `dilation` and `groups` of the convolution, where they are not 1.
    options : mapping
        Of the construction, for where it is called.

    Notes
    -----
    The value is that of `function`, up to rounding, for weights whose matrices have singular values within a factor of
    1,000; smaller ones stay smaller here. An iteration of some 30 products that autograd has to keep takes several
    times as long. What counts is made by the construction in evaluation mode.
    """

    def __init__(
        self,
        function: Callable[..., Array],
        with_factor: Callable[..., Array],
        place: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.function, self.options = function, {**place, **options}
        self.with_factor, self.place = with_factor, dict(place)

    def forward(self, weight: Array) -> Array:
        """The weight, constrained."""
        if weight.device.type != "cpu":
            return self.function(weight, **self.options)
        return self._made(weight)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _made(self, weight: Array) -> Array:
        """As it is under ``torch.compile``, which does not know of derivatives that have none."""
        return self.with_factor(weight, decomposed, **self.place)


def decomposed(matrices: Array) -> Array:
    """Polar factors of a stack (..., m, n) by `PolarFactor`; zero stays zero."""
    if 0 in matrices.shape:
        return matrices
    largest = matrices.detach().abs().amax(dim=(-2, -1), keepdim=True)
    # squares of entries are to be neither too large nor too small
    scaled = matrices / torch.where(largest > 0, largest, torch.ones_like(largest))
    wide = scaled.shape[-2] <= scaled.shape[-1]
    stack = scaled if wide else scaled.mT
    q = PolarFactor.apply(stack.reshape(-1, *stack.shape[-2:]))[0].reshape(stack.shape)
    return q if wide else q.mT
