"""Sensitivity (PR-13): the literal one, and that it neither changes the model nor reads the test split."""

import dataclasses
import importlib

import numpy as np
import pytest

from minicompress import binarization, data, models, nn, pruning, training
from minicompress.equations.pruning import sensitivity as literal
from tests.mutants import mutate

LEVELS = [0.0, 0.3, 0.5, 0.9, 1.0]
DATASET = data.load("digits", validation=100, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def trained():
    model = models.mlp([64, 16, 10], rng=np.random.default_rng(1))
    training.fit(model, DATASET, epochs=5, progress=False, rng=np.random.default_rng(2))
    return model


def law_errors_are_the_printed_ones(sensitivity, model, split, levels):
    weights = [p for _, p in model.named_latents() if p.ndim > 1]

    def error(layers):
        before = [p.data for p in weights]
        try:
            for p, layer in zip(weights, layers, strict=True):
                p.set(np.reshape(layer, p.shape))
            return training.evaluate(model, split).error
        finally:
            for p, values in zip(weights, before, strict=True):
                p.set(values)

    expected = literal.sensitivity(error, [p.effective().numpy().ravel().tolist() for p in weights], levels)
    assert [errors.tolist() for errors in sensitivity(model, split, levels).values()] == expected


def law_model_stays_bit_for_bit(sensitivity, model, split, levels):
    before, projections = model.state_dict(), [p.projections for p in model.parameters()]
    grads = [p.grad for p in model.parameters()]
    sensitivity(model.train(), split, levels)
    assert all(m.training for _, m in model.named_modules())
    after = model.state_dict()
    assert after.keys() == before.keys() and all(before[name].tobytes() == after[name].tobytes() for name in before)
    assert all(a is b for a, b in zip(projections, (p.projections for p in model.parameters()), strict=True))
    assert all(a is b for a, b in zip(grads, (p.grad for p in model.parameters()), strict=True))


def law_no_pruning_gives_the_baseline(sensitivity, model, split):
    baseline = training.evaluate(model, split).error
    assert all(errors.tolist() == [baseline, baseline] for errors in sensitivity(model, split, [0.0, 0.0]).values())


def laws(sensitivity, model):
    law_model_stays_bit_for_bit(sensitivity, model, DATASET.validation, LEVELS)
    law_no_pruning_gives_the_baseline(sensitivity, model, DATASET.validation)
    law_errors_are_the_printed_ones(sensitivity, model, DATASET.validation, LEVELS)


def test_laws(trained):
    laws(pruning.sensitivity, trained)
    assert list(pruning.sensitivity(trained, DATASET.validation, LEVELS)) == ["fc1.weight", "fc2.weight"]


def test_a_pruned_model_is_pruned_on(trained):
    model = models.mlp([64, 16, 10], rng=np.random.default_rng(1))
    model.load_state_dict(trained.state_dict())
    nn.project(model.fc1.weight, pruning.MagnitudePruning(0.5))
    law_model_stays_bit_for_bit(pruning.sensitivity, model, DATASET.validation, [0.9])
    first, second = pruning.sensitivity(model, DATASET.validation, [0.0, 0.5])["fc1.weight"]
    assert first == second == training.evaluate(model, DATASET.validation).error  # that half was gone already


def test_what_is_pruned_is_zero_whatever_the_weights_were(trained):
    """The mask comes after all other projections: before them its zeros would become signs."""
    model = models.mlp([64, 16, 10], rng=np.random.default_rng(1))
    model.load_state_dict(trained.state_dict())
    nn.project(model.fc1.weight, binarization.BinaryConnect())
    found, images = pruning.sensitivity(model, DATASET.validation, [0.25, 1.0])["fc1.weight"], DATASET.validation
    weights = model.fc1.weight.effective().numpy()
    for error, level in zip(found, (0.25, 1.0), strict=True):
        by_hand = models.mlp([64, 16, 10], rng=np.random.default_rng(1))
        by_hand.load_state_dict(trained.state_dict())
        by_hand.fc1.weight.set(np.where(pruning.magnitude_mask(weights, level), weights, 0))
        assert error == training.evaluate(by_hand, images).error
    assert found[0] != found[1]


def test_of_a_data_set_the_validation_split_is_read_and_no_other(trained):
    found = pruning.sensitivity(trained, dataclasses.replace(DATASET, train=None, test=None), LEVELS)
    expected = pruning.sensitivity(trained, DATASET.validation, LEVELS)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    with pytest.raises(ValueError, match=r"digits has no validation split.* its test split must not choose anything"):
        pruning.sensitivity(trained, dataclasses.replace(DATASET, validation=None), LEVELS)


def test_what_is_no_model_is_refused():
    for model in (None, "lenet-5"):
        with pytest.raises(TypeError, match=f"model is a {type(model).__name__}, expected a Module"):
            pruning.sensitivity(model, DATASET.validation, LEVELS)


@pytest.mark.parametrize("levels", [[], [-0.1], [1.1], [[0.5]], [np.nan], 0.5])
def test_levels_that_are_no_fractions_are_refused(trained, levels):
    with pytest.raises(ValueError, match="expected fractions in"):
        pruning.sensitivity(trained, DATASET.validation, levels)


def test_an_interrupted_measurement_leaves_the_model_as_it_was(trained, monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pruning.sensitivity(trained, DATASET.validation, [0.5])
    assert all(p.projections == () for p in trained.parameters())


@pytest.mark.parametrize(("old", "new"), [
    ("weight.projections = before\n", "pass\n"),
    ("weight.effective().numpy(), level)", "weight.effective().numpy(), 1 - level)"),
    ("weight.projections = (mask, *before)", "weight.set(np.where(mask.mask_, weight.data, 0))"),
])
def test_planted_mutants_are_caught(trained, old, new):
    model = models.mlp([64, 16, 10], rng=np.random.default_rng(1))
    model.load_state_dict(trained.state_dict())
    source = importlib.import_module("minicompress.pruning.sensitivity")
    with pytest.raises(AssertionError):
        laws(mutate(source, old, new).sensitivity, model)
