"""Layers that hold weights, with PyTorch's names, arguments and initial distributions."""

import math

import numpy as np

from minicompress import engine, expect
from minicompress.engine import Tensor  # noqa: F401 - for the examples

from ..module import Module
from ..parameter import Parameter


def _uniform(shape, fan_in, rng, order="C"):
    """U(−1/√fan_in, 1/√fan_in), PyTorch's initial weights and biases; blank for rng=None."""
    if rng is None:
        return Parameter.blank(shape, order)
    bound = 1 / math.sqrt(fan_in)
    expect.generator(rng, "to load the weights later")
    return Parameter(rng.uniform(-bound, bound, shape).astype(np.float32, order=order), order=order)


def _effective(parameter):
    return None if parameter is None else parameter.effective()


class Linear(Module):
    """y = x Wᵀ + b, for x of shape (N, in_features) and W of shape (out_features, in_features).

    ``rng=None`` leaves the parameters blank, to be loaded. Raises ValueError for other shapes.

    >>> Linear(3, 2, rng=np.random.default_rng(0))(Tensor(np.zeros((5, 3), np.float32))).shape
    (5, 2)
    """

    def __init__(self, in_features, out_features, bias=True, *, rng):
        super().__init__()
        in_features, out_features = expect.integers(1, in_features=in_features, out_features=out_features)
        self.weight = _uniform((out_features, in_features), in_features, rng, order="F")  # see engine.linear
        self.bias = _uniform((out_features,), in_features, rng) if bias else None

    def config(self):
        """[in_features, out_features, bias]"""
        return [*self.weight.shape[::-1], self.bias is not None]

    def forward(self, x):
        return engine.linear(x, self.weight.effective(), _effective(self.bias))

    def macs(self, output_shape):
        """Multiply-accumulates for one example: out · in (ME-3)."""
        return self.weight.size


class Conv2d(Module):
    """Cross-correlation of images (N, C, H, W) with filters (out_channels, in_channels/groups, k, k), plus a bias.

    ``groups = in_channels`` is depthwise. ``rng=None`` leaves the parameters blank, to be loaded.

    >>> Conv2d(1, 4, 3, padding=1, rng=np.random.default_rng(0))(Tensor(np.zeros((2, 1, 8, 8), np.float32))).shape
    (2, 4, 8, 8)
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, groups=1, bias=True, *, rng):
        super().__init__()
        in_channels, out_channels, kernel_size, stride, groups = expect.integers(
            1, in_channels=in_channels, out_channels=out_channels, kernel_size=kernel_size, stride=stride,
            groups=groups)
        self.stride, self.padding = stride, expect.integer("padding", padding, 0)
        self.groups = expect.divisor("groups", groups, in_channels, out_channels)
        fan_in = in_channels // groups * kernel_size**2
        self.weight = _uniform((out_channels, in_channels // groups, kernel_size, kernel_size), fan_in, rng)
        self.bias = _uniform((out_channels,), fan_in, rng) if bias else None

    def config(self):
        """[in_channels, out_channels, kernel_size, stride, padding, groups, bias]"""
        out, c_group, k, _ = self.weight.shape
        return [c_group * self.groups, out, k, self.stride, self.padding, self.groups, self.bias is not None]

    def forward(self, x):
        return engine.conv2d(x, self.weight.effective(), _effective(self.bias), stride=self.stride,
                             padding=self.padding, groups=self.groups)

    def macs(self, output_shape):
        """Multiply-accumulates for one example: k² · C/groups · F · H_out · W_out (ME-3)."""
        return self.weight.size * math.prod(output_shape[1:])
