"""Clusters of weights (QU-11): the best there are, and Lloyd's iterations. Exact for `fractions.Fraction`."""

import itertools

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import agrees, close, hold

from .partitions import least_interval_error, linear_centroids, partition_error
from .weights import numbers

HAN_2016 = Paper("han2016deep", ("Han, Song", "Mao, Huizi", "Dally, William J."), "Deep Compression: Compressing Deep "
                 "Neural Networks with Pruning, Trained Quantization and Huffman Coding", 2016, "ICLR",
                 arxiv="1510.00149")
LLOYD_1982 = Paper("lloyd1982least", ("Lloyd, Stuart P.",), "Least Squares Quantization in PCM", 1982,
                   "IEEE Transactions on Information Theory 28(2)", doi="10.1109/TIT.1982.1056489")
WANG_2011 = Paper("wang2011ckmeans", ("Wang, Haizhou", "Song, Mingzhou"), "Ckmeans.1d.dp: Optimal k-means Clustering "
                  "in One Dimension by Dynamic Programming", 2011, "The R Journal 3(2)", doi="10.32614/RJ-2011-015")


def assign(weights, centroids):
    """(QU-11) For each weight the index of the nearest centroid, the lower index at a tie.

    >>> assign([0, 1, 2], [0, 2])
    [0, 0, 1]
    """
    return [min(range(len(centroids)), key=lambda c: (abs(w - centroids[c]), c)) for w in weights]


def shaped(values, like):
    """An iterator's values in lists of lists of …, as ``like`` is.

    >>> shaped(iter("abc"), [[0, 0], [0]])
    [['a', 'b'], ['c']]
    """
    return [shaped(values, part) for part in like] if isinstance(like, list) else next(values)


# ---------------------------------------------------------------------------------------------------------------------
# QU-11

def error_of(w, centroids, codes):
    """Σ (w − its centroid)²."""
    return float(np.sum((w - centroids[codes.astype(int)]) ** 2))


def some_weights(rng, shape):
    """Eighths, also negative ones alone, equal ones, and ones of two sizes, so that clusters are far from even."""
    w = eighths(rng, shape)
    return one_of(rng, w, w, w, -np.abs(w), np.full(shape, w.flat[0]), w * rng.choice([1.0, 64.0], shape))


def _few_weights(rng, size):
    shape = one_of(rng, (min(size + 1, 8),), (min(size + 1, 8),), (1,), (2, min(size, 4)), (2, 1, 2, 2))
    return some_weights(rng, shape), int(rng.integers(1, one_of(rng, 5, 5, 10)))


@page("QU-11", cite=(HAN_2016("eq. 2"), WANG_2011("the problem, in one dimension")),
      latex=r"(c, I) = \arg\min \sum_i (w_i - c_{I_i})^2 \text{ over at most } k \text{ centroids } c "
            r"\text{ and all codes } I",
      implementation="minicompress.clustering.optimal", fixed_shape=False, inputs=_few_weights,
      cases=((np.array([0.0, 1.0, 10.0]), 3), (np.array([0.0, 4.0, 6.0, 8.0, 10.0, 11.0]), 3)))
def best_clusters(w, k):
    """clusters of least squared error

    (c, I) = arg min Σ_i (w_i − c_{I_i})² over at most k centroids c and all codes I

    w : weights of any shape, (n,) or (…)
    k : the most clusters, an integer
    centroids : c, at most k numbers
    codes : I, of w's shape, (n,) or (…): the index of each weight's centroid, from 0

    i : which weight

    >>> best_clusters([0, 10, 1], 2), best_clusters([[4.0], [4.0]], 3)
    (([0.5, 10.0], [0, 1, 0]), ([4.0], [[0], [0]]))
    """
    values = numbers(w)
    distinct = sorted(set(values))
    best = None
    for cuts in itertools.combinations(distinct[1:], min(k, len(distinct)) - 1):  # the best ones are intervals
        codes = [sum(value >= cut for cut in cuts) for value in values]
        error = partition_error(values, codes)
        if best is None or error < best[0]:
            best = error, codes
    codes = best[1]
    members = [[value for value, code in zip(values, codes, strict=True) if code == c] for c in range(max(codes) + 1)]
    return [sum(cluster) / len(cluster) for cluster in members], shaped(iter(codes), w)


@best_clusters.must("codes are indices of centroids")
def _codes_fit(f, w, k):
    centroids, codes = f(w, k)
    hold(centroids.ndim == 1 and 1 <= len(centroids) <= k, f"{centroids.shape} centroids, expected 1 to {k}")
    hold(codes.shape == w.shape, f"codes have shape {codes.shape}, the weights {w.shape}")
    hold((codes >= 0) & (codes < len(centroids)) & (codes == np.rint(codes)),
         f"codes are {codes.tolist()}, expected indices of {len(centroids)} centroids")


