"""Every construction beside its definition; `DEFINITIONS` names them all."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from parametrizations import references as R

import lipcore as lc
from lipcore import _backend as B
from lipcore import parametrizations as P


@dataclasses.dataclass(frozen=True)
class Definition:
    """One construction, what it is to give for one weight, and what it promises."""

    function: Callable[..., Any]
    shape: tuple[int, ...]
    reference: Callable[..., Any]  # of the weight, and of the points where it is a layer
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    size: tuple[int, ...] | None = None  # of the image, where the construction has it
    orthogonal: bool = False
    scale: float = 1.0  # of the weight
    atol: float = 1e-10

    @property
    def name(self) -> str:
        parts = [self.function.__name__, "x".join(map(str, self.shape)), *map(str, self.options.values())]
        return "-".join([*parts, *([f"times{self.scale:g}"] if self.scale != 1 else [])]).replace(" ", "")

    @functools.cached_property
    def weight(self) -> np.ndarray:
        return self.scale * np.random.default_rng(4).standard_normal(self.shape)

    def build(self, weight: Any) -> Any:
        """What the construction makes: an array, an operator or a layer."""
        if self.size is not None:
            return self.function(weight, (self.shape[1], *self.size), **self.options)
        return self.function(weight, **self.options)

    def values(self, made: Any) -> Any:
        """What is compared: the array, or the operator's matrix."""
        return made.to_dense() if isinstance(made, lc.LinearOperator) else made

    @functools.cached_property
    def expected(self) -> np.ndarray:
        return np.asarray(self.reference(self.weight))

    def operator(self, made: Any) -> lc.LinearOperator:
        """What must not stretch: the operator, or the circular convolution with the kernel."""
        if self.size is not None or made.ndim == 2:
            return lc.aslinearoperator(made)
        axes = len(self.shape) - 2
        steps, gaps = (R.along(self.options.get(name, 1), axes) for name in ("stride", "dilation"))
        size = [s * max(4, -(-d * k // s)) for s, d, k in zip(steps, gaps, self.shape[2:], strict=True)]
        pads = [(0, d * (k - 1)) for d, k in zip(gaps, self.shape[2:], strict=True)]
        image = (self.shape[1] * self.options.get("groups", 1), *size)
        place = {k: v for k, v in self.options.items() if k in ("stride", "groups", "dilation")}
        return lc.Convolution(made, image, padding=pads, padding_mode="circular", **place)

    def certified(self, made: Any) -> bool:
        """Whether its norm is certified to be at most 1, that of each row where no more is promised."""
        if self.options.get("rows"):
            return bool(np.linalg.norm(made, axis=1).max() <= 1 + 1e-6)
        if self.options.get("terms", 8) not in range(8, 28, 4):
            return True  # a polynomial of another degree may be longer
        return bool(lc.opnorm_bounds(self.operator(made), rtol=1e-8, kind="rigorous").upper <= 1 + 1e-6)

    def keeps_promise(self, made: Any) -> bool:
        """The same, and all singular values are 1 where that is promised."""
        if not self.certified(made):
            return False
        return not self.orthogonal or np.linalg.svd(self.operator(made).to_dense(), compute_uv=False)[-1] >= 1 - 1e-6


@dataclasses.dataclass(frozen=True)
class Step(Definition):
    """A layer, compared at points, with a bias and scales of its hidden channels."""

    sample: tuple[int, ...] = ()

    @property
    def mode(self) -> str:
        return str(self.options.get("padding_mode", "zeros"))

    @functools.cached_property
    def parts(self) -> tuple[np.ndarray, ...]:
        """Points, bias and logarithms of scales."""
        rng = np.random.default_rng(5)
        shapes = (5, *self.sample), self.shape[:1], self.shape[:1]
        return tuple(rng.standard_normal(shape) for shape in shapes)

    def build(self, weight: Any) -> Any:
        def there(part: np.ndarray) -> Any:
            as_weight = part.astype(B.numpy_dtype(weight.dtype))
            return B.from_numpy(as_weight, xp=B.array_namespace(weight), device=B.device_of(weight))

        options = dict(self.options)
        if self.function is not P.cpl:
            options["log_scale"] = there(self.parts[2])
        return self.function(weight, bias=there(self.parts[1]), **options)

    def values(self, made: Any) -> Any:
        weight = made.weight if isinstance(made, lc.layers.ConvexPotential) else made.a
        points = self.parts[0].astype(B.numpy_dtype(weight.dtype))
        return made(B.from_numpy(points, xp=B.array_namespace(weight), device=B.device_of(weight)))

    @functools.cached_property
    def expected(self) -> np.ndarray:
        last = self.options["outputs"] if self.function is P.sandwich else self.mode
        return np.asarray(self.reference(self.parts[0], self.weight, *self.parts[1:], last))

    def certified(self, made: Any) -> bool:
        return bool(made.lipschitz(input_shape=self.sample).upper <= 1 + 5e-6)


def kernel(function: Any, shape: tuple[int, ...], reference: Any, width: int | None = None, **options: Any) -> Any:
    """Definition of an explicit weight; the options are those of its reference too."""
    known = options if width is None else {**options, "width": width}
    orthogonal = width is not None or (function in (P.rko, P.bjorck) and shape[2:] == (options.get("stride"),))
    divided = function in (P.spectral, P.cpl_weight)
    atol = 1e-8 if divided else 1e-10
    more = {"rtol": 1e-9} if divided else {"iterations": 60} if function is P.bjorck else {}
    return Definition(
        function, shape, lambda w: reference(w, **known), {**options, **more}, orthogonal=orthogonal, atol=atol
    )


def unit(m: np.ndarray) -> np.ndarray:
    return m / np.linalg.norm(m)


def unit_rows(m: np.ndarray) -> np.ndarray:
    return m / np.linalg.norm(m, axis=1, keepdims=True)


MATRICES = [
    Definition(function, shape, reference, options, orthogonal=orthogonal)
    for function, reference, options, orthogonal in [
        (P.rko, R.nearest, {}, True),
        (P.bjorck, R.nearest, {"iterations": 60}, True),
        (P.lot, R.nearest, {}, True),
        (P.cayley, R.cayley, {}, True),
        (P.soc, R.exponential, {}, True),
        (P.block_reflectors, R.reflections, {}, True),
        (P.bcop, R.nearest, {}, True),
        (P.aoc, R.nearest, {}, True),
        (P.frobenius, unit, {}, False),
        (P.frobenius, unit_rows, {"rows": True}, False),
        (P.aol, lambda w: w / np.sqrt(np.sum(np.abs(w.T @ w), axis=0)), {}, False),
        (P.sll_weight, lambda w: w / np.sqrt(np.sum(np.abs(w @ w.T), axis=1))[:, None], {}, False),
    ]
    for shape in [(5, 5), (6, 3), (3, 6)]
] + [
    *(
        Definition(f, shape, lambda w: w / np.linalg.norm(w, 2), {"rtol": 1e-9}, atol=1e-8)
        for f in (P.spectral, P.cpl_weight)
        for shape in [(6, 3), (3, 6)]
    ),
    # beyond the limits of the parameters
    Definition(P.soc, (4, 4), R.exponential, orthogonal=True, scale=50.0),
    Definition(
        P.cayley, (5, 3), lambda w: R.cayley(w / np.linalg.norm(w) * 2.0**13), orthogonal=True, scale=1e6, atol=1e-6
    ),
]
OPTIONS = [
    ((4, 3, 3, 2), {}),
    ((4, 3, 3, 2), {"stride": 2}),
    ((4, 3, 3, 2), {"groups": 2}),
    ((4, 3, 3, 2), {"dilation": (2, 1)}),
    ((6, 2, 5), {"stride": 4, "dilation": 6, "groups": 3}),
    ((5, 3, 2, 1, 3), {"stride": (1, 1, 2)}),
    ((3, 2, 3), {"stride": 3}),
]
KERNELS = [
    *(kernel(P.rko, shape, functools.partial(R.over_windows, R.nearest), **o) for shape, o in OPTIONS),
    *(kernel(P.bjorck, shape, functools.partial(R.over_windows, R.nearest), **o) for shape, o in OPTIONS),
    *(kernel(P.frobenius, shape, functools.partial(R.over_windows, unit), **o) for shape, o in OPTIONS),
    *(kernel(P.aol, shape, R.almost_orthogonal, **o) for shape, o in OPTIONS if len(shape) < 5),
    kernel(P.sll_weight, (4, 2, 3, 2), lambda w: w / np.sqrt(R.shares(w).sum(axis=1))[:, None, None, None]),
    *(
        kernel(P.spectral, shape, lambda w, **o: w / R.supremum(w, **o), **options)
        for shape, options in [
            ((4, 3, 3), {}),
            ((4, 2, 4), {"stride": 2}),
            ((4, 2, 5), {"stride": 2, "groups": 2}),
            ((2, 3, 4), {"stride": 3, "dilation": 2}),
        ]
    ),
    kernel(P.cpl_weight, (4, 2, 3), lambda w: w / R.supremum(w)),
]
WIDTHS: list[tuple[Any, tuple[int, ...], int, dict[str, Any]]] = [
    (P.bcop, (4, 4, 3, 3), 4, {}),
    (P.bcop, (5, 3, 2, 3), 5, {}),
    (P.bcop, (3, 5, 3), 5, {}),
    # the entries do not suffice for projectors on the larger side
    (P.bcop, (7, 2, 2), 2, {}),
    (P.bcop, (4, 2, 2), 4, {}),  # they just do
    (P.bcop, (2, 7, 2), 2, {}),
    (P.bcop, (6, 2, 3), 2, {"groups": 3}),
    (P.bcop, (8, 4, 2), 4, {"groups": 2, "dilation": 3}),
    (P.bcop, (1, 1, 3), 1, {}),
    (P.bcop, (2, 2, 2, 1, 3), 2, {}),
    (P.aoc, (4, 4, 2, 3), 4, {}),
    (P.aoc, (4, 3, 4), 3, {"stride": 2}),
    (P.aoc, (4, 3, 3, 2), 3, {"stride": 2}),
    (P.aoc, (9, 2, 4, 3), 2, {"stride": 2}),
    (P.aoc, (8, 3, 4), 4, {"stride": 2}),
    (P.aoc, (3, 8, 3), 2, {"stride": 2}),
    (P.aoc, (20, 2, 3), 2, {"stride": 2}),
    (P.aoc, (4, 2, 3, 3), 2, {"stride": (2, 1), "groups": 2}),
    (P.aoc, (6, 4, 5), 4, {"stride": 2, "dilation": 3}),
    (P.aoc, (4, 4, 3), 4, {"stride": 2, "dilation": 2}),
    (P.aoc, (4, 3, 5), 3, {"stride": 4, "dilation": 2}),
]
KERNELS += [kernel(function, shape, R.projectors, width, **options) for function, shape, width, options in WIDTHS]


def sized(
    function: Any, shape: tuple[int, ...], size: tuple[int, ...], reference: Any, *, scale: float = 1.0, **options: Any
) -> Definition:
    """Definition on images of one size."""
    orthogonal = options.get("form") != "kernel" and options.get("terms", 20) >= 12
    return Definition(function, shape, reference, options, size, orthogonal, scale)


IMAGES = [((3, 2, 3, 2), (3, 4)), ((2, 3, 3, 3), (4, 3)), ((2, 2, 2), (5,)), ((3, 3, 3), (6,))]
SIZED = [
    *(
        sized(P.cayley_convolution, shape, size, lambda w, n=size: R.cayley(R.circulant(w, n)), scale=0.3)
        for shape, size in IMAGES
    ),
    *(
        sized(P.lot_convolution, shape, size, lambda w, n=size: R.nearest(R.circulant(w, n)))
        for shape, size in IMAGES
        if shape[0] != shape[1]
    ),
    sized(P.lot_convolution, (2, 2, 3), (5,), lambda w: R.nearest(R.circulant(w, (5,)))),
    *(
        sized(P.eco, shape, size, lambda w, n=size: R.on_lattices(w, n), scale=0.2)
        for shape, size in [((3, 2, 3, 2), (6, 4)), ((2, 3, 3), (9,)), ((2, 2, 4), (8,)), ((2, 2, 1, 2, 3), (2, 2, 3))]
    ),
    *(
        sized(
            P.soc_convolution,
            shape,
            size,
            lambda w, n=size, mode=mode: R.exponential_on(w, n, circular=mode == "circular"),
            padding_mode=mode,
            scale=0.1,
        )
        for mode in ("zeros", "circular")
        for shape, size in [((2, 3, 3, 3), (4, 5)), ((3, 2, 3), (7,)), ((2, 2, 1, 3), (3, 4))]
    ),
    *(
        sized(
            P.soc_convolution,
            (2, 3, 3),
            (7,),
            lambda w, mode=mode, terms=terms: R.exponential_on(w, (7,), circular=mode == "circular", terms=terms),
            padding_mode=mode,
            terms=terms,
            form=form,
            scale=0.2,
        )
        for mode, form, terms in [("zeros", "terms", 3), ("circular", "kernel", 4), ("circular", "kernel", 9)]
    ),
    sized(
        P.soc_convolution,
        (2, 3, 3),
        (7,),
        lambda w: R.exponential_kernel_on(w, 7, 4),
        terms=4,
        form="kernel",
        scale=0.2,
    ),
]
# the norm of the reference is good to 1e-12, that of the library to `rtol`
STEPS = [
    *(Step(P.cpl, s, R.convex_step, {"rtol": 1e-9}, sample=s[1:], atol=1e-7) for s in [(5, 3), (2, 6), (4, 4)]),
    *(
        Step(P.cpl, (4, 2, 3), R.convex_step, {"rtol": 1e-9, "padding_mode": mode}, sample=(2, 5), atol=1e-7)
        for mode in ("zeros", "circular")
    ),
    *(Step(P.sll, s, R.sdp_step, sample=s[1:]) for s in [(5, 3), (2, 6), (4, 4)]),
    *(
        Step(P.sll, s, R.sdp_step, {"padding_mode": mode}, sample=n)
        for mode in ("zeros", "circular")
        for s, n in [((4, 2, 3, 2), (2, 4, 5)), ((2, 3, 3), (3, 5))]
    ),
    *(Step(P.sandwich, (h, 5), R.sandwich_step, {"outputs": 2}, sample=(3,)) for h in (3, 5, 8)),
]
DEFINITIONS = [*KERNELS, *MATRICES, *SIZED, *STEPS]
