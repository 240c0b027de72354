"""Padding, permuted axes, and one operator on every token."""

from __future__ import annotations

import math

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore.operators.padding import Padding
from lipcore.operators.rearrangement import Rearrangement
from lipcore.operators.repeated import Repeated

PADDINGS = {
    "zeros": (1, (2, 3, 2), "zeros"),
    "uneven zeros": (((0, 2), (1, 0)), (3, 2), "zeros"),
    "circular": ((2, 1), (2, 3, 2), "circular"),
    "reflect": ((2, (0, 1)), (2, 3, 2), "reflect"),
    "replicate": (((3, 1),), (2, 2), "replicate"),
    "no border": (0, (2, 3), "reflect"),
}
NUMPY_MODES = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}
AXES = {"permute": ((2, 3, 4), (2, 0, 1)), "nothing": ((2, 3), (0, 1)), "shuffle": ((2, 2, 1, 3), (0, 3, 1, 2))}


EVERYWHERE = ("numpy", "strict", "torch", "jax", "cupy")
NOT_COMPILED = ("numpy", "strict", "torch", "cupy")  # JAX compiles every product of every case: a few will do


def padded(case):
    padding, shape, mode = PADDINGS[case]
    eye = np.eye(math.prod(shape)).reshape(-1, *shape)
    axes = len(padding) if isinstance(padding, tuple) else len(shape) - 1
    pairs = [(0, 0)] * (eye.ndim - axes) + [
        p if isinstance(p, tuple) else (p, p) for p in (padding if isinstance(padding, tuple) else (padding,) * axes)
    ]
    return np.pad(eye, pairs, mode=NUMPY_MODES[mode]).reshape(len(eye), -1).T


def permuted(case):
    split, axes = AXES[case]
    n = math.prod(split)
    return np.eye(n)[np.arange(n).reshape(split).transpose(axes).ravel()]


def _no_arrays(rng, dtype):
    return {}


CASES = [
    *(
        Case(
            f"padding {name}",
            _no_arrays,
            lambda backend, dtype, name=name: Padding(
                *PADDINGS[name][:2],
                padding_mode=PADDINGS[name][2],
                dtype=dtype,
                xp=backend.xp,
                device=backend.device,
            ),
            lambda name=name: padded(name),
            natives=EVERYWHERE if name == "circular" else NOT_COMPILED,
        )
        for name in PADDINGS
    ),
    *(
        Case(
            f"axes {name}",
            _no_arrays,
            lambda backend, dtype, name=name: Rearrangement(
                *AXES[name], dtype=dtype, xp=backend.xp, device=backend.device
            ),
            lambda name=name: permuted(name),
            natives=EVERYWHERE if name == "shuffle" else NOT_COMPILED,
        )
        for name in AXES
    ),
    *(
        Case(
            f"repeated {lead}",
            lambda rng, dtype: {"a": gaussian(rng, (3, 2), dtype)},
            lambda backend, dtype, a, lead=lead: Repeated(lc.Dense(a), lead),
            lambda a, lead=lead: np.kron(np.eye(math.prod(lead)), a),
            natives=EVERYWHERE if lead == (4,) else NOT_COMPILED,
        )
        for lead in ((4,), (2, 2), ())
    ),
]


class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("ord", [1, 2, math.inf, "fro"])
def test_norms(case, ord):
    arrays = case.arrays(np.random.default_rng(0), np.dtype("float64"))
    backend = type("Home", (), {"xp": np, "device": None})
    bounds = lc.opnorm_bounds(case.build(backend, np.dtype("float64"), **arrays), ord, rtol=1e-9)
    true = np.linalg.norm(case.dense(**arrays), ord)
    assert bounds.kind == "rigorous"
    assert bounds.lower <= true * (1 + 1e-14)
    assert true <= bounds.upper * (1 + 1e-14)
    assert bounds.upper - bounds.lower <= 1e-9 * true


def test_bad_input():
    with pytest.raises(ValueError, match="`axes` must be a permutation"):
        Rearrangement((2, 3), (0, 0))
    with pytest.raises(ValueError, match="single operator"):
        Repeated(lc.Dense(np.ones((2, 3, 3))), (2,))
    with pytest.raises(ValueError, match="too wide"):
        Padding(3, (1, 3), padding_mode="reflect")
    with pytest.raises(ValueError, match="no axes to pad"):
        Padding((1, 1), (3,))
