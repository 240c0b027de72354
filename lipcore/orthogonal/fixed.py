"""Iterations of a fixed number of steps, which read nothing on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _backend as B
from .._typing import Array
from .half_precision import narrowed
from .inputs import power_of_two, tall, working_copy
from .minimax import NEWTON_SCHULZ, Odd
from .steps import GRAM_ASPECT, odd_steps


def wants_gram_form(shape: Sequence[int], form: str) -> bool:
    """Whether to iterate on the Gram matrix of the smaller side."""
    if form not in ("auto", "direct", "gram"):
        raise ValueError(f"`form` must be 'auto', 'direct' or 'gram', got {form!r}")
    m, n = shape[-2:]
    return form == "gram" or (form == "auto" and max(m, n) >= GRAM_ASPECT * min(m, n))


def run_fixed(
    w: Array,
    steps: Sequence[Odd],
    *,
    normalize: bool,
    gram_form: bool = False,
    dtype: Any = None,
    finish: int = 0,
) -> Array:
    """Odd polynomials of the matrices, in `dtype`, then `finish` plain cubic steps in at least single precision."""
    if 0 in tuple(w.shape):
        return B.copied(w)
    x, flipped = tall(working_copy(w))
    if normalize:
        x = x / power_of_two(x)
    wide = x.dtype
    if dtype is not None and dtype != wide:
        narrow = narrowed(x, dtype) if normalize else B.cast(x, dtype)
        x = B.cast(odd_steps(narrow, steps, normalize=False, gram_form=gram_form), wide)
        normalize = False
    else:
        x = odd_steps(x, steps, normalize=normalize, gram_form=gram_form)
    x = odd_steps(x, (NEWTON_SCHULZ,) * finish, normalize=normalize and not steps)
    return B.cast(B.adjoint(x) if flipped else x, w.dtype)
