"""What must hold of cutting channels (PR-8, PR-6) on generated networks, of their scores (PR-4) and of the choice."""

import copy
import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress import models, nn, pruning, training
from minicompress.data import batches
from minicompress.engine import Tensor
from minicompress.equations.pruning.filter_norm import filter_norm
from minicompress.equations.pruning.networks import evaluate
from minicompress.equations.pruning.slimming import slimming_loss, slimming_subgradient
from minicompress.nn import tracing
from minicompress.pruning import choose, cut_channels
from minicompress.pruning import cut as cutting
from tests.laws.channel_networks import (
    channels_of,
    cuts,
    groups_of,
    networks,
    randomise,
    rounding,
    sizes_of,
    spelled,
    values,
)
from tests.mutants import mutate


def outputs(model, images):
    with nn.evaluating(model):
        return model(Tensor(images)).numpy()


# ---------------------------------------------------------------------------------------------------------------------
# Laws: `cut` is a function like `cut_channels`

def law_cutting_is_zeroing_what_reads(cut, model, images, keep, gone):
    """(PR-8)"""
    smaller = cut(model, images, keep)
    expected = [values(evaluate(spelled(model), channels_of(image), gone)) for image in images]
    assert (np.abs(outputs(smaller, images) - expected) <= rounding(model, images)).all()


def law_nothing_is_left_of_what_was_cut(cut, model, images, keep, gone):
    smaller = cut(model, images, keep)
    assert sizes_of(smaller) == {name: size - len({c for layer, c in gone if layer == name})
                                 for name, size in sizes_of(model).items()}
    built = nn.build(nn.describe(smaller))  # a file holds no more than this
    assert {name: p.shape for name, p in built.named_parameters()} == \
           {name: p.shape for name, p in smaller.named_parameters()}


def law_absorbing_is_zeroing_the_scales(cut, model, images, keep, gone):
    """(PR-6) With γ = 0 the lost channels are what they always were: so nothing but γ is missing."""
    smaller, still = cut(model, images, keep, absorb_bias=True), copy.deepcopy(model)
    for name, module in still.named_modules():
        if isinstance(module, nn.BatchNorm1d):
            module.weight.data[[c for layer, c in gone if layer == name]] = 0
    expected = [values(evaluate(spelled(still), channels_of(image))) for image in images]
    assert (np.abs(outputs(smaller, images) - expected) <= rounding(model, images)).all()


def law_the_model_stays_as_it_was(cut, model, images, keep):
    before, described = model.state_dict(), nn.describe(model)
    smaller = cut(model, images, keep)
    after = dict(model.named_buffers()) | {name: p.data for name, p in model.named_parameters()}
    assert nn.describe(model) == described and before.keys() == after.keys()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    fresh = dict(smaller.named_buffers()) | {name: p.data for name, p in smaller.named_parameters()}
    assert not any(np.shares_memory(fresh[name], after[name]) for name in after)


@given(cuts())
@settings(max_examples=40)
def test_cutting_is_zeroing_what_reads(case):
    law_cutting_is_zeroing_what_reads(cut_channels, *case)
    law_nothing_is_left_of_what_was_cut(cut_channels, *case)
    law_the_model_stays_as_it_was(cut_channels, *case[:3])


@given(cuts(absorbing=True))
@settings(max_examples=30)
def test_absorbing_is_zeroing_the_scales(case):
    law_absorbing_is_zeroing_the_scales(cut_channels, *case)


# ---------------------------------------------------------------------------------------------------------------------
# Laws of scores and of choosing by them

def law_filter_norm(norm, weight, order):
    """(PR-4) As printed, permuted like the filters, homogeneous."""
    found = norm(weight, order)
    expected = filter_norm(weight.astype(float).reshape(len(weight), -1).tolist(), order)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert np.array_equal(norm(weight[::-1], order), found[::-1])
    np.testing.assert_allclose(norm(-4 * weight, order), 4 * found, rtol=1e-12)


