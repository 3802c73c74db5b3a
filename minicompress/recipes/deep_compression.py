"""Deep Compression (Han et al. 2016): train → prune gradually → share weights, training the centroids → file.

Every stage is one call of `fit`, from whose checkpoint a killed run goes on; see `Lab`.
"""

import gzip
import time
from dataclasses import asdict, dataclass, field

from minicompress import container, expect
from minicompress.pruning import GradualPruning, mask_weights
from minicompress.quantization import share_weights
from minicompress.training import Training


@dataclass(frozen=True)
class Plan:
    """How long, how much, how fast: a `Training` for each stage; epochs, fractions in [0, 1].

    ``protect`` multiplies a layer's magnitudes in the network-wide ranking: {"fc3.weight": 2.0} keeps more of it.
    ``clusters`` is the number of centroids of each weight array, ``bias_clusters`` of each bias array.
    """

    train: Training
    prune: Training
    share: Training
    sparsity: float
    clusters: int = 16
    bias_clusters: int = 16
    prune_until: float = 0.6  # the share of the pruning epochs after which the sparsity stands
    choose_from: float = 0.0  # the share of the other stages' epochs before the first that may be the best: with few
    # validation images an early epoch can win by luck
    protect: dict = field(default_factory=dict)

    def __post_init__(self):
        expect.that(0 < self.prune_until < 1, f"prune_until is {self.prune_until}, expected a fraction in (0, 1): the "
                    "last pruning must come before the last step")


def deep_compression(lab, model, plan):
    """Compress an untrained model on a lab's data and return its `Stage`s: dense, pruned, shared.

    Writes ``dense.mcz``, ``pruned.mcz``, ``compressed.mcz`` and a checkpoint for each stage. Raises KeyboardInterrupt
    after Ctrl-C, with all checkpoints in place.
    """
    lab.train("train", model, plan.train, best_from=int(plan.choose_from * plan.train.epochs))
    lab.write("dense", model)

    weights = mask_weights(model)
    end = plan.prune_until * plan.prune.epochs
    pruning = GradualPruning(weights, final=plan.sparsity, end=end, scale=plan.protect)
    lab.train("prune", model, plan.prune, schedule=pruning, best_from=min(int(end) + 1, plan.prune.epochs - 1))
    lab.write("pruned", model)

    share_weights(model, plan.clusters, plan.bias_clusters)
    lab.train("share", model, plan.share, best_from=int(plan.choose_from * plan.share.epochs))
    lab.write("shared", model, file="compressed")
    return list(lab.stages.values())


def measure(lab, model, plan):
    """`deep_compression` with the small file checked in a fresh process; returns a dict ready for JSON.

    ``seconds`` run from the beginning of training to the checked file; ``gzip_bytes`` is the dense file's size after
    gzip; errors are fractions of the test set; ``sizes`` say what the small file's bytes are spent on. Raises
    `fresh.FreshProcessError` if the file doesn't compute what the model does.
    """
    begin, stages = time.perf_counter(), deep_compression(lab, model, plan)
    dense, small = stages[0], stages[-1]
    digest = lab.check(model, small.path)
    return {
        "seconds": time.perf_counter() - begin, "dense_bytes": dense.bytes, "compressed_bytes": small.bytes,
        "ratio": small.ratio, "dense_error": dense.error, "error": small.error,
        "gzip_bytes": len(gzip.compress(dense.path.read_bytes(), 9, mtime=0)),
        "stages": [{"stage": s.name, "error": s.error, "bytes": s.bytes, "ratio": s.ratio, "seconds": s.seconds}
                   for s in stages],
        "sizes": container.inspect(small.path).sizes, "logits_sha256": digest, "plan": asdict(plan),
    }
