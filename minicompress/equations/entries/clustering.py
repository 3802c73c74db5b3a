"""Entries of weight sharing: clusters (QU-11), their centroids' gradient (QU-12), the compression rate (QU-13)."""

import math

import numpy as np

from .. import coding as counted
from .. import quantization as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, close, hold
from .draw import eighths, listed, one_of, tensor

HAN = "Han et al. 2016, eq. 2"


def error_of(w, centroids, codes):
    """Σ (w − its centroid)²."""
    return float(np.sum((w - centroids[codes.astype(int)]) ** 2))


def _codes_fit(f, w, k):
    centroids, codes = f(w, k)
    hold(centroids.ndim == 1 and 1 <= len(centroids) <= k, f"{centroids.shape} centroids, expected 1 to {k}")
    hold(codes.shape == w.shape, f"codes have shape {codes.shape}, the weights {w.shape}")
    hold((codes >= 0) & (codes < len(centroids)) & (codes == np.rint(codes)),
         f"codes are {codes.tolist()}, expected indices of {len(centroids)} centroids")


def _nearest(f, w, *rest):
    centroids, codes = f(w, *rest)
    distance = np.abs(w[:, None] - centroids)
    own = distance[np.arange(w.size), codes.astype(int)]
    hold(own <= distance.min(axis=1) + 64 * f.eps * np.abs(w).max(), "a weight's code is not that of the nearest one")


def _means(f, w, k):
    centroids, codes = f(w, k)
    for c in np.unique(codes.astype(int)):
        close(f, centroids[c], w[codes == c].mean(), f"centroid {c} is not the mean of its cluster", 64,
              np.abs(w).max())


def _lossless(f, w, k):
    k = max(k, np.unique(w).size)
    centroids, codes = f(w, k)
    close(f, centroids[codes.astype(int)], w, f"with k = {k}, as many as distinct weights, nothing is lost", 8,
          np.abs(w).max())


def _least(f, w, k):
    best, found = literal.least_interval_error(w.tolist(), k), error_of(w, *f(w, k))
    hold(found <= best + 256 * f.eps * np.sum(w * w), f"the error is {found:g}, but {best:g} can be reached")


def _lloyd_from_linear(w, k):
    centroids, codes = literal.lloyd(w.tolist(), literal.linear_centroids(w.tolist(), k), 20)[-1]
    return np.array(centroids), np.array(codes)


def _linear_only(w, k):
    centroids = literal.linear_centroids(w.tolist(), k)
    return np.array(centroids), np.array(literal.assign(w.tolist(), centroids))


def _shifted(w, k):
    centroids, codes = literal.best_clusters(w.tolist(), k)
    return np.array(centroids), np.array(codes) + 1


def _equal_counts(w, k):
    codes = np.argsort(np.argsort(w, kind="stable"), kind="stable") * min(k, w.size) // w.size
    return np.array([w[codes == c].mean() for c in range(min(k, w.size))]), codes


def _medians(w, k):
    codes = np.array(literal.best_clusters(w.tolist(), k)[1])
    return np.array([np.sort(w[codes == c])[0] for c in range(codes.max() + 1)]), codes


