"""One layer in, its bounds out. The only place of the report that calls norms and solvers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..frontends import LinearLayer
from ..norms import Bounds, condition_number, convolution_supremum, opnorm_bounds
from ..operators import Convolution, Diagonal
from ..solvers import ConvergenceError, svds
from .unroll import column_matrices, row_matrix, spread


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to compute for each layer.

    Parameters
    ----------
    ord : {1, 2, inf, "fro"}
        The norm.
    rtol, kind, failure_probability, seed
        As in `lc.opnorm_bounds`; the seed starts a fresh generator for each layer.
    any_size : bool
        Bound convolutions over all image sizes even where the size is known.
    singular_values : int
        How many leading ones; 0 for none.
    condition : bool
        Whether to give the condition number.
    """

    ord: int | float | str = 2
    rtol: float = 1e-3
    kind: str = "auto"
    failure_probability: float = 1e-9
    seed: int = 0
    any_size: bool = False
    singular_values: int = 0
    condition: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement:
    """What was found for one layer.

    Parameters
    ----------
    layer : LinearLayer
        The layer.
    bounds : Bounds or None
        None where there are none; `failure` says why.
    failure : str or None
        One line.
    seconds : float
        Wall time of all that was asked for.
    image : tuple of int or None
        The input shape that the bounds are for; None for layers without, or for bounds over all sizes.
    singular_values : tuple of float or None
        Leading ones of the operator at `image`, descending.
    condition : Bounds or None
        Of the largest over the smallest singular value of the operator at `image`.
    notes : tuple of str
        The layer's, and what came up here.
    """

    layer: LinearLayer
    bounds: Bounds | None
    failure: str | None
    seconds: float
    image: Shape | None = None
    singular_values: tuple[float, ...] | None = None
    condition: Bounds | None = None
    notes: tuple[str, ...] = ()

    @property
    def any_size(self) -> bool:
        """Whether the bounds hold for every image size."""
        return self.image is None and self.layer.kind.startswith("convolution") and self.bounds is not None


class Unbounded(Exception):
    """There is no bound for this layer; the message says why."""


def measure(layer: LinearLayer, request: Request, put: Callable[[Array], Array]) -> Measurement:
    """Bound one layer.

    Parameters
    ----------
    layer : LinearLayer
        From `lc.load_weights`.
    request : Request
        What to compute.
    put : callable
        Puts a NumPy array on the backend (`lipcore.report.placement`).

    Returns
    -------
    Measurement
        With bounds, or with the reason why there are none: one layer's failure does not stop a report.
    """
    start = time.perf_counter()
    notes = list(layer.notes)
    operator, image, bounds, failure = None, None, None, None
    try:
        if not np.all(np.isfinite(layer.weight)):
            raise Unbounded("the weights hold NaN or infinity")
        operator, image = operator_of(layer, request, put, notes)
        bounds = bounds_of(layer, operator, request, put)
    except (Unbounded, ValueError, ArithmeticError, MemoryError) as error:
        failure = " ".join(str(error).split()) or type(error).__name__
    values = condition = None
    if bounds is not None and (request.singular_values or request.condition):
        if operator is None:
            notes.append("singular values are those of one image size, which is unknown")
        else:
            values, condition = extras(layer, operator, request, notes)
    return Measurement(
        layer=layer,
        bounds=bounds,
        failure=failure,
        seconds=time.perf_counter() - start,
        image=image,
        singular_values=values,
        condition=condition,
        notes=tuple(notes),
    )


def operator_of(
    layer: LinearLayer, request: Request, put: Callable[[Array], Array], notes: list[str]
) -> tuple[Any, Shape | None]:
    """The layer as operator or array, and its input shape; None for a convolution of unknown or of any image size."""
    if layer.kind == "diagonal":  # no work to speak of: stays in float64 on the host whatever the backend has
        return Diagonal(layer.weight), None
    if not layer.kind.startswith("convolution"):
        weight = layer.weight
        return put(weight.reshape(-1, weight.shape[-1]) if request.ord == "fro" else weight), None
    if (
        request.any_size
        or layer.input_shape is None
        or layer.padding is None
        or layer.stride is None
        or layer.dilation is None
    ):
        return None, None
    transposed = layer.kind == "convolution_transpose"
    shape = transposed_output(layer) if transposed else layer.input_shape
    if shape is None:
        notes.append("output_padding of a stride or more: bounds are over all image sizes")
        return None, None
    options: dict[str, Any] = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
    }
    convolution = Convolution(put(layer.weight), shape, **options)
    return (convolution.H if transposed else convolution), layer.input_shape


