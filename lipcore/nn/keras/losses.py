"""Losses as classes of Keras."""

from __future__ import annotations

from typing import Any

from .. import losses
from ._layer import registered
from ._loss import FunctionLoss


@registered
class KR(FunctionLoss):
    r"""Kantorovich-Rubinstein loss of a binary classifier, to be minimised: deel-lip's ``KR`` with a minus.

    Parameters
    ----------
    positive_fraction : float, optional
        See `lipcore.nn.losses.kr`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Notes
    -----
    The terms are weighted by the classes' sizes in the batch.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.KR()(np.array([[1.0], [0.0]]), np.array([[3.0], [-1.0]])))
    -4.0
    """

    function = staticmethod(losses.kr)
    sign = -1.0
    classes = False

    def __init__(self, positive_fraction: float | None = None, **kwargs: Any) -> None:
        super().__init__(positive_fraction=positive_fraction, **kwargs)


@registered
class MulticlassKR(KR):
    r"""Kantorovich-Rubinstein loss of several classes, to be minimised: deel-lip's ``MulticlassKR`` with a minus.

    Parameters
    ----------
    positive_fraction : float, optional
        See `lipcore.nn.losses.multiclass_kr`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.MulticlassKR()(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 4.0]])))
    -3.0
    """

    function = staticmethod(losses.multiclass_kr)
    classes = True


@registered
class HKR(FunctionLoss):
    r"""Hinge-regularised Kantorovich-Rubinstein loss of a binary classifier: deel-lip's ``HKR``.

    Parameters
    ----------
    alpha, min_margin : float
        See `lipcore.nn.losses.hkr`.
    **kwargs
        Its other options, and ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.HKR(alpha=10.0)(np.array([[1.0], [0.0]]), np.array([[3.0], [-1.0]])))
    -4.0
    """

    function = staticmethod(losses.hkr)
    classes = False

    def __init__(self, alpha: float = 10.0, min_margin: float = 1.0, **kwargs: Any) -> None:
        super().__init__(alpha=alpha, min_margin=min_margin, **kwargs)


@registered
class MulticlassHKR(HKR):
    r"""Hinge-regularised Kantorovich-Rubinstein loss of several classes: deel-lip's ``MulticlassHKR``.

    Parameters
    ----------
    alpha, min_margin : float
        See `lipcore.nn.losses.multiclass_hkr`.
    **kwargs
        Its other options, and ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.MulticlassHKR(alpha=0.0)(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 4.0]])))
    -3.0
    """

    function = staticmethod(losses.multiclass_hkr)
    classes = True


@registered
class HingeMargin(FunctionLoss):
    """Hinge loss of a binary classifier: deel-lip's ``HingeMargin``.

    Parameters
    ----------
    min_margin : float
        See `lipcore.nn.losses.hinge_margin`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.HingeMargin(min_margin=2.0)(np.array([[1.0], [0.0]]), np.array([[1.0], [-3.0]])))
    0.0
    """

    function = staticmethod(losses.hinge_margin)
    classes = False

    def __init__(self, min_margin: float = 1.0, **kwargs: Any) -> None:
        super().__init__(min_margin=min_margin, **kwargs)


@registered
class MulticlassHinge(HingeMargin):
    """Hinge loss of several classes, one against the others: deel-lip's ``MulticlassHinge``.

    Parameters
    ----------
    min_margin : float
        See `lipcore.nn.losses.multiclass_hinge`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.MulticlassHinge()(np.array([0]), np.array([[2.0, -2.0]])))
    0.0
    """

    function = staticmethod(losses.multiclass_hinge)
    classes = True


@registered
class MultiMargin(MulticlassHinge):
    """Mean hinge loss of the margins to all wrong logits: deel-lip's ``MultiMargin``.

    Parameters
    ----------
    min_margin : float
        See `lipcore.nn.losses.multi_margin`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.MultiMargin()(np.array([0]), np.array([[2.0, 0.0]])))
    0.0
    """

    function = staticmethod(losses.multi_margin)


@registered
class CategoricalHinge(MulticlassHinge):
    """Hinge loss of the margin to the largest wrong logit: deel-lip's ``CategoricalHinge``.

    Parameters
    ----------
    min_margin : float
        See `lipcore.nn.losses.categorical_hinge`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.CategoricalHinge()(np.array([0]), np.array([[2.0, 0.0]])))
    0.0
    """

    function = staticmethod(losses.categorical_hinge)


@registered
class TauCategoricalCrossentropy(FunctionLoss):
    r"""Cross-entropy of scaled logits over the scale, :math:`\mathrm{CE}(\tau f) / \tau`: deel-lip's class.

    Parameters
    ----------
    tau : float
        See `lipcore.nn.losses.tau_cross_entropy`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> round(float(lk.TauCategoricalCrossentropy(2.0)(np.array([[1.0, 0.0]]), np.zeros((1, 2)))), 4)
    0.3466
    """

    function = staticmethod(losses.tau_cross_entropy)

    def __init__(self, tau: float, **kwargs: Any) -> None:
        super().__init__(tau=tau, **kwargs)


@registered
class TauSparseCategoricalCrossentropy(TauCategoricalCrossentropy):
    r"""The same by the name that it has for class numbers; both take class numbers and one-hot labels.

    Parameters
    ----------
    tau : float
        See `lipcore.nn.losses.tau_cross_entropy`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> round(float(lk.TauSparseCategoricalCrossentropy(2.0)(np.array([0]), np.zeros((1, 2)))), 4)
    0.3466
    """


@registered
class TauBinaryCrossentropy(TauCategoricalCrossentropy):
    r"""Binary cross-entropy of scaled scores over the scale: deel-lip's ``TauBinaryCrossentropy``.

    Parameters
    ----------
    tau : float
        See `lipcore.nn.losses.tau_binary_cross_entropy`.
    **kwargs
        ``reduction``, ``name`` and ``dtype`` of ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> round(float(lk.TauBinaryCrossentropy(2.0)(np.array([[1.0]]), np.zeros((1, 1)))), 4)
    0.3466
    """

    function = staticmethod(losses.tau_binary_cross_entropy)
    classes = False
