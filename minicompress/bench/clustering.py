"""One-dimensional k-means beside the packages kmeans1d (exact, C++) and scikit-learn (Lloyd's), on the same weights."""

import statistics
import time
from importlib.util import find_spec

import numpy as np

from minicompress import expect
from minicompress.claims import Claim, Quantity, milliseconds, objective_times, precise_times
from minicompress.clustering import kmeans, optimal
from minicompress.columns import table

WEIGHTS, CLUSTERS = 24_000, 64
ITERATIONS = 1000  # enough for either side to reach a fixed point


def run(*, seed=0, repeats=9, threads=(1, 2)):
    """Median seconds and squared errors of ours and the peer's, and the ratio of the times, peer / ours.

    24 000 Gaussian float32 weights, 64 clusters, both sides in one process, taking turns after one turn of warming up;
    ``threads`` bounds the peer's OpenMP and BLAS, ours and kmeans1d have one thread anyway. Each result is one of

    - "optimal": `optimal` beside kmeans1d, which is given its list of floats ready-made;
    - "kmeans": `kmeans` beside KMeans, both from the same evenly spaced centroids to a fixed point (tol=0);
    - "kmeans, peer stops early": the same with scikit-learn's default tolerance and number of iterations.

    Raises ModuleNotFoundError, naming the extra, if a peer is not installed.
    """
    missing = [package for package in ("kmeans1d", "sklearn") if find_spec(package) is None]
    expect.that(not missing, f"the clustering benchmark compares with {' and '.join(missing)}: "
                "pip install minicompress[bench]", ModuleNotFoundError)
    from threadpoolctl import threadpool_limits

    w = np.random.default_rng(seed).standard_normal(WEIGHTS).astype(np.float32)
    results = []
    for count in threads:
        with threadpool_limits(count):
            for name, (ours, peer, peer_name) in _comparisons(w, CLUSTERS).items():
                measured = _compare(w, ours, peer, repeats)
                results.append({"comparison": name, "peer": peer_name, "threads": count} | measured)
    return {"benchmark": "clustering", "seed": seed, "repeats": repeats, "weights": WEIGHTS, "clusters": CLUSTERS,
            "results": results}


def _comparisons(w, k):
    """{name: (ours, peer, the peer's name)}: functions without arguments that return (centroids, codes)."""
    import kmeans1d
    from sklearn.cluster import KMeans

    values, column, start = w.tolist(), w[:, None], np.linspace(w.min(), w.max(), k, dtype=np.float32)[:, None]

    def exact():
        clusters, centroids = kmeans1d.cluster(values, k)
        return centroids, clusters

    def lloyd(**options):
        model = KMeans(k, init=start, n_init=1, algorithm="lloyd", **options).fit(column)
        return model.cluster_centers_.ravel(), model.labels_

    def ours():
        return kmeans(w, k, init="linear", max_iter=ITERATIONS)

    return {"optimal": (lambda: optimal(w, k), exact, "kmeans1d"),
            "kmeans": (ours, lambda: lloyd(tol=0, max_iter=ITERATIONS), "scikit-learn"),
            "kmeans, peer stops early": (ours, lloyd, "scikit-learn")}


def _compare(w, ours, peer, repeats):
    errors = [_error(w, *side()) for side in (ours, peer)]
    seconds = [[], []]
    for _ in range(repeats):
        for side, log in zip((ours, peer), seconds, strict=True):
            begin = time.perf_counter()
            side()
            log.append(time.perf_counter() - begin)
    medians = [statistics.median(log) for log in seconds]
    return {"ours_seconds": medians[0], "peer_seconds": medians[1], "ratio": medians[1] / medians[0],
            "ours_error": errors[0], "peer_error": errors[1]}


def _error(w, centroids, codes):
    """Σ (w - centroid)², in float64."""
    return float(np.square(w - np.asarray(centroids, np.float64)[np.asarray(codes)]).sum())


def measured(report):
    """Our side has one thread; the peer gets each thread count, and the fastest of them counts."""
    sides = {r["comparison"]: r for r in sorted(report["results"], key=lambda r: -r["peer_seconds"])}
    optimal, lloyd = sides["optimal"], sides["kmeans"]
    return {"optimal, speed beside kmeans1d": optimal["ratio"],
            "optimal, objective": optimal["ours_error"] / optimal["peer_error"],
            "kmeans, speed beside sklearn": lloyd["ratio"],
            "kmeans, objective": lloyd["ours_error"] / lloyd["peer_error"]}


def shown(report):
    """Both sides of every comparison, in a table."""
    rows = [[r["comparison"], r["peer"], str(r["threads"]), milliseconds(r["ours_seconds"]),
             milliseconds(r["peer_seconds"]), precise_times(r["ratio"]), f"{r['ours_error'] / r['peer_error']:.6f}×"]
            for r in report["results"]]
    return table([f"{report['weights']:,} weights, k = {report['clusters']}", "peer", "threads", "ours, ms", "peer, ms",
                  "ratio", "objective"], rows, 2)


CLAIMS = {"clustering": Claim(lambda lab: run(seed=lab.seed), (
    Quantity("optimal, speed beside kmeans1d", precise_times, "exact k-means, 24 000 weights, k = 64, beside kmeans1d",
             at_least=1),
    Quantity("optimal, objective", objective_times, "… its objective by that of kmeans1d", at_most=1.000001),
    Quantity("kmeans, speed beside sklearn", precise_times,
             "Lloyd from linear centroids beside scikit-learn, both to a fixed point", at_least=10),
    Quantity("kmeans, objective", objective_times, "… its objective by that of scikit-learn", at_most=1.01)),
    measured, shown)}