def transposed_output(layer: LinearLayer) -> Shape | None:
    """(C_out, *spatial) of a transposed convolution, if it is the adjoint of the convolution from there."""
    assert layer.input_shape
    assert layer.stride
    assert layer.dilation
    assert layer.padding
    extra = layer.output_padding or (0,) * len(layer.stride)
    if any(e >= s for e, s in zip(extra, layer.stride, strict=True)):
        return None
    lengths = [
        s * (n - 1) + d * (k - 1) + 1 + e - before - after
        for n, s, d, k, e, (before, after) in zip(
            layer.input_shape[1:],
            layer.stride,
            layer.dilation,
            layer.weight.shape[2:],
            extra,
            layer.padding,
            strict=True,
        )
    ]
    if min(lengths) < 1:
        raise Unbounded(f"its output would have the lengths {tuple(lengths)}")
    return (layer.weight.shape[1] * (layer.groups or 1), *lengths)


def bounds_of(layer: LinearLayer, operator: Any, request: Request, put: Callable[[Array], Array]) -> Bounds:
    """Bounds of the layer, its scale and its own rounding included."""
    if operator is None:
        bounds = all_sizes(layer, request, put)
    else:
        bounds = opnorm_bounds(
            operator,
            request.ord,
            rtol=request.rtol,
            kind=request.kind,
            failure_probability=request.failure_probability,
            rng=request.seed,
        )
    if bounds.batch_shape:
        bounds = bounds.max()
    if layer.scale != 1:
        bounds = bounds * layer.scale
    if layer.relative_error:
        bounds = bounds * Bounds(1 - layer.relative_error, 1 + layer.relative_error, "rigorous", ord=request.ord)
    return bounds


def all_sizes(layer: LinearLayer, request: Request, put: Callable[[Array], Array]) -> Bounds:
    """Bounds of a convolution's largest norm over all image sizes."""
    axes = layer.weight.ndim - 2
    stride, dilation = layer.stride or (1,) * axes, layer.dilation or (1,) * axes
    groups = layer.groups or 1
    order = request.ord
    if order == "fro":
        raise Unbounded("the Frobenius norm of a convolution grows with the image: give its size with --input-shape")
    if order == 2:
        kernel = spread(layer.weight, stride, dilation)
        return convolution_supremum(put(kernel), stride=stride, groups=groups, rtol=request.rtol)
    # A transposed convolution is the transpose of the one with the same array, and transposing swaps the two norms.
    rows = (order == math.inf) != (layer.kind == "convolution_transpose")
    norm = math.inf if rows else 1
    matrices = [row_matrix(layer.weight)] if rows else list(column_matrices(layer.weight, stride, dilation, groups))
    found = [opnorm_bounds(np.ascontiguousarray(matrix), norm, kind=request.kind) for matrix in matrices]
    largest = found[0].maximum(*found[1:])
    return Bounds(
        largest.lower, largest.upper, largest.kind, largest.failure_probability, order, converged=largest.converged
    )


def extras(
    layer: LinearLayer, operator: Any, request: Request, notes: list[str]
) -> tuple[tuple[float, ...] | None, Bounds | None]:
    """Leading singular values and the condition number, as asked for; what fails is noted."""
    values = condition = None
    if layer.weight.ndim > 2 and not layer.kind.startswith("convolution"):
        notes.append("a stack of matrices: its singular values are not listed")
        return None, None
    if request.singular_values:
        count = min(request.singular_values, *operator.shape[-2:])
        try:
            found = svds(operator, k=count, tol=request.rtol * 1e-2, rng=request.seed, return_singular_vectors=False)
            values = tuple(abs(layer.scale) * float(v) for v in B.to_numpy(found))
        except ConvergenceError as error:
            notes.append(f"singular values: {' '.join(str(error).split())}")
    if request.condition:
        try:
            condition = condition_number(operator, rtol=request.rtol, rng=request.seed)
        except (ConvergenceError, ValueError) as error:
            notes.append(f"condition number: {' '.join(str(error).split())}")
    return values, condition
