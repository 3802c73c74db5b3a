"""Values and derivatives where they are delicate: large numbers, ties, kinks, repeats, randomness."""

import numpy as np
import pytest
import scipy.special

from minicompress import engine
from minicompress.engine import Tensor, surrogate

GENTLE = np.random.default_rng(0).standard_normal((4, 5))


def gradient(f, x, seed=None):
    x = Tensor(np.asarray(x, np.float64), requires_grad=True)
    y = f(x)
    y.backward(np.ones(y.shape) if seed is None else seed)
    return x.grad


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_softmax_and_its_kin_are_finite_at_ten_thousand(dtype, scale):
    z = Tensor(np.array([[scale, 0.0, -scale], [scale, scale, 0.0]], dtype), requires_grad=True)
    top = abs(scale)
    np.testing.assert_array_equal(engine.logsumexp(z).numpy()[0], dtype(top))
    p, log_p = engine.softmax(z), engine.log_softmax(z)
    np.testing.assert_array_equal(p.numpy()[0], [1.0, 0.0, 0.0][::int(np.sign(scale))])
    assert np.isfinite(log_p.numpy()).all() and log_p.numpy()[0].min() == -2 * top
    (p.sum() + log_p.sum() + engine.logsumexp(z).sum()).backward()
    assert np.isfinite(z.grad).all()


def test_softmax_sums_to_one_and_ignores_a_shift():
    p = engine.softmax(Tensor(GENTLE)).numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-15)
    np.testing.assert_allclose(engine.softmax(Tensor(GENTLE + 1e3)).numpy(), p, rtol=1e-12)


def test_sigmoid_and_tanh_saturate_without_overflow():
    x = [-1e4, -1.0, 0.0, 1.0, 1e4]
    assert engine.sigmoid(Tensor(x)).numpy()[[0, 2, 4]].tolist() == [0.0, 0.5, 1.0]
    assert engine.tanh(Tensor(x)).numpy()[[0, 2, 4]].tolist() == [-1.0, 0.0, 1.0]
    assert np.isfinite(gradient(engine.sigmoid, x)).all()


def test_max_pool_gives_all_to_the_first_of_equal_maxima():
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 2:, 2:] = [[1.0, 5.0], [5.0, 5.0]]
    expected = np.zeros((4, 4))
    expected[0, 0] = expected[0, 2] = expected[2, 0] = expected[2, 3] = 1.0
    np.testing.assert_array_equal(gradient(lambda x: engine.max_pool2d(x, 2), x)[0, 0], expected)


def test_overlapping_windows_add_up():
    x = np.zeros((1, 1, 1, 5))
    x[0, 0, 0, 2] = 1.0
    y = engine.max_pool2d(Tensor(np.repeat(x, 3, axis=2)), 3, 1)
    assert y.shape == (1, 1, 1, 3)
    assert gradient(lambda x: engine.max_pool2d(x, 3, 1), np.repeat(x, 3, axis=2))[0, 0, 0, 2] == 3.0


def test_equal_maxima_share_the_gradient():
    np.testing.assert_array_equal(gradient(lambda x: x.max(), [1.0, 3.0, 3.0]), [0.0, 0.5, 0.5])
    np.testing.assert_array_equal(gradient(lambda x: engine.maximum(x, 2.0), [1.0, 2.0, 3.0]), [0.0, 0.5, 1.0])
    np.testing.assert_array_equal(gradient(lambda x: engine.minimum(x, 2.0), [1.0, 2.0, 3.0]), [1.0, 0.5, 0.0])
    np.testing.assert_array_equal(gradient(lambda x: engine.maximum(x, x), [1.0, 2.0]), [1.0, 1.0])
    np.testing.assert_array_equal(gradient(lambda x: engine.maximum(x, np.inf), [np.inf, 0.0]), [0.5, 0.0])


