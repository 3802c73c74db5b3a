"""The LeNets and plain MLPs: sizes, what images they take, what they refuse."""

import numpy as np
import pytest

from minicompress import models, nn, training
from minicompress.engine import Tensor
from tests.engine import literal


def rng(seed=0):
    return np.random.default_rng(seed)


def images(*shape):
    return Tensor(rng(1).standard_normal(shape).astype(np.float32))


MODELS = [models.lenet_300_100, models.lenet_5, lambda *, rng: models.mlp([784, 20, 10], rng=rng)]


@pytest.mark.parametrize("make", MODELS)
def test_images_come_as_images_or_flat(make):
    model, x = make(rng=rng()), images(3, 1, 28, 28)
    y, flat = model(x), model(Tensor(x.numpy().reshape(3, 784)))
    assert y.shape == (3, 10) and y.dtype == np.float32
    assert y.numpy().tobytes() == flat.numpy().tobytes()


@pytest.mark.parametrize("make", MODELS)
def test_weights_are_a_matter_of_the_generator(make):
    def bits(seed):
        return [p.data.tobytes() for p in make(rng=rng(seed)).parameters()]

    assert bits(1) == bits(1) != bits(2)


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 64), (2, 1, 32, 32), (2, 3, 28, 28), (784,)])
def test_images_of_another_size_are_refused_with_the_shapes(make, shape):
    with pytest.raises(ValueError) as caught:
        make(rng=rng())(images(*shape))
    assert str(shape) in str(caught.value) or str((shape[0], int(np.prod(shape[1:])))) in str(caught.value)


def test_lenet_5_says_why_it_takes_28_by_28_only():
    for shape in ((8, 8), (32, 32), (28, 27)):
        with pytest.raises(ValueError, match=rf"image_shape is \({shape[0]}, {shape[1]}\).*50 channels of 4×4"):
            models.lenet_5(rng=rng(), image_shape=shape)
    models.lenet_5(rng=rng(), image_shape=[28, 28])


def test_lenet_5_is_its_layers_by_the_letter():
    model, x = models.lenet_5(rng=rng()), images(1, 1, 28, 28)
    w = {name: p.data.astype(float).tolist() for name, p in model.named_parameters()}
    y = literal.conv2d(x.numpy().astype(float).tolist(), w["conv1.weight"], w["conv1.bias"])
    y = literal.pool2d(y, 2, 2, max)
    y = literal.conv2d(y, w["conv2.weight"], w["conv2.bias"])
    y = np.array(literal.pool2d(y, 2, 2, max)).reshape(1, 800).tolist()
    y = np.maximum(literal.linear(y, w["fc1.weight"], w["fc1.bias"]), 0).tolist()
    y = literal.linear(y, w["fc2.weight"], w["fc2.bias"])
    np.testing.assert_allclose(model(x).numpy(), y, rtol=1e-4, atol=1e-5)


def test_layers_have_the_names_of_the_literature():
    assert [name for name, _ in models.lenet_300_100(rng=rng()).named_parameters()] == [
        "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias"]
    assert [name for name, p in models.lenet_5(rng=rng()).named_parameters() if p.ndim > 1] == [
        "conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"]


def test_an_mlp_has_relus_between_its_layers_only():
    model = models.mlp([6, 5, 4, 3], rng=rng())
    assert [type(layer).__name__ for layer in model] == ["Flatten", "Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert [layer.weight.shape for layer in model if isinstance(layer, nn.Linear)] == [(5, 6), (4, 5), (3, 4)]
    assert len(models.mlp(np.array([6, 3]), rng=rng())) == 2


@pytest.mark.parametrize("sizes", [[], [10], [784, 0, 10], [784, -3, 10], [784, 2.5, 10], ["784", "10"], [784, None]])
def test_an_mlp_of_no_sizes_is_refused(sizes):
    with pytest.raises(ValueError, match="at least two positive integers"):
        models.mlp(sizes, rng=rng())


def test_models_need_a_generator():
    with pytest.raises(TypeError, match="rng"):
        models.lenet_5()
    with pytest.raises(TypeError, match="expected a np"):
        models.lenet_300_100(rng=7)


@pytest.mark.parametrize("make", MODELS)
def test_they_learn_a_batch_by_heart(make):
    model, x, y = make(rng=rng()), images(20, 1, 28, 28).numpy(), np.arange(20) % 10
    optimizer = training.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    training.fit(model, (x, y), epochs=40, batch_size=20, optimizer=optimizer, rng=rng())
    assert training.evaluate(model, (x, y)).error == 0.0
