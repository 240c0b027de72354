"""A progress bar on standard error, where someone can see it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def bar(*, quiet: bool) -> Callable[[tuple[Any, ...]], Iterable[Any]] | None:
    """Wrap layers in a progress bar.

    Parameters
    ----------
    quiet : bool
        Never show one.

    Returns
    -------
    callable or None
        None where there is no terminal, or where tqdm (extra ``report``) is not installed.
    """
    if quiet or not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None

    def wrap(layers: tuple[Any, ...]) -> Iterator[Any]:
        # Short reports finish before the delay and show no bar at all.
        with tqdm(total=len(layers), unit="layer", delay=0.5, leave=False, dynamic_ncols=True, file=sys.stderr) as line:
            for layer in layers:
                line.set_postfix_str(layer.name[-40:], refresh=False)
                yield layer
                line.update()

    return wrap
