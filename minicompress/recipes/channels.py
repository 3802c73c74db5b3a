"""Channels really removed: train, cut, fine-tune; and the same small network from scratch, beside it.

Network slimming (Liu et al. 2017) cuts a batch-normalised MLP by |γ|, ranked over the whole network; LeNet-5 loses
the filters of least norm (Li et al. 2017).
"""

import bisect
import inspect
import statistics
import time
from dataclasses import asdict, dataclass

import numpy as np

from minicompress import data, models, nn, pruning
from minicompress.engine import Tensor
from minicompress.nn import optim

from . import fresh
from .course import Course, jitter
from .jobs import VALIDATION


@dataclass(frozen=True)
class Plan:
    """How the large network is trained and the small one fine-tuned; learning rates at the start of a cosine.

    From scratch the small network gets ``tune_epochs`` and what `scratch_epochs` makes of ``train_epochs`` for the
    ``budget`` "E" or "B", at ``train_lr``, all else alike. ``strength`` is the λ of slimming.
    """

    train_epochs: int
    tune_epochs: int
    train_lr: float = 0.1
    tune_lr: float = 0.1
    strength: float = 0.0
    weight_decay: float = 0.0
    batch_size: int = 128
    jitter: int = 0
    budget: str = "E"

    def __post_init__(self):
        if self.budget not in ("E", "B"):
            raise ValueError(f"budget is {self.budget!r}, expected 'E' or 'B'")


SLIMMING_MLP = Plan(train_epochs=15, tune_epochs=60, strength=1e-3, weight_decay=1e-4, jitter=1)
FILTERS_LENET_5 = Plan(train_epochs=5, tune_epochs=25, train_lr=0.05, tune_lr=0.05, weight_decay=2e-4, batch_size=64,
                       jitter=2)
SHARE = 0.16  # of the MLP's parameters, at most, stay
FILTERS = {"conv1": 5, "conv2": 19}  # of LeNet-5's 20 and 50


def slimming_mlp(seed, *, folder, plan=SLIMMING_MLP, **options):
    """MNIST: an MLP 784-500-300-10 with batch norm, slimmed to 16 % of its parameters; see `cut_and_compare`."""
    large, course = _begin(seed, plan, _mlp, folder, options)
    return {"seed": seed} | cut_and_compare(large, lambda model, example: slim(model, example, SHARE), course)


def filters_lenet_5(seed, *, folder, plan=FILTERS_LENET_5, **options):
    """MNIST: LeNet-5 with the 5 and 19 filters that have the largest L1 norm; see `cut_and_compare`."""
    large, course = _begin(seed, plan, models.lenet_5, folder, options)
    return {"seed": seed} | cut_and_compare(large, lambda model, example: strongest(model, example, FILTERS), course)


def _mlp(rng):
    return models.mlp([784, 500, 300, 10], batch_norm=True, rng=rng)


def _begin(seed, plan, make, folder, options):
    rng = np.random.default_rng(seed)
    dataset = data.load("mnist", validation=VALIDATION, rng=rng)
    return make(rng=rng), CuttingCourse(dataset, folder, plan, rng=rng, **options)


def slim(model, example, share):
    """A model without its channels of least |γ|, so few of them as leave at most a ``share`` of its parameters (PR-6).

    What they still emit, act(β), the biases behind them absorb. ``example`` as for `pruning.cut_channels`. Raises
    ValueError where even one channel a layer has more parameters.

    >>> model = models.mlp([4, 50, 2], batch_norm=True, rng=np.random.default_rng(0))
    >>> slim(model, np.zeros((1, 4), np.float32), 0.5).fc1.weight.shape
    (24, 4)
    """
    scores = pruning.group_scores(model, example, pruning.scale_norm(model))
    total, most = sum(map(len, scores.values())), share * model.summary().parameters

    def without(count):
        return pruning.cut_channels(model, example, pruning.choose_channels(scores, sparsity=count / total),
                                    absorb_bias=True)

    counts = range(total - len(scores) + 1)
    count = bisect.bisect_left(counts, True, key=lambda count: without(count).summary().parameters <= most)
    if count == len(counts):
        raise ValueError(f"share is {share}, less than what is left of one channel a layer")
    return without(count)


def strongest(model, example, kept):
    """A model with the filters or units of largest L1 norm (PR-4): {layer's name: number}, or a fraction of each.

    Of channels that can only be cut together the norms add up (`pruning.group_scores`).

    >>> model = models.mlp([4, 8, 2], rng=np.random.default_rng(0))
    >>> strongest(model, np.zeros((1, 4), np.float32), {"fc1": 3}).fc2.weight.shape
    (2, 3)
    """
    scores = pruning.group_scores(model, example, {
        name: pruning.filter_norm(layer.weight.effective().numpy()) for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d)})
    if not isinstance(kept, dict):
        kept = {layer: max(1, round(kept * len(score))) for layer, score in scores.items()}
    return pruning.cut_channels(model, example, pruning.choose_channels(scores, counts=kept))


