"""From ONNX nodes to linear layers: one function per operation, and one for all that carry no weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from onnx import defs

from .._typing import Array
from .onnx_convolutions import convolution, convolution_transpose
from .onnx_graph import Constant, Node, NotUnderstood, Walk
from .records import NO_DIAGONAL, SMALLEST, batch_norm_diagonal, floating

# Linear in their input, with weights that are not read.
UNREAD: Final = frozenset({
    "QLinearConv", "ConvInteger", "MatMulInteger", "QLinearMatMul", "DeformConv", "Einsum", "Attention",
    "RotaryEmbedding", "TfIdfVectorizer", "DFT", "STFT", "CausalConvWithState", "LinearAttention",
})  # fmt: skip

# Their bodies are walked; how often these run is not known.
REPEATED: Final = frozenset({"Loop", "Scan", "SequenceMap"})

# Take large constants without being a linear map of their other inputs by them.
SHIFTS: Final = frozenset(
    {"Add", "Sub", "Sum", "Concat", "Where", "Max", "Min", "Expand", "Tile", "ScatterND", "ScatterElements"}
)
SCALES: Final = frozenset(
    {"LayerNormalization", "InstanceNormalization", "GroupNormalization", "RMSNormalization", "PRelu"}
)


def weight_at(node: Node, index: int, axes: tuple[int, ...]) -> tuple[Constant, Array]:
    """The constant weight at an input, as an exact float array with an accepted number of axes."""
    constant = node.constant(index)
    if constant is None:
        name = node.input_name(index)
        raise NotUnderstood(f"{node.op}: its weight {name!r} is computed, not stored")
    array = floating(constant.array)
    if array is None:
        raise NotUnderstood(f"{node.op}: a weight of type {constant.array.dtype} is not read")
    if array.ndim not in axes:
        raise NotUnderstood(f"{node.op}: a weight with {array.ndim} axes is not read")
    if array.size == 0:
        raise NotUnderstood(f"{node.op}: its weight is empty")
    return constant, array


def source_of(node: Node, constant: Constant) -> str:
    """Where a layer comes from, for the report."""
    arrays = ", ".join(leaf.name for leaf in constant.leaves)
    return f"{node.op} node {node.name}, array {arrays}"


def matmul(walk: Walk, node: Node) -> None:
    """A product with a constant matrix on the right (as (in, out)) or on the left (as (out, in))."""
    left, right = node.constant(0), node.constant(1)
    if left is None and right is None:
        plain_operation(walk, node)
        return
    if left is not None and right is not None:
        raise NotUnderstood("MatMul of two constants")
    constant, array = weight_at(node, 1 if right is not None else 0, tuple(range(1, 9)))
    if array.ndim == 1:
        array = array[None, :]
    elif right is not None:
        array = np.swapaxes(array, -1, -2)
    walk.claim(constant)
    walk.layer(node.name, kind="dense", weight=array, source=source_of(node, constant))


def gemm(walk: Walk, node: Node) -> None:
    """``alpha A' B' + beta C`` with one constant factor."""
    alpha = node.number("alpha", 1.0)
    left, right = node.constant(0), node.constant(1)
    if left is None and right is None:
        plain_operation(walk, node)
        return
    if left is not None and right is not None:
        raise NotUnderstood("Gemm of two constants")
    constant, array = weight_at(node, 1 if right is not None else 0, (2,))
    # A row x of A' goes to x B', whose matrix as (out, in) is B' transposed; a column of B' goes to A' times it.
    turned = bool(node.attributes.get("transB" if right is not None else "transA", 0))
    if turned != (right is not None):
        array = array.T
    walk.claim(constant)
    walk.claim(node.constant(2), "bias: a shift")
    walk.layer(node.name, kind="dense", weight=array, scale=float(alpha), source=source_of(node, constant))


def batch_normalization(walk: Walk, node: Node) -> None:
    """At inference: a diagonal and a shift."""
    if node.attributes.get("training_mode", 0):
        raise NotUnderstood("BatchNormalization in training mode: it depends on the batch")
    if not node.attributes.get("spatial", 1):
        raise NotUnderstood("BatchNormalization with spatial=0 is not read")
    scale_constant, scale = weight_at(node, 1, (1,))
    variance_constant, variance = weight_at(node, 4, (1,))
    if scale.shape != variance.shape:
        raise NotUnderstood(f"BatchNormalization: scale {scale.shape} and variance {variance.shape} do not fit")
    folded = batch_norm_diagonal(scale, variance, node.number("epsilon", float(np.float32(1e-5))))
    if folded is None:
        raise NotUnderstood(f"BatchNormalization: {NO_DIAGONAL}")
    walk.claim(scale_constant)
    walk.claim(variance_constant)
    walk.claim(node.constant(2), "bias: a shift")
    walk.claim(node.constant(3), "running mean: a shift")
    walk.layer(node.name, kind="diagonal", weight=folded[0], relative_error=folded[1],
               source=source_of(node, Constant(scale, scale_constant.leaves + variance_constant.leaves)))  # fmt: skip


def recurrent(walk: Walk, node: Node) -> None:
    """The input matrices and the recurrent matrices of LSTM, GRU and RNN, gates stacked, one pair per direction."""
    found = []
    for index, role in ((1, "input"), (2, "recurrent")):
        constant, array = weight_at(node, index, (3,))
        found.append((role, constant, array))
    directions = found[0][2].shape[0]
    if found[1][2].shape[0] != directions:
        raise NotUnderstood(f"{node.op}: {directions} and {found[1][2].shape[0]} directions do not fit")
    for role, constant, array in found:
        walk.claim(constant)
        for direction in range(directions):
            side = "" if directions == 1 else f".{('forward', 'backward')[direction] if directions == 2 else direction}"
            walk.layer(
                f"{node.name}.{role}{side}", kind="recurrent", weight=array[direction], source=source_of(node, constant)
            )
    walk.claim(node.constant(3), "bias: a shift")
    walk.use(node, f"initial state or peephole of {node.op}")


def product(walk: Walk, node: Node) -> None:
    """A product with a constant vector is a diagonal map, unless it broadcasts the other factor."""
    constants = [node.constant(0), node.constant(1)]
    if all(c is None for c in constants) or all(c is not None for c in constants) or len(node.proto.input) != 2:
        plain_operation(walk, node)
        return
    index = 0 if constants[0] is not None else 1
    constant = constants[index]
    assert constant is not None
    if constant.array.size == 1:
        value = floating(constant.array.reshape(-1))
        text = f"{value[0]:.6g}" if value is not None else "a whole number"
        walk.operations[node.op] += 1
        walk.use(node, f"multiplies by {text}")
        return
    _, array = weight_at(node, index, tuple(range(1, 9)))
    other = node.shape(1 - index)
    notes: tuple[str, ...] = ()
    if other is None:
        notes = ("the other factor's shape is unknown: taken as not broadcast",)
    else:
        lengths = (1,) * max(array.ndim - len(other), 0) + tuple(other)
        pairs = zip(array.shape[::-1], lengths[::-1], strict=False)
        if any(n > 1 and m == 1 for n, m in pairs):
            raise NotUnderstood("Mul: the constant broadcasts the computed factor, which is no diagonal map")
        if any(n > 1 and m is None for n, m in zip(array.shape[::-1], lengths[::-1], strict=False)):
            notes = ("the other factor's length is unknown there: taken as not broadcast",)
    walk.claim(constant)
    walk.layer(node.name, kind="diagonal", weight=array.reshape(-1), source=source_of(node, constant), notes=notes)


def quotient(walk: Walk, node: Node) -> None:
    """A division by a constant vector is the product with its inverse."""
    below = node.constant(1)
    if below is None or node.constant(0) is not None:
        plain_operation(walk, node)
        return
    if below.array.size == 1:
        value = floating(below.array.reshape(-1))
        walk.operations[node.op] += 1
        walk.use(node, f"divides by {value[0]:.6g}" if value is not None else "divides by a whole number")
        return
    constant, array = weight_at(node, 1, tuple(range(1, 9)))
    other = node.shape(0)
    if (
        other is None
        or any(n > 1 and m in (1, None) for n, m in zip(array.shape[::-1], other[::-1], strict=False))
        or array.ndim > len(other)
    ):
        raise NotUnderstood("Div by a constant that may broadcast the computed operand")
    if np.any(array == 0):
        raise NotUnderstood("Div by a constant that holds zeros")
    with np.errstate(all="ignore"):
        inverse = 1.0 / array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    if np.any(np.abs(inverse) < SMALLEST) or not np.all(np.isfinite(inverse)):
        raise NotUnderstood("Div by a constant whose inverse is not in the normal range of float64")
    walk.claim(constant)
    walk.layer(
        node.name,
        kind="diagonal",
        weight=inverse.reshape(-1),
        relative_error=8 * 2.0**-53,
        source=source_of(node, constant),
    )


def gather(walk: Walk, node: Node) -> None:
    """A look-up in a stored table: an embedding, the map from one-hot vectors."""
    table = node.constant(0)
    if table is None or table.array.ndim < 2 or table.array.dtype.kind in "iub":
        plain_operation(walk, node)
        return
    if node.attributes.get("axis", 0) != 0 or table.array.ndim != 2 or node.constant(1) is not None:
        raise NotUnderstood("Gather: a look-up in a constant that is no embedding")
    constant, array = weight_at(node, 0, (2,))
    walk.claim(constant)
    walk.layer(node.name, kind="embedding", weight=array.T, source=source_of(node, constant),
               notes=("embedding: the map from one-hot vectors",))  # fmt: skip


def plain_operation(walk: Walk, node: Node) -> None:
    """Any other operation: counted where ONNX defines it and it takes no weights; else not understood."""
    if node.proto.domain not in ("", "ai.onnx") or not defs.has(node.proto.op_type):
        raise NotUnderstood(f"the operation {node.op} is not known")
    if node.op in UNREAD:
        raise NotUnderstood(f"the operation {node.op} is not read")
    if node.op in REPEATED:
        raise NotUnderstood(f"{node.op}: the layers of its body are listed; how often they are applied is not known")
    small = True
    for index in range(len(node.proto.input)):
        constant = node.constant(index)
        small &= (
            constant is None
            or constant.array.dtype.kind in "iub"
            or constant.array.ndim < 2
            or constant.array.size == 1
        )
    if not small and node.op not in SHIFTS | SCALES:
        raise NotUnderstood(f"the operation {node.op} takes a stored matrix in a way that is not read")
    walk.operations[node.op] += 1
    if node.op in ("Add", "Sub"):
        walk.use(node, "bias: a shift")
    elif node.op in SHIFTS:
        walk.use(node, f"constant of {node.op}: a shift")
    elif node.op in SCALES:
        walk.use(node, f"parameter of {node.op}, which is not linear")
    else:
        walk.use(node, f"constant of {node.op}")


HANDLERS: Final[dict[str, Callable[[Walk, Node], None]]] = {
    "Conv": convolution,
    "ConvTranspose": convolution_transpose,
    "MatMul": matmul,
    "Gemm": gemm,
    "BatchNormalization": batch_normalization,
    "LSTM": recurrent,
    "GRU": recurrent,
    "RNN": recurrent,
    "Mul": product,
    "Div": quotient,
    "Gather": gather,
}
