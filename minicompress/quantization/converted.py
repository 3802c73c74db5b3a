"""The integer layers taken out of a prepared network, and the methods of `compare` that are made so."""

import copy

from minicompress.claims import Method
from minicompress.engine import no_grad
from minicompress.nn import Concatenate, Rules, Sequential
from minicompress.nn.rules import rebuilt

from .prepared import prepare_qat, require_prepared


def convert(model):
    """A new network of integer layers that gives what a prepared and calibrated one gives, bit for bit (QU-9, QU-10).

    A model with nothing but quantized weights is copied. Raises ValueError for a model of which nothing is quantized,
    before calibration, and for a bias that does not fit 32 bits.

    >>> import numpy as np
    >>> from minicompress import models
    >>> from minicompress.quantization import calibrate, prepare
    >>> x = np.ones((5, 4), np.float32)
    >>> convert(calibrate(prepare(models.mlp([4, 3, 2], rng=np.random.default_rng(0))), x)).fc2.weight.form().bits
    8
    """
    require_prepared(model)
    with no_grad():
        return CONVERTED(copy.deepcopy(model), "").train(model.training)


def _children(container, path):
    return rebuilt(container, path, CONVERTED)


def _own(layer, path):
    """A layer of a prepared network says what it becomes; whatever else is there stays."""
    return layer.converted() if hasattr(layer, "converted") else layer


CONVERTED = Rules("can't be converted", dict.fromkeys((Sequential, Concatenate), _children), otherwise=_own)


def _integers(bits):
    def quantize(model, tuning):
        prepared = prepare_qat(model, tuning.dataset.train, weights=bits)
        tuning.fit(prepared, adam=3e-4)
        return convert(prepared)
    return quantize


METHODS = tuple(Method(f"int{bits}", ("cut", "pruned"), "a weight has one code: each of the two would replace the "
                       "other's", _integers(bits), f"int{bits}") for bits in (8, 4))
