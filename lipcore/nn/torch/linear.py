"""Constrained linear layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from .constrain import become
from .constrained import constrain_weight
from .initialise import orthogonal_


class _Linear(nn.Linear):
    """A linear layer whose weight is constrained from the start."""

    method = ""
    plain = staticmethod(become(nn.Linear, "method"))

    def _constrain(self, lipschitz: float, **options: Any) -> None:
        orthogonal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        constrain_weight(self, self.method, lipschitz=lipschitz, **options)


class SpectralLinear(_Linear):
    r"""Linear layer with orthonormal rows or columns: torchlip's ``SpectralLinear``.

    Parameters
    ----------
    in_features, out_features : int
        As for ``torch.nn.Linear``.
    bias : bool
        Whether a shift is learned.
    k_coef_lip : float
        Lipschitz constant.
    iterations : int
        Of Björck's iteration; 0 divides by a bound of the norm and makes nothing orthogonal.
    device, dtype
        Of the parameters, as in torch.

    See Also
    --------
    lipcore.parametrizations.bjorck, lipcore.parametrizations.spectral : The constructions.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.SpectralLinear(4, 2)
    >>> bool(torch.allclose(layer.weight @ layer.weight.T, torch.eye(2), atol=1e-5))
    True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        k_coef_lip: float = 1.0,
        iterations: int = 15,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self.method, options = spectral_method(iterations)
        self._constrain(k_coef_lip, **options)


class OrthoLinear(_Linear):
    r"""Linear layer with orthonormal rows or columns: orthogonium's ``OrthoLinear``.

    Parameters
    ----------
    in_features, out_features : int
        As for ``torch.nn.Linear``.
    bias : bool
        Whether a shift is learned.
    method : str
        How the weight is made: ``"rko"``, ``"bjorck"``, ``"cayley"``, ``"lot"`` or ``"soc"``.
    lipschitz : float
        Lipschitz constant.
    device, dtype
        Of the parameters, as in torch.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.OrthoLinear(4, 2, method="cayley")
    >>> bool(torch.allclose(layer.weight @ layer.weight.T, torch.eye(2), atol=1e-5))
    True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        method: str = "rko",
        lipschitz: float = 1.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self.method = method
        self._constrain(lipschitz)


class FrobeniusLinear(_Linear):
    r"""Linear layer over a Frobenius norm: torchlip's ``FrobeniusLinear``.

    Parameters
    ----------
    in_features, out_features : int
        As for ``torch.nn.Linear``.
    bias : bool
        Whether a shift is learned.
    disjoint_neurons : bool
        Divides each row by its own norm, so that each output is 1-Lipschitz and the layer is not: for heads of several
        outputs that are looked at one by one. torchlip's default is True; here a layer is 1-Lipschitz by default.
    k_coef_lip : float
        Lipschitz constant.
    device, dtype
        Of the parameters, as in torch.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> bool(abs(lt.FrobeniusLinear(4, 2).weight.norm() - 1) < 1e-5)
    True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        disjoint_neurons: bool = False,
        k_coef_lip: float = 1.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self.method = "rows" if disjoint_neurons else "frobenius"
        self._constrain(k_coef_lip)


class UnitNormLinear(_Linear):
    r"""Linear layer with rows of length 1: orthogonium's ``UnitNormLinear``, for the last layer.

    Parameters
    ----------
    in_features, out_features : int
        As for ``torch.nn.Linear``.
    bias : bool
        Whether a shift is learned.
    lipschitz : float
        Length of the rows.
    device, dtype
        Of the parameters, as in torch.

    Notes
    -----
    Each output is 1-Lipschitz; together they are up to :math:`\sqrt{n}`-Lipschitz, which is what `certify` says.
    Differences of two outputs are at most 2-Lipschitz, which the pairwise margins of `lipcore.nn.metrics` use.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> lengths = lt.UnitNormLinear(4, 3).weight.norm(dim=1)
    >>> bool(torch.allclose(lengths, torch.ones(3), atol=1e-5))
    True
    """

    method = "rows"

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        lipschitz: float = 1.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self._constrain(lipschitz)


def spectral_method(iterations: int) -> tuple[str, dict[str, Any]]:
    """Björck's iteration, or division by the norm where there are no iterations."""
    return ("bjorck", {"iterations": iterations}) if iterations else ("spectral", {})
