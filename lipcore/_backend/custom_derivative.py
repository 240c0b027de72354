"""Functions whose derivative is a formula of its own, not what differentiating their steps would give."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .._typing import Array
from .namespace import array_namespace, is_jax, is_torch

Forward = Callable[[Array], Array]
Derivative = Callable[[Array, Array, Array], Array]


def with_derivative(forward: Forward, pushforward: Derivative, pullback: Derivative, x: Array) -> Array:
    """``forward(x)``, differentiated by the rules given.

    Parameters
    ----------
    forward : callable
        Maps a stack of matrices to another; called with values that carry no derivative. Matrices of the stack must
        not influence each other, so that vectorising adds an axis in front.
    pushforward, pullback : callable
        ``(x, y, dx) -> dy``, linear in dx, and ``(x, y, dy) -> dx``, its adjoint in the real inner product. They are
        differentiable functions themselves, and are called with values that host code cannot read.
    x : array
        The argument.

    Returns
    -------
    array
        ``forward(x)``. Where the library has no derivatives, that is all.
    """
    xp = array_namespace(x)
    if is_torch(xp):
        return _torch_function().apply(x, forward, pushforward, pullback)
    if is_jax(xp):
        import jax

        function = jax.custom_jvp(forward)

        def rule(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
            # the outer function, so that a second derivative finds its rule again
            y = function(*primals)
            return y, pushforward(primals[0], y, tangents[0])

        function.defjvp(rule)

        return function(x)
    return forward(x)


@functools.cache
def _torch_function() -> Any:
    import torch

    class WithDerivative(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(x: Array, forward: Forward, pushforward: Derivative, pullback: Derivative) -> Array:
            return forward(x)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Array) -> None:
            x, _, ctx.pushforward, ctx.pullback = inputs
            ctx.save_for_backward(x, output)
            ctx.save_for_forward(x, output)

        @staticmethod
        def backward(ctx: Any, dy: Array) -> tuple[Array, None, None, None]:
            x, y = ctx.saved_tensors
            return ctx.pullback(x, y, dy), None, None, None

        @staticmethod
        def jvp(ctx: Any, dx: Array, *_: None) -> Array:
            x, y = ctx.saved_tensors
            return ctx.pushforward(x, y, dx)

        @staticmethod
        def vmap(info: Any, in_dims: tuple[int | None, ...], x: Array, *rules: Any) -> tuple[Array, Any]:
            front = x if in_dims[0] is None else x.movedim(in_dims[0], 0)
            return WithDerivative.apply(front, *rules), None if in_dims[0] is None else 0

    return WithDerivative
