"""Gradual pruning of a network in training: how much, which weights, and that they stay away."""

import numpy as np
import pytest

from minicompress import models, nn, training
from minicompress.equations.pruning.masks import masked_sgd_step
from minicompress.equations.pruning.schedule import gradual_sparsity
from minicompress.pruning import GradualPruning, Mask, mask_weights
from minicompress.training.optim import SGD


def mlp():
    return models.mlp([8, 20, 6, 3], rng=np.random.default_rng(0))


def zeros(weights):
    return {name: ~p.projections[0].mask_ for name, p in weights.items()}


def pruned_count(weights):
    return sum(int(mask.sum()) for mask in zeros(weights).values())


def test_mask_weights_takes_weight_arrays_only_and_changes_nothing():
    model = nn.Sequential({"conv": nn.Conv2d(1, 2, 3, rng=np.random.default_rng(0)), "norm": nn.BatchNorm2d(2),
                           "flat": nn.Flatten(), "fc": nn.Linear(8, 2, rng=np.random.default_rng(1))})
    before = {name: p.effective().numpy().copy() for name, p in model.named_parameters()}
    assert set(mask_weights(model)) == {"conv.weight", "fc.weight"}
    for name, p in model.named_latents():
        assert p.effective().numpy().tobytes() == before[name].tobytes()
    with pytest.raises(ValueError, match=r"the weights' projections are {'conv.weight': .*}, expected none"):
        mask_weights(model)


def test_sparsity_follows_the_schedule_to_the_letter():
    model = mlp()
    weights, size = mask_weights(model), 8 * 20 + 20 * 6 + 6 * 3
    schedule = GradualPruning(weights, final=0.9, begin=0.5, end=3.0, every=5)
    for step in range(50):
        schedule(step, steps_per_epoch=10)
        t = 5 + (step - 5) // 5 * 5  # the last pruning
        assert pruned_count(weights) == round(gradual_sparsity(t, 0.0, 0.9, 5, 5, 5) * size)
    assert pruned_count(weights) == round(0.9 * size)


def test_what_is_pruned_stays_pruned_while_the_rest_learns():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((64, 8)).astype(np.float32), rng.integers(0, 3, 64)
    model = mlp()
    weights = mask_weights(model)
    pruning = GradualPruning(weights, final=0.8, end=3.0, every=2)
    seen = [zeros(weights)]

    def watch(step, steps_per_epoch):
        now = zeros(weights)
        for name, p in weights.items():
            assert not (seen[-1][name] & ~now[name]).any(), "a pruned weight came back"
            assert not p.data[now[name]].any() and not np.signbit(p.data[now[name]]).any()
        seen.append(now)

    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    training.fit(model, (x, y), epochs=5, batch_size=16, optimizer=optimizer, schedule=[pruning, watch], rng=rng)
    assert pruned_count(weights) == round(0.8 * 298)


def test_the_ranking_is_over_the_whole_network():
    model = mlp()
    weights = mask_weights(model)
    GradualPruning(weights, final=0.5, end=1.0).prune(0.5)
    magnitudes = {name: np.abs(p.data) for name, p in mlp().named_parameters() if p.ndim > 1}
    kept = [magnitudes[name][~mask].min() for name, mask in zeros(weights).items()]
    gone = [magnitudes[name][mask].max() for name, mask in zeros(weights).items() if mask.any()]
    assert max(gone) <= min(kept)
    assert len({mask.mean() for mask in zeros(weights).values()}) > 1  # layers differ


def test_a_protected_layer_keeps_more():
    shares = []
    for scale in (None, {"fc3.weight": 10.0}):
        weights = mask_weights(mlp())
        GradualPruning(weights, final=0.8, end=1.0, scale=scale).prune(0.8)
        shares.append((zeros(weights)["fc3.weight"].mean(), pruned_count(weights)))
    assert shares[0][0] > shares[1][0] and shares[0][1] == shares[1][1]


@pytest.mark.parametrize(("options", "words"), [
    ({"final": 1.0}, r"final is 1\.0, expected a fraction in \[0, 1\)"), ({"final": -0.1}, r"final is -0\.1, expected"),
    ({"begin": 2.0}, r"begin is 2\.0 and end 2\.0, expected 0 <= begin < end"),
    ({"begin": -1.0}, r"begin is -1\.0 and end 2\.0, expected 0 <= begin < end"),
    ({"every": 0}, "every is 0, expected an integer of at least 1"),
])
def test_a_schedule_that_makes_no_sense_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        GradualPruning(mask_weights(mlp()), **({"final": 0.5, "end": 2.0} | options))


def test_the_result_is_a_sparse_form():
    weights = mask_weights(mlp())
    GradualPruning(weights, final=0.8, end=1.0).prune(0.8)
    for p in weights.values():
        form = p.form()
        assert isinstance(p.projections[0], Mask)
        np.testing.assert_array_equal(form.mask, p.projections[0].mask_)
        assert form.dense().tobytes() == p.effective().numpy().tobytes()


def test_a_masked_step_by_the_letter():
    """(PR-10) w ← m ⊙ (w − η·v), through momentum and weight decay."""
    rng = np.random.default_rng(5)
    w, mask = rng.standard_normal(12), rng.random(12) < 0.5
    p = nn.project(nn.Parameter(w.copy()), Mask(mask))
    optimizer = SGD([p], lr=0.1, momentum=0.9, weight_decay=0.01)
    expected, velocities = np.where(mask, w, 0.0).tolist(), [0.0] * 12
    for g in rng.standard_normal((6, 12)):
        optimizer.zero_grad()
        p.effective().backward(g)
        optimizer.step()
        expected, velocities = masked_sgd_step(expected, g.tolist(), velocities, mask.tolist(), 0.1, 0.9, 0.01)
        np.testing.assert_allclose(p.effective().numpy(), expected, rtol=1e-12)


def test_a_misspelled_layer_is_refused():
    weights = mask_weights(models.mlp([4, 3, 2], rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match=r"\['fc9.weight'\], expected some of \['fc1.weight', 'fc2.weight'\]"):
        GradualPruning(weights, final=0.5, end=1, scale={"fc9.weight": 2.0})
