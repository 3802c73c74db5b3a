"""Tensor: what it holds, what it refuses, its attributes, operators and methods."""

import copy

import numpy as np
import pytest

from minicompress import Tensor, engine


def test_it_holds_float32_or_float64():
    assert Tensor([1, 2]).dtype == Tensor(3.0).dtype == Tensor(np.float32(3)).dtype == np.float32
    assert Tensor(np.ones(2)).dtype == Tensor(np.float64(3)).dtype == np.float64
    for dtype in (np.int64, np.int8, np.uint8, bool, np.float16, complex):
        with pytest.raises(TypeError, match=rf"float32 or float64, got {np.dtype(dtype)} of shape \(2, 3\)"):
            Tensor(np.ones((2, 3), dtype))


def test_a_tensor_of_a_tensor_is_refused():
    with pytest.raises(TypeError, match="detach"):
        Tensor(Tensor([1.0]))


def test_attributes():
    x = Tensor(np.arange(6.0).reshape(2, 3))
    assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((2, 3), 2, 6, np.float64, 2)
    assert x.grad is None and x.requires_grad is False and Tensor(1.0, requires_grad=True).requires_grad
    assert isinstance(x.numpy(), np.ndarray)
    np.testing.assert_array_equal(x.numpy(), [[0, 1, 2], [3, 4, 5]])


def test_item_is_a_python_float():
    assert type(Tensor([[2.5]]).item()) is float
    with pytest.raises(ValueError, match=r"single element, got shape \(2,\)"):
        Tensor([1.0, 2.0]).item()


def test_detach_shares_the_data_without_the_history():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = (x * 2.0).detach()
    assert not y.requires_grad and y.numpy().tolist() == [2.0, 4.0]
    assert np.shares_memory(x.detach().numpy(), x.numpy())


def test_a_misspelled_attribute_raises():
    x = Tensor([1.0])
    with pytest.raises(AttributeError, match="did you mean 'reshape'"):
        x.reshpe(1)
    with pytest.raises(AttributeError):
        x.gard = np.ones(1)


def test_repr_says_values_dtype_and_gradient():
    assert repr(Tensor([1.0, 2.5], requires_grad=True)) == "Tensor([1. , 2.5], dtype=float32, requires_grad=True)"


def test_copies_are_apart():
    x = Tensor([1.0], requires_grad=True)
    y = copy.deepcopy(x)
    y.numpy()[0] = 5.0
    assert x.item() == 1.0 and y.requires_grad


X = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]])
OPERATORS = [
    lambda t: t + t, lambda t: t + 2, lambda t: 2.5 + t, lambda t: t - 2, lambda t: 2 - t, lambda t: t * 2,
    lambda t: 2 * t, lambda t: t / 2, lambda t: 2 / t, lambda t: -t, lambda t: t**2, lambda t: t**-1,
    lambda t: abs(t), lambda t: t @ t.T,
    lambda t: t[1], lambda t: t[:, ::2], lambda t: t[..., None], lambda t: t[np.array([1, 1])], lambda t: t.T,
    lambda t: t.sum(), lambda t: t.sum(axis=0), lambda t: t.mean(axis=1, keepdims=True), lambda t: t.max(axis=0),
    lambda t: t.var(axis=1), lambda t: t.reshape(3, 2), lambda t: t.reshape((6,)), lambda t: t.reshape(-1),
    lambda t: t.transpose(), lambda t: t.transpose(1, 0), lambda t: t.transpose((1, 0)), lambda t: t.clip(-1, 1),
    lambda t: 2 ** t, lambda t: 0.5 ** t,
    lambda t: X + t, lambda t: X * t, lambda t: X - t, lambda t: X / t, lambda t: X.T @ t, lambda t: t @ X.T,
]


@pytest.mark.parametrize("index", range(len(OPERATORS)))
def test_operators_and_methods_are_numpys(index):
    got, expected = OPERATORS[index](Tensor(X)), OPERATORS[index](X)
    assert isinstance(got, Tensor) and got.dtype == np.float64
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("name", ["exp", "tanh", "abs", "relu", "sigmoid", "softmax", "log_softmax", "logsumexp"])
def test_methods_are_the_functions(name):
    function = getattr(engine, {"abs": "absolute"}.get(name, name))
    np.testing.assert_array_equal(getattr(Tensor(X), name)().numpy(), function(Tensor(X)).numpy())
    np.testing.assert_array_equal(Tensor(X).pow(2).numpy(), X**2)
    np.testing.assert_array_equal(Tensor(X).maximum(0.3).minimum(Tensor(X[0])).numpy(),
                                  np.minimum(np.maximum(X, 0.3), X[0]))
    np.testing.assert_array_equal(Tensor(X).take([2, 0], axis=1).numpy(), X[:, [2, 0]])
    np.testing.assert_array_equal(Tensor(X[None]).flatten().numpy(), X.reshape(1, 6))
    np.testing.assert_array_equal(Tensor(X * X).sqrt().log().numpy(), np.log(np.sqrt(X * X)))


