"""Fake quantization: the gradient that rounding declares in training (QU-8)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, resolve
from minicompress.checker.properties import hold

from .affine import JACOB_2018, any_shape, grid

# ---------------------------------------------------------------------------------------------------------------------
# QU-8


def _gradients_and_reals(rng, size):
    """Numbers within the codes, beyond them, and just where clipping begins."""
    s, z, q_min, q_max = grid(rng, size)
    shape = any_shape(rng, size)
    g, r = rng.integers(-4, 5, shape).astype(np.float64), eighths(rng, shape, 9)
    ends = s * (rng.choice([q_min - 0.5, q_min, q_max, q_max + 0.5, q_max + 0.75], shape) - z)
    return g, one_of(rng, r, r, 64 * r, np.where(rng.random(shape) < 0.5, r, ends), ends), s, z, q_min, q_max


def _surrogate(fake_quantize):
    def function(g, r, s, z, q_min, q_max):
        x = resolve("minicompress.engine.Tensor")(r, requires_grad=True)
        fake_quantize(x, r.copy(), s * (q_min - 0.5 - z), s * (q_max + 0.5 - z)).backward(g)
        return x.grad
    return function


@page("QU-8", cite=JACOB_2018("section 3"),
      latex=r"\frac{\partial L}{\partial r} = g \cdot \mathbf{1}\left[q_{min} - \tfrac12 \le r/s + z \le "
            r"q_{max} + \tfrac12\right]",
      implementation="minicompress.engine.surrogate.fake_quantize", adapt=_surrogate, inputs=_gradients_and_reals,
      cases=((np.array([1.0, 2.0, 3.0, 4.0]), np.array([-9.0, -8.5, 7.5, 8.0]), 1.0, 0, -8, 7),))
def straight_through_gradient(g, r, s, z, q_min, q_max):
    """straight-through gradient of fake quantization

    ∂L/∂r = g · 1[q_min − ½ ≤ r/s + z ≤ q_max + ½]

    g : gradient by r̂ of QU-4, from above, of any shape, (n,) or (…)
    r : the real numbers, of g's shape, (n,) or (…)
    s : scale, a number above 0
    z : zero point, an integer
    q_min : the least code, an integer
    q_max : the largest code, an integer
    gradient : ∂L/∂r, of g's shape, (n,) or (…): as if rounding were not there, 0 where a code is clipped

    L : the loss

    >>> straight_through_gradient([2.0, 2.0], [7.5, 9.0], 1.0, 0, -8, 7)
    [2.0, 0.0]
    >>> straight_through_gradient(2.0, 9.0, 1.0, 0, -8, 7)
    0.0
    """
    if isinstance(g, list):
        return [straight_through_gradient(a, b, s, z, q_min, q_max) for a, b in zip(g, r, strict=True)]
    return g if q_min <= r / s + z + 0.5 and r / s + z - 0.5 <= q_max else 0.0


@straight_through_gradient.must("passes whole or not at all")
def _all_or_nothing(f, g, r, *grid):
    found = f(g, r, *grid)
    hold((found == g) | (found == 0), "each gradient passes as it is, or not at all")


@straight_through_gradient.must("is linear in g")
def _linear_in_g(f, g, r, *grid):
    hold(f(2 * g, r, *grid) == 2 * f(g, r, *grid), "twice the gradient from above is twice the gradient below")


def _inside(low=0.5, high=0.5, shift=1, compare=np.less_equal):
    """The gradient within the range of the codes, widened by so much at its ends."""
    def function(g, r, s, z, q_min, q_max):
        steps = r / s + shift * z
        return np.where(compare(q_min - low, steps) & compare(steps, q_max + high), g, 0.0)
    return function


straight_through_gradient.must_agree(0)
straight_through_gradient.trap("always 1", "this passes everything: where a code is clipped the gradient is 0.",
                               lambda g, r, *grid: g, seen=True)
straight_through_gradient.trap("true derivative", "this is rounding's true derivative, 0: nothing would ever learn.",
                               lambda g, r, *grid: 0 * g, seen=True)
straight_through_gradient.trap("within ±1", "this is the sign's rule, |r| ≤ 1: here the range is that of the codes.",
                               lambda g, r, *grid: g * (np.abs(r) <= 1))
straight_through_gradient.trap("divided by s", "the scale cancels: r/s is taken back by s(q − z).",
                               lambda g, r, s, *grid: g / s * (np.abs(r) < 1e9))
straight_through_gradient.trap("squared", "the gradient is used twice.",
                               lambda g, *inputs: g * _inside()(g, *inputs))
straight_through_gradient.trap("without the half steps", "half a step beyond the last code still is rounded to it, and "
                               "not clipped.", _inside(0, 0))
straight_through_gradient.trap("open ends", "just half a step beyond the last code the gradient passes, too.",
                               _inside(compare=np.less))
straight_through_gradient.trap("z forgotten", "the zero point is not used: it moves the range of the real numbers.",
                               _inside(shift=0))
straight_through_gradient.trap("upper end alone", "codes are clipped at both ends.", _inside(low=1e9))
