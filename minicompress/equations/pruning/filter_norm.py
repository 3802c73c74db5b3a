"""Which filters matter: their norms (PR-4)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close

LI_2017 = Paper("li2017pruning", ("Li, Hao", "Kadav, Asim", "Durdanovic, Igor", "Samet, Hanan", "Graf, Hans Peter"),
                "Pruning Filters for Efficient ConvNets", 2017, "ICLR", arxiv="1608.08710")

# ---------------------------------------------------------------------------------------------------------------------
# PR-4


def _filters(rng, size):
    """Some filters, one among them, of any numbers, of negative ones alone, or all the same."""
    w = eighths(rng, (one_of(rng, size + 1, size + 1, 1), size))
    return one_of(rng, w, w, w, -np.abs(w), np.full(w.shape, w[0, 0])), one_of(rng, 1, 2)


@page("PR-4", cite=LI_2017("section 3.1"), latex=r"s_j = \left(\sum_i |F_{ji}|^p\right)^{1/p}",
      implementation="minicompress.pruning.filter_norm", inputs=_filters,
      cases=tuple((np.array([[3.0, -4.0], [0.0, 1.0], [0.0, 0.0]]), order) for order in (1, 2)))
def filter_norm(w, order):
    """filter norm

    s_j = (Σ_i |F_ji|^p)^(1/p)

    w : F, filters, one a row, (filters, weights)
    order : p, an integer, 1 or 2
    s : scores, none negative, (filters,)

    >>> filter_norm([[3, -4], [0, 1]], 1), filter_norm([[3, -4], [0, 1]], 2)
    ([7.0, 1.0], [5.0, 1.0])
    """
    scores = []
    for row in w:
        total = 0
        for weight in row:
            total += abs(weight) ** order
        scores.append(total ** (1 / order))
    return scores


@filter_norm.must("filters are apart")
def _permutes(f, w, order):
    close(f, f(w[::-1], order), f(w, order)[::-1], "exchanging filters must exchange their scores", 16)


@filter_norm.must("grows with the weights")
def _homogeneous(f, w, order):
    close(f, f(-4 * w, order), 4 * f(w, order), "−4 times the weights must have 4 times the score", 16)


def _norm(reduce):
    return lambda w, order: reduce(np.abs(w), order)


filter_norm.must_agree(64)
filter_norm.trap("columns", "this sums down the columns: a filter is a row.", lambda w, order: np.resize(
    (np.abs(w) ** order).sum(axis=0) ** (1 / order), len(w)))
filter_norm.trap("missing abs", "abs is missing: weights of opposite signs cancel.",
                 lambda w, order: w.sum(axis=1) if order == 1 else np.sqrt((w**2).sum(axis=1)), seen=True)
filter_norm.trap("squared", "this is the squared norm: the root is missing.", _norm(lambda a, p: (a**p).sum(axis=1)))
filter_norm.trap("mean", "this is a mean: the norm is a sum.", _norm(lambda a, p: (a**p).mean(axis=1) ** (1 / p)),
                 seen=True)
filter_norm.trap("always 1", "the order is not used.", _norm(lambda a, p: a.sum(axis=1)), seen=True)
filter_norm.trap("always 2", "the order is not used.", _norm(lambda a, p: np.sqrt((a * a).sum(axis=1))))
filter_norm.trap("largest", "this is the largest magnitude of a filter: asked for is a sum over all its weights.",
                 _norm(lambda a, p: a.max(axis=1)))
filter_norm.trap("relative", "the scores are divided by their sum: each one stands for its own filter alone.",
                 _norm(lambda a, p: (norms := (a**p).sum(axis=1) ** (1 / p)) / max(norms.sum(), 1e-9)))
