"""A student that learns its teacher's logits themselves."""

from minicompress.engine import Tensor

from .teachers import teacher_array


def logit_regression_loss(student_logits, teacher_logits):
    """½‖z − v‖² per example, its mean over the batch (KD-23); the gradient per example is z − v.

    `soft_target_loss` at a high temperature (c = 1) has this one's gradient / (N·T²) for N classes, if z and v have
    equal means (KD-4). ``teacher_logits`` is an array or Tensor (N, C); none of it gets a gradient.

    >>> import numpy as np
    >>> logit_regression_loss(Tensor([[1.0, 2.0]]), np.array([[1.0, 4.0]], np.float32)).item()
    2.0
    """
    v = teacher_array(teacher_logits)
    if not isinstance(student_logits, Tensor):
        raise TypeError(f"student_logits are a {type(student_logits).__name__}, expected a Tensor")
    if student_logits.ndim != 2 or v.shape != student_logits.shape or not v.size:
        raise ValueError(f"the teacher's logits have shape {v.shape}, the student's {student_logits.shape}, expected "
                         "the same (N, C), neither 0")
    return ((student_logits - v.astype(student_logits.dtype, copy=False)) ** 2).sum() / (2 * len(v))
