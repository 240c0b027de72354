"""Conv and ConvTranspose nodes: kernel, strides, paddings in all their spellings, and the size of the image."""

from __future__ import annotations

from .._typing import Array, Shape
from .onnx_graph import Constant, Node, NotUnderstood, Walk
from .records import Pads, floating

UNKNOWN_SIZE = "image size unknown: bounds are over all image sizes"


def kernel_of(node: Node) -> tuple[Constant, Array]:
    """The stored kernel, checked against the node's attributes."""
    constant = node.constant(1)
    if constant is None:
        raise NotUnderstood(f"{node.op}: its kernel {node.input_name(1)!r} is computed, not stored")
    kernel = floating(constant.array)
    if kernel is None:
        raise NotUnderstood(f"{node.op}: a kernel of type {constant.array.dtype} is not read")
    if not 3 <= kernel.ndim <= 5:
        raise NotUnderstood(f"{node.op}: a kernel with {kernel.ndim} axes is not read; 3 to 5 are")
    if kernel.size == 0:
        raise NotUnderstood(f"{node.op}: its kernel is empty")
    stated = node.attributes.get("kernel_shape")
    if stated is not None and stated != list(kernel.shape[2:]):
        raise NotUnderstood(f"{node.op}: kernel_shape {stated} contradicts the stored kernel {kernel.shape}")
    return constant, kernel


def groups_of(node: Node, kernel: Array) -> int:
    """The group attribute, which must divide the kernel's first axis."""
    group = node.attributes.get("group", 1)
    if not isinstance(group, int) or group < 1 or kernel.shape[0] % group:
        raise NotUnderstood(f"{node.op}: group={group!r} does not divide {kernel.shape[0]} channels")
    return group


def positive(node: Node, key: str, axes: int) -> Shape:
    """Strides or dilations."""
    values = node.integers(key, axes, 1)
    if min(values) < 1:
        raise NotUnderstood(f"{node.op}: {key} {values} must be positive")
    return values


def image_of(node: Node, channels: int, axes: int) -> Shape | None:
    """(C_in, *spatial) of the input, None where a length is unknown."""
    shape = node.shape(0)
    if shape is None:
        return None
    if len(shape) != axes + 2:
        raise NotUnderstood(
            f"{node.op}: an input with {len(shape)} axes does not fit the kernel, which needs {axes + 2}"
        )
    if shape[1] is not None and shape[1] != channels:
        raise NotUnderstood(
            f"{node.op}: an input with {shape[1]} channels does not fit the kernel, which needs {channels}"
        )
    spatial = [n for n in shape[2:] if n is not None]
    return (channels, *spatial) if len(spatial) == axes else None


def explicit_pads(node: Node, axes: int) -> Pads:
    """The pads attribute: all begins, then all ends."""
    pads = node.integers("pads", 2 * axes, 0)
    if min(pads) < 0:
        raise NotUnderstood(f"{node.op}: negative pads {pads} are not read")
    return tuple((pads[i], pads[axes + i]) for i in range(axes))


def auto_pad_of(node: Node) -> str:
    """NOTSET, VALID, SAME_UPPER or SAME_LOWER."""
    value = node.attributes.get("auto_pad", b"NOTSET")
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    if text not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise NotUnderstood(f"{node.op}: auto_pad={text!r} is not known")
    return text


def halves(total: int, more_at_start: bool) -> tuple[int, int]:
    """Split a padding; an odd one is larger on one side."""
    small = total // 2
    return (total - small, small) if more_at_start else (small, total - small)


def convolution(walk: Walk, node: Node) -> None:
    """A Conv node with a stored kernel."""
    constant, kernel = kernel_of(node)
    axes = kernel.ndim - 2
    groups = groups_of(node, kernel)
    stride, dilation = positive(node, "strides", axes), positive(node, "dilations", axes)
    image = image_of(node, kernel.shape[1] * groups, axes)
    auto = auto_pad_of(node)
    pads: Pads | None
    if auto == "NOTSET":
        pads = explicit_pads(node, axes)
    elif auto == "VALID":
        pads = ((0, 0),) * axes
    elif image is None:
        pads = None
    else:
        spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[2:], strict=True)]
        totals = [max((-(-n // s) - 1) * s + span - n, 0) for n, s, span in zip(image[1:], stride, spans, strict=True)]
        pads = tuple(halves(t, auto == "SAME_LOWER") for t in totals)
    finish(walk, node, constant, kernel, "convolution", stride, pads, dilation, groups, None, image)


def convolution_transpose(walk: Walk, node: Node) -> None:
    """A ConvTranspose node with a stored kernel; its pads are what is cut off the output."""
    constant, kernel = kernel_of(node)
    axes = kernel.ndim - 2
    groups = groups_of(node, kernel)
    stride, dilation = positive(node, "strides", axes), positive(node, "dilations", axes)
    image = image_of(node, kernel.shape[0], axes)
    extra = node.integers("output_padding", axes, 0)
    if min(extra) < 0:
        raise NotUnderstood(f"{node.op}: negative output_padding {extra}")
    auto = auto_pad_of(node)
    wanted = node.attributes.get("output_shape")
    pads: Pads | None
    if wanted is None and auto in ("NOTSET", "VALID"):
        pads = explicit_pads(node, axes) if auto == "NOTSET" else ((0, 0),) * axes
    elif image is None:
        pads = None
    else:
        spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[2:], strict=True)]
        if wanted is not None:
            sizes = node.integers("output_shape", len(wanted) if isinstance(wanted, list) else axes, 0)[-axes:]
            if len(sizes) != axes:
                raise NotUnderstood(f"{node.op}: output_shape {wanted} does not fit {axes} spatial axes")
        else:
            sizes = tuple(n * s for n, s in zip(image[1:], stride, strict=True))
        totals = [
            s * (n - 1) + e + span - size
            for s, n, e, span, size in zip(stride, image[1:], extra, spans, sizes, strict=True)
        ]
        if min(totals) < 0:
            raise NotUnderstood(f"{node.op}: an output of {sizes} is larger than the kernel reaches")
        pads = tuple(halves(t, auto != "SAME_UPPER") for t in totals)
    finish(walk, node, constant, kernel, "convolution_transpose", stride, pads, dilation, groups, extra, image)


def finish(
    walk: Walk,
    node: Node,
    constant: Constant,
    kernel: Array,
    kind: str,
    stride: Shape,
    pads: Pads | None,
    dilation: Shape,
    groups: int,
    extra: Shape | None,
    image: Shape | None,
) -> None:
    """Append the layer and account for its arrays."""
    walk.claim(constant)
    walk.claim(node.constant(2), "bias: a shift")
    arrays = ", ".join(leaf.name for leaf in constant.leaves)
    walk.layer(
        node.name,
        kind=kind,
        weight=kernel,
        source=f"{node.op} node {node.name}, array {arrays}",
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=groups,
        output_padding=extra,
        input_shape=image,
        notes=() if image is not None else (UNKNOWN_SIZE,),
    )
