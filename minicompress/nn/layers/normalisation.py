"""Batch normalisation."""

import numpy as np

from minicompress import engine, expect
from minicompress.engine import Tensor  # noqa: F401 - for the examples

from ..module import Module
from ..parameter import Parameter


class BatchNorm1d(Module):
    """Normalise each feature of (N, C) by the batch's mean and variance, then scale and shift (Ioffe & Szegedy 2015).

    In evaluation the running statistics stand in: running ← (1−momentum)·running + momentum·batch, the variance
    with n−1. Raises ValueError for other shapes, and in training for a single value a channel.

    >>> BatchNorm1d(3)(Tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).numpy().round(3)
    array([[-1.,  0.,  1.],
           [ 1.,  0., -1.]], dtype=float32)
    """

    buffers = ("running_mean", "running_var")
    _ndim, _shape = 2, "(N, C)"

    def __init__(self, num_features, eps=1e-5, momentum=0.1, *, blank=False):
        super().__init__()
        num_features = expect.integer("num_features", num_features, 1)
        eps, momentum = expect.number("eps", eps, above=0), expect.fraction("momentum", momentum)

        def constant(value):  # blank ones take no memory until a file's values are assigned
            spread = np.broadcast_to(np.float32(value), (num_features,))
            return spread if blank else spread.copy()

        self.eps, self.momentum = float(eps), float(momentum)
        self.weight, self.bias = Parameter(constant(1)), Parameter(constant(0))
        self.running_mean, self.running_var = constant(0), constant(1)

    def config(self):
        """[num_features, eps, momentum]"""
        return [self.weight.size, self.eps, self.momentum]

    def forward(self, x):
        fits = x.ndim == self._ndim and x.shape[1] == self.weight.size
        expect.shaped(f"{type(self).__name__}'s input", x, f"{self._shape} of {self.weight.size} channels", fits)
        if not self.training:
            mean, var = self.running_mean.astype(x.dtype), self.running_var.astype(x.dtype)
        else:
            axes, count = (0, *range(2, x.ndim)), x.size // x.shape[1]
            expect.that(count > 1, lambda: f"{type(self).__name__} in training needs two values a channel or more, "
                        f"got {x.shape}")
            mean, var = engine.mean(x, axis=axes), engine.var(x, axis=axes)
            self._remember(mean.data, var.data * (count / (count - 1)))
        return engine.batch_norm(x, self.weight.effective(), self.bias.effective(), mean, var, self.eps)

    def _remember(self, mean, var):
        m = self.momentum
        self.running_mean = ((1 - m) * self.running_mean + m * mean).astype(np.float32)
        self.running_var = ((1 - m) * self.running_var + m * var).astype(np.float32)


class BatchNorm2d(BatchNorm1d):
    """Normalise each channel of images (N, C, H, W); otherwise as `BatchNorm1d`.

    >>> BatchNorm2d(2)(Tensor(np.ones((2, 2, 3, 3), np.float32))).shape
    (2, 2, 3, 3)
    """

    _ndim, _shape = 4, "(N, C, H, W)"
