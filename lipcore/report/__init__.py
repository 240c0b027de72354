"""The Lipschitz report of a model file: bounds of every linear layer, and everything else by name."""

from __future__ import annotations

from .export import as_dict, render_csv, render_json
from .measure import Measurement, Request
from .model import Report, report_model
from .table import render_table

__all__ = ["Measurement", "Report", "Request", "as_dict", "render_csv", "render_json", "render_table", "report_model"]
