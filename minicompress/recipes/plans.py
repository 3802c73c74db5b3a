"""Plans that were tuned on validation data, and a rule for the networks between them."""

from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from math import ceil, sqrt

from minicompress import models
from minicompress.training import Training

from .deep_compression import Plan


def _plan(training, epochs, sparsity, *, share_lr=1e-3, **options):
    """Three trainings that differ in their epochs; the last by Adam, which centroids learn better by."""
    train, prune, share = (replace(training, epochs=count) for count in epochs)
    return Plan(train, prune, replace(share, lr=share_lr, adam=True, weight_decay=0.0), sparsity, **options)


def jittered(plan, pixels):
    """The same plan with images shifted by so many pixels at most, 0 for none.

    >>> jittered(PLANS["digits"], 0).share.jitter
    0
    """
    return _each_training(plan, lambda training: replace(training, jitter=pixels))


def _each_training(plan, change):
    """A plan whose every `Training`, also within another plan, is changed."""
    if isinstance(plan, Training):
        return change(plan)
    parts = {field.name: getattr(plan, field.name) for field in fields(plan)}
    return replace(plan, **{name: _each_training(part, change) for name, part in parts.items() if is_dataclass(part)})


_LENET_300_100 = _plan(Training(0, 0.1, 128, jitter=2), (30, 50, 10), sparsity=0.975)
_LENET_5 = _plan(Training(0, 0.05, 64, weight_decay=2e-4, jitter=2), (12, 20, 5), sparsity=0.975)

PLANS = {
    "lenet-300-100": _LENET_300_100,
    "lenet-300-100-plain": jittered(_LENET_300_100, 0),
    "lenet-5": _LENET_5,
    "lenet-5-plain": jittered(_LENET_5, 0),
    "digits": _plan(Training(0, 0.1, 64, jitter=1), (150, 320, 40), sparsity=0.83, share_lr=5e-4, choose_from=0.67),
}
DIGITS_MODEL = "mlp:64,300,100,10"  # the network that the plan "digits" was tuned for
FEW = 10_000  # training images: below, the epochs are those of the digits, else those of MNIST


def plan_for(model, *, examples, image_shape):
    """The plan for a model's name, and ``examples`` training images of (height, width) pixels.

    The two LeNets have their own. An MLP takes that of the nearer tuned one (digits below 10 000 images, else
    LeNet-300-100), and keeps weights in proportion to the square root of their number: 1 − s ∝ 1/√n, so a small
    network is pruned less. Raises ValueError for a name that `models.build` doesn't know.

    >>> plan_for("mlp:64,300,100,10", examples=1318, image_shape=(8, 8)) == PLANS["digits"]
    True
    >>> round(plan_for("mlp:784,30,10", examples=55_000, image_shape=(28, 28)).sparsity, 2)
    0.92
    """
    if model in PLANS and not model.endswith("-plain") and model != "digits":
        return PLANS[model]
    tuned, base = (DIGITS_MODEL, PLANS["digits"]) if examples < FEW else ("mlp:784,300,100,10", PLANS["lenet-300-100"])
    kept = (1 - base.sparsity) * sqrt(_weights(tuned) / _weights(model))
    most = min(image_shape) // 8
    fitted = _each_training(base, lambda training: replace(training, jitter=min(training.jitter, most)))
    return replace(fitted, sparsity=round(max(0.0, 1 - kept), 12))


def _weights(name):
    return sum(inputs * outputs for inputs, outputs in pairwise(models.mlp_sizes(name)))


def quick(plan, share=0.1):
    """The same plan with a tenth of its epochs, or another share, for trying things out.

    >>> quick(PLANS["digits"]).train.epochs
    15
    """
    return _each_training(plan, lambda training: replace(training, epochs=max(1, ceil(share * training.epochs))))
