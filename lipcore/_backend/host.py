"""The only place where numbers leave or enter a device."""

from __future__ import annotations

import contextlib
from typing import Any

import array_api_compat as compat
import numpy as np

from .._typing import Array, Namespace
from .namespace import array_namespace, dtype_name, dtype_named, is_cupy, is_jax, is_numpy, is_torch


class HostReads:
    """Counts transfers to the host, so that tests can prove how many a solver makes."""

    def __init__(self) -> None:
        self.count = 0


host_reads = HostReads()


def to_numpy(x: Array) -> np.ndarray[Any, Any]:
    """Copy of `x` on the host: detached, gathered when sharded, bfloat16 widened to float32."""
    host_reads.count += 1
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x)
    if compat.is_torch_array(x):
        if hasattr(x, "full_tensor"):  # a DTensor read directly gives one shard's partial value, without an error
            x = x.full_tensor()
        x = x.detach()
        if dtype_name(x.dtype) == "bfloat16":
            x = x.float()
        return np.asarray(x.resolve_conj().resolve_neg().cpu().numpy())
    if compat.is_cupy_array(x):
        return np.asarray(x.get())
    if compat.is_jax_array(x):
        import jax

        if dtype_name(x.dtype) == "bfloat16":
            x = x.astype("float32")
        return np.asarray(jax.device_get(x))
    return np.from_dlpack(_on_cpu(x))


def _on_cpu(x: Array) -> Array:
    """`x` on a device from which NumPy can read (array-api-strict forbids it elsewhere)."""
    xp = array_namespace(x)
    cpu = getattr(xp, "Device", None)
    return x if cpu is None else compat.to_device(x, cpu("CPU_DEVICE"))


def to_float(x: Array | float) -> float:
    """One scalar on the host (the real part of a complex one)."""
    if type(x) in (int, float):  # NumPy's scalars are arrays here, so that reads count alike on every backend
        return float(x)
    return float(to_numpy(x).real)


def from_numpy(
    a: np.ndarray[Any, Any], *, xp: Namespace, device: Any = None, dtype: Any = None, shared: bool = False
) -> Array:
    """Host array as an array of `xp` on `device`; `shared` memory where nobody else will write to `a`."""
    if is_numpy(xp):
        return np.asarray(a, dtype=dtype)
    if is_torch(xp):
        import torch

        if shared and a.flags.writeable:
            return torch.from_numpy(a).to(dtype=dtype, device=device)
        # torch would otherwise share NumPy's memory, read-only arrays included
        return torch.tensor(a, dtype=dtype, device=device)
    name = dtype_name(a.dtype) if dtype is None else dtype_name(dtype)
    if is_jax(xp):
        import jax

        array = xp.asarray(a, dtype=dtype)
        return array if device is None else jax.device_put(array, device)
    if is_cupy(xp):
        with device if device is not None else contextlib.nullcontext():
            return xp.asarray(a, dtype=dtype)
    # The cast happens on the host: a device may lack the wider dtype altogether.
    return xp.asarray(a.astype(name), dtype=dtype_named(xp, name), device=device)


def cast(x: Array, dtype: Any) -> Array:
    """`x` in `dtype`, itself where it has it already (complex to real takes the real part)."""
    if x.dtype == dtype:
        return x
    xp = array_namespace(x)
    if dtype_name(x.dtype).startswith("complex") and not dtype_name(dtype).startswith("complex"):
        x = xp.real(x)
    return xp.astype(x, dtype, copy=False)


def copied(x: Array) -> Array:
    """`x` in memory of its own, still differentiable."""
    if compat.is_torch_array(x):
        return x.clone()
    return array_namespace(x).asarray(x, copy=True)


def host_view(x: Array) -> np.ndarray[Any, Any] | None:
    """`x` as a NumPy array without a copy, where it lies whole in the host's memory; else None."""
    if isinstance(x, np.ndarray):
        return x
    if is_traced(x) or hasattr(x, "full_tensor") or dtype_name(x.dtype) in ("bfloat16", "float16"):
        return None
    if compat.is_torch_array(x) and x.device.type == "cpu":
        import torch

        if torch._C._functorch.is_functorch_wrapped_tensor(x):
            return None
        return np.asarray(x.detach().resolve_conj().resolve_neg().numpy())
    if compat.is_jax_array(x) and getattr(compat.device(x), "platform", "") == "cpu":
        return np.asarray(stop_gradient(x))
    return None


def is_differentiated(x: Array) -> bool:
    """Whether a derivative with respect to `x` may be asked for."""
    if compat.is_torch_array(x):
        import torch

        wrapped = torch._C._functorch.is_functorch_wrapped_tensor(x) or torch.autograd.forward_ad._current_level >= 0
        return bool(wrapped or (x.requires_grad and torch.is_grad_enabled()))
    if compat.is_jax_array(x):
        import jax

        return isinstance(x, jax.core.Tracer)
    return False


def stop_gradient(x: Array) -> Array:
    """`x` as a constant of differentiation."""
    if compat.is_torch_array(x):
        return x.detach()
    if compat.is_jax_array(x):
        from jax.lax import stop_gradient as jax_stop_gradient

        return jax_stop_gradient(x)
    # arrays that stand for those of a library which is not known here say it themselves
    own = getattr(x, "stop_gradient", None)
    return x if own is None else own()


def detached(xp: Namespace) -> contextlib.AbstractContextManager[Any]:
    """Context in which no derivative graph is recorded."""
    if is_torch(xp):
        import torch

        context: contextlib.AbstractContextManager[Any] = torch.no_grad()
        return context
    return contextlib.nullcontext()


def is_traced(x: Array) -> bool:
    """Whether `x` has no readable values: a JAX tracer under jit, a torch fake or compiled tensor."""
    if compat.is_jax_array(x):
        import jax

        # differentiation traces as well, but over values that can be read once the derivative is dropped
        return isinstance(stop_gradient(x), jax.core.Tracer)
    if compat.is_torch_array(x):
        import torch

        return bool(torch.compiler.is_compiling()) or type(x).__name__ == "FakeTensor" or x.device.type == "meta"
    return bool(getattr(x, "is_traced", False))
