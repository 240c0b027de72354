"""Constrained convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from .constrain import become
from .constrained import constrain_weight
from .initialise import orthogonal_

Size = int | Sequence[int]


class Convolution:
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


class FrobeniusConv2d(Convolution, nn.Conv2d):
    """Convolution whose kernel is divided by a Frobenius norm and the overlap: torchlip's ``FrobeniusConv2d``.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.Conv2d``; `padding_mode` must be ``"zeros"`` or ``"circular"``.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.FrobeniusConv2d(2, 4, 3), (2, 8, 8)).bounds.upper < 1.001
    True
    """

    method = "frobenius"
    plain = staticmethod(become(nn.Conv2d))


class AOLConv2d(Convolution, nn.Conv2d):
    """Almost orthogonal convolution: orthogonium's ``AOLConv2D``.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.Conv2d``; `padding_mode` must be ``"zeros"`` or ``"circular"``.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.AOLConv2d(2, 4, 3), (2, 8, 8)).bounds.upper < 1.001
    True
    """

    method = "aol"
    plain = staticmethod(become(nn.Conv2d))


class RKOConv2d(Convolution, nn.Conv2d):
    """Convolution with an orthogonal reshaped kernel, orthogonal itself where kernel and stride are equal.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.Conv2d``; `padding_mode` must be ``"zeros"`` or ``"circular"``.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.RKOConv2d(2, 4, 2, stride=2), (2, 8, 8)).bounds.upper < 1.001
    True
    """

    method = "rko"
    plain = staticmethod(become(nn.Conv2d))


class AOLConvTranspose2d(Convolution, nn.ConvTranspose2d):
    """Almost orthogonal transposed convolution: orthogonium's ``AOLConvTranspose2D``.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.ConvTranspose2d``.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.AOLConvTranspose2d(2, 4, 3), (2, 8, 8)).bounds.upper < 1.001
    True
    """

    method = "aol"
    plain = staticmethod(become(nn.ConvTranspose2d))


class RKOConvTranspose2d(Convolution, nn.ConvTranspose2d):
    """Transposed convolution with an orthogonal reshaped kernel: orthogonium's ``RkoConvTranspose2d``.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.ConvTranspose2d``.
    k_coef_lip : float
        Lipschitz constant.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.RKOConvTranspose2d(2, 4, 2, stride=2), (2, 8, 8)).bounds.upper < 1.001
    True
    """

    method = "rko"
    plain = staticmethod(become(nn.ConvTranspose2d))


class AdaptiveOrthoConv2d(Convolution, nn.Conv2d):
    r"""Orthogonal convolution with stride, groups and dilation: orthogonium's ``AdaptiveOrthoConv2d``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode
        As for ``torch.nn.Conv2d``, but for the defaults: `padding` is ``"same"``, which with a stride is half of the
        kernel on each side, and `padding_mode` is ``"circular"``.
    k_coef_lip : float
        Lipschitz constant.
    device, dtype
        Of the parameters, as in torch.

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


class AdaptiveOrthoConvTranspose2d(Convolution, nn.ConvTranspose2d):
    """Transposed orthogonal convolution: orthogonium's class of this name.

    Parameters
    ----------
    *args, **options
        As for ``torch.nn.ConvTranspose2d``.
    k_coef_lip : float
        Lipschitz constant.

    Notes
    -----
    Its transpose is orthogonal with circular padding, which torch does not have for it; as it is, it is 1-Lipschitz.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> lt.certify(lt.AdaptiveOrthoConvTranspose2d(4, 2, 2, stride=2), (4, 8, 8)).bounds.upper < 1.001
    True
    """

    method = "aoc"
    plain = staticmethod(become(nn.ConvTranspose2d))


class PadConv1d(nn.Conv1d):
    """Convolution without constraint, with any padding: torchlip's ``PadConv1d``, which is torch's ``Conv1d``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        As for ``torch.nn.Conv1d``.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> type(lt.export(lt.PadConv1d(2, 4, 3, padding=1, padding_mode="reflect"))).__name__
    'Conv1d'
    """

    plain = staticmethod(become(nn.Conv1d))


class PadConv2d(nn.Conv2d):
    """Convolution without constraint, with any padding: torchlip's ``PadConv2d``, which is torch's ``Conv2d``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype
        As for ``torch.nn.Conv2d``.

    Examples
    --------
    >>> import lipcore.nn.torch as lt
    >>> type(lt.export(lt.PadConv2d(2, 4, 3, padding=1, padding_mode="reflect"))).__name__
    'Conv2d'
    """

    plain = staticmethod(become(nn.Conv2d))


def _pair(option: Size) -> tuple[int, ...]:
    return (option, option) if isinstance(option, int) else tuple(option)
