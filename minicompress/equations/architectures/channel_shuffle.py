"""How groups of channels are mixed (AR-4)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, tensor
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

ZHANG_2018 = Paper("zhang2018shufflenet", ("Zhang, Xiangyu", "Zhou, Xinyu", "Lin, Mengxiao", "Sun, Jian"),
                   "ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices", 2018, "CVPR",
                   arxiv="1707.01083")

# ---------------------------------------------------------------------------------------------------------------------
# AR-4


def _grouped(rng, size):
    """Some examples of g groups of n channels, g and n mostly different, so that a transpose shows."""
    g, n = one_of(rng, 1, 2, 3, 4), int(rng.integers(1, size + 2))
    return eighths(rng, (int(rng.integers(1, 4)), g * n, int(rng.integers(1, 4)))), g


def _layer(ChannelShuffle):
    return lambda x, g: ChannelShuffle(g)(tensor(x)).numpy()


@page("AR-4", cite=ZHANG_2018("section 3.1"),
      latex=r"y_{j \cdot g + i} = x_{i \cdot n + j},\quad 0 \le i < g,\ 0 \le j < n",
      implementation="minicompress.nn.ChannelShuffle", adapt=_layer, inputs=_grouped,
      cases=((np.arange(6.0).reshape(1, 6, 1), 2), (np.arange(12.0).reshape(1, 6, 2), 3)))
def channel_shuffle(x, g):
    """channel shuffle

    y_(j·g + i) = x_(i·n + j),   0 ≤ i < g, 0 ≤ j < n

    x : channels, those of a group together, (examples, channels, positions)
    g : number of groups, an integer that divides that of channels
    y : the same channels in another order, of x's shape

    n : number of channels in a group
    i : an index of each group, an integer
    j : an index of each channel of a group, an integer

    >>> channel_shuffle([[[0], [1], [2], [3], [4], [5]]], 2)
    [[[0], [3], [1], [4], [2], [5]]]
    """
    shuffled = []
    for example in x:
        n = len(example) // g
        y = [None] * len(example)
        for i in range(g):
            for j in range(n):
                y[j * g + i] = example[i * n + j]
        shuffled.append(y)
    return shuffled


@channel_shuffle.must("nothing is lost")
def _permutation(f, x, g):
    y = np.asarray(f(x, g))
    hold(y.shape == x.shape and np.array_equal(np.sort(y, axis=1), np.sort(x, axis=1)),
         "each position must hold the same numbers, in another order of channels")


@channel_shuffle.must("the inverse has the channels of a group as groups")
def _inverse(f, x, g):
    close(f, f(np.asarray(f(x, g)), x.shape[1] // g), x, "a shuffle with n groups must undo the one with g", 0)


@channel_shuffle.must("the first and the last channel stay")
def _ends(f, x, g):
    close(f, np.asarray(f(x, g))[:, [0, -1]], x[:, [0, -1]], "the first channel of the first group stays, and the last "
          "of the last", 0)


@channel_shuffle.must("examples and positions are apart")
def _apart(f, x, g):
    close(f, f(x[::-1, :, ::-1], g), np.asarray(f(x, g))[::-1, :, ::-1], "only channels are moved", 0)


channel_shuffle.must_agree(0)


def _rows(x, g):
    return x.reshape(len(x), g, -1, x.shape[2])


channel_shuffle.trap("n rows", "this reads the channels as n rows of g: that is the inverse.",
                     lambda x, g: _rows(x, x.shape[1] // g).swapaxes(1, 2).reshape(x.shape))
channel_shuffle.trap("the batch", "this shuffles numbers over examples: reshape the axis of channels alone.",
                     lambda x, g: x.reshape(g, -1).T.reshape(x.shape))
channel_shuffle.trap("not transposed", "this cuts into groups and joins them again: nothing has moved.",
                     lambda x, g: _rows(x, g).reshape(x.shape))
channel_shuffle.trap("groups exchanged", "whole groups change places: then a group still hears one other alone.",
                     lambda x, g: _rows(x, g)[:, ::-1].reshape(x.shape))
channel_shuffle.trap("rotated", "the channels are rotated by a group: asked for is that they are dealt out.",
                     lambda x, g: np.roll(x, x.shape[1] // g, axis=1))
channel_shuffle.trap("within groups", "the channels are turned round within each group.",
                     lambda x, g: _rows(x, g)[:, :, ::-1].reshape(x.shape))
channel_shuffle.trap("mixed", "this averages over the groups: a shuffle computes nothing.", lambda x, g: np.repeat(
    _rows(x, g).mean(axis=1), g, axis=1))
channel_shuffle.trap("positions", "this shuffles positions too.", lambda x, g: _rows(x, g).swapaxes(1, 2).reshape(
    x.shape)[:, :, ::-1])
