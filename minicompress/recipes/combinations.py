"""Which methods compose, in which order, and what each does to a trained network."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

from minicompress import binarization, container, nn, pruning, quantization
from minicompress.data import Dataset
from minicompress.nn import optim

from .channels import strongest
from .course import Course
from .deep_compression import share_weights

# What may come before each method. Huffman coding is not a rewrite but how the file is written, so it comes last.
BEFORE = {
    "cut": (),
    "pruned": ("cut",),
    "clustered": ("cut", "pruned"),
    "int8": ("cut", "pruned"),
    "int4": ("cut", "pruned"),
    "binary": ("pruned",),
    "huffman": ("cut", "pruned", "clustered", "int8", "int4", "binary"),
}


@dataclass(frozen=True)
class Settings:
    """How much, and how long: fractions in [0, 1], numbers of clusters, epochs of fine-tuning after each method."""

    sparsity: float = 0.9
    channels_kept: float = 0.5
    clusters: int = 16
    epochs: int = 10
    lr: float = 0.02
    batch_size: int = 64
    augment: Callable | None = None

    def __post_init__(self):
        if not (0 <= self.sparsity <= 1 and 0 < self.channels_kept <= 1 and self.clusters >= 1 and self.epochs >= 1):
            raise ValueError(f"{self}: expected sparsity in [0, 1], channels_kept in (0, 1], clusters and epochs of at "
                             "least 1")


def require_composable(methods):
    """ValueError, with the reason, unless these methods can follow each other in this order.

    >>> require_composable(["pruned", "int4", "huffman"])
    >>> require_composable(["int4", "pruned"])
    Traceback (most recent call last):
    ValueError: int4, then pruned: which weights are small is asked of real weights, so prune before int4
    """
    if isinstance(methods, str):
        raise TypeError(f"methods is {methods!r}, expected a list of some of {', '.join(BEFORE)}")
    for method in methods:
        if method not in BEFORE:
            raise ValueError(f"no method is called {method!r}, expected some of {', '.join(BEFORE)}")
    for first, second in combinations(methods, 2):
        if first not in BEFORE[second]:
            raise ValueError(f"{first}, then {second}: {_reason(first, second)}")


def _reason(first, second):
    if first == second:
        return "once is enough"
    if first == "huffman":
        return "Huffman codes are how the file is written, so they come last"
    if second == "cut":
        return f"channels are cut from a network whose weights are still free, so cut before {first}"
    if second == "pruned":
        return f"which weights are small is asked of real weights, so prune before {first}"
    if first == "cut":
        return "a binary network makes up in width what its weights lack; cutting channels takes just that away"
    return "a weight has one code: each of the two would replace the other's"


def combine(model, methods, dataset, *, settings=None, objective=nn.cross_entropy, folder=None, resume=False,
            progress=None, rng):
    """A new network, compressed by several methods one after the other, each followed by fine-tuning.

    Args:
        model: a trained Sequential; it stays as it is.
        methods: names out of `BEFORE`, in their order. "cut" removes the channels of least L1 norm (PR-4), "pruned" the
            weights of least magnitude (PR-2), gradually; "clustered" shares weights and trains the centroids (QU-11,
            QU-12); "int8" and "int4" train with fake quantization and convert to integers only (QU-9, QU-10); "binary"
            gives weights a sign and one scale per channel (BI-5). "huffman" changes nothing but the file: see `write`;
            of binary weights it codes the mask, as a sign takes one bit already.
        dataset: a `data.Dataset`; weights are chosen on its validation split.
        settings: a `Settings`.
        objective: of all fine-tuning, such as a `distillation.SoftTargets`.
        folder: for checkpoints, if there shall be any: from them a killed run goes on with ``resume=True``, as in
            every `Course`.

    Raises ValueError, with the reason, for methods that don't compose, TypeError for a model or a dataset of another
    kind, and whatever the methods refuse.
    """
    require_composable(methods)
    if not isinstance(model, nn.Sequential) or not isinstance(dataset, Dataset):
        raise TypeError(f"model is a {type(model).__name__} and dataset a {type(dataset).__name__}, expected a "
                        "Sequential and a data.Dataset, with the validation split to choose weights on")
    settings, model = settings or Settings(), copy.deepcopy(model)
    steps = {"cut": _cut, "pruned": _prune, "clustered": _cluster, "binary": _binary,
             "int8": _integers(8), "int4": _integers(4), "huffman": lambda model, *_: model}

    course = Course(dataset, folder, batch_size=settings.batch_size, augment=settings.augment, resume=resume,
                    progress=progress, rng=rng)

    for method in methods:
        def tune(model, optimizer=None, method=method, **options):
            optimizer = optimizer or optim.SGD(model.parameters(), lr=settings.lr, momentum=0.9)
            course.train(method, model, optimizer, settings.epochs, objective=objective, **options)

        model = steps[method](model, tune, dataset, settings)
    return model


def write(model, methods, path):
    """Save what `combine` made: with Huffman codes only if they are among the methods; returns the `Inspection`."""
    return container.save(model, path, entropy="huffman" in methods)


def _cut(model, tune, dataset, settings):
    model = strongest(model, dataset.train.images[:1], settings.channels_kept)
    tune(model)
    return model


def _prune(model, tune, dataset, settings):
    end = 0.6 * settings.epochs
    schedule = pruning.GradualPruning(pruning.mask_weights(model), final=settings.sparsity, end=end, every=20)
    tune(model, schedules=[schedule], best_from=min(int(end) + 1, settings.epochs - 1))
    return model


def _cluster(model, tune, dataset, settings):
    share_weights(model, settings.clusters, settings.clusters)
    tune(model, optim.Adam(model.parameters(), lr=1e-3))
    return model


def _binary(model, tune, dataset, settings):
    model = binarization.binarize(model, binarization.ScaledSign)
    tune(model, optim.Adam(model.parameters(), lr=1e-3))
    return model


def _integers(bits):
    def quantize(model, tune, dataset, settings):
        prepared = quantization.prepare_qat(model, dataset.train, weights=bits)
        tune(prepared, optim.Adam(prepared.parameters(), lr=3e-4))
        return quantization.convert(prepared)
    return quantize
