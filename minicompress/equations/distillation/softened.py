"""Softened probabilities (KD-1), and what the other pages of distillation need of them.

The formulas overflow as floats where logits are large. As `decimal.Decimal` numbers they don't, and give many digits.
"""

import math
from decimal import Decimal

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, tensor
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

HINTON_2015 = Paper("hinton2015distilling", ("Hinton, Geoffrey", "Vinyals, Oriol", "Dean, Jeff"),
                    "Distilling the Knowledge in a Neural Network", 2015, "NIPS Deep Learning Workshop",
                    arxiv="1503.02531")
TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 20.0)


def exp(x):
    """e^x as what x is, a float or a Decimal.

    >>> exp(0.0), exp(Decimal(0))
    (1.0, Decimal('1'))
    """
    return x.exp() if isinstance(x, Decimal) else math.exp(x)


def log(x):
    """The natural logarithm as what x is, a float or a Decimal.

    >>> log(1.0), log(Decimal(1))
    (0.0, Decimal('0'))
    """
    return x.ln() if isinstance(x, Decimal) else math.log(x)


def entropy(p):
    """H(p) = −Σ p log p in nats, with 0·log 0 = 0.

    >>> entropy([1.0, 0.0])
    0.0
    """
    return 0.0 - math.fsum(p_i * math.log(p_i) for p_i in p if p_i > 0)


def softmax(z):
    """Along the last axis, for the traps: as it should be."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(z):
    """Along the last axis, for the traps: as it should be."""
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def logits(rng, shape):
    """Eighths, now and then so large that exp overflows."""
    return eighths(rng, shape) * one_of(rng, 1, 1, 1, 1, 1000)


def is_finite(f, *inputs):
    hold(np.isfinite(f(*inputs)), "the answer is not finite: exp overflows (or a logarithm meets 0)")


def is_a_distribution(f, *inputs):
    p = f(*inputs)
    hold(p >= 0, "a probability is negative")
    close(f, p.sum(axis=-1), np.ones(p.shape[:-1]), f"the probabilities sum to {p.sum(axis=-1)}, expected 1")


# ---------------------------------------------------------------------------------------------------------------------
# KD-1

def _any_rank(rng, size):
    """One example, or some, or some of some: one example and one class among them."""
    before = one_of(rng, (), (), (1,), (size,), (3,), (2, 3))
    return logits(rng, (*before, one_of(rng, size + 1, size + 1, 1))), one_of(rng, *TEMPERATURES)


def _rows(softened):
    def function(z, T):
        return softened(tensor(z.reshape(-1, z.shape[-1])), T).numpy().reshape(z.shape)
    return function


@page("KD-1", cite=HINTON_2015("eq. 1"), latex=r"p_i = \frac{\exp(z_i / T)}{\sum_j \exp(z_j / T)}",
      implementation="minicompress.distillation.softened.softened", adapt=_rows, digits=True, inputs=_any_rank,
      cases=((np.array([0.0, 2.0]), 1.0), (np.array([1e4, 9999.0, -1e4]), 1.0),
             (np.array([[0.0, 2.0], [9.0, 9.0]]), 2.0), (np.array([[3.0]]), 4.0)))
def softened(z, T):
    """softened softmax

    p_i = exp(z_i/T) / Σ_j exp(z_j/T)

    z : logits of one example, (classes,), or of many, (…, classes): each example by itself, along the last axis
    T : temperature, a number above 0
    p : probabilities, of z's shape

    >>> softened([0.0, 0.0], 3.0), softened([[0.0, 0.0], [5.0, 5.0]], 3.0)
    ([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]])
    """
    if isinstance(z[0], list):
        return [softened(row, T) for row in z]
    total = 0
    for z_j in z:
        total += exp(z_j / T)
    return [exp(z_i / T) / total for z_i in z]


softened.must("is finite for large logits", is_finite)
softened.must("probabilities sum to 1", is_a_distribution)


@softened.must("keeps the order")
def _order_is_kept(f, z, T):
    order = np.argsort(z, axis=-1, kind="stable")
    hold(np.diff(np.take_along_axis(f(z, T), order, axis=-1), axis=-1) >= 0, "a larger logit has a smaller probability")


@softened.must("ignores a shift of all logits")
def _shifts_change_nothing(f, z, T):
    close(f, f(z + 16, T), f(z, T), "the same number added to every logit must change nothing", 256, 1.0)


@softened.must("entropy grows with T")
def _entropy_grows(f, z, T):
    for cold, warm in zip(*(f(z, t).reshape(-1, z.shape[-1]).tolist() for t in (T, 2 * T)), strict=True):
        cold, warm = entropy(cold), entropy(warm)
        hold(warm >= cold - 64 * f.eps, f"the entropy falls from {cold:.6g} to {warm:.6g} as T grows from {T} to {2*T}")


@softened.must("a very high T makes it uniform")
def _uniform_in_the_end(f, z, T):
    hold(np.abs(f(z, 1e9) - 1 / z.shape[-1]) <= 2 * np.ptp(z) / 1e9 + 64 * f.eps, "for T = 10⁹ all are nearly equal")


@softened.must("each example is by itself")
def _examples_apart(f, z, T):
    if z.ndim > 1:
        close(f, f(z, T)[-1], f(z[-1], T), "an example has other probabilities beside others than alone: the axis of "
              "the sum is the last one", 256, 1.0)


softened.must_agree(1024, lambda *_: 1.0)
softened.trap("overflow", "this is the formula as printed, whose exp overflows: subtract the largest logit first.",
              lambda z, T: np.exp(z / T) / np.exp(z / T).sum(axis=-1, keepdims=True), seen=True)
softened.trap("first axis", "this sums over the first axis, over examples: each example has a sum of its own.",
              lambda z, T: softmax(z.T / T).T if z.ndim == 2 else softmax(z / T), seen=True)
softened.trap("one sum", "this sums over all examples at once: each example has a sum of its own.",
              lambda z, T: softmax(z.ravel() / T).reshape(z.shape))
softened.trap("T multiplies", "this multiplies by T: a higher T must flatten, so it divides.",
              lambda z, T: softmax(z * T))
softened.trap("T forgotten", "this is the softmax at T = 1: the temperature is not used.", lambda z, T: softmax(z))
softened.trap("divided afterwards", "T divides the probabilities: it must divide the logits.",
              lambda z, T: softmax(z) / T)
softened.trap("logarithms", "these are the logarithms of the probabilities.", lambda z, T: log_softmax(z / T))
softened.trap("magnitudes", "this looks at magnitudes: a very negative logit becomes likely.",
              lambda z, T: softmax(np.abs(z) / T))
softened.trap("sigmoid", "these are sigmoids, one for each class: they don't sum to 1.",
              lambda z, T: 1 / (1 + np.exp(-np.clip(z / T, -500, 500))))
softened.trap("clipped", "the logits are clipped: far apart is not the same as 20 apart, and shifts must not matter.",
              lambda z, T: softmax(np.clip(z / T, -20, 20)))