CLUSTERS = Equation(
    id="QU-11", title="clusters of least squared error", source=HAN,
    latex=r"\min_{c, I} \sum_{i} (w_i - c_{I_i})^2",
    formula="min over centroids and codes of Σ_i (w_i − centroid[code_i])²",
    arguments={"w": "weights, (n,)", "k": "the most clusters"},
    results={"centroids": "at most k numbers", "codes": "(n,), the index of each weight's centroid"},
    implementation="minicompress.clustering.optimal", reference=listed(literal.best_clusters), fixed_shape=False,
    inputs=lambda rng, size: (eighths(rng, min(size + 1, 8)), int(rng.integers(1, 5))),
    cases=((np.array([0.0, 1.0, 10.0]), 3), (np.array([0.0, 4.0, 6.0, 8.0, 10.0, 11.0]), 3)),
    properties={"codes are indices of centroids": _codes_fit, "each weight has the nearest centroid": _nearest,
                "centroids are the means of their clusters": _means, "enough clusters lose nothing": _lossless,
                "no clustering has a smaller error": _least},
    traps=(Trap("Lloyd", "this is Lloyd's algorithm from a linear start: it stops in a local minimum, and clusters "
                         "may stay empty.", _lloyd_from_linear),
           Trap("linear grid", "these centroids stay where they began, evenly from the least to the greatest weight.",
                _linear_only),
           Trap("equal counts", "these clusters hold equally many weights, which is not the least error.",
                _equal_counts),
           Trap("least members", "these centroids are the least members of clusters: their means have less error.",
                _medians),
           Trap("from one", "these codes count from 1: they are indices and start at 0.", _shifted)))


def _lloyd(w, centroids, iterations):
    return literal.lloyd(w.tolist(), centroids.tolist(), iterations)[-1]


def _never_rises(f, w, centroids, iterations):
    errors = [error_of(w, *f(w, centroids, t)) for t in range(1, iterations + 2)]
    hold(np.diff(errors) <= 256 * f.eps * np.sum(w * w), f"the error rises from one iteration to the next: {errors}")


def _lloyd_inputs(rng, size):
    """Three decimals, so that no weight lies halfway; from weights, or evenly, where clusters may run empty."""
    w = np.round(rng.standard_normal(size + 2), 3)
    k, iterations = int(rng.integers(1, min(4, size + 2))), int(rng.integers(1, 5))
    if rng.random() < 0.5:
        return w, np.array(literal.linear_centroids(w.tolist(), k + 1)), iterations
    return w, np.sort(rng.choice(np.unique(w), k, replace=False)), iterations


def _runs_empty(w, centroids, iterations):
    """Whether any cluster does; what then becomes of its centroid is an option."""
    w, k = w.tolist(), len(centroids)
    return len(set(literal.assign(w, centroids.tolist()))) < k or any(
        len(set(codes)) < k for _, codes in literal.lloyd(w, centroids.tolist(), iterations))


def _survives_empty_clusters(f, w, centroids, iterations):
    found, _ = f(w, centroids, iterations)
    hold(np.isfinite(found), f"the centroids are {found.tolist()}: a cluster without weights has no mean, so its "
                             "centroid must stay, or go elsewhere")
    _nearest(f, w, centroids, iterations)


def _is_lloyd(f, w, centroids, iterations):
    if not _runs_empty(w, centroids, iterations):
        agrees(_lloyd, 256, lambda w, *_: np.abs(w).max())(f, w, centroids, iterations)


def _kmeans(kmeans):
    return lambda w, centroids, iterations: kmeans(w, len(centroids), init=centroids, max_iter=iterations)


def _iterated(update, last=True):
    def function(w, centroids, iterations):
        for _ in range(iterations):
            codes = np.abs(w[:, None] - centroids).argmin(axis=1)
            centroids = np.array([update(w[codes == c], old) for c, old in enumerate(centroids)])
        if last:
            codes = np.abs(w[:, None] - centroids).argmin(axis=1)
        return centroids, codes
    return function


