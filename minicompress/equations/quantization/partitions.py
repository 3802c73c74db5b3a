"""Literal helpers of clusters (QU-11): what a clustering costs, the least that one can cost, and where to start.

They are exact for `fractions.Fraction`.
"""

import itertools
import math


def clustering_error(weights, centroids, codes):
    """(QU-11) Σ_c Σ_{w in cluster c} (w - centroid_c)². Han et al. 2016, eq. 2.

    >>> clustering_error([0, 1, 10], [0.5, 10], [0, 0, 1])
    0.5
    """
    error = 0.0
    for w, c in zip(weights, codes, strict=True):
        error += (w - centroids[c]) ** 2
    return error


def linear_centroids(weights, k):
    """(QU-11) k centroids evenly from the least to the greatest weight. Han et al. 2016, section 3.2.

    >>> linear_centroids([0, 1, 10], 3)
    [0.0, 5.0, 10.0]
    """
    low, high = min(weights), max(weights)
    return [low + (high - low) * c / (k - 1) if k > 1 else float(low) for c in range(k)]


def density_centroids(weights, k):
    """(QU-11) k centroids where the cumulative distribution passes (c + ½)/k. Han et al. 2016, section 3.2.

    >>> density_centroids([5, 1, 2, 9], 2)
    [2.0, 9.0]
    """
    ordered = sorted(weights)
    return [float(ordered[(2 * c + 1) * len(ordered) // (2 * k)]) for c in range(k)]


def least_error(weights, k):
    """(QU-11) The least error over every way to give the weights k codes: kⁿ of them, so for a handful of weights.

    >>> least_error([0, 10, 1], 2)
    0.5
    """
    return min(partition_error(weights, codes) for codes in itertools.product(range(k), repeat=len(weights)))


def least_interval_error(weights, k):
    """(QU-11) The same over clusters that are intervals of the sorted weights, as the best ones always are.

    >>> least_interval_error([0, 10, 1], 2)
    0.5
    """
    ordered = sorted(weights)
    errors = []
    for clusters in range(1, min(k, len(ordered)) + 1):
        for cuts in itertools.combinations(range(1, len(ordered)), clusters - 1):
            codes = [sum(cut <= i for cut in cuts) for i in range(len(ordered))]
            errors.append(partition_error(ordered, codes))
    return min(errors)


def layered_error(weights, k):
    """(QU-11) The same by dynamic programming: D_m(j) = min_i D_{m-1}(i) + error of weights i … j-1. Wang & Song 2011.

    >>> layered_error([0, 10, 1], 2)
    0.5
    """
    ordered = sorted(weights)
    n = len(ordered)
    least = [0] + [math.inf] * n
    for _ in range(min(k, n)):
        layer = [math.inf] * (n + 1)
        for i in range(n):
            mean = error = 0
            for j in range(i + 1, n + 1):  # the mean and the error of i … j-1 from those without the last (Welford)
                step = ordered[j - 1] - mean
                mean += step / (j - i)
                error += step * (ordered[j - 1] - mean)
                layer[j] = min(layer[j], least[i] + error)
        least = layer
    return least[n]


def partition_error(weights, codes):
    """(QU-11) The error of a partition whose centroids are its clusters' means; exact for `fractions.Fraction`.

    >>> partition_error([0, 1, 10], [0, 0, 1])
    0.5
    """
    error = 0
    for c in set(codes):
        members = [w for w, code in zip(weights, codes, strict=True) if code == c]
        mean = sum(members) / len(members)
        error += sum((w - mean) ** 2 for w in members)
    return error
