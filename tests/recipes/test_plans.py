"""The plan that a name gets."""

from dataclasses import replace

import pytest

from minicompress import models
from minicompress.recipes import PLANS, plan_for, quick
from minicompress.recipes.plans import jittered

MNIST = {"examples": 55_000, "image_shape": (28, 28)}
DIGITS = {"examples": 1318, "image_shape": (8, 8)}


def test_the_lenets_have_their_own_plans():
    for name in ("lenet-300-100", "lenet-5"):
        assert plan_for(name, **MNIST) == PLANS[name]
        assert jittered(PLANS[name], 0) == PLANS[f"{name}-plain"] != PLANS[name]


def test_an_mlp_of_the_tuned_size_gets_the_tuned_plan():
    assert plan_for("mlp:784,300,100,10", **MNIST) == PLANS["lenet-300-100"]
    assert plan_for("mlp:64,300,100,10", **DIGITS) == PLANS["digits"]


def test_kept_weights_grow_with_the_root_of_all():
    small, large = (plan_for(f"mlp:784,{width},10", **MNIST) for width in (25, 2500))
    assert (1 - small.sparsity) * 794 * 25 * 10 == pytest.approx((1 - large.sparsity) * 794 * 2500)
    assert large.sparsity > PLANS["lenet-300-100"].sparsity > small.sparsity
    assert plan_for("mlp:64,10", **DIGITS).sparsity == 0 <= plan_for("mlp:64,30,10", **DIGITS).sparsity


def test_small_images_are_jittered_less_than_they_are_wide():
    plans = [plan_for("mlp:16,10", examples=100, image_shape=shape) for shape in ((4, 4), (16, 8), (1, 28))]
    assert [plan.train.jitter for plan in plans] == [plan.share.jitter for plan in plans] == [0, 1, 0]


@pytest.mark.parametrize("name", ["digits", "lenet-5-plain", "lenet", "mlp:3"])
def test_names_that_are_no_model_have_no_plan(name):
    with pytest.raises(ValueError, match="expected"):
        plan_for(name, **MNIST)
    assert name not in models.NAMES


def test_quick_shortens_the_epochs_alone():
    for plan in PLANS.values():
        short = quick(plan)
        for name in ("train", "prune", "share"):
            few, many = getattr(short, name).epochs, getattr(plan, name).epochs
            assert 10 * few - 10 < many <= 10 * few
        assert replace(short, **{name: replace(getattr(short, name), epochs=getattr(plan, name).epochs)
                                 for name in ("train", "prune", "share")}) == plan
