"""The report's three forms, on hand-made measurements: what is shown, and that it is all shown."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipcore.frontends.records import LinearLayer, ModelWeights, Remainder
from lipcore.norms import Bounds
from lipcore.report import Measurement, Report, Request, render_csv, render_json, render_table
from lipcore.report.numbers import outward, power_of_ten, seconds


def row(name="layer", bounds=None, failure=None, kind="dense", shape=(3, 4), **fields):
    one = LinearLayer(name=name, kind=kind, weight=np.zeros(shape), source="test", **fields.pop("layer", {}))
    return Measurement(layer=one, bounds=bounds, failure=failure, seconds=0.25, **fields)


def report(rows, not_understood=(), not_linear=(), operations=None, **request):
    model = ModelWeights(
        path="model.onnx",
        format="onnx",
        layers=tuple(r.layer for r in rows),
        not_understood=tuple(not_understood),
        not_linear=tuple(not_linear),
        operations=operations or {},
    )
    return Report(model=model, request=Request(**request), backend="numpy", device=None, rows=tuple(rows), seconds=1.0)


LONG = "a/very/long/name/that/goes/on/and/on/for/ever/and/a/day/conv"
CHOSEN = {"stride": (2, 1), "dilation": (1, 1), "groups": 64}
MIXED = report(
    [
        row("first", Bounds(1.23456789, 1.23567891, "rigorous")),
        row(
            LONG,
            Bounds(2.0, 2.0, "probabilistic", 1e-9),
            kind="convolution",
            shape=(64, 1, 3, 3),
            image=(64, 28, 28),
            layer=CHOSEN,
        ),
        row(
            "wide",
            Bounds(1.0, 3.0, "analytic", converged=False),
            notes=("a note",),
            kind="convolution",
            shape=(2, 2, 3),
        ),
        row("broken", failure="the weights hold NaN or infinity"),
        row("huge", Bounds.from_scaled(1.0, 1.5, 3000, "rigorous"), notes=("a note",)),
    ],
    [
        Remainder("mystery/node", "the operation com.vendor.Thing is not known"),
        Remainder("odd", "6 axes: no layer that is known", (1, 2)),
    ],
    [
        Remainder("first.bias", "bias: a shift", (3,)),
        Remainder("s", "multiplies by 0.5", ()),
        Remainder("t", "divides by 6", ()),
    ],
    {"Relu": 3, "Add": 1},
)


def test_the_table_shows_everything_in_a_hundred_columns():
    text = render_table(MIXED)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert all(line == line.rstrip() for line in lines)
    pieces = (
        *("1.23456", "1.23568", "prob. 1e-9", "64x1x3x3 s2x1 g64", "28x28", "any", "2^3000", "none", "NaN or infinity"),
        *("mystery/node", "com.vendor.Thing", "odd (1x2)", "bias: a shift (1)", "constant of an operation (2)"),
        *("Relu 3, Add 1", "4 of 5 layers bounded", "1 without a bound", "a note", "wider than asked"),
    )
    for piece in pieces:
        assert piece in text, piece
    assert "product of layer bounds" not in text  # one layer has no bound
    assert text.count("a note") == 1


def test_narrow_tables_cut_names_at_their_start():
    text = render_table(MIXED, 90)
    assert max(len(line) for line in text.splitlines() if "com.vendor" not in line) <= 95
    (line,) = [line for line in text.splitlines() if "64x1x3x3" in line]
    assert line.startswith("..")
    assert line.split("  ")[0].endswith("/a/day/conv")


def test_the_product_is_named_for_what_it_is_and_survives_overflow():
    rows = [row("a", Bounds.from_scaled(1.0, 1.0, 3000, "rigorous")), row("b", Bounds(2.0, 2.0, "rigorous"))]
    text = render_table(report(rows))
    assert "product of layer bounds: 2.47e+903 (bounds nothing but a chain" in text
    assert max(map(len, text.splitlines())) <= 100


def test_an_empty_model_has_a_table_too():
    text = render_table(report([]))
    assert "0 linear layers" in text
    assert "not understood: nothing" in text


def test_json_is_strict_and_has_all_of_it():
    def refuse(constant):
        raise AssertionError(constant)

    data = json.loads(render_json(MIXED), parse_constant=refuse)
    assert (data["schema"], data["version"]) == ("lipcore.report", 1)
    assert [entry["name"] for entry in data["layers"]] == [r.layer.name for r in MIXED.rows]
    assert data["layers"][0]["upper"] == 1.23567891
    assert data["layers"][1]["failure_probability"] == 1e-9
    assert data["layers"][3]["failure"] == "the weights hold NaN or infinity"
    assert data["layers"][3]["upper"] is None
    assert data["layers"][4]["upper"] is None
    assert data["layers"][4]["log2_upper"] == pytest.approx(3000 + math.log2(1.5))
    assert [entry["name"] for entry in data["not_understood"]] == ["mystery/node", "odd"]
    assert [entry["name"] for entry in data["not_linear"]] == ["first.bias", "s", "t"]
    assert data["total"]["bounded"] == 4
    assert data["total"]["log2_product_of_upper_bounds"] is None
    assert json.loads(render_json(report([], ord=math.inf)))["request"]["ord"] == "inf"


def test_csv_has_a_line_for_every_part():
    lines = list(csv.DictReader(io.StringIO(render_csv(MIXED))))
    assert [line["status"] for line in lines] == ["bounded"] * 3 + ["failed", "bounded"] + ["not understood"] * 2 + [
        "not linear"
    ] * 3
    assert float(lines[0]["lower"]) == 1.23456789
    assert lines[1]["shape"] == "64x1x3x3"
    assert lines[1]["image"] == "64x28x28"
    assert lines[2]["image"] == "any"
    assert lines[3]["reason"] == "the weights hold NaN or infinity"
    assert lines[4]["upper"] == ""
    assert {key: value for key, value in lines[6].items() if value} == {
        "status": "not understood",
        "name": "odd",
        "shape": "1x2",
        "reason": "6 axes: no layer that is known",
    }


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False), st.integers(2, 9))
def test_numbers_are_rounded_outward(value, digits):
    log2 = math.log2(value) if value else -math.inf
    for up in (False, True):
        text = outward(value, log2, up=up, digits=digits)
        assert len(text) <= (10 if text.startswith("2^") else digits + 6)
        if text.startswith("2^"):
            shown, own = float(text[2:]), log2
        else:
            shown, own = float(text), value
        assert shown >= own if up else shown <= own
        assert abs(shown - own) <= max(1.001 * 10.0 ** (1 - digits) * abs(own), 0.01 * text.startswith("2^"))


@given(st.floats(-5000, 5000))
def test_powers_of_ten_are_rounded_up(log2):
    mantissa, exponent = power_of_ten(log2).split("e")
    shown = math.log2(float(mantissa)) + int(exponent) * math.log2(10)
    assert 0 <= shown - log2 + 1e-7 < 0.02


def test_durations_are_short():
    shown = [seconds(x) for x in (0, 0.9994, 0.9996, 9.994, 9.996, 99.94, 99.96)]
    assert shown == ["0 ms", "999 ms", "1.00 s", "9.99 s", "10.0 s", "99.9 s", "100 s"]
