"""The bars that this project sets itself, as data, and what a run on this machine reaches beside each."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import jobs
from .hardware import hardware
from .plans import PLANS


@dataclass(frozen=True)
class Bar:
    """``what`` is measured, the ``side`` it must be on ("at least" or "at most"), and the ``bar`` itself."""

    what: str
    side: str
    bar: float

    def met(self, reached):
        return reached >= self.bar if self.side == "at least" else reached <= self.bar


def _file(ratio, error, minutes):
    return (Bar("ratio", "at least", ratio), Bar("error", "at most", error), Bar("seconds", "at most", 60 * minutes))


BARS = {
    "lenet-300-100": _file(40, 0.0158, 5),
    "lenet-5": _file(39, 0.0074, 25),
    "lenet-300-100-plain": (),
    "lenet-5-plain": (),
    "train": (Bar("lenet-300-100 on 1 thread", "at least", 1.5), Bar("lenet-300-100 on 2 threads", "at least", 1.5),
              Bar("lenet-5 on 1 thread", "at least", 1.0), Bar("lenet-5 on 2 threads", "at least", 0.9)),
    "huffman": (Bar("speed beside dahuffman", "at least", 50), Bar("tables beside payload", "at most", 0.01)),
    "clustering": (Bar("optimal, speed beside kmeans1d", "at least", 1), Bar("optimal, objective", "at most", 1.000001),
                   Bar("kmeans, speed beside sklearn", "at least", 10), Bar("kmeans, objective", "at most", 1.01)),
}
BENCHES = ("train", "huffman", "clustering")


def bench(name, *, seed=0):
    """One run of a benchmark, `minicompress.bench`'s own result; ModuleNotFoundError if a peer is not installed."""
    from minicompress.bench import clustering, huffman, train
    return {"train": train, "huffman": huffman, "clustering": clustering}[name].run(seed=seed)


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
    if name not in BENCHES:
        report |= {"data": "mnist", "model": name.removesuffix("-plain"), "seed": None}
        report |= {what: m["median"] for what, m in measured.items()}
    return report


def _run(name, seed, progress, say):
    if name in BENCHES:
        return bench(name, seed=seed)
    job = jobs.prepare("mnist", name.removesuffix("-plain"), seed=seed, plan=PLANS[name])
    with tempfile.TemporaryDirectory() as folder:
        return jobs.compress(job, Path(folder) / f"{name}.mcz", progress=progress,
                             report=say and (lambda stage: say(seed, stage)))


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
    keys = ("dense_error", "error", "dense_bytes", "gzip_bytes", "compressed_bytes", "ratio", "seconds")
    return {key: run[key] for key in keys}
