"""Parametrizations for ``torch.nn.utils.parametrize``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..._typing import Array
from .constructions import accepted, construction, stand_in

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MODES = ("zeros", "circular")


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _called(function: Callable[..., Array], weight: Array, options: Mapping[str, Any]) -> Array:
    """Constructions run as they are under ``torch.compile``: some read a number on the host; the rest is compiled."""
    return function(weight, **options)


class Constrained(nn.Module):
    r"""A construction as a parametrization: the weight is what the construction makes of a free parameter.

    Parameters
    ----------
    function : callable
        ``function(weight, **options)``, differentiable, such as those of `lipcore.parametrizations`.
    lipschitz : float, default 1.0
        Factor of the result.
    warm : Module, optional
        What takes the place of `function` in training mode: cheaper, and only near to it.
    **options
        Passed to `function`.

    Raises
    ------
    ValueError
        If `lipschitz` is not positive and finite.

    Notes
    -----
    In evaluation mode the result depends on the parameter alone, so that what is exported, certified and deployed is
    the same function of the ``state_dict`` in every process, from the first call. In training mode `warm`, where there
    is one, may keep starting vectors in buffers.

    Parameters in half precision are constrained in float32 and rounded back. Autocast is off inside, so that under
    autocast a float32 parameter stays one; the convolution or product that follows casts the result as usual.

    Examples
    --------
    >>> import torch
    >>> import lipcore as lc
    >>> import lipcore.nn.torch as lt
    >>> layer = torch.nn.Linear(3, 2)
    >>> made = lt.Constrained(lc.parametrizations.frobenius)
    >>> layer = torch.nn.utils.parametrize.register_parametrization(layer, "weight", made)
    >>> bool(abs(layer.weight.norm() - 1) < 1e-5)
    True
    """

    def __init__(
        self,
        function: Callable[..., Array],
        *,
        lipschitz: float = 1.0,
        warm: nn.Module | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.function, self.options, self.warm = function, options, warm
        self.lipschitz = checked_lipschitz(lipschitz)

    def forward(self, weight: Array) -> Array:
        """The constrained weight."""
        with torch.autocast(device_type=weight.device.type, enabled=False):
            single = weight if weight.dtype in (torch.float32, torch.float64) else weight.float()
            if self.warm is not None and self.training:
                made = self.warm(single)
            else:
                made = _called(self.function, single, self.options)
            if self.lipschitz != 1.0:
                made = made * self.lipschitz
            return made.to(weight.dtype)

    def right_inverse(self, weight: Array) -> Array:
        """What to start from, given a weight: the weight itself."""
        return weight

    def extra_repr(self) -> str:
        """Name of the construction and its options."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        shown = [name, *(f"{key}={value!r}" for key, value in self.options.items())]
        return ", ".join([*shown, f"lipschitz={self.lipschitz:g}"])


def parametrization(module: nn.Module, method: str, *, lipschitz: float = 1.0, **options: Any) -> Constrained:
    """The parametrization of `module.weight` by `method`.

    Parameters
    ----------
    module : Linear, Conv or ConvTranspose
        Whose shape and options the construction is to fit.
    method : str
        See `methods`.
    lipschitz : float
        Lipschitz constant of the layer.
    **options
        Of the construction.

    Returns
    -------
    Constrained

    Raises
    ------
    TypeError
        For another module.
    ValueError
        For an unknown method, or a module to which it does not apply.

    Notes
    -----
    A transposed convolution is the adjoint of the convolution with the same kernel, stride, dilation and groups, and
    has its norm.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = torch.nn.Linear(4, 2)
    >>> made = lt.parametrization(layer, "spectral")
    >>> bool(torch.linalg.matrix_norm(made.eval()(layer.weight), 2) <= 1)
    True
    """
    if isinstance(module, nn.Linear):
        place: dict[str, Any] = {}
    elif isinstance(module, CONVOLUTIONS + TRANSPOSED):
        if module.padding_mode not in MODES:
            raise ValueError(
                f"`padding_mode` must be one of {', '.join(MODES)}, got {module.padding_mode!r}: repeated pixels raise "
                "the norm of any kernel"
            )
        place = {"stride": module.stride, "groups": module.groups, "dilation": module.dilation}
    else:
        raise TypeError(f"`module` must be Linear, Conv or ConvTranspose, got {type(module).__name__}")
    function, fixed = construction(method, not place)
    place = accepted(function, place, method)
    given = {**fixed, **options}
    warm = stand_in(function, module.weight, place, given)
    return Constrained(function, lipschitz=lipschitz, warm=warm, **place, **given)


def constrain_weight(module: nn.Module, method: str, *, lipschitz: float = 1.0, **options: Any) -> nn.Module:
    """Constrain the weight of one module.

    Parameters
    ----------
    module : Linear, Conv or ConvTranspose
        It is changed in place.
    method : str
        See `methods`.
    lipschitz : float
        Lipschitz constant of the layer.
    **options
        Of the construction.

    Returns
    -------
    Module
        `module`, whose weight is a parametrization from now on.

    Raises
    ------
    TypeError
        For another module.
    ValueError
        For an unknown method, a module to which it does not apply, or one that is constrained already.

    Examples
    --------
    >>> import torch
    >>> import lipcore.nn.torch as lt
    >>> layer = lt.constrain_weight(torch.nn.Linear(4, 2), "spectral", lipschitz=0.5)
    >>> bool(torch.linalg.matrix_norm(layer.eval().weight, 2) <= 0.5)
    True
    """
    if parametrize.is_parametrized(module, "weight"):
        raise ValueError(f"the weight of `module` {type(module).__name__} is parametrized already: export it first")
    made = parametrization(module, method, lipschitz=lipschitz, **options)
    made.train(module.training)
    return parametrize.register_parametrization(module, "weight", made)


def constraints(module: nn.Module) -> list[Constrained]:
    """The parametrizations of this kind below `module`."""
    return [part for part in module.modules() if isinstance(part, Constrained)]


def checked_lipschitz(value: Any) -> float:
    """A positive finite number."""
    number = float(value)
    if not 0 < number < float("inf"):
        raise ValueError(f"`lipschitz` must be positive and finite, got {value!r}")
    return number
