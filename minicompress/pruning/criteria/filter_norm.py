"""Small filters give small maps: the norm of a channel's own weights (PR-4)."""

import numpy as np

from minicompress import expect

from . import Criterion, of_weights


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


CRITERION = Criterion("filter-norm", of_weights(filter_norm))