LLOYD = Equation(
    id="QU-11:lloyd", title="Lloyd's iterations", source="Lloyd 1982; Han et al. 2016, section 3.2",
    latex=r"I_i = \arg\min_c |w_i - c_c|,\quad c_c = \mathrm{mean}\{w_i : I_i = c\}",
    formula="repeat: code_i = index of the nearest centroid; centroid_c = mean of the w_i with code c;"
            "\nand at last the codes once more; an empty cluster has no mean: its centroid stays",
    arguments={"w": "weights, (n,)", "centroids": "the centroids to start from, ascending, (k,)",
               "iterations": "how often to assign and move"},
    results={"centroids": "after the last move, (k,)", "codes": "nearest to these, (n,)"},
    implementation="minicompress.clustering.kmeans", adapt=_kmeans, reference=_lloyd, inputs=_lloyd_inputs,
    fixed_shape=False, cases=((np.array([0.0, 1.0, 10.0]), np.array([0.0, 5.0, 10.0]), 2),),
    properties={"the error never rises": _never_rises, "an empty cluster does no harm": _survives_empty_clusters,
                "is what the formula gives, where no cluster is empty": _is_lloyd},
    traps=(Trap("codes before the move", "these codes are those before the last move: assign once more at the end.",
                _iterated(lambda members, old: members.mean() if len(members) else old, last=False)),
           Trap("medians", "these are medians: the squared error is least at the mean.",
                _iterated(lambda members, old: np.median(members) if len(members) else old)),
           Trap("empty cluster", "a cluster without weights gets the mean of nothing, which is no number.",
                _iterated(lambda members, old: members.sum() / np.float64(len(members)))),
           Trap("centroids rest", "the centroids never move.", _iterated(lambda members, old: old)),
           Trap("overshoot", "the centroids move too far: they become the means, nothing more.",
                _iterated(lambda members, old: 3 * members.mean() - 2 * old if len(members) else old))))


def _shared_survivors(w, mask, k):
    centroids, codes = literal.best_clusters([x for x, kept in zip(w, mask, strict=True) if kept], k)
    left = iter(codes)
    return [centroids[next(left)] if kept else 0.0 for kept in mask]


def _pruned_stay_zero(f, w, mask, k):
    hold(f(w, mask, k)[mask == 0] == 0, "a pruned weight is 0, and stays it: it belongs to no cluster")


def _few_values(f, w, mask, k):
    values = np.unique(f(w, mask, k)[mask == 1])
    hold(len(values) <= k, f"the weights that are kept have {len(values)} values, expected {k} at most")


def _least_of_survivors(f, w, mask, k):
    kept = w[mask == 1]
    best, found = literal.least_interval_error(kept.tolist(), k), np.sum((kept - f(w, mask, k)[mask == 1]) ** 2)
    hold(found <= best + 256 * f.eps * np.sum(w * w),
         f"the error of the kept weights is {found:g}, but {best:g} can be reached")


def _survivors(rng, size):
    w = eighths(rng, min(size + 2, 10))
    mask = (rng.random(w.size) < 0.5).astype(int)
    mask[rng.integers(w.size)] = 1
    return w, mask, int(rng.integers(1, 4))


def _under_a_mask(clustering):
    def function(w, mask, k):
        project, masked = resolve("minicompress.nn.project"), resolve("minicompress.pruning.Mask")(mask)
        parameter = resolve("minicompress.nn.Parameter")(w.copy())
        return project(parameter, masked, clustering(k, init="optimal")).effective().numpy()
    return function


def _cluster(w, k):
    centroids, codes = literal.best_clusters(w.tolist(), k)
    return np.array(centroids)[codes]


SURVIVORS = Equation(
    id="QU-11:pruned", title="clusters of what pruning left", source="Han et al. 2016, section 3",
    latex=r"\min_{c, I} \sum_{i:\, m_i = 1} (w_i - c_{I_i})^2,\quad w'_i = m_i\, c_{I_i}",
    formula="min Σ (w_i − centroid[code_i])² over the kept weights alone;"
            "\nw'_i = centroid[code_i] where it is kept, 0 where it is pruned",
    arguments={"w": "weights, (n,)", "m": "mask, (n,), 0 or 1", "k": "the most clusters"},
    results={"shared": "w', (n,)"}, implementation="minicompress.quantization.WeightClustering", adapt=_under_a_mask,
    reference=listed(_shared_survivors), inputs=_survivors,
    cases=((np.array([0.0, 0.0, 4.0, 6.0]), np.array([0, 0, 1, 1]), 2),),
    properties={"pruned weights stay 0": _pruned_stay_zero, "kept weights have at most k values": _few_values,
                "no clustering of the kept has a smaller error": _least_of_survivors},
    traps=(Trap("zeros clustered", "the pruned zeros are clustered, too, and take a centroid that the others need.",
                lambda w, mask, k: np.where(mask, _cluster(w * mask, k), 0.0)),
           Trap("revived", "pruned weights get a centroid: they must stay 0.", lambda w, mask, k: _cluster(w, k)),
           Trap("one more", "0 is no centroid that counts: k are for the kept weights, and this takes k + 1.",
                lambda w, mask, k: np.where(mask, np.resize(_cluster(w[mask == 1], k + 1)[
                    np.maximum(np.cumsum(mask) - 1, 0)], w.size), 0.0)),
           Trap("not shared", "nothing is shared.", lambda w, mask, k: w * mask)))

