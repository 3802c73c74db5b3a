"""Signs with a scale: the best there are (BI-5), and their gradient (BI-7)."""

import itertools

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page, tensor
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

from ..quantization.affine import any_shape
from ..quantization.clustering import shaped
from ..quantization.weights import numbers
from .weights import any_numbers, sign, straight_through

RASTEGARI_2016 = Paper("rastegari2016xnor", (
    "Rastegari, Mohammad", "Ordonez, Vicente", "Redmon, Joseph", "Farhadi, Ali"),
    "XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks", 2016, "ECCV", arxiv="1603.05279",
    doi="10.1007/978-3-319-46493-0_32")


def least_error(weights):
    """(BI-5) The least ‖W − α·B‖² over every B of ±1, each with its own best α = W·B/n: 2ⁿ of them, so for a handful.

    >>> least_error([3.0, -1.0])
    2.0
    """
    n, errors = len(weights), []
    for signs in itertools.product((-1, 1), repeat=n):
        alpha = sum(w * b for w, b in zip(weights, signs, strict=True)) / n
        errors.append(sum((w - alpha * b) ** 2 for w, b in zip(weights, signs, strict=True)))
    return min(errors)


# ---------------------------------------------------------------------------------------------------------------------
# BI-5


def _few_weights(rng, size):
    """Up to eight, for all their signs are tried: large or small, or all of them 0."""
    return (any_numbers(rng, int(rng.integers(1, min(size, 8) + 1))) * one_of(rng, 1.0, 1.0, 1.0, 1024.0, 2.0**-10),)


def _scaled(projection):
    def function(w):
        w = w.astype(np.float32)
        scaled = projection(axis=None).fit(w)
        return np.abs(scaled(tensor(w)).numpy())[0], np.where(scaled.form(w).bits, 1, -1)
    return function


@page("BI-5", cite=RASTEGARI_2016("eq. 6"),
      latex=r"\alpha^* = \frac{\lVert W \rVert_1}{n},\; B^* = \mathrm{sign}(W) \;"
            r"\text{ minimise }\; \lVert W - \alpha B\rVert^2",
      implementation="minicompress.binarization.ScaledSign", adapt=_scaled, single=True, inputs=_few_weights,
      cases=((np.zeros(3),), (np.array([-2.0]),)))
def scaling(w):
    """the best scaled signs

    α* = ‖W‖₁/n, B* = sign(W) minimise ‖W − α·B‖²

    w : W, weights, (n,)
    alpha : α*, a number
    signs : B*, (n,)

    n : how many weights

    >>> scaling([3.0, -1.0])
    (2.0, [1, -1])
    """
    return sum(abs(w_i) for w_i in w) / len(w), [sign(w_i) for w_i in w]


@scaling.must("B is made of signs")
def _signs_alone(f, w):
    hold(np.isin(f(w)[1], (-1, 1)), "B holds +1 and −1 alone")


@scaling.must("no other scaled signs are nearer")
def _no_better(f, w):
    alpha, signs = f(w)
    error, best = np.sum((w - alpha * signs) ** 2), least_error(w.tolist())
    hold(error <= best + 64 * f.eps * np.sum(w * w), f"‖W − αB‖² is {error:g}, but {best:g} can be reached")


@scaling.must("α grows with the weights")
def _scales_with_w(f, w):
    close(f, f(4 * w)[0], 4 * f(w)[0], "four times the weights must have four times the scale", 8)


def _signed(scale):
    """Any scale with the right signs."""
    return lambda w: (scale(w), np.where(w >= 0, 1, -1))


scaling.must_agree(16)
scaling.trap("mean", "abs is missing: this is the mean of the weights.", _signed(lambda w: w.mean()))
scaling.trap("norm", "this is the Euclidean norm's share: the scale is the mean magnitude.",
             _signed(lambda w: np.sqrt(np.mean(w * w))))
scaling.trap("np.sign", "np.sign(0) is 0: a binary weight is never 0.", lambda w: (np.abs(w).mean(), np.sign(w)),
             seen=True)
scaling.trap("largest", "this is the largest magnitude: the error is least with the mean.",
             _signed(lambda w: np.abs(w).max()))
scaling.trap("median", "this is the median magnitude: the error is least with the mean.",
             _signed(lambda w: np.median(np.abs(w))))
scaling.trap("sum", "this is ‖W‖₁: it is divided by n.", _signed(lambda w: np.abs(w).sum()))
scaling.trap("no scale", "the scale is left at 1.", _signed(lambda w: 1.0))
scaling.trap("scaled signs", "these are α·B already: B holds the signs alone.",
             lambda w: (np.abs(w).mean(), np.abs(w).mean() * np.where(w >= 0, 1, -1)))

