"""Binary networks on MNIST: BinaryConnect's MLP, and BNNs whose layers compute on packed bits, from training to file.

Sources: Courbariaux et al. 2015 (BinaryConnect: an MLP of 3×1024, 1.29 % deterministic), 2016 (BNN: 3×4096, 0.96 %),
both without augmentation and with far more epochs.
"""

import copy
import time
from dataclasses import asdict, dataclass

import numpy as np

from minicompress import binarization, container, data, models, nn
from minicompress.binarization.rewrite import split
from minicompress.forms import Sign
from minicompress.nn import optim

from .course import Course, jitter
from .jobs import VALIDATION


@dataclass(frozen=True)
class Plan:
    """One training run with Adam from scratch: epochs, the learning rate at the start of a cosine, jitter in pixels.

    ``activations`` makes a BNN; ``real`` names the layers whose weights stay real.
    """

    epochs: int
    lr: float = 0.03
    batch_size: int = 256
    jitter: int = 1
    activations: bool = False
    real: tuple = ()


SIZES = (784, 1024, 1024, 1024, 10)
BINARY_CONNECT = Plan(epochs=15)
BNN_MLP = Plan(epochs=20, activations=True)
BNN_LENET_5 = Plan(epochs=12, activations=True, real=("conv1",))
QUANTITIES = ("error", "dense_bytes", "compressed_bytes", "ratio", "binary_ratio", "binary_ratio_with_norms", "seconds")


def binary_connect(seed, *, folder, plan=BINARY_CONNECT, sizes=SIZES, dataset="mnist", **options):
    """An MLP with deterministic BinaryConnect weights in every layer, real activations; see `train_and_store`."""
    return _mlp(seed, plan, sizes, dataset, folder, options)


def bnn_mlp(seed, *, folder, plan=BNN_MLP, sizes=SIZES, dataset="mnist", **options):
    """The same MLP with ±1 activations too, stored and evaluated on packed bits; see `train_and_store`."""
    return _mlp(seed, plan, sizes, dataset, folder, options)


def bnn_lenet_5(seed, *, folder, plan=BNN_LENET_5, **options):
    """LeNet-5 with ±1 activations, and binary weights but for the 500 of its first layer; see `train_and_store`."""
    rng = np.random.default_rng(seed)
    mnist = data.load("mnist", validation=VALIDATION, rng=rng)
    return {"seed": seed} | train_and_store(models.lenet_5(rng=rng), mnist, plan, folder, rng=rng, **options)


def _mlp(seed, plan, sizes, dataset, folder, options):
    rng = np.random.default_rng(seed)
    dataset = data.load(dataset, validation=VALIDATION, rng=rng)
    model = models.mlp(sizes, batch_norm=True, rng=rng)
    return {"seed": seed} | train_and_store(model, dataset, plan, folder, rng=rng, **options)


def train_and_store(model, dataset, plan, folder, *, resume=False, progress=None, say=None, rng):
    """Binarize an untrained model, train it, store it, and check the file in a fresh process; returns a report.

    A BNN is stored as `binarization.pack` makes it, after its logits on the test set are found equal, bit for bit, to
    those of the ±1 network in floats; "float_seconds" and "packed_seconds" are what those logits took. "error" is that
    of the network in the file. "dense_bytes" are those of the same network's file with every weight a float, and
    "ratio" that by "compressed_bytes". "binary_ratio" counts of both files only the weights of the binary layers, and
    "binary_ratio_with_norms" also their batch norms, or thresholds; "layers" has the bytes one by one.

    Writes ``dense.mcz``, ``binary.mcz`` and a checkpoint into ``folder``, from which a killed run goes on with
    ``resume=True``, as in every `Course`. ``say`` is called with its `Stage`. The test set is read only to
    report; the weights are chosen on the validation split. Raises KeyboardInterrupt after Ctrl-C.
    """
    begin = time.perf_counter()
    course = Course(dataset, folder, batch_size=plan.batch_size, augment=jitter(plan.jitter), resume=resume,
                    progress=progress, say=say, rng=rng)
    net = binarization.binarize(model, activations=plan.activations, real=plan.real)
    course.train("train", net, optim.Adam(net.parameters(), lr=plan.lr), plan.epochs)
    report, stored = {"plan": asdict(plan)}, net
    if plan.activations:
        stored = binarization.pack(net)
        report |= _compared(net, stored, dataset.test)
    dense = course.folder / "dense.mcz"
    course.dense_bytes = container.save(_without_projections(net), dense).size
    binary = course.write("binary", stored, check=True)
    return report | {"error": binary.error, "dense_bytes": course.dense_bytes, "compressed_bytes": binary.bytes,
                     "ratio": binary.ratio} | _binary_layers(net, dense, binary.path) | {
                         "seconds": time.perf_counter() - begin}


def _without_projections(net):
    net = copy.deepcopy(net)
    for _, parameter in net.named_parameters(projections=False):
        parameter.projections = ()
    return net


def _compared(net, packed, split):
    """The seconds that each takes; RuntimeError unless both give the same logits, bit for bit."""
    logits, seconds = [], []
    for model in (net, packed):
        begin = time.perf_counter()
        logits.append(nn.predict(model, split))
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