def scratch_epochs(epochs, large_macs, small_macs):
    """Epochs for training a cut network's shape from scratch, {"E": Scratch-E, "B": Scratch-B} (PR-18).

    Scratch-E: as many as the large network had. Scratch-B: the whole number that comes nearest to as many MACs,
    epochs · large_macs / small_macs, the MACs for one example (ME-3). Raises ValueError for numbers below 1 and for a
    small network that has more MACs than the large one. Source: Liu et al. 2019, section 3.

    >>> scratch_epochs(10, 600, 200)
    {'E': 10, 'B': 30}
    """
    if epochs < 1 or not 1 <= small_macs <= large_macs:
        raise ValueError(f"epochs {epochs}, MACs {large_macs} and {small_macs}: expected at least 1, the large "
                         "network's MACs first")
    return {"E": epochs, "B": round(epochs * large_macs / small_macs)}


def untrained(model, rng):
    """The same layers as a Sequential has, with new random weights: the control of PR-18."""
    def again(layer):
        options = {"rng": rng} if "rng" in inspect.signature(type(layer).__init__).parameters else {}
        return type(layer)(*layer.config(), **options)
    return nn.Sequential({name: again(layer) for name, layer in model.children()})


class CuttingCourse(Course):
    """A `Course` of networks that are trained, cut and fine-tuned as a `Plan` says."""

    def __init__(self, dataset, folder, plan, *, rng, **options):
        super().__init__(dataset, folder, batch_size=plan.batch_size, augment=jitter(plan.jitter), rng=rng, **options)
        self.plan, self.rng, self.large_macs = plan, rng, 0

    def large(self, model):
        """Train the network that will be cut, under the penalty on γ if the plan has one; returns its test error."""
        self.large_macs = self.summary(model).macs
        objective = pruning.slimming(self.plan.strength) if self.plan.strength else nn.cross_entropy
        return self._trained("large", model, self.plan.train_epochs, self.plan.train_lr, objective)

    def small(self, model):
        """Fine-tune a cut network, train its shape from scratch on the budget of both trainings: both test errors."""
        plan, scratch = self.plan, untrained(model, self.rng)
        epochs = scratch_epochs(plan.train_epochs, self.large_macs, self.summary(model).macs)[plan.budget]
        return (self._trained("small", model, plan.tune_epochs, plan.tune_lr),
                self._trained("scratch", scratch, epochs + plan.tune_epochs, plan.train_lr))

    def _trained(self, name, model, epochs, lr, objective=nn.cross_entropy):
        optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=self.plan.weight_decay)
        self.train(name, model, optimizer, epochs, objective=objective, best_from=epochs // 2)
        return self.write(name, model).error

    def summary(self, model):
        """What a model has of parameters and MACs for one image of the data set."""
        return model.summary((1, *self.dataset.image_shape))


def cut_and_compare(large, cut, course):
    """Train a network, cut it with ``cut(model, example)``, fine-tune; train the small shape from scratch (PR-18).

    Returns a dict ready for JSON. ``error``, ``cut_error`` before fine-tuning, ``large_error`` and ``scratch_error``
    are fractions of the test set, ``parameters_share`` and ``macs_share`` what is left of the large network,
    ``seconds_per_image`` stands per batch size and network, ``time_share`` is what is left of it. Raises
    `fresh.FreshProcessError` if the small network's file doesn't compute what the network does.
    """
    begin, dataset = time.perf_counter(), course.dataset
    large_error = course.large(large)
    small = cut(large, dataset.train.images[:1])
    cut_error = nn.evaluate(small, dataset).error
    error, scratch_error = course.small(small)
    networks, report = {"large": large, "small": small}, {}
    for name, model in networks.items():
        summary = course.summary(model)
        report |= {f"{name}_parameters": summary.parameters, f"{name}_macs": summary.macs,
                   f"{name}_bytes": course.stages[name].bytes}
    seconds = {f"batch {n}": seconds_per_image(networks, dataset.test, n) for n in (1, 256)}
    return report | {
        "error": error, "cut_error": cut_error, "large_error": large_error, "scratch_error": scratch_error,
        "parameters_share": report["small_parameters"] / report["large_parameters"],
        "macs_share": report["small_macs"] / report["large_macs"], "seconds_per_image": seconds,
        "time_share": {batch: times["small"] / times["large"] for batch, times in seconds.items()},
        "logits_sha256": fresh.check(small, course.stages["small"].path, dataset),
        "layers": nn.describe(small), "plan": asdict(course.plan), "seconds": time.perf_counter() - begin,
    }


def seconds_per_image(networks, split, batch_size, *, repeats=15):
    """Median seconds that each network of {name: model} takes for one image in batches of a size, {name: seconds}.

    They take turns, on the same first images of a split, which are ready as floats; threads as BLAS has them.
    """
    x = Tensor(next(iter(data.batches(split, batch_size))).x)
    times = {name: [] for name in networks}
    calls = max(1, 64 // batch_size)  # a single call of a small network is too short for the clock
    for _ in range(repeats + 1):
        for name, model in networks.items():
            with nn.evaluating(model):
                begin = time.perf_counter()
                for _ in range(calls):
                    model(x)
                times[name].append((time.perf_counter() - begin) / calls / len(x.data))
    return {name: statistics.median(log[1:]) for name, log in times.items()}  # the first turn warms up
