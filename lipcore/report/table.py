"""The report as text for a terminal."""

from __future__ import annotations

import math
import string
from collections import Counter

from .measure import Measurement
from .model import Report
from .numbers import outward, power_of_ten, seconds

SHORT = {"convolution": "conv", "convolution_transpose": "conv^T"}
NARROWEST_NAME = 12


def render_table(report: Report, width: int = 100) -> str:
    """Write a report as a table.

    Parameters
    ----------
    report : Report
        From `report_model`.
    width : int
        Columns; long names are cut at their start to fit, down to a point.

    Returns
    -------
    str
        Lines without trailing blanks, each of at most `width` columns but for names of what was not understood.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from lipcore.report import render_table, report_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "small.npz")
    ...     np.savez(path, **{"first.weight": 2 * np.eye(3)})
    ...     report = report_model(path)
    >>> print(render_table(report).splitlines()[1])
    2-norm, relative width 0.001, numpy
    """
    marks: dict[str, str] = {}
    lines = [*heading(report), ""]
    if report.rows:
        lines += layer_lines(report, marks, width)
        lines += ["", *total_lines(report)]
    if report.request.singular_values:
        lines += ["", "Leading singular values"]
        lines += [
            f"  {row.layer.name}: {' '.join(f'{v:.6g}' for v in row.singular_values)}"
            for row in report.rows
            if row.singular_values
        ]
    if marks:
        lines.append("")
        for text, mark in marks.items():
            lines += wrapped(f"{mark}  {text}", width, "   ")
    lines += ["", *remainder_lines(report, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def heading(report: Report) -> list[str]:
    """What was read and what was asked."""
    request = report.request
    norm = {1: "1-norm", 2: "2-norm", math.inf: "inf-norm", "fro": "Frobenius norm"}[request.ord]
    where = report.backend + (f" on {report.device}" if report.device else "")
    count = len(report.rows)
    layers = "1 linear layer" if count == 1 else f"{count} linear layers"
    return [
        f"{report.model.path} ({report.model.format}): {layers}, {report.weights:,} weights",
        f"{norm}, relative width {request.rtol:g}, {where}",
    ]


def weight_text(row: Measurement) -> str:
    """Shape of the weight, and what else decides the map."""
    layer = row.layer
    text = "x".join(str(n) for n in layer.weight.shape)
    for letter, values in (("s", layer.stride), ("d", layer.dilation)):
        if values and any(v != 1 for v in values):
            text += f" {letter}{values[0] if len(set(values)) == 1 else 'x'.join(str(v) for v in values)}"
    return text + (f" g{layer.groups}" if layer.groups and layer.groups > 1 else "")


def condition_text(row: Measurement) -> str:
    """The condition number, rounded up; only from below where no upper bound was proved."""
    condition = row.condition
    if condition is None:
        return "-"
    if math.isinf(condition.upper):
        return f">{outward(condition.lower, condition.log2_lower, up=False, digits=3)}"
    return outward(condition.upper, condition.log2_upper, up=True, digits=4)


def bound_text(row: Measurement, marks: dict[str, str]) -> str:
    """Kind of the bound with the letters of its notes."""
    notes = list(row.notes)
    if row.bounds is None:
        text = "none"
        notes.insert(0, row.failure or "")
    else:
        text = row.bounds.kind
        if text == "probabilistic":
            text = f"prob. {row.bounds.failure_probability:.0e}".replace("e-0", "e-")
        if not row.bounds.converged:
            notes.append("wider than asked: as true, less sharp")
    for note in notes:
        if note not in marks:
            index = len(marks)
            letters = string.ascii_lowercase
            marks[note] = letters[index] if index < 26 else letters[index // 26 - 1] + letters[index % 26]
    return text + (f" {','.join(marks[note] for note in notes)}" if notes else "")


def layer_lines(report: Report, marks: dict[str, str], width: int) -> list[str]:
    """The table itself."""
    with_condition = report.request.condition
    header = ["layer", "kind", "weight", "image", "lower", "upper", "bound", "time"]
    table = []
    for row in report.rows:
        image = "x".join(str(n) for n in row.image[1:]) if row.image else "any" if row.any_size else ""
        ends = ["-", "-"]
        if row.bounds is not None:
            ends = [
                outward(row.bounds.lower, row.bounds.log2_lower, up=False),
                outward(row.bounds.upper, row.bounds.log2_upper, up=True),
            ]
        cells = [
            row.layer.name,
            SHORT.get(row.layer.kind, row.layer.kind),
            weight_text(row),
            image,
            *ends,
            bound_text(row, marks),
        ]
        table.append([*cells, seconds(row.seconds)])
        if with_condition:
            table[-1].insert(6, condition_text(row))
    if with_condition:
        header.insert(6, "condition")
    keep = [i for i in range(len(header)) if header[i] != "image" or any(cells[i] for cells in table)]
    header, table = [header[i] for i in keep], [[cells[i] for i in keep] for cells in table]
    widths = [max(len(cells[i]) for cells in (header, *table)) for i in range(len(header))]
    rest = sum(widths[1:]) + 2 * (len(widths) - 1)
    widths[0] = max(min(widths[0], width - rest), NARROWEST_NAME)
    right = {header.index(name) for name in ("lower", "upper", "condition", "time") if name in header}

    def line(cells: list[str]) -> str:
        cells = [shortened(cells[0], widths[0]), *cells[1:]]
        return "  ".join(
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return [line(header), rule, *(line(cells) for cells in table), rule]


def total_lines(report: Report) -> list[str]:
    """What may be said of all layers together."""
    failed = len(report.rows) - report.bounded
    text = f"total: {report.bounded} of {len(report.rows)} layers bounded, {seconds(report.seconds)}"
    if failed:
        text += f"; {failed} without a bound"
    lines = [text]
    if report.log2_product is not None:
        lines.append(
            f"product of layer bounds: {power_of_ten(report.log2_product)} "
            "(bounds nothing but a chain of these layers and 1-Lipschitz maps)"
        )
    if report.failure_probability > 0:
        lines.append(f"probability that any of these upper bounds is wrong: at most {report.failure_probability:.1e}")
    return lines


def remainder_lines(report: Report, width: int) -> list[str]:
    """Everything in the file that is no row above."""
    model = report.model
    lines = []
    if model.not_understood:
        lines.append(f"NOT UNDERSTOOD: {len(model.not_understood)}")
        lines += [f"  {part.name}{shape_text(part.shape)}: {part.reason}" for part in model.not_understood]
    else:
        lines.append("not understood: nothing")
    reasons = Counter(part.reason for part in model.not_linear)
    numbers = sum(
        n for reason, n in reasons.items() if reason.startswith(("multiplies by", "divides by", "constant of"))
    )
    if reasons:
        merged = Counter(
            {r: n for r, n in reasons.items() if not r.startswith(("multiplies by", "divides by", "constant of"))}
        )
        if numbers:
            merged["number or constant of an operation"] = numbers
        text = "; ".join(f"{reason} ({count})" for reason, count in merged.most_common())
        lines += wrapped(f"not linear maps: {text}", width, "  ")
    if model.operations:
        text = ", ".join(f"{name} {count}" for name, count in model.operations.items())
        lines += wrapped(f"operations without weights: {text}", width, "  ")
    return lines


def shape_text(shape: tuple[int, ...] | None) -> str:
    """A shape in brackets."""
    return f" ({'x'.join(str(n) for n in shape)})" if shape else ""


def shortened(text: str, width: int) -> str:
    """Cut a long name at its start: what tells layers apart mostly comes last."""
    return text if len(text) <= width else f"..{text[len(text) - width + 2 :]}"


def wrapped(text: str, width: int, indent: str) -> list[str]:
    """Break a line at blanks."""
    import textwrap

    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
