"""A whole model: every layer measured, everything else by name, and what may be said of all of it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..frontends import ModelWeights, load_weights
from .measure import Measurement, Request, measure
from .placement import placement


@dataclass(frozen=True, eq=False, kw_only=True)
class Report:
    """Bounds of every linear layer of a model.

    Parameters
    ----------
    model : ModelWeights
        What was read, with what is not linear and what was not understood.
    request : Request
        What was asked for.
    backend : str
        Where it ran.
    device : str or None
        None for the backend's default.
    rows : tuple of Measurement
        One per layer, in the model's order.
    seconds : float
        Wall time, reading included.
    """

    model: ModelWeights
    request: Request
    backend: str
    device: str | None
    rows: tuple[Measurement, ...]
    seconds: float

    @property
    def bounded(self) -> int:
        """How many layers have bounds."""
        return sum(row.bounds is not None for row in self.rows)

    @property
    def weights(self) -> int:
        """How many numbers the layers hold."""
        return sum(row.layer.weight.size for row in self.rows)

    @property
    def failure_probability(self) -> float:
        """Probability, at most, that any upper bound is wrong (union bound; an estimate claims nothing)."""
        return min(
            1.0,
            math.fsum(
                row.bounds.failure_probability for row in self.rows if row.bounds and row.bounds.kind == "probabilistic"
            ),
        )

    @property
    def log2_product(self) -> float | None:
        """Base-2 logarithm of the product of the layers' upper bounds, rounded up; None if a layer has none.

        Notes
        -----
        The product bounds the network only where the network is this chain of layers, with 1-Lipschitz maps between.
        """
        if not self.rows:
            return None
        product = None
        for row in self.rows:
            if row.bounds is None:
                return None
            product = row.bounds if product is None else product @ row.bounds
        return None if product is None else float(product.log2_upper)


def report_model(
    model: str | os.PathLike[str] | ModelWeights,
    *,
    request: Request | None = None,
    backend: str = "numpy",
    device: str | None = None,
    progress: Callable[[tuple[Any, ...]], Any] | None = None,
    **reading: Any,
) -> Report:
    """Bound every linear layer of a model.

    Parameters
    ----------
    model : path or ModelWeights
        A file that `lc.load_weights` reads, or what it gave.
    request : Request, optional
        What to compute; the 2-norm within 1e-3 by default.
    backend : {"numpy", "torch", "jax", "cupy"}
        Where to compute.
    device : str, optional
        As the backend names it.
    progress : callable, optional
        Wraps the tuple of layers in an iterable that shows how far it is.
    **reading
        `input_shape` and `geometry`, for `lc.load_weights`.

    Returns
    -------
    Report
        To be shown by `lipcore.report.render`.

    Raises
    ------
    ModelFormatError, OSError, ImportError
        As `lc.load_weights`.
    BackendError
        The backend or the device cannot be had.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from lipcore.report import report_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "small.npz")
    ...     np.savez(path, **{"first.weight": 2 * np.eye(3), "second.weight": np.ones((1, 3))})
    ...     report = report_model(path)
    >>> [(row.layer.name, row.bounds.kind) for row in report.rows]
    [('first', 'rigorous'), ('second', 'rigorous')]
    >>> report.rows[0].bounds.lower <= 2.0 <= report.rows[0].bounds.upper
    True
    """
    start = time.perf_counter()
    put = placement(backend, device)
    weights = model if isinstance(model, ModelWeights) else load_weights(model, **reading)
    request = request or Request()
    layers: Any = weights.layers if progress is None else progress(weights.layers)
    rows = tuple(measure(layer, request, put) for layer in layers)
    return Report(
        model=weights, request=request, backend=backend, device=device, rows=rows, seconds=time.perf_counter() - start
    )