@best_clusters.must("each weight has the nearest centroid")
def _nearest(f, w, *rest):
    centroids, codes = f(w, *rest)
    distance = np.abs(w.reshape(-1, 1) - centroids)
    own = distance[np.arange(w.size), codes.ravel().astype(int)]
    hold(own <= distance.min(axis=1) + 64 * f.eps * np.abs(w).max(), "a weight's code is not that of the nearest one")


@best_clusters.must("centroids are the means of their clusters")
def _means(f, w, k):
    centroids, codes = f(w, k)
    for c in np.unique(codes.astype(int)):
        close(f, centroids[c], w[codes == c].mean(dtype=np.float64), f"centroid {c} is not the mean of its cluster", 64,
              np.abs(w).max())


@best_clusters.must("enough clusters lose nothing")
def _lossless(f, w, k):
    k = max(k, np.unique(w).size)
    centroids, codes = f(w, k)
    close(f, centroids[codes.astype(int)], w, f"with k = {k}, as many as distinct weights, nothing is lost", 8,
          np.abs(w).max())


@best_clusters.must("no clustering has a smaller error")
def _least(f, w, k):
    best, found = least_interval_error(w.ravel().tolist(), k), error_of(w, *f(w, k))
    hold(found <= best + 256 * f.eps * np.sum(w * w), f"the error is {found:g}, but {best:g} can be reached")


def _by_list(cluster):
    """A literal function of a flat list and k, as one of arrays."""
    def function(w, k):
        centroids, codes = cluster(w.ravel().tolist(), k)
        return np.array(centroids), np.reshape(codes, w.shape)
    return function


def _lloyd_from_linear(w, k):
    return lloyd(w, linear_centroids(w, k), 20)


def _linear_only(w, k):
    centroids = linear_centroids(w, k)
    return centroids, assign(w, centroids)


def _equal_counts(w, k):
    w, shape = w.ravel(), w.shape
    codes = np.argsort(np.argsort(w, kind="stable"), kind="stable") * min(k, w.size) // w.size
    return np.array([w[codes == c].mean() for c in range(min(k, w.size))]), codes.reshape(shape)


def _with_zero(w, k):
    centroids = [0.0] + (best_clusters(w, k - 1)[0] if k > 1 else [])
    return centroids, assign(w, centroids)


def _least_members(w, k):
    codes = np.array(best_clusters(w.tolist(), k)[1])
    return np.array([w[codes == c].min() for c in range(codes.max() + 1)]), codes


best_clusters.trap("Lloyd", "this is Lloyd's algorithm from a linear start: it stops in a local minimum, and clusters "
                   "may stay empty.", _by_list(_lloyd_from_linear))
best_clusters.trap("linear grid", "these centroids stay where they began, evenly from the least to the greatest "
                   "weight.", _by_list(_linear_only))
best_clusters.trap("equal counts", "these clusters hold equally many weights, which is not the least error.",
                   _equal_counts)
best_clusters.trap("least members", "these centroids are the least members of clusters: their means have less error.",
                   _least_members)
best_clusters.trap("from one", "these codes count from 1: they are indices and start at 0.",
                   _by_list(lambda w, k: (best_clusters(w, k)[0], np.add(best_clusters(w, k)[1], 1))))
best_clusters.trap("magnitudes", "these are clusters of magnitudes: a weight keeps its sign.",
                   lambda w, k: _by_list(best_clusters)(np.abs(w), k))
best_clusters.trap("one too few", "this makes k − 1 clusters: k is how many there may be.",
                   _by_list(lambda w, k: best_clusters(w, max(k - 1, 1))))
best_clusters.trap("a centroid for 0", "one of the k centroids is kept for 0, whether weights are there or not.",
                   _by_list(_with_zero))

# ---------------------------------------------------------------------------------------------------------------------
# QU-11:lloyd


def _lloyd_inputs(rng, size):
    """Starts at weights, the least ones among them, from where it is far, or evenly, where clusters may run empty.

    The weights have three decimals; now and then all are large, or small, or below 0, or equal. None lies halfway,
    where rounding decides.
    """
    while True:
        w = np.round(rng.standard_normal(size + 2), 3)
        w = one_of(rng, *[w] * 6, -np.abs(w), np.full(size + 2, w[0])) * one_of(rng, 1.0, 1.0, 1024.0, 2.0**-10)
        k, iterations, distinct = int(rng.integers(1, min(4, size + 2))), int(rng.integers(1, 5)), np.unique(w)
        drawn = np.sort(rng.choice(distinct, min(k, len(distinct)), replace=False))
        centroids = one_of(rng, np.array(linear_centroids(w.tolist(), k + 1)), drawn, distinct[:k + 1])
        if _runs_empty(w, centroids, iterations) or not _is_halfway(w, centroids, iterations):
            return w, centroids, iterations


def _path(w, centroids, iterations):
    """(centroids, codes) at the start and after each iteration."""
    w, centroids = w.tolist(), centroids.tolist()
    return [(centroids, assign(w, centroids)), *(lloyd(w, centroids, t) for t in range(1, iterations + 1))]


