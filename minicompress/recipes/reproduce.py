"""What a run on this machine reaches beside the bars that this project sets itself."""

import statistics
import tempfile
from pathlib import Path

from .experiments import BARS, BENCHES, EXPERIMENTS
from .hardware import hardware

STANDARD = ("seconds", "dense_bytes", "compressed_bytes", "ratio", "dense_error", "error")


def bench(name, *, seed=0):
    """One run of a benchmark, `minicompress.bench`'s own result; ModuleNotFoundError if a peer is not installed."""
    from minicompress.bench import clustering, csr, huffman, train, xnor
    rooms = {"train": train, "huffman": huffman, "clustering": clustering, "csr": csr, "xnor": xnor}
    return rooms[name].run(seed=seed)


def reproduce(name, seeds=(0, 1, 2), *, progress=None, say=None):
    """Measure all that stands behind a name of `BARS` once per seed; returns a dict ready for JSON.

    ``runs`` holds each seed's result, ``measured`` per quantity its ``values`` and their ``median``, ``least`` and
    ``most``, ``bars`` each bar with what was ``reached`` (the median) and whether it was ``met``; of a network the
    medians stand at the top too. ``say`` is called with (seed, Stage) as a recipe goes on.

    Raises ValueError for an unknown name or no seeds, ModuleNotFoundError if a benchmark's peer is not installed.
    """
    if name not in BARS or not seeds:
        raise ValueError(f"name is {name!r} with seeds {list(seeds)}, expected one of {', '.join(BARS)} and a seed")
    runs = [_run(name, seed, progress, say) for seed in seeds]
    values = {what: [_measured(name, run)[what] for run in runs] for what in _measured(name, runs[0])}
    measured = {what: {"median": statistics.median(v), "least": min(v), "most": max(v), "values": v}
                for what, v in values.items()}
    bars = [{"what": bar.what, "side": bar.side, "bar": bar.bar, "reached": measured[bar.what]["median"],
             "met": bar.met(measured[bar.what]["median"])} for bar in BARS[name]]
    report = {"name": name, "seeds": list(seeds), "measured": measured, "bars": bars, "runs": runs,
              "hardware": hardware()}
    if name in EXPERIMENTS:
        report |= dict.fromkeys(("seed", *STANDARD)) | {what: m["median"] for what, m in measured.items()}
        report |= {"data": EXPERIMENTS[name].data, "model": EXPERIMENTS[name].model}
    return report


def _run(name, seed, progress, say):
    if name in BENCHES:
        return bench(name, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        return EXPERIMENTS[name].run(seed, folder=Path(folder), progress=progress,
                                     say=say and (lambda stage: say(seed, stage)))


def _measured(name, run):
    """The quantities of one run by name, among them those of the bars."""
    if name == "train":
        return {f"{r['network']}{' on noise' * (r['inputs'] == 'noise')} on {r['threads']} "
                f"thread{'s' * (r['threads'] > 1)}": r["ratio"] for r in run["results"]}
    if name == "huffman":
        return {"speed beside dahuffman": run["ratio"], "speed beside zlib": run["zlib_ratio"],
                "tables beside payload": run["lane_table_share"]}
    if name == "clustering":
        # Our side has one thread; the peer gets each thread count, and the fastest of them counts.
        sides = {r["comparison"]: r for r in sorted(run["results"], key=lambda r: -r["peer_seconds"])}
        optimal, lloyd = sides["optimal"], sides["kmeans"]
        return {"optimal, speed beside kmeans1d": optimal["ratio"],
                "optimal, objective": optimal["ours_error"] / optimal["peer_error"],
                "kmeans, speed beside sklearn": lloyd["ratio"],
                "kmeans, objective": lloyd["ours_error"] / lloyd["peer_error"]}
    if name == "csr":  # a break-even that no measured sparsity reaches is at 100 % or beyond
        return {f"break-even of {'×'.join(map(str, r['shape']))}, batch {r['batch']}": r["ours"] or 1.0
                for r in run["break_even"]}
    if name == "xnor":
        return {f"{r['product']} beside BLAS": r["ratio"] for r in run["results"]}
    return {what: _within(run, what.split(".")) for what in EXPERIMENTS[name].quantities}


def _within(report, path):
    return report if not path else _within(report[path[0]], path[1:])
