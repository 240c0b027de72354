"""Weights that reach their layer through harmless nodes: transposed, reshaped, sliced, joined, cast, dequantised."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from .._typing import Array
from .onnx_graph import Budget, Constant, Node

VIEWS = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice")
COPIES = ("Cast", "DequantizeLinear", "Concat")

# Bytes of copies per byte stored, beyond the first so many: a chain of doublings stays small.
FREE_BYTES = 2**24
COPIES_PER_BYTE = 16


def fold(node: Node, budget: Budget) -> Constant | None:
    """The constant that a node makes of constants, or None where it is not one of the harmless kind.

    Parameters
    ----------
    node : Node
        Any node.
    budget : Budget
        Bytes of the arrays stored and copied so far; a small file cannot ask for a large array.

    Returns
    -------
    Constant or None
        The folded array with the stored arrays behind it.

    Notes
    -----
    A cast to a narrower type rounds, as the network itself does: the rounded numbers are its weights. Integers of 8
    and 16 bits with a float32 scale are dequantised in float64, where the product is exact.
    """
    if node.op not in VIEWS + COPIES or not node.proto.output:
        return None
    first = node.constant(0)
    if first is None:
        return None
    parts = [node.constant(i) for i in range(1, len(node.proto.input)) if node.input_name(i)]
    if any(part is None for part in parts):
        return None
    rest = [part for part in parts if part is not None]
    if node.op in VIEWS and any(part.array.dtype.kind not in "iu" for part in rest):
        return None  # shapes, axes and ranges are integers
    size = first.array.size + sum(part.array.size for part in rest)
    if node.op in COPIES and budget.copied + 8 * size > FREE_BYTES + COPIES_PER_BYTE * budget.stored:
        return None
    try:
        array = evaluate(node, first.array, [part.array for part in rest])
    except (ValueError, TypeError, IndexError, OverflowError, KeyError):
        return None
    if array is None:
        return None
    if node.op in COPIES:
        budget.copied += array.nbytes
    return Constant(array, first.leaves + tuple(leaf for part in rest for leaf in part.leaves))


def evaluate(node: Node, array: Array, rest: list[Array]) -> Array | None:
    """Do one operation of `VIEWS` or `COPIES`."""
    attributes = node.attributes
    if node.op == "Identity":
        return array
    if node.op == "Transpose":
        return np.transpose(array, attributes.get("perm"))
    if node.op == "Flatten":
        axis = attributes.get("axis", 1) % (array.ndim + 1)
        return array.reshape(int(np.prod(array.shape[:axis])), -1)
    if node.op == "Cast":
        target = helper.tensor_dtype_to_np_dtype(attributes["to"])
        if array.dtype.kind == "c" and target.kind != "c":
            return None
        with np.errstate(all="ignore"):
            return array.astype(target)
    if node.op == "Reshape":
        wanted = [int(n) for n in (rest[0] if rest else attributes["shape"])]
        if not attributes.get("allowzero", 0):
            wanted = [array.shape[i] if n == 0 else n for i, n in enumerate(wanted)]
        return array.reshape(wanted)
    if node.op in ("Squeeze", "Unsqueeze"):
        axes: Any = [int(n) for n in rest[0].reshape(-1)] if rest else attributes.get("axes")
        if node.op == "Unsqueeze":
            return np.expand_dims(array, tuple(axes))
        return np.squeeze(array, tuple(axes) if axes is not None else None)
    if node.op == "Slice":
        return cut(array, rest, attributes)
    if node.op == "Concat":
        return np.concatenate([array, *rest], axis=attributes["axis"])
    return dequantise(array, rest, attributes)


def cut(array: Array, rest: list[Array], attributes: dict[str, Any]) -> Array:
    """Slice, its ranges as inputs or, in old files, as attributes."""
    if rest:
        starts, ends = (part.reshape(-1).tolist() for part in rest[:2])
        axes = rest[2].reshape(-1).tolist() if len(rest) > 2 else list(range(len(starts)))
        steps = rest[3].reshape(-1).tolist() if len(rest) > 3 else [1] * len(starts)
    else:
        starts, ends = attributes["starts"], attributes["ends"]
        axes = attributes.get("axes", list(range(len(starts))))
        steps = [1] * len(starts)
    index = [slice(None)] * array.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # A backward slice ends past the first element at any end below -length; Python says None for that.
        index[axis] = slice(start, end if end >= -array.shape[axis] or step > 0 else None, step)
    return array[tuple(index)]


def dequantise(array: Array, rest: list[Array], attributes: dict[str, Any]) -> Array | None:
    """(q - zero point) * scale, for one scale or one per index of an axis."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize > 2 or attributes.get("block_size", 0):
        return None
    scale = rest[0]
    zero = rest[1] if len(rest) > 1 else np.zeros_like(scale, dtype=np.int64)
    if scale.dtype != np.float32 or scale.ndim > 1 or scale.shape != zero.shape:
        return None
    if scale.ndim == 1:
        axis = attributes.get("axis", 1)
        around = [1] * array.ndim
        around[axis] = scale.size
        scale, zero = scale.reshape(around), zero.reshape(around)
    return (array.astype(np.float64) - zero.astype(np.float64)) * scale.astype(np.float64)
