"""Every gradient that lies: what is passed backward where the true derivative is zero almost everywhere.

They stand apart from the table of derivatives, so that `gradcheck` covers all of that table without exceptions.
"""

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
