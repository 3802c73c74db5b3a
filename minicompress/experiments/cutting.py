"""Channels really removed: train, cut, fine-tune; and the same small network from scratch, beside it.

Network slimming (Liu et al. 2017) cuts a batch-normalised MLP by |γ|, ranked over the whole network; LeNet-5 loses
the filters of least norm (Li et al. 2017).
"""

import time
from dataclasses import asdict, dataclass, replace

from minicompress import models, nn, pruning, training
from minicompress.claims import Claim, Quantity, count, percent, precise_times, seconds
from minicompress.training import Training

from .timing import seconds_per_image


@dataclass(frozen=True)
class Plan:
    """How the large network is trained, under slimming's penalty λ if ``strength`` is one, and the small one tuned.

    From scratch the small network trains like the large one, for ``tune.epochs`` and what `pruning.scratch_epochs`
    makes of ``train.epochs`` for the ``budget`` "E" or "B".
    """

    train: Training
    tune: Training
    strength: float = 0.0
    budget: str = "E"

    def __post_init__(self):
        if self.budget not in ("E", "B"):
            raise ValueError(f"budget is {self.budget!r}, expected 'E' or 'B'")


_MLP = Training(15, 0.1, 128, weight_decay=1e-4, jitter=1)
_LENET_5 = Training(5, 0.05, 64, weight_decay=2e-4, jitter=2)
SLIMMING_MLP = Plan(_MLP, replace(_MLP, epochs=60), strength=1e-3)
FILTERS_LENET_5 = Plan(_LENET_5, replace(_LENET_5, epochs=25))
SHARE = 0.16  # of the MLP's parameters, at most, stay
FILTERS = {"conv1": 5, "conv2": 19}  # of LeNet-5's 20 and 50


def slimming_mlp(lab, plan=SLIMMING_MLP):
    """MNIST: an MLP 784-500-300-10 with batch norm, slimmed to 16 % of its parameters; see `cut_and_compare`."""
    lab.load("mnist")
    large = models.mlp([784, 500, 300, 10], batch_norm=True, rng=lab.rng)
    return cut_and_compare(lab, large, plan, lambda model, example: pruning.slim(model, example, SHARE))


def filters_lenet_5(lab, plan=FILTERS_LENET_5):
    """MNIST: LeNet-5 with the 5 and 19 filters that have the largest L1 norm; see `cut_and_compare`."""
    lab.load("mnist")
    large = models.lenet_5(rng=lab.rng)
    return cut_and_compare(lab, large, plan, lambda model, example: pruning.strongest(model, example, FILTERS))


def cut_and_compare(lab, large, plan, cut):
    """Train a network, cut it with ``cut(model, example)``, fine-tune; train the small shape from scratch (PR-18).

    Returns a dict ready for JSON. ``error``, ``cut_error`` before fine-tuning, ``large_error`` and ``scratch_error``
    are fractions of the test set, ``parameters_share`` and ``macs_share`` what is left of the large network,
    ``seconds_per_image`` stands per batch size and network, ``time_share`` is what is left of it. Raises
    `fresh.FreshProcessError` if the small network's file doesn't compute what the network does.
    """
    begin, dataset = time.perf_counter(), lab.dataset
    shape = 1, *dataset.image_shape

    def trained(name, model, training, objective=training.supervised):
        lab.train(name, model, training, objective=objective, best_from=training.epochs // 2)
        return lab.write(name, model).error

    penalised = pruning.slimming(plan.strength) if plan.strength else training.supervised
    large_macs = large.summary(shape).macs
    large_error = trained("large", large, plan.train, penalised)
    small = cut(large, dataset.train.images[:1])
    cut_error = training.evaluate(small, dataset).error
    scratch = pruning.untrained(small, lab.rng)
    error = trained("small", small, plan.tune)
    epochs = pruning.scratch_epochs(plan.train.epochs, large_macs, small.summary(shape).macs)[plan.budget]
    scratch_error = trained("scratch", scratch, replace(plan.train, epochs=epochs + plan.tune.epochs))

    networks, report = {"large": large, "small": small}, {}
    for name, model in networks.items():
        summary = model.summary(shape)
        report |= {f"{name}_parameters": summary.parameters, f"{name}_macs": summary.macs,
                   f"{name}_bytes": lab.stages[name].bytes}
    times = {f"batch {n}": seconds_per_image(networks, dataset.test, n) for n in (1, 256)}
    return report | {
        "error": error, "cut_error": cut_error, "large_error": large_error, "scratch_error": scratch_error,
        "parameters_share": report["small_parameters"] / report["large_parameters"],
        "macs_share": report["small_macs"] / report["large_macs"], "seconds_per_image": times,
        "time_share": {batch: of["small"] / of["large"] for batch, of in times.items()},
        "logits_sha256": lab.check(small, lab.stages["small"].path),
        "layers": nn.describe(small), "plan": asdict(plan), "seconds": time.perf_counter() - begin,
    }


def _claim(run, model, words, error, share=None):
    return Claim(run, (
        Quantity("large_error", percent, "before"), Quantity("cut_error", percent),
        Quantity("error", percent, "cut and fine-tuned", at_most=error),
        Quantity("scratch_error", percent, "same small net from scratch, same epochs"),
        Quantity("large_parameters", count), Quantity("small_parameters", count),
        Quantity("parameters_share", percent, "parameters left", at_most=share),
        Quantity("macs_share", percent, "MACs left"),
        Quantity("time_share.batch 1", precise_times, "time per image, batch 1"),
        Quantity("time_share.batch 256", precise_times, "batch 256"),
        Quantity("large_bytes", count, "bytes before"), Quantity("small_bytes", count, "after"),
        Quantity("seconds", seconds, "seconds")), model=model, words=words)


CLAIMS = {
    "slimming-mlp": _claim(slimming_mlp, "mlp:784,500,300,10", "MLP 784-500-300-10, slimmed by γ", 0.0149, 0.16),
    "filters-lenet-5": _claim(filters_lenet_5, "lenet-5", "LeNet-5, 20-50 → 5-19 filters by norm", 0.008),
}
