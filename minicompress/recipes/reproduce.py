"""What a run on this machine reaches beside the bars that this project sets itself."""

import json
import statistics
import tempfile
from pathlib import Path

import minicompress
from minicompress import atomic

from .experiments import BARS, BENCHES, EXPERIMENTS
from .hardware import hardware

STANDARD = ("seconds", "dense_bytes", "compressed_bytes", "ratio", "dense_error", "error")


def bench(name, *, seed=0):
    """One run of a benchmark, `minicompress.bench`'s own result; ModuleNotFoundError if a peer is not installed."""
    from minicompress.bench import clustering, csr, huffman, train, xnor
    rooms = {"train": train, "huffman": huffman, "clustering": clustering, "csr": csr, "xnor": xnor}
    return rooms[name].run(seed=seed)


def reproduce(name, seeds=(0, 1, 2), *, folder=None, resume=False, progress=None, say=None):
    """Measure all that stands behind a name of `BARS` once per seed; returns a dict ready for JSON.

    ``runs`` holds each seed's result, ``measured`` per quantity its ``values`` and their ``median``, ``least`` and
    ``most``, ``bars`` each bar with what was ``reached`` (the median) and whether it was ``met``; of a network the
    medians stand at the top too. ``say`` is called with (seed, Stage) as a recipe goes on.

    An experiment's files go to ``folder / name``, in a folder per seed; None keeps none. From there a killed run goes
    on with ``resume=True``: what a seed has measured is not measured again, and of the one that was interrupted
    ``seconds`` are the last process's, which ``resumed`` in its result tells.

    Raises ValueError for an unknown name, no seeds or one twice, ModuleNotFoundError if a benchmark's peer is not
    installed.
    """
    if name not in BARS or not seeds:
        raise ValueError(f"name is {name!r} with seeds {list(seeds)}, expected one of {', '.join(BARS)} and a seed")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {list(seeds)}, expected each once: the same seed measures the same again")
    if folder is None or name in BENCHES:
        with tempfile.TemporaryDirectory() as temporary:
            runs = [_run(name, seed, Path(temporary), False, progress, say) for seed in seeds]
    else:
        runs = [_run(name, seed, Path(folder) / name / f"seed-{seed}", resume, progress, say) for seed in seeds]
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


def _run(name, seed, folder, resume, progress, say):
    """One seed's result: measured, or read where the folder to resume has it already."""
    if name in BENCHES:
        return bench(name, seed=seed)
    report, about = folder / "report.json", {"name": name, "seed": seed, "version": minicompress.__version__}
    if resume and report.exists():
        known = json.loads(report.read_text("utf-8"))
        if known.items() >= about.items():
            return known["run"]
    report.unlink(missing_ok=True)
    resume = resume and any(folder.rglob("*.checkpoint"))
    run = EXPERIMENTS[name].run(seed, folder=folder, resume=resume, progress=progress,
                                say=say and (lambda stage: say(seed, stage))) | {"resumed": resume}
    with atomic.replacing(report) as temporary:
        temporary.write_text(json.dumps(about | {"run": run}, indent=1), "utf-8")
    for checkpoint in folder.glob("*.checkpoint"):
        checkpoint.unlink()
    return run


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
        return {f"{r['product']}{cold} beside BLAS": r[ratio] for r in run["results"]
                for cold, ratio in (("", "ratio"), (", cold,", "first_ratio"))}
    return {what: _within(run, what.split(".")) for what in EXPERIMENTS[name].quantities}


def _within(report, path):
    return report if not path else _within(report[path[0]], path[1:])
