"""Is a derivative right? Compared with differences along random directions, in float64."""

import numpy as np

from minicompress import expect

from . import ops
from .tensor import Tensor


class GradientError(AssertionError):
    """A derivative differs from the difference quotient."""


def gradcheck(f, inputs, *, rng=None, directions=3, step=1e-6, rtol=1e-6):
    """Raise `GradientError` unless f's derivatives at ``inputs`` agree with central differences.

    With random u (shape of f's result) and direction v (shapes of the inputs): Σ ∂(u·f)/∂x_i · v_i must equal
    (u·f(x + hv) − u·f(x − hv)) / 2h within ``rtol`` of the size of the terms. ``f`` maps Tensors to a Tensor,
    ``inputs`` are float64 arrays at least ``step`` away from f's kinks. ``rng`` draws the directions; without one they
    are the same every time. Raises TypeError for other dtypes.

    >>> gradcheck(lambda x: x * x, [np.array([1.0, 2.0])])
    """
    rng = np.random.default_rng(0) if rng is None else rng
    inputs = [np.asarray(x) for x in inputs]
    for x in inputs:
        expect.that(x.dtype == np.float64, f"an input of shape {x.shape} is {x.dtype}, expected float64", TypeError)
    for _ in range(directions):
        leaves = [Tensor(x.copy(), requires_grad=True) for x in inputs]
        y = f(*leaves)
        u = rng.standard_normal(y.shape)
        v = [rng.standard_normal(x.shape) for x in inputs]
        ops.sum(y * u).backward()
        for leaf, x in zip(leaves, inputs, strict=True):
            got = "none" if leaf.grad is None else f"{leaf.grad.dtype} of shape {leaf.grad.shape}"
            wanted = f"float64 of shape {x.shape}"
            expect.that(got == wanted, f"the gradient of an input is {got}, expected {wanted}", GradientError)
        terms = np.concatenate([(leaf.grad * d).ravel() for leaf, d in zip(leaves, v, strict=True)])
        ahead, behind = (np.asarray(f(*[Tensor(x + sign * step * d) for x, d in zip(inputs, v, strict=True)]).data)
                         for sign in (1, -1))
        numeric = np.sum(u * (ahead - behind)) / (2 * step)
        # rounding in f, divided by the step, is what the difference quotient cannot see
        slack = rtol * np.abs(terms).sum() + 1e-15 * (1e-3 + np.sum(np.abs(u * ahead))) / step
        expect.that(abs(terms.sum() - numeric) <= slack, f"derivative {terms.sum():.9g}, difference quotient "
                    f"{numeric:.9g} (slack {slack:.1g})", GradientError)
