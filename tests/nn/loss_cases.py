"""The losses as loops over samples and classes in plain Python, and the cases to try them on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lipcore.nn import losses as L


def positive(x: float) -> float:
    return max(x, 0.0)


def log_sum_exp(values: Any, t: float = 1.0) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(t * (v - top)) for v in values)) / t


def by_sample(term: Callable[..., float]) -> Callable[..., np.ndarray]:
    """A loss of a whole batch from that of one sample."""

    def loss(logits: np.ndarray, labels: np.ndarray, **options: Any) -> np.ndarray:
        return np.array([term(row, label, **options) for row, label in zip(logits, labels, strict=True)])

    return loss


def others(f: np.ndarray, y: int) -> list[float]:
    return [float(v) for j, v in enumerate(f) if j != y]


def kr(logits: np.ndarray, labels: np.ndarray, positive_fraction: Any = None) -> np.ndarray:
    logits, labels = logits.reshape(len(logits), -1), labels.reshape(len(logits), -1)
    total = np.zeros(len(logits))
    for k in range(logits.shape[1]):
        p = np.mean(labels[:, k] > 0) if positive_fraction is None else positive_fraction
        for i in range(len(logits)):
            total[i] += logits[i, k] / p if labels[i, k] > 0 else -logits[i, k] / (1 - p)
    return total / logits.shape[1]


def hinge_margin(logits: np.ndarray, labels: np.ndarray, min_margin: float = 1.0) -> np.ndarray:
    signs = np.where(labels.reshape(logits.shape) > 0, 1, -1)
    return np.maximum(min_margin / 2 - signs * logits, 0).reshape(len(logits), -1).mean(axis=1)


def multiclass_kr(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return kr(logits, np.eye(logits.shape[1])[labels])


@by_sample
def multiclass_hinge(f, y, min_margin=1.0):
    wrong = sum(positive(min_margin / 2 + v) for v in others(f, y))
    return ((len(f) - 1) * positive(min_margin / 2 - f[y]) + wrong) / len(f)


@by_sample
def multi_margin(f, y, min_margin=1.0):
    return sum(positive(min_margin - f[y] + v) for v in others(f, y)) / len(f)


@by_sample
def categorical_hinge(f, y, min_margin=1.0):
    return positive(min_margin - f[y] + max(others(f, y)))


def combination(kr_part, hinge_part, alpha, convex=False):
    if alpha == (1 if convex else math.inf):
        return hinge_part
    return alpha * hinge_part - ((1 - alpha) if convex else 1) * kr_part


def hkr(logits, labels, alpha=10.0, min_margin=1.0, convex=False):
    return combination(kr(logits, labels), hinge_margin(logits, labels, min_margin), alpha, convex)


def multiclass_hkr(logits, labels, alpha=10.0, min_margin=1.0, convex=False):
    return combination(
        multiclass_kr(logits, labels), multiclass_hinge(logits, labels, min_margin=min_margin), alpha, convex
    )


def soft_hkr(logits, labels, alpha=10.0, min_margin=1.0, temperature=1.0, scale=None, convex=False):
    size = np.mean(np.abs(logits)) if scale is None else scale
    t = min(max(temperature * min_margin / max(size, min_margin), 0.005), 250.0)
    found = []
    for f, y in zip(logits, labels, strict=True):
        wrong = np.array(others(f, y))
        w = np.exp(t * wrong) / np.sum(np.exp(t * wrong))
        hinge = positive(min_margin / 2 - f[y]) + float(w @ np.maximum(min_margin / 2 + wrong, 0))
        found.append(combination(f[y] - float(w @ wrong), hinge, alpha, convex))
    return np.array(found)


@by_sample
def lse_hkr(f, y, alpha=10.0, min_margin=1.0, penalty=1.0, temperature=1.0, convex=False):
    f = f * temperature
    wrong = others(f, y)
    top = wrong[0] if len(wrong) == 1 else log_sum_exp(wrong, math.log(len(wrong)) / (penalty * min_margin / 2))
    hinge = positive(min_margin / 2 - f[y]) + positive(min_margin / 2 + top)
    return combination(f[y] - top, hinge, alpha, convex)


@by_sample
def tau_cross_entropy(f, y, tau):
    return log_sum_exp(list(f), tau) - f[y]


def tau_binary_cross_entropy(logits, labels, tau):
    signs = np.where(labels.reshape(logits.shape) > 0, 1, -1)
    return (np.logaddexp(0, -tau * signs * logits) / tau).reshape(len(logits), -1).mean(axis=1)


@by_sample
def offset_cross_entropy(f, y, offset=2.1213203435596424, temperature=0.25):
    f = f.copy()
    f[y] -= offset
    return log_sum_exp(list(f), 1 / temperature) - f[y]


@by_sample
def cosine(f, y):
    return -f[y] / math.hypot(*f)


@by_sample
def cosine_margin(f, y, gamma=0.1, radius=36 / 255, lipschitz=1.0, guarantee="per_logit"):
    per = lipschitz * (2 if guarantee == "per_logit" else math.sqrt(2))
    short = [positive(radius - (f[y] - v) / per) for v in others(f, y)]
    weights = [math.exp(c) for c in short]
    hinge = sum(w * c for w, c in zip(weights, short, strict=True)) / sum(weights)
    return gamma * hinge - (1 - gamma) * f[y] / math.hypot(*f)


class Case(NamedTuple):
    loss: Callable[..., Any]
    reference: Callable[..., np.ndarray]
    options: dict[str, Any]
    multiclass: bool

    @property
    def name(self) -> str:
        return "-".join([self.loss.__name__, *(f"{k}={v}" for k, v in self.options.items())])


def _case(loss: Callable[..., Any], **options: Any) -> Case:
    name = loss.__name__
    return Case(loss, globals()[name], options, name not in ("kr", "hkr", "hinge_margin", "tau_binary_cross_entropy"))


CASES = [
    _case(L.kr),
    _case(L.kr, positive_fraction=0.3),
    _case(L.hinge_margin, min_margin=0.4),
    _case(L.hkr, alpha=3.0, min_margin=0.5),
    _case(L.hkr, alpha=0.75, convex=True),
    _case(L.multiclass_kr),
    _case(L.multiclass_hinge, min_margin=0.4),
    _case(L.multi_margin, min_margin=0.4),
    _case(L.categorical_hinge, min_margin=2.0),
    _case(L.multiclass_hkr, alpha=50.0, min_margin=0.2),
    _case(L.multiclass_hkr, alpha=0.9, convex=True),
    _case(L.soft_hkr, alpha=2.0, min_margin=0.3),
    _case(L.soft_hkr, alpha=0.9, temperature=5.0, scale=2.0, convex=True),
    _case(L.lse_hkr, alpha=2.0, min_margin=0.3, penalty=0.5, temperature=2.0),
    _case(L.lse_hkr, alpha=1.0, convex=True),
    _case(L.tau_cross_entropy, tau=3.0),
    _case(L.tau_cross_entropy, tau=100.0),
    _case(L.tau_binary_cross_entropy, tau=3.0),
    _case(L.offset_cross_entropy),
    _case(L.offset_cross_entropy, offset=-1.0, temperature=2.0),
    _case(L.cosine),
    _case(L.cosine_margin, gamma=0.7, radius=0.5),
    _case(L.cosine_margin, gamma=1.0, radius=0.5, lipschitz=2.0, guarantee="joint"),
]


def batch(case: Case, samples: int = 7, outputs: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels for `case`: classes that are all there, or signs of both kinds in every column."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((samples, outputs))
    if case.multiclass:
        return logits, rng.permutation(np.arange(samples) % outputs)
    return logits, np.where((np.arange(samples)[:, None] + np.arange(outputs)) % 3, 1, -1)
