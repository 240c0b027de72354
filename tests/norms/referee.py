"""Exact referee of norms: rational arithmetic decides, without an error of its own, whether a bound is true.

``||A||_2 <= t`` holds exactly if ``t^2 I - A^H A`` is positive semidefinite. Floats are rationals, so the matrix is
scaled to integers and eliminated without fractions (Bareiss). A test runs a few thousand cases; a program runs many:

    python tests/norms/referee.py --count 100000 --seed 1
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from operator import mul

import numpy as np

import lipcore as lc
from lipcore.norms.cholesky import norm_at_most
from lipcore.norms.dense import dense_bounds, norm_lower_bound
from lipcore.norms.induced import induced_bounds
from lipcore.norms.structured import structured_bounds


class Rational:
    """A real matrix as integers times a power of two, and its Gram matrix.

    Parameters
    ----------
    rows : sequence of sequences of int
    factor : int
        What the matrix was multiplied by.
    """

    def __init__(self, rows: Sequence[Sequence[int]], factor: int) -> None:
        self.rows, self.factor = rows, factor

    @cached_property
    def gram(self) -> list[list[int]]:
        """``A^T A``, or ``A A^T`` if that is smaller, times the square of the factor."""
        columns = list(zip(*self.rows, strict=True)) if len(self.rows) >= len(self.rows[0]) else self.rows
        return [[sum(map(mul, c, d)) for d in columns] for c in columns]

    def semidefinite(self, t: Fraction, *, strictly: bool) -> bool:
        """Whether ``t^2 I - A^T A`` is positive semidefinite, or definite."""
        square, ones = (t.numerator * self.factor) ** 2, t.denominator**2
        rows = [[square * (i == j) - x * ones for j, x in enumerate(row)] for i, row in enumerate(self.gram)]
        previous = 1
        for k, top in enumerate(rows):
            pivot = top[k]
            if pivot < 0 or (pivot == 0 and (strictly or any(top[k:]))):
                return False
            if pivot == 0:
                continue
            for i in range(k + 1, len(rows)):
                row, head = rows[i], rows[i][k]
                for j in range(i, len(rows)):
                    row[j] = rows[j][i] = (row[j] * pivot - head * top[j]) // previous
            previous = pivot
        return True


def rational(a: np.ndarray) -> Rational:
    """Exact real matrix with the singular values of `a` (each twice, if complex)."""
    if a.dtype.kind == "c":
        a = np.block([[a.real, -a.imag], [a.imag, a.real]])
    ratios = [[float(x).as_integer_ratio() for x in row] for row in np.atleast_2d(a)]
    factor = max(below for row in ratios for _, below in row)
    return Rational([[above * (factor // below) for above, below in row] for row in ratios], factor)


def norm_is_at_most(a: Rational, t: Fraction) -> bool:
    """Exactly whether ``||A||_2 <= t``."""
    return t >= 0 and a.semidefinite(t, strictly=False)


def norm_is_at_least(a: Rational, t: Fraction) -> bool:
    """Exactly whether ``||A||_2 >= t``."""
    return t <= 0 or not a.semidefinite(t, strictly=True)


def power_of_two(x: float, slack: float) -> Fraction:
    """``2^x`` to relative precision `slack`, as a rational."""
    whole = math.floor(x)
    return Fraction(2) ** whole * Fraction(2.0 ** (x - whole)) * (1 + Fraction(slack))


def integer_matrix(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    return rng.integers(-9, 10, (m, n)).astype(np.float64)


def graded(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    reach = rng.choice([3.0, 12.0, 140.0])
    return rng.standard_normal((m, n)) * 10.0 ** rng.uniform(-reach, reach, (m, n))


def near_equal(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    k = min(m, n)
    left, right = (np.linalg.qr(rng.standard_normal((x, k)))[0] for x in (m, n))
    return left * (1.0 + 2.0 ** -rng.integers(1, 53, k)) @ right.T


def rank_one(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    return np.outer(integer_matrix(rng, 1, m)[0], integer_matrix(rng, 1, n)[0])


def hadamard(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    h = np.ones((1, 1))
    while h.shape[0] < max(m, n):
        h = np.block([[h, h], [h, -h]])
    return h[:m, :n]


def sparse_entries(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    return rng.standard_normal((m, n)) * (rng.random((m, n)) < 0.4)


def orthogonal(rng: np.random.Generator, m: int, n: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((max(m, n), min(m, n))))[0]


FAMILIES = {
    "gaussian": lambda rng, m, n: rng.standard_normal((m, n)),
    "integer": integer_matrix,
    "graded": graded,
    "nearly equal": near_equal,
    "rank one": rank_one,
    "hadamard": hadamard,
    "zeros": sparse_entries,
    "orthogonal": orthogonal,
    "ones": lambda rng, m, n: np.full((m, n), rng.choice([1.0, 0.1, 3.0])),
}
SCALES = {"unit": 0, "near overflow": 1020, "near underflow": -1015, "denormal": -1065, "float32 range": 120}


def cases(count: int, seed: int) -> Iterator[tuple[str, np.ndarray, np.random.Generator]]:
    """`count` matrices of all families, scales and dtypes."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        name = list(FAMILIES)[index % len(FAMILIES)]
        m, n = rng.integers(1, 6, 2) if rng.random() < 0.8 else rng.choice([4, 4, 8], 2)
        with np.errstate(all="ignore"):
            a = np.asarray(FAMILIES[name](rng, int(m), int(n)), dtype=np.float64)
            if rng.random() < 0.25:
                a = a + 1j * np.asarray(FAMILIES[name](rng, int(m), int(n)), dtype=np.float64).reshape(a.shape)
            scale = str(rng.choice(list(SCALES), p=[0.6, 0.1, 0.1, 0.1, 0.1]))
            a = a * 2.0 ** SCALES[scale]
            if rng.random() < 0.25:
                a = a.astype(np.complex64 if a.dtype.kind == "c" else np.float32)
        a = np.where(np.isfinite(a), a, np.asarray(1.0, dtype=a.dtype)).astype(a.dtype)
        yield f"{name}, {scale}, {a.dtype}", np.asfortranarray(a) if rng.integers(2) else a, rng


