"""What a trained network is certified to, whatever its construction promised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...layers.base import Ord
from .._certify import Certificate, certificate, guaranteed
from .export import export
from .graph import Graph
from .read import read


def certify(model: Any, input_shape: Sequence[int] | None = None, *, ord: Ord = 2, rtol: float = 1e-5) -> Certificate:
    r"""Lipschitz constants of a network from its numbers alone.

    Parameters
    ----------
    model : Sequential, functional Model of one input and one output, or one layer
        Constrained or plain, and built. A constrained one is exported first; it stays as it is.
    input_shape : sequence of int, optional
        Shape of one sample, without the batch, in the layout of the model; that of the model by default.
    ord : {2, 1, inf}
        Norm of inputs and outputs.
    rtol : float
        Relative width that is asked for in the constants of dense layers and convolutions; where it is not reached
        they are as true, only wider.

    Returns
    -------
    Certificate
        Constants of the layers and their product; its `network` is made of lipcore layers over NumPy arrays, and takes
        samples in the layout of the model.

    Raises
    ------
    TypeError
        For a layer or a model that is not known, by its name.
    ValueError
        If the shape of a sample is neither given nor known.
    lipcore.layers.UnboundedError
        A ValueError: for a layer that has no finite constant.

    Notes
    -----
    The exported weights are read into `lipcore.layers`, whose constants are computed from the stored numbers. No
    construction is relied upon: a weight that was changed, or a construction with a mistake, shows in the constant.
    Convolutions have the constant that holds for every image size, unless their padding is circular. Functional models
    are followed along their graph: values on which all that follows depends divide it into parts, whose constants are
    multiplied; within a part that branches, constants of branches are added where they are joined by Add, Average or
    Subtract, and the roots of their sums of squares taken where by Concatenate (in the 2-norm; see
    `lipcore.layers.Layer.constant_after`). ``x + y``, ``0.5 * x`` and their like are known, other operations on tensors
    are not. The constants are those of the network in real
    arithmetic with the weights as stored: the rounding of a forward pass, and of the weights in mixed precision, comes
    on top.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((4,)), lk.FrobeniusDense(8), lk.GroupSort2(), lk.FrobeniusDense(2)])
    >>> found = lk.certify(model)
    >>> found.bounds.kind, found.bounds.upper < 1.0001
    ('rigorous', True)
    """
    shape = _shape(model, input_shape)
    parts = read(export(model), shape)
    for _, part in parts:
        if isinstance(part, Graph):
            part.rtol = rtol
    return certificate(parts, shape, ord=ord, rtol=rtol)


def guarantee(model: Any, input_shape: Sequence[int] | None = None) -> dict[str, Any]:
    r"""Options of `lipcore.nn.metrics` with which a network's certificates are proved, from its numbers alone.

    Parameters
    ----------
    model, input_shape
        As for `certify`. If the last layer is dense, without an activation, differences of logits are bounded pair by
        pair.

    Returns
    -------
    dict
        `lipschitz` and `guarantee`, for ``lipcore.nn.metrics.certificates(logits, labels, **options)`` and its
        averages, with logits as NumPy arrays.

    Notes
    -----
    With features of constant L and last weights w, the difference of two logits has the constant
    :math:`\|w_i - w_j\| L`, never more than the product of all constants times :math:`\sqrt2`.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> import lipcore as lc
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((4,)), lk.FrobeniusDense(8), lk.GroupSort2(), lk.FrobeniusDense(3)])
    >>> options = lk.guarantee(model)
    >>> logits = model.predict(np.ones((2, 4), dtype="float32"), verbose=0)
    >>> proved = lc.nn.metrics.certified_accuracy(logits, np.array([0, 0]), 0.1, **options)
    >>> bool(0 <= proved <= 1)
    True
    """
    shape = _shape(model, input_shape)
    return guaranteed(read(export(model), shape), shape)


def _shape(model: Any, given: Sequence[int] | None) -> tuple[int, ...]:
    if given is not None:
        return tuple(int(n) for n in given)
    known = getattr(model, "input_shape", None) or model.get_build_config()["input_shape"]
    if not isinstance(known, tuple) or any(not isinstance(n, int) for n in known[1:]):
        raise ValueError(f"`input_shape` must be given where the model does not know it, got a model with {known}")
    return known[1:]


__all__ = ["Certificate", "certify", "guarantee"]
