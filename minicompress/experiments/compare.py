"""One network by every method: test error, bytes on disk, multiply-accumulates and measured time, row by row."""

import copy
import gzip
import shutil
import time
import zlib
from dataclasses import dataclass
from functools import partial

import numpy as np

from minicompress import binarization, distillation, models, nn
from minicompress.claims import Claim, Quantity, count, percent, seconds, times
from minicompress.recipes import files
from minicompress.recipes.pipeline import Settings, combine, methods
from minicompress.recipes.plans import FEW, jittered
from minicompress.training import Training

from .hardware import hardware
from .timing import seconds_per_image

HIDDEN, SMALL = (300, 100), (75, 25)  # units of the network, and of the small one that is distilled from it
TOGETHER = {"deep compression": ("pruned", "clustered", "huffman")}  # what is combined, beside each method alone
BATCHES = (1, 256)
KEYS = files.KEYS + """\
Null where it has no meaning: ratio, error, compressed_bytes. Also rows (method,
error, bytes, ratio, macs, seconds_per_image by batch size), each row under its
method's name too, hardware and files.
"""


@dataclass(frozen=True)
class Plan:
    """How the dense network trains, the packed binary one and the distilled one, and what `combine` is told."""

    train: Training
    binary: Training
    distill: Training
    settings: Settings
    temperature: float = 4.0


def _plan(epochs, lr, batch_size, settings):
    train = Training(epochs, lr, batch_size)
    return Plan(train, Training(epochs, 5e-3, batch_size, adam=True), train, settings)


DIGITS = _plan(60, 0.05, 64, Settings(sparsity=0.8, training=Training(25, 0.02)))
MNIST = _plan(20, 0.1, 128, Settings(sparsity=0.95, training=Training(12, 0.02, 128)))


def chains():
    """{title of a row: names of the methods}, of every method alone and of those together."""
    return {method.title: (name,) for name, method in methods().items() if not method.last} | TOGETHER


def run(lab, data, plan=None):
    """Compress one MLP by every method; returns a dict ready for JSON, its ``rows`` in the order of the table.

    The network is the pixels, 300 and 100 hidden units with batch norm, and the classes. Each method starts from the
    trained one, with a generator of its own, writes a .mcz file into the lab's folder, and is checked in a fresh
    process; but "binary, packed" (sign activations too) starts from it and trains longer, and "distilled" is a network
    with a quarter of the units that learns from its answers.

    A row has ``method``, ``error``, ``bytes`` and ``ratio`` to the dense file (ME-2), ``macs`` for one image (ME-3),
    ``seconds_per_image`` by batch size, measured, all networks taking turns (`resolved`), and ``file``, its name; the
    last two are None for the gzipped file, which is no network. Each row also stands under its method's name. Until the
    end the folder holds checkpoints too, in ``compare.work``. Raises what `data.load` does, and KeyboardInterrupt after
    Ctrl-C.
    """
    begin, dataset = time.perf_counter(), lab.load(data)
    plan = plan or (DIGITS if len(dataset.train.images) < FEW else MNIST)
    plan = jittered(plan, max(1, min(dataset.image_shape) // 14))
    work, shape, networks, rows = lab.within("compare.work"), (1, *dataset.image_shape), {}, []
    sizes = [int(np.prod(shape)), *HIDDEN, dataset.num_classes]

    def add(method, model, names=("huffman",)):
        stage = lab.write(method, model, file=method.replace(",", "").replace(" ", "-"), entropy="huffman" in names,
                          check=True)
        networks[method] = resolved(model)
        rows.append({"method": method, "error": stage.error, "bytes": stage.bytes, "ratio": stage.ratio,
                     "macs": model.summary(shape).macs, "seconds_per_image": None, "file": stage.path.name})
        if method == "dense":
            packed = len(gzip.compress(stage.path.read_bytes(), 9, mtime=0))
            rows.append(rows[0] | {"method": "dense, gzipped", "bytes": packed, "ratio": stage.bytes / packed,
                                   "file": None})

    def alone(method):
        """So that no row's bits depend on which others there are."""
        return np.random.default_rng([lab.seed, zlib.crc32(method.encode())])

    dense = models.mlp(sizes, batch_norm=True, rng=lab.rng)
    work.train("dense", dense, plan.train)
    add("dense", dense)
    for method, names in chains().items():
        add(method, combine(work.within(method, rng=alone(method)), dense, names, settings=plan.settings), names)
    binary = binarization.binarize(dense, activations=True)
    work.train("binary", binary, plan.binary, rng=alone("binary, packed"))
    add("binary, packed", binarization.pack(binary))
    rng, soft = alone("distilled"), distillation.SoftTargets(dense, temperature=plan.temperature, alpha=0.1)
    small = models.mlp([sizes[0], *SMALL, sizes[-1]], batch_norm=True, rng=rng)
    work.train("distilled", small, plan.distill, objective=soft, rng=rng)
    add("distilled", small)

    for batch in BATCHES:
        measured = seconds_per_image(networks, dataset.test, batch)
        for row in rows:
            if row["method"] in measured:
                row["seconds_per_image"] = (row["seconds_per_image"] or {}) | {str(batch): measured[row["method"]]}
    shutil.rmtree(work.folder, ignore_errors=True)
    return {"data": data, "model": f"mlp:{','.join(map(str, sizes))} with batch norm", "seed": lab.seed,
            "seconds": time.perf_counter() - begin, "dense_bytes": rows[0]["bytes"], "dense_error": rows[0]["error"],
            "compressed_bytes": None, "ratio": None, "error": None, "rows": rows, "hardware": hardware()} | {
                row["method"]: row for row in rows}


def resolved(model):
    """A copy that has worked its weights out once: floats where a layer computes in floats, packed where it does not.

    >>> from minicompress import pruning
    >>> layer = nn.Linear(2, 1, rng=np.random.default_rng(0))
    >>> _ = nn.project(layer.weight, pruning.MagnitudePruning(0.5))
    >>> resolved(layer).weight.projections, (resolved(layer).weight.numpy() != 0).tolist()
    ((), [[False, True]])
    """
    model = copy.deepcopy(model)
    for _, layer in model.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.BatchNorm1d):
            for parameter in (p for p in (layer.weight, layer.bias) if p is not None):
                parameter.settle()
    return model


def _claim(data, pixels, within):
    rows = ("dense, gzipped", *chains(), "binary, packed", "distilled")
    units = {"error": percent, "bytes": count, "ratio": times}
    return Claim(partial(run, data=data), (
        Quantity("dense_error", percent), Quantity("dense_bytes", count),
        *(Quantity(f"{row}.{what}", unit) for row in rows for what, unit in units.items()),
        Quantity("seconds", seconds, "seconds", at_most=within)),
        data=data, model=f"mlp:{pixels},300,100,10 with batch norm", words=f"every method, {data}")


CLAIMS = {"compare-digits": _claim("digits", 64, 180), "compare-mnist": _claim("mnist", 784, 1800)}
