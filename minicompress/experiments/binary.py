"""Binary networks on MNIST: BinaryConnect's MLP, and BNNs whose layers compute on packed bits, from training to file.

Sources: Courbariaux et al. 2015 (BinaryConnect: an MLP of 3×1024, 1.29 % deterministic), 2016 (BNN: 3×4096, 0.96 %),
both without augmentation and with far more epochs.
"""

import copy
import time
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from minicompress import binarization, container, models, training
from minicompress.binarization.binarized import split
from minicompress.claims import Claim, Quantity, count, percent, seconds, times
from minicompress.forms import Sign
from minicompress.training import Training


@dataclass(frozen=True)
class Plan:
    """One training run from scratch; ``activations`` makes a BNN, ``real`` names the layers whose weights stay real."""

    train: Training
    activations: bool = False
    real: tuple = ()


def _adam(epochs):
    return Training(epochs, 0.03, 256, adam=True, jitter=1)


SIZES = (784, 1024, 1024, 1024, 10)
BINARY_CONNECT = Plan(_adam(15))
BNN_MLP = Plan(_adam(20), activations=True)
BNN_LENET_5 = Plan(_adam(12), activations=True, real=("conv1",))


def mlp(lab, plan, sizes=SIZES, data="mnist"):
    """An MLP with binary weights in every layer, and ±1 activations if the plan says so: see `train_and_store`."""
    lab.load(data)
    return train_and_store(lab, models.mlp(sizes, batch_norm=True, rng=lab.rng), plan)


def lenet_5(lab, plan=BNN_LENET_5):
    """LeNet-5 with ±1 activations, and binary weights but for the 500 of its first layer; see `train_and_store`."""
    lab.load("mnist")
    return train_and_store(lab, models.lenet_5(rng=lab.rng), plan)


def train_and_store(lab, model, plan):
    """Binarize an untrained model, train it, store it, and check the file in a fresh process; returns a report.

    A BNN is stored as `binarization.pack` makes it, after its logits on the test set are found equal, bit for bit, to
    those of the ±1 network in floats; "float_seconds" and "packed_seconds" are what those logits took. "error" is that
    of the network in the file. "dense_bytes" are those of the same network's file with every weight a float, and
    "ratio" that by "compressed_bytes". "binary_ratio" counts of both files only the weights of the binary layers, and
    "binary_ratio_with_norms" also their batch norms, or thresholds; "layers" has the bytes one by one.

    Writes ``dense.mcz``, ``binary.mcz`` and a checkpoint. Raises KeyboardInterrupt after Ctrl-C.
    """
    begin = time.perf_counter()
    net = binarization.binarize(model, activations=plan.activations, real=plan.real)
    lab.train("train", net, plan.train)
    report, stored = {"plan": asdict(plan)}, net
    if plan.activations:
        stored = binarization.pack(net)
        report |= _compared(net, stored, lab.dataset.test)
    dense = lab.path("dense.mcz")
    lab.dense_bytes = container.save(_without_projections(net), dense).size
    binary = lab.write("binary", stored, check=True)
    return report | {"error": binary.error, "dense_bytes": lab.dense_bytes, "compressed_bytes": binary.bytes,
                     "ratio": binary.ratio} | _binary_layers(net, dense, binary.path) | {
                         "seconds": time.perf_counter() - begin}


def _without_projections(net):
    net = copy.deepcopy(net)
    for _, parameter in net.named_latents():
        parameter.projections = ()
    return net


def _compared(net, packed, split):
    """The seconds that each takes; RuntimeError unless both give the same logits, bit for bit."""
    logits, seconds = [], []
    for model in (net, packed):
        begin = time.perf_counter()
        logits.append(training.predict(model, split))
        seconds.append(time.perf_counter() - begin)
    if logits[0].tobytes() != logits[1].tobytes():
        raise RuntimeError("the packed network computes other logits than the ±1 network in floats")
    return {"float_seconds": seconds[0], "packed_seconds": seconds[1]}


def _binary_layers(net, dense, path):
    """What the binary layers of a network take in two files: bytes, dense and binary, of each layer; and the ratios."""
    files = [container.inspect(file).arrays for file in (dense, path)]
    _, blocks = split(net)
    layers = {}
    for (name, layer), *rest in blocks:
        if isinstance(layer.weight.form(), Sign):
            layers[name] = {"weights": [_bytes(arrays, [name]) for arrays in files],
                            "norm": [_bytes(arrays, [key for key, _ in rest]) for arrays in files]}
    weights, norms = (np.sum([layer[kind] for layer in layers.values()], axis=0) for kind in ("weights", "norm"))
    return {"layers": layers, "binary_ratio": float(np.divide(*weights)),
            "binary_ratio_with_norms": float(np.divide(*(weights + norms)))}


def _bytes(arrays, layers):
    return sum(array["bytes"] for array in arrays if array["name"].split(".")[0] in layers)


def _claim(run, model, words, error=None):
    return Claim(run, (
        Quantity("error", percent, "test error", at_most=error), Quantity("dense_bytes", count),
        Quantity("compressed_bytes", count, "bytes on disk"), Quantity("ratio", times, "whole file"),
        Quantity("binary_ratio", times, "binary layers: weights", at_least=30),
        Quantity("binary_ratio_with_norms", times, "with batch norms or thresholds"),
        Quantity("seconds", seconds, "seconds", at_most=2700)), model=model, words=words)


CLAIMS = {
    "binary-connect": _claim(partial(mlp, plan=BINARY_CONNECT), "mlp:784,1024,1024,1024,10",
                             "BinaryConnect MLP 3×1024: binary weights", 0.015),
    "bnn-mlp": _claim(partial(mlp, plan=BNN_MLP), "mlp:784,1024,1024,1024,10",
                      "BNN MLP 3×1024: binary weights and activations, packed", 0.018),
    "bnn-lenet-5": _claim(lenet_5, "lenet-5", "BNN LeNet-5, packed, its first layer real"),
}
