"""Convolutions whose kernel is a matrix with orthonormal rows or columns, over the overlap."""

from __future__ import annotations

from typing import Any

from torch import nn

from .constrain import become
from .convolution import Convolution
from .linear import spectral_method


class _Spectral(Convolution):
    def _read(self, options: dict[str, Any]) -> dict[str, Any]:
        # not yet a Module, which sets attributes its own way
        self.__dict__["method"], construction = spectral_method(options.pop("iterations", 15))
        return construction


class SpectralConv1d(_Spectral, nn.Conv1d):
    """Convolution with an orthogonal reshaped kernel: torchlip's ``SpectralConv1d``.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.Conv1d``, and `iterations` as in `SpectralConv2d`. `padding_mode` must be ``"zeros"`` or
        ``"circular"``.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.SpectralConv1d(2, 4, 3, padding=1), (2, 8)).bounds.upper < 1.001
    True
    """

    plain = staticmethod(become(nn.Conv1d, "method"))


class SpectralConv2d(_Spectral, nn.Conv2d):
    r"""Convolution with an orthogonal reshaped kernel, divided by the overlap: torchlip's ``SpectralConv2d``.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.Conv2d``; `padding_mode` must be ``"zeros"`` or ``"circular"``. Beside them `iterations`, an
        int, 15 by default: of Björck's iteration; 0 divides by a certified bound of the norm instead.
    k_coef_lip : float
        Lipschitz constant.

    Raises
    ------
    ValueError
        For another `padding_mode`.

    See Also
    --------
    lipcore.parametrizations.bjorck, lipcore.parametrizations.spectral : The constructions.

    Notes
    -----
    Each group is orthogonalised by itself.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.SpectralConv2d(2, 4, 3, padding=1)
    >>> lt.certify(layer, (2, 8, 8)).bounds.upper < 1.001
    True
    """

    plain = staticmethod(become(nn.Conv2d, "method"))


class SpectralConvTranspose2d(_Spectral, nn.ConvTranspose2d):
    """Transposed convolution with an orthogonal reshaped kernel: torchlip's class of this name.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.ConvTranspose2d``, and `iterations` as in `SpectralConv2d`.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.SpectralConvTranspose2d(2, 4, 3, padding=1), (2, 8, 8)).bounds.upper < 1.001
    True
    """

    plain = staticmethod(become(nn.ConvTranspose2d, "method"))
