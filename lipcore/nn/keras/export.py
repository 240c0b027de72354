"""A constrained network as one of plain Keras layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from ._layer import Exported


def export(model: Any) -> Any:
    r"""A plain copy of a constrained network, whose weights are the constrained ones bit for bit.

    Parameters
    ----------
    model : Sequential or functional Model, or one layer
        With any layers, built. It stays as it is.

    Returns
    -------
    Model or Layer
        A copy in which constrained layers are those of Keras, ``keras.layers.Dense`` and so on, with the kernels that
        the constrained ones use. No forward pass is needed first. Layers without a constraint are copied.

    Raises
    ------
    TypeError
        For a subclass of Model with a `call` of its own.
    ValueError
        For what is not built.

    Examples
    --------
    >>> import keras
    >>> import lipcore.nn.keras as lk
    >>> model = keras.Sequential([keras.Input((4,)), lk.SpectralDense(8), lk.GroupSort2(), lk.FrobeniusDense(2)])
    >>> [type(layer).__name__ for layer in lk.export(model).layers]
    ['Dense', 'GroupSort2', 'Dense']
    """
    if not getattr(model, "built", False):
        raise ValueError(f"`model` {getattr(model, 'name', model)!r} is not built: give it an Input, build or call it")
    if not isinstance(model, keras.Model):
        copy = _plain(model)
        copy.build(model.get_build_config()["input_shape"])
        _fill(copy, model)
        return copy
    if not is_network(model):
        raise TypeError(
            f"`model` is a {type(model).__name__} with a `call` of its own, which cannot be copied: export "
            "its layers, or build it from Sequential or Input and Model"
        )
    copy = keras.models.clone_model(model, clone_function=_plain, recursive=True)
    for new, old in zip(_leaves(copy), _leaves(model), strict=True):
        _fill(new, old)
    return copy


def vanilla_export(model: Any) -> Any:
    """A plain copy with the same weights, by the name that deel-lip gives it; see `export`.

    Parameters
    ----------
    model : Model or Layer
        With any layers, built. It stays as it is.

    Returns
    -------
    Model or Layer
        Of plain layers of Keras.

    Examples
    --------
    >>> import lipcore.nn.keras as lk
    >>> layer = lk.SpectralDense(2)
    >>> layer.build((None, 4))
    >>> type(lk.vanilla_export(layer)).__name__
    'Dense'
    """
    return export(model)


def is_network(model: Any) -> bool:
    """Whether a model is made of its layers alone."""
    return isinstance(model, keras.Sequential) or type(model).__name__ == "Functional"


def _plain(layer: Any) -> Any:
    if isinstance(layer, Exported):
        return layer.plain_class.from_config(layer.plain_config())  # type: ignore[attr-defined]
    return type(layer).from_config(layer.get_config())


def _fill(new: Any, old: Any) -> None:
    new.set_weights(old.plain_weights() if isinstance(old, Exported) else old.get_weights())
    new.trainable = old.trainable


def _leaves(model: Any) -> Iterator[Any]:
    """All layers, nested ones one by one."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer
