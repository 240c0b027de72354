"""From named arrays without a graph to linear layers: by name, number of axes and type, and nothing by guess alone."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._typing import Array, Shape
from .names import BATCH_NORMS, EMBEDDING, RECURRENT, STRIP, fit_together, split, why_no_map
from .records import (
    NO_DIAGONAL,
    LinearLayer,
    ModelOptionError,
    ModelWeights,
    Remainder,
    batch_norm_diagonal,
    floating,
)

UNKNOWN_GEOMETRY = (
    "stride, padding, dilation and groups are not in the file: bounds are for stride 1 and one group over all "
    "image sizes; the upper one holds for every choice of them"
)
ASSUMED_SAME = "not in the file, and taken as: stride 1, dilation 1, one group, zero padding to the same size"


def sort_arrays(
    path: str,
    kind: str,
    arrays: Mapping[str, Array | str],
    *,
    input_shapes: Mapping[str, Shape],
    geometry: Mapping[str, Mapping[str, Any]],
) -> ModelWeights:
    """Sort named arrays into linear layers, arrays that are no linear map, and arrays that are not understood.

    Parameters
    ----------
    path, kind : str
        For the result.
    arrays : mapping of str to numpy.ndarray or str
        What a reader found; a string says why there is no array.
    input_shapes, geometry : mapping
        By layer name or shell pattern, as in `lc.load_weights`.

    Returns
    -------
    ModelWeights
        Every array is in exactly one of its lists, or used by a layer of them.

    Raises
    ------
    ModelOptionError
        A name in `input_shapes` or `geometry` fits no convolution, or its value does not fit the array.
    """
    sorter = Sorter(path, arrays, input_shapes, geometry)
    sorter.batch_norms()
    for name, array in arrays.items():
        if name not in sorter.used:
            sorter.place(name, array)
    sorter.check_settings()
    order = {name: index for index, name in enumerate(arrays)}
    sorter.layers.sort(key=lambda item: order[item[0]])
    return ModelWeights(
        path=path,
        format=kind,
        layers=tuple(layer for _, layer in sorter.layers),
        not_linear=tuple(sorter.not_linear),
        not_understood=tuple(sorter.not_understood),
    )


class Sorter:
    """The lists that `sort_arrays` fills, and the rules."""

    def __init__(
        self,
        path: str,
        arrays: Mapping[str, Array | str],
        input_shapes: Mapping[str, Shape],
        geometry: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self.path, self.arrays, self.input_shapes, self.geometry = path, arrays, input_shapes, geometry
        self.layers: list[tuple[str, LinearLayer]] = []
        self.not_linear: list[Remainder] = []
        self.not_understood: list[Remainder] = []
        self.used: set[str] = set()
        self.names: set[str] = set()
        self.settled: set[str] = set()

    def add(self, array_name: str, **fields: Any) -> None:
        """Append a layer under the shortest name that is still free."""
        prefix, last = split(array_name)
        name = prefix if prefix and last in STRIP and prefix not in self.names else array_name
        if name in self.names:
            name = next(f"{array_name}#{i}" for i in range(2, 10**9) if f"{array_name}#{i}" not in self.names)
        self.names.add(name)
        self.layers.append((array_name, LinearLayer(name=name, **fields)))

    def batch_norms(self) -> None:
        """Find batch normalisations by their running variance, and fold each into one diagonal."""
        for name in self.arrays:
            prefix, last = split(name)
            convention = next((c for c in BATCH_NORMS if c[3] == last), None)
            if convention is None:
                continue
            scale, shift, mean, _, eps = convention
            stem = name[: len(name) - len(last) - (2 if name.endswith(":0") else 0)]
            tail = ":0" if name.endswith(":0") else ""
            names = {key: f"{stem}{key}{tail}" for key in (scale, shift, mean)}
            parts: dict[str, Any] = {key: self.arrays.get(value) for key, value in names.items()}
            variance: Any = self.arrays[name]
            if parts[mean] is None or not fit_together(variance, parts[mean], parts[scale]):
                continue
            folded = batch_norm_diagonal(parts[scale], variance, eps)
            if folded is None:
                self.not_understood.append(Remainder(name, f"batch normalisation: {NO_DIAGONAL}", variance.shape))
                self.used.add(name)
                continue
            self.names.add(prefix)
            self.layers.append((name, LinearLayer(
                name=prefix or name, kind="diagonal", weight=folded[0], relative_error=folded[1],
                source=f"arrays {names[scale]} and {name}" if parts[scale] is not None else f"array {name}",
                notes=(f"batch normalisation; its epsilon is not in the file, and taken as {eps:g}",),
            )))  # fmt: skip
            self.used |= {name} | ({names[scale]} if parts[scale] is not None else set())
            for key, reason in ((shift, "bias: a shift"), (mean, "running mean: a shift")):
                if isinstance(parts[key], np.ndarray):
                    self.used.add(names[key])
                    self.not_linear.append(Remainder(names[key], reason, parts[key].shape))

    def place(self, name: str, stored: Array | str) -> None:
        """Put one array where it belongs."""
        if isinstance(stored, str):
            self.not_understood.append(Remainder(name, stored))
            return
        linear, reason = why_no_map(name, stored)
        if reason is not None:
            (self.not_linear if linear else self.not_understood).append(Remainder(name, reason, stored.shape))
            return
        array = floating(stored)
        if array is None:
            self.not_understood.append(Remainder(name, f"type {stored.dtype} is not read", stored.shape))
        elif array.ndim == 2:
            self.place_matrix(name, array)
        else:
            self.place_kernel(name, array)

    def place_matrix(self, name: str, array: Array) -> None:
        """A dense, recurrent or embedding matrix, as (out, in)."""
        prefix, last = split(name)
        source = f"array {name}"
        if RECURRENT.match(last):
            self.add(name, kind="recurrent", weight=array.T if last == "recurrent_kernel" else array, source=source)
        elif last == "kernel":
            self.add(
                name,
                kind="dense",
                weight=array.T,
                source=source,
                notes=(f"{last}: read as (in, out), as Keras and Flax store it",),
            )
        elif (
            EMBEDDING.search(split(prefix)[1])
            or last in ("embedding", "embeddings")
            or (not prefix and EMBEDDING.search(last))
        ):
            self.add(
                name,
                kind="embedding",
                weight=array.T,
                source=source,
                notes=("embedding: the map from one-hot vectors",),
            )
        else:
            self.add(name, kind="dense", weight=array, source=source)

    def place_kernel(self, name: str, array: Array) -> None:
        """A convolution; channels come last in arrays called kernel (Keras, Flax) and first in all others."""
        last = split(name)[1]
        notes: list[str] = []
        groups = None
        if last in ("kernel", "depthwise_kernel", "pointwise_kernel"):
            notes.append(f"{last}: read with the channels last, as Keras and Flax store it")
            if last == "depthwise_kernel":
                groups = array.shape[-2]
                array = np.moveaxis(array.reshape(*array.shape[:-2], 1, -1), (-1, -2), (0, 1))
            else:
                array = np.moveaxis(array, (-1, -2), (0, 1))
        before = len(self.layers)
        self.add(name, kind="convolution", weight=np.ascontiguousarray(array), source=f"array {name}", groups=groups)
        key, layer = self.layers[before]
        self.layers[before] = (key, self.with_geometry(layer, notes))

    def with_geometry(self, layer: LinearLayer, notes: list[str]) -> LinearLayer:
        """The layer with what the caller says about its stride, padding, dilation, groups and input."""
        from dataclasses import replace

        shape = self.lookup(self.input_shapes, layer.name)
        given = self.lookup(self.geometry, layer.name)
        axes = layer.weight.ndim - 2
        if shape is None and given is None:
            return replace(layer, notes=(*notes, UNKNOWN_GEOMETRY))
        settings = dict(given or {})
        stride = self.per_axis(layer.name, "stride", settings.pop("stride", 1), axes, 1)
        dilation = self.per_axis(layer.name, "dilation", settings.pop("dilation", 1), axes, 1)
        groups = int(settings.pop("groups", layer.groups or 1))
        padding = settings.pop("padding", None)
        if settings:
            raise ModelOptionError(
                f"{self.path}: geometry of {layer.name} has {', '.join(settings)}: "
                "accepted are stride, padding, dilation, groups"
            )
        if groups < 1 or layer.weight.shape[0] % groups:
            raise ModelOptionError(
                f"{self.path}: {layer.name} has {layer.weight.shape[0]} output channels, "
                f"which groups={groups} does not divide"
            )
        channels = layer.weight.shape[1] * groups
        if shape is not None and (len(shape) != axes + 1 or shape[0] != channels or min(shape) < 1):
            raise ModelOptionError(
                f"{self.path}: input shape {shape} does not fit {layer.name}: "
                f"accepted is ({channels}, and {axes} positive lengths)"
            )
        if padding is None:
            # Zero padding to the same size, as torch's padding="same" splits it.
            totals = [d * (k - 1) for d, k in zip(dilation, layer.weight.shape[2:], strict=True)]
            pads = tuple((t // 2, t - t // 2) for t in totals)
        else:
            pads = tuple((p, p) for p in self.per_axis(layer.name, "padding", padding, axes, 0))
        if given is None:
            notes.append(ASSUMED_SAME)
        else:
            notes.append("stride, padding, dilation and groups as given by the caller")
        return replace(
            layer, stride=stride, dilation=dilation, groups=groups, padding=pads, input_shape=shape, notes=tuple(notes)
        )

    def lookup(self, table: Mapping[str, Any], name: str) -> Any:
        """The caller's entry for a layer: by name, else by shell pattern."""
        if name in table:
            self.settled.add(name)
            return table[name]
        for pattern, value in table.items():
            if fnmatch.fnmatchcase(name, pattern):
                self.settled.add(pattern)
                return value
        return None

    def per_axis(self, name: str, key: str, value: Any, axes: int, least: int) -> Shape:
        """One integer per axis from an integer or a sequence."""
        values = (value,) * axes if isinstance(value, int) else tuple(value)
        if len(values) != axes or not all(isinstance(v, int) and v >= least for v in values):
            raise ModelOptionError(
                f"{self.path}: {key} of {name} is {value!r}: "
                f"accepted is one integer of at least {least}, or {axes} of them"
            )
        return values

    def check_settings(self) -> None:
        """Refuse names that fit no convolution: a misspelt one must not be ignored."""
        for name in (*self.input_shapes, *self.geometry):
            if name not in self.settled:
                known = ", ".join(layer.name for _, layer in self.layers if layer.kind == "convolution") or "none"
                raise ModelOptionError(f"{self.path}: no convolution is called {name!r}; there are: {known}")
