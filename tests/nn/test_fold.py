"""Batch norm folded away: the same function in evaluation, one layer less, masks kept, the model itself untouched."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import nn, pruning, training
from minicompress.engine import Tensor
from minicompress.equations.quantization import converted as literal
from minicompress.forms import Sparse
from minicompress.nn import fold
from minicompress.quantization import WeightClustering
from tests.mutants import mutate
from tests.quantization.networks import generated, images, residual, settled


def law_evaluation_stays(fold_batch_norm, model, x):
    before = training.predict(model, x)
    folded = fold_batch_norm(model)
    np.testing.assert_allclose(training.predict(folded, x), before, rtol=2e-4, atol=2e-5 * np.abs(before).max())
    assert training.predict(model, x).tobytes() == before.tobytes(), "the model itself changed"
    return folded


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_evaluation_stays(seed):
    law_evaluation_stays(nn.fold_batch_norm, generated(seed), images())


def test_no_batch_norm_is_left_anywhere():
    folded = law_evaluation_stays(nn.fold_batch_norm, residual(), images())
    assert not any(isinstance(module, nn.BatchNorm1d) for _, module in folded.named_modules())
    assert [name for name, _ in folded.block.body.children()] == ["depthwise", "relu", "pointwise"]
    assert folded.block.body.depthwise.bias is not None


def test_weights_are_as_printed():
    """Jacob et al. 2018, eq. 14."""
    rng = np.random.default_rng(0)
    model = settled(nn.Sequential(nn.Linear(3, 2, rng=rng), nn.BatchNorm1d(2)), rng)
    (layer, norm), folded = model, nn.fold_batch_norm(model)[0]
    for c in range(2):
        w, b = literal.folded(*(a.tolist() for a in (
            layer.weight.data[c], layer.bias.data[c], norm.weight.data[c], norm.bias.data[c], norm.running_mean[c],
            norm.running_var[c])), norm.eps)
        assert folded.weight.data[c].tolist() == pytest.approx(w, rel=1e-7)
        assert folded.bias.data[c] == pytest.approx(b, rel=1e-6)


def test_masks_stay():
    rng = np.random.default_rng(0)
    model = settled(nn.Sequential(nn.Linear(8, 6, rng=rng), nn.BatchNorm1d(6)), rng)
    nn.project(model[0].weight, pruning.MagnitudePruning(0.5))
    mask = model[0].weight.form().mask
    folded = nn.fold_batch_norm(model)
    assert type(folded[0].weight.form()) is Sparse and (folded[0].weight.form().mask == mask).all()


def test_what_follows_no_layer_stays():
    rng = np.random.default_rng(0)
    model = settled(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 3, rng=rng), nn.ReLU(), nn.BatchNorm1d(3)), rng)
    folded = law_evaluation_stays(nn.fold_batch_norm, model, images(0, 5, (4,)))
    assert nn.describe(folded) == nn.describe(model)
    branches = nn.Sequential(nn.Add(nn.Linear(4, 4, rng=rng), nn.BatchNorm1d(4)))
    assert nn.describe(nn.fold_batch_norm(branches)) == nn.describe(branches), "branches do not follow each other"


def test_a_layer_alone_is_copied():
    layer = nn.Linear(3, 2, rng=np.random.default_rng(0))
    folded = nn.fold_batch_norm(layer)
    assert folded is not layer and folded.weight is not layer.weight and (folded.weight.data == layer.weight.data).all()


def test_weights_that_share_values_are_refused():
    rng = np.random.default_rng(0)
    model = nn.Sequential({"fc": nn.Linear(4, 3, rng=rng), "norm": nn.BatchNorm1d(3)})
    nn.project(model.fc.weight, WeightClustering(3))
    with pytest.raises(TypeError, match=r"fc\.weight is a Codebook.*fold batch norm first"):
        nn.fold_batch_norm(model)


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


class Shifted(nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x) + 1


@pytest.mark.parametrize(("linear", "norm"), [(Doubled, nn.BatchNorm1d), (nn.Linear, Shifted)])
def test_a_subclass_computes_something_else_and_stays(linear, norm):
    rng = np.random.default_rng(0)
    model = settled(nn.Sequential(linear(4, 3, rng=rng), norm(3)), rng)
    folded = law_evaluation_stays(nn.fold_batch_norm, model, images(0, 5, (4,)))
    assert [type(layer) for layer in folded] == [linear, norm]


def test_float64_stays_float64():
    rng = np.random.default_rng(0)
    model = settled(nn.Sequential(nn.Linear(4, 3, rng=rng), nn.BatchNorm1d(3)), rng).eval()
    for module in model:
        for name in ("weight", "bias"):
            setattr(module, name, nn.Parameter(rng.standard_normal(getattr(module, name).shape)))
    x, folded = Tensor(rng.standard_normal((5, 4))), nn.fold_batch_norm(model)
    assert folded[0].weight.dtype == folded[0].bias.dtype == np.float64
    np.testing.assert_allclose(folded(x).numpy(), model(x).numpy(), rtol=1e-12)


def test_each_module_keeps_its_mode():
    model = nn.Sequential(nn.Add(nn.Sequential(nn.ReLU()), nn.Identity()), nn.Dropout(0.5, rng=None)).eval()
    model[0].train()
    modes = [(name, module.training) for name, module in model.named_modules()]
    assert [(name, module.training) for name, module in nn.fold_batch_norm(model).named_modules()] == modes


@pytest.mark.parametrize(("what", "projection"), [
    ("fc.weight", nn.MaxNorm(2.0)), ("fc.bias", nn.MaxNorm(2.0)), ("fc.bias", pruning.Mask([True, False, True])),
    ("norm.weight", pruning.Mask([True, False, True])), ("norm.bias", nn.MaxNorm(1.0))])
def test_what_a_fold_would_drop_is_refused(what, projection):
    model = nn.Sequential({"fc": nn.Linear(4, 3, rng=np.random.default_rng(0)), "norm": nn.BatchNorm1d(3)})
    nn.project(dict(model.named_parameters())[what], projection)
    with pytest.raises(TypeError, match=rf"{what} is under {type(projection).__name__}\(.*take it off"):
        nn.fold_batch_norm(model)


@pytest.mark.parametrize(("old", "new"), [
    ("gamma / np.sqrt(norm.running_var.astype(np.float64) + norm.eps)", "gamma / (norm.running_var + norm.eps)"),
    ("+ norm.eps)", ")"),
    ("(bias - norm.running_mean) * factor + beta", "bias - norm.running_mean * factor + beta"),
    ("(bias - norm.running_mean) * factor + beta", "(bias - norm.running_mean) * factor"),
    ("bias = 0 if layer.bias is None else layer.bias.effective().numpy().astype(np.float64)", "bias = 0"),
    ("factor.reshape(factor.shape + (1,) * (form.values.ndim - 1))", "factor"),
    ("otherwise=lambda layer, path: copy.deepcopy(layer)", "otherwise=lambda layer, path: layer"),
    (" and type(children[before]) in WEIGHTED", ""),
])
def test_a_planted_bug_is_caught(old, new):
    mutant = mutate(fold, old, new)
    rng = np.random.default_rng(0)
    small = settled(nn.Sequential(nn.Linear(4, 4, rng=rng), nn.BatchNorm1d(4), nn.ReLU(), nn.BatchNorm1d(4)), rng)
    small[1].running_var[:] = 1e-6
    with pytest.raises((AssertionError, ValueError, AttributeError)):
        law_evaluation_stays(mutant.fold_batch_norm, small, images(0, 5, (4,)))
        law_evaluation_stays(mutant.fold_batch_norm, residual(), images())
