"""Gated units: products of two projections of one input, of which one goes through an activation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from .. import _backend as B
from .._typing import Array, Shape
from ..norms import Bounds
from .activations import GELU, Identity, ReLU, SiLU
from .base import Layer, Ord
from .composite import Known
from .dense import Dense
from .elementwise import Elementwise
from .multiply import Multiply
from .parallel import Parallel
from .regions import Host, Region
from .scaled_rows import ScaledRows
from .sequential import Sequential, checked_layer

_EACH_TOKEN = 64  # tokens whose matrices are scaled by what is known of that token


class Gated(Parallel):
    r"""Gated unit on the last axis, :math:`h = \phi(W_1 x + b_1) \circ (W_2 x + b_2)`.

    Parameters
    ----------
    activation : Elementwise
        :math:`\phi`, a layer such as `SiLU`.
    weight_gate, weight_value : array, shape (hidden, features)
        The matrices :math:`W_1, W_2`, as torch stores them.
    bias_gate, bias_value : array, shape (hidden,), optional
        What is added to the projections.

    Raises
    ------
    TypeError
        If `activation` acts on more than single entries, or an array is not real floating point.
    ValueError
        If shapes do not meet.
    UnboundedError
        From `lipschitz`, without a bounded region: a product of two affine maps grows with its input.

    See Also
    --------
    GLU : The product of two halves of an input, without weights.
    SwiGLU, GEGLU, ReGLU, Bilinear : With an activation chosen.

    Notes
    -----
    The Jacobian is :math:`\mathrm{diag}(v \circ \phi'(u)) W_1 + \mathrm{diag}(\phi(u)) W_2`, :math:`u, v` the two
    projections. Over a region intervals of u and v give the largest :math:`s_1 = |v \phi'(u)|` and
    :math:`s_2 = |\phi(u)|` of each unit, and the constant is at most

    - for ord 1 and inf the norm of :math:`\mathrm{diag}(s_1) |W_1| + \mathrm{diag}(s_2) |W_2|`;
    - for ord 2 and "token" the least of :math:`\|\mathrm{diag}(s_1) W_1\| + \|\mathrm{diag}(s_2) W_2\|` and
      :math:`\max_i (s_{1i}^2 + s_{2i}^2)^{1/2}` times the norm of the two matrices on top of each other.

    Tokens do not meet: the largest of theirs counts. Analytic. Source: Shazeer 2020, arXiv 2002.05202.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> unit = lc.layers.Gated(lc.layers.Identity(), np.array([[1.0]]), np.array([[2.0]]))
    >>> unit(np.array([[3.0]]))
    array([[18.]])
    >>> round(unit.lipschitz(2, lc.Box(np.zeros(1), np.ones(1))).upper, 6)  # the slope of 2 x^2 at 1
    4.0
    """

    def __init__(
        self,
        activation: Layer,
        weight_gate: Array,
        weight_value: Array,
        bias_gate: Array | None = None,
        bias_value: Array | None = None,
    ) -> None:
        if not isinstance(checked_layer(activation, "activation"), Elementwise):
            raise TypeError(f"`activation` must act on each entry alone, {type(activation).__name__} does not")
        for name, w in (("weight_gate", weight_gate), ("weight_value", weight_value)):
            B.array_namespace(w, weight_gate, name=name)
            if w.ndim != 2 or tuple(w.shape) != tuple(weight_gate.shape):
                raise ValueError(
                    f"`{name}` must be a matrix (hidden, features) of the shape of the other, got {tuple(w.shape)}"
                )
        self.gate, self.value = Dense(weight_gate, bias_gate), Dense(weight_value, bias_value)
        self.activation = cast(Elementwise, activation)
        super().__init__(Sequential(self.gate, activation), self.value, merge=Multiply())

    def _through(
        self, ord: Ord, regions: Sequence[Region | None], shapes: Sequence[Shape | None]
    ) -> tuple[tuple[Bounds, ...], Known]:
        u, v = (branch.image(regions[0]) for branch in (self.gate, self.value))
        if u is None or v is None or not all(np.all(np.isfinite(x.magnitude)) for x in (u, v)):
            raise self.unbounded("a product of two affine maps grows with its input; give a region such as lc.Ball")
        self.activation.gains(2, u)  # which refuses where it jumps
        image = self._image(regions, shapes)
        slopes, values = self.activation.slope_range(u.lower, u.upper), self.activation.value_range(u.lower, u.upper)
        slope, value = (np.maximum(np.abs(low), np.abs(high)) for low, high in (slopes, values))
        rows = [np.reshape(x, (-1, x.shape[-1])) for x in (v.magnitude * slope, value)]
        constant = Bounds(0.0, self._largest(ord, rows), "analytic", ord=ord, method="product rule over intervals")
        return (constant,), (image, u.shape)

    def _largest(self, ord: Ord, rows: list[Host]) -> float:
        """The largest norm of a token's Jacobian, for sizes (tokens, hidden) of the two diagonals."""
        matrices = [np.asarray(B.to_numpy(dense.weight), dtype=np.float64) for dense in (self.gate, self.value)]
        scaled = ScaledRows(matrices, ord)
        tokens = rows[0].shape[0]
        if tokens > _EACH_TOKEN:
            rows = [np.max(x, axis=0, keepdims=True) for x in rows]
        return max((scaled.of(sizes, closely=True) for sizes in zip(*rows, strict=True)), default=0.0)


