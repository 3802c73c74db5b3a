"""nn.functional.cross_entropy: labels or distributions, and nothing else."""

import numpy as np
import pytest

from minicompress import engine
from minicompress.engine import Tensor, gradcheck
from minicompress.nn import functional
from tests.engine import literal

Z = np.random.default_rng(0).standard_normal((5, 3))
LABELS = np.array([2, 0, 1, 1, 2])
ONE_HOT = np.eye(3)[LABELS]


def test_labels_and_distributions_by_the_letter():
    p = np.random.default_rng(1).dirichlet([1, 1, 1], 5)
    for target in (LABELS, p, ONE_HOT):
        got = functional.cross_entropy(Tensor(Z), target).item()
        assert abs(got - literal.cross_entropy(Z.tolist(), target.tolist())) < 1e-14


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64])
def test_labels_are_integers_of_any_size(dtype):
    expected = functional.cross_entropy(Tensor(Z), LABELS).item()
    assert functional.cross_entropy(Tensor(Z), LABELS.astype(dtype)).item() == expected
    assert functional.cross_entropy(Tensor(Z), LABELS.tolist()).item() == expected


def test_the_gradient_is_softmax_minus_target_over_the_batch():
    for target in (LABELS, ONE_HOT, Tensor(ONE_HOT)):
        z = Tensor(Z.copy(), requires_grad=True)
        functional.cross_entropy(z, target).backward()
        p = np.array([literal.softmax(row) for row in Z.tolist()])
        np.testing.assert_allclose(z.grad, (p - ONE_HOT) / 5, rtol=1e-12, atol=1e-15)


def test_a_target_may_learn_too():
    p = np.random.default_rng(2).dirichlet([2, 2, 2], 5)
    gradcheck(functional.cross_entropy, [Z, p])


def test_float64_distributions_serve_float32_logits():
    loss = functional.cross_entropy(Tensor(Z.astype(np.float32)), ONE_HOT)
    assert loss.dtype == np.float32


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_large_logits_stay_finite(scale):
    z = Tensor(np.array([[scale, 0.0], [0.0, scale]], np.float32), requires_grad=True)
    loss = functional.cross_entropy(z, np.array([1, 1]))
    loss.backward()
    assert loss.item() == 5000.0 and np.isfinite(z.grad).all()


@pytest.mark.parametrize(("logits", "target", "error", "message"), [
    (Z, np.array([0, 1, 2, 3, 0]), ValueError, r"labels span 0 to 3, expected 0 to 2"),
    (Z, np.array([0, -1, 2, 0, 0]), ValueError, "span -1 to 2"),
    (Z, np.array([0, 1]), ValueError, r"\(2,\), expected \(5,\) labels or \(5, 3\)"),
    (Z, np.array([[0], [1], [2], [0], [1]]), ValueError, r"\(5, 1\)"),
    (Z, 1, ValueError, r"shape \(\)"),
    (Z, np.ones((5, 4)) / 4, ValueError, r"\(5, 4\)"),
    (Z, LABELS.astype(float), TypeError, r"\(5,\) are float64, expected integers"),
    (Z, LABELS.astype(bool), TypeError, "bool"),
    (Z, ONE_HOT.astype(int), TypeError, r"\(5, 3\) are int64, expected floats"),
    (Z, np.ones((5, 3)), ValueError, "sum that is not 1"),
    (Z, ONE_HOT * 3 - 2 / 3, ValueError, "negative"),
    (Z, ONE_HOT * np.nan, ValueError, "sum that is not 1"),
    (Z, Tensor(LABELS.astype(float)), ValueError, r"\(5,\)"),
    (Z[0], 1, ValueError, r"logits have shape \(3,\), expected \(N, C\)"),
    (Z[:0], LABELS[:0], ValueError, r"logits have shape \(0, 3\)"),
])
def test_anything_else_raises_at_once(logits, target, error, message):
    with pytest.raises(error, match=message):
        functional.cross_entropy(Tensor(logits), target)


def test_logits_are_a_tensor():
    with pytest.raises(TypeError, match="logits is a list, expected a Tensor"):
        functional.cross_entropy([[0.0, 1.0]], np.array([1]))


def test_the_functions_are_the_engines():
    for name in ("batch_norm", "pad", "logsumexp", "max", "maximum", "where", "take", "concatenate", "abs"):
        assert getattr(functional, name) is getattr(engine, name)
