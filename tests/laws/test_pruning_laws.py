"""What must hold of pruning by magnitude (PR-1, 2), of its schedule (PR-9) and of training under a mask (PR-10)."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress.engine import Tensor, where
from minicompress.equations.pruning.masks import masked_sgd_step
from minicompress.nn import Parameter, Projection, project
from minicompress.pruning import Mask, magnitude, masks, schedule
from minicompress.training import optim
from tests.laws.holding import hold
from tests.mutants import mutate

DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
# Few magnitudes, so that ties and zeros abound, or any at all.
ELEMENTS = st.integers(-3, 3).map(float) | st.floats(-1e4, 1e4, width=16)
WEIGHTS = DTYPES.flatmap(lambda t: hnp.arrays(t, hnp.array_shapes(max_dims=3, max_side=6), elements=ELEMENTS))
FRACTIONS = st.floats(0, 1) | st.integers(0, 100).map(lambda percent: percent / 100)

# ---------------------------------------------------------------------------------------------------------------------
# Masks and the schedule: the properties of PR-1, PR-2 and PR-9 in the ledger


def law_arrays_keep_their_shape_and_dtypes_do_not_matter(magnitude, w, s):
    """The mask of any array is that of its numbers in C order, as booleans."""
    for mask in (lambda w: magnitude.magnitude_mask(w, s), lambda w: magnitude.threshold_mask(w, s)):
        found = mask(w)
        assert found.dtype == bool and found.shape == w.shape
        assert np.array_equal(found.ravel(), mask(w.ravel().astype(np.float64)))
    assert magnitude.sparsity(w) == magnitude.sparsity(w.ravel())
    masks = magnitude.global_magnitude_masks({"b": w, "a": w[::-1]}, s)
    assert list(masks) == ["b", "a"] and masks["b"].shape == w.shape


@given(WEIGHTS, FRACTIONS)
def test_masks(w, s):
    law_arrays_keep_their_shape_and_dtypes_do_not_matter(magnitude, w, s)
    flat = w.ravel().astype(np.float64)
    hold("PR-1", flat)
    hold("PR-2", flat, s)
    hold("PR-2:network", flat, flat[:3] / 2, s)


@given(st.integers(0, 100))
def test_every_percentage_of_a_hundred(percent):
    hold("PR-2", np.arange(100.0), percent / 100)


@given(WEIGHTS, st.floats(0, 4))
def test_thresholds(w, number):
    flat = w.ravel().astype(np.float64)
    hold("PR-2:threshold", flat, number)
    hold("PR-2:deviation", flat, number)


def law_schedule_rests_between_multiples(gradual_sparsity, begin, length, every):
    for t in range(begin, begin + length):
        start = begin + (t - begin) // every * every
        options = {"final": 0.9, "begin": begin, "end": begin + length, "every": every}
        assert gradual_sparsity(t, **options) == gradual_sparsity(start, **options)


def law_the_end_is_exact_between_multiples(gradual_sparsity, initial, final, begin, length, every):
    options = {"initial": initial, "final": final, "begin": begin, "end": begin + length, "every": every}
    values = [gradual_sparsity(t, **options) for t in range(begin - 3, begin + length + 4)]
    assert values[:4] == [initial] * 4 and values[-4:] == [final] * 4
    assert all(a <= b for a, b in itertools.pairwise(values))


SPARSITIES = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@given(SPARSITIES, st.integers(-50, 50), st.integers(1, 12), st.integers(1, 9))
def test_the_schedule(ends, begin, n, every):
    for t in range(begin - every, begin + (n + 2) * every, every):
        hold("PR-9", t, *ends, begin, n, every)
    law_schedule_rests_between_multiples(schedule.gradual_sparsity, begin, n * every, every)
    law_the_end_is_exact_between_multiples(schedule.gradual_sparsity, *ends, begin, n, every)


@pytest.mark.parametrize(("old", "new"), [("mask.reshape(size.shape)", "mask"), ("np.float64(threshold)", "threshold")])
def test_planted_mutants_of_shape_and_dtype_are_caught(old, new):
    with pytest.raises((AssertionError, ValueError)):
        for w, s in ((np.arange(6.0).reshape(2, 3), 0.5), (np.array([0.1], np.float32), 0.1)):
            law_arrays_keep_their_shape_and_dtypes_do_not_matter(mutate(magnitude, old, new), w, s)


@pytest.mark.parametrize(("old", "new"), [
    ("np.floor((step - begin) / every)", "np.ceil((step - begin) / every)"),
    ("np.where(step >= end, end - begin, ", "(0 * end + "),
    ("np.where(u <= 0, initial, ", "(0 * initial + "),
    ("final + (initial - final) * (1 - u) ** 3", "initial + (final - initial) * (1 - (1 - u) ** 3)"),
])
def test_planted_mutants_between_multiples_are_caught(old, new):
    mutant = mutate(schedule, old, new).gradual_sparsity
    with pytest.raises(AssertionError):
        law_schedule_rests_between_multiples(mutant, 3, 20, 5)
        law_the_end_is_exact_between_multiples(mutant, 0.2, 0.9, 3, 19, 5)


# ---------------------------------------------------------------------------------------------------------------------
# Laws of training under a mask: `mask` makes the projection, `optimizer` the optimizer of a list of parameters

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.1, weight_decay=0.01),
}
START, TARGET = np.array([1.0, -2.0, 0.5, 3.0]), np.array([-4.0, 3.0, 2.0, -1.0])
KEEP = np.array([True, False, True, False])


def law_pruned_weights_stay_plus_zero(mask, optimizer, poison=None):
    """Two steps without a mask, so that there is momentum, then three under it; before the last, poison below it."""
    parameter = Parameter(START.copy())
    steps = OPTIMIZERS[optimizer]([parameter])
    for step in range(5):
        if step == 2:
            project(parameter, mask(KEEP))
        if step == 4 and poison is not None:
            parameter.data[~KEEP] = poison
        steps.zero_grad()
        effective = parameter.effective()
        if step >= 2:
            assert_pruned(effective.numpy())
        ((effective - Tensor(TARGET)) ** 2).sum().backward()
        steps.step()
    for values in (parameter.data, parameter.effective().numpy(), parameter.form().dense()):
        assert_pruned(values)


def assert_pruned(values):
    assert values[~KEEP].tobytes() == np.zeros(2).tobytes()  # bits: neither -0.0 nor NaN
    assert np.isfinite(values).all() and (values[KEEP] != 0).all()


def law_masked_step_is_the_printed_one(mask, steps=4):
    parameter = project(Parameter(START.copy()), mask(KEEP))
    sgd = optim.SGD([parameter], lr=0.05, momentum=0.9, weight_decay=0.01)
    keep = KEEP.astype(int).tolist()
    weights, velocities = [w if m else 0.0 for w, m in zip(START.tolist(), keep, strict=True)], [0.0] * 4
    for _ in range(steps):
        sgd.zero_grad()
        ((parameter.effective() - Tensor(TARGET)) ** 2).sum().backward()
        sgd.step()
        gradients = [2 * (w - t) for w, t in zip(weights, TARGET.tolist(), strict=True)]
        weights, velocities = masked_sgd_step(weights, gradients, velocities, keep, 0.05, 0.9, 0.01)
        np.testing.assert_allclose(parameter.effective().numpy(), weights, rtol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("poison", [None, 1.0, np.nan])
def test_pruned_weights_stay_plus_zero(optimizer, poison):
    law_pruned_weights_stay_plus_zero(Mask, optimizer, poison)


def test_masked_step_is_the_printed_one():
    law_masked_step_is_the_printed_one(Mask)


# ---------------------------------------------------------------------------------------------------------------------
# Masks that leak, and planted mutants; those of masks and schedule stand with the ledger


class Multiplied(Mask):
    """The tempting m·w, which lets NaN through and makes -0.0."""

    def __call__(self, latent):
        return latent * Tensor(self.mask_.astype(latent.dtype))

    def constrain(self, w):
        w *= self.mask_


class MaskedGradient(Mask):
    """Only the gradient is masked: momentum from before revives what was pruned, and so does Adam's."""

    def __call__(self, latent):
        return latent + where(self.mask_, latent, 0.0) - where(self.mask_, latent.detach(), 0.0)

    def constrain(self, w):
        pass


