"""Cutting by example: what is refused and why, groups, masks, files; laws stand in tests/laws/test_channel_laws.py."""

import copy

import numpy as np
import pytest

from minicompress import container, models, nn, training
from minicompress.engine import Tensor
from minicompress.pruning import Mask, choose_channels, cut_channels
from minicompress.quantization import WeightClustering
from tests.laws.channel_networks import randomise
from tests.pruning.networks import IMAGES, network


def outputs(model, x=IMAGES):
    with nn.evaluating(model):
        return model(Tensor(x)).numpy()


def test_the_result_is_an_ordinary_smaller_model(tmp_path):
    model = network()
    smaller = cut_channels(model, IMAGES, {"conv": [3, 1], "fc": np.arange(5)})
    assert type(smaller) is nn.Sequential and smaller.summary().parameters < model.summary().parameters
    assert nn.describe(smaller)[2:4] == [["conv", ["Conv2d", 1, 2, 3]], ["bn", ["BatchNorm2d", 2]]]
    np.testing.assert_array_equal(smaller.conv.weight.data, model.conv.weight.data[[1, 3]])  # in their old order
    container.save(smaller, tmp_path / "small.mcz")
    assert np.array_equal(outputs(container.load(tmp_path / "small.mcz")), outputs(smaller))
    before = smaller.conv.weight.data.copy()
    training.fit(smaller, (IMAGES, np.arange(3)), epochs=1, progress=False, rng=np.random.default_rng(0))
    assert not np.array_equal(smaller.conv.weight.data, before)


def test_keeping_everything_copies():
    model = network()
    same = cut_channels(model, IMAGES, {"conv": range(4)})
    assert same is not model and same.conv is not model.conv and np.array_equal(outputs(same), outputs(model))
    assert np.array_equal(outputs(cut_channels(model, IMAGES, {})), outputs(model))


def test_uint8_images_of_a_data_set_are_examples_too():
    model = models.mlp([36, 5, 3], rng=np.random.default_rng(0))
    assert cut_channels(model, np.zeros((2, 6, 6), np.uint8), {"fc1": [0]}).fc1.weight.shape == (1, 36)


@pytest.mark.parametrize(("keep", "error", "words"), [
    ({"conv3": [0]}, ValueError,
     r"keep names layers that make no channels: \['conv3'\], expected some of \['bn', 'conv', 'fc', 'out'\]"),
    ({"relu": [0]}, ValueError, r"keep names layers that make no channels: \['relu'\], expected some"),
    ({"conv": []}, ValueError, "at least one index"),
    ({"conv": 1}, ValueError, "at least one index"),
    ({"conv": [[1, 2]]}, ValueError, r"keep\['conv'\] is \[\[1, 2\]\], expected a list of at least one index"),
    ({"conv": [[1], [1, 2]]}, TypeError, r"an index in keep\['conv'\] is \[1\], expected an integer from 0 to 3"),
    ({"conv": [0, 4]}, ValueError, r"an index in keep\['conv'\] is 4, expected an integer from 0 to 3"),
    ({"conv": [-1]}, ValueError, r"an index in keep\['conv'\] is -1, expected an integer from 0 to 3"),
    ({"conv": [1, 1]}, ValueError, r"keep\['conv'\] is \[1, 1\], expected different indices"),
    ({"conv": [1.0]}, TypeError, r"an index in keep\['conv'\] is 1\.0, expected an integer"),
    ({"conv": [True, False, True, True]}, TypeError, r"an index in keep\['conv'\] is True, expected an integer"),
    ({"out": [0, 1]}, ValueError, "'out'. cuts channels that are part of the model's output, which must stay"),
    ({"conv": [0, 1], "bn": [0, 2]}, ValueError, "should lose a channel that .* keeps: they are one"),
])
def test_what_cannot_be_kept_is_refused(keep, error, words):
    with pytest.raises(error, match=words):
        cut_channels(network(), IMAGES, keep)


@pytest.mark.parametrize("keep", [None, [0, 1], "conv"])
def test_a_keep_that_is_no_dict_is_refused(keep):
    for call in (lambda: cut_channels(network(), IMAGES, keep),
                 lambda: choose_channels({"a": np.ones(3)}, counts=keep if keep is not None else [1]),
                 lambda: choose_channels(keep, sparsity=0.5)):
        with pytest.raises(TypeError, match=r"(keep|counts|scores) is .*, expected a dict by the layers' dotted names"):
            call()


def test_what_is_added_to_the_input_must_stay():
    rng = np.random.default_rng(0)
    model = nn.Sequential({"add": nn.Add({"body": nn.Conv2d(2, 2, 1, rng=rng), "shortcut": nn.Identity()}),
                           "last": nn.Conv2d(2, 1, 1, rng=rng)})
    with pytest.raises(ValueError, match="part of the model's input"):
        cut_channels(model, np.zeros((1, 2, 3, 3), np.float32), {"add.body": [0]})