def law_the_best_channels_stay(choose, scores, sparsity):
    """(PR-6) Exactly round(s·n) go; none of them beats one that stays, but the best of its own layer."""
    kept, total = choose(scores, sparsity=sparsity), sum(map(len, scores.values()))
    assert kept.keys() == scores.keys() and all(np.all(np.diff(indices) > 0) for indices in kept.values())
    assert sum(map(len, kept.values())) == total - round(sparsity * total)
    gone = [score for layer, s in scores.items() for score in np.delete(s, kept[layer])]
    for layer, indices in kept.items():
        assert len(indices) and scores[layer][indices].max() == scores[layer].max()
        rest = np.sort(scores[layer][indices])[:-1]
        assert not len(rest) or not gone or rest[0] >= max(gone)


def law_counts_are_kept(choose, scores, counts):
    kept = choose(scores, counts=counts)
    assert {layer: len(indices) for layer, indices in kept.items()} == counts
    for layer, indices in kept.items():
        gone = np.delete(scores[layer], indices)
        assert np.all(np.diff(indices) > 0) and (not len(gone) or gone.max() <= scores[layer][indices].min())


def law_groups_speak_with_one_voice(group_scores, model, images, scores):
    """(PR-8) Each group of channels that go together has the sum of its scores, and at most one layer names it."""
    found, named, groups = group_scores(model, images, scores), {}, groups_of(model, images[0])
    groups = {layer: [frozenset(group) for i in range(len(s)) for group in groups if (layer, i) in group]
              for layer, s in scores.items()}
    for layer, sums in found.items():
        assert sums.tolist() == [sum(scores[name][c] for name, c in group if name in scores) for group in groups[layer]]
        assert named.keys().isdisjoint(groups[layer]) and len(set(groups[layer])) == len(groups[layer])
        named |= dict.fromkeys(groups[layer], len(sums))
    for layer in scores.keys() - found.keys():  # fixed, one channel as several, or spoken for
        assert len(set(groups[layer])) < len(scores[layer]) or \
            any(named.get(group, 0) >= len(scores[layer]) for group in groups[layer])


def law_slimming(slimming, model, batch, strength):
    """(PR-6) The value, and the sub-gradient beside that of the loss alone, for γ below, at and above 0."""
    gammas = [p for name, p in model.named_parameters() if name.startswith("bn") and name.endswith("weight")]
    plain, found = (gradients(loss, model, batch, gammas) for loss in (training.supervised, slimming(strength)))
    values = np.concatenate([p.data for p in gammas]).tolist()
    assert found[0] == pytest.approx(slimming_loss(plain[0], values, strength), rel=1e-6)
    expected = slimming_subgradient(values, strength)
    np.testing.assert_allclose(found[1] - plain[1], expected, atol=1e-6)


def gradients(objective, model, batch, parameters):
    for parameter in model.parameters():
        parameter.grad = None
    loss = objective(model, batch)
    loss.backward()
    return loss.item(), np.concatenate([parameter.grad for parameter in parameters])


SCORES = st.dictionaries(st.sampled_from("abc"), hnp.arrays(np.float64, st.integers(1, 6), elements=st.integers(0, 4)),
                         min_size=1)


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=4, max_side=4),
                  elements=st.floats(-100, 100, width=16)), st.sampled_from([1, 2]))
def test_filter_norm(weight, order):
    law_filter_norm(pruning.filter_norm, weight, order)


@given(SCORES, st.data())
def test_choosing(scores, data):
    total = sum(map(len, scores.values()))
    law_the_best_channels_stay(pruning.choose_channels, scores,
                               data.draw(st.integers(0, total - len(scores)).map(lambda count: count / total)))
    law_counts_are_kept(pruning.choose_channels, scores,
                        {layer: data.draw(st.integers(1, len(score))) for layer, score in scores.items()})


@given(networks(), st.data())
def test_scores_of_groups(network, data):
    model, images = network
    scores = {layer: np.array(data.draw(st.lists(st.integers(0, 9), min_size=size, max_size=size)))
              for layer, size in sizes_of(model).items()}
    law_groups_speak_with_one_voice(pruning.group_scores, model, images, scores)
    some = data.draw(st.lists(st.sampled_from(sorted(scores)), unique=True))
    law_groups_speak_with_one_voice(pruning.group_scores, model, images, {layer: scores[layer] for layer in some})
    groups = pruning.group_scores(model, images, scores)
    try:
        cut_channels(model, images, pruning.choose_channels(groups, counts={layer: (1 + len(s)) // 2
                                                                            for layer, s in groups.items()}))
    except ValueError as error:  # what is added to a concatenation may take all of a branch away
        assert "at least one in all" in str(error)


