"""Pooling, and other layers that only move numbers."""

import math

from minicompress import engine, expect
from minicompress.engine import Tensor  # noqa: F401 - for the examples

from ..module import Module
from ..rules import Moves


class Pool(Module):
    """What slides a window over maps: its size and its stride, which is the window unless given."""

    def __init__(self, kernel_size, stride=None):
        super().__init__()
        stride = kernel_size if stride is None else stride
        self.kernel_size, self.stride = expect.integers(1, kernel_size=kernel_size, stride=stride)

    def config(self):
        """[kernel_size, stride]"""
        return [self.kernel_size] if self.stride == self.kernel_size else [self.kernel_size, self.stride]


class MaxPool2d(Pool, Moves):
    """The largest element of each window; the stride is the window unless given.

    >>> import numpy as np
    >>> MaxPool2d(2)(Tensor(np.zeros((1, 1, 4, 4), np.float32))).shape
    (1, 1, 2, 2)
    """

    def forward(self, x):
        return engine.max_pool2d(x, self.kernel_size, self.stride)


class AvgPool2d(Pool):
    """The mean of each window; the stride is the window unless given.

    >>> import numpy as np
    >>> AvgPool2d(2)(Tensor(np.zeros((1, 1, 4, 4), np.float32))).shape
    (1, 1, 2, 2)
    """

    def forward(self, x):
        return engine.avg_pool2d(x, self.kernel_size, self.stride)


class Flatten(Module, Moves):
    """(N, …) -> (N, features).

    >>> import numpy as np
    >>> Flatten()(Tensor(np.zeros((2, 3, 4, 4), np.float32))).shape
    (2, 48)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return x if x.ndim == 2 else engine.flatten(x)


class ImageInput(Module, Moves):
    """Take images as (N, C, H, W) or flat, (N, C·H·W); refuse any other size with a reason.

    >>> import numpy as np
    >>> ImageInput(1, 2, 2)(Tensor(np.zeros((3, 4), np.float32))).shape
    (3, 1, 2, 2)
    """

    def __init__(self, channels, height, width):
        super().__init__()
        self.shape = tuple(expect.integers(1, channels=channels, height=height, width=width))

    def config(self):
        """[channels, height, width]"""
        return list(self.shape)

    def forward(self, x):
        if x.shape[1:] != self.shape and x.shape[1:] != (math.prod(self.shape),):
            c, h, w = self.shape
            raise ValueError(f"this network was built for images (N, {c}, {h}, {w}) or (N, {c * h * w}), got {x.shape}")
        return engine.reshape(x, (x.shape[0], *self.shape)) if x.ndim == 2 else x
