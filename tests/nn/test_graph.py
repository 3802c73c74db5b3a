"""A network as a declaration: there and back, and nothing but declarations."""

import inspect
import json
import reprlib
import tracemalloc

import numpy as np
import pytest

from minicompress import models, nn, training
from minicompress.nn import graph, layers
from minicompress.nn.graph import CONTAINERS, LAYERS, MAX_DEPTH

RNG = np.random.default_rng(0)
OWN = [layer for layer in LAYERS.values() if layer.__module__.startswith(layers.__name__ + ".")]


def smallest(layer):
    """A layer found in the folder, each number that it must be given a 2."""
    parameters = inspect.signature(layer.__init__).parameters.values()
    needed = [2 for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty and p.name != "self"]
    return layer(*needed, **({"rng": RNG} if any(p.name == "rng" for p in parameters) else {}))


EXAMPLES = [
    *map(smallest, OWN),
    nn.Linear(3, 2, rng=RNG), nn.Linear(3, 2, bias=False, rng=RNG),
    nn.Conv2d(4, 6, 3, rng=RNG), nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=False, rng=RNG),
    nn.Conv2d(np.int64(4), np.int64(4), np.int64(3), groups=np.int64(4), rng=RNG),
    nn.BatchNorm1d(3), nn.BatchNorm2d(3, eps=1e-3), nn.BatchNorm2d(3, momentum=np.float64(0.25)), nn.ReLU(),
    nn.Dropout(rng=RNG), nn.Dropout(np.float32(0.25), rng=RNG), nn.MaxPool2d(2), nn.MaxPool2d(3, 2), nn.AvgPool2d(2),
    nn.AvgPool2d(2, 1), nn.Flatten(), nn.ImageInput(1, 28, 28), nn.Sequential(),
    nn.Identity(), nn.Concatenate(nn.ReLU(), nn.Identity()),
    nn.Add({"body": nn.Sequential(nn.Linear(3, 3, rng=RNG), nn.ReLU()), "shortcut": nn.Identity()}),
    nn.Sequential(nn.Flatten(), nn.Sequential({"inner": nn.Linear(2, 2, rng=RNG), "act": nn.ReLU()})),
    models.mlp([4, 3, 2], rng=RNG), models.lenet_300_100(rng=RNG), models.lenet_5(rng=RNG),
]


def structure(model):
    """All that a declaration must bring back: classes, names, shapes and options."""
    return [(name, type(module).__name__, None if isinstance(module, CONTAINERS) else module.config(),
             [p.shape for p in module.parameters()], [b.shape for _, b in module.named_buffers()])
            for name, module in model.named_modules()]


@pytest.mark.parametrize("model", EXAMPLES, ids=[type(model).__name__ for model in EXAMPLES])
def test_build_undoes_describe(model):
    text = json.dumps(nn.describe(model))
    built = nn.build(json.loads(text))
    assert structure(built) == structure(model)
    assert json.dumps(nn.describe(built)) == text


def test_every_layer_has_an_example():
    assert {type(model) for model in EXAMPLES} == set(OWN)


def test_defaults_go_without_saying():
    assert nn.describe(nn.Linear(3, 2, rng=RNG)) == ["Linear", 3, 2]
    assert nn.describe(nn.Linear(3, 2, bias=False, rng=RNG)) == ["Linear", 3, 2, False]
    assert nn.describe(nn.Conv2d(1, 2, 3, groups=1, rng=RNG)) == ["Conv2d", 1, 2, 3]
    assert nn.describe(nn.BatchNorm1d(3, eps=float("1e-5"))) == ["BatchNorm1d", 3]
    assert nn.describe(nn.MaxPool2d(2, 2)) == ["MaxPool2d", 2]


def test_a_built_model_computes_like_the_described_one_once_loaded():
    model = models.lenet_5(rng=np.random.default_rng(3))
    built = nn.build(nn.describe(model))
    built.load_state_dict(model.state_dict())
    x = np.random.default_rng(4).standard_normal((3, 784)).astype(np.float32)
    assert training.predict(built, x).tobytes() == training.predict(model, x).tobytes()


