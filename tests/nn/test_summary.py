"""model.summary(): layers, shapes, parameters, multiply-accumulates (ME-3)."""

import numpy as np
import pytest

from minicompress import models, nn
from minicompress.engine import relu
from minicompress.equations.measures import summary as literal

RNG = np.random.default_rng(0)


def weights(model):
    return sum(p.size for p in model.parameters() if p.ndim > 1)


def test_lenet_300_100():
    model = models.lenet_300_100(rng=RNG)
    summary = model.summary()
    assert (weights(model), summary.parameters) == (266_200, 266_610) == literal.parameters([(300, 784), (100, 300),
                                                                                             (10, 100)])
    assert summary.macs == sum(literal.linear_macs(*sizes) for sizes in ((300, 784), (100, 300), (10, 100)))


def test_lenet_5():
    model = models.lenet_5(rng=RNG)
    summary = model.summary()
    assert (weights(model), summary.parameters) == (430_500, 431_080) == literal.parameters(
        [(20, 25), (50, 500), (500, 800), (10, 500)])
    rows = {row.name: row for row in summary.rows}
    assert rows["conv1"].macs == literal.conv2d_macs(20, 1, 5, 28)
    assert rows["conv2"].macs == literal.conv2d_macs(50, 20, 5, 12)
    assert rows["fc1"].macs == literal.linear_macs(500, 800)
    assert summary.macs == sum(row.macs for row in summary.rows)
    shapes = {"conv1": (20, 24, 24), "pool1": (20, 12, 12), "conv2": (50, 8, 8), "pool2": (50, 4, 4), "flatten": (800,),
              "fc2": (10,)}
    assert {name: rows[name].output_shape for name in shapes} == shapes


@pytest.mark.parametrize("options", [{"stride": 2}, {"padding": 2}, {"groups": 3},
                                     {"stride": 3, "padding": 1, "groups": 6}])
def test_convolutions_of_any_kind(options):
    model = nn.Sequential(nn.Conv2d(6, 12, 3, bias=False, **options, rng=RNG))
    assert model.summary((6, 11, 11)).macs == literal.conv2d_macs(12, 6, 3, 11, **options)


def test_each_layer_has_a_row_and_the_table_shows_it():
    model = nn.Sequential({"input": nn.ImageInput(1, 4, 4), "block": nn.Sequential(nn.Conv2d(1, 2, 3, rng=RNG),
                                                                                    nn.BatchNorm2d(2)),
                           "flat": nn.Flatten(), "drop": nn.Dropout(rng=None), "fc": nn.Linear(8, 1000, rng=RNG)})
    summary = model.summary()
    assert [(r.name, r.layer, r.output_shape, r.parameters, r.macs) for r in summary.rows] == [
        ("input", "ImageInput", (1, 4, 4), 0, 0), ("block.0", "Conv2d", (2, 2, 2), 20, 72),
        ("block.1", "BatchNorm2d", (2, 2, 2), 4, 0), ("flat", "Flatten", (8,), 0, 0), ("drop", "Dropout", (8,), 0, 0),
        ("fc", "Linear", (1000,), 9000, 8000)]
    lines = str(summary).splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "shape", "parameters", "MACs"]
    assert lines[-2].split() == ["fc", "Linear", "1000", "9,000", "8,000"]
    assert lines[-1].split() == ["total", "9,024", "8,072"] and str(summary) == repr(summary)


def test_a_layer_that_runs_twice_has_its_parameters_once():
    layer = nn.Linear(4, 4, rng=RNG)
    summary = nn.Sequential({"a": layer, "b": nn.ReLU(), "c": layer}).summary()
    assert (summary.parameters, summary.macs) == (20, 32)


def test_parameters_beside_layers_are_counted():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 3, rng=RNG)
            self.scale = nn.Parameter(np.ones(3, np.float32))

        def forward(self, x):
            return relu(self.inner(x)) * self.scale

    model = Scaled()
    assert model.summary().parameters == 18 == sum(p.size for p in model.parameters())


def test_counting_changes_nothing():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, rng=RNG), nn.BatchNorm2d(2))
    before = {name: array.tobytes() for name, array in model.state_dict().items()}
    model.summary((1, 8, 8))
    assert {name: array.tobytes() for name, array in model.state_dict().items()} == before and model.training


def test_a_model_that_does_not_say_what_it_takes_needs_to_be_told():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, rng=RNG))
    with pytest.raises(ValueError, match="input_shape"):
        model.summary()
