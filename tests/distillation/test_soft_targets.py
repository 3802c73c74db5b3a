"""What the losses of soft targets refuse, and what they leave alone; their laws are in tests/laws."""

import numpy as np
import pytest

from minicompress import distillation
from minicompress.engine import Tensor

Z, V, Y = np.array([[1.0, -2.0, 0.5]], np.float32), np.array([[2.0, 0.0, -4.0]], np.float32), np.array([2])
LOSS = {"temperature": 2.0, "alpha": 0.5}


@pytest.mark.parametrize(("temperature", "dtype"), [(1e-6, np.float32), (1e4, np.float32), (1e-6, float), (1e9, float)])
@pytest.mark.parametrize("largest", [1.0, 1e4])
def test_at_both_ends_of_the_temperatures_all_is_finite(temperature, dtype, largest):
    z = Tensor(np.array([[largest, -largest, 0.0]], dtype), requires_grad=True)
    v, scales = np.array([[-largest, largest, 0.0]], dtype), ("T^2", "1")
    losses = [distillation.soft_target_loss(z, v, Y, temperature=temperature, alpha=0.5, scale=c) for c in scales]
    (losses[0] + losses[1]).backward()
    assert np.isfinite([loss.item() for loss in losses]).all() and np.isfinite(z.grad).all()
    assert all(np.isfinite(distillation.log_softened(z, t).numpy()).all() for t in (temperature, 1e9))


def test_where_float32_would_lose_the_soft_gradient_it_is_refused():
    for z_type, v_type in ((np.float32, np.float32), (float, np.float32), (np.float32, float)):
        with pytest.raises(ValueError, match=r"temperature is 10001\.0, expected at most 10000\.0 for float32"):
            distillation.soft_target_loss(Tensor(Z.astype(z_type)), V.astype(v_type), Y, temperature=10_001, alpha=0.5)
    distillation.soft_target_loss(Tensor(Z), V, Y, temperature=1e9, alpha=1.0)  # of which nothing is soft


@pytest.mark.parametrize("classes", [2, 3, 10, 100, 1000])
def test_up_to_there_float32_loses_less_than_one_percent(classes):
    rng = np.random.default_rng(classes)
    for _ in range(20):
        v, difference = rng.normal(size=(2, 4, classes)).astype(np.float32)
        difference -= difference.mean(axis=1, keepdims=True)
        z = v + difference / np.abs(difference).max(axis=1, keepdims=True)
        gradients = []
        for dtype in (np.float32, float):
            student = Tensor(z.astype(dtype), requires_grad=True)
            distillation.soft_target_loss(student, v.astype(dtype), None, temperature=1e4, alpha=0.0).backward()
            gradients.append(student.grad)
        lost, size = (np.abs(g).max(axis=1) for g in (gradients[0] - gradients[1], gradients[1]))
        assert (lost < 0.01 * size).all()


@pytest.mark.parametrize("name", ["alpha", "beta"])
@pytest.mark.parametrize("value", ["x", [0.5], True, 1j])
def test_parts_that_are_no_numbers_are_refused(name, value):
    with pytest.raises(TypeError, match=rf"{name} is .*, expected a number"):
        distillation.soft_target_loss(Tensor(Z), V, Y, **LOSS | {name: value})


@pytest.mark.parametrize(("weight", "error"), [(-1, ValueError), (np.inf, ValueError), (np.nan, ValueError),
                                               (None, TypeError), (True, TypeError), ("1", TypeError)])
def test_a_weight_that_is_none_is_refused_by_its_own_name(weight, error):
    with pytest.raises(error, match=rf"^weight is {weight!r}, expected a"):
        distillation.lambda_loss(Tensor(Z), V, Y, temperature=2.0, weight=weight)


@pytest.mark.parametrize(("options", "message"), [
    ({"alpha": -0.1}, "alpha is -0.1"), ({"alpha": 1.5}, "alpha is 1.5, expected at most 1 unless beta is given"),
    ({"alpha": np.nan}, "alpha is nan"), ({"beta": -1.0}, "beta is -1.0"), ({"beta": np.inf}, "beta is inf"),
    ({"alpha": 0, "beta": 0}, "beta is 0, expected above 0, as alpha is 0"),
    ({"scale": "T"}, r"scale is 'T', expected .*'T\^2', '1'"),
    ({"combine": "mean"}, "combine is 'mean', expected one of .*'probabilities', 'logits'"),
    ({"weights": [0.5, 0.5]}, r"weights are \[0.5, 0.5\] for 1 teachers"), ({"weights": [0.9]}, "of sum 1"),
])
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        distillation.soft_target_loss(Tensor(Z), V, Y, **LOSS | options)


@pytest.mark.parametrize(("z", "v", "y", "error", "message"), [
    (Z, V, Y, TypeError, "a ndarray, expected a Tensor"),
    (Tensor(Z[0]), V, Y, ValueError, r"shape \(3,\), expected \(N, C\)"),
    (Tensor(Z), V[:, :2], Y, ValueError, r"teacher's logits have shape \(1, 2\), expected the student's, \(1, 3\)"),
    (Tensor(Z), V.astype(int), Y, TypeError, "are int64, expected float32 or float64"),
    (Tensor(Z), [V, V[:, :2]], Y, ValueError, r"shapes \[\(1, 3\), \(1, 2\)\], expected one"),
    (Tensor(Z), [], Y, ValueError, "for 0 teachers"),
    (Tensor(Z), V, None, ValueError, "alpha is 0.5, expected 0, as there are no labels"),
    (Tensor(Z), V, np.array([3]), ValueError, "span 3 to 3"),
])
def test_arguments_that_do_not_fit_are_refused(z, v, y, error, message):
    with pytest.raises(error, match=message):
        distillation.soft_target_loss(z, v, y, **LOSS)


def test_where_alpha_is_zero_labels_are_not_looked_at():
    values = {distillation.soft_target_loss(Tensor(Z), V, y, temperature=3.0, alpha=0.0).item()
              for y in (None, Y, np.array([99]))}
    assert len(values) == 1
