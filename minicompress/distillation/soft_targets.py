"""Losses of soft targets (Hinton, Vinyals & Dean 2015): the teacher's probabilities at a temperature, learnt.

Throughout z are a student's logits (N, C), v a teacher's, τ the temperature and σ(z; τ) the softmax of z/τ. Losses are
means over the batch.
"""

import math
from numbers import Real

import numpy as np

from minicompress.nn import functional

from .softened import cooled, require_temperature
from .teachers import soft_targets

SCALES = {"T^2": lambda temperature: temperature**2, "1": lambda temperature: 1.0}
HOTTEST_SINGLE = 1e4  # beyond, too little is left of a difference of two probabilities in float32


def soft_target_loss(student_logits, teacher_logits, target, *, temperature, alpha, beta=None, scale="T^2",
                     weights=None, combine="probabilities"):
    """L = α·H(y, σ(z; 1)) + β·c·H(σ(v; τ), σ(z; τ)) (KD-2), with H(p, q) = −Σ p log q in nats.

    Per example ∂L/∂z = α(σ(z; 1) − y) + (βc/τ)(σ(z; τ) − σ(v; τ)): with c = τ² the soft part keeps its size as τ grows.
    In floats the two σ(·; τ) become ever more alike, and what rounding takes from their difference grows with τ: in
    float32 less than 1 % of the largest gradient up to τ = 10^4, if z − v (less its mean) reaches 1; so τ ends there.
    KL(σ(v; τ)‖σ(z; τ)) in place of H differs by what z has no part in, so its gradients are the same.

    Args:
        student_logits: z, a Tensor (N, C): gradients flow into it.
        teacher_logits: v, an array or Tensor (N, C), or a list of K of them (KD-5): none flow there.
        target: y as integers (N,) or distributions (N, C); not looked at, so possibly None, where alpha is 0.
        temperature: τ, from 10^−6 to 10^4, or to 10^9 if all logits are float64.
        alpha, beta: the weights of the two parts, none negative; beta is 1 − alpha unless given.
        scale: c by name, "T^2" for τ² or "1".
        weights, combine: of several teachers, see `soft_targets`.

    Raises TypeError and ValueError, with the values, for anything else. Source: Hinton et al. 2015, section 2.

    >>> from minicompress.engine import Tensor
    >>> z, v = Tensor([[0.0, 0.0]]), np.array([[0.0, 4.0]], np.float32)
    >>> round(soft_target_loss(z, v, None, temperature=2.0, alpha=0.0).item(), 4)  # 2² · log 2
    2.7726
    """
    temperature, (alpha, beta) = require_temperature(temperature), checked_parts(alpha, beta, scale)
    if alpha and target is None:
        raise ValueError(f"alpha is {alpha} but there are no labels: without any, alpha must be 0")
    hard = alpha * functional.cross_entropy(student_logits, target) if alpha else 0.0
    if not beta:
        return hard
    p = soft_targets(teacher_logits, temperature=temperature, weights=weights, combine=combine)
    z = cooled(student_logits, temperature)
    if p.shape != z.shape:
        raise ValueError(f"the teacher's logits have shape {p.shape}, the student's {z.shape}")
    if temperature > HOTTEST_SINGLE and np.float32 in (p.dtype, z.dtype):
        raise ValueError(f"temperature is {temperature!r}, expected at most {HOTTEST_SINGLE} for float32, in which "
                         "rounding takes up to 1 % of the soft gradient there; beyond, use float64")
    return hard + beta * SCALES[scale](temperature) * functional.cross_entropy(z, p)


def checked_parts(alpha, beta, scale):
    """(alpha, beta), beta being 1 − alpha for None; TypeError for no numbers, ValueError for other ones or scales."""
    if scale not in SCALES:
        raise ValueError(f"scale is {scale!r}, expected one of {tuple(SCALES)}")
    _require_number(alpha=alpha, beta=0.0 if beta is None else beta)
    if not 0 <= alpha < math.inf or (beta is None and alpha > 1):
        raise ValueError(f"alpha is {alpha!r}, expected a number of at least 0, and at most 1 unless beta is given")
    beta = 1 - alpha if beta is None else beta
    if not 0 <= beta < math.inf or alpha == beta == 0:
        raise ValueError(f"beta is {beta!r}, expected a finite number of at least 0, and above it if alpha is 0")
    return float(alpha), float(beta)


def _require_number(**numbers):
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"{name} is {number!r}, expected a number")


def lambda_loss(student_logits, teacher_logits, target, *, temperature, weight):
    """L = H(y, σ(z; 1)) + λ·H(σ(v; τ), σ(z; τ)), λ = ``weight`` (KD-3): `soft_target_loss` of α = 1, β = λ, c = 1.

    The text writes H(τ(o_S), τ(o_T)), the student first; meant is that the teacher's distribution is the target, as
    here. Raises TypeError and ValueError for a λ that is no finite number from 0 on, and as `soft_target_loss`.
    Source: MindSpore's textbook, equation 9.3.3.

    >>> from minicompress.engine import Tensor
    >>> z, v = Tensor([[0.0, 0.0]]), np.array([[0.0, 4.0]], np.float32)
    >>> round(lambda_loss(z, v, np.array([1]), temperature=2.0, weight=0.5).item(), 4)  # 1.5 · log 2
    1.0397
    """
    _require_number(weight=weight)
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight is {weight!r}, expected a finite number of at least 0")
    return soft_target_loss(student_logits, teacher_logits, target, temperature=temperature, alpha=1.0, beta=weight,
                            scale="1")
