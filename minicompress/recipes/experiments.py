"""What this project claims: for each name what is run, what of it is shown, and the bars, as data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import channels, jobs
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


@dataclass(frozen=True)
class Experiment:
    """What is measured once per seed: ``run(seed, folder=, progress=, say=)`` gives a report, a dict ready for JSON.

    ``quantities`` are the keys of the report that tables show, "a.b" for one within another, ``bars`` are held against
    their medians; ``data`` and ``model`` say what it is about.
    """

    run: Callable
    quantities: tuple
    bars: tuple
    data: str = "mnist"
    model: str | None = None


def _deep_compression(name, seed, *, folder, progress, say):
    job = jobs.prepare("mnist", name.removesuffix("-plain"), seed=seed, plan=PLANS[name])
    return jobs.compress(job, Path(folder) / f"{name}.mcz", progress=progress, report=say)


def _file(name, *bars):
    keys = ("dense_error", "error", "dense_bytes", "gzip_bytes", "compressed_bytes", "ratio", "seconds")
    return Experiment(partial(_deep_compression, name), keys, bars, model=name.removesuffix("-plain"))


def _at_most(what, bar):
    return Bar(what, "at most", bar)


def _at_least(what, bar):
    return Bar(what, "at least", bar)


_CUT = ("large_error", "cut_error", "error", "scratch_error", "large_parameters", "small_parameters",
        "parameters_share", "macs_share", "time_share.batch 1", "time_share.batch 256", "large_bytes", "small_bytes",
        "seconds")
EXPERIMENTS = {
    "lenet-300-100": _file("lenet-300-100", _at_least("ratio", 40), _at_most("error", 0.0158),
                           _at_most("seconds", 300)),
    "lenet-5": _file("lenet-5", _at_least("ratio", 39), _at_most("error", 0.0074), _at_most("seconds", 1500)),
    "lenet-300-100-plain": _file("lenet-300-100-plain"),
    "lenet-5-plain": _file("lenet-5-plain"),
    "slimming-mlp": Experiment(channels.slimming_mlp, _CUT, (
        _at_most("error", 0.0149), _at_most("parameters_share", 0.16)), model="mlp:784,500,300,10"),
    "filters-lenet-5": Experiment(channels.filters_lenet_5, _CUT, (_at_most("error", 0.008),), model="lenet-5"),
}
BENCHES = {
    "train": (_at_least("lenet-300-100 on 1 thread", 1.5), _at_least("lenet-300-100 on 2 threads", 1.5),
              _at_least("lenet-5 on 1 thread", 1.0), _at_least("lenet-5 on 2 threads", 0.9)),
    "huffman": (_at_least("speed beside dahuffman", 50), _at_most("tables beside payload", 0.01)),
    "clustering": (_at_least("optimal, speed beside kmeans1d", 1), _at_most("optimal, objective", 1.000001),
                   _at_least("kmeans, speed beside sklearn", 10), _at_most("kmeans, objective", 1.01)),
}
BARS = {name: experiment.bars for name, experiment in EXPERIMENTS.items()} | BENCHES
