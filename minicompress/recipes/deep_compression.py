"""Deep Compression (Han et al. 2016): train → prune gradually → share weights, training the centroids → file.

Every stage is one call of `fit`, from whose checkpoint a killed run goes on; see `Course`.
"""

from dataclasses import dataclass, field

from minicompress import nn
from minicompress.nn import optim
from minicompress.pruning import GradualPruning, Mask, mask_weights, sparsity
from minicompress.quantization import WeightClustering

from .course import Course, jitter


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


def deep_compression(model, dataset, plan, folder, *, resume=False, progress=None, report=None, rng):
    """Compress an untrained model and return its `Stage`s: dense, pruned, shared.

    Writes ``dense.mcz``, ``pruned.mcz``, ``compressed.mcz`` and a checkpoint for each stage into ``folder``.
    ``report`` is called with each Stage as it is done. The test set is read only to report errors; weights are
    chosen on the validation split. Raises KeyboardInterrupt after Ctrl-C, with all checkpoints in place.
    """
    course = Course(dataset, folder, batch_size=plan.batch_size, augment=jitter(plan.jitter), resume=resume,
                    progress=progress, say=report, rng=rng)
    course.train("train", model, _sgd(model, plan.train_lr, plan.weight_decay), plan.train_epochs,
                 best_from=int(plan.choose_from * plan.train_epochs))
    course.write("dense", model)

    weights = mask_weights(model)
    end = plan.prune_until * plan.prune_epochs
    pruning = GradualPruning(weights, final=plan.sparsity, end=end, scale=plan.protect)
    course.train("prune", model, _sgd(model, plan.prune_lr, plan.weight_decay), plan.prune_epochs, schedules=[pruning],
                 best_from=min(int(end) + 1, plan.prune_epochs - 1))
    course.write("pruned", model)

    share_weights(model, plan.clusters, plan.bias_clusters)
    course.train("share", model, optim.Adam(model.parameters(), lr=plan.share_lr), plan.share_epochs,
                 best_from=int(plan.choose_from * plan.share_epochs))
    course.write("shared", model, file="compressed")
    return list(course.stages.values())


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
