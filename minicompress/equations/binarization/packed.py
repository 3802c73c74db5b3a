"""Batch norm and sign as one comparison of integers (BI-10)."""

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.literal import listed
from minicompress.checker.page import page, resolve
from minicompress.checker.paper import Paper
from minicompress.checker.properties import agrees, hold

from .weights import plus_or_minus_one, sign

UMUROGLU_2017 = Paper("umuroglu2017finn", (
    "Umuroglu, Yaman", "Fraser, Nicholas J.", "Gambardella, Giulio", "Blott, Michaela", "Leong, Philip",
    "Jahre, Magnus", "Vissers, Kees"),
    "FINN: A Framework for Fast, Scalable Binarized Neural Network Inference", 2017, "FPGA", arxiv="1612.07119",
    doi="10.1145/3020078.3021744")
MOST_COUNTED = 4096  # |x| of the inputs


def batch_norm_sign(x, mean, deviation, gamma, beta):
    """The sign of γ·(x − μ)/σ + β, computed as it stands: what BI-10 must equal.

    >>> batch_norm_sign(3, mean=1, deviation=2, gamma=-1, beta=0), batch_norm_sign([1, 3], 1, 2, -1, 0)
    (-1, [1, -1])
    """
    if isinstance(x, list):
        return [batch_norm_sign(number, mean, deviation, gamma, beta) for number in x]
    return sign(gamma * (x - mean) / deviation + beta)


# ---------------------------------------------------------------------------------------------------------------------
# BI-10

def _norm_inputs(rng, size):
    """Powers of two and 64ths, so that the batch norm is exact; means where half precision has no 64ths left.

    One number, or some; many of them just at the threshold, or all on one side of it.
    """
    mean, gamma = one_of(rng, 0, 0, 2000, -2000), one_of(rng, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
    beta = one_of(rng, int(rng.integers(-3, 4)), int(rng.integers(-192, 193)) / 64, 64.0, -64.0)
    x = mean + rng.integers(-6, 7, one_of(rng, size + 2, size + 2, 1))
    return x, float(mean + rng.integers(-3, 4)), one_of(rng, 0.25, 0.5, 1.0, 2.0), gamma, float(beta)


def _folded(fold):
    def function(x, mean, deviation, gamma, beta):
        eps = 2.0**-10
        norm = resolve("minicompress.nn.BatchNorm1d")(1, eps=eps)
        norm.weight.set(np.float32([gamma]))
        norm.bias.set(np.float32([beta]))
        norm.set_buffer("running_mean", np.float32([mean]))
        norm.set_buffer("running_var", np.float32([deviation**2 - eps]))
        codes = resolve("minicompress.engine.Codes")(x.astype(np.int32)[:, None])
        return fold(norm, MOST_COUNTED)(codes).data[:, 0]
    return function


@page("BI-10", cite=UMUROGLU_2017("section 4.2.2"),
      latex=r"x_b = +1 \text{ if } \gamma > 0 \text{ and } x \ge \tau, \text{ or } \gamma < 0 \text{ and } x \le \tau, "
            r"\text{ or } \gamma = 0 \text{ and } \beta \ge 0;\; -1 \text{ otherwise};\quad "
            r"\tau = \mu - \beta\sigma/\gamma",
      implementation="minicompress.binarization.packed.fold", adapt=_folded, inputs=_norm_inputs,
      cases=((np.array([0, 1, 2]), 1.0, 1.0, -1.0, 0.0), (np.array([0, 1, 2]), 1.0, 1.0, 1.0, 0.0),
             (np.array([3]), 0.0, 1.0, 0.0, 0.0), (np.array([2000, 2001]), 2000.0, 1.0, 1.0, -0.25)))
def threshold_signs(x, mean, deviation, gamma, beta):
    """batch norm and sign as a threshold

    x_b = +1 if γ > 0 and x ≥ τ, or γ < 0 and x ≤ τ, or γ = 0 and β ≥ 0;  −1 otherwise;  τ = μ − β·σ/γ

    x : whole numbers, (n,)
    mean : μ, a number
    deviation : σ, a number above 0
    gamma : γ, a number
    beta : β, a number
    signs : x_b, the sign of the batch norm γ·(x − μ)/σ + β, (n,)

    τ : threshold, where the batch norm is 0

    >>> threshold_signs([1, 3], 1, 2, -1, 0), threshold_signs(1, 1, 2, 1, 0), threshold_signs(1, 1, 2, 0, -1)
    ([1, -1], 1, -1)
    """
    if isinstance(x, list):
        return [threshold_signs(number, mean, deviation, gamma, beta) for number in x]
    if gamma == 0:
        return sign(beta)
    tau = mean - beta * deviation / gamma
    return 1 if (x >= tau if gamma > 0 else x <= tau) else -1


threshold_signs.must("is +1 or −1", plus_or_minus_one)


@threshold_signs.must("γ's sign turns the comparison")
def _turned_round(f, x, mean, deviation, gamma, beta):
    if gamma:
        hold(f(2 * mean - x, mean, deviation, -gamma, beta) == f(x, mean, deviation, gamma, beta),
             "mirroring x at the mean and turning γ's sign must change nothing")


threshold_signs.must("is the sign of the batch norm", agrees(listed(batch_norm_sign), 0))


def _compared(ties=np.less_equal, flat=lambda beta: beta >= 0, shift=-1, rounding=lambda tau: tau, scale=1.0):
    """The comparison with what the traps vary."""
    def function(x, mean, deviation, gamma, beta):
        if not gamma:
            return np.full(x.shape, 1 if flat(beta) else -1)
        tau = rounding(mean + shift * beta * deviation**scale / gamma)
        return np.where(x >= tau if gamma > 0 else ties(x, tau), 1, -1)
    return function


def _one_way(x, mean, deviation, gamma, beta):
    return np.where(x >= (mean - beta * deviation / gamma if gamma else -np.inf if beta >= 0 else np.inf), 1, -1)


threshold_signs.trap("one way", "γ < 0 turns the comparison round: x ≤ τ.", _one_way)
threshold_signs.trap("ties", "for γ < 0 the threshold itself gives +1: there the batch norm is 0.",
                     _compared(ties=np.less))
threshold_signs.trap("γ = 0", "for γ = 0 the sign is that of β.", _compared(flat=lambda beta: True))
threshold_signs.trap("np.sign", "at the threshold np.sign gives 0.",
                     lambda x, mean, deviation, gamma, beta: np.sign(gamma * (x - mean) / deviation + beta))
threshold_signs.trap("τ rounded", "τ is rounded to half precision: beside a large μ its decimals are gone.",
                     _compared(rounding=lambda tau: float(np.float16(tau))))
threshold_signs.trap("τ cut off", "τ is cut off to a whole number: below 0 that is the wrong way.",
                     _compared(rounding=np.trunc))
threshold_signs.trap("β's sign", "β·σ/γ is added to μ: it is taken off.", _compared(shift=1))
threshold_signs.trap("σ forgotten", "σ is not used: β counts in deviations.", _compared(scale=0.0))