def slimmed_mlp():
    model = models.mlp([5, 6, 4, 3], batch_norm=True, rng=np.random.default_rng(0))
    model.bn1.weight.data[:] = [1, -2, 0, 0.5, -0.25, 3]
    batch, = batches((np.random.default_rng(1).random((7, 5), np.float32), np.arange(7) % 3), 7)
    return model, batch


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_slimming(strength):
    law_slimming(pruning.slimming, *slimmed_mlp(), strength)


# ---------------------------------------------------------------------------------------------------------------------
# Cases for traps and mutants: one network for each way in which channels hang together

RNG = np.random.default_rng(7)


def convolution(inputs, outputs, kernel=1, relu=False, **options):
    layers = {"conv": nn.Conv2d(inputs, outputs, kernel, rng=RNG, **options), "bn": nn.BatchNorm2d(outputs)}
    return nn.Sequential(layers | ({"relu": nn.ReLU()} if relu else {}))


def closing(features):
    return {"flatten": nn.Flatten(), "out": nn.Linear(features, 2, rng=RNG)}


def case(layers, keep, shape=(2, 5, 5)):
    model = randomise(nn.Sequential(layers), RNG, np.float64)
    images = RNG.uniform(-1, 1, (2, *shape))
    cut = {(layer, c) for layer, kept in keep.items() for c in range(sizes_of(model)[layer]) if c not in kept}
    gone = set().union(*(group for group in groups_of(model, images[0]) if group & cut))
    return model, images, keep, gone


CASES = {
    "plain": case({"a": convolution(1, 6, 2, relu=True), "pool": nn.MaxPool2d(2), **closing(24)},
                  {"a.bn": [4]}, (1, 5, 5)),
    "residual": case({"a": convolution(2, 3), "add": nn.Add({"body": convolution(3, 3), "shortcut": nn.Identity()}),
                      **closing(75)}, {"add.body.conv": [0, 2]}),
    "concatenation": case({"cat": nn.Concatenate({"a": convolution(2, 2), "b": convolution(2, 3)}),
                           "pool": nn.AvgPool2d(2), "c": convolution(5, 2), **closing(8)}, {"cat.b.conv": [0, 2]}),
    "depthwise": case({"a": convolution(2, 3), "dw": nn.Conv2d(3, 6, 2, groups=3, rng=RNG), "bn": nn.BatchNorm2d(6),
                       **closing(96)}, {"a.conv": [0, 2]}),
    "bare depthwise": case({"a": convolution(2, 3), "dw": nn.Conv2d(3, 3, 2, groups=3, rng=RNG), **closing(48)},
                           {"a.conv": [1]}),
    "padded": case({"a": convolution(2, 3), "b": nn.Conv2d(3, 3, 3, padding=1, groups=3, rng=RNG),
                    "c": convolution(3, 2, 3, padding=1), **closing(50)}, {"a.conv": [0, 2]}),
    "dense": case({"flatten": nn.Flatten(), "fc": nn.Linear(8, 4, rng=RNG), "bn": nn.BatchNorm1d(4), "relu": nn.ReLU(),
                   "out": nn.Linear(4, 2, bias=False, rng=RNG)}, {"fc": [3, 1]}, (2, 2, 2)),
}
UNPADDED = [name for name in CASES if name != "padded"]


@pytest.mark.parametrize("name", CASES)
def test_cases(name):
    law_cutting_is_zeroing_what_reads(cut_channels, *CASES[name])
    law_nothing_is_left_of_what_was_cut(cut_channels, *CASES[name])
    if name != "padded":
        law_absorbing_is_zeroing_the_scales(cut_channels, *CASES[name])


# ---------------------------------------------------------------------------------------------------------------------
# The traps: what the laws must not let through

def zero_the_filter(model, example, keep):
    """The filter and its bias are 0, and β of the batch norm behind it still speaks."""
    zeroed = copy.deepcopy(model)
    for name, module in zeroed.named_modules():
        kept = keep.get(name, keep.get(name.replace("conv", "bn")))
        if isinstance(module, nn.Conv2d) and kept is not None:
            gone = np.setdiff1d(np.arange(len(module.weight.data)), kept)
            module.weight.data[gone] = module.bias.data[gone] = 0
    return zeroed


