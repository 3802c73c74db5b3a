"""Each layer: shapes, initial values, what it computes in training and in evaluation, what it refuses."""

import numpy as np
import pytest

from minicompress import nn
from minicompress.engine import Tensor
from tests.engine import literal


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(*shape):
    return rng(9).standard_normal(shape).astype(np.float32)


def test_linear_and_conv2d_compute_what_the_loops_compute():
    x, layer = normal(3, 4), nn.Linear(4, 2, rng=rng())
    expected = literal.linear(x.tolist(), layer.weight.data.tolist(), layer.bias.data.tolist())
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), expected, rtol=1e-5)
    x, layer = normal(2, 4, 6, 6), nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, rng=rng())
    expected = literal.conv2d(x.tolist(), layer.weight.data.tolist(), layer.bias.data.tolist(), 2, 1, 2)
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("make", "fan_in"), [
    (lambda rng: nn.Linear(64, 400, rng=rng), 64), (lambda rng: nn.Conv2d(8, 200, 3, groups=2, rng=rng), 36),
])
def test_initial_values_are_uniform_and_a_matter_of_the_generator(make, fan_in):
    layer, same, other = make(rng(1)), make(rng(1)), make(rng(2))
    bound = 1 / np.sqrt(fan_in)
    for name in ("weight", "bias"):
        values = getattr(layer, name).data
        assert values.dtype == np.float32 and np.abs(values).max() <= np.float32(bound)
        assert abs(values.std() - bound / np.sqrt(3)) < 4 * bound / np.sqrt(values.size)
        assert values.tobytes() == getattr(same, name).data.tobytes() != getattr(other, name).data.tobytes()


def test_without_bias():
    assert nn.Linear(3, 2, bias=False, rng=rng()).bias is None
    layer = nn.Conv2d(1, 2, 3, bias=False, rng=rng())
    assert layer.bias is None and len(layer.parameters()) == 1
    assert not layer(Tensor(np.zeros((1, 1, 3, 3), np.float32))).numpy().any()


@pytest.mark.parametrize("make", [
    lambda: nn.Linear(0, 3, rng=rng()), lambda: nn.Linear(3, -1, rng=rng()), lambda: nn.Linear(2.0, 3, rng=rng()),
    lambda: nn.Linear(True, 3, rng=rng()), lambda: nn.Conv2d(1, 1, 0, rng=rng()),
    lambda: nn.Conv2d(1, 1, 3, stride=0, rng=rng()), lambda: nn.Conv2d(1, 1, 3, padding=-1, rng=rng()),
    lambda: nn.Conv2d(3, 4, 3, groups=2, rng=rng()), lambda: nn.Conv2d(4, 3, 3, groups=2, rng=rng()),
    lambda: nn.MaxPool2d(0), lambda: nn.MaxPool2d(2, 0), lambda: nn.AvgPool2d(2.5), lambda: nn.BatchNorm1d(0),
    lambda: nn.BatchNorm1d(3, eps=0), lambda: nn.BatchNorm2d(3, momentum=1.5), lambda: nn.ImageInput(1, 0, 28),
    lambda: nn.Dropout(1.0, rng=rng()), lambda: nn.Dropout(-0.1, rng=rng()),
    lambda: nn.Dropout(float("nan"), rng=rng()),
])
def test_arguments_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match=r"is .*expected"):
        make()


@pytest.mark.parametrize("make", [lambda: nn.Linear(3, 2, rng=0), lambda: nn.Conv2d(1, 1, 3, rng=np.random),
                                  lambda: nn.Dropout(0.5, rng=1)])
def test_only_a_generator_is_a_generator(make):
    with pytest.raises(TypeError, match="expected a np"):
        make()


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.Linear(4, 2, rng=rng()), (3, 5)), (nn.Linear(4, 2, rng=rng()), (4,)),
    (nn.Conv2d(2, 3, 3, rng=rng()), (1, 3, 5, 5)),
    (nn.Conv2d(2, 3, 3, rng=rng()), (1, 2, 2, 5)), (nn.BatchNorm1d(4), (3, 5)), (nn.BatchNorm1d(4), (3, 4, 2)),
    (nn.BatchNorm2d(4), (3, 4)), (nn.BatchNorm2d(4), (3, 5, 2, 2)), (nn.MaxPool2d(2), (3, 4)),
    (nn.ImageInput(1, 28, 28), (2, 1, 8, 8)), (nn.ImageInput(1, 28, 28), (2, 64)),
    (nn.ImageInput(1, 28, 28), (2, 28, 28)),
])
def test_shapes_that_do_not_fit_are_in_the_message(layer, shape):
    with pytest.raises(ValueError) as caught:
        layer(Tensor(np.zeros(shape, np.float32)))
    assert str(shape) in str(caught.value)


def test_batch_norm_runs_its_statistics_by_the_letter():
    layer, mean, var = nn.BatchNorm1d(3, eps=1e-3, momentum=0.2), [0.0] * 3, [1.0] * 3
    for step in range(4):
        x = normal(6, 3) * (step + 1) + step
        y, means, variances = literal.batch_norm(x.tolist(), [1.0] * 3, [0.0] * 3, 1e-3)
        np.testing.assert_allclose(layer(Tensor(x)).numpy(), y, rtol=1e-4, atol=1e-5)
        mean = [0.8 * old + 0.2 * new for old, new in zip(mean, means, strict=True)]
        var = [0.8 * old + 0.2 * new * 6 / 5 for old, new in zip(var, variances, strict=True)]  # the sample's: n − 1
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-5)
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float32
    x = normal(2, 3)
    expected = (x - np.array(mean)) / np.sqrt(np.array(var) + 1e-3)
    np.testing.assert_allclose(layer.eval()(Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-5)  # evaluation learns nothing


def test_batch_norm_of_images_takes_each_channel_over_batch_and_space():
    layer, x = nn.BatchNorm2d(3), normal(4, 3, 5, 5) + np.arange(3, dtype=np.float32)[:, None, None]
    y = layer(Tensor(x)).numpy()
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0.0, atol=1e-6)
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1.0, rtol=1e-4)
    np.testing.assert_allclose(layer.running_mean, 0.1 * x.mean(axis=(0, 2, 3)), rtol=1e-4, atol=1e-6)


