"""Quantization, to the letter, on lists of plain numbers: k-means by loops, by exhaustion, and its centroids' gradient.

The compression rate (QU-13) stands with the other counts of bits, in `coding`.
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


def assign(weights, centroids):
    """(QU-11) For each weight the index of the nearest centroid, the lower index at a tie.

    >>> assign([0, 1, 2], [0, 2])
    [0, 0, 1]
    """
    return [min(range(len(centroids)), key=lambda c: (abs(w - centroids[c]), c)) for w in weights]


def lloyd(weights, centroids, iterations):
    """(QU-11) Assign each weight to the nearest centroid, move each centroid to its cluster's mean, and so on.

    An empty cluster's centroid stays where it is. Returns the list of (centroids, codes) after each iteration.
    Source: Lloyd 1982.

    >>> lloyd([0, 1, 10], [0, 5, 10], 2)[-1]
    ([0.5, 5, 10.0], [0, 0, 2])
    """
    history = []
    for _ in range(iterations):
        codes, moved = assign(weights, centroids), []
        for c, centroid in enumerate(centroids):
            members = [w for w, code in zip(weights, codes, strict=True) if code == c]
            moved.append(sum(members) / len(members) if members else centroid)
        centroids = moved
        history.append((centroids, assign(weights, centroids)))
    return history


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


def best_clusters(weights, k):
    """(QU-11) (centroids, codes) of a clustering of least error: means of intervals of the sorted weights, all tried.

    >>> best_clusters([0, 10, 1], 2)
    ([0.5, 10.0], [0, 1, 0])
    """
    distinct = sorted(set(weights))
    best = None
    for cuts in itertools.combinations(distinct[1:], min(k, len(distinct)) - 1):
        codes = [sum(w >= cut for cut in cuts) for w in weights]
        error = partition_error(weights, codes)
        if best is None or error < best[0]:
            best = error, codes
    members = [[w for w, code in zip(weights, best[1], strict=True) if code == c] for c in range(max(best[1]) + 1)]
    return [sum(cluster) / len(cluster) for cluster in members], best[1]


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


def centroid_gradient(weight_gradient, codes, k):
    """(QU-12) ∂L/∂C_k = Σ_ij ∂L/∂W_ij · 1[I_ij = k], for lists of rows. Han et al. 2016, eq. 3.

    >>> centroid_gradient([[1.0, 2.0], [3.0, 4.0]], [[0, 1], [1, 1]], 3)
    [1.0, 9.0, 0.0]
    """
    gradient = [0.0] * k
    for c in range(k):
        for i in range(len(codes)):
            for j in range(len(codes[i])):
                if codes[i][j] == c:
                    gradient[c] += weight_gradient[i][j]
    return gradient
