"""Losses as classes of Keras."""

from __future__ import annotations

from .. import losses
from ._layer import registered
from ._loss import FunctionLoss


@registered
class KR(FunctionLoss):
    r"""Kantorovich-Rubinstein loss of a binary classifier, to be minimised: deel-lip's ``KR`` with a minus.

    Parameters
    ----------
    positive_fraction : see `lipcore.nn.losses.kr`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

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


@registered
class MulticlassKR(KR):
    r"""Kantorovich-Rubinstein loss of several classes, to be minimised: deel-lip's ``MulticlassKR`` with a minus.

    Parameters
    ----------
    positive_fraction : see `lipcore.nn.losses.multiclass_kr`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

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
    alpha, min_margin, convex, positive_fraction : see `lipcore.nn.losses.hkr`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.HKR(alpha=10.0)(np.array([[1.0], [0.0]]), np.array([[3.0], [-1.0]])))
    -4.0
    """

    function = staticmethod(losses.hkr)
    classes = False


@registered
class MulticlassHKR(HKR):
    r"""Hinge-regularised Kantorovich-Rubinstein loss of several classes: deel-lip's ``MulticlassHKR``.

    Parameters
    ----------
    alpha, min_margin, convex, positive_fraction : see `lipcore.nn.losses.multiclass_hkr`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

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
    min_margin : see `lipcore.nn.losses.hinge_margin`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> float(lk.HingeMargin(min_margin=2.0)(np.array([[1.0], [0.0]]), np.array([[1.0], [-3.0]])))
    0.0
    """

    function = staticmethod(losses.hinge_margin)
    classes = False


@registered
class MulticlassHinge(HingeMargin):
    """Hinge loss of several classes, one against the others: deel-lip's ``MulticlassHinge``.

    Parameters
    ----------
    min_margin : see `lipcore.nn.losses.multiclass_hinge`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

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
    min_margin : see `lipcore.nn.losses.multi_margin`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

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
    min_margin : see `lipcore.nn.losses.categorical_hinge`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

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
    tau : see `lipcore.nn.losses.tau_cross_entropy`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> round(float(lk.TauCategoricalCrossentropy(2.0)(np.array([[1.0, 0.0]]), np.zeros((1, 2)))), 4)
    0.3466
    """

    function = staticmethod(losses.tau_cross_entropy)


@registered
class TauSparseCategoricalCrossentropy(TauCategoricalCrossentropy):
    r"""The same by the name that it has for class numbers; both take class numbers and one-hot labels.

    Parameters
    ----------
    tau : see `lipcore.nn.losses.tau_cross_entropy`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

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
    tau : see `lipcore.nn.losses.tau_binary_cross_entropy`
    reduction, name, dtype
        As for ``keras.losses.Loss``.

    Examples
    --------
    >>> import numpy as np
    >>> import lipcore.nn.keras as lk
    >>> round(float(lk.TauBinaryCrossentropy(2.0)(np.array([[1.0]]), np.zeros((1, 1)))), 4)
    0.3466
    """

    function = staticmethod(losses.tau_binary_cross_entropy)
    classes = False