def zero_the_scale(model, example, keep):
    return cut_channels(model, example, keep, absorb_bias=True)


@pytest.mark.parametrize(("trap", "name"), [(zero_the_filter, "plain"), (zero_the_filter, "residual"),
                                            (zero_the_scale, "plain"), (zero_the_scale, "dense")])
def test_zeroing_what_makes_a_channel_is_something_else(trap, name):
    with pytest.raises(AssertionError):
        law_cutting_is_zeroing_what_reads(trap, *CASES[name])


def test_cutting_without_absorbing_is_no_zeroing_of_scales():
    def cut(model, example, keep, absorb_bias):
        return cut_channels(model, example, keep)
    with pytest.raises(AssertionError):
        law_absorbing_is_zeroing_the_scales(cut, *CASES["plain"])


def cut_by(traced=tracing, cutter=cutting, old="", new=""):
    """cut_channels with a bug planted in one of its two rooms."""
    if traced is not tracing:
        cutter = mutate(cutting, "def _gone(", "def _gone(")
        cutter.trace = traced.trace
    return cutter.cut_channels


@pytest.mark.parametrize(("name", "old", "new"), [
    ("plain", "flow.names[came]", "np.tile(flow.names, len(came) // len(flow.names))"),  # wrong flatten indexes
    ("residual", "trace.unite(first.names, other.names)", "None"),
    ("concatenation", "[branch.names for branch in branches]", "[branch.names for branch in branches[::-1]]"),
    ("depthwise", "made = np.repeat(flow.names, out // groups)", "made = np.tile(flow.names, out // groups)"),
    ("depthwise", "if depthwise else trace.fresh(out)", "if not depthwise else trace.fresh(out)"),
    ("plain", "1 < groups == len(flow.names)", "groups == len(flow.names)"),
])
def test_planted_mutants_of_tracing_are_caught(name, old, new):
    cut = cut_by(mutate(tracing, old, new))
    with pytest.raises((AssertionError, IndexError, ValueError)):
        law_cutting_is_zeroing_what_reads(cut, *CASES[name])
        law_nothing_is_left_of_what_was_cut(cut, *CASES[name])


@pytest.mark.parametrize(("name", "old", "new"), [
    ("plain", "flow.constants[came]", "np.tile(flow.constants, len(came) // len(flow.names))"),
    ("plain", "np.maximum(flow.constants, 0)", "flow.constants"),
    ("residual", "sum(branch.constants for branch in branches)", "first.constants"),
    ("bare depthwise", "came * rows.sum(axis=1)", "came"),
    ("bare depthwise", "came * rows.sum(axis=1), 0) + bias", "came * rows.sum(axis=1), 0)"),
    ("concatenation", "[branch.constants for branch in branches]", "[branch.constants for branch in branches[::-1]]"),
])
def test_planted_mutants_of_constants_are_caught(name, old, new):
    cut = cut_by(mutate(tracing, old, new))
    with pytest.raises((AssertionError, ValueError)):
        law_absorbing_is_zeroing_the_scales(cut, *CASES[name])


@pytest.mark.parametrize(("name", "old", "new"), [
    ("plain", "getattr(layer, buffer)[rows]", "getattr(layer, buffer)[:rows.sum()]"),
    ("plain", "lambda array: array[rows])\n    if", "lambda array: array[:rows.sum()])\n    if"),
    ("plain", "array[g][rows[g]][:, columns[g]]", "array[g][rows[g]][:, :columns[g].sum()]"),
    ("plain", "array[g][rows[g]][:, columns[g]]", "array[g][:rows[g].sum()][:, columns[g]]"),
    ("depthwise", "layer.groups = len(alive)", "layer.groups = 1"),
    ("dense", "mask = np.isin(np.arange(len(names)), indices)", "mask = np.arange(len(names)) < len(indices)"),
    ("plain", "copy.deepcopy(model)", "model"),
])
def test_planted_mutants_of_cutting_are_caught(name, old, new):
    model, *rest = CASES[name]
    cut = mutate(cutting, old, new).cut_channels
    with pytest.raises((AssertionError, IndexError, ValueError)):
        law_cutting_is_zeroing_what_reads(cut, copy.deepcopy(model), *rest)
        law_nothing_is_left_of_what_was_cut(cut, copy.deepcopy(model), *rest)
        law_the_model_stays_as_it_was(cut, copy.deepcopy(model), *rest[:2])