def test_kinks():
    np.testing.assert_array_equal(gradient(engine.relu, [-1.0, 0.0, 1.0]), [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(gradient(engine.absolute, [-1.0, 0.0, 1.0]), [-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(gradient(lambda x: x.clip(-1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0]), [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(gradient(lambda x: x.clip(None, 1), [-2.0, 1.0, 2.0]), [1, 1, 0])


def test_powers_at_zero():
    np.testing.assert_array_equal(gradient(lambda x: x**0, [0.0, 2.0]), [0.0, 0.0])
    np.testing.assert_array_equal(gradient(lambda x: x**1, [0.0, 2.0]), [1.0, 1.0])
    np.testing.assert_array_equal(gradient(lambda x: x**2, [0.0, 2.0]), [0.0, 4.0])


def test_the_root_of_zero_has_an_infinite_derivative_and_numpy_says_so():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert gradient(engine.sqrt, [0.0]) == np.inf


def test_where_does_not_let_what_is_not_chosen_through():
    x = Tensor([np.nan, np.inf, 1.0], requires_grad=True)
    y = engine.where(np.array([False, False, True]), x, 0.0)
    y.sum().backward()
    assert y.numpy().tolist() == [0.0, 0.0, 1.0] and x.grad.tolist() == [0.0, 0.0, 1.0]
    assert not np.signbit(y.numpy()).any()


@pytest.mark.parametrize("f", [lambda x, i: x[i], engine.take], ids=["index", "take"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_gradients_add_up_where_an_index_repeats(f, dtype):
    g = gradient(lambda x: f(x, np.array([[2, 0], [2, 2]], dtype)), [1.0, 2.0, 3.0], np.array([[1.0, 2.0], [4.0, 8.0]]))
    np.testing.assert_array_equal(g, [2.0, 0.0, 13.0])


def test_the_gradient_of_take_is_the_centroid_gradient():
    """(QU-12) ∂L/∂C_k = Σ_ij ∂L/∂W_ij · 1[I_ij = k], by the sum as it is printed."""
    rng = np.random.default_rng(1)
    codes, g = rng.integers(0, 6, (7, 9)), rng.standard_normal((7, 9))
    expected = [sum(g[i, j] for i in range(7) for j in range(9) if codes[i, j] == k) for k in range(6)]
    for layout in (codes, np.asfortranarray(codes), codes.astype(np.uint8), codes - 6):
        got = gradient(lambda c, i=layout: engine.take(c, i), np.zeros(6), g)
        np.testing.assert_allclose(got, expected, rtol=1e-13)


def test_a_centroid_that_nobody_uses_has_gradient_zero():
    np.testing.assert_array_equal(gradient(lambda c: engine.take(c, np.array([0, 0])), np.ones(3)), [2.0, 0.0, 0.0])


def test_dropout_keeps_the_mean_and_zeroes_the_stated_share():
    x = np.ones((200, 500), np.float32)
    y = engine.dropout(Tensor(x), 0.3, rng=np.random.default_rng(0)).numpy()
    n, p = x.size, 0.3
    assert abs(np.mean(y == 0) - p) < 5 * np.sqrt(p * (1 - p) / n)  # five standard deviations
    np.testing.assert_allclose(np.unique(y), [0.0, 1 / 0.7], rtol=1e-6)


def test_dropout_is_a_matter_of_its_generator():
    x = Tensor(np.ones((4, 50), np.float32))
    a, b, c = (engine.dropout(x, 0.5, rng=np.random.default_rng(seed)).numpy() for seed in (1, 1, 2))
    assert a.tobytes() == b.tobytes() != c.tobytes()


def test_inputs_that_are_all_zero_give_the_bias_and_no_gradient():
    w, b = (Tensor(np.ones(shape), requires_grad=True) for shape in ((3, 4), (3,)))
    y = engine.linear(Tensor(np.zeros((2, 4))), w, b)
    np.testing.assert_array_equal(y.numpy(), np.ones((2, 3)))
    y.sum().backward()
    assert not w.grad.any() and w.grad.shape == (3, 4)
    np.testing.assert_array_equal(b.grad, [2.0, 2.0, 2.0])


def test_every_public_op_says_what_it_does():
    for name in engine.__all__:
        assert getattr(engine, name).__doc__, name


def test_linear_of_inputs_with_zero_columns_gives_both_literal_gradients():
    """∂L/∂x = g W and ∂L/∂W = gᵀ x, whether or not features are zero in the whole batch."""
    rng = np.random.default_rng(3)
    x, w, g = rng.standard_normal((3, 10)), rng.standard_normal((2, 10)), rng.standard_normal((3, 2))
    x[:, [0, 3, 4, 8]] = 0.0
    dx = [[sum(g[n, o] * w[o, i] for o in range(2)) for i in range(10)] for n in range(3)]
    dw = [[sum(g[n, o] * x[n, i] for n in range(3)) for i in range(10)] for o in range(2)]
    for asked in ((True, True), (False, True), (True, False)):
        leaves = [Tensor(a.copy(), requires_grad=wanted) for a, wanted in zip((x, w), asked, strict=True)]
        y = engine.linear(*leaves)
        np.testing.assert_allclose(y.numpy(), x @ w.T, rtol=1e-12)
        y.backward(g)
        for leaf, wanted, expected in zip(leaves, asked, (dx, dw), strict=True):
            assert (leaf.grad is not None) == wanted
            if wanted:
                np.testing.assert_allclose(leaf.grad, expected, rtol=1e-12, atol=1e-15)


def test_a_weight_that_is_not_finite_shows_without_a_graph_whatever_the_inputs():
    x, w = Tensor([[1.0, 0.0, 0.0]]), Tensor([[1.0, np.nan, np.inf]], requires_grad=True)
    with engine.no_grad(), np.errstate(invalid="ignore"):
        assert np.isnan(engine.linear(x, w).item())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("row", [[np.inf, 0.0], [-np.inf, 0.0], [-np.inf, -np.inf], [np.inf, np.inf], [np.nan, 1.0],
                                 [np.inf, -np.inf], [np.inf, 1e30], [1e4, -1e4]])
def test_what_is_not_finite_goes_through_logsumexp_as_in_scipy(row, dtype):
    z = np.array([row, [0.0, 1.0]], dtype)
    with np.errstate(all="ignore"):
        expected, expected_log = scipy.special.logsumexp(z, axis=1), scipy.special.log_softmax(z, axis=1)
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(engine.logsumexp(Tensor(z)).numpy(), expected, rtol=tolerance)
    np.testing.assert_allclose(engine.log_softmax(Tensor(z)).numpy(), expected_log, rtol=tolerance)


def test_fake_quantize_passes_the_gradient_at_both_ends_of_its_range():
    """low ≤ x ≤ high (QU-8): the ends count as inside, their neighbours in float64 do not."""
    low, high = -0.5, 3.5
    at = [np.nextafter(low, -1), low, np.nextafter(low, 1), np.nextafter(high, 3), high, np.nextafter(high, 4)]
    found = gradient(lambda x: surrogate.fake_quantize(x, x.data.round(), low, high), at)
    assert found.tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize(("channels", "given"), [(3, 1), (1, 3), (3, 2)])
def test_batch_norm_takes_one_number_a_channel_and_broadcasts_none(which, channels, given):
    arrays = [np.ones(channels) for _ in range(4)]
    arrays[which] = np.ones(given)
    x, (weight, bias, mean, var) = Tensor(np.ones((2, channels))), map(Tensor, arrays)
    with pytest.raises(ValueError, match=rf"x has shape \(2, {channels}\), .*\({given},\).*expected"):
        engine.batch_norm(x, weight, bias, mean, var, 1e-5)
