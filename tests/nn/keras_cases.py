"""Layers of `lipcore.nn.keras` with parameters of no special kind, and points to try them on."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

import lipcore.nn.keras as lk

FIRST = {"data_format": "channels_first"}
# the CPU kernels of some backends know channels last only
CHANNELS_FIRST = keras.backend.backend() != "tensorflow"
IMAGE, SIGNAL, VECTOR = (6, 6, 4), (9, 4), (6,)
FLIPPED = (4, 6, 6)
OBLONG = (6, 5, 4)
# what is exported to where Keras has no such layer: no constraint, and no promise
PLAIN = {"PadConv1D", "PadConv2D", "PadConv3D", "ConvexPotential", "ConvexPotentialConv2D", "Sandwich"}
PLAIN |= {"FrequencyConv2D", "ExponentialConv2D"}

LAYERS = {
    **{
        f"SpectralDense, {m}": (lambda m=m: lk.SpectralDense(4, method=m), VECTOR)
        for m in ("aol", "bjorck", "block_reflectors", "cayley", "frobenius", "lot", "rko", "soc", "spectral")
    },
    "SpectralDense, tall": (lambda: lk.SpectralDense(9, use_bias=False), VECTOR),
    "SpectralDense, tokens": (lambda: lk.SpectralDense(5, activation="relu"), SIGNAL),
    "SpectralDense, options": (lambda: lk.SpectralDense(4, options={"iterations": 3}), VECTOR),
    "FrobeniusDense": (lambda: lk.FrobeniusDense(4), VECTOR),
    "SpectralConv1D": (lambda: lk.SpectralConv1D(5, 3, 2, method="aol"), SIGNAL),
    "SpectralConv1D, causal": (
        lambda: lk.SpectralConv1D(5, 3, padding="causal", dilation_rate=2, method="aol"),
        SIGNAL,
    ),
    **{
        f"SpectralConv2D, {m}": (lambda m=m: lk.SpectralConv2D(6, 3, method=m), IMAGE)
        for m in ("aoc", "aol", "bcop", "bjorck", "frobenius", "rko", "spectral")
    },
    "SpectralConv2D, strided": (lambda: lk.SpectralConv2D(8, 3, 2, method="aoc"), IMAGE),
    "SpectralConv2D, valid": (lambda: lk.SpectralConv2D(5, (2, 3), padding="valid", dilation_rate=2), IMAGE),
    "FrobeniusConv2D": (lambda: lk.FrobeniusConv2D(6, 3), IMAGE),
    "SpectralConv3D": (lambda: lk.SpectralConv3D(3, 2, 2, method="frobenius"), (4, 4, 4, 2)),
    "SpectralConv1D, circular": (lambda: lk.SpectralConv1D(5, 3, 3, padding="circular", method="aoc"), SIGNAL),
    "SpectralConv2D, circular": (lambda: lk.SpectralConv2D(6, (3, 2), 2, padding="circular", method="aol"), IMAGE),
    "SpectralConv3D, circular": (
        lambda: lk.SpectralConv3D(3, 2, padding="circular", method="frobenius", dilation_rate=2),
        (4, 4, 4, 2),
    ),
    "SpectralConv1DTranspose": (lambda: lk.SpectralConv1DTranspose(5, 3, 2, method="aol"), SIGNAL),
    **{
        f"SpectralConv2DTranspose, {m}": (lambda m=m: lk.SpectralConv2DTranspose(3, 3, 2, method=m), IMAGE)
        for m in ("aoc", "aol", "bjorck", "frobenius", "spectral")
    },
    "SpectralConv2DTranspose, valid": (lambda: lk.SpectralConv2DTranspose(3, (2, 4), (3, 2), "valid"), IMAGE),
    "SpectralConv2DTranspose, dilated": (
        lambda: lk.SpectralConv2DTranspose(3, 2, dilation_rate=2, method="aol", activation="relu"),
        IMAGE,
    ),
    "CPLDense": (lambda: lk.CPLDense(7), VECTOR),
    "CPLDense, tokens": (lambda: lk.CPLDense(3, use_bias=False), SIGNAL),
    "SLLDense": (lambda: lk.SLLDense(), VECTOR),
    "CPLConv2D": (lambda: lk.CPLConv2D(5), IMAGE),
    "SLLConv2D": (lambda: lk.SLLConv2D(5, (3, 1)), IMAGE),
    "SLLConv2D, circular": (lambda: lk.SLLConv2D(padding="circular"), IMAGE),
    "SandwichDense": (lambda: lk.SandwichDense(3, hidden=5), VECTOR),
    "SandwichDense, wide": (lambda: lk.SandwichDense(9, use_bias=False), VECTOR),
    "CayleyConv2D": (lambda: lk.CayleyConv2D(5), OBLONG),
    "CayleyConv2D, fewer": (lambda: lk.CayleyConv2D(3, (2, 3), use_bias=False), OBLONG),
    "LOTConv2D": (lambda: lk.LOTConv2D(5), OBLONG),
    "SOCConv2D": (lambda: lk.SOCConv2D(5), OBLONG),
    "SOCConv2D, fewer": (lambda: lk.SOCConv2D(3, padding="circular", terms=12, use_bias=False), OBLONG),
    "PadConv1D": (lambda: lk.PadConv1D(3, 4, padding="circular"), SIGNAL),
    "PadConv2D": (lambda: lk.PadConv2D(3, 3, 2, padding="circular", activation="relu"), IMAGE),
    "PadConv2D, zeros": (lambda: lk.PadConv2D(3, 3, padding="same"), IMAGE),
    "PadConv3D": (lambda: lk.PadConv3D(3, 2, 2, padding="circular"), (4, 4, 4, 2)),
    "ConvexPotential": (lambda: lk.ConvexPotential(3), VECTOR),
    "ConvexPotentialConv2D": (lambda: lk.ConvexPotentialConv2D(3), IMAGE),
    "Sandwich": (lambda: lk.Sandwich(3), VECTOR),
    "FrequencyConv2D": (lambda: lk.FrequencyConv2D(3), OBLONG),
    "ExponentialConv2D": (lambda: lk.ExponentialConv2D(3, terms=3), OBLONG),
    "ScaledAveragePooling2D": (lambda: lk.ScaledAveragePooling2D(2), IMAGE),
    "ScaledAveragePooling2D, overlapping": (lambda: lk.ScaledAveragePooling2D(3, (2, 1)), IMAGE),
    "ScaledL2NormPooling2D": (lambda: lk.ScaledL2NormPooling2D(2), IMAGE),
    "ScaledL2NormPooling2D, overlapping": (lambda: lk.ScaledL2NormPooling2D((3, 2), 1), IMAGE),
    "ScaledGlobalAveragePooling2D": (lambda: lk.ScaledGlobalAveragePooling2D(), IMAGE),
    "ScaledGlobalL2NormPooling2D": (lambda: lk.ScaledGlobalL2NormPooling2D(), IMAGE),
    "InvertibleDownSampling": (lambda: lk.InvertibleDownSampling(2), IMAGE),
    "InvertibleUpSampling": (lambda: lk.InvertibleUpSampling(2), IMAGE),
    "GroupSort": (lambda: lk.GroupSort(4), IMAGE),
    "GroupSort, rows": (lambda: lk.GroupSort(3, axis=1), IMAGE),
    "GroupSort2": (lambda: lk.GroupSort2(), IMAGE),
    "FullSort": (lambda: lk.FullSort(), VECTOR),
    "MaxMin": (lambda: lk.MaxMin(), VECTOR),
    "Householder": (lambda: lk.Householder(), IMAGE),
    "PReLUlip": (lambda: lk.PReLUlip(), IMAGE),
    "PReLUlip, vectors": (lambda: lk.PReLUlip(alpha_initializer="ones"), VECTOR),
}
if CHANNELS_FIRST:
    LAYERS |= {
        "SpectralConv2D, grouped": (lambda: lk.SpectralConv2D(6, 3, groups=2, method="aoc"), IMAGE),
        "SpectralConv2D, first": (lambda: lk.SpectralConv2D(6, 3, 2, method="aol", **FIRST), FLIPPED),
        "SpectralConv2D, round": (lambda: lk.SpectralConv2D(4, 3, padding="circular", method="aol", **FIRST), FLIPPED),
        "SpectralConv2DTranspose, first": (lambda: lk.SpectralConv2DTranspose(3, 3, 2, **FIRST), FLIPPED),
        "CPLConv2D, first": (lambda: lk.CPLConv2D(5, padding="circular", **FIRST), FLIPPED),
        "CayleyConv2D, first": (lambda: lk.CayleyConv2D(5, **FIRST), FLIPPED),
        "SOCConv2D, first": (lambda: lk.SOCConv2D(5, **FIRST), FLIPPED),
        "ScaledAveragePooling2D, first": (lambda: lk.ScaledAveragePooling2D(2, **FIRST), FLIPPED),
        "ScaledL2NormPooling2D, first": (lambda: lk.ScaledL2NormPooling2D(2, **FIRST), FLIPPED),
        "ScaledGlobalL2NormPooling2D, first": (lambda: lk.ScaledGlobalL2NormPooling2D(**FIRST), FLIPPED),
        "InvertibleDownSampling, first": (lambda: lk.InvertibleDownSampling(2, **FIRST), FLIPPED),
        "InvertibleUpSampling, first": (lambda: lk.InvertibleUpSampling(2, **FIRST), FLIPPED),
    }
if keras.backend.backend() == "jax":
    # eager JAX compiles every product of every shape: one of each kind is enough, and networks are compiled whole
    LEFT = {"aoc", "bcop", "bjorck", "block_reflectors", "lot", "soc", "tall", "tokens", "grouped", "strided", "valid"}
    LEFT |= {"options", "overlapping", "first", "round", "dilated", "wide", "fewer", "zeros", *PLAIN}
    LEFT |= {"CPLDense", "CPLConv2D", "LOTConv2D", "SpectralConv3D, circular", "SpectralConv1DTranspose"}
    LAYERS = {name: case for name, case in LAYERS.items() if LEFT.isdisjoint({name, *name.split(", ")[1:]})}


def points(shape: tuple[int, ...], samples: int = 4, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((samples, *shape), dtype=np.float32)


def shaken(layer: keras.layers.Layer, shape: tuple[int, ...] | None = None) -> keras.layers.Layer:
    """The layer or model with other parameters than those that it starts from."""
    rng = np.random.default_rng(0)
    if shape is not None:
        layer.build((None, *shape))
    layer.set_weights([w + 0.3 * rng.standard_normal(w.shape).astype(w.dtype) for w in layer.get_weights()])
    return layer


def numbers(x: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))