def check_bounds(a: np.ndarray, rng: np.random.Generator) -> tuple[list[str], float]:
    """Violations of the two-sided bounds of one matrix, and their relative width."""
    exact, wrong = rational(a), []
    bounds = dense_bounds(a, rtol=10.0 ** -rng.uniform(1, 16))
    if not norm_is_at_least(exact, Fraction(bounds.lower)):
        wrong.append(f"lower {bounds!r}")
    if math.isfinite(bounds.upper) and not norm_is_at_most(exact, Fraction(bounds.upper)):
        wrong.append(f"upper {bounds!r}")
    # A logarithm is checked at the nearest rational beyond it that can be had.
    if math.isfinite(bounds.log2_upper):
        if not norm_is_at_most(exact, power_of_two(bounds.log2_upper, 2.0**-45)):
            wrong.append(f"log2_upper {bounds.log2_upper!r}")
        if math.isfinite(bounds.log2_lower) and not norm_is_at_least(
            exact, power_of_two(bounds.log2_lower, -(2.0**-45))
        ):
            wrong.append(f"log2_lower {bounds.log2_lower!r}")
    elif np.any(a):
        wrong.append("zero bound of a matrix that is not zero")
    return wrong, float(bounds.relative_width)


def check_threshold(a: np.ndarray, rng: np.random.Generator) -> tuple[list[str], bool]:
    """Violations of `norm_at_most` at a threshold close to the norm, and whether it was proved."""
    with np.errstate(all="ignore"):
        guess = float(dense_bounds(a, 1e-15).lower) * (1 + rng.choice([-1, 1]) * 10.0 ** -rng.uniform(2, 16))
    precision = str(rng.choice(["float64", "float32"]))
    if not math.isfinite(guess):
        return [], False
    perturbation = float(rng.choice([0.0, 0.0, 1e-9, 1e-3])) * guess
    proved = bool(norm_at_most(a, guess, precision=precision, perturbation=perturbation))
    # The claim is about every matrix within the perturbation.
    reach = Fraction(guess) - Fraction(perturbation)
    wrong = proved and not norm_is_at_most(rational(a), reach)
    return ([f"{precision} threshold {guess!r}, perturbation {perturbation!r}"] if wrong else []), proved