class SwiGLU(Gated):
    """`Gated` with the activation `SiLU`.

    Parameters
    ----------
    weight_gate, weight_value : array, shape (hidden, features)
        The matrices of gate and value.
    bias_gate, bias_value : array, shape (hidden,), optional
        What is added to them.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> unit = lc.layers.SwiGLU(np.array([[1.0]]), np.array([[1.0]]))
    >>> bool(unit(np.array([[20.0]]))[0, 0] > 399.99)
    True
    """

    def __init__(
        self, weight_gate: Array, weight_value: Array, bias_gate: Array | None = None, bias_value: Array | None = None
    ) -> None:
        super().__init__(SiLU(), weight_gate, weight_value, bias_gate, bias_value)


class GEGLU(Gated):
    """`Gated` with the activation `GELU`.

    Parameters
    ----------
    weight_gate, weight_value : array, shape (hidden, features)
        The matrices of gate and value.
    bias_gate, bias_value : array, shape (hidden,), optional
        What is added to them.
    approximate : {"none", "tanh"}
        As in `GELU`.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> unit = lc.layers.GEGLU(np.array([[1.0]]), np.array([[1.0]]))
    >>> unit(np.array([[10.0]]))
    array([[100.]])
    """

    def __init__(
        self,
        weight_gate: Array,
        weight_value: Array,
        bias_gate: Array | None = None,
        bias_value: Array | None = None,
        *,
        approximate: str = "none",
    ) -> None:
        super().__init__(GELU(approximate), weight_gate, weight_value, bias_gate, bias_value)


class ReGLU(Gated):
    """`Gated` with the activation `ReLU`.

    Parameters
    ----------
    weight_gate, weight_value : array, shape (hidden, features)
        The matrices of gate and value.
    bias_gate, bias_value : array, shape (hidden,), optional
        What is added to them.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> unit = lc.layers.ReGLU(np.array([[1.0]]), np.array([[1.0]]))
    >>> unit(np.array([[-2.0], [3.0]]))
    array([[-0.],
           [ 9.]])
    """

    def __init__(
        self, weight_gate: Array, weight_value: Array, bias_gate: Array | None = None, bias_value: Array | None = None
    ) -> None:
        super().__init__(ReLU(), weight_gate, weight_value, bias_gate, bias_value)


class Bilinear(Gated):
    """`Gated` without an activation, :math:`W_1 x` times :math:`W_2 x` entry by entry; not torch's layer of that name.

    Parameters
    ----------
    weight_gate, weight_value : array, shape (hidden, features)
        The two matrices.
    bias_gate, bias_value : array, shape (hidden,), optional
        What is added to them.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore as lc
    >>> unit = lc.layers.Bilinear(np.array([[1.0]]), np.array([[2.0]]))
    >>> unit(np.array([[-2.0]]))
    array([[8.]])
    """

    def __init__(
        self, weight_gate: Array, weight_value: Array, bias_gate: Array | None = None, bias_value: Array | None = None
    ) -> None:
        super().__init__(Identity(), weight_gate, weight_value, bias_gate, bias_value)
