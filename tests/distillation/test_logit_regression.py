"""What logit regression refuses; its law is in tests/laws."""

import re

import numpy as np
import pytest

from minicompress import distillation
from minicompress.engine import Tensor

Z, V = np.array([[1.0, -2.0, 0.5]], np.float32), np.array([[2.0, 0.0, -4.0]], np.float32)


def test_regression_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"shape \(1, 2\), expected the student's, \(1, 3\)"):
        distillation.logit_regression_loss(Tensor(Z), V[:, :2])
    with pytest.raises(TypeError, match="expected a Tensor"):
        distillation.logit_regression_loss(Z, V)
    for empty in (Z[:0], Z[:, :0]):
        words = f"the teacher's logits have shape {empty.shape}, expected the student's, {empty.shape}, and (N, C)"
        with pytest.raises(ValueError, match=re.escape(f"{words}, neither 0")):
            distillation.logit_regression_loss(Tensor(empty), empty)