def check_vector(a: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Violations of the lower bound from a vector."""
    v = rng.standard_normal(a.shape[1]) * 2.0 ** rng.choice([0, 600, -600, 300])
    bound = Fraction(norm_lower_bound(a, v))
    exact, x = rational(a), rational(np.concatenate([v, 0 * v]) if a.dtype.kind == "c" else v).rows[0]
    image = [sum(map(mul, row, x)) for row in exact.rows]
    reached, length = sum(map(mul, image, image)), sum(map(mul, x, x))
    return [] if bound * bound * length * exact.factor**2 <= reached else [f"vector bound {float(bound)!r} of {v!r}"]


def check_sums(a: np.ndarray) -> list[str]:
    """Violations of the 1-, inf- and Frobenius norms of a real matrix."""
    exact, wrong = rational(a), []
    squares = {
        1: max(sum(map(abs, column)) for column in zip(*exact.rows, strict=True)) ** 2,
        math.inf: max(sum(map(abs, row)) for row in exact.rows) ** 2,
        "fro": sum(x * x for row in exact.rows for x in row),
    }
    for ord_, square in squares.items():
        bounds = induced_bounds(a, ord_)
        low = (Fraction(bounds.lower) * exact.factor) ** 2 <= square
        high = not math.isfinite(bounds.upper) or (Fraction(bounds.upper) * exact.factor) ** 2 >= square
        if not (low and high):
            wrong.append(f"ord {ord_} {bounds!r}")
    return wrong


def check_low_rank(a: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Violations of the bounds of ``u v^T`` for real factors."""
    u, v = a.astype(np.float64), integer_matrix(rng, 3, a.shape[1]) * rng.choice([1.0, 0.1])
    left, right = rational(u), rational(v)
    product = [[sum(map(mul, row, other)) for other in right.rows] for row in left.rows]
    exact = Rational(product, left.factor * right.factor)
    bounds, wrong = structured_bounds(lc.LowRank(u, v), lambda part: None), []
    if not norm_is_at_least(exact, Fraction(bounds.lower)):
        wrong.append(f"low rank lower {bounds!r}")
    if math.isfinite(bounds.upper) and not norm_is_at_most(exact, Fraction(bounds.upper)):
        wrong.append(f"low rank upper {bounds!r}")
    return wrong


def run(count: int, seed: int) -> tuple[list[str], Counter[str], list[float]]:
    """Violations, what was checked how often, and the widths of the two-sided bounds."""
    violations, done, widths = [], Counter(), []
    for name, a, rng in cases(count, seed):
        wrong, width = check_bounds(a, rng)
        widths.append(width)
        done["two-sided bounds"] += 1
        more, proved = check_threshold(a, rng)
        done["thresholds proved" if proved else "thresholds not proved"] += 1
        wrong += more
        wrong += check_vector(a, rng)
        done["lower bounds from a vector"] += 1
        if a.dtype.kind == "f":
            wrong += check_sums(a)
            done["1-, inf- and Frobenius norms"] += 3
            if done["two-sided bounds"] % 5 == 0:
                wrong += check_low_rank(a, rng)
                done["low rank"] += 1
        violations += [f"{name}: {text} of {a!r}" for text in wrong]
    return violations, done, widths


def main() -> int:
    """Run many cases and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    violations, done, widths = run(options.count, options.seed)
    positive = [w for w in widths if w > 0]
    print(f"{options.count} matrices, seed {options.seed}, {time.perf_counter() - start:.0f} s")
    for name, number in sorted(done.items()):
        print(f"  {name}: {number}")
    print(f"  relative widths: {min(positive):.1e} to {max(positive):.1e}, {widths.count(0.0)} exact")
    print(f"  violations: {len(violations)}")
    for text in violations[:20]:
        print("   ", text)
    return 1 if violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