class NotConstrained(Mask):
    """Momentum and decay go on moving the latent weights below the mask."""

    def constrain(self, w):
        pass


@pytest.fixture
def registry(monkeypatch):
    """Classes made in a test leave no trace among the projections that a file may name."""
    monkeypatch.setattr(Projection, "_of_form", dict(Projection._of_form))


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.parametrize(("trap", "poison"), [(Multiplied, None), (Multiplied, np.nan), (MaskedGradient, None),
                                              (NotConstrained, None)])
def test_masks_that_leak_are_caught(trap, poison):
    with pytest.raises(AssertionError):
        law_pruned_weights_stay_plus_zero(trap, "sgd", poison)


@pytest.mark.parametrize(("old", "new"), [
    ("w[~self.mask_] = 0.0", "w[~self.mask_] = -0.0"), ("w[~self.mask_] = 0.0", "w[self.mask_] = 0.0"),
    ("return select(self.mask_, latent, 0.0)", "return latent"),
])
def test_planted_mutants_of_the_mask_are_caught(old, new, registry):
    mutant = mutate(masks, old, new).Mask
    with pytest.raises(AssertionError):
        law_pruned_weights_stay_plus_zero(mutant, "sgd", 1.0)
        law_masked_step_is_the_printed_one(mutant)
