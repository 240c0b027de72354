"""The command line: ``lipcore report MODEL``."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

EXIT_BOUNDED, EXIT_UNBOUNDED, EXIT_USAGE, EXIT_UNREADABLE, EXIT_NOT_UNDERSTOOD, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130

ORDS: dict[str, int | float | str] = {"1": 1, "2": 2, "inf": math.inf, "fro": "fro"}

DESCRIPTION = """\
Bound the norm of every linear layer of a trained model: how much it can stretch its input, and how sure that is.

MODEL is an ONNX graph (.onnx), a .safetensors file, a NumPy archive (.npz) or a torch state dict (.pt, .pth,
.ckpt, .bin). Nothing in it is executed. What is no linear layer, and what is not understood, is listed by name."""

EPILOG = """\
kinds of bound, strongest first:
  rigorous       true for the stored numbers in real arithmetic, every rounding error accounted
  analytic       a theorem in exact arithmetic
  probabilistic  fails with at most the stated probability, over the random start that --seed fixes
  estimate       no claim
Lower bounds are attained. Printed numbers are rounded outward.

exit codes:
  0  every layer has a bound
  1  some layer has none; the report says why
  2  the command line is wrong
  3  the file cannot be read, or a package that it needs is not installed
  4  with --strict: something in the file was not understood

examples:
  lipcore report docs/models/mnist_cnn.onnx
  lipcore report detector.onnx --input-shape 1x3x640x640 --backend torch --device cuda
  lipcore report weights.pt --geometry "conv1:stride=2,padding=3" --input-shape conv1=3x224x224
  lipcore report weights.safetensors --format csv --output norms.csv --strict
"""


def shape_option(text: str) -> tuple[str, tuple[int, ...]]:
    """Parse ``[NAME=]1x3x224x224`` (commas do as well)."""
    name, equals, shape = text.rpartition("=")
    try:
        lengths = tuple(int(n) for n in shape.replace(",", "x").split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no shape: write 1x3x224x224 or NAME=1x3x224x224") from None
    if min(lengths) < 1 or (equals and not name):
        raise argparse.ArgumentTypeError(f"{text!r} is no shape: lengths are positive, and a name stands before '='")
    return name, lengths


def geometry_option(text: str) -> tuple[str, dict[str, Any]]:
    """Parse ``NAME:stride=2,padding=1x1,groups=32``."""
    name, colon, rest = text.rpartition(":")
    settings: dict[str, Any] = {}
    for part in rest.split(","):
        key, _, value = part.partition("=")
        try:
            numbers = tuple(int(n) for n in value.split("x"))
        except ValueError:
            numbers = ()
        if (
            not (colon and name and numbers)
            or key not in ("stride", "padding", "dilation", "groups")
            or key in settings
        ):
            raise argparse.ArgumentTypeError(
                f"{text!r} is no geometry: write NAME:stride=2,padding=1x1,dilation=1,groups=32"
            )
        settings[key] = numbers[0] if len(numbers) == 1 else numbers
    if isinstance(settings.get("groups"), tuple):
        raise argparse.ArgumentTypeError(f"{text!r}: groups is one number")
    return name, settings


def fraction(text: str) -> float:
    """Parse a number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 1")
    return value


