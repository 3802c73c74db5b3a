"""What must hold of pruning by magnitude (PR-1, 2), of its schedule (PR-9) and of training under a mask (PR-10)."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress.engine import Tensor, where
from minicompress.equations import pruning as literal
from minicompress.nn import Parameter, Projection, optim, project
from minicompress.pruning import Mask, magnitude, projections, schedule
from tests.mutants import mutate

DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
# Few magnitudes, so that ties and zeros abound, or any at all.
ELEMENTS = st.integers(-3, 3).map(float) | st.floats(-1e4, 1e4, width=16)
WEIGHTS = DTYPES.flatmap(lambda t: hnp.arrays(t, hnp.array_shapes(max_dims=3, max_side=6), elements=ELEMENTS))
LAYERS = st.dictionaries(st.sampled_from("abcd"), WEIGHTS, min_size=1)
FRACTIONS = st.floats(0, 1) | st.integers(0, 100).map(lambda percent: percent / 100)

# ---------------------------------------------------------------------------------------------------------------------
# Laws of masks: `magnitude` is a module or the like with its functions


def law_sparsity_is_a_fraction(magnitude, w, s):
    assert 0 <= magnitude.sparsity(w) <= 1
    assert magnitude.sparsity(w) == literal.sparsity(w.ravel().tolist())
    a, b = magnitude.magnitude_mask(w, s), magnitude.magnitude_mask(-w[::-1], 1 - s)
    assert magnitude.sparsity(a * b) >= max(magnitude.sparsity(a), magnitude.sparsity(b))


def law_exactly_the_share_is_pruned(magnitude, w, s):
    """Counted in the mask, of all weights: zeros that w has of its own get no discount."""
    mask = magnitude.magnitude_mask(w, s)
    assert mask.dtype == bool and mask.shape == w.shape
    assert np.count_nonzero(~mask) == round(s * w.size)


def law_pruned_magnitudes_are_the_least(magnitude, w, s):
    mask, size = magnitude.magnitude_mask(w, s), np.abs(w)
    if mask.any() and not mask.all():
        assert size[~mask].max() <= size[mask].min()


def law_ties_go_by_index(magnitude, w, s):
    assert magnitude.magnitude_mask(w, s).ravel().tolist() == literal.magnitude_mask(w.ravel().tolist(), s)


def law_higher_sparsity_prunes_a_superset(magnitude, w, s, t):
    low, high = (magnitude.magnitude_mask(w, fraction) for fraction in sorted((s, t)))
    assert not (high & ~low).any()


def law_signs_do_not_matter(magnitude, w, s):
    for mask in (lambda w: magnitude.magnitude_mask(w, s), lambda w: magnitude.threshold_mask(w, s)):
        assert np.array_equal(mask(w), mask(-w)) and np.array_equal(mask(w), mask(np.abs(w)))


def law_threshold(magnitude, w, threshold):
    found = magnitude.threshold_mask(w, threshold)
    assert found.shape == w.shape and found.ravel().tolist() == literal.threshold_mask(w.ravel().tolist(), threshold)


def law_deviation_makes_the_threshold(magnitude, w, q):
    threshold = literal.generated_threshold(w.ravel().tolist(), q)
    size, found = np.abs(w.astype(np.float64)), magnitude.std_mask(w, q)
    clear = np.abs(size - threshold) > 1e-9 * (1 + threshold)  # all but those on the edge
    assert np.array_equal(found[clear], (size > threshold)[clear])


def law_the_whole_network_is_ranked_as_one(magnitude, weights, s):
    masks = magnitude.global_magnitude_masks(weights, s)
    assert list(masks) == list(weights) and all(masks[name].shape == w.shape for name, w in weights.items())
    assert sum(np.count_nonzero(~mask) for mask in masks.values()) == round(s * sum(w.size for w in weights.values()))
    expected = literal.global_magnitude_masks([w.ravel().tolist() for w in weights.values()], s)
    assert [mask.ravel().tolist() for mask in masks.values()] == expected


@given(WEIGHTS, FRACTIONS, FRACTIONS)
def test_laws_of_ranking(w, s, t):
    law_sparsity_is_a_fraction(magnitude, w, s)
    law_exactly_the_share_is_pruned(magnitude, w, s)
    law_pruned_magnitudes_are_the_least(magnitude, w, s)
    law_ties_go_by_index(magnitude, w, s)
    law_higher_sparsity_prunes_a_superset(magnitude, w, s, t)
    law_signs_do_not_matter(magnitude, w, s)


@given(st.integers(0, 100))
def test_every_percentage_of_a_hundred(percent):
    law_exactly_the_share_is_pruned(magnitude, np.arange(100.0), percent / 100)


@given(WEIGHTS, st.floats(0, 4))
def test_laws_of_thresholds(w, number):
    law_threshold(magnitude, w, number)
    law_deviation_makes_the_threshold(magnitude, w.astype(np.float64), number)


@given(LAYERS, FRACTIONS)
def test_the_whole_network_is_ranked_as_one(weights, s):
    law_the_whole_network_is_ranked_as_one(magnitude, weights, s)


# ---------------------------------------------------------------------------------------------------------------------
# Laws of the schedule: `gradual_sparsity` is the function


def law_schedule_is_the_printed_one(gradual_sparsity, initial, final, begin, n, every):
    for t in range(begin, begin + n * every + 1, every):
        expected = literal.gradual_sparsity(t, initial, final, begin, n, every)
        found = gradual_sparsity(t, initial=initial, final=final, begin=begin, end=begin + n * every, every=every)
        assert found == pytest.approx(expected, abs=1e-15)


def law_schedule_is_monotone_with_exact_ends(gradual_sparsity, initial, final, begin, length, every):
    options = {"initial": initial, "final": final, "begin": begin, "end": begin + length, "every": every}
    values = [gradual_sparsity(t, **options) for t in range(begin - 3, begin + length + 4)]
    assert values[:4] == [initial] * 4 and values[-4:] == [final] * 4
    assert all(a <= b for a, b in itertools.pairwise(values))


def law_schedule_rests_between_multiples(gradual_sparsity, begin, length, every):
    for t in range(begin, begin + length):
        start = begin + (t - begin) // every * every
        options = {"final": 0.9, "begin": begin, "end": begin + length, "every": every}
        assert gradual_sparsity(t, **options) == gradual_sparsity(start, **options)


SPARSITIES = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted)


@given(SPARSITIES, st.integers(-50, 50), st.integers(1, 12), st.integers(1, 9))
def test_laws_of_the_schedule(ends, begin, n, every):
    law_schedule_is_the_printed_one(schedule.gradual_sparsity, *ends, begin, n, every)
    law_schedule_is_monotone_with_exact_ends(schedule.gradual_sparsity, *ends, begin, n * every, every)
    law_schedule_is_monotone_with_exact_ends(schedule.gradual_sparsity, *ends, begin, n, every)
    law_schedule_rests_between_multiples(schedule.gradual_sparsity, begin, n * every, every)


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
        weights, velocities = literal.masked_sgd_step(weights, gradients, velocities, keep, 0.05, 0.9, 0.01)
        np.testing.assert_allclose(parameter.effective().numpy(), weights, rtol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("poison", [None, 1.0, np.nan])
def test_pruned_weights_stay_plus_zero(optimizer, poison):
    law_pruned_weights_stay_plus_zero(Mask, optimizer, poison)


def test_masked_step_is_the_printed_one():
    law_masked_step_is_the_printed_one(Mask)


# ---------------------------------------------------------------------------------------------------------------------
# The traps: what the laws must not let through


def ranks(w, s, key=np.abs, count=lambda s, n: round(s * n)):
    mask = np.ones(w.size, bool)
    mask[np.argsort(key(w.ravel()), kind="stable")[:count(s, w.size)]] = False
    return mask.reshape(w.shape)


def prune_survivors(w, s):
    """A rate on survivors: the share s of what is not zero yet."""
    mask = w != 0
    mask[mask] = ranks(w[mask], s)
    return mask


def per_layer(weights, s):
    return {name: ranks(w, s) for name, w in weights.items()}


def threshold_by_rank(w, s):
    """Everything up to the magnitude of that rank goes, and its equals with it."""
    size = np.sort(np.abs(w), axis=None)
    return np.abs(w) > (size[round(s * w.size) - 1] if round(s * w.size) else -1)


SIGNED, SOME_ZEROS = np.array([-4.0, 3.0, -2.0, 1.0]), np.array([0.0, 0.0, 2.0, 1.0])
TRAPS = {
    "missing abs": (law_pruned_magnitudes_are_the_least, "magnitude_mask", lambda w, s: ranks(w, s, key=lambda v: v),
                    (SIGNED, 0.5)),
    "missing abs, signs": (law_signs_do_not_matter, "threshold_mask", lambda w, t: w > t, (SIGNED, 0.5)),
    "floor of 0.29·100": (law_exactly_the_share_is_pruned, "magnitude_mask",
                          lambda w, s: ranks(w, s, count=lambda s, n: int(s * n)), (np.arange(100.0), 0.29)),
    "ties go together": (law_exactly_the_share_is_pruned, "magnitude_mask", threshold_by_rank, (np.ones(4), 0.5)),
    "ties from the end": (law_ties_go_by_index, "magnitude_mask", lambda w, s: ranks(w[::-1], s)[::-1],
                          (np.ones(4), 0.5)),
    "rate on survivors": (law_exactly_the_share_is_pruned, "magnitude_mask", prune_survivors, (SOME_ZEROS, 0.5)),
    "percent": (law_sparsity_is_a_fraction, "sparsity", lambda x: 100 * float(np.mean(x == 0)), (SOME_ZEROS, 0.5)),
    "ranked layer by layer": (law_the_whole_network_is_ranked_as_one, "global_magnitude_masks", per_layer,
                              ({"small": SIGNED / 10, "large": SIGNED}, 0.5)),
    "at the threshold": (law_threshold, "threshold_mask", lambda w, t: np.abs(w) >= t, (SIGNED, 2.0)),
    "root mean square": (law_deviation_makes_the_threshold, "std_mask",
                         lambda w, q: np.abs(w) > q * np.sqrt(np.mean(w * w)), (np.array([3.0, 5.0]), 2.0)),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_traps_are_caught(trap):
    law, name, function, case = TRAPS[trap]
    law(magnitude, *case)
    with pytest.raises(AssertionError):
        law(SimpleNamespace(**{**vars(magnitude), name: function}), *case)


def unclipped(step, *, initial, final, begin, end, every):
    return final + (initial - final) * (1 - (step - begin) / (end - begin)) ** 3


def test_an_unclipped_schedule_is_caught():
    case = (0.25, 0.75, 4, 8, 1)
    law_schedule_is_monotone_with_exact_ends(schedule.gradual_sparsity, *case)
    with pytest.raises(AssertionError):
        law_schedule_is_monotone_with_exact_ends(unclipped, *case)


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


# ---------------------------------------------------------------------------------------------------------------------
# Planted mutants

TIES = np.array([2.0, -1.0, 1.0, 1.0, 0.0, 3.0])
MUTANTS = [
    (law_ties_go_by_index, (TIES, 0.5), "flat > threshold", "flat >= threshold"),
    (law_ties_go_by_index, (TIES, 0.67), "flat < threshold)", "flat <= threshold)"),
    (law_ties_go_by_index, (TIES, 0.83), "rank, sought = count - 1 - zeros", "rank, sought = count - 2 - zeros"),
    (law_ties_go_by_index, (TIES, 0.17), "if rank >= 0 else 0", "if rank >= 0 else -1"),
    (law_ties_go_by_index, (TIES, 0.83), "flat[flat != 0] if zeros", "flat[flat != 0] if not zeros"),
    (law_exactly_the_share_is_pruned, (np.arange(100.0), 0.29), "round(fraction * n)", "int(fraction * n)"),
    (law_exactly_the_share_is_pruned, (TIES, 1.0), "np.full(size.shape, count == 0)", "np.full(size.shape, True)"),
    (law_exactly_the_share_is_pruned, (TIES.reshape(2, 3), 0.5), "mask.reshape(size.shape)", "mask"),
    (law_signs_do_not_matter, (TIES, 0.5), "return np.abs(w)", "return w"),
    (law_threshold, (TIES, 1.0), "_checked(w) > np.float64", "_checked(w) >= np.float64"),
    (law_threshold, (np.array([0.1], np.float32), 0.1), "np.float64(threshold)", "threshold"),
    (law_deviation_makes_the_threshold, (np.array([3.0, 5.0]), 4.0), "q * float(np.std(", "float(np.std("),
    (law_sparsity_is_a_fraction, (TIES, 0.5), "float(np.mean(x == 0))", "float(np.mean(x != 0))"),
    (law_the_whole_network_is_ranked_as_one, ({"b": TIES, "a": TIES[:2] * 2}, 0.5), "np.split(mask, ends)",
     "np.split(mask, ends - 1)"),
]


@pytest.mark.parametrize(("law", "case", "old", "new"), MUTANTS)
def test_planted_mutants_of_masks_are_caught(law, case, old, new):
    law(magnitude, *case)
    with pytest.raises((AssertionError, IndexError, ValueError)):
        law(mutate(magnitude, old, new), *case)


@pytest.mark.parametrize(("old", "new"), [
    ("** 3", "** 2"), ("np.floor((step - begin) / every)", "np.ceil((step - begin) / every)"),
    ("np.where(step >= end, end - begin, ", "(0 * end + "), ("initial - final", "final - initial"),
])
def test_planted_mutants_of_the_schedule_are_caught(old, new):
    mutant = mutate(schedule, old, new).gradual_sparsity
    with pytest.raises(AssertionError):
        law_schedule_is_the_printed_one(mutant, 0.1, 0.7, 3, 4, 5)
        law_schedule_is_monotone_with_exact_ends(mutant, 0.1, 0.7, 3, 19, 5)
        law_schedule_rests_between_multiples(mutant, 3, 20, 5)


@pytest.mark.parametrize(("old", "new"), [
    ("w[~self.mask_] = 0.0", "w[~self.mask_] = -0.0"), ("w[~self.mask_] = 0.0", "w[self.mask_] = 0.0"),
    ("return select(self.mask_, latent, 0.0)", "return latent"),
])
def test_planted_mutants_of_the_mask_are_caught(old, new, registry):
    mutant = mutate(projections, old, new).Mask
    with pytest.raises(AssertionError):
        law_pruned_weights_stay_plus_zero(mutant, "sgd", 1.0)
        law_masked_step_is_the_printed_one(mutant)