def test_batch_norm_in_training_needs_two_values_a_channel():
    with pytest.raises(ValueError, match=r"two values a channel.*\(1, 3\)"):
        nn.BatchNorm1d(3)(Tensor(normal(1, 3)))
    nn.BatchNorm1d(3).eval()(Tensor(normal(1, 3)))


def test_the_gradient_flows_through_the_batch_statistics():
    x = Tensor(normal(6, 3), requires_grad=True)
    (nn.BatchNorm1d(3)(x) * Tensor(normal(6, 3))).sum().backward()
    np.testing.assert_allclose(x.grad.sum(axis=0), 0.0, atol=1e-5)  # shifting a whole batch changes nothing


def test_dropout_drops_in_training_only():
    layer, x = nn.Dropout(0.4, rng=rng()), Tensor(np.ones((100, 100), np.float32))
    y = layer(x).numpy()
    np.testing.assert_allclose(np.unique(y), [0.0, 1 / 0.6], rtol=1e-6)
    assert abs(y.mean() - 1.0) < 5 * np.sqrt(0.4 / 0.6) / 100  # five standard deviations of the mean
    assert layer.eval()(x) is x
    assert layer.train()(x).numpy().tobytes() != y.tobytes()
    assert nn.Dropout(0.4, rng=rng())(x).numpy().tobytes() == y.tobytes()


def test_dropout_of_a_loaded_model_needs_a_generator_to_train():
    layer, x = nn.Dropout(0.5, rng=None), Tensor([1.0])
    assert layer.eval()(x) is x
    with pytest.raises(ValueError, match="rng"):
        layer.train()(x)
    assert nn.Dropout(0.0, rng=None)(x) is x


def test_flatten_and_image_input():
    x = Tensor(normal(2, 3, 4, 5))
    np.testing.assert_array_equal(nn.Flatten()(x).numpy(), x.numpy().reshape(2, 60))
    flat = Tensor(normal(2, 60))
    assert nn.Flatten()(flat) is flat
    layer = nn.ImageInput(3, 4, 5)
    assert layer(x) is x
    np.testing.assert_array_equal(layer(flat).numpy(), flat.numpy().reshape(2, 3, 4, 5))


def test_pools_have_the_window_as_stride_unless_told():
    x = Tensor(normal(1, 2, 7, 7))
    assert nn.MaxPool2d(2)(x).shape == nn.AvgPool2d(2)(x).shape == (1, 2, 3, 3)
    assert nn.MaxPool2d(3, 1)(x).shape == (1, 2, 5, 5) and nn.AvgPool2d(2, stride=3)(x).shape == (1, 2, 2, 2)


def test_sequential_is_a_list_with_names():
    first, second = nn.ReLU(), nn.Flatten()
    model = nn.Sequential({"act": first, "flat": second})
    assert len(model) == 2 and list(model) == [first, second] and model[-1] is second and model.act is first
    assert [name for name, _ in nn.Sequential(first, second).children()] == ["0", "1"]
    x = Tensor([[-1.0, 1.0]])
    assert nn.Sequential()(x) is x


@pytest.mark.parametrize("name", ["forward", "a.b", "", "training"])
def test_names_that_would_collide_are_refused(name):
    with pytest.raises(ValueError, match="can't name a layer"):
        nn.Sequential({name: nn.ReLU()})


def test_only_modules_go_into_sequential():
    with pytest.raises(TypeError, match="layer '1' is a function"):
        nn.Sequential(nn.ReLU(), lambda x: x)


def test_a_slice_of_a_sequential_is_one_of_the_same_layers():
    rng = np.random.default_rng(0)
    model = nn.Sequential({"fc1": nn.Linear(3, 4, rng=rng), "relu": nn.ReLU(), "fc2": nn.Linear(4, 2, rng=rng)})
    x = Tensor(rng.standard_normal((5, 3)).astype(np.float32))
    head, tail = model[:2], model[-1:]
    assert isinstance(head, nn.Sequential) and [name for name, _ in head.children()] == ["fc1", "relu"]
    assert head.fc1 is model.fc1 and model[0] is model.fc1 and model[-1] is tail.fc2 and list(model)[2] is model.fc2
    assert tail(head(x)).numpy().tobytes() == model(x).numpy().tobytes()
    assert len(nn.Sequential(*model)) == 3 and len(model[5:]) == 0


def test_the_running_statistics_of_images_by_hand():
    """8 values a channel, 0 … 7: mean 3.5, and variance Σ(x − 3.5)²/(8 − 1) = 42/7 = 6, as of a sample."""
    norm = nn.BatchNorm2d(1, momentum=0.25)
    norm(Tensor(np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)))
    np.testing.assert_allclose(norm.running_mean, [0.25 * 3.5], rtol=1e-6)
    np.testing.assert_allclose(norm.running_var, [0.75 * 1 + 0.25 * 6], rtol=1e-6)
