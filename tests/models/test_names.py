"""Names become networks, and networks find their names."""

import numpy as np
import pytest

from minicompress import models, nn


def build(name, **data):
    return models.build(name, rng=np.random.default_rng(0), **data)


@pytest.mark.parametrize(("name", "data", "parameters"), [
    ("lenet-300-100", {}, 266_610),
    ("lenet-5", {}, 431_080),
    ("mlp:784,30,10", {}, 784 * 30 + 30 + 30 * 10 + 10),
    ("mlp:64,10", {"image_shape": (8, 8)}, 650),
    ("mlp:6,5,4,3", {"image_shape": (2, 3), "num_classes": 3}, 35 + 24 + 15),
])
def test_a_name_builds_its_network_and_is_found_again(name, data, parameters):
    model = build(name, **data)
    assert model.summary().parameters == parameters
    assert models.name_of(nn.describe(model)) == name


def test_the_same_seed_gives_the_same_weights():
    assert (build("lenet-5").fc1.weight.data == models.lenet_5(rng=np.random.default_rng(0)).fc1.weight.data).all()


@pytest.mark.parametrize("name", ["", "lenet", "LeNet-5", "lenet-300-100 ", "mlp", "resnet-18", "lenet-300-100-plain"])
def test_an_unknown_name_is_told_what_there_is(name):
    with pytest.raises(ValueError, match=r"expected lenet-300-100, lenet-5 or mlp:"):
        build(name)


@pytest.mark.parametrize("name", ["mlp:", "mlp:784", "mlp:784,", "mlp:784,,10", "mlp:784,0,10", "mlp:784,-3,10",
                                  "mlp:784,3.5,10", "mlp:784, 30,10", "mlp:784,3e2,10", "mlp:784,٣,10", "mlp:784,03,10",
                                  "mlp:784,30,10\n", "mlp:" + "9" * 5000])
def test_bad_sizes_are_refused(name):
    with pytest.raises(ValueError, match="as in mlp:784,300,10"):
        build(name)


def test_a_network_beyond_all_memory_is_refused_before_it_is_built():
    with pytest.raises(ValueError, match="79,400,000,000 weights, expected at most"):
        build("mlp:784,100000000,10")


@pytest.mark.parametrize(("name", "data", "fitting"), [
    ("lenet-300-100", {"image_shape": (8, 8)}, "mlp:64,300,100,10"),
    ("lenet-300-100", {"num_classes": 26}, "mlp:784,300,100,26"),
    ("lenet-5", {"image_shape": (8, 8)}, "mlp:64,300,100,10"),
    ("lenet-5", {"image_shape": (14, 56)}, "mlp:784,300,100,10"),
    ("lenet-5", {"num_classes": 11}, "mlp:784,300,100,11"),
    ("mlp:784,30,10", {"image_shape": (8, 8)}, "mlp:64,30,10"),
    ("mlp:64,30,20,10", {"image_shape": (8, 8), "num_classes": 3}, "mlp:64,30,20,3"),
])
def test_a_network_that_does_not_fit_is_told_what_would(name, data, fitting):
    with pytest.raises(ValueError, match=f"{fitting} would fit$"):
        build(name, **data)
    assert build(fitting, **data) is not None


@pytest.mark.parametrize("model", [
    nn.Sequential({"fc1": nn.Linear(4, 3, rng=None)}),
    nn.Sequential({"flatten": nn.Flatten(), "fc1": nn.Linear(4, 3, bias=False, rng=None)}),
    nn.Sequential({"flatten": nn.Flatten(), "fc1": nn.Linear(4, 3, rng=None), "fc2": nn.Linear(3, 2, rng=None)}),
    nn.Sequential({}), nn.Linear(4, 3, rng=None),
], ids=["no flatten", "no bias", "no relu", "empty", "one layer"])
def test_other_graphs_have_no_name(model):
    assert models.name_of(nn.describe(model)) is None


def test_a_description_that_only_names_arrays_has_no_name():
    assert models.name_of({"parameters": ["a.weight"], "buffers": []}) is None
