"""Modules: what is found by name, what is stored, what is refused."""

import copy

import numpy as np
import pytest

from minicompress import models, nn
from minicompress.engine import Tensor
from minicompress.nn import evaluating, observe
from minicompress.pruning import Mask
from minicompress.quantization import WeightClustering


def small(seed=0):
    rng = np.random.default_rng(seed)
    return nn.Sequential({
        "conv": nn.Conv2d(1, 4, 3, rng=rng), "norm": nn.BatchNorm2d(4), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2),
        "head": nn.Sequential(nn.Flatten(), nn.Dropout(0.5, rng=rng), nn.Linear(36, 3, rng=rng)),
    })


def bits(state):
    return {name: np.asarray(array).tobytes() for name, array in state.items()}


NAMES = ["conv.weight", "conv.bias", "norm.weight", "norm.bias", "head.2.weight", "head.2.bias"]


def test_parameters_have_dotted_names():
    model = small()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert [p.shape for p in model.parameters()] == [(4, 1, 3, 3), (4,), (4,), (4,), (3, 36), (3,)]
    assert [name for name, _ in model.named_buffers()] == ["norm.running_mean", "norm.running_var"]
    names = ["", "conv", "norm", "relu", "pool", "head", "head.0", "head.1", "head.2"]
    assert [name for name, _ in model.named_modules()] == names
    assert [name for name, _ in model.generators()] == ["head.1.rng"]


def test_what_projections_train_is_a_parameter_too():
    model = small()
    nn.project(model.conv.weight, Mask(np.ones((4, 1, 3, 3))), WeightClustering(3))
    names = dict(model.named_parameters())
    assert names["conv.weight.1.centroids_"] is model.conv.weight.projections[1].centroids_
    assert "conv.weight.1.centroids_" not in dict(model.named_latents())


def test_a_parameter_with_two_names_is_trained_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(3, 3, rng=np.random.default_rng(0))
            self.b = nn.Linear(3, 3, rng=np.random.default_rng(1))
            self.b.weight = self.a.weight

    model = Tied()
    assert [name for name, _ in model.named_parameters()] == ["a.weight", "a.bias", "b.weight", "b.bias"]
    assert len(model.parameters()) == 3


def test_state_dict_goes_round():
    one, other = small(1), small(2)
    one(Tensor(np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(np.float32)))  # running statistics move
    state = one.state_dict()
    assert list(state) == [*NAMES, "norm.running_mean", "norm.running_var"]
    assert bits(state) != bits(other.state_dict())
    other.load_state_dict(state)
    assert bits(other.state_dict()) == bits(state)
    x = Tensor(np.ones((2, 1, 8, 8), np.float32))
    assert other.eval()(x).numpy().tobytes() == one.eval()(x).numpy().tobytes()


def test_a_state_dict_is_a_copy_and_stays_one():
    model = small()
    state = model.state_dict()
    before = bits(state)
    for parameter in model.parameters():
        parameter.data += 1.0
    assert bits(state) == before
    model.load_state_dict(state)
    model.conv.weight.data += 1.0
    assert bits(state) == before


def test_state_dict_holds_what_projections_learned():
    def clustered(seed):
        model = small(seed)
        mask = np.random.default_rng(seed).random((4, 1, 3, 3)) < 0.5
        mask.flat[:5] = True
        nn.project(model.conv.weight, Mask(mask), WeightClustering(3))
        return model

    one, other = clustered(1), clustered(2)
    state = one.state_dict()
    assert {"conv.weight.0.mask_", "conv.weight.1.codes_", "conv.weight.1.centroids_"} < state.keys()
    centroids = other.conv.weight.projections[1].centroids_
    other.load_state_dict(state)
    assert bits(other.state_dict()) == bits(state)
    assert other.conv.weight.projections[1].centroids_ is centroids, "an optimizer knows this very object"
    assert other.conv.weight.form() == one.conv.weight.form()


def test_an_unfitted_projection_takes_its_state_from_a_fitted_one():
    one, other = small(1), small(2)
    nn.project(one.conv.weight, WeightClustering(3))
    other.conv.weight.projections = (WeightClustering(3),)
    assert not [name for name in other.state_dict() if name.endswith("_")]
    other.load_state_dict(one.state_dict())
    assert other.conv.weight.form() == one.conv.weight.form()


