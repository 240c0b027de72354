"""Constrained convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from .constrain import become
from .constrained import constrain_weight
from .initialise import orthogonal_
from .linear import spectral_method

Size = int | Sequence[int]


class _Convolution:
    """A convolution of torch, plain or transposed, whose weight is constrained from the start."""

    method = ""

    def __init__(self, *args: Any, k_coef_lip: float = 1.0, **options: Any) -> None:
        construction = self._read(options)
        super().__init__(*args, **options)
        weight: Any = self.weight  # type: ignore[attr-defined]
        orthogonal_(weight)
        if self.bias is not None:  # type: ignore[attr-defined]
            nn.init.zeros_(self.bias)  # type: ignore[attr-defined]
        constrain_weight(self, self.method, lipschitz=k_coef_lip, **construction)

    def _read(self, options: dict[str, Any]) -> dict[str, Any]:
        """Take the options of the construction out of those of the convolution."""
        return {}


class _Spectral(_Convolution):
    def _read(self, options: dict[str, Any]) -> dict[str, Any]:
        self_method, construction = spectral_method(options.pop("iterations", 15))
        object.__setattr__(self, "method", self_method)
        return construction


class SpectralConv1d(_Spectral, nn.Conv1d):
    """Convolution with an orthogonal reshaped kernel: torchlip's ``SpectralConv1d``; see `SpectralConv2d`."""

    plain = staticmethod(become(nn.Conv1d, "method"))


class SpectralConv2d(_Spectral, nn.Conv2d):
    r"""Convolution with an orthogonal reshaped kernel, divided by the overlap: torchlip's ``SpectralConv2d``.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.Conv2d``; `padding_mode` must be ``"zeros"`` or ``"circular"``.
    k_coef_lip : float
        Lipschitz constant.
    iterations : int
        Of Björck's iteration; 0 divides by a certified bound of the norm instead.

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
    """Transposed convolution with an orthogonal reshaped kernel: torchlip's class of this name; see `SpectralConv2d`.

    The options are those of ``torch.nn.ConvTranspose2d``.
    """

    plain = staticmethod(become(nn.ConvTranspose2d, "method"))


class FrobeniusConv2d(_Convolution, nn.Conv2d):
    """Convolution whose kernel is divided by a Frobenius norm and the overlap: torchlip's ``FrobeniusConv2d``.

    The options are those of ``torch.nn.Conv2d``, and `k_coef_lip`, the Lipschitz constant.
    """

    method = "frobenius"
    plain = staticmethod(become(nn.Conv2d))


class AOLConv2d(_Convolution, nn.Conv2d):
    """Almost orthogonal convolution: orthogonium's ``AOLConv2D``.

    The options are those of ``torch.nn.Conv2d``, and `k_coef_lip`, the Lipschitz constant.
    """

    method = "aol"
    plain = staticmethod(become(nn.Conv2d))


class RKOConv2d(_Convolution, nn.Conv2d):
    """Convolution with an orthogonal reshaped kernel, orthogonal itself where kernel and stride are equal.

    The options are those of ``torch.nn.Conv2d``, and `k_coef_lip`, the Lipschitz constant.
    """

    method = "rko"
    plain = staticmethod(become(nn.Conv2d))


class AOLConvTranspose2d(_Convolution, nn.ConvTranspose2d):
    """Almost orthogonal transposed convolution: orthogonium's ``AOLConvTranspose2D``.

    The options are those of ``torch.nn.ConvTranspose2d``, and `k_coef_lip`, the Lipschitz constant.
    """

    method = "aol"
    plain = staticmethod(become(nn.ConvTranspose2d))


class RKOConvTranspose2d(_Convolution, nn.ConvTranspose2d):
    """Transposed convolution with an orthogonal reshaped kernel: orthogonium's ``RkoConvTranspose2d``.

    The options are those of ``torch.nn.ConvTranspose2d``, and `k_coef_lip`, the Lipschitz constant.
    """

    method = "rko"
    plain = staticmethod(become(nn.ConvTranspose2d))


class AdaptiveOrthoConv2d(_Convolution, nn.Conv2d):
    r"""Orthogonal convolution with stride, groups and dilation: orthogonium's ``AdaptiveOrthoConv2d``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As for ``torch.nn.Conv2d``, but for the defaults: `padding` is ``"same"``, which with a stride is half of the
        kernel on each side, and `padding_mode` is ``"circular"``.
    k_coef_lip : float
        Lipschitz constant.

    See Also
    --------
    lipcore.parametrizations.aoc : The construction.
    lipcore.parametrizations.rko : The construction where the stride is longer than the kernel.

    Notes
    -----
    Orthogonal with circular padding where the stride divides the image; with zeros around it 1-Lipschitz.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.AdaptiveOrthoConv2d(4, 4, 3, bias=False)
    >>> x = torch.ones(1, 4, 6, 6)
    >>> bool(abs(layer(x).norm() / x.norm() - 1) < 1e-4)
    True
    """

    method = "aoc"
    plain = staticmethod(become(nn.Conv2d, "method"))

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = "same",
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "circular",
        *,
        k_coef_lip: float = 1.0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        kernel, steps, gaps = (_pair(option) for option in (kernel_size, stride, dilation))
        if padding == "same" and max(steps) > 1:
            padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, gaps, strict=True))
        if any(k < s for k, s in zip(kernel, steps, strict=True)):
            self.__dict__["method"] = "rko"
        options = {"bias": bias, "padding_mode": padding_mode, "device": device, "dtype": dtype}
        channels = (in_channels, out_channels)
        super().__init__(*channels, kernel, steps, padding, gaps, groups, k_coef_lip=k_coef_lip, **options)


class AdaptiveOrthoConvTranspose2d(_Convolution, nn.ConvTranspose2d):
    """Transposed orthogonal convolution: orthogonium's class of this name.

    The options are those of ``torch.nn.ConvTranspose2d``, and `k_coef_lip`, the Lipschitz constant. Its transpose is
    orthogonal with circular padding, which torch does not have for it; as it is, it is 1-Lipschitz.
    """

    method = "aoc"
    plain = staticmethod(become(nn.ConvTranspose2d))


class PadConv1d(nn.Conv1d):
    """Convolution without constraint, with any padding: torchlip's ``PadConv1d``, which is torch's ``Conv1d``."""

    plain = staticmethod(become(nn.Conv1d))


class PadConv2d(nn.Conv2d):
    """Convolution without constraint, with any padding: torchlip's ``PadConv2d``, which is torch's ``Conv2d``."""

    plain = staticmethod(become(nn.Conv2d))


def _pair(option: Size) -> tuple[int, ...]:
    return (option, option) if isinstance(option, int) else tuple(option)