# ---------------------------------------------------------------------------------------------------------------------
# QU-12


def _sums_are_kept(f, g, codes, k):
    close(f, f(g, codes, k).sum(), g.sum(), "the centroids' gradients together are those of all weights", 64,
          np.abs(g).sum())


def _unused_get_none(f, g, codes, k):
    unused = np.setdiff1d(np.arange(k), codes)
    hold(f(g, codes, k)[unused] == 0, "a centroid that no weight uses has gradient 0")


def _gather(take):
    def function(g, codes, k):
        centroids = tensor(np.zeros(k), requires_grad=True)
        (take(centroids, codes) * tensor(g)).sum().backward()
        return centroids.grad
    return function


def _centroid_inputs(rng, size):
    """2 to 6 centroids, the last of which no weight uses."""
    k = int(rng.integers(2, 7))
    return eighths(rng, (2, size)), rng.integers(0, k - 1, (2, size)), k


def _last_wins(g, codes, k):
    gradient = np.zeros(k)
    gradient[codes] += g
    return gradient


CENTROIDS = Equation(
    id="QU-12", title="gradient of shared weights", source="Han et al. 2016, eq. 3",
    latex=r"\frac{\partial L}{\partial C_k} = \sum_{i,j} \frac{\partial L}{\partial W_{ij}} \mathbf{1}[I_{ij} = k]",
    formula="∂L/∂C_k = Σ_ij ∂L/∂W_ij · 1[I_ij = k]",
    arguments={"g": "∂L/∂W, (rows, columns)", "codes": "I, integers below k, (rows, columns)",
               "k": "number of centroids"},
    results={"gradient": "∂L/∂C, (k,)"},
    implementation="minicompress.engine.take", adapt=_gather, reference=listed(literal.centroid_gradient),
    inputs=_centroid_inputs,
    properties={"all gradients together stay the same": _sums_are_kept, "unused centroids have none": _unused_get_none,
                "is what the formula gives": agrees(listed(literal.centroid_gradient), 64)},
    traps=(Trap("last wins", "of weights that share a centroid only the last counts: `a[codes] += g` does not add up, "
                             "np.add.at and np.bincount do.", _last_wins),
           Trap("mean", "this is the mean of the gradients: asked for is their sum.",
                lambda g, codes, k: np.array([g[codes == c].mean() if (codes == c).any() else 0.0 for c in range(k)])),
           Trap("everywhere", "every centroid gets the whole gradient.", lambda g, codes, k: np.full(k, g.sum()))))

# ---------------------------------------------------------------------------------------------------------------------
# QU-13


def _single_weights_gain_nothing(f, n, b, k):
    close(f, f(n, b, n), n * b / (n * math.log2(n) + n * b), "with as many centroids as weights nothing is gained", 16)


def _more_centroids_cost(f, n, b, k):
    hold(f(n, b, 2 * k) < f(n, b, k), f"{2 * k} centroids must compress less than {k}")


