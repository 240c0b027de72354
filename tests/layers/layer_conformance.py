"""What every layer must do. A test file subclasses `LayerConformance` and gives its cases::

CASES = [LayerCase("relu", lambda backend, dtype: lc.layers.ReLU(), shapes=((4,),), reference=..., torch_reference=...)]

class TestConformance(LayerConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from _backends import MAKERS

import lipcore as lc
from lipcore import _backend as B
from lipcore.layers import Layer, Region, UnboundedError

SAMPLES = 3
Points = tuple[np.ndarray, ...]


@dataclasses.dataclass(frozen=True)
class LayerCase:
    """One layer: how it is made on a backend, what it must compute, and where it is tested."""

    name: str
    build: Callable[[Any, Any], Layer]  # build(backend, dtype): weights by backend.asarray(...) in that dtype
    shapes: tuple[tuple[int, ...], ...]  # of one sample, one for each input
    reference: Callable[..., np.ndarray] | None = None  # reference(*xs) in NumPy, double precision, all samples
    torch_reference: Callable[..., Any] | None = None  # the same in torch
    inputs: Callable[[np.random.Generator], Points] | None = None  # points (SAMPLES, *shape); Gaussian by default
    regions: Callable[[np.random.Generator], Sequence[Any]] | None = None  # a region, or a tuple of them, each
    bounded: bool = True  # whether the constant is finite everywhere
    differentiable: bool = True  # whether torch can differentiate the layer's own forward map
    tolerance: float = 1.0  # factor on the tolerances, for layers that amplify rounding
    natives: tuple[str, ...] = ("numpy", "strict", "torch", "jax", "cupy")

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    def points(self, rng: np.random.Generator) -> Points:
        if self.inputs is not None:
            return self.inputs(rng)
        return tuple(rng.standard_normal((SAMPLES, *shape)) for shape in self.shapes)

    def some_regions(self, rng: np.random.Generator) -> list[tuple[Region, ...]]:
        if self.regions is None:
            centers = [points[0] for points in self.points(rng)]
            spread = [(0.6 * rng.random(c.shape), 0.9 * rng.random(c.shape)) for c in centers]
            given: Sequence[Any] = [
                tuple(lc.Ball(c, 0.7) for c in centers),
                tuple(lc.Ball(c, 0.4, math.inf) for c in centers),
                tuple(lc.Box(c - low, c + high) for c, (low, high) in zip(centers, spread, strict=True)),
            ]
        else:
            given = self.regions(rng)
        return [(region,) if isinstance(region, Region) else tuple(region) for region in given]


def points_of(region: Region, rng: np.random.Generator, count: int = 12) -> np.ndarray:
    """Points of a ball or a box: inside, on its boundary, its centre, and corners of the box."""
    shape = (count, *region.shape)
    if isinstance(region, lc.Ball):
        steps = rng.standard_normal(shape)
        if region.ord == math.inf:
            steps = np.where(rng.random(shape) < 0.7, np.sign(steps), rng.uniform(-1, 1, shape))
            length = np.ones((count, *(1 for _ in region.shape)))
        elif region.ord == "token":
            length = np.sqrt(np.sum(steps**2, axis=-1, keepdims=True))
        else:
            flat = np.linalg.norm(steps.reshape(count, -1), region.ord, axis=1)
            length = flat.reshape(count, *(1 for _ in region.shape))
        reach = np.where(np.arange(count) % 3 == 0, rng.random(count), 1.0)
        reach[0] = 0.0
        return region.center + region.radius * (1 - 1e-12) * reach.reshape(-1, *(1 for _ in region.shape)) * (
            steps / np.maximum(length, 1e-300)
        )
    low, high = np.maximum(region.lower, -1e3), np.minimum(region.upper, 1e3)
    t = rng.random(shape)
    corner = (np.arange(count) % 2 == 0).reshape(-1, *(1 for _ in region.shape))
    return np.clip(low + np.where(corner, np.round(t), t) * (high - low), low, high)


def central_differences(f: Callable[..., np.ndarray], xs: Points, step: float = 1e-6) -> np.ndarray:
    """Jacobians (samples, M, N) of a map of samples, with respect to all inputs side by side."""
    columns = []
    for i, x in enumerate(xs):
        for index in np.ndindex(x.shape[1:]):
            ends = []
            for sign in (1, -1):
                moved = x.copy()
                moved[(slice(None), *index)] += sign * step
                ends.append(f(*xs[:i], moved, *xs[i + 1 :]))
            difference = (ends[0] - ends[1]) / (2 * step)
            columns.append(difference.reshape(difference.shape[0], -1))
    return np.stack(columns, axis=-1)


def autodiff_jacobian(f: Callable[..., Any], xs: Sequence[Any]) -> np.ndarray:
    """The same by torch.func.jacrev, sample by sample."""
    import torch

    found = []
    for s in range(xs[0].shape[0]):

        def single(*one: Any) -> Any:
            return f(*(x[None] for x in one))[0].reshape(-1)

        point = tuple(x[s] for x in xs)
        blocks = torch.func.jacrev(single, argnums=tuple(range(len(xs))))(*point)
        found.append(torch.cat([block.reshape(block.shape[0], -1) for block in blocks], dim=1))
    return torch.stack(found).numpy()


def numpy_backend() -> Any:
    return MAKERS["numpy"][1]()


def real_dtypes(backend: Any) -> list[str]:
    names = [name for name in backend.dtypes if name.startswith("float")]
    return {"jax": names[:1], "jax-x64": names[-1:]}.get(backend.name, names)


def near(actual: Any, expected: np.ndarray, eps: float, factor: float = 1.0) -> None:
    actual = np.asarray(B.to_numpy(actual), dtype=np.float64)
    assert actual.shape == expected.shape
    scale = float(np.max(np.abs(expected), initial=1.0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=200 * factor * eps * scale)


class LayerConformance:
    """The suite. Subclasses define the fixture `case`."""

    @pytest.fixture
    def host(self, case: LayerCase) -> tuple[Layer, Points]:
        """The layer on NumPy in double precision, and points."""
        return case.build(numpy_backend(), np.dtype("float64")), case.points(case.rng())

    def on(self, case: LayerCase, backend: Any, name: str) -> tuple[Layer, tuple[Any, ...], Points]:
        """The layer and its points on a backend, and the points in double precision, rounded as they are there."""
        if backend.native not in case.natives:
            pytest.skip(f"{case.name} exists on {', '.join(case.natives)} only")
        rounded = [x.astype(name) for x in case.points(case.rng())]
        xs = tuple(backend.asarray(x) for x in rounded)
        return case.build(backend, backend.dtype(name)), xs, tuple(x.astype(np.float64) for x in rounded)

    # NumPy alone: both sides are computed there
    @pytest.mark.backends("numpy")
    def test_forward_is_the_reference(self, case, host, backend):
        layer, xs = host
        if case.reference is not None:
            near(layer(*xs), np.asarray(case.reference(*xs)), 2.0**-52, case.tolerance)
        y = layer(*xs)
        assert tuple(y.shape[1:]) == tuple(layer.output_shape(*(x.shape[1:] for x in xs)))
        apart = np.concatenate([layer(*(x[s : s + 1] for x in xs)) for s in range(y.shape[0])])
        np.testing.assert_allclose(apart, y, rtol=1e-12, atol=1e-12)  # samples do not meet

    # torch's own layers
    @pytest.mark.backends("torch")
    def test_torch_agrees(self, case, backend):
        layer, xs, _ = self.on(case, backend, "float64")
        dense = B.to_numpy(layer.jacobian(*xs).to_dense())
        if case.torch_reference is not None:
            near(layer(*xs), B.to_numpy(case.torch_reference(*xs)), 2.0**-52, case.tolerance)
            near(dense, autodiff_jacobian(case.torch_reference, xs), 2.0**-52, case.tolerance)
        if case.differentiable:
            near(dense, autodiff_jacobian(layer, xs), 2.0**-52, case.tolerance)

    # NumPy alone: difference quotients need double precision
    @pytest.mark.backends("numpy")
    def test_jacobian_is_the_derivative(self, case, host, backend):
        layer, xs = host
        quotient = central_differences(layer, xs)
        near(layer.jacobian(*xs).to_dense(), quotient, 1e-9, 10 * case.tolerance)

    def test_values_and_jacobians_on_every_backend(self, case, host, backend):
        for name in real_dtypes(backend):
            layer, xs, exact = self.on(case, backend, name)
            eps = B.eps(None, backend.dtype(name))
            twin = host[0] if eps < 1e-10 else case.build(numpy_backend(), np.dtype(name))
            y, J = layer(*xs), layer.jacobian(*xs)
            if twin is host[0]:
                near(y, twin(*exact), eps, case.tolerance)
                near(J.to_dense(), twin.jacobian(*exact).to_dense(), eps, case.tolerance)
            else:  # float32 weights differ from those in double precision
                near(y, np.float64(twin(*(x.astype(name) for x in exact))), eps, case.tolerance)
                near(y, host[0](*exact), eps, 10 * case.tolerance)
                near(J.to_dense(), host[0].jacobian(*exact).to_dense(), eps, 10 * case.tolerance)
            assert y.dtype == J.dtype == xs[0].dtype
            assert B.device_of(y) == B.device_of(xs[0])
            assert J.xp.__name__ == B.array_namespace(y).__name__ == backend.xp.__name__

    def test_jacobian_is_an_operator(self, case, backend):
        name = real_dtypes(backend)[-1]
        layer, xs, _ = self.on(case, backend, name)
        y, J = layer(*xs), layer.jacobian(*xs)
        sizes = [math.prod(x.shape[1:]) for x in xs]
        assert J.shape == (xs[0].shape[0], math.prod(y.shape[1:]), sum(sizes))
        assert J.range_shape == tuple(y.shape[1:])
        if len(xs) == 1:
            assert J.domain_shape == tuple(xs[0].shape[1:])
            assert tuple(J.apply(xs[0]).shape) == tuple(y.shape)
        assert lc.check_adjoint(J, rng=1)
        for part, size in zip(layer.linearize(*xs)[1], sizes, strict=True):
            assert part.shape[-2:] == (math.prod(y.shape[1:]), size)
            assert part.batch_shape in ((), (xs[0].shape[0],))

    def test_nothing_is_read_on_the_host(self, case, backend):
        layer, xs, _ = self.on(case, backend, real_dtypes(backend)[0])
        xp = backend.xp
        before = B.host_reads.count
        layer(*xs)
        J = layer.jacobian(*xs)
        v = xp.ones((J.shape[0], J.shape[2]), dtype=J.dtype, device=J.device)
        w = xp.ones((J.shape[0], J.shape[1]), dtype=J.dtype, device=J.device)
        J.matvec(v), J.rmatvec(w), J.H.matvec(w)
        assert B.host_reads.count == before

    # only JAX has jit
    @pytest.mark.backends("jax-x64")
    def test_traces_under_jit(self, case, backend):
        import jax

        layer, xs, _ = self.on(case, backend, "float64")
        J = layer.jacobian(*xs)
        v = backend.asarray(case.rng().standard_normal((J.shape[0], J.shape[2])))

        def both(v: Any, *xs: Any) -> Any:
            J = layer.jacobian(*xs)
            u = J.matvec(v)
            return layer(*xs), u, J.rmatvec(u)

        y, u, w = jax.jit(both)(v, *xs)
        near(y, B.to_numpy(layer(*xs)), 2.0**-52, case.tolerance)
        near(u, B.to_numpy(J.matvec(v)), 2.0**-52, case.tolerance)
        near(w, B.to_numpy(J.rmatvec(u)), 2.0**-52, 10 * case.tolerance)

    # constants are host numbers; torch and the strict library show that weights of others are read rightly
    @pytest.mark.backends("numpy", "torch", "strict")
    def test_constants_are_never_violated(self, case, backend):
        layer, _, _ = self.on(case, backend, "float64")
        rng = case.rng()
        for ord in (o for o in layer.ords if o in (1, 2, math.inf)):
            everywhere = None
            if case.bounded:
                everywhere = layer.lipschitz(ord, input_shape=_members(case.shapes))
                assert everywhere.lower <= everywhere.upper < math.inf
                assert everywhere.ord == ord
            for regions in case.some_regions(rng):
                bounds = layer.lipschitz(ord, _members(regions))
                assert 0 <= bounds.lower <= bounds.upper < math.inf
                if everywhere is not None:
                    assert bounds.upper <= everywhere.upper * 1.001 + 1e-300
                gains = layer.gains(ord, _members(regions))
                points = tuple(points_of(region, rng) for region in regions)
                dense = B.to_numpy(layer.jacobian(*(backend.asarray(x) for x in points)).to_dense())
                for J in dense:
                    assert np.linalg.norm(J, ord) <= bounds.upper * (1 + 1e-12)
                    start = 0
                    for gain, x in zip(gains, points, strict=True):
                        size = math.prod(x.shape[1:])
                        assert np.linalg.norm(J[:, start : start + size], ord) <= gain.upper * (1 + 1e-12)
                        start += size

    # constants are host numbers, as above
    @pytest.mark.backends("numpy", "torch", "strict")
    def test_images_hold_the_outputs(self, case, backend):
        layer, _, _ = self.on(case, backend, "float64")
        rng = case.rng()
        for regions in case.some_regions(rng):
            image = layer.image(_members(regions))
            assert image is not None
            points = tuple(points_of(region, rng) for region in regions)
            y = B.to_numpy(layer(*(backend.asarray(x) for x in points)))
            assert image.shape == y.shape[1:]
            slack = 1e-12 * (1 + np.abs(y)) * case.tolerance
            assert np.all(image.lower - slack <= y)
            assert np.all(y <= image.upper + slack)
            for ord in (1, 2, math.inf):
                worst = max(float(np.linalg.norm(np.ravel(one), ord)) for one in y)
                assert worst <= image.norm(ord) * (1 + 1e-12) + 1e-12
        if not case.bounded:
            with pytest.raises(UnboundedError, match=r"region"):
                layer.lipschitz(2, input_shape=_members(case.shapes))


def _members(several: Any) -> Any:
    """One member by itself, as single-input layers take it."""
    return several[0] if len(several) == 1 else tuple(several)
