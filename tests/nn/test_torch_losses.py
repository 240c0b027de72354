"""Losses and metrics as modules: the functions of lipcore.nn, with options kept and averages over batches."""

from __future__ import annotations

import importlib.util
import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")
from torch import nn  # noqa: E402

import lipcore as lc  # noqa: E402
import lipcore.nn.torch as lt  # noqa: E402
from lipcore.nn import losses, metrics  # noqa: E402

SCRIPT = Path(__file__).parents[2] / "docs" / "models" / "train_lipschitz_mnist.py"

MULTICLASS = {
    "KRMulticlassLoss": ({}, lambda f, y: -losses.multiclass_kr(f, y)),
    "HKRMulticlassLoss": ({"alpha": 50.0, "min_margin": 0.2}, None),
    "HKRMulticlassAutoLoss": (
        {"num_classes": 4, "alpha": 5.0, "min_margin": 0.5, "inside": 0.2},
        lambda f, y: losses.auto_hkr(f, y, torch.full((4,), 0.5), 5.0, inside=0.2),
    ),
    "CosineLoss": ({}, None),
    "CosineMarginLoss": ({"gamma": 0.6, "radius": 0.5, "guarantee": "joint"}, None),
    "LseHKRMulticlassLoss": ({"alpha": 5.0, "penalty": 0.5}, None),
    "SoftHKRMulticlassLoss": ({"alpha": 5.0, "min_margin": 0.5}, lambda f, y: None),
    "HingeMulticlassLoss": ({"min_margin": 0.3}, None),
    "CategoricalHingeLoss": ({"min_margin": 0.3}, None),
    "MultiMarginLoss": ({"min_margin": 0.3}, None),
    "TauCrossEntropyLoss": ({"tau": 3.0}, None),
    "OffsetCrossEntropyLoss": ({"offset": 0.7, "temperature": 0.5}, None),
}
BINARY = {
    "KRLoss": ({}, lambda f, y: -losses.kr(f, y)),
    "HKRLoss": ({"alpha": 0.9, "convex": True}, None),
    "HingeMarginLoss": ({"min_margin": 0.3}, None),
    "TauBCELoss": ({"tau": 3.0}, None),
}
FUNCTIONS = {
    "HKRMulticlassLoss": losses.multiclass_hkr,
    "LseHKRMulticlassLoss": losses.lse_hkr,
    "HingeMulticlassLoss": losses.multiclass_hinge,
    "CategoricalHingeLoss": losses.categorical_hinge,
    "MultiMarginLoss": losses.multi_margin,
    "TauCrossEntropyLoss": losses.tau_cross_entropy,
    "OffsetCrossEntropyLoss": losses.offset_cross_entropy,
    "HKRLoss": losses.hkr,
    "HingeMarginLoss": losses.hinge_margin,
    "CosineLoss": losses.cosine,
    "CosineMarginLoss": losses.cosine_margin,
    "TauBCELoss": losses.tau_binary_cross_entropy,
}


def batch(binary: bool):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.standard_normal(12 if binary else (12, 4)))
    return logits.requires_grad_(), torch.from_numpy(rng.integers(0, 2 if binary else 4, 12))


def test_every_loss_is_here_and_in_the_table():
    assert {name for name in lt.__all__ if name.endswith("Loss")} == {*MULTICLASS, *BINARY}


@pytest.mark.parametrize("name", [*MULTICLASS, *BINARY])
def test_loss_is_its_function_and_has_gradients(name):
    binary = name in BINARY
    options, expected = (BINARY if binary else MULTICLASS)[name]
    logits, labels = batch(binary)
    module = getattr(lt, name)(**options)
    value = module(logits, labels)
    if name in FUNCTIONS:
        assert torch.equal(value, FUNCTIONS[name](logits, labels, **options))
    elif expected(logits, labels) is not None:
        assert torch.equal(value, expected(logits, labels))
    value.backward()
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad.abs().sum()) > 0
    assert all(key in repr(module) for key in options if key in module.options)


def test_options_are_those_of_the_function():
    found = inspect.signature(lt.HKRLoss).parameters
    assert [*found] == ["alpha", "min_margin", "convex", "positive_fraction", "reduction"]
    assert lt.HKRLoss(2.0, 0.5).options == lt.HKRLoss(alpha=2.0, min_margin=0.5, convex=False).options
    with pytest.raises(TypeError, match="HKRLoss: got an unexpected keyword argument 'margin'; it takes alpha, min_m"):
        lt.HKRLoss(margin=1.0)
    # what the function says of its options, in the place of a reference to it
    if lt.HKRLoss.__doc__ is not None:
        assert "    convex : bool, default False\n        Which of the two conventions" in lt.HKRLoss.__doc__
        assert ": see `" not in lt.SoftHKRMulticlassLoss.__doc__


def test_learned_margins_stay_between_their_ends():
    logits, labels = batch(False)
    module = lt.HKRMulticlassAutoLoss(4, 5.0, 0.5, 0.9)
    optimizer = torch.optim.SGD(module.parameters(), lr=100.0)
    for scale, end in ((100.0, 0.9), (1e-6, 0.5)):
        for _ in range(3):
            optimizer.zero_grad()
            module(scale * (logits.detach() + 10 * nn.functional.one_hot(labels, 4) - 5), labels).backward()
            optimizer.step()
        module(logits, labels)
        torch.testing.assert_close(module.margins.detach(), torch.full((4,), end))
    assert set(module.state_dict()) == {"margins"}
    with pytest.raises(ValueError, match="`min_margin` must be positive"):
        lt.HKRMulticlassAutoLoss(4, min_margin=2.0, max_margin=1.0)


