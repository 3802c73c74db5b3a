"""Products of ±1 matrices: packed bits beside BLAS in float32, on the same numbers."""

import statistics
import time
from importlib.util import find_spec

import numpy as np

from minicompress.claims import Claim, Quantity, milliseconds, precise_times
from minicompress.columns import table
from minicompress.equations.binarization.xnor import speedup
from minicompress.kernels import xnor

PRODUCTS = {  # (M, K) times (K, N), and how often a side computes it in one turn
    "matrix × vector": (4096, 4096, 1, 20),
    "matrix × matrix": (1024, 1024, 1024, 1),
}


def run(*, seed=0, repeats=15):
    """Median seconds of ours and of BLAS, and the ratio of the times, BLAS / ours, both sides with one thread.

    Random ±1 matrices, packed beforehand as weights are. The sides take turns after one of warming up; in a turn a
    matrix is multiplied by vectors one after the other, as a layer is, and "ratio" is that of the later ones: the
    packed matrix is then in the cache, where the float one has no room. "first_ratio" is that of a turn's first
    product, right after the other side has used the cache. "packing_seconds" is what packing the right operand takes,
    the activations: it is in no ratio. "theoretical_speedup" is BI-9, a count of operations and no measurement: that
    of a convolution whose channels times places are the K numbers of a dot product.

    Raises ModuleNotFoundError, naming the extra, without threadpoolctl, which holds BLAS to one thread.
    """
    if find_spec("threadpoolctl") is None:
        raise ModuleNotFoundError("the benchmark of xnor bounds BLAS by threadpoolctl: pip install minicompress[bench]")
    from threadpoolctl import threadpool_limits

    rng, results = np.random.default_rng(seed), []
    with threadpool_limits(1):
        for name, (m, k, n, calls) in PRODUCTS.items():
            results.append({"product": name, "sizes": [m, k, n], "peer": "BLAS, float32", "threads": 1}
                           | _compare(m, k, n, calls, repeats, rng))
    return {"benchmark": "xnor", "seed": seed, "repeats": repeats, "results": results}


def _compare(m, k, n, calls, repeats, rng):
    a, b = (rng.choice(np.float32([-1, 1]), shape) for shape in ((m, k), (n, k)))
    a_words, b_words = xnor.pack(a), xnor.pack(b)
    right = np.ascontiguousarray(b[0] if n == 1 else b.T)  # a vector is BLAS's own, faster case
    sides = {"ours": lambda: xnor.matmul(a_words, b_words, k), "peer": lambda: a @ right,
             "packing": lambda: xnor.pack(b)}
    results = {side: compute() for side, compute in sides.items()}
    first, later = ({side: [] for side in sides} for _ in range(2))
    for _ in range(repeats):
        for side, compute in sides.items():
            first[side].append(_seconds(compute, 1))
            later[side].append(_seconds(compute, calls))
    first, later = ({side: statistics.median(log) for side, log in logs.items()} for logs in (first, later))
    return {"ours_seconds": later["ours"], "peer_seconds": later["peer"], "ratio": later["peer"] / later["ours"],
            "first_ratio": first["peer"] / first["ours"], "packing_seconds": later["packing"],
            "equal": bool(np.array_equal(results["ours"], results["peer"].reshape(m, n))),
            "theoretical_speedup": speedup(k, 1)}


def _seconds(compute, calls):
    begin = time.perf_counter()
    for _ in range(calls):
        compute()
    return (time.perf_counter() - begin) / calls


def measured(report):
    """Ratios beside BLAS, in the cache and right after other work."""
    return {f"{r['product']}{cold} beside BLAS": r[ratio] for r in report["results"]
            for cold, ratio in (("", "ratio"), (", cold,", "first_ratio"))}


def shown(report):
    """Products on packed bits; what counting operations promises (BI-9) stands below, apart from what was measured."""
    rows = [[f"{r['product']}, {'×'.join(map(str, r['sizes']))}", milliseconds(r["ours_seconds"]),
             milliseconds(r["peer_seconds"]), precise_times(r["ratio"]), precise_times(r["first_ratio"])]
            for r in report["results"]]
    theory = [f"{r['product']} {r['theoretical_speedup']:.1f}×" for r in report["results"]]
    return table(["±1 products, one thread", "ours, ms", "BLAS, ms", "ratio", "cold"], rows) + (
        "\n\nTheory, not measured: 64·c·N/(c·N + 64) operations for one (BI-9):\n" + ", ".join(theory))


_PRODUCTS = "products of ±1 matrices on packed bits beside BLAS float32, one thread: "
CLAIMS = {"xnor": Claim(lambda lab: run(seed=lab.seed), (
    Quantity("matrix × vector beside BLAS", precise_times, f"{_PRODUCTS}4096² matrix × vector, in the cache",
             at_least=8),
    Quantity("matrix × vector, cold, beside BLAS", precise_times, "… right after other work"),
    Quantity("matrix × matrix beside BLAS", precise_times, f"{_PRODUCTS}1024³ matrix × matrix", at_least=0.65),
    Quantity("matrix × matrix, cold, beside BLAS", precise_times)), measured, shown)}
