"""What an array's name, type and number of axes say about it, in files that hold nothing else."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from .._typing import Array

# (scale, shift, mean, variance, epsilon): torch's names and Keras's, with the epsilon that each takes by default.
BATCH_NORMS = (
    ("weight", "bias", "running_mean", "running_var", 1e-5),
    ("gamma", "beta", "moving_mean", "moving_variance", 1e-3),
    ("scale", "bias", "mean", "var", 1e-5),
)
BIAS = re.compile(r"bias|^beta$|^b$")
COMPUTED = re.compile(r"^(weight_g|weight_v|weight_orig|weight_u)$|^parametrizations\.")
NORM = re.compile(
    r"^(.*(layer|group|instance|rms|batch)_?norm\w*|norm\d*|\w+_norm\d*|ln(_\w+|\d*)|bn\d*|gn\d*|\w+_(bn|ln)\d*)$", re.I
)
EMBEDDING = re.compile(r"embed|^(wte|wpe|emb\w*|\w+_emb)$", re.I)
LEARNED_INPUT = re.compile(
    r"(^|[._/])(pos_emb\w*|position\w*|cls_token|class_token|mask_token|query_tokens?|register_tokens?)$", re.I
)
RECURRENT = re.compile(r"^(weight_(ih|hh|hr)(_l\d+)?(_reverse)?|recurrent_kernel)$")
OPTIMISER = re.compile(r"^(optim\w*|opt_state|(lr_)?scheduler\w*)[./]", re.I)
STRIP = ("weight", "kernel", "embedding", "embeddings")


def split(name: str) -> tuple[str, str]:
    """Prefix and last part of a dotted or slashed name (Keras ends names with ":0")."""
    name = name.removesuffix(":0")
    cut = max(name.rfind("."), name.rfind("/"))
    return name[: max(cut, 0)], name[cut + 1 :]


def fit_together(variance: Any, mean: Any, scale: Any) -> bool:
    """Whether arrays can be the statistics and the scale of one batch normalisation."""
    present = [part for part in (variance, mean, scale) if part is not None]
    return all(isinstance(p, np.ndarray) and p.ndim == 1 and p.size > 0 and p.dtype.kind == "f" for p in present) and (
        len({p.shape for p in present}) == 1
    )


def why_no_map(name: str, array: Array) -> tuple[bool, str | None]:
    """(understood, reason) for an array that is no linear map; the reason is None for one that is."""
    prefix, last = split(name)
    module = split(prefix)[1]
    if OPTIMISER.match(name):
        return True, "state of an optimiser"
    if array.size == 0:
        return False, "an empty array"
    if array.dtype.kind in "iub":
        if array.dtype.itemsize == 1 and array.dtype.kind != "b" and array.ndim >= 2:
            return False, f"type {array.dtype}: a quantised weight, whose scale the name does not tell"
        return True, "integers: a counter or an index"
    if BIAS.search(last) and not EMBEDDING.search(last):
        return True, "bias: a shift"
    if last in ("running_mean", "moving_mean"):
        return True, "running mean: a shift"
    if COMPUTED.match(last) or "parametrizations." in name:
        return False, "the weight is computed from this and other arrays: save the model with the computed weight"
    if LEARNED_INPUT.search(name) and (array.ndim < 2 or array.shape[0] == 1):
        return True, "a learned input: a shift"
    if last in ("weight", "scale", "gamma") and NORM.match(module):
        return True, "scale of a normalisation, which is not linear"
    if array.ndim == 0 or (array.size == 1 and array.ndim == 1):
        return True, "a single number"
    if array.ndim == 1:
        return False, "one axis: a bias, a scale or a parameter of an activation; the file does not say which"
    if array.ndim > 5:
        return False, f"{array.ndim} axes: no layer that is known"
    return True, None
