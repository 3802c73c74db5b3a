"""Networks on packed bits: their logits are those of the ±1 network in floats, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import container, models, nn, training
from minicompress.binarization import (
    BinaryConv2d,
    BinaryLinear,
    ScaledSign,
    SignActivation,
    Threshold,
    ToFloat,
    binarize,
    pack,
    packed,
)
from minicompress.engine import Codes, Tensor
from minicompress.forms import Dense, Sign, Sparse
from minicompress.pruning import MagnitudePruning
from tests.mutants import mutate


def with_norms(net, seed):
    """Batch norms as training might leave them, and worse: γ of both signs and 0, and integers that tie."""
    rng = np.random.default_rng(seed)
    for layer in net:
        if isinstance(layer, nn.BatchNorm1d):
            shape = layer.weight.shape
            layer.weight.set(rng.normal(size=shape) * rng.choice([0, 1, 1, 1], shape))
            layer.bias.set(rng.normal(size=shape) * rng.choice([0, 0, 1], shape))
            layer.running_mean = rng.integers(-4, 5, shape).astype(np.float32)
            layer.running_var = rng.choice([1, 7.3], shape).astype(np.float32)
    return net.eval()


def mlp(sizes, seed):
    net = binarize(models.mlp(sizes, batch_norm=True, rng=np.random.default_rng(seed)), activations=True)
    return with_norms(net, seed)


def conv_net(channels, k, stride, padding, pool, seed, size=9):
    """A real convolution, a binary one of the given kind, two linear layers."""
    rng = np.random.default_rng(seed)
    side = (size - 2 + 2 * padding - k) // stride + 1
    layers = {"conv1": nn.Conv2d(1, channels, 3, rng=rng), "relu1": nn.ReLU(),
              "conv2": nn.Conv2d(channels, 5, k, stride, padding, rng=rng)}
    layers |= {"pool2": nn.MaxPool2d(2, 1)} if pool and side > 1 else {}
    side -= pool and side > 1
    layers |= {"relu2": nn.ReLU(), "flatten": nn.Flatten(), "fc1": nn.Linear(5 * side**2, 7, rng=rng),
               "relu3": nn.ReLU(), "fc2": nn.Linear(7, 3, rng=rng)}
    return with_norms(binarize(nn.Sequential(layers), activations=True), seed)


def logits_are_equal(m, net, shape, seed=0):
    x = np.random.default_rng(seed).normal(size=(17, *shape)).astype(np.float32)
    assert training.predict(m.pack(net), x, 8).tobytes() == training.predict(net, x, 8).tobytes()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 140), min_size=2, max_size=5), st.integers(0, 2**32))
def test_an_mlp_computes_the_same_logits(sizes, seed):
    logits_are_equal(packed, mlp(sizes, seed), sizes[:1], seed)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 3, 64, 65]), st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.booleans(),
       st.integers(0, 2**32))
def test_a_convolutional_network_computes_the_same_logits(channels, k, stride, padding, pool, seed):
    logits_are_equal(packed, conv_net(channels, k, stride, padding, pool, seed), (1, 9, 9), seed)


def test_lenet_5_computes_the_same_logits():
    net = binarize(models.lenet_5(rng=np.random.default_rng(0)), activations=True, real=("conv1",))
    logits_are_equal(packed, with_norms(net, 1), (1, 28, 28))


def test_no_image_has_no_logits():
    net, x = mlp([20, 9, 9, 5], 0), Tensor(np.zeros((0, 20), np.float32))
    assert pack(net).eval()(x).shape == net(x).shape == (0, 5)


def test_between_first_and_last_layer_there_are_only_integers_and_bits():
    dtypes = []
    with nn.observe(lambda module, x, y: dtypes.append((type(module), y.data.dtype))):
        pack(conv_net(3, 3, 1, 1, True, 0))(Tensor(np.ones((2, 1, 9, 9), np.float32)))
    inner = {BinaryConv2d: np.int32, BinaryLinear: np.int32, Threshold: np.int8}
    assert {kind for kind, _ in dtypes} >= set(inner)
    assert all(dtype == inner[kind] for kind, dtype in dtypes if kind in inner)
    order = [kind for kind, _ in dtypes]
    inside = slice(order.index(BinaryConv2d), order.index(ToFloat))
    assert order[inside] == [BinaryConv2d, nn.MaxPool2d, Threshold, nn.Flatten, BinaryLinear, Threshold, BinaryLinear]
    assert all(dtype.kind == "i" for _, dtype in dtypes[inside])


def test_floats_can_not_touch_them():
    layer = BinaryLinear(3, 2)
    nn.assign(layer.weight, Sign(np.ones((2, 3), bool), 1.0))
    y = layer(Tensor([[1.0, 1.0, -1.0]]))
    for other in (nn.BatchNorm1d(2).eval(), nn.Linear(2, 2, rng=np.random.default_rng(0))):
        with pytest.raises(TypeError):
            other(y)


def test_a_file_holds_a_bit_a_weight_and_the_same_network(tmp_path):
    net = pack(mlp([64, 256, 256, 10], 0))
    container.save(net, tmp_path / "net.mcz")
    arrays = {array["name"]: array for array in container.inspect(tmp_path / "net.mcz").arrays}
    assert arrays["fc2.weight"]["form"] == "Sign" and 0 <= arrays["fc2.weight"]["bytes"] - 256 * 256 // 8 < 10
    assert arrays["bn2.threshold"]["bytes"] < 256 * 4 + 10 and arrays["bn2.direction"]["bytes"] < 256 / 8 + 10
    assert "bn2.weight" not in arrays
    loaded, x = container.load(tmp_path / "net.mcz"), np.random.default_rng(1).normal(size=(9, 64)).astype(np.float32)
    assert training.predict(loaded, x).tobytes() == training.predict(net, x).tobytes()
    container.save(loaded, tmp_path / "again.mcz")
    assert (tmp_path / "again.mcz").read_bytes() == (tmp_path / "net.mcz").read_bytes()


@pytest.mark.parametrize("form", [
    Dense([[1.0, -1.0]]), Sign([[True, False]], 2.0), Sign([[True, False]], [1.0], axis=0),
    Sparse([[True, False]], Sign([[True, True]], 1.0))])
def test_a_file_with_other_weights_is_refused(form, tmp_path):
    linear, conv, down = BinaryLinear(2, 1), BinaryConv2d(2, 1, 1), nn.Sequential(Threshold(2))
    nn.assign(linear.weight, form)
    nn.assign(conv.weight, Dense(np.ones((1, 2, 1, 1))))
    nn.assign(down[0].direction, Dense([1.0, -1.0]))
    for model, words in ((linear, "BinaryLinear needs weights of ±1"), (conv, "BinaryConv2d needs weights of ±1"),
                         (down, "Threshold needs weights of ±1, got a Dense")):
        container.save(model, tmp_path / "model.mcz")
        with pytest.raises(container.ContainerError, match=words):
            container.load(tmp_path / "model.mcz")


def test_new_weights_are_packed_anew():
    layer, x = BinaryLinear(2, 1), Tensor([[1.0, 1.0]])
    for bits, expected in (([[True, True]], 2), ([[False, True]], 0)):
        nn.assign(layer.weight, Sign(bits, 1.0))
        assert layer(x).data.tolist() == [[expected]]


def test_products_are_counted():
    assert pack(mlp([784, 100, 100, 10], 0)).summary().macs == 784 * 100 + 100 * 100 + 100 * 10


def test_what_can_not_be_packed_is_refused_with_a_reason():
    rng = np.random.default_rng(0)
    plain = models.mlp([4, 5, 5, 3], batch_norm=True, rng=rng)
    with pytest.raises(TypeError, match="not followed by a sign"):
        pack(binarize(plain))
    with pytest.raises(ValueError, match="fc2 needs weights of ±1, got a Dense"):
        pack(binarize(plain, activations=True, real=["fc2"]))
    with pytest.raises(ValueError, match="fc2 needs weights of ±1, got a Sign of alpha"):
        pack(binarize(plain, ScaledSign, activations=True))
    pruned = models.mlp([4, 5, 5, 3], batch_norm=True, rng=rng)
    nn.project(pruned.fc2.weight, MagnitudePruning(0.5))
    with pytest.raises(ValueError, match="fc2 needs weights of ±1, got a Sparse"):
        pack(binarize(pruned, activations=True))
    net = binarize(plain, activations=True)
    biased = {name: nn.Linear(5, 5, rng=rng) if name == "fc2" else layer for name, layer in net.children()}
    nn.project(biased["fc2"].weight, *net.fc2.weight.projections)
    with pytest.raises(ValueError, match="fc2 has a bias"):
        pack(nn.Sequential(biased))
    unordered = dict(net.children())
    with pytest.raises(TypeError, match=r"fc2 is followed by \['SignActivation'\]"):
        pack(nn.Sequential({name: layer for name, layer in unordered.items() if name != "bn2"}))
    with pytest.raises(ValueError, match=r"reads signs \(N, 3\)"):
        BinaryLinear(3, 1)(Tensor([[1.0, 1.0]]))


@pytest.mark.parametrize("n", [2**24 - 1, 2**24])
def test_sums_that_float32_may_round_are_refused(n):
    net = binarize(models.mlp([1, 2, 1], rng=np.random.default_rng(0)), activations=True)
    wide = nn.Linear(n, 1, bias=False, rng=None)
    nn.assign(wide.weight, Sign(np.broadcast_to(np.True_, (1, n)), 1.0))
    net = nn.Sequential({name: wide if name == "fc2" else layer for name, layer in net.children()})
    if n < 2**24:
        assert type(pack(net).fc2) is BinaryLinear
    else:
        with pytest.raises(ValueError, match=f"fc2 has a bias, groups or {n} inputs: expected none, and fewer than"):
            pack(net)
    with pytest.raises(ValueError, match="codes of 2 channels"):
        Threshold(2)(Codes(np.zeros((1, 3), np.int32)))
    with pytest.raises(ValueError, match=r"reads images \(N, 2, H, W\)"):
        BinaryConv2d(2, 1, 1)(Tensor([[1.0, 1.0]]))


@pytest.mark.parametrize(("old", "new"), [
    ("nn.assign(packed.weight, Sign(bits, 1.0))", "nn.assign(packed.weight, Sign(~bits, 1.0))"),
    ("== upward.reshape(channels)", "== True"),
    ("fold(after, _inputs(layer))", "fold(after, 3)"),
    ("BinaryConv2d(*layer.config()[:5])", "BinaryConv2d(*layer.config()[:4], 0)"),
    ('elif role(after) not in ("sign", "dropout")', 'elif role(after) == "moves"'),
    ("plus.view(np.int8) * np.int8(2) - np.int8(1)", "plus.view(np.int8)"),
])
def test_a_planted_bug_is_caught(old, new, monkeypatch):
    monkeypatch.setattr(nn.graph, "LAYERS", {name: layer for name, layer in nn.graph.LAYERS.items()
                                             if layer.__module__ != packed.__name__})
    mutant = mutate(packed, old, new)
    with pytest.raises((AssertionError, ValueError, TypeError)):
        for seed in range(3):
            logits_are_equal(mutant, mlp([20, 70, 70, 5], seed), (20,))
            logits_are_equal(mutant, conv_net(3, 3, 1, 1, True, seed), (1, 9, 9))


def test_pooling_may_stand_anywhere_before_the_next_layer():
    net = conv_net(3, 3, 1, 1, True, 0)
    layers = dict(net.children())
    for before in ("conv2", "conv2_bn", "sign2"):
        names = [name for name in layers if name != "pool2"]
        names.insert(names.index(before) + 1, "pool2")
        logits_are_equal(packed, nn.Sequential({name: layers[name] for name in names}).eval(), (1, 9, 9))


def test_signs_of_the_first_layer_may_be_given_as_floats_or_codes():
    layer = BinaryLinear(70, 4)
    nn.assign(layer.weight, Sign(np.random.default_rng(0).random((4, 70)) < 0.5, 1.0))
    x = SignActivation()(Tensor(np.random.default_rng(1).normal(size=(3, 70)).astype(np.float32)))
    np.testing.assert_array_equal(layer(x).data, layer(Codes(x.data.astype(np.int8))).data)
