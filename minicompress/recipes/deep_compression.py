"""Deep Compression (Han et al. 2016): train → prune gradually → share weights, training the centroids → file.

Every stage is one call of `fit`. Resuming runs the recipe again from the start: stages that were complete are restored
from their checkpoints with their generators, so the whole ends with the same bits as if it had never been interrupted.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path

from minicompress import container, data, nn
from minicompress.nn import optim
from minicompress.pruning import GradualPruning, Mask, mask_weights, sparsity
from minicompress.quantization import WeightClustering


@dataclass(frozen=True)
class Plan:
    """How long, how much, how fast; epochs, fractions in [0, 1], learning rates at the start of a cosine.

    ``protect`` multiplies a layer's magnitudes in the network-wide ranking: {"fc3.weight": 2.0} keeps more of it.
    ``clusters`` is the number of centroids of each weight array, ``bias_clusters`` of each bias array.
    """

    train_epochs: int
    prune_epochs: int
    share_epochs: int
    sparsity: float
    clusters: int = 16
    bias_clusters: int = 16
    train_lr: float = 0.1
    prune_lr: float = 0.1
    share_lr: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 128
    jitter: int = 0
    prune_until: float = 0.6  # the share of the pruning epochs after which the sparsity stands
    choose_from: float = 0.0  # the share of the other stages' epochs before the first that may be the best: with few
    # validation images an early epoch can win by luck
    protect: dict = field(default_factory=dict)

    def __post_init__(self):
        if not 0 < self.prune_until < 1:
            raise ValueError(f"prune_until is {self.prune_until}, expected 0 < prune_until < 1: the last pruning must "
                             "come before the last step")


@dataclass(frozen=True)
class Stage:
    """What stands on disk after a stage: its test error and bytes, and the ratio to the dense file (ME-2)."""

    name: str
    error: float
    bytes: int
    ratio: float
    seconds: float
    path: Path


def deep_compression(model, dataset, plan, folder, *, resume=False, progress=None, report=None, rng):
    """Compress an untrained model and return its `Stage`s: dense, pruned, shared.

    Writes ``dense.mcz``, ``pruned.mcz``, ``compressed.mcz`` and a checkpoint for each stage into ``folder``.
    ``report`` is called with each Stage as it is done. The test set is read only to report errors; weights are
    chosen on the validation split. Raises KeyboardInterrupt after Ctrl-C, with all checkpoints in place.
    """
    folder, stages, begin = Path(folder), [], time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    for name in () if resume else ("share", "prune", "train"):  # what an earlier run left is not to be resumed
        (folder / f"{name}.checkpoint").unlink(missing_ok=True)
    augment = data.Jitter(plan.jitter) if plan.jitter else None

    def train(name, optimizer, epochs, schedules=(), best_from=None):
        history = nn.fit(model, dataset, epochs=epochs, optimizer=optimizer, batch_size=plan.batch_size,
                         schedule=[optim.CosineAnnealingLR(optimizer, epochs), *schedules], augment=augment,
                         best_from=int(plan.choose_from * epochs) if best_from is None else best_from,
                         checkpoint=folder / f"{name}.checkpoint", resume=resume, progress=progress, rng=rng)
        if history.interrupted:
            raise KeyboardInterrupt

    def write(name, file):
        nonlocal begin
        path = folder / file
        container.save(model, path)
        size, dense = path.stat().st_size, stages[0].bytes if stages else path.stat().st_size
        stages.append(Stage(name, nn.evaluate(model, dataset).error, size, dense / size,
                            time.perf_counter() - begin, path))
        begin = time.perf_counter()
        if report:
            report(stages[-1])

    train("train", _sgd(model, plan.train_lr, plan.weight_decay), plan.train_epochs)
    write("dense", "dense.mcz")

    weights = mask_weights(model)
    end = plan.prune_until * plan.prune_epochs
    pruning = GradualPruning(weights, final=plan.sparsity, end=end, scale=plan.protect)
    train("prune", _sgd(model, plan.prune_lr, plan.weight_decay), plan.prune_epochs, [pruning], best_from=int(end) + 1)
    write("pruned", "pruned.mcz")

    share_weights(model, plan.clusters, plan.bias_clusters)
    train("share", optim.Adam(model.parameters(), lr=plan.share_lr), plan.share_epochs)
    write("shared", "compressed.mcz")
    return stages


def _sgd(model, lr, weight_decay):
    return optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=weight_decay)


def share_weights(model, clusters, bias_clusters):
    """Cluster every parameter of a model, of the pruned ones what survived; they are left with trained centroids.

    >>> import numpy as np
    >>> from minicompress import models
    >>> model = models.mlp([4, 8, 2], rng=np.random.default_rng(0))
    >>> share_weights(model, 4, 2)
    >>> len(np.unique(model.fc1.weight.effective().numpy()))
    4
    """
    for _, parameter in model.named_parameters(projections=False):
        masks = [Mask(projection.mask_) for projection in parameter.projections if isinstance(projection, Mask)]
        k = clusters if parameter.ndim > 1 else bias_clusters
        nn.project(parameter, *masks, WeightClustering(k))


def network_sparsity(model):
    """The share of zeros among all weights of a model (PR-1), biases left out."""
    arrays = [p.effective().numpy() for _, p in model.named_parameters(projections=False) if p.ndim > 1]
    return sum(sparsity(a) * a.size for a in arrays) / sum(a.size for a in arrays)
