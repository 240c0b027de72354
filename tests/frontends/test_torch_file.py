"""Reader of torch state dicts: no code in a file ever runs."""

from __future__ import annotations

import collections
import os
import pickle
import warnings
import zipfile

import numpy as np
import pytest
from _models import damaged, refusals

from lipcore.frontends import ModelFormatError, load_weights
from lipcore.frontends.torch_file import read_torch

torch = pytest.importorskip("torch", reason="the extra torch is not installed")


class Harmful:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def state(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return collections.OrderedDict(
        (name, torch.randn(shape, generator=generator))
        for name, shape in {"conv.weight": (4, 3, 3, 3), "fc.weight": (5, 7)}.items()
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_reads_both_of_torchs_formats(tmp_path, zipped):
    torch.save(state(), tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    read = read_torch(tmp_path / "model.pt")
    assert list(read) == list(state())
    for name, tensor in state().items():
        np.testing.assert_array_equal(read[name], tensor.numpy())


def test_short_floats_are_widened_and_views_are_read(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "bf16": base.bfloat16(),
        "f16": base.half(),
        "t": base.T,
        "part": base[1:, ::2],
        "p": torch.nn.Parameter(base),
    }
    torch.save(tensors, tmp_path / "model.pth")
    read = read_torch(tmp_path / "model.pth")
    for name, tensor in tensors.items():
        assert read[name].dtype == np.float32
        np.testing.assert_array_equal(read[name], tensor.detach().float().numpy())


def test_checkpoints_are_flattened_and_optimisers_told_apart(tmp_path):
    checkpoint = {
        "epoch": 3,
        "model_state": state(),
        "optimizer_state": {"state": {0: {"exp_avg": torch.ones(5, 7)}}, "param_groups": []},
    }
    torch.save(checkpoint, tmp_path / "model.ckpt")
    weights = load_weights(tmp_path / "model.ckpt")
    assert [layer.name for layer in weights.layers] == ["conv", "fc"]
    assert [(part.name, part.reason) for part in weights.not_linear] == [
        ("optimizer_state.state.0.exp_avg", "state of an optimiser")
    ]


def test_two_networks_in_one_checkpoint_keep_their_names(tmp_path):
    torch.save({"generator": state(), "critic": state(1)}, tmp_path / "model.pt")
    names = [layer.name for layer in load_weights(tmp_path / "model.pt").layers]
    assert names == ["generator.conv", "generator.fc", "critic.conv", "critic.fc"]


def test_what_is_no_dense_tensor_is_listed(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = {
            "a.weight": torch.eye(3),
            "s.weight": torch.eye(3).to_sparse(),
            "f8.weight": torch.ones(2, 2).to(torch.float8_e4m3fn),
        }
        torch.save(tensors, tmp_path / "model.pt")
        weights = load_weights(tmp_path / "model.pt")
    assert [layer.name for layer in weights.layers] == ["a"]
    assert [part.name for part in weights.not_understood] == ["s.weight", "f8.weight"]
    assert "layout" in weights.not_understood[0].reason
    assert "float8" in weights.not_understood[1].reason


@pytest.mark.parametrize("writer", ["torch", "legacy", "pickle"])
def test_no_code_in_a_file_runs(tmp_path, writer):
    witness = tmp_path / "witness"
    content = {"fc.weight": torch.eye(2), "hook": Harmful(f"touch {witness}")}
    path = tmp_path / "model.pt"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Harmful(f"touch {witness}")))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=writer == "torch")
    with pytest.raises(ModelFormatError, match="runs code"):
        load_weights(path)
    assert not witness.exists()


def test_whole_modules_are_refused_with_advice(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pt")
    with pytest.raises(ModelFormatError, match=r"state_dict\(\)"):
        load_weights(tmp_path / "model.pt")


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated in newer releases and says so
def test_torchscript_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "model.pt")
    with pytest.raises(ModelFormatError, match="TorchScript"):
        load_weights(tmp_path / "model.pt")
    (tmp_path / "model.pt").rename(tmp_path / "model.jit")
    with pytest.raises(ModelFormatError, match="TorchScript"):
        load_weights(tmp_path / "model.jit")


def test_compressed_archives_are_refused_as_bombs(tmp_path):
    torch.save(state(), tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "model.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for member in plain.infolist():
            packed.writestr(member.filename, plain.read(member))
    with pytest.raises(ModelFormatError, match="zip bomb"):
        load_weights(tmp_path / "model.pt")


@pytest.mark.parametrize("content", [{}, {"a": 1, "b": "text"}, [], 5])
def test_files_without_tensors_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ModelFormatError, match="no tensors"):
        load_weights(tmp_path / "model.pt")


@pytest.mark.parametrize("zipped", [True, False])
def test_damage_raises_nothing_but_our_own_error(tmp_path, zipped):
    torch.save(
        {"w": torch.ones(3, 4), "state": [torch.zeros(2)]}, tmp_path / "good.pt", _use_new_zipfile_serialization=zipped
    )
    bad = tmp_path / "bad.pt"
    messages = refusals(bad, damaged((tmp_path / "good.pt").read_bytes(), 200))
    assert len(messages) > 100
    assert all(str(bad) in text and "\n" not in text for text in messages)
