"""Losses of soft targets (Hinton, Vinyals & Dean 2015): the teacher's probabilities at a temperature, learnt.

Throughout z are a student's logits (N, C), v a teacher's, τ the temperature and σ(z; τ) the softmax of z/τ. Losses are
means over the batch.
"""

import numpy as np

from minicompress import expect
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
    temperature, (alpha, beta) = require_temperature(temperature), parts(alpha, beta, scale)
    expect.that(not alpha or target is not None, f"alpha is {alpha}, expected 0, as there are no labels")
    hard = alpha * functional.cross_entropy(student_logits, target) if alpha else 0.0
    if not beta:
        return hard
    p = soft_targets(teacher_logits, temperature=temperature, weights=weights, combine=combine)
    z = cooled(student_logits, temperature)
    _require_fit(p, z, temperature)
    return hard + beta * SCALES[scale](temperature) * functional.cross_entropy(z, p)


def _require_fit(p, z, temperature):
    fine = temperature <= HOTTEST_SINGLE or np.float32 not in (p.dtype, z.dtype)
    expect.shaped("the teacher's logits", p, f"the student's, {z.shape}", p.shape == z.shape)
    expect.that(fine, f"temperature is {temperature}, expected at most {HOTTEST_SINGLE} for float32, where rounding "
                "takes up to 1 % of the soft gradient; beyond, use float64")


def parts(alpha, beta, scale):
    """(alpha, beta), beta being 1 − alpha for None; TypeError for no numbers, ValueError for other ones or scales."""
    expect.one_of("scale", scale, SCALES)
    expect.number("alpha", alpha, 0)
    expect.that(alpha <= 1 or beta is not None, f"alpha is {alpha}, expected at most 1 unless beta is given")
    beta = 1 - alpha if beta is None else beta
    expect.number("beta", beta, 0)
    expect.that(alpha or beta, f"beta is {beta}, expected above 0, as alpha is 0")
    return float(alpha), float(beta)


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
    return soft_target_loss(student_logits, teacher_logits, target, temperature=temperature, alpha=1.0,
                            beta=expect.number("weight", weight, 0), scale="1")
