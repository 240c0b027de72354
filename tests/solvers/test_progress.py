"""Callback, progress bar, results."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from _spectra import gaussian

import lipcore as lc


def test_bar_is_drawn(capsys) -> None:
    pytest.importorskip("tqdm")
    lc.lanczos_svd(gaussian(80, 80), 2, rng=0, progress=True)
    assert "lanczos_svd" in capsys.readouterr().err


def test_missing_tqdm_is_said(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="`progress=True` draws with tqdm, which is not installed"):
        lc.lanczos_svd(gaussian(80, 80), 2, progress=True)


def test_callback_must_be_callable() -> None:
    with pytest.raises(TypeError, match="`callback` must be callable"):
        lc.lanczos_svd(gaussian(8, 8), 2, callback=3)


def test_callback_can_stop_a_run() -> None:
    class Stop(Exception):
        pass

    def stop(state) -> None:
        raise Stop

    with pytest.raises(Stop):
        lc.power_method(gaussian(80, 80), callback=stop)


def test_results_are_frozen() -> None:
    result = lc.lanczos_svd(gaussian(20, 20), 2, rng=0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.S = np.zeros(2)
