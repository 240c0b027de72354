"""Would the tests see a fault? Faults put into the constructions, and results changed, against both kinds of test."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from parametrizations.definitions import DEFINITIONS, Definition
from parametrizations.mutants import FAULTS, MUTANTS

import lipcore as lc
from lipcore import parametrizations as P


def weights(definition):
    yield definition.weight
    yield np.ones(definition.shape)  # where bounds are met


def keeps_promise(definition):
    try:
        made = [definition.build(w) for w in weights(definition)]
        # singular values are 1 only where those of the weight are no zeros
        return definition.keeps_promise(made[0]) and definition.certified(made[1])
    except lc.NoCertificateError:
        return False


def is_the_formula(definition):
    found = definition.values(definition.build(definition.weight))
    return found.shape == definition.expected.shape and bool(
        np.allclose(found, definition.expected, rtol=0, atol=definition.atol)
    )


def of(construction):
    return [d for d in DEFINITIONS if d.function.__name__ == construction]


def test_every_construction_has_mutants():
    assert set(FAULTS) == set(P.__all__) - {"sandwich_weights"}


@pytest.mark.parametrize("construction", FAULTS)
def test_without_a_fault_nothing_is_seen(construction):
    for definition in of(construction):
        assert is_the_formula(definition), definition.name
        assert keeps_promise(definition), definition.name


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_fault_is_seen(mutant, monkeypatch):
    module, *path, name = mutant.target.split(".")
    there = importlib.import_module(f"lipcore.parametrizations.{module}")
    for part in path:
        there = getattr(there, part)
    monkeypatch.setattr(there, name, mutant.change(getattr(there, name)))
    assert not all(is_the_formula(d) for d in of(mutant.construction))
    # what breaks no promise must be left to the formula: a test of the promise that fails there tests something else
    assert all(keeps_promise(d) for d in of(mutant.construction)) != mutant.breaks


RESULTS = {
    "longer": lambda made: 1.01 * made,
    "shorter": lambda made: 0.99 * made,
    "negative": lambda made: -1 * made,
    "transposed": lambda made: made.H if isinstance(made, lc.LinearOperator) else np.swapaxes(made, 0, 1),
    "taps in reverse": lambda made: np.flip(made, axis=tuple(range(2, made.ndim))),
    "channels in reverse": lambda made: made[::-1],
}


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("definition", [d for d in DEFINITIONS if type(d) is Definition], ids=lambda d: d.name)
def test_a_changed_result_is_seen(definition, result):
    """Orthogonal ones cannot be longer or shorter; all else is for the formula to see."""
    made = definition.build(definition.weight)
    explicit = not isinstance(made, lc.LinearOperator)
    if "reverse" in result and (not explicit or made.ndim == 2):
        return  # no kernel
    changed = RESULTS[result](made)
    found = definition.values(changed)
    if explicit and found.shape == made.shape and np.array_equal(found, made):
        assert max(made.shape[:2]) == 1  # one channel
        return
    if found.shape == definition.expected.shape:
        assert not np.allclose(found, definition.expected, rtol=0, atol=1e3 * definition.atol)
        if definition.orthogonal:
            assert definition.keeps_promise(changed) == (result not in ("longer", "shorter"))
