"""What one teacher says, or several together: σ(v; τ) is the softmax of v/τ, for logits v and a temperature τ."""

import numpy as np

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


def teacher_array(logits):
    """A teacher's logits as an array; TypeError and ValueError for what is not float, or not finite."""
    array = logits.data if isinstance(logits, Tensor) else np.asarray(logits)
    if array.dtype.char not in "fd":
        raise TypeError(f"the teacher's logits of shape {array.shape} are {array.dtype}, expected float32 or float64")
    if not np.isfinite(array).all():
        raise ValueError(f"the teacher's logits are not all finite: {np.sum(~np.isfinite(array))} of {array.size}")
    return array
