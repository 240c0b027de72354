import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from lipcore import _backend as B

NUMPY_MODES = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}


@st.composite
def problems(draw):
    axes = draw(st.integers(1, 3))
    spatial = tuple(draw(st.integers(1, 5)) for _ in range(axes))
    mode = draw(st.sampled_from(B.PADDING_MODES))
    most = [{"circular": n, "reflect": n - 1}.get(mode, 6) for n in spatial]
    pads = tuple(draw(st.tuples(st.integers(0, m), st.integers(0, m))) for m in most)
    lead = draw(st.sampled_from([(), (2,), (2, 3)]))
    return (*lead, *spatial), pads, mode


def check(backend, shape, pads, mode, dtype="float64"):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    if dtype.startswith("complex"):
        x = (x + 1j * rng.standard_normal(shape)).astype(dtype)
    before = x.copy()
    there = backend.asarray(x)
    y = B.pad(there, pads, mode)
    lead = ((0, 0),) * (len(shape) - len(pads))
    wanted = np.pad(x, lead + pads, mode=NUMPY_MODES[mode])
    assert y.dtype == there.dtype
    assert B.device_of(y) == B.device_of(there)
    np.testing.assert_array_equal(backend.to_numpy(y), wanted)
    np.testing.assert_array_equal(x, before)

    z = rng.standard_normal(wanted.shape).astype(dtype)
    kept = z.copy()
    back = B.pad_adjoint(backend.asarray(z), pads, mode)
    assert tuple(back.shape) == shape
    assert B.dtype_name(back.dtype) == dtype
    assert B.device_of(back) == B.device_of(there)
    left, right = np.vdot(wanted, z), np.vdot(x, backend.to_numpy(back))
    assert abs(left - right) <= 100 * np.finfo(dtype).eps * np.linalg.norm(wanted) * np.linalg.norm(z)
    np.testing.assert_array_equal(z, kept)


@given(problem=problems())
@settings(max_examples=200, deadline=None)
def test_like_numpy_pad_and_adjoint(problem):
    import array_api_compat.numpy as xp
    from _backends import Backend

    check(Backend("numpy", "numpy", xp), *problem)


@pytest.mark.parametrize("mode", B.PADDING_MODES)
@pytest.mark.parametrize("pads", [((1, 2),), ((2, 0), (0, 3)), ((3, 3), (1, 1), (0, 0)), ((0, 0), (0, 0))])
def test_everywhere(backend, mode, pads):
    for dtype in backend.dtypes:
        check(backend, (2, *(4, 5, 4)[: len(pads)]), pads, mode, dtype)


@pytest.mark.parametrize("mode", ["circular", "replicate", "reflect"])
def test_widest(backend, mode):
    most = {"circular": 3, "reflect": 2, "replicate": 7}[mode]
    check(backend, (2, 3), ((most, most),), mode, "float32")


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
def test_torch_agrees(mode):
    torch = pytest.importorskip("torch")
    x = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    ours = B.pad(x, ((3, 1), (0, 4)), mode)
    theirs = torch.nn.functional.pad(x, (0, 4, 3, 1), mode="constant" if mode == "zeros" else mode)
    assert torch.equal(ours, theirs)


def test_pad_adjoint_is_the_torch_gradient():
    torch = pytest.importorskip("torch")
    pads = ((2, 1), (3, 0))
    for mode in B.PADDING_MODES:
        x = torch.randn((1, 2, 4, 5), dtype=torch.float64, requires_grad=True)
        y = B.pad(x, pads, mode)
        z = torch.randn_like(y)
        (gradient,) = torch.autograd.grad(y, x, z)
        torch.testing.assert_close(B.pad_adjoint(z, pads, mode), gradient)


def test_traces_under_jit():
    jax = pytest.importorskip("jax")
    x = np.random.default_rng(0).standard_normal((2, 4, 5)).astype(np.float32)
    pads = ((1, 2), (0, 3))
    for mode in B.PADDING_MODES:
        both = lambda a, mode=mode: B.pad_adjoint(B.pad(a, pads, mode), pads, mode)  # noqa: E731
        np.testing.assert_allclose(np.asarray(jax.jit(both)(jax.numpy.asarray(x))), both(x), rtol=1e-6)


@pytest.mark.parametrize(
    ("mode", "pads", "message"),
    [
        ("mirror", ((1, 1),), "padding_mode.*zeros, circular, reflect, replicate.*'mirror'"),
        ("circular", ((0, 4),), r"padding.*\(0, 4\).*size 3.*at most 3"),
        ("reflect", ((3, 0),), r"padding.*\(3, 0\).*size 3.*at most 2"),
    ],
)
def test_refusals(mode, pads, message):
    with pytest.raises(ValueError, match=message):
        B.pad(np.zeros((1, 3)), pads, mode)
    with pytest.raises(ValueError, match=message):
        B.pad_adjoint(np.zeros((1, 3 + sum(pads[0]))), pads, mode)
