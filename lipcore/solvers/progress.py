"""Callback and progress bar of a running solver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .results import State


class Watch:
    """Collects the states of a run, and passes them on."""

    def __init__(self, callback: Callable[[State], Any] | None, progress: bool, total: int, name: str) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"`callback` must be callable with the running State, got {type(callback).__name__}")
        self._callback = callback
        self._bar = _bar(total, name) if progress else None
        self.history: list[State] = []

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def see(self, state: State) -> None:
        """Record one convergence check."""
        self.history.append(state)
        if self._bar is not None:
            self._bar.update(state.iterations - self._bar.n)
            worst = float(state.residuals.max()) if state.residuals.size else 0.0
            self._bar.set_postfix_str(f"residual {worst:.1e}, products {state.matvecs}")
        if self._callback is not None:
            self._callback(state)


def _bar(total: int, name: str) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError("`progress=True` draws with tqdm, which is not installed; pip install tqdm") from None
    return tqdm(total=total, desc=name, unit="it", leave=False)
