"""How much each layer minds being pruned, with all others left alone."""

import numpy as np

from minicompress import expect, nn, training
from minicompress.data import Dataset

from .magnitude import magnitude_mask
from .masks import Mask


def sensitivity(model, data, sparsities, *, batch_size=256):
    """The error of a model with one weight array pruned by magnitude, all else as it is: {name: (levels,)} (PR-13).

    Args:
        model: stays, bit for bit, as it was.
        data: labelled validation data, or a `Dataset` with a validation split, of which only that one is read: which
            layer to prune how much is a choice, and the test split is for none.
        sparsities: fractions in [0, 1]; at 0 the error is that of the model.
        batch_size: examples per forward pass.

    Returns the errors as fractions, by the weight's dotted name. Raises ValueError for data without labels, a
    Dataset without a validation split, no levels, and levels outside [0, 1]; TypeError for what is no Module.
    Source: Han et al. 2015, section 4.

    >>> from minicompress import models
    >>> x, y = np.eye(3, dtype=np.float32), np.arange(3)
    >>> model = models.mlp([3, 3], rng=np.random.default_rng(0))
    >>> list(sensitivity(model, (x, y), [0.0, 0.5, 1.0])) == ["fc1.weight"]
    True
    """
    expect.a(nn.Module, "model", model)
    data, levels = _choosing(data), np.asarray(sparsities, np.float64)
    fractions = levels.ndim == 1 and levels.size and (levels >= 0).all() and (levels <= 1).all()
    expect.that(fractions, lambda: f"sparsities are {sparsities!r}, expected fractions in [0, 1], at least one")
    weights = {name: p for name, p in model.named_latents() if p.ndim > 1}
    return {name: np.array([_error(model, data, weight, level, batch_size) for level in levels])
            for name, weight in weights.items()}


def _choosing(data):
    """The examples that may choose: of a Dataset those of its validation split."""
    if not isinstance(data, Dataset):
        return data
    expect.that(data.validation is not None, f"{data.name} has no validation split: load it with validation=…, rng=…; "
                "its test split must not choose anything")
    return data.validation


def _error(model, data, weight, level, batch_size):
    """The error with one Parameter under one more mask, which is gone afterwards; its latent values never change."""
    before = weight.projections
    mask = Mask(magnitude_mask(weight.effective().numpy(), level)).fit(weight.data)
    try:
        weight.projections = (mask, *before)
        return training.evaluate(model, data, batch_size).error
    finally:
        weight.projections = before
