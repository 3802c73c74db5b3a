"""Shared weights: clusters of what pruning left (QU-11), the centroids' gradient (QU-12), what it saves (QU-13)."""

import math

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, resolve, tensor
from minicompress.checker.properties import close, hold

from .clustering import HAN_2016, best_clusters, some_weights
from .partitions import least_interval_error

# ---------------------------------------------------------------------------------------------------------------------
# QU-11:pruned


def _survivors(rng, size):
    """From one weight that is kept to all of them."""
    w = some_weights(rng, min(size + 2, 10))
    m = (rng.random(w.size) < one_of(rng, 0.5, 0.5, 0.1, 1.0)).astype(int)
    m[rng.integers(w.size)] = 1
    return w, m, int(rng.integers(1, 4))


def _under_a_mask(clustering):
    def function(w, m, k):
        project, masked = resolve("minicompress.nn.project"), resolve("minicompress.pruning.Mask")(m)
        parameter = resolve("minicompress.nn.Parameter")(w.copy())
        return project(parameter, masked, clustering(k, init="optimal")).effective().numpy()
    return function


@page("QU-11:pruned", cite=HAN_2016("section 3"),
      latex=r"(c, I) = \arg\min \sum_{i:\, m_i = 1} (w_i - c_{I_i})^2 \text{ over at most } k \text{ centroids } c,"
            r"\quad w'_i = c_{I_i} \text{ where } m_i = 1,\; 0 \text{ where } m_i = 0",
      implementation="minicompress.quantization.WeightClustering", adapt=_under_a_mask, inputs=_survivors,
      cases=((np.array([0.0, 0.0, 4.0, 6.0]), np.array([0, 0, 1, 1]), 2),
             (np.array([-1.0, 2.0, -5.0]), np.array([1, 1, 1]), 2)))
def shared_survivors(w, m, k):
    """clusters of what pruning left

    (c, I) = arg min Σ_{i: m_i = 1} (w_i − c_{I_i})² over at most k centroids c,
    w'_i = c_{I_i} where m_i = 1, 0 where m_i = 0

    w : weights, (n,)
    m : mask, (n,), 0 or 1
    k : the most clusters of kept weights, an integer
    shared : w', (n,)

    c : centroids
    I : codes, the index of each kept weight's centroid
    i : which weight

    >>> shared_survivors([0.0, 5.0, 4.0, 6.0], [0, 0, 1, 1], 1)
    [0.0, 0.0, 5.0, 5.0]
    """
    centroids, codes = best_clusters([w_i for w_i, m_i in zip(w, m, strict=True) if m_i == 1], k)
    left = iter(codes)
    return [centroids[next(left)] if m_i == 1 else 0.0 for m_i in m]


@shared_survivors.must("pruned weights stay 0")
def _pruned_stay_zero(f, w, m, k):
    hold(f(w, m, k)[m == 0] == 0, "a pruned weight is 0, and stays it: it belongs to no cluster")


@shared_survivors.must("kept weights have at most k values")
def _few_values(f, w, m, k):
    values = np.unique(f(w, m, k)[m == 1])
    hold(len(values) <= k, f"the weights that are kept have {len(values)} values, expected {k} at most")


@shared_survivors.must("no clustering of the kept has a smaller error")
def _least_of_survivors(f, w, m, k):
    kept = w[m == 1]
    best, found = least_interval_error(kept.tolist(), k), np.sum((kept - f(w, m, k)[m == 1]) ** 2)
    hold(found <= best + 256 * f.eps * np.sum(w * w),
         f"the error of the kept weights is {found:g}, but {best:g} can be reached")


def _cluster(w, k):
    centroids, codes = best_clusters(w.tolist(), k)
    return np.array(centroids)[codes]


def _among_survivors(w, m, k):
    """The clusters of the kept weights, where these stand, whatever w is elsewhere."""
    return np.where(m, np.resize(_cluster(w[m == 1], k)[np.maximum(np.cumsum(m) - 1, 0)], w.size), 0.0)


shared_survivors.trap("zeros clustered", "the pruned zeros are clustered, too, and take a centroid that the others "
                      "need.", lambda w, m, k: np.where(m, _cluster(w * m, k), 0.0), seen=True)
shared_survivors.trap("pruned ones clustered", "weights that are pruned are clustered as they were before: only kept "
                      "ones count.", lambda w, m, k: np.where(m, _cluster(w, k), 0.0))
shared_survivors.trap("revived", "pruned weights get a centroid: they must stay 0.", lambda w, m, k: _cluster(w, k),
                      seen=True)
shared_survivors.trap("one more", "0 is no centroid that counts: k are for the kept weights, and this takes k + 1.",
                      lambda w, m, k: _among_survivors(w, m, k + 1))
