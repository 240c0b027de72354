"""A plain network constrained in one call, and back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from ..._typing import Array
from .constrained import CONVOLUTIONS, TRANSPOSED, checked_lipschitz, constrain_weight

# Parameters that cannot be constrained, of modules whose constants are known from their numbers all the same.
_LEFT_ALONE = (
    nn.modules.batchnorm._BatchNorm,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.PReLU,
)


def constrain(
    model: nn.Module,
    method: str = "bjorck",
    *,
    lipschitz: float = 1.0,
    skip: Collection[str] = (),
    **options: Any,
) -> nn.Module:
    r"""Constrain the weights of every linear and convolutional layer of a network.

    Parameters
    ----------
    model : Module
        A plain network; it is changed in place.
    method : str, default "bjorck"
        How weights are made, one of `methods()`.
    lipschitz : float, default 1.0
        Of the network where it is a chain of 1-Lipschitz modules and the n constrained ones: each of these is made
        ``lipschitz ** (1 / n)``-Lipschitz.
    skip : collection of str
        Names, as in ``model.named_modules()``, of modules that stay as they are, with all that is below them.
    **options
        Of the construction.

    Returns
    -------
    Module
        `model`.

    Raises
    ------
    ValueError
        If there is nothing to constrain, a name in `skip` is not there, a layer has an option that the construction
        does not know, or the network holds a module with parameters of another kind. It is then as it was.

    Notes
    -----
    Layers that are constrained already stay as they are. Nothing else is changed: whether the rest of the network is
    1-Lipschitz is for `certify` to say.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> plain = lt.export(lt.constrain(net, "frobenius"))
    >>> lt.certify(plain, (4,)).bounds.upper < 1.0001
    True
    """
    checked_lipschitz(lipschitz)
    chosen = _chosen(model, skip)
    if not chosen:
        raise ValueError("`model` has no linear or convolutional layer to constrain")
    done: list[nn.Module] = []
    try:
        for name, module in chosen:
            with _named(name):
                constrain_weight(module, method, lipschitz=lipschitz ** (1 / len(chosen)), **options)
            done.append(module)
    except Exception:
        for module in done:
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
        raise
    return model


def export(model: nn.Module) -> nn.Module:
    r"""A plain copy of a constrained network, with the same weights bit for bit.

    Parameters
    ----------
    model : Module
        With any parametrizations. It stays as it is, whatever its mode.

    Returns
    -------
    Module
        A copy in evaluation mode, whose weights are ordinary parameters, equal to those that `model` has in evaluation
        mode. No forward pass is needed first. Constrained layers become those of torch.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.FrobeniusLinear(4, 2)
    >>> plain = lt.export(layer)
    >>> type(plain).__name__, torch.equal(plain.weight, layer.eval().weight)
    ('Linear', True)
    """
    model = copy.deepcopy(model).eval()
    parametrized = [module for module in model.modules() if parametrize.is_parametrized(module)]
    values = [_tensors(module) for module in parametrized]  # all of them before any is changed: weights may be shared
    for module, tensors in zip(parametrized, values, strict=True):
        # `remove_parametrizations` would take the properties from the class, which copies share with the model
        module.__class__ = parametrize.type_before_parametrizations(module)
        del module._modules["parametrizations"]
        for name, value in tensors.items():
            module.__dict__.pop(name, None)
            if isinstance(value, nn.Parameter):
                module.register_parameter(name, value)
            else:
                module.register_buffer(name, value)
    for module in model.modules():
        plain = getattr(type(module), "plain", None)
        if plain is not None:
            plain(module)
    return model


def _tensors(module: Any) -> dict[str, Array]:
    """The constrained tensors of one module: parameters where what they are made of are, else buffers."""
    found = {}
    for name, chain in module.parametrizations.items():
        value = getattr(module, name).detach().clone()
        originals = list(chain.parameters(recurse=False))
        learned = any(p.requires_grad for p in originals)
        found[name] = nn.Parameter(value, requires_grad=learned) if originals else value
    return found


def become(kind: type, *extra: str) -> Callable[[nn.Module], None]:
    """How a module that only adds a constraint to `kind` is turned into it: its class, less the attributes `extra`."""

    def turn(module: nn.Module) -> None:
        for name in extra:
            module.__dict__.pop(name, None)
        module.__class__ = kind

    return turn


def _chosen(model: nn.Module, skip: Collection[str]) -> list[tuple[str, nn.Module]]:
    names = dict(model.named_modules())
    missing = [name for name in skip if name not in names]
    if missing:
        raise ValueError(f"`skip` names modules that are not in the model: {', '.join(missing)}")
    below = tuple(f"{name}." for name in skip)
    chosen = []
    for name, module in names.items():
        if name in skip or (below and name.startswith(below)):
            continue
        if "parametrizations" in name.split(".") or parametrize.is_parametrized(module, "weight"):
            continue
        if isinstance(module, (nn.Linear, *CONVOLUTIONS, *TRANSPOSED)):
            chosen.append((name, module))
        elif _has_free_weights(module):
            raise ValueError(
                f"`model` holds the module {name!r}, a {type(module).__name__}, whose parameters cannot be "
                f"constrained; leave it as it is with skip=[{name!r}]"
            )
    return chosen


def _has_free_weights(module: nn.Module) -> bool:
    if isinstance(module, _LEFT_ALONE) or hasattr(module, "as_layer"):
        return False
    return any(True for _ in module.parameters(recurse=False))


class _named:
    """Errors say which module of the network they are about."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, ValueError):
            raise ValueError(f"module {self.name!r}: {error}") from error


__all__ = ["become", "constrain", "export"]