def test_every_differentiable_operator_passes_a_gradient():
    for operator in OPERATORS:
        x = Tensor(X.copy(), requires_grad=True)
        operator(x).sum().backward()
        assert x.grad.shape == X.shape


# Precision


@pytest.mark.parametrize("scalar", [2, 2.5, True, np.float64(2.5), np.float32(2.5), np.int64(2), np.array(2.5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scalars_adapt(scalar, dtype):
    x = Tensor(np.ones(3, dtype), requires_grad=True)
    for y in (x + scalar, scalar * x, scalar - x, x / scalar, engine.maximum(x, scalar)):
        assert y.dtype == dtype
    engine.where(np.array([True, False, True]), x, scalar).sum().backward()
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("call", [
    lambda a, b: a + b, lambda a, b: a @ b, engine.maximum, lambda a, b: engine.where(np.array(True), a, b),
    lambda a, b: engine.linear(a, b), lambda a, b: engine.concatenate([a, b]),
    lambda a, b: engine.conv2d(a.reshape(1, 1, 2, 2), b.reshape(1, 1, 2, 2)),
])
def test_precisions_do_not_mix(call):
    a, b = Tensor(np.ones((2, 2), np.float32)), Tensor(np.ones((2, 2)))
    for pair in ((a, b), (b, a)):
        with pytest.raises(TypeError, match=r"on shapes .*2, 2\).*: float(32|64) and float(32|64); convert"):
            call(*pair)


def test_float64_and_integer_arrays_do_not_raise_the_precision_of_float32():
    x = Tensor(np.ones(2, np.float32))
    for other in (np.ones(2), np.ones(2, np.int64)):
        with pytest.raises(TypeError, match=r"\(2,\), \(2,\): float32 and another precision"):
            x * other


# Errors, at once and with the shapes


def ones(*shape):
    return Tensor(np.ones(shape))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: ones(2, 3) + ones(2, 4), r"add on shapes \(2, 3\), \(2, 4\)"),
    (lambda: ones(2, 3) @ ones(2, 3), r"matmul on shapes \(2, 3\), \(2, 3\)"),
    (lambda: ones() @ ones(), r"matmul on shapes \(\), \(\)"),
    (lambda: ones(2, 3).reshape(4, 2), r"reshape on shapes \(2, 3\)"),
    (lambda: ones(2, 3).sum(axis=2), r"sum on shapes \(2, 3\): axis 2"),
    (lambda: ones(2, 3).transpose(0, 0), r"transpose on shapes \(2, 3\)"),
    (lambda: engine.concatenate([ones(2, 3), ones(2)]), r"shapes \(2, 3\), \(2,\)"),
    (lambda: engine.stack([ones(2, 3), ones(2)]), r"shapes \(2, 3\), \(2,\)"),
    (lambda: engine.pad(ones(2, 3), -1), r"pad on shapes \(2, 3\)"),
    (lambda: ones(2, 3).var(axis=0, correction=2), r"correction=2, shape \(2, 3\)"),
    (lambda: engine.linear(ones(2, 3), ones(5, 4)), r"\(2, 3\), \(5, 4\)"),
    (lambda: engine.linear(ones(3), ones(5, 3)), r"\(3,\), \(5, 3\)"),
    (lambda: engine.linear(ones(2, 3), ones(5, 3), ones(1)), r"bias has shape \(1,\), expected \(5,\)"),
    (lambda: engine.conv2d(ones(1, 2, 5, 5), ones(4, 3, 3, 3)), r"\(1, 2, 5, 5\).*\(4, 3, 3, 3\)"),
    (lambda: engine.conv2d(ones(1, 3, 5, 5), ones(4, 1, 3, 3), groups=3), "groups=3"),
    (lambda: engine.conv2d(ones(2, 5, 5), ones(4, 3, 3, 3)), r"\(2, 5, 5\)"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(1, 1, 3, 2)), "square filters"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(1, 1, 5, 5)), r"\(1, 1, 4, 4\).*kernel of 5"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(2, 1, 3, 3), ones(3)), r"\(3,\)"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(2, 1, 3, 3), stride=0), "stride is 0, expected an integer"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(2, 1, 3, 3), padding=-1), "padding is -1, expected an integer"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(2, 1, 3, 3), groups=0), "groups is 0, expected an integer"),
    (lambda: engine.conv2d(ones(0, 1, 4, 4), ones(2, 1, 3, 3)), r"images \(0, 1, 4, 4\).*expected .*nothing empty"),
    (lambda: ones(0, 3).var(axis=0), r"no elements, shape \(0, 3\)"),
    (lambda: engine.concatenate([ones(2), ones(2)], axis=None), "axis is None"),
    (lambda: engine.take(ones(3), [0], axis=1), r"take on shapes \(3,\).*axis 1"),
    (lambda: engine.max_pool2d(ones(1, 4, 4), 2), r"\(1, 4, 4\)"),
    (lambda: engine.max_pool2d(ones(1, 1, 4, 4), 5), r"\(1, 1, 4, 4\)"),
    (lambda: engine.avg_pool2d(ones(1, 1, 4, 4), 0), "kernel is 0, expected an integer"),
    (lambda: engine.avg_pool2d(ones(1, 1, 4, 4), 2, -1), "stride is -1, expected an integer"),
    (lambda: engine.global_avg_pool2d(ones(4, 4)), r"\(4, 4\)"),
    (lambda: engine.dropout(ones(4), 1.0, rng=np.random.default_rng(0)), "p is 1.0"),
    (lambda: engine.dropout(ones(4), -0.1, rng=np.random.default_rng(0)), "p is -0.1"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(2, 1, 3, 3), stride=(1, 1)), r"stride is \(1, 1\), expected"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), ones(2, 1, 3, 3), padding=0.5), "padding is 0.5, expected an integer"),
    (lambda: engine.max_pool2d(ones(1, 1, 4, 4), (2, 2)), r"kernel is \(2, 2\), expected an integer"),
    (lambda: engine.avg_pool2d(ones(1, 1, 4, 4), 2, 2.0), "stride is 2.0, expected an integer"),
    (lambda: (-2) ** ones(2), "the base of a power is -2, expected a finite number above 0"),
])
def test_shapes_that_do_not_fit_raise_at_once(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("call", "message"), [
    (lambda: engine.linear(np.ones((2, 3)), ones(4, 3)), "linear: x is a ndarray, expected a Tensor"),
    (lambda: engine.conv2d(ones(1, 1, 4, 4), np.ones((2, 1, 3, 3))), "weight is a ndarray"),
    (lambda: engine.max_pool2d(np.ones((1, 1, 4, 4)), 2), "x is a ndarray"),
    (lambda: engine.dropout([1.0], 0.5, rng=np.random.default_rng(0)), "x is a list"),
    (lambda: engine.dropout(ones(2), 0.5, rng=0), "rng is 0"),
    (lambda: engine.var(np.ones(2)), "x is a ndarray"),
    (lambda: np.asarray(ones(2)), r"use \.numpy\(\)"), (lambda: bool(ones()), "neither true nor false"),
    (lambda: "2" ** ones(2), "the base of a power is '2', expected a number"),
])
def test_arguments_of_another_kind_raise_at_once(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_float_is_the_one_element():
    assert float(Tensor([[2.5]])) == 2.5
    with pytest.raises(ValueError, match="single element"):
        float(ones(2))


def test_a_byte_order_that_is_not_the_machines_is_converted():
    for dtype in ("<f4", ">f4", "<f8", ">f8"):
        x = Tensor(np.array([1.0, 2.0], dtype))
        assert x.dtype.isnative and x.dtype.itemsize == int(dtype[-1]) and x.numpy().tolist() == [1.0, 2.0]
        assert (x + Tensor(np.ones(2, x.dtype))).dtype == x.dtype


def test_lists_and_integers_beside_a_tensor_are_taken_or_refused_with_the_way_out():
    pair = [1, 2]
    assert (Tensor(np.ones(2)) + pair).numpy().tolist() == [2.0, 3.0]
    for other in ([1.0, 2.0], np.array([1, 2])):
        with pytest.raises(TypeError, match=r"convert one, as by np.asarray\(…, np.float32\)"):
            Tensor([1.0, 2.0]) + other


@pytest.mark.parametrize("call", [lambda x: x[5], lambda x: x[0, [1, 99]], lambda x: engine.take(x, [2], axis=0),
                                  lambda x: engine.take(x[0], np.array([-4]))])
def test_an_index_out_of_range_raises_with_the_shape(call):
    with pytest.raises(IndexError, match=r"on shapes \((2, )?3,?\)"):
        call(Tensor(np.ones((2, 3)), requires_grad=True))


@pytest.mark.parametrize("call", [lambda x: x**x, lambda x: engine.where(x, x, x), lambda x: engine.clip(x, x, 3.0)])
def test_where_there_is_no_derivative_it_raises_before_backward(call):
    with pytest.raises(TypeError, match="no derivative by argument"):
        call(Tensor([1.0, 2.0], requires_grad=True))


def test_tensors_come_by_position():
    with pytest.raises(TypeError, match="value is a Tensor"):
        engine.pad(Tensor([1.0]), 1, value=Tensor(1.0))


def test_take_needs_integers():
    with pytest.raises(TypeError, match="bool"):
        engine.take(Tensor([1.0, 2.0]), np.array([True, False]))


@pytest.mark.parametrize("data", [None, [1.0, None], [[None]]])
def test_none_is_no_number(data):
    with pytest.raises(TypeError, match="None, expected numbers"):
        Tensor(data)


def test_equality_is_identity_as_sets_and_dicts_need_it():
    x, y = Tensor([1.0]), Tensor([1.0])
    assert x == x and x != y and len({x, y}) == 2 and y in [x, y] and {x: 1}[x] == 1
