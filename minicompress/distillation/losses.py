"""Soft targets (Hinton, Vinyals & Dean 2015): the teacher's probabilities at a temperature, and losses made of them.

Throughout z are a student's logits (N, C), v a teacher's, τ the temperature and σ(z; τ) the softmax of z/τ. Losses are
means over the batch.
"""

import math
from numbers import Real

import numpy as np

from minicompress.engine import Tensor, log_softmax, softmax
from minicompress.nn import functional

SCALES = {"T^2": lambda temperature: temperature**2, "1": lambda temperature: 1.0}
COMBINE = ("probabilities", "logits")
COLDEST, HOTTEST = 1e-6, 1e9  # within these nothing overflows for logits up to 10^4, even in float32
HOTTEST_SINGLE = 1e4  # beyond, too little is left of a difference of two probabilities in float32


def softened(logits, temperature):
    """The softmax at a temperature, p_i = exp(z_i/T) / Σ_j exp(z_j/T), of each row (KD-1).

    A higher T gives a flatter distribution over the classes, T = 1 is the softmax. ``logits`` is a Tensor (N, C), and
    so is the result, through which gradients flow. Raises ValueError unless T is a number from 10^−6 to 10^9, TypeError
    for anything but a Tensor. Source: Hinton et al. 2015, equation 1.

    >>> softened(Tensor([[0.0, 2.0]]), temperature=1.0).numpy().round(2)
    array([[0.12, 0.88]], dtype=float32)
    >>> softened(Tensor([[0.0, 2.0]]), temperature=20.0).numpy().round(2)
    array([[0.48, 0.52]], dtype=float32)
    """
    return softmax(_cooled(logits, temperature))


def log_softened(logits, temperature):
    """log p of `softened`, finite where p itself underflows to 0 (KD-1).

    >>> log_softened(Tensor([[0.0, 2000.0]]), temperature=1.0).numpy()
    array([[-2000.,     0.]], dtype=float32)
    """
    return log_softmax(_cooled(logits, temperature))


def _cooled(logits, temperature):
    """(z − max z)/T, which has z/T's softmax: the largest is 0 before anything is divided, so nothing overflows."""
    if not isinstance(logits, Tensor):
        raise TypeError(f"logits are a {type(logits).__name__}, expected a Tensor (N, C)")
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"logits have shape {logits.shape}, expected (N, C)")
    return (logits - logits.data.max(axis=1, keepdims=True)) / require_temperature(temperature)


def require_temperature(temperature):
    """The temperature as a float; ValueError unless it is a number from `COLDEST` to `HOTTEST`."""
    if isinstance(temperature, bool) or not isinstance(temperature, Real) or not COLDEST <= temperature <= HOTTEST:
        raise ValueError(f"temperature is {temperature!r}, expected a number from {COLDEST} to {HOTTEST}")
    return float(temperature)


def soft_targets(teacher_logits, *, temperature, weights=None, combine="probabilities"):
    """What a student is to learn: σ(v; τ) of one teacher (KD-1), or a mixture of several (KD-5).

    Args:
        teacher_logits: an array or Tensor v (N, C), or a list of K of them, one of each teacher.
        weights: w (K,), none negative, of sum 1; by default 1/K each.
        combine: "probabilities" for p = Σ_k w_k σ(v_k; τ), "logits" for p = σ(Σ_k w_k v_k; τ).

    Returns an array (N, C) of distributions: nothing of a teacher's graph is kept. Raises ValueError for other shapes,
    weights or names, and for logits that are not finite. Source: Hinton et al. 2015, section 2, where several networks'
    predictions are averaged by an arithmetic or a geometric mean: the two variants.

    >>> sure, unsure = np.array([[4.0, 0.0]]), np.array([[0.0, 0.0]])
    >>> soft_targets([sure, unsure], temperature=1.0).round(2)
    array([[0.74, 0.26]])
    >>> soft_targets([sure, unsure], temperature=1.0, combine="logits").round(2)
    array([[0.88, 0.12]])
    """
    teachers = [_array(v) for v in (teacher_logits if isinstance(teacher_logits, list | tuple) else [teacher_logits])]
    weights = checked_weights(weights, len(teachers), combine)
    if len({v.shape for v in teachers}) > 1:
        raise ValueError(f"teachers' logits have shapes {[v.shape for v in teachers]}, expected one (N, C)")
    if combine == "probabilities":
        teachers = [softened(Tensor(v), temperature).data for v in teachers]
    mixed = sum(v.dtype.type(w) * v for v, w in zip(teachers, weights, strict=True))
    return mixed if combine == "probabilities" else softened(Tensor(mixed), temperature).data


def checked_weights(weights, teachers, combine):
    """The weights of so many teachers, equal ones for None; ValueError, with the values, for what is no mixture."""
    if combine not in COMBINE:
        raise ValueError(f"combine is {combine!r}, expected one of {COMBINE}")
    weights = np.full(teachers, 1 / max(teachers, 1)) if weights is None else np.asarray(weights, float)
    if not teachers or weights.shape != (teachers,) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-6:
        raise ValueError(f"weights are {weights.tolist()} for {teachers} teachers, expected one each, none negative, "
                         "of sum 1")
    return weights


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
    z = _cooled(student_logits, temperature)
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

    >>> z, v = Tensor([[0.0, 0.0]]), np.array([[0.0, 4.0]], np.float32)
    >>> round(lambda_loss(z, v, np.array([1]), temperature=2.0, weight=0.5).item(), 4)  # 1.5 · log 2
    1.0397
    """
    _require_number(weight=weight)
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight is {weight!r}, expected a finite number of at least 0")
    return soft_target_loss(student_logits, teacher_logits, target, temperature=temperature, alpha=1.0, beta=weight,
                            scale="1")


def logit_regression_loss(student_logits, teacher_logits):
    """½‖z − v‖² per example, its mean over the batch (KD-23); the gradient per example is z − v.

    `soft_target_loss` at a high temperature (c = 1) has this one's gradient / (N·T²) for N classes, if z and v have
    equal means (KD-4). ``teacher_logits`` is an array or Tensor (N, C); none of it gets a gradient.

    >>> logit_regression_loss(Tensor([[1.0, 2.0]]), np.array([[1.0, 4.0]], np.float32)).item()
    2.0
    """
    v = _array(teacher_logits)
    if not isinstance(student_logits, Tensor):
        raise TypeError(f"student_logits are a {type(student_logits).__name__}, expected a Tensor")
    if student_logits.ndim != 2 or v.shape != student_logits.shape or not v.size:
        raise ValueError(f"the teacher's logits have shape {v.shape}, the student's {student_logits.shape}, expected "
                         "the same (N, C), neither 0")
    return ((student_logits - v.astype(student_logits.dtype, copy=False)) ** 2).sum() / (2 * len(v))


def _array(logits):
    array = logits.data if isinstance(logits, Tensor) else np.asarray(logits)
    if array.dtype.char not in "fd":
        raise TypeError(f"the teacher's logits of shape {array.shape} are {array.dtype}, expected float32 or float64")
    if not np.isfinite(array).all():
        raise ValueError(f"the teacher's logits are not all finite: {np.sum(~np.isfinite(array))} of {array.size}")
    return array
