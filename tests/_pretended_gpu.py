"""torch tensors that say they are on a GPU, where there is none: mixing devices and reading values raise."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest


@contextlib.contextmanager
def pretended_gpu() -> Iterator[str]:
    """Context in which ``torch.empty(..., device="cuda")`` works without computing anything; yields the device."""
    torch = pytest.importorskip("torch")
    fake = pytest.importorskip("torch._subclasses.fake_tensor", reason="a private module of torch")
    from torch.overrides import TorchFunctionMode

    class Indexing(TorchFunctionMode):
        # Indexing asks the driver before the fake tensor sees it, so basic indexing is spelled out.
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function is torch.Tensor.__getitem__:
                return _basic_index(*args)
            if function is torch.Tensor.__setitem__:
                target, value = _basic_index(*args[:2]), args[2]
                # a copy asks the driver too; arithmetic in place does not, and has the same shape, dtype and device
                return target.mul_(0).add_(value)
            return function(*args, **(kwargs or {}))

    with fake.FakeTensorMode(), Indexing():
        yield "cuda"


def _basic_index(x: Any, index: Any) -> Any:
    items = list(index) if isinstance(index, tuple) else [index]
    used = sum(item is not None and item is not Ellipsis for item in items)
    if Ellipsis not in items:
        items.append(Ellipsis)
    at = items.index(Ellipsis)
    items[at : at + 1] = [slice(None)] * (x.ndim - used)
    axis = 0
    for item in items:
        if item is None:
            x = x.unsqueeze(axis)
        elif isinstance(item, slice):
            start, stop, step = item.indices(x.shape[axis])
            x = x.narrow(axis, start, max(0, stop - start))
            if step != 1:
                sizes, strides = list(x.shape), list(x.stride())
                sizes[axis], strides[axis] = -(-sizes[axis] // step), strides[axis] * step
                x = x.as_strided(sizes, strides)
        elif isinstance(item, int):
            x = x.select(axis, item)
            continue
        else:
            raise NotImplementedError(f"indexing by {type(item).__name__} on a pretended GPU")
        axis += 1
    return x
