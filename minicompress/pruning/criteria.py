"""How important a channel is: scores, by which others choose what to keep."""

import numpy as np

from minicompress import expect, nn


def filter_norm(weight, order=1):
    """s_j = Σ|F_j| for ``order=1``, ‖F_j‖₂ for ``order=2``: the importance of each filter (PR-4).

    weight : (out, in, …) an array, one filter or unit a row

    Returns (out,) float64. Raises ValueError for another order or an array of fewer than two axes. Source: Li et al.
    2017, section 3.1 (order 1); the survey of criteria there compares order 2.

    >>> filter_norm(np.array([[3.0, -4.0], [1.0, 0.0]])), filter_norm(np.array([[3.0, -4.0]]), order=2)
    (array([7., 1.]), array([5.]))
    """
    weight = np.asarray(weight, np.float64)
    expect.shaped("weight", weight, "(out, in, …)", weight.ndim >= 2)
    expect.one_of("order", order, (1, 2))
    return np.linalg.norm(weight.reshape(len(weight), -1), order, axis=1)


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
