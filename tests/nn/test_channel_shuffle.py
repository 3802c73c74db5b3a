"""A network of grouped convolutions with a shuffle between, through every rewrite that there is."""

import numpy as np
import pytest

from minicompress import container, nn, quantization, training
from minicompress.engine import Tensor, gradcheck
from minicompress.nn.layers.channel_shuffle import channel_shuffle
from minicompress.pruning import cut_channels
from tests.equations.planted import is_caught


def shufflenet(groups=3, n=4, seed=0):
    """Two grouped convolutions around a shuffle, as in a unit of ShuffleNet, with g² ≠ C."""
    rng, channels = np.random.default_rng(seed), groups * n
    model = nn.Sequential({
        "stem": nn.Conv2d(1, channels, 3, rng=rng), "relu0": nn.ReLU(),
        "conv1": nn.Conv2d(channels, channels, 1, groups=groups, rng=rng), "bn1": nn.BatchNorm2d(channels),
        "relu1": nn.ReLU(), "shuffle": nn.ChannelShuffle(groups),
        "depthwise": nn.Conv2d(channels, channels, 3, padding=1, groups=channels, rng=rng),
        "conv2": nn.Conv2d(channels, channels, 1, groups=groups, rng=rng), "pool": nn.AvgPool2d(6),
        "flatten": nn.Flatten(), "fc": nn.Linear(channels, 5, rng=rng)})
    model.bn1.running_mean = rng.normal(0, 1, channels).astype(np.float32)
    return model.eval()


X = np.random.default_rng(9).normal(0, 1, (20, 1, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 6), (2, 6, 3, 2)])
def test_the_gradient_goes_back_where_it_came_from(shape):
    weights = np.random.default_rng(0).normal(0, 1, shape)
    gradcheck(lambda x: (channel_shuffle(x, 3) * Tensor(weights)).sum(), [np.random.default_rng(1).normal(0, 1, shape)])


def test_images_keep_the_batch_innermost():
    x = Tensor(np.zeros((3, 6, 2, 2), np.float32).transpose(1, 2, 3, 0).copy().transpose(3, 0, 1, 2))
    assert nn.ChannelShuffle(2)(x).data.transpose(1, 2, 3, 0).flags.c_contiguous


def test_each_group_hears_of_every_other():
    """Without the shuffle a channel of conv2 depends on one group of conv1 alone; with it, on all."""
    model = shufflenet()
    for mixed in (True, False):
        x = Tensor(np.random.default_rng(1).normal(0, 1, (1, 12, 6, 6)).astype(np.float32), requires_grad=True)
        model.conv2(model.shuffle(x) if mixed else x)[:, 0].sum().backward()
        assert [x.grad[:, 4 * group:4 * group + 4].any() for group in range(3)] == [True, mixed, mixed]


def test_channels_are_cut_across_all_groups():
    """What is left computes what the whole does with the cut channels at zero, and is a shuffle again."""
    model = shufflenet(n=6)
    gone = [6 * group + j for group in range(3) for j in (1, 2, 4)]  # behind the shuffle three of each group of conv2
    small = cut_channels(model, X, {"conv1": sorted(set(range(18)) - set(gone))})
    assert small.conv1.weight.shape == (9, 6, 1, 1) and small.shuffle.groups == 3
    assert small.depthwise.weight.shape == (9, 1, 3, 3) and small.conv2.weight.shape == (18, 3, 1, 1)
    for parameter in (model.conv1.weight, model.conv1.bias, model.bn1.weight, model.bn1.bias):
        parameter.data[gone] = 0
    model.depthwise.bias.data[[3 * j + group for group in range(3) for j in (1, 2, 4)]] = 0  # where they are now
    np.testing.assert_allclose(training.predict(small, X), training.predict(model, X), atol=1e-5)


def test_a_cut_that_leaves_no_shuffle_is_refused():
    with pytest.raises(ValueError, match="can only be cut together"):  # channel 1 of one group alone
        cut_channels(shufflenet(), X, {"conv1": [i for i in range(12) if i != 1]})
    with pytest.raises(ValueError, match=r"conv2 would read \[3, 2, 4\] channels"):  # n is no multiple of g
        cut_channels(shufflenet(), X, {"conv1": [i for i in range(12) if i % 4 != 1]})


def test_it_is_folded_quantized_and_stored():
    model = shufflenet()
    folded = nn.fold_batch_norm(model)
    assert "bn1" not in dict(folded.children()) and folded.shuffle.groups == 3
    np.testing.assert_allclose(training.predict(folded, X), training.predict(model, X), atol=1e-4)
    prepared = quantization.calibrate(quantization.prepare(model), X)
    converted = quantization.convert(prepared)
    assert training.predict(converted, X).tobytes() == training.predict(prepared, X).tobytes()
    assert np.corrcoef(training.predict(converted, X).ravel(), training.predict(model, X).ravel())[0, 1] > 0.99


def test_a_file_holds_it(tmp_path):
    model = shufflenet()
    container.save(model, tmp_path / "net.mcz")
    loaded = container.load(tmp_path / "net.mcz")
    assert type(loaded.shuffle) is nn.ChannelShuffle
    assert training.predict(loaded, X).tobytes() == training.predict(model, X).tobytes()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: nn.ChannelShuffle(0), "groups is 0, expected an integer of at least 1"),
    (lambda: nn.ChannelShuffle(4)(Tensor(np.zeros((1, 6)))), "groups is 4, expected a divisor of 6 channels"),
])
def test_groups_that_do_not_fit_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(("old", "new"), [
    (".reshape(groups, -1).T.ravel()", ".reshape(groups, -1).ravel()"), ("np.arange(x.shape[1]).reshape(groups, -1)",
                                                                        "np.arange(x.shape[1]).reshape(-1, groups)"),
    ("np.moveaxis(x, 0, -1)[order], -1, 0)", "np.moveaxis(x, 2, 0)[::-1], 0, 2)[:, order]"),
])
def test_a_planted_mutant_is_caught(old, new):
    assert is_caught("AR-4", old, new)
