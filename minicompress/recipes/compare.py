"""One network by every method: test error, bytes on disk, multiply-accumulates and measured time, row by row."""

import copy
import gzip
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from minicompress import binarization, data, distillation, models, nn
from minicompress.nn import optim

from . import fresh
from .channels import seconds_per_image
from .combinations import Settings, combine, write
from .course import Course
from .hardware import hardware
from .jobs import VALIDATION
from .plans import FEW

HIDDEN, SMALL = (300, 100), (75, 25)  # units of the network, and of the small one that is distilled from it
METHODS = {
    "pruned": ("pruned",), "clustered": ("clustered",), "deep compression": ("pruned", "clustered", "huffman"),
    "int8": ("int8",), "int4": ("int4",), "channels cut": ("cut",), "binary weights": ("binary",),
}
BATCHES = (1, 256)


@dataclass(frozen=True)
class Plan:
    """Epochs of the dense network, of the packed binary and of the distilled one, and what `combine` is told."""

    train_epochs: int
    binary_epochs: int
    distill_epochs: int
    settings: Settings
    lr: float = 0.1
    temperature: float = 4.0


DIGITS = Plan(60, 60, 60, Settings(sparsity=0.8, epochs=25), lr=0.05)
MNIST = Plan(20, 20, 20, Settings(sparsity=0.95, epochs=12, batch_size=128))


def compare(data_name, folder, *, seed=0, plan=None, resume=False, progress=None, say=None):
    """Compress one MLP by every method; returns a dict ready for JSON, its ``rows`` in the order of the table.

    The network is the pixels, 300 and 100 hidden units with batch norm, and the classes. Each method starts from the
    trained one, writes a .mcz file into ``folder``, and is checked in a fresh process; but "binary, packed" (sign
    activations too) starts from it and trains longer, and "distilled" is a network with a quarter of the units that
    learns from its answers. ``say`` is called with each row as it is done.

    A row has ``method``, ``error``, ``bytes`` and ``ratio`` to the dense file (ME-2), ``macs`` for one image (ME-3),
    ``seconds_per_image`` by batch size, measured, all networks taking turns (`resolved`), and ``file``, its name; the
    last two are None for the gzipped file, which is no network. Until the end ``folder`` holds checkpoints too, in
    ``compare.work``, from which a killed run goes on with ``resume=True``, as in every `Course`. Raises what
    `data.load` does, and KeyboardInterrupt after Ctrl-C.
    """
    begin, folder, rng = time.perf_counter(), Path(folder), np.random.default_rng(seed)
    work = folder / "compare.work"
    dataset = data.load(data_name, validation=VALIDATION, rng=rng)
    plan = plan or (DIGITS if len(dataset.train.images) < FEW else MNIST)
    settings = replace(plan.settings, augment=data.Jitter(max(1, min(dataset.image_shape) // 14)))
    shape, networks, rows = (1, *dataset.image_shape), {}, []
    course = Course(dataset, work, batch_size=settings.batch_size, augment=settings.augment, resume=resume,
                    progress=progress, rng=rng)

    def add(name, model, methods=("huffman",)):
        path = folder / f"{name.replace(',', '').replace(' ', '-')}.mcz"
        size = write(model, methods, path).size
        fresh.check(model, path, dataset)
        networks[name] = resolved(model)
        rows.append({"method": name, "error": nn.evaluate(model, dataset).error, "bytes": size,
                     "ratio": rows[0]["bytes"] / size if rows else 1.0, "macs": model.summary(shape).macs,
                     "seconds_per_image": None, "file": path.name})
        if name == "dense":
            packed = len(gzip.compress(path.read_bytes(), 9, mtime=0))
            rows.append(rows[0] | {"method": "dense, gzipped", "bytes": packed, "ratio": size / packed,
                                   "file": None})
        if say:
            say(rows[-1] if name != "dense" else rows[0])

    def network(hidden):
        return models.mlp([int(np.prod(shape)), *hidden, dataset.num_classes], batch_norm=True, rng=rng)

    dense = network(HIDDEN)
    course.train("dense", dense, _sgd(dense, plan.lr), plan.train_epochs)
    add("dense", dense)
    for name, methods in METHODS.items():
        add(name, combine(dense, methods, dataset, settings=settings, folder=work / name, resume=resume,
                          progress=progress, rng=rng), methods)
    binary = binarization.binarize(dense, activations=True)
    course.train("binary", binary, optim.Adam(binary.parameters(), lr=5e-3), plan.binary_epochs)
    add("binary, packed", binarization.pack(binary))
    small, soft = network(SMALL), distillation.SoftTargets(dense, temperature=plan.temperature, alpha=0.1)
    course.train("distilled", small, _sgd(small, plan.lr), plan.distill_epochs, objective=soft)
    add("distilled", small)

    for batch in BATCHES:
        times = seconds_per_image(networks, dataset.test, batch)
        for row in rows:
            if row["method"] in times:
                row["seconds_per_image"] = (row["seconds_per_image"] or {}) | {str(batch): times[row["method"]]}
    shutil.rmtree(work)
    name = ",".join(map(str, [int(np.prod(shape)), *HIDDEN, dataset.num_classes]))
    return {"data": data_name, "model": f"mlp:{name} with batch norm", "seed": seed,
            "seconds": time.perf_counter() - begin, "dense_bytes": rows[0]["bytes"], "dense_error": rows[0]["error"],
            "compressed_bytes": None, "ratio": None, "error": None, "rows": rows, "hardware": hardware()}


def _sgd(model, lr):
    return optim.SGD(model.parameters(), lr=lr, momentum=0.9)


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
