"""The report for machines: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from .measure import Measurement
from .model import Report

SCHEMA = "lipcore.report"
SCHEMA_VERSION = 1

COLUMNS = (
    "status", "name", "kind", "shape", "lower", "upper", "bound", "failure_probability", "converged", "image",
    "condition_lower", "condition_upper", "seconds", "reason", "notes",
)  # fmt: skip


def as_dict(report: Report) -> dict[str, Any]:
    """Write a report as plain dictionaries, lists, strings and finite numbers.

    Parameters
    ----------
    report : Report
        From `report_model`.

    Returns
    -------
    dict
        Keys are stable within one ``version``. Bounds are given twice, as numbers (null where a float cannot hold them)
        and by their base-2 logarithms.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from lipcore.report import as_dict, report_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "small.npz")
    ...     np.savez(path, **{"first.weight": 2 * np.eye(3)})
    ...     report = report_model(path)
    >>> data = as_dict(report)
    >>> data["schema"], data["version"], data["total"]["bounded"], data["layers"][0]["bound"]
    ('lipcore.report', 1, 1, 'rigorous')
    """
    from .. import __version__

    request, model = report.request, report.model
    return {
        "schema": SCHEMA,
        "version": SCHEMA_VERSION,
        "lipcore": __version__,
        "model": {"path": model.path, "format": model.format},
        "request": {
            "ord": "inf" if request.ord == math.inf else request.ord,
            "rtol": request.rtol,
            "kind": request.kind,
            "failure_probability": request.failure_probability,
            "seed": request.seed,
            "any_size": request.any_size,
            "backend": report.backend,
            "device": report.device,
        },
        "layers": [layer_dict(row) for row in report.rows],
        "not_understood": [vars(part) for part in model.not_understood],
        "not_linear": [vars(part) for part in model.not_linear],
        "operations": dict(model.operations),
        "total": {
            "layers": len(report.rows),
            "bounded": report.bounded,
            "not_understood": len(model.not_understood),
            "not_linear": len(model.not_linear),
            "weights": report.weights,
            "failure_probability": report.failure_probability,
            "log2_product_of_upper_bounds": finite(report.log2_product),
            "seconds": report.seconds,
        },
    }


def layer_dict(row: Measurement) -> dict[str, Any]:
    """One layer."""
    layer, bounds = row.layer, row.bounds
    return {
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.weight.shape),
        "dtype": layer.weight.dtype.name,
        "source": layer.source,
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "output_padding": layer.output_padding,
        "image": row.image,
        "any_size": row.any_size,
        "lower": finite(bounds.lower) if bounds else None,
        "upper": finite(bounds.upper) if bounds else None,
        "log2_lower": finite(bounds.log2_lower) if bounds else None,
        "log2_upper": finite(bounds.log2_upper) if bounds else None,
        "bound": bounds.kind if bounds else None,
        "failure_probability": bounds.failure_probability if bounds else None,
        "converged": bool(bounds.converged) if bounds else None,
        "method": bounds.method if bounds else None,
        "matvecs": bounds.matvecs if bounds else None,
        "singular_values": row.singular_values,
        "condition_lower": finite(row.condition.lower) if row.condition else None,
        "condition_upper": finite(row.condition.upper) if row.condition else None,
        "condition_bound": row.condition.kind if row.condition else None,
        "seconds": row.seconds,
        "failure": row.failure,
        "notes": list(row.notes),
    }


def finite(value: float | None) -> float | None:
    """A float that JSON can hold, or None."""
    return None if value is None or not math.isfinite(value) else float(value)


def render_json(report: Report) -> str:
    """Write a report as JSON.

    Parameters
    ----------
    report : Report
        From `report_model`.

    Returns
    -------
    str
        `as_dict` as text. Numbers that JSON has not, infinity above all, are null.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from lipcore.report import render_json, report_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "small.npz")
    ...     np.savez(path, **{"first.weight": 2 * np.eye(3)})
    ...     report = report_model(path)
    >>> print(render_json(report)[:31])
    {
      "schema": "lipcore.report",
    """
    return json.dumps(as_dict(report), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def render_csv(report: Report) -> str:
    """Write a report as one CSV table: a line for each layer, and for each part that is none.

    Parameters
    ----------
    report : Report
        From `report_model`.

    Returns
    -------
    str
        Its column "status" is "bounded", "failed", "not understood" or "not linear".

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from lipcore.report import render_csv, report_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "small.npz")
    ...     np.savez(path, **{"first.weight": 2 * np.eye(3)})
    ...     report = report_model(path)
    >>> print(render_csv(report).splitlines()[1][:26])
    bounded,first,dense,3x3,1.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for row in report.rows:
        entry = layer_dict(row)
        line = {key: entry[key] for key in COLUMNS if key in entry and entry[key] is not None}
        line |= {
            "status": "bounded" if row.bounds else "failed",
            "shape": "x".join(str(n) for n in entry["shape"]),
            "image": "x".join(str(n) for n in row.image) if row.image else "any" if row.any_size else "",
            "reason": row.failure or "",
            "notes": "; ".join(row.notes),
        }
        writer.writerow(line)
    for status, parts in (("not understood", report.model.not_understood), ("not linear", report.model.not_linear)):
        for part in parts:
            shape = "x".join(str(n) for n in part.shape or ())
            writer.writerow({"status": status, "name": part.name, "shape": shape, "reason": part.reason})
    return text.getvalue()
