"""What losses and metrics share: reading logits, labels and numbers, and reducing to one."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .. import _backend as B
from .._typing import Array, Namespace

REDUCTIONS = ("mean", "sum", "none")


class Batch(NamedTuple):
    """Checked logits, and which of them belong to the labels."""

    xp: Namespace
    logits: Array  # in at least single precision
    positive: Array  # boolean, of the logits' shape
    valid: Array | None  # boolean, one per sample; None where every label is possible

    def of_label(self) -> Array:
        """The logit of each sample's label, shape (samples,)."""
        return self.xp.sum(self.xp.where(self.positive, self.logits, self.xp.zeros_like(self.logits)), axis=-1)

    def wrong(self) -> Array:
        """The logits with minus infinity in the label's place."""
        return self.xp.where(self.positive, self.xp.full_like(self.logits, -math.inf), self.logits)


def read_logits(logits: Array, *, classes: bool) -> tuple[Namespace, Array]:
    """The namespace, and the logits in at least single precision; with `classes` at least two for each sample."""
    xp = B.array_namespace(logits, name="logits")
    if B.dtype_name(logits.dtype) not in ("float16", "bfloat16", "float32", "float64"):
        raise TypeError(f"`logits` must be real floating, got {B.dtype_name(logits.dtype)}; cast them first")
    shape = tuple(logits.shape)
    if classes and (len(shape) != 2 or shape[1] < 2):
        raise ValueError(f"`logits` must have shape (samples, classes) with at least two classes, got {shape}")
    if not classes and len(shape) not in (1, 2):
        raise ValueError(f"`logits` must have shape (samples,) or (samples, outputs), got {shape}")
    if 0 in shape:
        raise ValueError(f"`logits` must hold at least one sample and one output, got shape {shape}")
    return xp, B.cast(logits, B.compute_dtype(xp, logits.dtype))


def read_classes(logits: Array, labels: Array) -> Batch:
    """Logits (samples, classes) with integer labels (samples,), or one-hot labels (samples, classes)."""
    xp, x = read_logits(logits, classes=True)
    kind = _label_kind(xp, labels)
    samples, classes = x.shape
    if tuple(labels.shape) == (samples,):
        if kind not in ("integer", "unsigned"):
            raise TypeError(
                f"`labels` of shape ({samples},) must be integer classes, got {B.dtype_name(labels.dtype)}; cast them, "
                f"or give one-hot labels of shape ({samples}, {classes})"
            )
        numbers = xp.arange(classes, device=B.device_of(x))
        positive = xp.expand_dims(xp.astype(labels, numbers.dtype), axis=-1) == xp.expand_dims(numbers, axis=0)
    elif tuple(labels.shape) == (samples, classes):
        positive = _is_positive(labels, kind)
    else:
        raise ValueError(
            f"`labels` must be integer classes of shape ({samples},) or one-hot of shape ({samples}, {classes}), as "
            f"the `logits` have shape {tuple(x.shape)}; got shape {tuple(labels.shape)}"
        )
    return Batch(xp, x, positive, xp.sum(xp.astype(positive, xp.int32), axis=-1) == 1)


def read_signs(logits: Array, labels: Array) -> Batch:
    """Logits (samples,) or (samples, outputs), with a label for each that is positive or not."""
    xp, x = read_logits(logits, classes=False)
    kind = _label_kind(xp, labels)
    given, wanted = tuple(labels.shape), tuple(x.shape)
    if given != wanted and not (
        given[:1] == wanted[:1] and max(len(given), len(wanted)) == 2 and _single(given, wanted)
    ):
        raise ValueError(
            f"`labels` must have the shape of the `logits`, {wanted}, got {given}; integer classes are labels of the "
            "multiclass functions"
        )
    return Batch(xp, x, xp.reshape(_is_positive(labels, kind), wanted), None)


def _single(*shapes: tuple[int, ...]) -> bool:
    """Whether all shapes are (n,) or (n, 1)."""
    return all(1 <= len(shape) <= 2 and shape[1:] in ((), (1,)) for shape in shapes)


def _label_kind(xp: Namespace, labels: Array) -> str:
    if B.array_namespace(labels, name="labels") is not xp:
        raise TypeError(f"`labels` must be an array of the library of `logits`, got {type(labels).__module__}")
    name = B.dtype_name(labels.dtype)
    for start, kind in (("bool", "boolean"), ("int", "integer"), ("uint", "unsigned"), ("float", "floating")):
        if name.startswith(start) or (name == "bfloat16" and kind == "floating"):
            return kind
    raise TypeError(f"`labels` must be boolean, integer or real floating, got {name}")


def _is_positive(labels: Array, kind: str) -> Array:
    return labels if kind == "boolean" else labels > 0


def number(value: Any, name: str, *, low: float = 0.0, high: float = math.inf, ends: str = "") -> Any:
    """A real number between `low` and `high`, either included if `ends` names it; a scalar array is taken as it is.

    The value of an array is not read: it may be traced, or wait on a device.
    """
    if B.is_array(value) and not isinstance(value, float | int):
        if tuple(value.shape) != ():
            raise ValueError(f"`{name}` must be a number or an array of shape (), got shape {tuple(value.shape)}")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{name}` must be a real number, got {type(value).__name__}")
    above = value > low or ("low" in ends and value == low)
    below = value < high or ("high" in ends and value == high)
    if not (above and below):
        interval = f"{'[' if 'low' in ends else '('}{low:g}, {high:g}{']' if 'high' in ends else ')'}"
        raise ValueError(f"`{name}` must lie in {interval}, got {value!r}")
    return float(value)


def check_reduction(reduction: str) -> None:
    """Raise where `reduction` is unknown."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"`reduction` must be one of {', '.join(map(repr, REDUCTIONS))}, got {reduction!r}")


def reduced(batch: Batch, values: Array, reduction: str) -> Array:
    """One value per sample as `reduction` says, NaN where the label is none."""
    xp = batch.xp
    check_reduction(reduction)
    if batch.valid is not None:
        values = xp.where(batch.valid, values, xp.full_like(values, math.nan))
    if reduction == "none":
        return values
    return xp.mean(values) if reduction == "mean" else xp.sum(values)


def relu(xp: Namespace, x: Array) -> Array:
    """The positive part, of derivative 0 at 0; NaN stays NaN."""
    return xp.where(x <= 0, xp.zeros_like(x), x)


def log_sum_exp(xp: Namespace, x: Array, factor: Any) -> Array:
    """``log(sum(exp(factor * x))) / factor`` along the last axis; minus infinity adds nothing, no product overflows."""
    top = B.stop_gradient(xp.max(x, axis=-1, keepdims=True))
    return xp.squeeze(top, axis=-1) + xp.log(xp.sum(xp.exp((x - top) * factor), axis=-1)) / factor


def over_outputs(xp: Namespace, values: Array) -> Array:
    """The mean over the outputs of each sample, where there are outputs."""
    return xp.mean(values, axis=-1) if values.ndim == 2 else values
