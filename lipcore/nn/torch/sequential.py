"""Modules in a row with one constant, and what becomes of a trained network."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from ..._typing import Array
from ...layers.composite import bare
from ...norms import Bounds, opnorm_bounds
from .certify import certify
from .constrain import become, export
from .constrained import checked_lipschitz, constraints


class Sequential(nn.Sequential):
    r"""Modules one after the other with a constant for the whole: torchlip's ``Sequential``.

    Parameters
    ----------
    *modules : Module
        As for ``torch.nn.Sequential``.
    k_coef_lip : float
        The constants of the n constrained layers among the modules, and below them, are multiplied by
        ``k_coef_lip ** (1 / n)``.

    Raises
    ------
    ValueError
        If `k_coef_lip` is not positive, or not 1 where there is nothing to multiply.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> net = lt.Sequential(lt.SpectralLinear(4, 8), lt.GroupSort2(), lt.SpectralLinear(8, 2), k_coef_lip=4.0)
    >>> bounds = lt.certify(net, (4,)).bounds
    >>> 3.99 < bounds.upper < 4.01
    True
    >>> type(net.vanilla_export()[0]).__name__
    'Linear'
    """

    plain = staticmethod(become(nn.Sequential))

    def __init__(self, *modules: Any, k_coef_lip: float = 1.0) -> None:
        super().__init__(*modules)
        found = constraints(self)
        if checked_lipschitz(k_coef_lip) != 1.0 and not found:
            raise ValueError(f"`k_coef_lip` must be 1 where no layer is constrained, got {k_coef_lip!r}")
        for constraint in found:
            constraint.lipschitz *= k_coef_lip ** (1 / len(found))

    def vanilla_export(self) -> nn.Module:
        """A plain copy with the same weights; see `export`."""
        return export(self)


def vanilla_export(model: nn.Module) -> nn.Module:
    """A plain copy with the same weights, by the name that deel-lip gives it; see `export`.

    Parameters
    ----------
    model : Module
        With any parametrizations; it stays as it is.

    Returns
    -------
    Module

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> type(lt.vanilla_export(lt.SpectralLinear(4, 2))).__name__
    'Linear'
    """
    return export(model)


def evaluate_lip_const(model: nn.Module, x: Array) -> Bounds:
    r"""Enclosure of a network's Lipschitz constant in the 2-norm.

    Parameters
    ----------
    model : Module
        Constrained or plain.
    x : tensor, shape (samples, ...)
        Points at which Jacobians are looked at.

    Returns
    -------
    Bounds
        From above the certificate (`certify`), from below the largest norm of a Jacobian at the points. deel-lip's
        function of this name gives the latter alone.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> bounds = lt.evaluate_lip_const(lt.SpectralLinear(4, 2), torch.ones(1, 4))
    >>> 0.999 < bounds.lower <= bounds.upper < 1.001
    True
    """
    found = certify(model, tuple(x.shape[1:]))
    local = opnorm_bounds(bare(found.network.jacobian(x.detach())), rtol=1e-3, kind="estimate", rng=0)
    lower = min(float(np.max(local.lower, initial=0.0)), float(found.bounds.upper))
    return Bounds(lower, found.bounds.upper, found.bounds.kind, method="points, and product of the layers")
