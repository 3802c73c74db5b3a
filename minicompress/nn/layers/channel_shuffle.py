"""Channel shuffle: each group of the next convolution reads a share of what every group of the last one made (AR-4)."""

import numpy as np

from minicompress import expect
from minicompress.engine import Tensor  # noqa: F401 - for the examples
from minicompress.engine.tensor import primitive

from ..module import Module
from ..rules import Moves


def _channel_shuffle(x, groups):
    order = np.arange(x.shape[1]).reshape(groups, -1).T.ravel()
    return np.moveaxis(np.moveaxis(x, 0, -1)[order], -1, 0)  # in the memory order of images, the batch innermost


def _channel_shuffle_vjp(g, y, x, groups):
    return _channel_shuffle(g, x.shape[1] // groups)  # its inverse has as many groups as a group has channels


channel_shuffle = primitive(_channel_shuffle, _channel_shuffle_vjp)


class ChannelShuffle(Module, Moves):
    """Channels (N, g·n, …) as g rows of n, read column by column: channel j of every group, then j + 1 (AR-4).

    Between two convolutions of ``groups=g``, whose groups would never hear of each other without it. Raises ValueError
    for a number of channels that g does not divide. Source: Zhang et al. 2018, section 3.1.

    >>> ChannelShuffle(2)(Tensor([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])).numpy()
    array([[0., 3., 1., 4., 2., 5.]], dtype=float32)
    """

    def __init__(self, groups):
        super().__init__()
        self.groups = expect.integer("groups", groups, 1)

    def config(self):
        """[groups]"""
        return [self.groups]

    def ties(self, count):
        """Channel j of all groups is cut together with the others, so that what is left is a shuffle again: (n, g)."""
        return np.arange(count).reshape(self.groups, -1).T

    def forward(self, x):
        expect.divisor("groups", self.groups, x.shape[1])
        return channel_shuffle(x, self.groups)