@pytest.mark.parametrize(("change", "error", "message"), [
    (lambda s: s.pop("head.2.bias"), KeyError, "missing.*head.2.bias"),
    (lambda s: s.pop("norm.running_var"), KeyError, "missing.*norm.running_var"),
    (lambda s: s.pop("conv.weight.0.mask_"), KeyError, "missing.*conv.weight.0.mask_"),
    (lambda s: s.update(head=np.ones(3)), KeyError, "unknown.*head"),
    (lambda s: s.update({"head.2.bias": np.ones(4, np.float32)}), ValueError, r"head.2.bias.*\(3,\).*\(4,\)"),
    (lambda s: s.update({"norm.running_var": np.ones(3)}), ValueError, r"norm.running_var.*\(4,\).*\(3,\)"),
    (lambda s: s.update({"conv.weight.0.mask_": np.ones(3, bool)}), ValueError, r"mask_.*\(4, 1, 3, 3\).*\(3,\)"),
    (lambda s: s.update({"head.2.bias": np.array(["a", "b", "c"])}), TypeError, "head.2.bias holds float32.*<U1"),
])
def test_a_state_that_does_not_fit_changes_nothing(change, error, message):
    model, other = small(1), small(2)
    for each in (model, other):
        nn.project(each.conv.weight, Mask(np.ones((4, 1, 3, 3))))
    state = other.state_dict()
    change(state)
    before = bits(model.state_dict())
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    assert bits(model.state_dict()) == before


def test_copying_a_model_looks_for_no_misspellings(monkeypatch):
    """`copy` asks each module for attributes that few classes have, and a suggestion costs more than the copy."""
    monkeypatch.setattr("difflib.get_close_matches", lambda name, names, *_: [] if not names else 1 / 0)
    copy.deepcopy(small())
    with pytest.raises(ZeroDivisionError):
        _ = small().conv.wieght


def test_misspelled_attributes_raise_on_read_and_on_write():
    model = small()
    with pytest.raises(AttributeError, match="Conv2d has no attribute 'wieght'; did you mean 'weight'"):
        _ = model.conv.wieght
    with pytest.raises(AttributeError, match="did you mean 'weight'"):
        model.conv.wieght = 3
    with pytest.raises(AttributeError, match="did you mean 'training'"):
        model.trainig = False
    model.conv.bias = None  # an attribute that there is can be set
    assert [name for name, _ in model.named_parameters()][:2] == ["conv.weight", "norm.weight"]


@pytest.mark.parametrize("wrap", [list, tuple, lambda items: dict(enumerate(items))])
@pytest.mark.parametrize("held", [nn.ReLU(), nn.Parameter([1.0])])
def test_modules_and_parameters_in_a_list_are_refused_as_nobody_would_find_them(wrap, held):
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = wrap([held])

    with pytest.raises(TypeError, match="put modules in nn"):
        Hidden()


def test_train_and_eval_reach_every_module():
    model = small()
    assert model.eval() is model and not any(module.training for _, module in model.named_modules())
    assert model.train() is model and all(module.training for _, module in model.named_modules())


def test_evaluating_restores_each_module_and_the_graph():
    model = small()
    model.head.eval()
    with evaluating(model):
        assert not any(module.training for _, module in model.named_modules())
        assert not model(Tensor(np.ones((2, 1, 8, 8), np.float32))).requires_grad
    assert model.training and model.conv.training and not model.head.training
    with pytest.raises(ZeroDivisionError), evaluating(model):
        raise ZeroDivisionError
    assert model.training and model(Tensor(np.ones((2, 1, 8, 8), np.float32))).requires_grad


def test_observers_see_every_call_and_leave():
    model, seen = models.mlp([4, 3, 2], rng=np.random.default_rng(0)), []
    x = Tensor(np.ones((5, 4), np.float32))
    with observe(lambda module, x, y: seen.append((type(module).__name__, x.shape, y.shape))):
        model(x)
    model(x)
    assert seen == [("Flatten", (5, 4), (5, 4)), ("Linear", (5, 4), (5, 3)), ("ReLU", (5, 3), (5, 3)),
                    ("Linear", (5, 3), (5, 2)), ("Sequential", (5, 4), (5, 2))]


def test_a_copy_is_a_model_of_its_own():
    model = small()
    nn.project(model.conv.weight, WeightClustering(2))
    twin = copy.deepcopy(model)
    assert bits(twin.state_dict()) == bits(model.state_dict())
    twin.head[2].weight.data += 1.0
    twin.conv.weight.projections[0].centroids_.data += 1.0
    assert bits(twin.state_dict()) != bits(model.state_dict())
    with pytest.raises(AttributeError):
        twin.nothing = 1
    twin.head[1].rng.random(3)
    assert model.head[1].rng.bit_generator.state != twin.head[1].rng.bit_generator.state


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty.*forward"):
        Empty()(Tensor([1.0]))


def test_a_module_takes_a_tensor():
    with pytest.raises(TypeError, match="Sequential takes a Tensor, got ndarray"):
        small()(np.zeros((2, 1, 8, 8), np.uint8))


def test_repr_shows_the_tree():
    assert repr(models.mlp([4, 2], rng=np.random.default_rng(0))) == (
        "Sequential(\n  (flatten): Flatten()\n  (fc1): Linear(4, 2, True)\n)")
