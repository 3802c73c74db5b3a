"""What teachers may be, and that they get no gradient; the laws of their mixtures are in tests/laws."""

import numpy as np
import pytest

from minicompress import distillation
from minicompress.engine import Tensor

Z, V, Y = np.array([[1.0, -2.0, 0.5]], np.float32), np.array([[2.0, 0.0, -4.0]], np.float32), np.array([2])
LOSS = {"temperature": 2.0, "alpha": 0.5}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_teacher_that_has_diverged_is_named(value):
    for teachers in (np.float32([[value, 0, 1]]), [V, np.float32([[value, 0, 1]])]):
        with pytest.raises(ValueError, match="the teacher's logits hold 1 NaN or infinite of 3 numbers"):
            distillation.soft_target_loss(Tensor(Z), teachers, Y, **LOSS)
    with pytest.raises(ValueError, match="the teacher's logits hold 1 NaN or infinite of 3 numbers"):
        distillation.logit_regression_loss(Tensor(Z), np.float32([[value, 0, 1]]))


@pytest.mark.parametrize("teacher", [V, Tensor(V, requires_grad=True), [Tensor(V, requires_grad=True), V]])
def test_no_gradient_reaches_a_teacher(teacher):
    z = Tensor(Z, requires_grad=True)
    (distillation.soft_target_loss(z, teacher, Y, **LOSS) + distillation.logit_regression_loss(z, V)).backward()
    assert z.grad.any() and not any(v.grad is not None for v in (teacher if isinstance(teacher, list) else [teacher])
                                    if isinstance(v, Tensor))


def test_a_mixture_keeps_the_teachers_precision():
    for dtype in (np.float32, float):
        for combine in ("probabilities", "logits"):
            assert distillation.soft_targets([V.astype(dtype)] * 2, temperature=2.0, weights=[0.25, 0.75],
                                             combine=combine).dtype == dtype


def test_the_teacher_may_have_another_precision():
    for z_type, v_type in ((np.float32, np.float64), (np.float64, np.float32)):
        z = Tensor(Z.astype(z_type), requires_grad=True)
        loss = distillation.soft_target_loss(z, V.astype(v_type), Y, **LOSS)
        (loss + distillation.logit_regression_loss(z, V.astype(v_type))).backward()
        assert loss.dtype == z.grad.dtype == z_type


def test_one_teacher_in_a_list_is_that_teacher_bit_for_bit():
    values = {distillation.soft_target_loss(Tensor(Z), v, Y, combine=combine, **LOSS).item()
              for v in (V, [V], Tensor(V), (V,)) for combine in ("probabilities", "logits")}
    assert len(values) == 1
