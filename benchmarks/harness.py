"""Race lipcore against its peers, in turns, and keep time, accuracy and claim together.

One race is one table. In each round every contestant runs once, so that a slow minute of the machine hits all of them,
and medians are compared. A contestant whose single run fills the budget is run once only. Targets are written below the
table as met or missed; a missed target never fails a test, since times on a shared machine are no property of the code.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

LOWER = "lower"
UPPER = "upper"
BOTH = "two-sided"
VALUE = "value"


# Idle BLAS threads spin for some 30 ms before they sleep, and would slow whoever runs next in another thread pool.
PAUSE = 0.1
# After a pause the kernel wakes the threads of a call on one core and parts them some 40 ms later: short runs are timed
# right after one that is not. From this many measured runs on a contestant counts as short.
SHORT = 3


@dataclass(frozen=True)
class Contestant:
    """Something that computes the quantity, and what its answer bounds.

    `run` returns a float, a sequence of floats (leading values) or a pair (lower, upper) where `claim` is two-sided.
    `repeat` calls make one measurement, for calls of microseconds.
    """

    name: str
    run: Callable[[], Any]
    claim: str = LOWER
    ours: bool = False
    repeat: int = 1
    slow: bool = False


@dataclass(frozen=True)
class Missing:
    """A peer that could not take part, and why."""

    name: str
    reason: str


@dataclass
class Row:
    name: str
    claim: str
    ours: bool
    times: list[float] = field(default_factory=list)
    value: Any = None
    note: str = ""

    @property
    def median(self) -> float:
        return median(self.times) if self.times else float("nan")

    def errors(self, reference: Any) -> tuple[float, ...]:
        """Signed relative errors: one, or (lower, upper) of an enclosure; the worst one of several leading values."""
        if self.value is None:
            return ()
        relative = (np.asarray(self.value, dtype=float) - reference) / reference
        if self.claim == BOTH:
            return tuple(relative.tolist())
        flat = np.atleast_1d(relative)
        return (float(flat[np.argmax(np.abs(flat))]),)


@dataclass
class Table:
    title: str
    reference: Any
    rows: list[Row]
    missing: list[Missing]
    load: float
    targets: list[str] = field(default_factory=list)

    def row(self, name: str) -> Row | None:
        return next((row for row in self.rows if row.name == name), None)

    def fastest(self, *, accuracy: float = np.inf, among: str = "") -> Row | None:
        """The fastest peer whose errors are all within `accuracy`, and whose name contains `among`."""
        able = [
            row
            for row in self.rows
            if not row.ours
            and row.times
            and among in row.name
            and max(map(abs, row.errors(self.reference)), default=np.inf) <= accuracy
        ]
        return min(able, key=lambda row: row.median, default=None)

    def expect_ratio(self, text: str, ours: str, peer: Row | None, *, at_most: float) -> None:
        """State whether `ours` took at most `at_most` times the time of `peer`."""
        row = self.row(ours)
        if row is None or not row.times or peer is None or not peer.times:
            self.targets.append(f"not measured: {text}")
            return
        ratio = row.median / peer.median
        verdict = "met" if ratio <= at_most else "MISSED"
        self.targets.append(f"{verdict}: {text}: {ratio:.2f} of the time of {peer.name} (at most {at_most:.3g})")

    def expect_accuracy(self, text: str, ours: str, *, within: float) -> None:
        """State whether the error, or the relative width of an enclosure, is at most `within`."""
        row = self.row(ours)
        if row is None or row.value is None:
            self.targets.append(f"not measured: {text}")
            return
        errors = row.errors(self.reference)
        # the width of an enclosure is taken relative to its upper end, as in opnorm_bounds
        size = (errors[1] - errors[0]) / (1 + errors[1]) if row.claim == BOTH else abs(errors[0])
        # the reference itself is known to some rounding errors of its float64 run
        holds = row.claim != BOTH or (errors[0] <= 1e-12 and errors[1] >= -1e-12)
        verdict = "MISSED (does not enclose the reference)" if not holds else "met" if size <= within else "MISSED"
        self.targets.append(f"{verdict}: {text}: {size:.1e} (at most {within:.1e})")

    def markdown(self) -> str:
        fastest_ours = next((row for row in self.rows if row.ours and row.times), None)
        lines = [f"### {self.title}", "", "| | time | / first lipcore row | relative error | bounds | runs |"]
        lines.append("| --- | ---: | ---: | --- | --- | ---: |")
        for row in self.rows:
            ratio = f"{row.median / fastest_ours.median:.2f}" if fastest_ours and row.times else "-"
            errors = " .. ".join(f"{error:+.1e}" for error in row.errors(self.reference)) or "-"
            name = f"**{row.name}**" if row.ours else row.name
            claim = row.note or row.claim
            lines.append(f"| {name} | {seconds(row.median)} | {ratio} | {errors} | {claim} | {len(row.times)} |")
        lines += [f"| {absent.name} | - | - | - | did not run: {absent.reason} | 0 |" for absent in self.missing]
        lines += ["", *[f"- {target}" for target in self.targets]]
        if self.load > 1.0:
            lines.append(f"- other processes were busy (load average {self.load:.1f} at the start)")
        return "\n".join(lines)


def seconds(value: float) -> str:
    if np.isnan(value):
        return "-"
    if value >= 1.0:
        return f"{value:.2f} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} µs"


def once(contestant: Contestant, row: Row, *, keep: bool) -> float:
    """Run a contestant one time; the peers' warnings are their own business, ours are errors."""
    with warnings.catch_warnings():
        if not contestant.ours:
            warnings.simplefilter("ignore")
        begin = time.perf_counter()
        try:
            for _ in range(contestant.repeat):
                value = contestant.run()
        except Exception as error:
            if contestant.ours:
                raise
            row.note = f"failed: {type(error).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}"
            return np.inf
        elapsed = (time.perf_counter() - begin) / contestant.repeat
    row.value = value
    if keep:
        row.times.append(elapsed)
    return elapsed


