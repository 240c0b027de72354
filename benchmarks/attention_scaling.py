"""Time and extra memory of one product pair with an attention Jacobian, in a process of its own.

``python -m benchmarks.attention_scaling LIBRARY TOKENS`` prints seconds and MiB; LIBRARY is numpy, torch or torch.func.
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FEATURES = 64


def measure(library: str, tokens: int) -> dict[str, float]:
    """The same from a fresh process, whose memory nobody else has touched."""
    command = [sys.executable, "-m", "benchmarks.attention_scaling", library, str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    return dict(json.loads(done.stdout))


def peak() -> float:
    """Highest resident memory in MiB since `forget`, or since the start where the system does not forget."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def forget() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def products(library: str, q: Any, k: Any, v: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """What makes the operator ready, and one product pair with it."""
    rng = np.random.default_rng(1)
    n, d = q.shape
    x, y = (rng.standard_normal(size).astype(np.float32) for size in (3 * n * d, n * d))
    if library != "numpy":
        import torch

        q, k, v, x, y = map(torch.from_numpy, (q, k, v, x, y))
    if library == "torch.func":

        def function(q: Any, k: Any, v: Any) -> Any:
            return torch.softmax(q @ k.mT / d**0.5, -1) @ v

        tangents = tuple(part.reshape(n, d) for part in x.chunk(3))

        def pair() -> Any:
            forward = torch.func.jvp(function, (q, k, v), tangents)[1]
            return forward, torch.func.vjp(function, q, k, v)[1](y.reshape(n, d))

        return lambda: None, pair

    import lipcore as lc

    ready: list[Any] = []

    def build() -> None:
        ready[:] = [lc.AttentionJacobian(q, k, v)]

    return build, lambda: (ready[0].matvec(x), ready[0].rmatvec(y))


def main(library: str, tokens: int) -> None:
    rng = np.random.default_rng(0)
    small = [rng.standard_normal((64, FEATURES)).astype(np.float32) for _ in range(3)]
    for step in products(library, *small):  # imports and thread pools
        step()
    build, pair = products(library, *(rng.standard_normal((tokens, FEATURES)).astype(np.float32) for _ in range(3)))
    forget()
    before = peak()
    build()
    times = []
    while sum(times) < 1.0 and len(times) < 20:
        begin = time.perf_counter()
        pair()
        times.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": min(times), "mebibytes": peak() - before}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
