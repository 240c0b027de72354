"""Arrays that lie on several devices: JAX shardings on two pretended CPU devices, torch DTensors on two processes.

Both run in processes of their own: the number of devices is fixed before JAX starts, and a process group is global.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

JAX = """
import numpy as np, jax, lipcore as lc
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
mesh = Mesh(np.array(jax.devices()), ("d",))
assert len(jax.devices()) == 2
a = np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32)
truth = np.linalg.svd(a, compute_uv=False)
for spec in (P("d", None), P(None, "d")):
    A = jax.device_put(a, NamedSharding(mesh, spec))
    assert abs(float(lc.opnorm(A, rng=0)) / truth[0] - 1) < 1e-5
    np.testing.assert_allclose(np.asarray(lc.svds(A, 3, tol=1e-4, rng=0).S), truth[:3], rtol=1e-4)
    bounds = lc.opnorm_bounds(lc.LowRank(A, A.T @ A), rtol=0.1, kind="probabilistic", rng=0)
    assert bounds.lower <= truth[0] ** 3 * (1 + 1e-4) and truth[0] ** 3 <= bounds.upper * (1 + 1e-4)
print("agreed")
"""

TORCH = """
import sys, torch, numpy as np, lipcore as lc
import torch.distributed as dist, torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor

def work(rank, path):
    dist.init_process_group("gloo", init_method=f"file://{path}", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    a = np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32)
    truth = np.linalg.svd(a, compute_uv=False)
    for axis in (0, 1):
        A = distribute_tensor(torch.tensor(a), mesh, [Shard(axis)])
        assert abs(float(lc.opnorm(A, rng=0)) / truth[0] - 1) < 1e-5
        np.testing.assert_allclose(lc.svds(A, 3, tol=1e-4, rng=0).S.numpy(), truth[:3], rtol=1e-4)
    if rank == 0:
        print("agreed")
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(work, args=(sys.argv[1],), nprocs=2)
"""


def _run(script: str, path: object, **environment: str) -> str:
    # DTensor and multiprocessing need a file to import from
    path.joinpath("main.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(path / "main.py"), str(path / "meeting")],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_jax_array_on_two_devices(tmp_path: object) -> None:
    assert "agreed" in _run(JAX, tmp_path, XLA_FLAGS="--xla_force_host_platform_device_count=2", JAX_PLATFORMS="cpu")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_torch_dtensor_on_two_processes(tmp_path: object) -> None:
    assert "agreed" in _run(TORCH, tmp_path)
