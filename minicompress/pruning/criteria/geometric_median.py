"""A filter in the midst of its layer's says what the others say already: replaceable, not small (PR-5)."""

import numpy as np

from minicompress import expect

from . import Criterion, of_weights


def geometric_median(weight):
    """s_j = Σ_k ‖F_j − F_k‖₂, how far a filter is from all others; the least is the most central of them (PR-5).

    That one stands in for the geometric median, the point of least such sum, which need not be a filter.

    weight : (out, in, …) an array, one filter or unit a row

    Returns (out,) float64. The distances are those of differences, not the roots of ‖a‖² + ‖b‖² − 2ab, which are NaN
    or noise for equal filters. Raises ValueError for an array of fewer than two axes. Source: He et al. 2019, section
    3.4.

    >>> geometric_median(np.array([[0.0], [1.0], [9.0], [9.0]]))
    array([19., 17., 17., 17.])
    """
    weight = np.asarray(weight, np.float64)
    expect.shaped("weight", weight, "(out, in, …)", weight.ndim >= 2)
    filters = weight.reshape(len(weight), -1)
    return np.array([np.linalg.norm(filters - one, axis=1).sum() for one in filters])


CRITERION = Criterion("geometric-median", of_weights(geometric_median))
