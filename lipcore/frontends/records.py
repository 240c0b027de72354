"""What a reader finds in a weight file: linear layers, and everything else by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from .._typing import Array, Shape

Pads = tuple[tuple[int, int], ...]

SMALLEST: Final = 2.0**-1022
"""Smallest normal float64: above it, one operation errs by a relative 2^-53."""

NO_DIAGONAL: Final = "complex numbers, a negative or infinite variance, or numbers below the normal range of float64"

KINDS: Final = ("dense", "recurrent", "embedding", "convolution", "convolution_transpose", "diagonal")


class ModelFormatError(ValueError):
    """A model file cannot be read: missing pieces, damage, an unsafe or unknown format.

    The message is one line that names the file, what is wrong with it and, where there is something, what to do.

    Examples
    --------
    >>> import lipcore as lc
    >>> try:
    ...     lc.load_weights("weights.pkl")
    ... except lc.ModelFormatError as error:
    ...     print(error)
    weights.pkl: pickled objects are not read, since loading them runs code: save the arrays as .safetensors or .npz
    """


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearLayer:
    """One linear layer of a model, as its file describes it.

    Parameters
    ----------
    name : str
        Unique in the model.
    kind : str
        One of ``"dense"``, ``"recurrent"``, ``"embedding"`` (weight ``(..., out, in)``, applied as a matrix),
        ``"convolution"`` (weight ``(C_out, C_in / groups, *k)``), ``"convolution_transpose"`` (weight
        ``(C_in, C_out / groups, *k)``, as in torch and ONNX) and ``"diagonal"`` (weight ``(n,)``).
    weight : numpy.ndarray
        float32, float64, complex64 or complex128; 16-bit floats are widened to float32, which is exact.
    source : str
        Where in the file the layer was found.
    stride, dilation : tuple of int or None
        Per spatial axis; None where the file does not say (convolutions of state dicts).
    padding : tuple of (int, int) or None
        Zeros before and after, per spatial axis; for a transposed convolution what is cut off. None where unknown.
    output_padding : tuple of int or None
        Transposed convolutions only.
    groups : int or None
        None where the file does not say.
    input_shape : tuple of int or None
        ``(C_in, *spatial)``, where known.
    scale : float
        The map is `scale` times the weight (the alpha of a Gemm), exactly.
    relative_error : float
        Each entry of `weight` may differ from the map's by this relative error (a batch normalisation's division).
    notes : tuple of str
        What was assumed, for the report.
    """

    name: str
    kind: str
    weight: Array
    source: str
    stride: Shape | None = None
    padding: Pads | None = None
    dilation: Shape | None = None
    groups: int | None = None
    output_padding: Shape | None = None
    input_shape: Shape | None = None
    scale: float = 1.0
    relative_error: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remainder:
    """A part of the file that is not reported as a linear layer, and why.

    Parameters
    ----------
    name : str
        Of the array or the node.
    reason : str
        Why it is no linear layer; one line.
    shape : tuple of int or None
        Of the array, if it is one.
    """

    name: str
    reason: str
    shape: Shape | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class ModelWeights:
    """All that a weight file holds, sorted into what the report can use and what it cannot; nothing is dropped.

    Parameters
    ----------
    path : str
        As given.
    format : str
        ``"onnx"``, ``"safetensors"``, ``"npz"`` or ``"torch"``.
    layers : tuple of LinearLayer
        In the file's order (for ONNX the graph's).
    not_linear : tuple of Remainder
        Understood, and no linear map: biases, counters, activations' parameters.
    not_understood : tuple of Remainder
        Neither: what a bound of the whole model would be missing.
    operations : mapping of str to int
        ONNX only: how often each operation without weights of its own occurs.
    """

    path: str
    format: str
    layers: tuple[LinearLayer, ...]
    not_linear: tuple[Remainder, ...] = ()
    not_understood: tuple[Remainder, ...] = ()
    operations: Mapping[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Counts, not arrays."""
        return (
            f"ModelWeights({self.path!r}, format={self.format!r}, {len(self.layers)} linear layers, "
            f"{len(self.not_linear)} not linear, {len(self.not_understood)} not understood)"
        )


class ModelOptionError(ModelFormatError):
    """`input_shape` or `geometry` does not fit the file; the message says what would."""


def one_line(error: BaseException, limit: int = 160) -> str:
    """First line of an error's message, shortened, for a message of our own."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."


def floating(array: Array) -> Array | None:
    """`array` as native float32, float64, complex64 or complex128 without any rounding; None where that cannot be."""
    dtype = array.dtype
    if dtype.name in ("bfloat16", "float16"):
        return array.astype(np.float32)
    if dtype.kind in "fc" and dtype.itemsize in ((4, 8) if dtype.kind == "f" else (8, 16)):
        return np.asarray(array, dtype=dtype.newbyteorder("="))
    return None


def batch_norm_diagonal(weight: Array | None, variance: Array, eps: float) -> tuple[Array, float] | None:
    """The diagonal ``weight / sqrt(variance + eps)`` in float64 and its relative rounding error; None where undefined.

    Notes
    -----
    Inputs convert to float64 without error. The sum of two nonnegative numbers, the root and the quotient round once
    each, by a relative u = 2^-53; the root halves the error of the sum: 2.5 u to first order, and 4 u are stated.
    """
    if any(part is not None and part.dtype.kind == "c" for part in (weight, variance)):
        return None
    total = np.asarray(variance, dtype=np.float64) + np.float64(eps)
    if not np.all(np.asarray(variance) >= 0) or not np.all(total > 0) or not np.all(np.isfinite(total)):
        return None
    numerator = np.ones_like(total) if weight is None else np.asarray(weight, dtype=np.float64)
    with np.errstate(all="ignore"):
        diagonal = numerator / np.sqrt(total)
    if np.any((np.abs(diagonal) < SMALLEST) & (numerator != 0)):
        return None
    return diagonal, 4 * 2.0**-53
