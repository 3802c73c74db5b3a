"""A student for which the same examples are alike as for its teacher."""

from minicompress import expect
from minicompress.engine import Tensor

from .teachers import teacher_array


def similarity_loss(student, teacher):
    """‖G̃_S − G̃_T‖_F² / b², G̃ = Q·Qᵀ with each row divided by its length: who is like whom in a batch (KD-10).

    Q is a network's features of b examples, flattened; the two may have different widths. A row of zeros stays zero.
    ``student`` is a Tensor (b, …), ``teacher`` an array or Tensor (b, …), of which none gets a gradient. Between 0 and
    4/b. Raises ValueError for different numbers of examples, or none. Source: Tung & Mori 2019, section 3.

    >>> import numpy as np
    >>> q = np.float32([[1, 0], [0, 1]])
    >>> round(similarity_loss(Tensor([[1.0], [1.0]]), q).item(), 4), similarity_loss(Tensor(3 * q), q).item()
    (0.2929, 0.0)
    """
    t, s = teacher_array(teacher, "features"), expect.a(Tensor, "student", student)
    expect.shaped("the teacher's features", t, f"({len(s.data)}, …), as the student's", t.ndim > 1 < s.ndim
                  and len(t) == len(s.data) and t.size and s.size)
    ours, theirs = _similarities(s), _similarities(Tensor(t.astype(s.dtype, copy=False)))
    return ((ours - theirs.detach()) ** 2).sum() / len(t) ** 2


def _similarities(features):
    """G̃ (b, b): rows of Q·Qᵀ of length 1, or 0."""
    q = features.reshape(len(features.data), -1)
    gram = q @ q.T
    squares = (gram * gram).sum(axis=1, keepdims=True)
    return gram / (squares + (squares.data == 0).astype(q.dtype)).sqrt()