def test_soft_hkr_keeps_a_running_scale_in_training_only():
    logits, labels = batch(False)
    module = lt.SoftHKRMulticlassLoss(alpha=5.0, min_margin=0.5, alpha_mean=0.5)
    first = module(logits, labels)
    scale = float(losses.soft_hkr_scale(0.5, logits, decay=0.5))
    assert abs(float(module.scale) - scale) < 1e-6
    torch.testing.assert_close(first, losses.soft_hkr(logits, labels, 5.0, min_margin=0.5, scale=module.scale.double()))
    module.eval()
    module(logits, labels)
    assert abs(float(module.scale) - scale) < 1e-6
    other = lt.SoftHKRMulticlassLoss()
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.scale, module.scale)


def test_metrics_average_over_batches():
    logits, labels = batch(False)
    for metric, whole in (
        (lt.CategoricalProvableAvgRobustness(lipschitz=2.0), metrics.mean_certificate(logits, labels, lipschitz=2.0)),
        (lt.CategoricalProvableRobustAccuracy(0.3), metrics.certified_accuracy(logits, labels, 0.3)),
    ):
        for part in (slice(0, 5), slice(5, 12)):
            metric.update(logits[part], labels[part])
        torch.testing.assert_close(metric.compute(), whole.detach())
        metric.reset()
        assert torch.isnan(metric.compute())
        assert not metric(logits, labels).requires_grad


def test_guarantee_is_proved_and_no_worse_than_the_product():
    torch.manual_seed(0)
    net = nn.Sequential(lt.SpectralLinear(6, 8), lt.GroupSort2(), lt.UnitNormLinear(8, 4, bias=False)).eval()
    x, labels = torch.randn(20, 6), torch.arange(20) % 4
    logits = net(x).detach()
    pairs = lt.guarantee(net, (6,))
    joint = metrics.certificates(logits, labels, lipschitz=lt.certify(net, (6,)).bounds)
    found = metrics.certificates(logits, labels, **pairs)
    assert bool((found >= joint * (1 - 1e-5)).all())
    # no attack within the radius changes the class
    predicted = logits.argmax(dim=1)
    radii = metrics.certificates(logits, **pairs)
    for seed in range(50):
        step = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        step = step / step.norm(dim=1, keepdim=True) * radii[:, None] * 0.999
        assert torch.equal(net(x + step).argmax(dim=1), predicted)
    assert lt.guarantee(nn.Sequential(nn.Linear(6, 3), nn.ReLU()), (6,))["guarantee"] == "joint"
    assert lt.guarantee(nn.Linear(6, 3), (6,))["guarantee"] == "joint"


def test_guarantee_follows_the_numbers_and_not_the_construction():
    net = nn.Sequential(lt.SpectralLinear(6, 8), lt.GroupSort2(), lt.SpectralLinear(8, 4)).eval()
    before = lt.guarantee(net, (6,))["lipschitz"]
    plain = lt.export(net)
    with torch.no_grad():
        plain[0].weight.mul_(2.0)
    torch.testing.assert_close(lt.guarantee(plain, (6,))["lipschitz"], 2 * before, rtol=1e-4, atol=1e-6)


def idx(path: Path, array: np.ndarray) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.mark.skipif(not SCRIPT.exists(), reason="the documentation is not beside the tests")
def test_training_script_runs_and_proves(tmp_path):
    rng = np.random.default_rng(0)
    for name, samples in (("train", 96), ("t10k", 40)):
        labels = rng.integers(0, 10, samples)
        images = rng.integers(0, 40, (samples, 28, 28))
        images[np.arange(samples), 2 * labels + 2] = 255  # the class is a bright row
        idx(tmp_path / f"{name}-images-idx3-ubyte", images)
        idx(tmp_path / f"{name}-labels-idx1-ubyte", labels)
    command = [
        sys.executable,
        str(SCRIPT),
        "--data",
        str(tmp_path),
        "--epochs",
        "12",
        "--batch",
        "16",
        "--threads",
        "1",
    ]
    done = subprocess.run([*command, "--lr", "0.01"], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["accuracy"] > 0.5
    assert result["mean_certificate"] > 0.05
    assert result["kind"] == "rigorous"
    assert result["certified_accuracy"]["0.1"] <= result["accuracy"]
    assert result["lipschitz"] < 1.01


@pytest.mark.skipif(not SCRIPT.exists(), reason="the documentation is not beside the tests")
def test_training_script_certifies_no_more_than_an_attack_leaves():
    spec = importlib.util.spec_from_file_location("train_lipschitz_mnist", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    torch.manual_seed(0)
    model = script.network("rko", "spectral")
    images, labels = torch.rand(30, 1, 28, 28), torch.arange(30) % 10
    with torch.no_grad():
        labels = model.eval()(images).argmax(dim=1)  # an untrained network is right about what it says
    found = script.prove(model, images, labels)
    x = images.clone().requires_grad_()
    logits = model(x)
    top = logits.topk(2, dim=1)
    (top.values[:, 0] - top.values[:, 1]).sum().backward()
    step = x.grad / x.grad.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    for radius, certified in zip(script.RADII, found["certified_accuracy"].values(), strict=True):
        attacked = (model(images - radius * step).argmax(dim=1) == labels).float().mean()
        assert certified <= float(attacked)
    assert lc.__version__