def _runs_empty(w, centroids, iterations):
    """Whether any cluster does; what then becomes of its centroid is an option."""
    return any(len(set(codes)) < len(centroids) for _, codes in _path(w, centroids, iterations))


def _is_halfway(w, centroids, iterations):
    middles = [np.add(found[1:], found[:-1]) / 2 for found, _ in _path(w, centroids, iterations)]
    return bool((np.abs(np.subtract.outer(w, middles)) <= 1e-4 * np.abs(w).max()).any())


def _kmeans(kmeans):
    return lambda w, centroids, iterations: kmeans(w, len(centroids), init=centroids, max_iter=iterations)


@page("QU-11:lloyd", cite=(LLOYD_1982("Method I"), HAN_2016("section 3.2")),
      latex=r"\text{repeat: } I_i = \arg\min_j |w_i - c_j|,\quad c_j = \mathrm{mean}\{w_i : I_i = j\};\quad "
            r"\text{and at last } I \text{ once more; without weights } c_j \text{ stays}",
      implementation="minicompress.clustering.kmeans", adapt=_kmeans, inputs=_lloyd_inputs, fixed_shape=False,
      cases=((np.array([0.0, 1.0, 10.0]), np.array([0.0, 5.0, 10.0]), 2), (np.array([-2.0]), np.array([1.0]), 1),
             (np.array([0.0, 1.0, 2.0, 10.0]), np.array([0.0, 1.0]), 1)))
def lloyd(w, centroids, iterations):
    """Lloyd's iterations

    repeat: I_i = arg min_j |w_i − c_j|,  c_j = mean{w_i : I_i = j};  and at last I once more; without weights c_j stays

    w : weights, (n,)
    centroids : c to start from, ascending, (k,)
    iterations : how often to assign and move, an integer
    moved : c after the last move, (k,)
    codes : I, nearest to these, (n,)

    i : which weight
    j : which centroid, from 0

    >>> lloyd([0, 1, 10], [0, 5, 10], 2)
    ([0.5, 5, 10.0], [0, 0, 2])
    """
    for _ in range(iterations):
        codes, moved = assign(w, centroids), []
        for j, centroid in enumerate(centroids):
            members = [w_i for w_i, code in zip(w, codes, strict=True) if code == j]
            moved.append(sum(members) / len(members) if members else centroid)
        centroids = moved
    return centroids, assign(w, centroids)


@lloyd.must("the error never rises")
def _never_rises(f, w, centroids, iterations):
    errors = [error_of(w, *f(w, centroids, t)) for t in range(1, iterations + 2)]
    hold(np.diff(errors) <= 256 * f.eps * np.sum(w * w), f"the error rises from one iteration to the next: {errors}")


@lloyd.must("an empty cluster does no harm")
def _survives_empty_clusters(f, w, centroids, iterations):
    found, _ = f(w, centroids, iterations)
    hold(np.isfinite(found), f"the centroids are {found.tolist()}: a cluster without weights has no mean, so its "
                             "centroid must stay, or go elsewhere")
    _nearest(f, w, centroids, iterations)


@lloyd.must("is what the formula gives, where no cluster is empty")
def _is_lloyd(f, w, centroids, iterations):
    if not _runs_empty(w, centroids, iterations):
        agrees(lloyd.reference, 256, lambda w, *_: np.abs(w).max())(f, w, centroids, iterations)


def _mean(members, old):
    return members.mean() if len(members) else old


def _iterated(update=_mean, last=True, times=lambda iterations: iterations):
    def function(w, centroids, iterations):
        codes = np.abs(w[:, None] - centroids).argmin(axis=1)
        for _ in range(times(iterations)):
            codes = np.abs(w[:, None] - centroids).argmin(axis=1)
            centroids = np.array([update(w[codes == c], old) for c, old in enumerate(centroids)])
        if last:
            codes = np.abs(w[:, None] - centroids).argmin(axis=1)
        return centroids, codes
    return function


lloyd.trap("codes before the move", "these codes are those before the last move: assign once more at the end.",
           _iterated(last=False))
lloyd.trap("medians", "these are medians: the squared error is least at the mean.",
           _iterated(lambda members, old: np.median(members) if len(members) else old))
lloyd.trap("empty cluster", "a cluster without weights gets the mean of nothing, which is no number.",
           _iterated(lambda members, old: members.sum() / np.float64(len(members))), seen=True)
lloyd.trap("centroids rest", "the centroids never move.", _iterated(lambda members, old: old))
lloyd.trap("overshoot", "the centroids move too far: they become the means, nothing more.",
           _iterated(lambda members, old: 3 * members.mean() - 2 * old if len(members) else old))
lloyd.trap("one too few", "this stops one iteration too early.", _iterated(times=lambda iterations: iterations - 1))
lloyd.trap("until it rests", "this goes on until nothing moves: how often is an argument.",
           _iterated(times=lambda iterations: 50))
lloyd.trap("magnitudes", "these are clusters of magnitudes: a weight keeps its sign.",
           lambda w, centroids, iterations: _iterated()(np.abs(w), centroids, iterations))
