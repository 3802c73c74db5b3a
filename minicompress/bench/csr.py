"""Products with sparse rows beside scipy.sparse and the dense product, over sparsity and batch, on one thread."""

import statistics
import time
from importlib.util import find_spec

import numpy as np
from scipy import sparse

from minicompress import expect
from minicompress.claims import Claim, Quantity, milliseconds, percent, precise_times
from minicompress.coding import csr as coder
from minicompress.columns import table
from minicompress.kernels.csr import CSR
from minicompress.pruning import magnitude_mask

SHAPES = ((300, 784), (2048, 2048))  # the first layer of LeNet-300-100, and one that leaves the processor's caches
SPARSITIES = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99)
BATCHES = (1, 16, 256)


def run(*, seed=0, repeats=15, seconds=0.001):
    """Median seconds of ours, scipy.sparse's and dense BLAS's product in one run, and from which sparsity it pays.

    Gaussian float32 weights pruned by magnitude, times a vector or a batch of them as columns; all three in one
    process on one thread, taking turns after one turn of warming up, each turn as many calls as fill ``seconds``.
    Each result has ``ours_seconds``, ``peer_seconds``, ``dense_seconds`` of one product, ``ratio`` = peer / ours,
    ``dense_ratio`` = dense / ours and the greatest deviation from the dense product. ``break_even`` gives for each
    shape and batch the sparsity from which ours beats the dense product, interpolated in the measured times, and
    the same of the peer; None where it does not at 99 % yet, the least one measured where it always does.

    Raises ModuleNotFoundError, naming the extra, if the package that bounds the threads is not installed.
    """
    expect.that(find_spec("threadpoolctl"), "the benchmark of sparse rows runs on one thread by threadpoolctl: "
                "pip install minicompress[bench]", ModuleNotFoundError)
    from threadpoolctl import threadpool_limits

    rng, results = np.random.default_rng(seed), []
    with threadpool_limits(1):
        for shape in SHAPES:
            weights = rng.standard_normal(shape).astype(np.float32)
            for batch in BATCHES:
                x = rng.standard_normal((shape[1], batch)).astype(np.float32)
                results += [{"shape": list(shape), "batch": batch, "sparsity": s}
                            | _compare(np.where(magnitude_mask(weights, s), weights, np.float32(0)),
                                       x[:, 0].copy() if batch == 1 else x, repeats, seconds) for s in SPARSITIES]
    return {"benchmark": "csr", "seed": seed, "repeats": repeats, "threads": 1, "peer": "scipy.sparse",
            "results": results, "break_even": _break_evens(results)}


def _compare(matrix, x, repeats, seconds):
    sides = {"ours": CSR(*coder.encode(matrix), matrix.shape), "peer": sparse.csr_array(matrix), "dense": matrix}
    deviation = max(float(np.abs(side @ x - matrix @ x).max()) for side in sides.values())
    times, calls = {name: [] for name in sides}, {}
    for turn in range(repeats + 1):
        for name, side in sides.items():
            count, begin = calls.get(name, 1), time.perf_counter()
            for _ in range(count):
                side @ x
            passed = (time.perf_counter() - begin) / count
            if turn:
                times[name].append(passed)
            else:
                calls[name] = max(1, round(seconds / passed))
    ours, peer, dense = (statistics.median(times[name]) for name in ("ours", "peer", "dense"))
    return {"ours_seconds": ours, "peer_seconds": peer, "dense_seconds": dense, "ratio": peer / ours,
            "dense_ratio": dense / ours, "deviation": deviation}


def _break_evens(results):
    """The sparsity from which a product on sparse rows takes less time than the dense one, per shape and batch."""
    rows = {}
    for result in results:
        rows.setdefault((tuple(result["shape"]), result["batch"]), []).append(result)
    return [{"shape": list(shape), "batch": batch,
             **{side: break_even([r["sparsity"] for r in group], [r[f"{side}_seconds"] for r in group],
                                 [r["dense_seconds"] for r in group]) for side in ("ours", "peer")}}
            for (shape, batch), group in rows.items()]


def break_even(sparsities, sparse_seconds, dense_seconds):
    """The sparsity from which on the sparse product stays the faster one, linear between the measured; None if never.

    >>> break_even([0.5, 0.9], [3.0, 1.0], [2.0, 2.0])
    0.7
    """
    gains = [dense - packed for packed, dense in zip(sparse_seconds, dense_seconds, strict=True)]
    last = max((i for i, gain in enumerate(gains) if gain <= 0), default=-1)
    if last == len(gains) - 1:
        return None
    if last < 0:
        return sparsities[0]
    share = -gains[last] / (gains[last + 1] - gains[last])
    return round(sparsities[last] + share * (sparsities[last + 1] - sparsities[last]), 4)


def _words(shape, batch):
    return f"break-even of {'×'.join(map(str, shape))}, batch {batch}"


def measured(report):
    """A break-even that no measured sparsity reaches is at 100 % or beyond."""
    return {_words(r["shape"], r["batch"]): r["ours"] or 1.0 for r in report["break_even"]}


def shown(report):
    """Products with sparse rows, in a table for each shape and batch, with the sparsity from which they pay."""
    tables = []
    for even in report["break_even"]:
        rows = [[percent(r["sparsity"]), *(milliseconds(r[f"{side}_seconds"]) for side in ("ours", "peer", "dense")),
                 precise_times(r["ratio"]), precise_times(r["dense_ratio"])] for r in report["results"]
                if (r["shape"], r["batch"]) == (even["shape"], even["batch"])]
        title = f"{'×'.join(map(str, even['shape']))}, batch {even['batch']}"
        pays = "at no sparsity measured" if even["ours"] is None else f"from {percent(even['ours'])} zeros on"
        tables.append(table([title, "ours, ms", "scipy, ms", "BLAS, ms", "by scipy", "by BLAS"], rows)
                      + f"\nours pays beside the dense product {pays}")
    return "\n\n".join(tables)


CLAIMS = {"csr": Claim(lambda lab: run(seed=lab.seed), tuple(
    Quantity(_words(shape, batch), percent, "products on sparse rows beside dense BLAS, 2048², a vector: ahead from so "
             "many zeros on" if (shape, batch) == ((2048, 2048), 1) else "") for shape in SHAPES for batch in BATCHES),
    measured, shown)}
