"""Weight sharing as a constraint: every weight is one of k centroids, and the centroids are trained."""

import math

import numpy as np

from minicompress import clustering, expect
from minicompress.claims import Method
from minicompress.engine import take
from minicompress.forms import Codebook
from minicompress.nn import Parameter, Projection, project


class WeightClustering(Projection):
    """Each weight is the nearest of k centroids (QU-11); the centroids learn by Σ of their weights' gradients (QU-12).

    `fit` clusters once and fixes which centroid a weight belongs to; afterwards the effective weights are
    ``take(centroids, codes)``, whose derivative *is* QU-12. The latent weights then rest. Elements outside ``where``
    get code 0 and take no part. Source: Han et al. 2016, section 3.

    Args:
        k: how many centroids at most, 1 to 65 536.
        init: "linear", "density" or "forgy" for Lloyd's iterations, "optimal" for the exact minimum.
        rng: needed for "forgy".

    Raises ValueError for any other k or init, TypeError for "forgy" without a generator.

    >>> from minicompress.nn import project
    >>> project(Parameter([1.0, 2.0, 9.0]), WeightClustering(2)).effective().numpy()
    array([1.5, 1.5, 9. ], dtype=float32)
    """

    represents = Codebook
    trained = ("centroids_",)

    def __init__(self, k, init="linear", *, rng=None):
        self.k = expect.integer("k", k, 1, 65_536)
        self.init = expect.one_of("init", init, ("linear", "density", "forgy", "optimal"))
        self.rng = expect.generator(rng, None if init == "forgy" else 'unless init is "forgy"')
        self.codes_ = self.centroids_ = None

    def fit(self, w, where=None):
        chosen = w.ravel() if where is None else w[where]
        if not chosen.size:
            centroids, codes = np.zeros(1, w.dtype), np.zeros(0, np.uint8)  # nothing survived: one centroid, unused
        elif self.init == "optimal":
            centroids, codes = clustering.optimal(chosen, self.k)
        else:
            centroids, codes = clustering.kmeans(chosen, self.k, init=self.init, rng=self.rng)
        self.codes_ = np.zeros_like(w, codes.dtype)  # in w's memory order, and so are the effective weights
        self.codes_[np.ones(w.shape, bool) if where is None else where] = codes
        self.centroids_ = Parameter(centroids)
        return self

    def __call__(self, latent):
        self.require_fit()
        return take(self.centroids_, self.codes_)

    def form(self, w):
        self.require_fit()
        bits = max(1, (self.centroids_.size - 1).bit_length())
        return Codebook(self.codes_, self.centroids_.data, bits)

    @classmethod
    def from_form(cls, form):
        projection = cls(len(form.centroids))
        projection.codes_, projection.centroids_ = form.codes, Parameter(form.centroids.copy())
        return projection, None


def compression_rate(n, k, bits=32, *, kept=None, index_bits=0):
    """r = n·b / (n·log₂ k + k·b): how much smaller n weights of b bits are when they share k centroids (QU-13).

    Of pruned weights r = n·b / (m·(log₂ k + i) + k·b): m are kept, and each takes i bits more to say where it stands.
    A formula, not a file: it leaves out code tables and headers, and counts log₂ k bits a code even where that is no
    integer. What a file really takes, `minicompress.container.inspect` says.

    Args: n weights, k centroids, ``bits`` (b) of a weight and of a centroid; integers of at least 1. ``kept`` (m), by
    default n, at most that; ``index_bits`` (i), an integer of at least 0.
    Raises ValueError for anything else. Source: Han et al. 2016, equation 1; sections 2 and 5 for pruned weights.

    >>> compression_rate(16, 4), compression_rate(160, 4, kept=16, index_bits=5)
    (3.2, 21.333333333333332)
    """
    n, k, bits = expect.integers(1, n=n, k=k, bits=bits)
    kept, index_bits = expect.integer("kept", n if kept is None else kept, 1, n), expect.integer("index_bits",
                                                                                                 index_bits, 0)
    return n * bits / (kept * (math.log2(k) + index_bits) + k * bits)


def share_weights(model, clusters, bias_clusters):
    """Cluster every parameter of a model, of the pruned ones what survived; they are left with trained centroids.

    >>> from minicompress import models
    >>> model = models.mlp([4, 8, 2], rng=np.random.default_rng(0))
    >>> share_weights(model, 4, 2)
    >>> len(np.unique(model.fc1.weight.effective().numpy()))
    4
    """
    for _, parameter in model.named_latents():
        masks = [projection for projection in parameter.projections if projection.survivors() is not None]
        k = clusters if parameter.ndim > 1 else bias_clusters
        project(parameter, *masks, WeightClustering(k))


def _cluster(model, tuning):
    share_weights(model, tuning.settings.clusters, tuning.settings.clusters)
    tuning.fit(model, adam=1e-3)
    return model


METHODS = (Method("clustered", ("cut", "pruned"), "a weight has one code: each of the two would replace the other's",
                  _cluster, "clustered"),)
