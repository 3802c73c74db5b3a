"""What logit regression refuses; its law is in tests/laws."""

import numpy as np
import pytest

from minicompress import distillation
from minicompress.engine import Tensor

Z, V = np.array([[1.0, -2.0, 0.5]], np.float32), np.array([[2.0, 0.0, -4.0]], np.float32)


def test_regression_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"shape \(1, 2\), the student's \(1, 3\)"):
        distillation.logit_regression_loss(Tensor(Z), V[:, :2])
    with pytest.raises(TypeError, match="expected a Tensor"):
        distillation.logit_regression_loss(Z, V)
    for empty in (Z[:0], Z[:, :0]):
        with pytest.raises(ValueError, match=r"expected the same \(N, C\), neither 0"):
            distillation.logit_regression_loss(Tensor(empty), empty)
