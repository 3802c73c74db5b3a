"""A channel whose batch norm scales it to nearly nothing is nearly constant: |γ|, as network slimming ranks (PR-6)."""

import numpy as np

from minicompress import expect, nn

from . import Criterion


def batch_norms(model):
    """The batch norms of a model by their dotted names; ValueError where there is none."""
    found = {name: module for name, module in model.named_modules() if isinstance(module, nn.BatchNorm1d)}
    expect.that(found, "the model has no batch norm, so it has no γ to rank or to penalise")
    return found


def scale_norm(model):
    """|γ| of every batch norm's channels, {its dotted name: (C,)}: scores for `choose_channels` (PR-6).

    Ranked together over the whole network they say which channels to cut. Raises ValueError for a model without batch
    norm. Source: Liu et al. 2017, section 3.

    >>> from minicompress import models
    >>> scale_norm(models.mlp([4, 3, 2], batch_norm=True, rng=np.random.default_rng(0)))
    {'bn1': array([1., 1., 1.], dtype=float32)}
    """
    return {name: np.abs(layer.weight.effective().numpy()) for name, layer in batch_norms(model).items()}


CRITERION = Criterion("scale-norm", lambda model, data: scale_norm(model))