# ---------------------------------------------------------------------------------------------------------------------
# BI-7


def _weights_and_gradient(rng, size):
    shape = any_shape(rng, size + 1)
    return any_numbers(rng, shape), rng.integers(-4, 5, shape).astype(np.float64)


def _full_gradient(projection):
    def function(w, g):
        x = tensor(w.astype(np.float32), requires_grad=True)
        projection(axis=None).fit(x.data)(x).backward(g.astype(np.float32))
        return x.grad
    return function


@page("BI-7", cite=RASTEGARI_2016("section 3.1, in full"),
      latex=r"\frac{\partial C}{\partial W_i} = g_i\, \alpha\, \mathbf{1}[|W_i| \le 1] + \frac{\mathrm{sign}(W_i)}{n}"
            r"\sum_j g_j\, \mathrm{sign}(W_j),\quad \alpha = \frac{\lVert W \rVert_1}{n}",
      implementation="minicompress.binarization.ScaledSign", adapt=_full_gradient, single=True,
      inputs=_weights_and_gradient)
def scaling_gradient(w, g):
    """gradient of scaled signs

    ∂C/∂W_i = g_i·α·1[|W_i| ≤ 1] + sign(W_i)/n · Σ_j g_j·sign(W_j),   α = ‖W‖₁/n

    w : W, weights of any shape with one α, (n,) or (…)
    g : ∂C by each α·sign(W_i), of w's shape, (n,) or (…)
    gradient : ∂C/∂W, of w's shape, (n,) or (…)

    C : the cost, whose gradient the paper prints as g_i·(1/n + α·1[|W_i| ≤ 1]), without the sum's cross terms
    α : scale, BI-5
    n : how many weights

    >>> scaling_gradient([0.5, -1.5], [1.0, 2.0])
    [0.5, 0.5]
    """
    weights, gradient = numbers(w), numbers(g)
    n, (alpha, signs) = len(weights), scaling(weights)
    common = sum(g_j * b for g_j, b in zip(gradient, signs, strict=True)) / n
    return shaped((straight_through(w_i, g_i) * alpha + b * common
                   for w_i, g_i, b in zip(weights, gradient, signs, strict=True)), w)


@scaling_gradient.must("beyond ±1 only α's derivative is left")
def _difference_quotients(f, w, g):
    """Where |w| > 1 the sign passes nothing, so what is left is α's own derivative, which can be measured."""
    w = np.where(np.abs(w) <= 1, np.where(w >= 0, 1.5, -1.5), w)
    step = 2.0**-12

    def loss(v):
        return np.sum(g * np.abs(v).mean() * np.where(v >= 0, 1, -1))

    steps = step * np.eye(w.size).reshape(w.size, *w.shape)
    slopes = np.reshape([(loss(w + e) - loss(w - e)) / (2 * step) for e in steps], w.shape)
    hold(np.abs(f(w, g) - slopes) <= (1e-6 + 64 * f.eps) * (1 + np.abs(g).sum()),
         "where all |W| > 1 it must be the derivative of Σ g·α·sign(W) through α alone")


def _terms(alpha=1.0, cross=1.0, window=lambda w: np.abs(w) <= 1, magnitude=lambda w: np.abs(w).mean()):
    def function(w, g):
        signs = np.where(w >= 0, 1, -1)
        return alpha * g * magnitude(w) * window(w) + cross * signs / w.size * np.sum(g * signs)
    return function


def _row_by_row(w, g):
    return np.reshape([_terms()(a, b) for a, b in zip(w, g, strict=True)], w.shape) if w.ndim > 1 else _terms()(w, g)


scaling_gradient.must_agree(64, lambda w, g: 1 + np.abs(g).sum())
scaling_gradient.trap("as printed", "this is the form that the paper prints, g·(1/n + α·sign'): it drops the cross "
                      "terms.", lambda w, g: g * (1 / w.size + np.abs(w).mean() * (np.abs(w) <= 1)), seen=True)
scaling_gradient.trap("α constant", "α is held constant: it depends on every weight.", _terms(cross=0.0))
scaling_gradient.trap("not clipped", "where |W| > 1 the sign passes nothing.", _terms(window=np.ones_like))
scaling_gradient.trap("sign constant", "the sign passes nothing here: within ±1 it passes the gradient.",
                      _terms(alpha=0.0))
scaling_gradient.trap("without α", "the sign's gradient is not scaled by α.", _terms(magnitude=lambda w: 1.0))
scaling_gradient.trap("row by row", "each row has a scale of its own: here one α is that of all weights.", _row_by_row)