@pytest.mark.parametrize(("name", "old", "new"), [
    ("plain", "layer.bias.data + lost", "layer.bias.data - lost"),
    ("concatenation", "np.where(felt, constants, 0)", "np.where(felt, 1, 0)"),
    ("concatenation", "np.where(columns, 0, traced.constants[name])", "traced.constants[name]"),
    ("dense", "np.zeros(len(weight), layer.weight.dtype)", "np.ones(len(weight), layer.weight.dtype)"),
])
def test_planted_mutants_of_absorbing_are_caught(name, old, new):
    with pytest.raises((AssertionError, ValueError)):
        law_absorbing_is_zeroing_the_scales(mutate(cutting, old, new).cut_channels, *CASES[name])


WEIGHT = np.random.default_rng(0).normal(size=(3, 2, 2, 2))
LAYERS = {"a": np.array([1.0, 2.0, 9.0]), "b": np.array([0.0, 0.5]), "c": np.array([3.0, 3.0, 4.0, 3.0])}


@pytest.mark.parametrize(("law", "arguments", "old", "new"), [
    (law_filter_norm, (WEIGHT, 2), "order, axis=1)", "1, axis=1)"),
    (law_filter_norm, (WEIGHT, 1), "weight.reshape(len(weight), -1)", "weight.mean(axis=1).reshape(len(weight), -1)"),
    (law_the_best_channels_stay, (LAYERS, 0.6), "= np.inf  #", "+= 0  #"),
    (law_the_best_channels_stay, (LAYERS, 0.5), "global_magnitude_masks(scores, sparsity)",
     "{layer: score > np.median(score) for layer, score in scores.items()}"),
    (law_counts_are_kept, (LAYERS, {"a": 1, "c": 2}), "[-count:]", "[:count]"),
    (law_counts_are_kept, (LAYERS, {"a": 2}), "np.sort(np.argsort(scores[layer], kind=\"stable\")[-count:])",
     "np.argsort(-scores[layer])[:count]"),
])
def test_planted_mutants_of_choosing_are_caught(law, arguments, old, new):
    filter_norms = importlib.import_module("minicompress.pruning.criteria.filter_norm")
    room, function = (filter_norms, "filter_norm") if law is law_filter_norm else (choose, "choose_channels")
    law(getattr(room, function), *arguments)
    with pytest.raises((AssertionError, ValueError)):
        law(getattr(mutate(room, old, new), function), *arguments)


@pytest.mark.parametrize(("name", "old", "new"), [
    ("residual", "totals.get(name, 0.0) + value", "value"), ("residual", "taken.update(names)", "pass"),
    ("residual", "set(traced.fixed), {}", "set(), {}"), ("residual", "-len(scores[layer])", "len(scores[layer])"),
    ("depthwise", " and len(set(names)) == len(names)", ""),
])
def test_planted_mutants_of_groups_are_caught(name, old, new):
    layers = {"a": convolution(2, 2), "b": convolution(2, 1)} | ({"x": convolution(2, 1)} if name == "residual" else {})
    model, images, *_ = CASES[name] if name == "depthwise" else case({"add": nn.Add({
        "cat": nn.Concatenate(layers), "shortcut": convolution(2, 4)}), **closing(100)}, {"add.shortcut.conv": [0]})
    scores = {layer: np.arange(1, 1 + size) ** 2 for layer, size in sizes_of(model).items()}
    law_groups_speak_with_one_voice(pruning.group_scores, model, images, scores)
    with pytest.raises(AssertionError):
        law_groups_speak_with_one_voice(mutate(choose, old, new).group_scores, model, images, scores)


@pytest.mark.parametrize(("old", "new"), [
    ("engine.abs(layer.weight.effective())", "layer.weight.effective() * layer.weight.effective()"),
    ("return loss + strength *", "return loss - strength *"), ("sum(scales[1:], scales[0])", "scales[0]"),
    ("engine.sum(engine.abs", "engine.mean(engine.abs"),
])
def test_planted_mutants_of_slimming_are_caught(old, new):
    room = importlib.import_module("minicompress.pruning.slimming")  # where a function of this name hides the room
    with pytest.raises(AssertionError):
        law_slimming(mutate(room, old, new).slimming, *slimmed_mlp(), 0.25)
