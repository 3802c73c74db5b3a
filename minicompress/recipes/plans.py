"""Plans that were tuned on validation data, and a rule for the networks between them."""

from dataclasses import replace
from itertools import pairwise
from math import ceil, sqrt

from minicompress import models

from .deep_compression import Plan

_LENET_300_100 = Plan(train_epochs=30, prune_epochs=50, share_epochs=10, sparsity=0.975, jitter=2)
_LENET_5 = Plan(train_epochs=12, prune_epochs=20, share_epochs=5, sparsity=0.975, train_lr=0.05, prune_lr=0.05,
                weight_decay=2e-4, batch_size=64, jitter=2)

PLANS = {
    "lenet-300-100": _LENET_300_100,
    "lenet-300-100-plain": replace(_LENET_300_100, jitter=0),
    "lenet-5": _LENET_5,
    "lenet-5-plain": replace(_LENET_5, jitter=0),
    "digits": Plan(train_epochs=150, prune_epochs=320, share_epochs=40, sparsity=0.83, share_lr=5e-4, jitter=1,
                   batch_size=64, choose_from=0.67),
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
    return replace(base, sparsity=round(max(0.0, 1 - kept), 12), jitter=min(base.jitter, min(image_shape) // 8))


def _weights(name):
    return sum(inputs * outputs for inputs, outputs in pairwise(models.mlp_sizes(name)))


def quick(plan):
    """The same plan with a tenth of its epochs, for trying things out.

    >>> quick(PLANS["digits"]).train_epochs
    15
    """
    return replace(plan, **{name: ceil(getattr(plan, name) / 10) for name in
                            ("train_epochs", "prune_epochs", "share_epochs")})
