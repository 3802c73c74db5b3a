"""A student that learns its teacher's logits themselves."""

from minicompress import expect
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
    v, z = teacher_array(teacher_logits), expect.a(Tensor, "student_logits", student_logits)
    fits = z.ndim == 2 and v.shape == z.shape and v.size
    expect.shaped("the teacher's logits", v, f"the student's, {z.shape}, and (N, C), neither 0", fits)
    return ((z - v.astype(z.dtype, copy=False)) ** 2).sum() / (2 * len(v))
