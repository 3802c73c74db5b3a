"""What this project claims: for each name what is run, what of it is shown, and the bars, as data."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import binary, channels, compare, hinton, integers, jobs
from .course import Stage
from .plans import PLANS


@dataclass(frozen=True)
class Bar:
    """``what`` is measured, the ``side`` it must be on ("at least" or "at most"), and the ``bar`` itself."""

    what: str
    side: str
    bar: float

    def met(self, reached):
        return reached >= self.bar if self.side == "at least" else reached <= self.bar


@dataclass(frozen=True)
class Experiment:
    """What is measured once per seed: ``run(seed, folder=, resume=, progress=, say=)`` gives a dict ready for JSON.

    ``quantities`` are the keys of the report that tables show, "a.b" for one within another, ``bars`` are held against
    their medians; ``data`` and ``model`` say what it is about.
    """

    run: Callable
    quantities: tuple
    bars: tuple
    data: str = "mnist"
    model: str | None = None


def _deep_compression(name, seed, *, folder, resume, progress, say):
    job = jobs.prepare("mnist", name.removesuffix("-plain"), seed=seed, plan=PLANS[name])
    return jobs.compress(job, Path(folder) / f"{name}.mcz", resume=resume, progress=progress, report=say)


def _compare(data_name, seed, *, folder, resume, progress, say):
    """A comparison whose rows are found by method too, and said as stages."""
    ends = [time.perf_counter()]

    def say_row(row):
        ends.append(time.perf_counter())
        say(Stage(row["method"], row["error"], row["bytes"], row["ratio"], ends[-1] - ends[-2],
                  Path(folder) / row["file"]))

    report = compare.compare(data_name, folder, seed=seed, resume=resume, progress=progress, say=say and say_row)
    return report | {row["method"]: row for row in report["rows"]}


def _file(name, *bars):
    keys = ("dense_error", "error", "dense_bytes", "gzip_bytes", "compressed_bytes", "ratio", "seconds")
    return Experiment(partial(_deep_compression, name), keys, bars, model=name.removesuffix("-plain"))


def _at_most(what, bar):
    return Bar(what, "at most", bar)


def _at_least(what, bar):
    return Bar(what, "at least", bar)


def _integers(model, run):
    files = ("int8", "int4", "int4_qat")
    keys = ("dense_error", *(f"{file}_{what}" for what in ("error", "excess", "bytes", "ratio") for file in files))
    bars = (_at_most("int8_excess", 0.0005), _at_most("int4_qat_excess", 0.0015), _at_least("int8_ratio", 3.9),
            _at_least("int4_ratio", 7.5), _at_least("int4_qat_ratio", 7.5))
    return Experiment(run, (*keys, "dense_bytes", "seconds"), bars, model=model)


def _binary(model, run, *bars):
    return Experiment(run, binary.QUANTITIES, (*bars, _at_least("binary_ratio", 30), _at_most("seconds", 2700)),
                      model=model)


def _comparison(data_name, pixels, seconds):
    methods = ("dense, gzipped", *compare.METHODS, "binary, packed", "distilled")
    keys = (f"{method}.{what}" for method in methods for what in ("error", "bytes", "ratio"))
    return Experiment(partial(_compare, data_name), ("dense_error", "dense_bytes", *keys, "seconds"),
                      (_at_most("seconds", seconds),), data=data_name, model=f"mlp:{pixels},300,100,10 with batch norm")


_HINTON = ("teacher_errors", "plain_errors", "distilled_errors", "fewer_share",
           *(f"{student}.{what}" for student in ("without_3s", "only_7s_and_8s") for what in (
               "errors", "right", "corrected.errors", "corrected.right", "as_the_paper.errors", "as_the_paper.right")),
           "seconds")
_CUT = ("large_error", "cut_error", "error", "scratch_error", "large_parameters", "small_parameters",
        "parameters_share", "macs_share", "time_share.batch 1", "time_share.batch 256", "large_bytes", "small_bytes",
        "seconds")
EXPERIMENTS = {
    "lenet-300-100": _file("lenet-300-100", _at_least("ratio", 40), _at_most("error", 0.0158),
                           _at_most("seconds", 300)),
    "lenet-5": _file("lenet-5", _at_least("ratio", 39), _at_most("error", 0.0074), _at_most("seconds", 1500)),
    "lenet-300-100-plain": _file("lenet-300-100-plain"),
    "lenet-5-plain": _file("lenet-5-plain"),
    "hinton-2015": Experiment(hinton.hinton_2015, _HINTON, (
        _at_most("teacher_errors", 80), _at_most("plain_errors", 160), _at_most("distilled_errors", 90),
        _at_least("fewer_share", 0.35), _at_least("without_3s.corrected.right", 0.95),
        _at_most("without_3s.corrected.errors", 150), _at_most("seconds", 3600)), model="mlp:784,800,800,10"),
    "integers-lenet-300-100": _integers("lenet-300-100", integers.integers_lenet_300_100),
    "integers-lenet-5": _integers("lenet-5", integers.integers_lenet_5),
    "slimming-mlp": Experiment(channels.slimming_mlp, _CUT, (
        _at_most("error", 0.0149), _at_most("parameters_share", 0.16)), model="mlp:784,500,300,10"),
    "filters-lenet-5": Experiment(channels.filters_lenet_5, _CUT, (_at_most("error", 0.008),), model="lenet-5"),
    "binary-connect": _binary("mlp:784,1024,1024,1024,10", binary.binary_connect, _at_most("error", 0.015)),
    "bnn-mlp": _binary("mlp:784,1024,1024,1024,10", binary.bnn_mlp, _at_most("error", 0.018)),
    "bnn-lenet-5": _binary("lenet-5", binary.bnn_lenet_5),
    "compare-digits": _comparison("digits", 64, 180),
    "compare-mnist": _comparison("mnist", 784, 1800),
}
BENCHES = {
    "train": (_at_least("lenet-300-100 on 1 thread", 1.5), _at_least("lenet-300-100 on 2 threads", 1.5),
              _at_least("lenet-5 on 1 thread", 1.0), _at_least("lenet-5 on 2 threads", 0.9)),
    "huffman": (_at_least("speed beside dahuffman", 50), _at_most("tables beside payload", 0.01)),
    "clustering": (_at_least("optimal, speed beside kmeans1d", 1), _at_most("optimal, objective", 1.000001),
                   _at_least("kmeans, speed beside sklearn", 10), _at_most("kmeans, objective", 1.01)),
    "csr": (),
    "xnor": (_at_least("matrix × vector beside BLAS", 8), _at_least("matrix × matrix beside BLAS", 0.65)),
}
BARS = {name: experiment.bars for name, experiment in EXPERIMENTS.items()} | BENCHES
