"""Several processes and replicas: gradients are those of one process on the whole batch."""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the modules are torch's")
from nn.ddp_worker import batch, network, step  # noqa: E402
from torch.nn.utils import parametrize  # noqa: E402

import lipcore.nn.torch as lt  # noqa: E402

WORKER = Path(__file__).with_name("ddp_worker.py")
METHODS = ["rko", "spectral", "aol", "cayley"]


def in_two_processes(arguments: list[str], out: Path) -> list[Path]:
    """What each has written. They wait when they are done and are stopped together, neither before the other."""
    files = [out.with_name(f"{out.name}.{rank}") for rank in range(2)]
    logs = [out.with_name(f"{out.name}.{rank}.log") for rank in range(2)]
    workers = []
    try:
        for rank, log in enumerate(logs):
            with log.open("w") as errors:
                workers.append(subprocess.Popen([sys.executable, str(WORKER), str(rank), *arguments], stderr=errors))
        end = time.monotonic() + 110
        while not all(file.exists() for file in files):
            stopped = time.monotonic() > end or any(worker.poll() is not None for worker in workers)
            assert not stopped, [(worker.poll(), log.read_text()) for worker, log in zip(workers, logs, strict=True)]
            time.sleep(0.05)
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    return files


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
@pytest.mark.skipif(sys.platform == "win32", reason="gloo over a file store")
def test_two_processes_have_the_gradients_of_one(tmp_path):
    arguments = [str(tmp_path / "store"), str(tmp_path / "out"), *METHODS]
    found = [torch.load(file, weights_only=True) for file in in_two_processes(arguments, tmp_path / "out")]
    for method in METHODS:
        model = network(method)
        step(model, *batch())
        expected = {name: p.grad for name, p in model.named_parameters()}
        for grads in found:
            assert set(grads[method]) == set(expected)
            for name, grad in grads[method].items():
                torch.testing.assert_close(grad, expected[name], rtol=1e-4, atol=1e-6, msg=f"{method}: {name}")


def replica(model: torch.nn.Module) -> torch.nn.Module:
    """What `torch.nn.parallel.replicate` makes for a device: modules copied flat, parameters no longer leaves."""
    copies = {module: module._replicate_for_data_parallel() for module in model.modules()}
    for module, twin in copies.items():
        for name, child in module._modules.items():
            twin._modules[name] = child if child is None else copies[child]
        for name, parameter in module._parameters.items():
            if parameter is not None:
                setattr(twin, name, parameter * 1)
        for name, value in module._buffers.items():
            twin._buffers[name] = value if value is None else value.clone()
    return copies[model]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cached", [False, True])
def test_replicas_have_the_gradients_of_one(method, cached):
    """The copies of `DataParallel`, without its devices; a cache of weights is not shared between them."""
    whole, model = network(method), network(method)
    images, labels = batch()
    step(whole, images, labels)
    halves = [replica(model) for _ in range(2)]
    for twin, half in zip(halves, (slice(0, 4), slice(4, 8)), strict=True):
        with parametrize.cached() if cached else torch.enable_grad():
            loss = lt.TauCrossEntropyLoss(3.0)(twin(images[half]), labels[half]) / 2
        loss.backward()
    for (name, ours), theirs in zip(model.named_parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_replicas_leave_the_model_as_it_was(method):
    model = network(method)
    before = copy.deepcopy(model.state_dict())
    replica(model)(batch()[0])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
