"""Layers on sparse rows compute what the pruned dense ones do, and go through a file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress import container, models, nn, pruning
from minicompress.engine import Tensor
from minicompress.pruning import CSRLinear, MagnitudePruning, to_csr


def pruned(fraction, *, bias=True, seed=0):
    rng = np.random.default_rng(seed)
    layer = nn.Linear(12, 7, bias=bias, rng=rng)
    nn.project(layer.weight, MagnitudePruning(fraction))
    return layer.eval(), rng


def law_layer_is_the_dense_one(layer, linear, x):
    """To rounding, whatever the order of the sum (Higham 2002, eq. 3.5)."""
    weight = linear.weight.effective().numpy()
    magnitude = np.abs(x).astype(float) @ np.abs(weight).T.astype(float) + np.abs(layer.bias)
    found, expected = layer(Tensor(x)).numpy(), linear(Tensor(x)).numpy()
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert (np.abs(found - expected) <= 2 * (weight.shape[1] + 2) * np.finfo(np.float32).eps * magnitude).all()


@given(st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.booleans(), st.sampled_from([1, 2, 40]), st.integers(0, 99))
def test_the_layer_is_the_dense_one(fraction, bias, n, seed):
    linear, rng = pruned(fraction, bias=bias, seed=seed)
    law_layer_is_the_dense_one(CSRLinear.of(linear).eval(), linear, rng.normal(size=(n, 12)).astype(np.float32))


class WithoutBias(CSRLinear):
    def forward(self, x):
        return super().forward(x) - Tensor(self.bias)


def test_a_lost_bias_is_caught():
    linear, rng = pruned(0.5)
    with pytest.raises(AssertionError):
        law_layer_is_the_dense_one(WithoutBias.of(linear).eval(), linear, rng.random((3, 12), np.float32))


def test_sparse_layers_are_lowered_and_others_stay(tmp_path):
    rng = np.random.default_rng(0)
    model = models.lenet_5(rng=rng).eval()
    nn.project(model.fc1.weight, MagnitudePruning(0.95))
    nn.project(model.conv2.weight, MagnitudePruning(0.95))
    nn.project(model.fc2.weight, MagnitudePruning(0.5))
    sparse = to_csr(model)
    assert [type(layer).__name__ for layer in sparse if layer.children() or vars(layer).get("bias") is not None] == \
           ["Conv2d", "Conv2d", "CSRLinear", "Linear"]
    assert type(model.fc1) is nn.Linear and len(sparse.fc1.data) == round(0.05 * 400_000)
    x = Tensor(rng.random((4, 1, 28, 28), np.float32))
    with nn.evaluating(model):
        np.testing.assert_allclose(sparse(x).numpy(), model(x).numpy(), atol=1e-5)
    container.save(sparse, tmp_path / "sparse.mcz")
    loaded = container.load(tmp_path / "sparse.mcz").eval()
    assert np.array_equal(loaded(x).numpy(), sparse(x).numpy())
    loaded.load_state_dict(to_csr(model).state_dict())
    assert np.array_equal(loaded(x).numpy(), sparse(x).numpy())
    assert sparse.summary().macs == model.summary().macs - 380_000


def test_nested_layers_and_a_lone_one_are_lowered():
    linear, rng = pruned(0.95)
    nested = nn.Sequential({"inner": nn.Add({"a": linear, "b": nn.Linear(12, 7, rng=rng)})})
    assert type(to_csr(nested).inner.a) is type(to_csr(linear)) is CSRLinear
    assert type(to_csr(nested).inner.b) is nn.Linear is type(to_csr(nested, 1.0).inner.a)


def test_a_layer_of_just_this_sparsity_is_lowered():
    linear, _ = pruned(0.5)
    assert pruning.sparsity(linear.weight.effective().numpy()) == 0.5
    assert type(to_csr(linear, 0.5)) is CSRLinear and type(to_csr(linear, np.nextafter(0.5, 1))) is nn.Linear


def test_a_sparse_layer_only_evaluates():
    linear, _ = pruned(0.9)
    layer = to_csr(linear)
    with pytest.raises(ValueError, match="only evaluates"):
        layer.train()(Tensor(np.zeros((1, 12), np.float32)))
    with pytest.raises(ValueError, match=r"CSRLinear's x has shape \(1, 11\), expected \(N, 12\)"):
        layer.eval()(Tensor(np.zeros((1, 11), np.float32)))


@pytest.mark.parametrize(("config", "words"), [((0, 1, 1), "in_features is 0"), ((1, True, 1), "out_features is True"),
                                               ((1, 1, -1), "nonzeros is -1"), ((1, 1, 1.5), "nonzeros is 1.5")])
def test_sizes_that_make_no_sense_are_refused(config, words):
    with pytest.raises(ValueError, match=words):
        CSRLinear(*config)


def test_a_share_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="sparsity is 2"):
        pruning.to_csr(pruned(0.5)[0], 2)


def test_arrays_that_are_no_sparse_rows_are_refused():
    layer = to_csr(pruned(0.9)[0])
    layer(Tensor(np.zeros((1, 12), np.float32)))
    layer.set_buffer("indices", np.full(len(layer.indices), 12))
    with pytest.raises(ValueError, match="indices span 12 to 12"):
        layer(Tensor(np.zeros((1, 12), np.float32)))


@pytest.mark.parametrize("name", ["data", "indices", "indptr", "bias"])
def test_new_arrays_are_computed_with(name):
    one, other = CSRLinear(3, 2, 2), {"data": [5, 7], "indices": [1, 1], "indptr": [0, 0, 2], "bias": [1, 2]}
    arrays = {"data": [2, 3], "indices": [0, 1], "indptr": [0, 1, 2], "bias": [0, 0]}
    for key, array in arrays.items():
        one.set_buffer(key, array)
    x, results = Tensor([[1.0, 10.0, 100.0]]), []
    results.append(one.eval()(x).numpy().tolist())
    one.set_buffer(name, other[name])
    results.append(one(x).numpy().tolist())
    expected = {"data": [[5, 70]], "indices": [[20, 30]], "indptr": [[0, 32]], "bias": [[3, 32]]}
    assert results == [[[2, 30]], expected[name]]


@pytest.mark.parametrize(("arrays", "words"), [
    ({"indices": [0, 3]}, "indices span 0 to 3, expected 0 to 2"), ({"indices": [-1, 0]}, "indices span -1 to 0"),
    ({"indptr": [0, 2, 2, 2, 1]}, "indptr must climb"), ({"indptr": [0, 2, 1, 2, 2]}, "indptr must climb"),
    ({"indptr": [1, 1, 1, 2, 2]}, "indptr must climb"),
    ({"indices": [2, 1]}, "columns of a row must ascend"), ({"indices": [1, 1]}, "columns of a row must ascend"),
    ({"indices": [2, 1], "indptr": [0, 0, 1, 1, 2]}, None), ({"indices": [2, 1], "indptr": [0, 0, 0, 2, 2]},
                                                             "columns of a row must ascend"),
])
def test_a_file_with_arrays_that_are_no_sparse_rows_is_refused(arrays, words, tmp_path):
    layer = CSRLinear(3, 4, 2)
    for name, array in ({"data": [1, 2], "indices": [0, 2], "indptr": [0, 2, 2, 2, 2]} | arrays).items():
        layer.set_buffer(name, array)
    container.save(layer, tmp_path / "layer.mcz")
    if words is None:
        assert container.load(tmp_path / "layer.mcz").indices.tolist() == [2, 1]
        return
    with pytest.raises(container.ContainerError, match=words):
        container.load(tmp_path / "layer.mcz")
