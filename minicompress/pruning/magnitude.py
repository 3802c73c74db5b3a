"""Which weights to prune by magnitude: keep-masks, true where a weight stays."""

import numpy as np

from minicompress import expect


def sparsity(x):
    """The share of zeros of an array, or of false elements of a mask: a fraction in [0, 1] (PR-1); 0 for an empty one.

    >>> sparsity(np.array([0.0, 1.0, 0.0, 2.0]))
    0.5
    """
    x = np.asarray(x)
    return float(np.mean(x == 0)) if x.size else 0.0


def _magnitudes(w):
    w = expect.reals("weights", w)
    expect.that(not np.isnan(w).any(), f"weights of shape {w.shape} hold NaN, which has no rank")
    return np.abs(w if w.dtype.kind == "f" else w.astype(np.float64))  # in int8 the magnitude of -128 is -128


def magnitude_mask(w, sparsity):
    """Keep the weights of largest magnitude: exactly round(sparsity·n) mask elements are false (PR-2, by rank).

    n counts all weights, those that are zero already too. Of equal magnitudes the earlier in C order is pruned first,
    so a higher sparsity prunes a superset. Rounding is Python's: to the nearest, halves to even. Raises ValueError for
    a sparsity outside [0, 1] or weights with NaN, TypeError for weights that are not real numbers.
    Source: Han et al. 2015, section 3.

    >>> magnitude_mask(np.array([1.0, -3.0, 2.0, 0.5]), 0.5)
    array([False,  True,  True, False])
    """
    size = _magnitudes(w)
    count, flat = round(expect.fraction("sparsity", sparsity) * size.size), size.ravel()  # no floor: ⌊0.29·100⌋ is 28
    if not 0 < count < flat.size:
        return np.full(size.shape, count == 0)
    # The largest magnitude to go, sought beside the zeros of earlier prunings: partitioning slows down on many ties.
    zeros = flat.size - np.count_nonzero(flat)
    rank, sought = count - 1 - zeros, flat[flat != 0] if zeros else flat
    threshold = np.partition(sought, rank)[rank] if rank >= 0 else 0
    mask = flat > threshold
    ties = np.flatnonzero(flat == threshold)
    mask[ties[count - np.count_nonzero(flat < threshold):]] = True
    return mask.reshape(size.shape)


def threshold_mask(w, threshold):
    """Keep the weights with abs(w) > threshold (PR-2, by threshold): m = 1[abs(w) > t].

    Raises ValueError for a negative threshold or weights with NaN. Source: Han et al. 2015, section 3.

    >>> threshold_mask(np.array([1.0, -3.0]), 1.0)
    array([False,  True])
    """
    expect.that(threshold >= 0, f"threshold is {threshold}, expected at least 0")
    return _magnitudes(w) > np.float64(threshold)  # a plain float would be rounded to w's dtype first


def std_mask(w, q):
    """Keep the weights with abs(w) > q·std(w) (PR-2): the quality parameter q makes each layer's threshold.

    The deviation is that of all of w around its mean, zeros included. Raises ValueError for a negative q or weights
    with NaN or infinity. Source: Han et al. 2015, section 4.

    >>> std_mask(np.array([0.1, -0.1, 2.0, -2.0]), 1.0)
    array([False, False,  True,  True])
    """
    expect.that(q >= 0, f"q is {q}, expected at least 0")
    expect.that(np.isfinite(w).all(), f"weights of shape {np.shape(w)} hold NaN or infinity, and have no deviation")
    return threshold_mask(w, q * float(np.std(w, dtype=np.float64)))


def global_magnitude_masks(weights, sparsity):
    """Masks over a whole network, ranked together: {name: array} -> {name: keep-mask} (PR-2, by rank).

    Exactly round(sparsity·n) elements of all masks together are false; ties as in `magnitude_mask`, arrays in order.
    Raises ValueError for no weights at all, a sparsity outside [0, 1] or weights with NaN.

    >>> masks = global_magnitude_masks({"a": np.array([1.0, 4.0]), "b": np.array([2.0, 3.0])}, 0.5)
    >>> masks["a"].tolist(), masks["b"].tolist()
    ([False, True], [False, True])
    """
    arrays = {name: np.asarray(w) for name, w in weights.items()}
    expect.that(arrays, "weights is {}, expected at least one array to rank")
    mask, ends = magnitude_mask(np.concatenate([w.ravel() for w in arrays.values()]), sparsity), {}
    ends = np.cumsum([w.size for w in arrays.values()])[:-1]
    return {name: part.reshape(w.shape) for (name, w), part in zip(arrays.items(), np.split(mask, ends), strict=True)}
