from __future__ import annotations

import doctest

import numpy as np
import pytest
from operators.conformance import Case, OperatorConformance, gaussian

import lipcore as lc
from lipcore import _backend as B

# the libraries whose functions can be differentiated
DIFFERENTIABLE = ("torch", "torch-cuda", "jax", "jax-x64")


def _layer(backend, dtype, w, x):
    # holomorphic, so that the complex dtypes are tested too
    return lc.Jacobian(lambda t: backend.xp.matmul(w, t) ** 2, x, holomorphic=True)


CASES = [
    Case(
        "matrix to matrix",
        lambda rng, dtype: {"w": gaussian(rng, (2, 3), dtype), "x": gaussian(rng, (3, 2), dtype)},
        _layer,
        lambda w, x: np.einsum("ik,ij,kl->ikjl", 2 * w @ x, w, np.eye(2)).reshape(4, 6),
        natives=("torch", "jax"),
        picklable=False,
        pretends=False,
    )
]


@pytest.mark.backends(*DIFFERENTIABLE)
class TestConformance(OperatorConformance):
    @pytest.fixture(params=CASES, ids=lambda case: case.name)
    def case(self, request):
        return request.param


@pytest.mark.backends(*DIFFERENTIABLE)
def test_shapes_and_value(backend):
    x = backend.asarray(np.arange(6.0, dtype=np.float32).reshape(2, 3))
    J = lc.Jacobian(lambda t: backend.xp.sum(t**2), x)
    assert (J.shape, J.domain_shape, J.range_shape) == ((1, 6), (2, 3), ())
    assert float(J.value) == 55.0
    assert np.array_equal(B.to_numpy(J.apply(backend.xp.ones_like(x))), 30.0)
    assert np.array_equal(B.to_numpy(J.to_dense()), 2 * np.arange(6.0)[None])


@pytest.mark.backends(*DIFFERENTIABLE)
@pytest.mark.parametrize(("before", "after"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_function_that_changes_the_dtype(backend, before, after):
    x = backend.xp.ones(3, dtype=backend.dtype(before), device=backend.device)
    J = lc.Jacobian(lambda t: 2 * backend.xp.astype(t, backend.dtype(after)), x)
    assert J.dtype == backend.dtype("float32")
    assert np.array_equal(B.to_numpy(J.to_dense()), 2 * np.eye(3))
    assert np.array_equal(B.to_numpy(J.H.to_dense()), 2 * np.eye(3))


# torch alone lacks rules for some operations
@pytest.mark.backends("torch")
def test_operations_without_a_forward_or_a_batching_rule(backend):
    import torch

    class Cube(torch.autograd.Function):
        generate_vmap_rule = False

        @staticmethod
        def forward(t):
            return t**3

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(inputs[0])

        @staticmethod
        def backward(ctx, g):
            return 3 * ctx.saved_tensors[0] ** 2 * g

    x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    J = lc.Jacobian(Cube.apply, x)
    assert torch.equal(J.to_dense(), torch.diag(3 * x**2))
    assert torch.equal(J.H.to_dense(), torch.diag(3 * x**2))


@pytest.mark.backends(*DIFFERENTIABLE)
def test_complex_points_need_a_promise(backend):
    x = backend.asarray(np.ones(2, dtype=np.complex64))
    with pytest.raises(TypeError, match="holomorphic=True"):
        lc.Jacobian(lambda t: t, x)
    with pytest.raises(TypeError, match="only real-linear"):
        lc.Jacobian(lambda t: backend.xp.real(t), x, holomorphic=True)
    with pytest.raises(TypeError, match="only real-linear"):
        lc.Jacobian(lambda t: t * 1j, backend.xp.real(x))


@pytest.mark.backends(*DIFFERENTIABLE)
def test_bad_input(backend):
    x = backend.asarray(np.ones(2, dtype=np.float32))
    with pytest.raises(TypeError, match="`f` must be callable"):
        lc.Jacobian(3, x)
    with pytest.raises(TypeError, match="`x` must be floating"):
        lc.Jacobian(lambda t: t, backend.asarray(np.ones(2, dtype=np.int32)))
    with pytest.raises(TypeError, match="`f` must return"):
        lc.Jacobian(lambda t: (t, t), x)


# the libraries without derivatives
@pytest.mark.backends("numpy", "strict")
def test_other_libraries_are_refused(backend):
    with pytest.raises(TypeError, match="torch or JAX array"):
        lc.Jacobian(lambda t: t, backend.asarray(np.ones(2)))


# written for JAX without 64 bits
@pytest.mark.backends("jax")
def test_docstring_example(backend):
    text = lc.Jacobian.__doc__.replace("  # doctest: +SKIP", "")
    test = doctest.DocTestParser().get_doctest(text, {}, "Jacobian", None, 0)
    assert len(test.examples) == 4
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test).failed == 0