def race(
    benchmark: Any,
    title: str,
    contestants: Sequence[Contestant | Missing],
    reference: Any,
    *,
    budget: float = 2.5,
    rounds: int = 7,
    quick: bool = False,
) -> Table:
    """Run all contestants in turns; the first one of ours is also recorded by pytest-benchmark.

    Each contestant gets about `budget` seconds and at most `rounds` measured runs after one warm-up run; short ones are
    run once more before each measurement. Where the warm-up alone takes more than half of the budget, it is the
    measurement.
    """
    missing = [entry for entry in contestants if isinstance(entry, Missing)]
    field_ = [entry for entry in contestants if isinstance(entry, Contestant)]
    if quick:
        missing += [Missing(entry.name, "slow, left out by --quick") for entry in field_ if entry.slow]
        field_ = [entry for entry in field_ if not entry.slow]
    table = Table(title, reference, [Row(c.name, c.claim, c.ours) for c in field_], missing, os.getloadavg()[0])
    quota: list[int] = []
    for contestant, row in zip(field_, table.rows, strict=True):
        time.sleep(PAUSE)
        warm = once(contestant, row, keep=False) * contestant.repeat
        if warm > budget / 2:
            row.times = [] if np.isinf(warm) else [warm / contestant.repeat]
            quota.append(0)
        else:
            quota.append(max(1, min(rounds, int(budget / warm))))
    lead = next(i for i, contestant in enumerate(field_) if contestant.ours)
    turn = 0

    def take_place(i: int) -> None:
        time.sleep(PAUSE)
        if quota[i] >= SHORT:
            once(field_[i], table.rows[i], keep=False)

    def peers_turn() -> None:
        nonlocal turn
        for i, (contestant, row) in enumerate(zip(field_, table.rows, strict=True)):
            if i != lead and turn < quota[i]:
                take_place(i)
                once(contestant, row, keep=True)
        turn += 1
        take_place(lead)

    # pytest-benchmark times our run only, and its setup hook puts the peers between two of ours; a run of ours that
    # filled the budget as warm-up is repeated once all the same, so that pytest-benchmark has it too
    benchmark.pedantic(
        lambda: once(field_[lead], table.rows[lead], keep=True),
        setup=peers_turn,
        rounds=max(1, quota[lead]),
        iterations=1,
    )
    benchmark.extra_info["table"] = table.markdown()
    return table