RATE = Equation(
    id="QU-13", title="compression rate of shared weights", source="Han et al. 2016, eq. 1",
    latex=r"r = \frac{n b}{n \log_2 k + k b}", formula="r = n·b / (n·log₂ k + k·b)",
    arguments={"n": "weights", "b": "bits of a weight", "k": "centroids"}, results={"r": "a number"},
    implementation="minicompress.quantization.compression_rate", reference=counted.compression_rate,
    adapt=lambda rate: lambda n, b, k: rate(n, k, bits=b),
    inputs=lambda rng, size: (16 * size, one_of(rng, 16, 32), one_of(rng, 2, 3, 4, 16)), cases=((16, 32, 4),),
    properties={"more centroids compress less": _more_centroids_cost,
                "as many centroids as weights gain nothing": _single_weights_gain_nothing,
                "is what the formula gives": agrees(counted.compression_rate, 16)},
    traps=(Trap("index bits forgotten", "the index bits n·log₂ k are forgotten.", lambda n, b, k: n * b / (k * b)),
           Trap("codebook forgotten", "the codebook of k·b bits is forgotten.", lambda n, b, k: b / math.log2(k)),
           Trap("natural logarithm", "this is the natural logarithm: bits are counted with log₂.",
                lambda n, b, k: n * b / (n * math.log(k) + k * b)),
           Trap("k index bits", "an index takes log₂ k bits, not k.", lambda n, b, k: n * b / (n * k + k * b)),
           Trap("inverted", "this is the share that remains: the rate is its inverse.",
                lambda n, b, k: (n * math.log2(k) + k * b) / (n * b))))


def _nothing_pruned(f, n, m, b, k, i):
    close(f, f(n, n, b, k, 0), counted.compression_rate(n, b, k), "with nothing pruned, and no positions, it is the "
          "rate of shared weights", 16)


def _of_the_original(f, n, m, b, k, i):
    close(f, f(2 * n, m, b, k, i), 2 * f(n, m, b, k, i), "it is the original layer that is compressed: twice its "
          "weights, as many kept, are twice the rate", 16)


PRUNED_RATE = Equation(
    id="QU-13:pruned", title="compression rate of pruned and shared weights", source="Han et al. 2016",
    latex=r"r = \frac{n b}{m (\log_2 k + i) + k b}", formula="r = n·b / (m·(log₂ k + i) + k·b)",
    arguments={"n": "weights of the original layer", "m": "how many of them are kept", "b": "bits of a weight",
               "k": "centroids", "i": "bits of a kept weight's index, which says where it stands"},
    results={"r": "a number"}, implementation="minicompress.quantization.compression_rate",
    reference=counted.pruned_compression_rate,
    adapt=lambda rate: lambda n, m, b, k, i: rate(n, k, bits=b, kept=m, index_bits=i),
    inputs=lambda rng, size: (16 * size, int(rng.integers(1, 16 * size)), one_of(rng, 16, 32), one_of(rng, 2, 3, 4, 16),
                              one_of(rng, 0, 4, 5, 8)), cases=((160, 16, 32, 4, 6),),
    properties={"with nothing pruned it is the rate of shared weights": _nothing_pruned,
                "compares with the original layer": _of_the_original,
                "is what the formula gives": agrees(counted.pruned_compression_rate, 16)},
    traps=(Trap("already pruned", "this compares with the pruned layer: the original one has all n weights.",
                lambda n, m, b, k, i: m * b / (m * (math.log2(k) + i) + k * b)),
           Trap("index bits forgotten", "a kept weight takes i bits more, to say where it stands.",
                lambda n, m, b, k, i: n * b / (m * math.log2(k) + k * b)),
           Trap("codebook forgotten", "the codebook of k·b bits is forgotten.",
                lambda n, m, b, k, i: n * b / max(m * (math.log2(k) + i), 1)),
           Trap("pruned ones coded", "this stores a code for pruned weights, too.",
                lambda n, m, b, k, i: n * b / (n * (math.log2(k) + i) + k * b))))

ENTRIES = (CLUSTERS, LLOYD, SURVIVORS, CENTROIDS, RATE, PRUNED_RATE)
