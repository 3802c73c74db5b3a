"""Every gradient that lies: what is passed backward where the true derivative is zero almost everywhere.

They stand apart from the table of derivatives, so that `gradcheck` covers all of that table without exceptions.
"""

import numpy as np

from .tensor import primitive


def _straight_through(x, y, passes=1):
    """The array y in the forward pass, as if it were x where ``passes`` in the backward one: ∂L/∂x := g · passes.

    x : the Tensor that y was made from; y : an array of its shape and dtype; passes : broadcasts against them

    >>> from minicompress.engine import Tensor
    >>> x = Tensor([0.4, 1.6], requires_grad=True)
    >>> straight_through(x, x.data.round()).sum().backward()
    >>> x.grad
    array([1., 1.], dtype=float32)
    """
    return y


straight_through = primitive(_straight_through, lambda g, out, x, y, passes=1: g * passes)


def fake_quantize(x, y, low, high):
    """The array y, x rounded to a grid, in the forward pass; backward g where low ≤ x ≤ high, 0 elsewhere (QU-8).

    ``low`` and ``high``: the ends of what the grid's codes take without clipping; they broadcast against x.
    Source: Jacob et al. 2018, section 3; PyTorch's rule for the ends.

    >>> from minicompress.engine import Tensor
    >>> x = Tensor([0.4, 9.0], requires_grad=True)
    >>> fake_quantize(x, x.data.round().clip(0, 3), -0.5, 3.5).sum().backward()
    >>> x.grad
    array([1., 0.], dtype=float32)
    """
    return straight_through(x, y, (x.data >= low) & (x.data <= high))


def sign(x):
    """+1 where x ≥ 0, else −1 (BI-1), never 0; backward g · 1[|x| ≤ 1], as if it were x clipped to ±1 (BI-3).

    Source: Courbariaux et al. 2016, eq. 1 and 4.

    >>> from minicompress.engine import Tensor
    >>> x = Tensor([-2.0, -0.0, 0.5], requires_grad=True)
    >>> y = sign(x); y.sum().backward()
    >>> y.numpy(), x.grad
    (array([-1.,  1.,  1.], dtype=float32), array([0., 1., 1.], dtype=float32))
    """
    one = x.dtype.type(1)
    return straight_through(x, np.where(x.data >= 0, one, -one), np.abs(x.data) <= 1)