def test_a_layer_is_left_a_channel_where_another_name_cuts_it():
    rng = np.random.default_rng(0)
    halves = nn.Concatenate({"a": nn.Conv2d(1, 1, 1, rng=rng), "b": nn.Conv2d(1, 1, 1, rng=rng)})
    model = nn.Sequential({"add": nn.Add({"halves": halves, "whole": nn.Conv2d(1, 2, 1, rng=rng)}),
                           "last": nn.Conv2d(2, 1, 1, rng=rng)})
    with pytest.raises(ValueError, match=r"add\.halves\.a would read .* at least one in all"):
        cut_channels(model, np.zeros((1, 1, 3, 3), np.float32), {"add.whole": [1]})


def grouped(groups, rng):
    return nn.Sequential({"first": nn.Conv2d(1, 4, 1, rng=rng), "grouped": nn.Conv2d(4, 8, 3, groups=groups, rng=rng),
                          "last": nn.Conv2d(8, 2, 1, rng=rng)})


@pytest.mark.parametrize(("keep", "config"), [
    ({"first": [0, 3], "grouped": [0, 1, 2, 5, 6, 7]}, [2, 6, 3, 1, 0, 2, True]),  # one channel of each group's two
    ({"first": [2, 3], "grouped": [4, 5]}, [2, 2, 3, 1, 0, 1, True]),  # the first group altogether
])
def test_groups_may_shrink_alike_or_vanish(keep, config):
    model = randomise(grouped(2, np.random.default_rng(0)), np.random.default_rng(2), np.float32)
    smaller, zeroed = cut_channels(model, IMAGES, keep), copy.deepcopy(model)
    assert smaller.grouped.config() == config
    for c in np.setdiff1d(np.arange(4), keep["first"]):
        zeroed.grouped.weight.data[c // 2 * 4:c // 2 * 4 + 4, c % 2] = 0
    zeroed.last.weight.data[:, np.setdiff1d(np.arange(8), keep["grouped"])] = 0
    np.testing.assert_allclose(outputs(smaller), outputs(zeroed), atol=1e-5)


@pytest.mark.parametrize("keep", [{"first": [0, 1, 3]}, {"grouped": [0, 1, 2]}, {"first": [0, 1]}])
def test_groups_of_different_sizes_are_refused(keep):
    with pytest.raises(ValueError, match="equally many in each group"):
        cut_channels(grouped(2, np.random.default_rng(0)), IMAGES, keep)


def test_masks_are_cut_like_their_weights(tmp_path):
    model = network()
    masks = {name: np.random.default_rng(3).random(p.shape) < 0.5 for name, p in model.named_parameters()}
    for name in ("conv.weight", "fc.weight", "fc.bias"):
        nn.project(dict(model.named_parameters())[name], Mask(masks[name]))
    smaller = cut_channels(model, IMAGES, {"conv": [0, 2]})
    columns = np.r_[0:16, 32:48]
    assert np.array_equal(smaller.fc.weight.projections[0].mask_, masks["fc.weight"][:, columns])
    assert np.array_equal(smaller.conv.weight.projections[0].mask_, masks["conv.weight"][[0, 2]])
    plain = network()
    for name, p in plain.named_parameters():
        p.data = dict(model.named_parameters())[name].effective().numpy()
    assert np.array_equal(outputs(smaller), outputs(cut_channels(plain, IMAGES, {"conv": [0, 2]})))
    container.save(smaller, tmp_path / "masked.mcz")
    assert np.array_equal(outputs(container.load(tmp_path / "masked.mcz")), outputs(smaller))
    assert model.fc.weight.projections[0].mask_.shape == (8, 64)


def test_what_was_fitted_to_all_channels_is_refused_where_it_is_cut():
    model = network()
    nn.project(model.fc.weight, WeightClustering(4))
    with pytest.raises(ValueError, match=r"fc\.weight is under WeightClustering.*: cut first, then project"):
        cut_channels(model, IMAGES, {"conv": [0]})
    assert np.array_equal(outputs(cut_channels(model, IMAGES, {})), outputs(model))


def test_max_norm_stays():
    model = network()
    nn.project(model.fc.weight, nn.MaxNorm(2.0))
    limits = cut_channels(model, IMAGES, {"conv": [0]}).fc.weight.projections
    assert [projection.limit for projection in limits] == [2.0]


# ---------------------------------------------------------------------------------------------------------------------
# absorb_bias

def test_a_channel_with_a_scale_of_zero_goes_without_a_trace():
    model = network(pool=nn.MaxPool2d(1))
    model.bn.weight.data[[0, 3]], model.bn.bias.data[:] = 0, [0.5, 1, 1, -0.5]
    smaller = cut_channels(model, IMAGES, {"bn": [1, 2]}, absorb_bias=True)
    np.testing.assert_allclose(outputs(smaller), outputs(model), rtol=1e-5, atol=1e-5)
    assert np.abs(outputs(cut_channels(model, IMAGES, {"bn": [1, 2]})) - outputs(model)).max() > 0.01


@pytest.mark.parametrize("constants", [(0.5, 0.5), (0.5, 2.0)])
def test_a_layer_that_runs_twice_absorbs_only_what_is_the_same_both_times(constants):
    rng = np.random.default_rng(0)
    shared = nn.Linear(3, 3, rng=rng)
    model = randomise(nn.Sequential({"first": nn.Linear(4, 3, rng=rng), "bn1": nn.BatchNorm1d(3), "once": shared,
                                     "bn2": nn.BatchNorm1d(3), "twice": shared, "bn3": nn.BatchNorm1d(3),
                                     "last": nn.Linear(3, 2, rng=rng)}), rng, np.float32)
    for norm, constant in ((model.bn1, constants[0]), (model.bn2, constants[1]), (model.bn3, 7.0)):
        norm.weight.data[1], norm.bias.data[1] = 0, constant
    x, keep = rng.random((5, 4), np.float32), {"first": [0, 2]}
    if constants[0] == constants[1]:
        np.testing.assert_allclose(outputs(cut_channels(model, x, keep, absorb_bias=True), x), outputs(model, x),
                                   rtol=1e-5, atol=1e-5)
    else:  # one bias can't make up for two constants
        with pytest.raises(ValueError, match="once would lose channels that are no constants"):
            cut_channels(model, x, keep, absorb_bias=True)


def test_a_reader_without_a_bias_gets_one_only_where_it_needs_one():
    rng = np.random.default_rng(0)
    model = randomise(nn.Sequential({"a": nn.Linear(3, 4, rng=rng), "bn": nn.BatchNorm1d(4),
                                     "b": nn.Linear(4, 2, bias=False, rng=rng)}), rng, np.float32)
    x = np.zeros((1, 3), np.float32)
    assert cut_channels(model, x, {"a": [0]}, absorb_bias=True).b.bias is not None
    assert cut_channels(model, x, {"a": [0]}).b.bias is None
    assert cut_channels(model, x, {"a": range(4)}, absorb_bias=True).b.bias is None


def test_a_padded_reader_absorbs_nothing_but_zeros():
    rng = np.random.default_rng(0)
    model = network(padded=nn.Conv2d(4, 4, 3, padding=1, rng=rng))
    model.bn.bias.data[:] = [1, -1, 1, 1]
    with pytest.raises(ValueError, match="padded pads with zeros, so no bias of it can absorb a constant channel"):
        cut_channels(model, IMAGES, {"bn": [1, 2, 3]}, absorb_bias=True)
    smaller = cut_channels(model, IMAGES, {"bn": [0, 2, 3]}, absorb_bias=True)  # act(-1) is 0, at the border too
    model.bn.weight.data[1] = 0
    np.testing.assert_allclose(outputs(smaller), outputs(model), rtol=1e-4, atol=1e-5)


def test_a_padded_depthwise_layer_on_the_way_makes_no_constant():
    rng = np.random.default_rng(0)
    model = network(padded=nn.Conv2d(4, 4, 3, padding=1, groups=4, rng=rng))
    model.bn.bias.data[:] = 1
    with pytest.raises(ValueError, match="fc would lose channels that are no constants"):
        cut_channels(model, IMAGES, {"bn": [1, 2, 3]}, absorb_bias=True)


def test_a_channel_that_varies_is_refused_and_a_dead_one_is_not():
    rng = np.random.default_rng(0)
    model = models.mlp([4, 3, 2], rng=rng)
    x = rng.random((5, 4), np.float32)
    with pytest.raises(ValueError, match="fc2 would lose channels that are no constants"):
        cut_channels(model, x, {"fc1": [0, 1]}, absorb_bias=True)
    model.fc1.weight.data[2], model.fc1.bias.data[2] = 0, 0.75
    np.testing.assert_allclose(outputs(cut_channels(model, x, {"fc1": [0, 1]}, absorb_bias=True), x), outputs(model, x),
                               rtol=1e-6, atol=1e-6)


def test_a_projected_bias_absorbs_nothing():
    model = network()
    nn.project(model.fc.bias, Mask(np.ones(8)))
    with pytest.raises(ValueError, match=r"fc.bias is under .*: absorb first"):
        cut_channels(model, IMAGES, {"bn": [0]}, absorb_bias=True)
