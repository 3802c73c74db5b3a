"""Activations, dropout, and what passes on what it gets."""


from minicompress import engine, expect
from minicompress.engine import Tensor  # noqa: F401 - for the examples

from ..module import Module
from ..rules import Moves


class ReLU(Module):
    """max(x, 0).

    >>> ReLU()(Tensor([-1.0, 2.0])).numpy()
    array([0., 2.], dtype=float32)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return engine.relu(x)


class Dropout(Module):
    """In training each element is zero with probability p and divided by 1−p otherwise; in evaluation, nothing.

    >>> import numpy as np
    >>> Dropout(0.5, rng=np.random.default_rng(0)).eval()(Tensor([1.0])).numpy()
    array([1.], dtype=float32)
    """

    def __init__(self, p=0.5, *, rng):
        super().__init__()
        self.p, self.rng = float(expect.fraction("p", p, below=1)), expect.generator(rng, "to evaluate only")

    def config(self):
        """[p]"""
        return [self.p]

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        expect.that(self.rng is not None, "this Dropout has no rng: a loaded model needs one before it trains further")
        return engine.dropout(x, self.p, rng=self.rng)


class Identity(Module, Moves):
    """x itself: the shortcut of a residual block.

    >>> Identity()(Tensor([1.0])).numpy()
    array([1.], dtype=float32)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return x
