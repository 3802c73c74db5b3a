"""What one teacher says, or several together: σ(v; τ) is the softmax of v/τ, for logits v and a temperature τ."""

import numpy as np

from minicompress import expect
from minicompress.engine import Tensor

from .softened import softened

COMBINE = ("probabilities", "logits")


def soft_targets(teacher_logits, *, temperature, weights=None, combine="probabilities"):
    """What a student is to learn: σ(v; τ) of one teacher (KD-1), or a mixture of several (KD-5).

    Args:
        teacher_logits: an array or Tensor v (N, C), or a list of K of them, one of each teacher.
        weights: w (K,), none negative, of sum 1; by default 1/K each.
        combine: "probabilities" for p = Σ_k w_k σ(v_k; τ), "logits" for p = σ(Σ_k w_k v_k; τ).

    Returns an array (N, C) of distributions: nothing of a teacher's graph is kept. Raises ValueError for other shapes,
    weights or names, and for logits that are not finite. Source: Hinton et al. 2015, section 1, where several networks'
    predictions are averaged by an arithmetic or a geometric mean: the two variants.

    >>> sure, unsure = np.array([[4.0, 0.0]]), np.array([[0.0, 0.0]])
    >>> soft_targets([sure, unsure], temperature=1.0).round(2)
    array([[0.74, 0.26]])
    >>> soft_targets([sure, unsure], temperature=1.0, combine="logits").round(2)
    array([[0.88, 0.12]])
    """
    each = teacher_logits if isinstance(teacher_logits, list | tuple) else [teacher_logits]
    teachers = [teacher_array(logits) for logits in each]
    weights, shapes = mixture(weights, len(teachers), combine), [v.shape for v in teachers]
    expect.that(len(set(shapes)) == 1, f"the teachers' logits have shapes {shapes}, expected one (N, C)")
    if combine == "probabilities":
        teachers = [softened(Tensor(v), temperature).data for v in teachers]
    mixed = sum(v.dtype.type(w) * v for v, w in zip(teachers, weights, strict=True))
    return mixed if combine == "probabilities" else softened(Tensor(mixed), temperature).data


def mixture(weights, teachers, combine):
    """The weights of so many teachers, equal ones for None; ValueError, with the values, for what is no mixture."""
    expect.one_of("combine", combine, COMBINE)
    weights = np.full(teachers, 1 / max(teachers, 1)) if weights is None else np.asarray(weights, float)
    fits = weights.shape == (teachers,) and (weights >= 0).all() and abs(weights.sum() - 1) <= 1e-6  # none: sum 0
    expect.that(fits, f"weights are {weights.tolist()} for {teachers} teachers, expected one each, from 0 on, of sum 1")
    return weights


def teacher_array(given, what="logits"):
    """A teacher's logits, or features, as an array; TypeError and ValueError for what is not float, or not finite."""
    v = given.data if isinstance(given, Tensor) else np.asarray(given)
    expect.that(v.dtype.char in "fd", f"the teacher's {what} are {v.dtype}, expected float32 or float64", TypeError)
    return expect.reals(f"the teacher's {what}", v, finite=True)