shared_survivors.trap("magnitudes", "these are clusters of magnitudes: a weight keeps its sign.",
                      lambda w, m, k: _among_survivors(np.abs(w), m, k))
shared_survivors.trap("not shared", "nothing is shared.", lambda w, m, k: w * m)

# ---------------------------------------------------------------------------------------------------------------------
# QU-12


def _gather(take):
    def function(g, codes, k):
        centroids = tensor(np.zeros(k, g.dtype), requires_grad=True)
        (take(centroids, codes) * tensor(g)).sum().backward()
        return centroids.grad
    return function


def _centroid_inputs(rng, size):
    """1 to 6 centroids, of several the last one unused; one row, one column, or more; all codes alike, too."""
    k, shape = int(rng.integers(1, 7)), one_of(rng, (2, size), (2, size), (1, size), (size + 1, 1), (3, 4))
    codes = rng.integers(0, max(k - 1, 1), shape)
    return eighths(rng, shape), one_of(rng, codes, codes, codes, np.full_like(codes, codes[0, 0])), k


@page("QU-12", cite=HAN_2016("eq. 3"),
      latex=r"\frac{\partial L}{\partial C_c} = \sum_{i,j} \frac{\partial L}{\partial W_{ij}} \mathbf{1}[I_{ij} = c]",
      implementation="minicompress.engine.take", adapt=_gather, inputs=_centroid_inputs,
      cases=((np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0, 1], [1, 1]]), 3),))
def centroid_gradient(g, codes, k):
    """gradient of shared weights

    ∂L/∂C_c = Σ_ij ∂L/∂W_ij · 1[I_ij = c]

    g : ∂L/∂W, (rows, columns)
    codes : I, integers below k: which centroid a weight is, (rows, columns)
    k : number of centroids
    gradient : ∂L/∂C, (k,)

    L : the loss
    C : the centroids
    W : the weights
    c : which centroid, from 0

    >>> centroid_gradient([[1.0, 2.0], [3.0, 4.0]], [[0, 1], [1, 1]], 3)
    [1.0, 9.0, 0.0]
    """
    gradient = [0.0] * k
    for c in range(k):
        for i in range(len(codes)):
            for j in range(len(codes[i])):
                if codes[i][j] == c:
                    gradient[c] += g[i][j]
    return gradient


@centroid_gradient.must("all gradients together stay the same")
def _sums_are_kept(f, g, codes, k):
    close(f, f(g, codes, k).sum(), g.sum(), "the centroids' gradients together are those of all weights", 64,
          np.abs(g).sum())


@centroid_gradient.must("unused centroids have none")
def _unused_get_none(f, g, codes, k):
    unused = np.setdiff1d(np.arange(k), codes)
    hold(f(g, codes, k)[unused] == 0, "a centroid that no weight uses has gradient 0")


def _last_wins(g, codes, k):
    gradient = np.zeros(k)
    gradient[codes] += g
    return gradient


def _mean(g, codes, k):
    return np.array([g[codes == c].mean() if (codes == c).any() else 0.0 for c in range(k)])


def _added(g, codes, k):
    return np.bincount(codes.ravel(), g.ravel(), minlength=k)


centroid_gradient.must_agree(64)
centroid_gradient.trap("last wins", "of weights that share a centroid only the last counts: `a[codes] += g` does not "
                       "add up, np.add.at and np.bincount do.", _last_wins)
centroid_gradient.trap("mean", "this is the mean of the gradients: asked for is their sum.", _mean)
centroid_gradient.trap("everywhere", "every centroid gets the whole gradient.",
                       lambda g, codes, k: np.full(k, g.sum()))
centroid_gradient.trap("first row", "this adds up the first row alone.", lambda g, codes, k: _added(g[0], codes[0], k))
centroid_gradient.trap("first column", "this adds up the first column alone.",
                       lambda g, codes, k: _added(g[:, 0], codes[:, 0], k))
centroid_gradient.trap("counts", "this counts the weights of each centroid: their gradients are to be added.",
                       lambda g, codes, k: _added(np.ones_like(g), codes, k))

# ---------------------------------------------------------------------------------------------------------------------
# QU-13


@page("QU-13", cite=HAN_2016("eq. 1"), latex=r"r = \frac{n b}{n \log_2 k + k b}",
      implementation="minicompress.quantization.compression_rate",
      adapt=lambda rate: lambda n, b, k: rate(n, k, bits=b),
      inputs=lambda rng, size: (int(rng.integers(2, 16 * size + 2)), one_of(rng, 8, 16, 32),
                                one_of(rng, 1, 2, 3, 4, 16, 256)), cases=((16, 32, 4), (1, 32, 1)))
def compression_rate(n, b, k):
    """compression rate of shared weights

    r = n·b / (n·log₂ k + k·b)

    n : number of weights
    b : bits of a weight, an integer
    k : number of centroids
    r : how many times fewer bits, a number; the file's own bytes belong beside it: tables and headers are not in it

    >>> compression_rate(16, 32, 4)
    3.2
    """
    return n * b / (n * math.log2(k) + k * b)


