"""What a run on this machine reaches beside the bars that this project sets itself."""

import json
import statistics
import tempfile
from functools import cache
from pathlib import Path

import minicompress
from minicompress import atomic
from minicompress.claims import declared
from minicompress.recipes import files
from minicompress.recipes.lab import Lab

from .hardware import hardware

STANDARD = ("seconds", "dense_bytes", "compressed_bytes", "ratio", "dense_error", "error")
KEYS = files.KEYS + """\
Here they are medians over the seeds, and absent for a benchmark. Also name,
seeds, bars (what, side, bar, reached, met), measured (per quantity median,
least, most, values), runs (a report per seed) and hardware.
"""
BENCH_KEYS = """\
The JSON report has the keys: benchmark, seed, hardware; for each comparison
ours_seconds, peer_seconds and ratio, the peer's time by ours.
"""


@cache
def claims():
    """{name: `Claim`} of every experiment, then of every benchmark."""
    return {name: claim for _, found in declared("CLAIMS", "minicompress.experiments", "minicompress.bench")
            for name, claim in found.items()}


def benches():
    """Those of them that are benchmarks, which time this package beside another."""
    return {name: claim for name, claim in claims().items() if claim.table}


def bench(name, *, seed=0):
    """One run of a benchmark, `minicompress.bench`'s own result; ModuleNotFoundError if a peer is not installed."""
    return benches()[name].run(Lab(seed))


def reproduce(name, seeds=(0, 1, 2), *, folder=None, resume=False, progress=None, say=None):
    """Measure all that stands behind the name of a claim once per seed; returns a dict ready for JSON.

    ``runs`` holds each seed's result, ``measured`` per quantity its ``values`` and their ``median``, ``least`` and
    ``most``, ``bars`` each bar with what was ``reached`` (the median) and whether it was ``met``; of a network the
    medians stand at the top too. ``say`` is called with (seed, Stage) as a recipe goes on.

    An experiment's files go to ``folder / name``, in a folder per seed; None keeps none. From there a killed run goes
    on with ``resume=True``: what a seed has measured is not measured again, and of the one that was interrupted
    ``seconds`` are the last process's, which ``resumed`` in its result tells.

    Raises ValueError for an unknown name, no seeds or one twice, ModuleNotFoundError if a benchmark's peer is not
    installed.
    """
    if name not in claims() or not seeds:
        raise ValueError(f"name is {name!r} with seeds {list(seeds)}, expected one of {', '.join(claims())} and a seed")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds are {list(seeds)}, expected each once: the same seed measures the same again")
    claim = claims()[name]
    if claim.table:
        runs = [bench(name, seed=seed) for seed in seeds]
    elif folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            runs = [_run(name, seed, Path(temporary) / str(seed), False, progress, say) for seed in seeds]
    else:
        runs = [_run(name, seed, Path(folder) / name / f"seed-{seed}", resume, progress, say) for seed in seeds]
    found = [claim.values(run) for run in runs]
    values = {what: [of_seed[what] for of_seed in found] for what in found[0]}
    measured = {what: {"median": statistics.median(v), "least": min(v), "most": max(v), "values": v}
                for what, v in values.items()}
    bars = [{"what": q.name, "side": "at most" if q.at_least is None else "at least", "bar": q.limit,
             "reached": measured[q.name]["median"], "met": q.met(measured[q.name]["median"])}
            for q in claim.quantities if q.limit is not None]
    report = {"name": name, "seeds": list(seeds), "measured": measured, "bars": bars, "runs": runs,
              "hardware": hardware()}
    if not claim.table:
        report |= dict.fromkeys(("seed", *STANDARD)) | {what: m["median"] for what, m in measured.items()}
        report |= {"data": claim.data, "model": claim.model}
    return report


def _run(name, seed, folder, resume, progress, say):
    """One seed's result: measured, or read where the folder to resume has it already."""
    report, about = folder / "report.json", {"name": name, "seed": seed, "version": minicompress.__version__}
    if resume and report.exists():
        known = json.loads(report.read_text("utf-8"))
        if known.items() >= about.items():
            return known["run"]
    report.unlink(missing_ok=True)
    resume = resume and any(folder.rglob("*.checkpoint"))
    lab = Lab(seed, folder, resume=resume, progress=progress, say=say and (lambda stage: say(seed, stage)))
    run = {"seed": seed, "resumed": resume} | claims()[name].run(lab)
    with atomic.replacing(report) as temporary:
        temporary.write_text(json.dumps(about | {"run": run}, indent=1), "utf-8")
    for checkpoint in folder.glob("*.checkpoint"):
        checkpoint.unlink()
    return run