@pytest.mark.parametrize("description", [
    ["Linear", 10**7, 10**7], ["Conv2d", 10**4, 10**4, 1000], ["BatchNorm2d", 10**9],
    ["Sequential", ["a", ["Linear", 10**6, 10**6]], ["b", ["BatchNorm1d", 10**8]]],
])
def test_blank_parameters_take_no_memory(description):
    tracemalloc.start()
    model = nn.build(description)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
    assert sum(p.size for p in model.parameters()) > 10**8


def test_a_blank_parameter_is_not_trained():
    model = nn.build(["Linear", 10**7, 10**7])
    with pytest.raises(ValueError, match=r"\(10000000, 10000000\) is blank"):
        training.optim.SGD(model.parameters(), lr=0.1)


def nested(depth):
    return ["ReLU"] if depth == 0 else ["Sequential", ["x", nested(depth - 1)]]


@pytest.mark.parametrize("description", [
    None, 3, "Linear", {}, [], [3], [["Linear"]], ["linear", 3, 2], ["Module"], ["_Pool", 2], ["object"],
    ["Linear"], ["Linear", 3], ["Linear", 3, 2, True, 1], ["Linear", "3", 2], ["Linear", 3.0, 2], ["Linear", 0, 2],
    ["Linear", -3, 2], ["Linear", True, 2], ["Linear", None, 2], ["Linear", [3], 2], ["Linear", float("nan"), 2],
    ["Linear", 10**400, 2],
    ["Linear", 10**30, 2], ["Linear", 10**15, 10**15], ["Conv2d", 10**5, 10**5, 10**5], ["Conv2d", 3, 4, 3, 1, 0, 2],
    ["Conv2d", 3, 4, 3, 0], ["Conv2d", 3, 4, 3, 1, -1], ["BatchNorm1d", 3, 0], ["BatchNorm1d", 3, 1e-5, -1],
    ["Dropout", 1], ["Dropout", -0.5], ["MaxPool2d", 2, 0], ["ReLU", 1], ["ImageInput", 1, 28],
    ["Sequential", 3], ["Sequential", "ab"],
    ["Sequential", ["a"]], ["Sequential", ["a", ["ReLU"], 3]], ["Sequential", [1, ["ReLU"]]],
    ["Sequential", ["a", ["ReLU"]], ["a", ["ReLU"]]], ["Sequential", ["a.b", ["ReLU"]]],
    ["Sequential", ["", ["ReLU"]]],
    ["Sequential", ["forward", ["ReLU"]]], ["Sequential", ["x", "ReLU"]], nested(MAX_DEPTH + 1), nested(500),
    ["Linear", nested(500), 2], ["Linear", "x" * 10**6, 2], ["y" * 10**6],
], ids=reprlib.repr)
def test_nothing_but_a_declaration_is_built(description):
    with pytest.raises(ValueError) as caught:
        nn.build(description)
    assert len(str(caught.value)) < 300 + len(", ".join(LAYERS))  # however much is declared


def test_the_greatest_depth_is_built():
    assert len(list(nn.build(nested(MAX_DEPTH)).named_modules())) == MAX_DEPTH + 1


def test_a_chapter_registers_a_layer_and_no_name_twice(monkeypatch):
    monkeypatch.setattr(graph, "LAYERS", dict(LAYERS))

    @nn.register
    class Halve(nn.Module):
        def config(self):
            return []

        def forward(self, x):
            return x / 2

    assert isinstance(nn.build(nn.describe(nn.Sequential(Halve())))[0], Halve)
    with pytest.raises(ValueError, match="ReLU already names"):
        nn.register(type("ReLU", (nn.ReLU,), {}))


def test_a_class_of_ones_own_is_not_described():
    class Linear(nn.Linear):
        pass

    with pytest.raises(TypeError, match="Linear is no layer of the library"):
        nn.describe(nn.Sequential(Linear(3, 2, rng=RNG)))