@compression_rate.must("more centroids compress less")
def _more_centroids_cost(f, n, b, k):
    hold(f(n, b, 2 * k) < f(n, b, k), f"{2 * k} centroids must compress less than {k}")


@compression_rate.must("as many centroids as weights gain nothing")
def _single_weights_gain_nothing(f, n, b, k):
    close(f, f(n, b, n), n * b / (n * math.log2(n) + n * b), "with as many centroids as weights nothing is gained", 16)


compression_rate.must_agree(16)
compression_rate.trap("index bits forgotten", "the index bits n·log₂ k are forgotten.", lambda n, b, k: n * b / (k * b))
compression_rate.trap("codebook forgotten", "the codebook of k·b bits is forgotten.",
                      lambda n, b, k: b / (math.log2(k) or 1))
compression_rate.trap("natural logarithm", "this is the natural logarithm: bits are counted with log₂.",
                      lambda n, b, k: n * b / (n * math.log(k) + k * b))
compression_rate.trap("k index bits", "an index takes log₂ k bits, not k.", lambda n, b, k: n * b / (n * k + k * b))
compression_rate.trap("whole bits", "this counts whole bits of an index: the formula has log₂ k of them, as it is.",
                      lambda n, b, k: n * b / (n * math.ceil(math.log2(k)) + k * b))
compression_rate.trap("one centroid", "the codebook holds k centroids of b bits, not one.",
                      lambda n, b, k: n * b / (n * math.log2(k) + b))
compression_rate.trap("inverted", "this is the share that remains: the rate is its inverse.",
                      lambda n, b, k: (n * math.log2(k) + k * b) / (n * b))

# ---------------------------------------------------------------------------------------------------------------------
# QU-13:pruned


def _kept_weights(rng, size):
    n = int(rng.integers(1, 32 * size))
    return (n, one_of(rng, n, *[int(rng.integers(1, n + 1))] * 3), one_of(rng, 8, 16, 32),
            one_of(rng, 1, 2, 3, 4, 16), one_of(rng, 0, 4, 5, 8))


@page("QU-13:pruned", cite=HAN_2016("sections 2 and 5"), latex=r"r = \frac{n b}{m (\log_2 k + i) + k b}",
      implementation="minicompress.quantization.compression_rate", inputs=_kept_weights,
      adapt=lambda rate: lambda n, m, b, k, i: rate(n, k, bits=b, kept=m, index_bits=i), cases=((160, 16, 32, 4, 6),))
def pruned_compression_rate(n, m, b, k, i):
    """compression rate of pruned and shared weights

    r = n·b / (m·(log₂ k + i) + k·b)

    n : number of weights of the original layer
    m : number of those that are kept
    b : bits of a weight, an integer
    k : number of centroids
    i : bits of a kept weight's index, which says where it stands, an integer
    r : how many times fewer bits, a number

    >>> pruned_compression_rate(160, 16, 32, 4, 6)
    20.0
    """
    return n * b / (m * (math.log2(k) + i) + k * b)


@pruned_compression_rate.must("with nothing pruned it is the rate of shared weights")
def _nothing_pruned(f, n, m, b, k, i):
    close(f, f(n, n, b, k, 0), compression_rate(n, b, k), "with nothing pruned, and no positions, it is the "
          "rate of shared weights", 16)


@pruned_compression_rate.must("compares with the original layer")
def _of_the_original(f, n, m, b, k, i):
    close(f, f(2 * n, m, b, k, i), 2 * f(n, m, b, k, i), "it is the original layer that is compressed: twice its "
          "weights, as many kept, are twice the rate", 16)


pruned_compression_rate.must_agree(16)
pruned_compression_rate.trap("already pruned", "this compares with the pruned layer: the original one has all n "
                             "weights.", lambda n, m, b, k, i: m * b / (m * (math.log2(k) + i) + k * b))
pruned_compression_rate.trap("index bits forgotten", "a kept weight takes i bits more, to say where it stands.",
                             lambda n, m, b, k, i: n * b / (m * math.log2(k) + k * b))
pruned_compression_rate.trap("codebook forgotten", "the codebook of k·b bits is forgotten.",
                             lambda n, m, b, k, i: n * b / max(m * (math.log2(k) + i), 1))
pruned_compression_rate.trap("pruned ones coded", "this stores a code for pruned weights, too.",
                             lambda n, m, b, k, i: n * b / (n * (math.log2(k) + i) + k * b))
pruned_compression_rate.trap("one position", "each kept weight takes i bits, not all of them together.",
                             lambda n, m, b, k, i: n * b / (m * math.log2(k) + i + k * b))