def positive(text: str) -> int:
    """Parse a positive integer."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive whole number")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of ``lipcore``."""
    from . import __version__

    parser = argparse.ArgumentParser(prog="lipcore", description="Certified norms of linear maps.")
    parser.add_argument("--version", action="version", version=f"lipcore {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    report = commands.add_parser(
        "report",
        help="bound the norm of every linear layer of a model file",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = report.add_argument
    add("model", metavar="MODEL", help="the file")
    norm = report.add_argument_group("what to bound")
    norm.add_argument("--ord", choices=tuple(ORDS), default="2", help="which norm (default: 2)")
    norm.add_argument(
        "--rtol", type=fraction, default=1e-3, metavar="X", help="wanted relative width of the bounds (default: 1e-3)"
    )
    norm.add_argument("--kind", choices=("auto", "rigorous", "analytic", "probabilistic", "estimate"), default="auto",
                      help="least kind of bound that will do; auto: the strongest at reasonable cost")  # fmt: skip
    norm.add_argument(
        "--failure-probability",
        type=fraction,
        default=1e-9,
        metavar="P",
        help="of each probabilistic bound (default: 1e-9)",
    )
    norm.add_argument(
        "--any-size", action="store_true", help="bound convolutions over all image sizes, even where the size is known"
    )
    norm.add_argument(
        "--singular-values", type=positive, default=0, metavar="K", help="also list the K leading singular values"
    )
    norm.add_argument("--condition", action="store_true", help="also give the condition number")
    norm.add_argument("--seed", type=int, default=0, help="of the random starts (default: 0)")
    model = report.add_argument_group("what the file leaves open")
    model.add_argument("--input-shape", type=shape_option, action="append", default=[], metavar="[NAME=]SHAPE",
                       help="ONNX: shape of the graph's input, 1x3x224x224; other formats: NAME is a convolution "
                       "(patterns such as 'features.*' do), SHAPE its channels and lengths; repeatable")  # fmt: skip
    model.add_argument("--geometry", type=geometry_option, action="append", default=[], metavar="NAME:KEY=N,...",
                       help="stride, padding, dilation, groups of a convolution "
                       "in a file without graph; repeatable")  # fmt: skip
    model.add_argument("--strict", action="store_true", help="exit with 4 if anything was not understood")
    where = report.add_argument_group("where to compute, what to write")
    where.add_argument(
        "--backend", choices=("numpy", "torch", "jax", "cupy"), default="numpy", help="array library (default: numpy)"
    )
    where.add_argument("--device", metavar="NAME", help="as the backend names it: cpu, cuda, cuda:1, gpu:0")
    where.add_argument(
        "--format", choices=("table", "json", "csv"), help="default: by the suffix of --output, else table"
    )
    where.add_argument("--output", type=Path, metavar="FILE", help="write there instead of standard output")
    where.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; from the system by default.

    Returns
    -------
    int
        The exit code; ``lipcore report --help`` lists them. A wrong command line raises SystemExit with 2, as argparse
        does.
    """
    options = build_parser().parse_args(arguments)
    try:
        return run_report(options)
    except KeyboardInterrupt:
        print("lipcore: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as `head` does: nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BOUNDED


def run_report(options: argparse.Namespace) -> int:
    """Read, bound, write; errors of the file become one line."""
    if options.backend == "jax":
        os.environ.setdefault("JAX_ENABLE_X64", "1")  # float64 weights would be rounded otherwise
    from ._backend.named import BackendError
    from .frontends import ModelFormatError, ModelOptionError
    from .report import Request, report_model
    from .report.progress import bar

    request = Request(
        ord=ORDS[options.ord],
        rtol=options.rtol,
        kind=options.kind,
        failure_probability=options.failure_probability,
        seed=options.seed,
        any_size=options.any_size,
        singular_values=options.singular_values,
        condition=options.condition,
    )
    named = dict(options.input_shape)
    shape: Any = named.get("") if set(named) <= {""} else named
    try:
        report = report_model(
            options.model,
            request=request,
            backend=options.backend,
            device=options.device,
            progress=bar(quiet=options.quiet),
            input_shape=shape,
            geometry=dict(options.geometry),
        )
    except (ModelOptionError, BackendError) as error:
        return complain(error, EXIT_USAGE)
    except (ModelFormatError, ImportError) as error:
        return complain(error, EXIT_UNREADABLE)
    except OSError as error:
        reason = error.strerror or str(error)
        return complain(f"{options.model}: {reason}" if error.strerror else reason, EXIT_UNREADABLE)
    code = write(options, report)
    if code == EXIT_BOUNDED and options.strict and report.model.not_understood:
        return EXIT_NOT_UNDERSTOOD
    return code


def write(options: argparse.Namespace, report: Any) -> int:
    """Render the report to standard output or a file."""
    from .report import render_csv, render_json, render_table

    suffix = options.output.suffix.lower() if options.output else ""
    form = options.format or {".json": "json", ".csv": "csv"}.get(suffix, "table")
    if form == "table":
        # A terminal decides the width; a file or a pipe gets a hundred columns.
        terminal = options.output is None and sys.stdout.isatty()
        text = render_table(report, max(80, shutil.get_terminal_size((100, 24)).columns) if terminal else 100)
    else:
        text = (render_json if form == "json" else render_csv)(report)
    if options.output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        try:
            options.output.write_text(text, encoding="utf-8")
        except OSError as error:
            return complain(f"{options.output}: cannot be written: {error.strerror or error}", EXIT_USAGE)
    return EXIT_BOUNDED if report.bounded == len(report.rows) else EXIT_UNBOUNDED


def complain(error: object, code: int) -> int:
    """Say what is wrong in one line on standard error."""
    print(f"lipcore: {' '.join(str(error).split())}", file=sys.stderr)
    return code
