"""Which filters are replaceable: the distance from all others (PR-5)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

HE_2019 = Paper("he2019filter", ("He, Yang", "Liu, Ping", "Wang, Ziwei", "Hu, Zhilan", "Yang, Yi"),
                "Filter Pruning via Geometric Median for Deep Convolutional Neural Networks Acceleration", 2019, "CVPR",
                arxiv="1811.00250")
TWINS = np.random.default_rng(0).normal(0, 1, (12, 7)).repeat(2, axis=0)  # of numbers whose squares are rounded

# ---------------------------------------------------------------------------------------------------------------------
# PR-5


def _filters(rng, size):
    """Some filters, one among them, of any numbers, or all the same, or each twice."""
    w = eighths(rng, (one_of(rng, size + 1, size + 1, 1), size))
    return (one_of(rng, w, w, w, np.repeat(w, 2, axis=0), np.full(w.shape, w[0, 0])),)


@page("PR-5", cite=HE_2019("section 3.4"), latex=r"s_j = \sum_k \lVert F_j - F_k \rVert_2",
      implementation="minicompress.pruning.geometric_median", inputs=_filters,
      cases=((np.array([[0.0], [1.0], [9.0], [9.0]]),), (np.array([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]]),), (TWINS,)))
def geometric_median(w):
    """distance from all other filters

    s_j = Σ_k ‖F_j − F_k‖₂

    w : F, filters, one a row, (filters, weights); that of least s stands in for their geometric median
    s : scores, none negative, (filters,)

    k : an index of each filter, an integer; j itself is among them
    ‖x‖₂ : the length of x, a number: the root of the sum of the squares of its numbers

    >>> geometric_median([[0], [1], [9], [9]])
    [19.0, 17.0, 17.0, 17.0]
    """
    scores = []
    for one in w:
        total = 0
        for other in w:
            square = 0
            for a, b in zip(one, other, strict=True):
                square += (a - b) ** 2
            total += square**0.5
        scores.append(total)
    return scores


@geometric_median.must("filters are apart")
def _permutes(f, w):
    close(f, f(w[::-1]), f(w)[::-1], "exchanging filters must exchange their scores", 64)


@geometric_median.must("only differences count")
def _translates(f, w):
    close(f, f(w + 2), f(w), "adding the same to every filter must change no score", 64, 8 * np.abs(w).max() * w.size)


@geometric_median.must("directions are alike")
def _rotates(f, w):
    turned = w.copy()
    if w.shape[1] > 1:
        turned[:, 0], turned[:, 1] = 0.6 * w[:, 0] - 0.8 * w[:, 1], 0.8 * w[:, 0] + 0.6 * w[:, 1]
    close(f, f(-turned), f(w), "turning all filters together must change no score", 256, 1 + np.abs(w).max() * w.size)


@geometric_median.must("grows with the weights")
def _homogeneous(f, w):
    close(f, f(-4 * w), 4 * f(w), "−4 times the weights must have 4 times the score", 64)


@geometric_median.must("a twin of the most central filter stays the most central")
def _twins(f, w):
    central = int(np.argmin(f(w)))
    scores = f(np.concatenate([w, w[central:central + 1]]))
    hold(np.min(scores) >= scores[central] - 64 * f.eps * (1 + np.max(scores)),
         "a copy of the filter of least score must leave both with the least")


geometric_median.must_agree(256, lambda w: 1 + np.abs(w).max() * w.size)


def _distances(w):
    return np.linalg.norm(w[:, None] - w[None], axis=2)


def _by_products(w):
    squares = (w * w).sum(axis=1)
    return np.sqrt(squares[:, None] + squares - 2 * w @ w.T).sum(axis=1)


geometric_median.trap("by products", "this takes the roots of ‖a‖² + ‖b‖² − 2·a·b: for equal filters rounding leaves a "
                      "negative number, or noise.", _by_products)
geometric_median.trap("norm", "this is the norm: a large filter may be replaceable, and a small one may not.",
                      lambda w: np.linalg.norm(w, axis=1))
geometric_median.trap("negated", "the sign is turned: the filters near the others have the least score, and go first.",
                      lambda w: -_distances(w).sum(axis=1))
geometric_median.trap("squared", "the distances are squared: their sum is least next to the mean, not the median.",
                      lambda w: (_distances(w) ** 2).sum(axis=1))
geometric_median.trap("to the mean", "this is the distance from the mean filter, times their number.",
                      lambda w: len(w) * np.linalg.norm(w - w.mean(axis=0), axis=1))
geometric_median.trap("mean", "this is a mean over the filters: asked for is the sum.",
                      lambda w: _distances(w).mean(axis=1))
geometric_median.trap("nearest", "this is the distance from the nearest other filter: asked for is the sum over all.",
                      lambda w: np.sort(_distances(w), axis=1)[:, min(1, len(w) - 1)])
geometric_median.trap("city blocks", "these are sums of magnitudes: asked for is the length, the root of squares.",
                      lambda w: np.abs(w[:, None] - w[None]).sum(axis=(1, 2)))
geometric_median.trap("norm first", "each filter is made as long as 1 first: then its length counts no more.",
                      lambda w: _distances(w / np.maximum(np.linalg.norm(w, axis=1, keepdims=True), 1e-9)).sum(axis=1))
geometric_median.trap("first alone", "this is the distance from the first filter alone.",
                      lambda w: _distances(w)[:, 0])
