"""The rewrite of an ordinary network into a binary one."""

import numpy as np
import pytest

from minicompress import binarization, container, data, models, nn, training
from minicompress.binarization import BinaryConnect, ScaledSign, SignActivation, StochasticBinaryConnect, binarize
from minicompress.engine import Tensor
from minicompress.forms import Dense, Sign, Sparse
from minicompress.pruning import MagnitudePruning
from minicompress.training import optim

RNG = np.random.default_rng(0)


def kinds(model):
    return [(name, type(layer).__name__) for name, layer in model.children()]


def mlp(batch_norm=True, sizes=(6, 8, 8, 3), seed=0):
    return models.mlp(list(sizes), batch_norm=batch_norm, rng=np.random.default_rng(seed))


def test_a_binary_connect_net_keeps_its_relus_and_gets_the_batch_norms_it_lacks():
    assert kinds(binarize(mlp())) == [
        ("flatten", "Flatten"), ("fc1", "Linear"), ("bn1", "BatchNorm1d"), ("relu1", "ReLU"), ("fc2", "Linear"),
        ("bn2", "BatchNorm1d"), ("relu2", "ReLU"), ("fc3", "Linear"), ("fc3_bn", "BatchNorm1d")]


def test_a_bnn_pools_then_normalises_then_takes_the_sign():
    rng = np.random.default_rng(0)
    usual = nn.Sequential({"conv1": nn.Conv2d(1, 4, 3, rng=rng), "bn1": nn.BatchNorm2d(4), "relu1": nn.ReLU(),
                           "pool1": nn.MaxPool2d(2), "flatten": nn.Flatten(), "fc": nn.Linear(36, 3, rng=rng)})
    assert kinds(binarize(usual, activations=True)) == [
        ("conv1", "Conv2d"), ("pool1", "MaxPool2d"), ("bn1", "BatchNorm2d"), ("sign1", "SignActivation"),
        ("flatten", "Flatten"), ("fc", "Linear"), ("fc_bn", "BatchNorm1d")]


def test_a_lenet_gets_signs_where_caffe_has_no_nonlinearity():
    names = [name for name, _ in kinds(binarize(models.lenet_5(rng=np.random.default_rng(0)), activations=True))]
    assert names == ["input", "conv1", "pool1", "conv1_bn", "conv1_sign", "conv2", "pool2", "conv2_bn", "conv2_sign",
                     "flatten", "fc1", "fc1_bn", "sign1", "fc2", "fc2_bn"]


def test_the_given_model_stays_as_it_is_and_shares_nothing():
    model = mlp()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    net = binarize(model)
    for _, parameter in net.named_parameters():
        parameter.data[...] = 7
    assert model.state_dict().keys() == before.keys()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_all_weights_are_binary_but_those_named():
    net = binarize(mlp(), real=("fc1", "fc3"))
    assert [type(getattr(net, name).weight.form()) for name in ("fc1", "fc2", "fc3")] == [Dense, Sign, Dense]
    assert all(isinstance(layer.weight.form(), Sign) for layer in binarize(mlp()) if isinstance(layer, nn.Linear))


def test_the_signs_are_those_of_the_given_weights_and_the_latent_ones_fill_their_range():
    model = mlp()
    weight = binarize(model).fc2.weight
    np.testing.assert_array_equal(weight.effective().numpy(), np.where(model.fc2.weight.data >= 0, 1, -1))
    assert abs(weight.data).max() == 1
    np.testing.assert_allclose(weight.data * abs(model.fc2.weight.data).max(), model.fc2.weight.data, rtol=1e-6)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_biases_move_into_the_batch_norms(batch_norm):
    """With real weights and activations nothing else changes, so the network computes what it did."""
    model = mlp(batch_norm)
    net = binarize(model, real=("fc1", "fc2", "fc3"))
    assert all(layer.bias is None for _, layer in net.children() if isinstance(layer, nn.Linear))
    x = Tensor(np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32))
    np.testing.assert_allclose(net.eval()(x).numpy(), model.eval()(x).numpy(), rtol=1e-4, atol=1e-5)


def computes_the_same(layers, shape, names, **options):
    """With real weights nothing but the biases moves, whatever the batch norms have learned."""
    rng, model = np.random.default_rng(1), nn.Sequential(layers).eval()
    for layer in model:
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean = rng.normal(size=layer.weight.size).astype(np.float32)
            layer.running_var = rng.uniform(0.5, 2, layer.weight.size).astype(np.float32)
    real = [name for name, layer in model.children() if isinstance(layer, nn.Linear | nn.Conv2d)]
    net, x = binarize(model, real=real, **options).eval(), Tensor(rng.normal(size=(5, *shape)).astype(np.float32))
    assert [name for name, _ in net.children()] == names
    assert all(getattr(net, name).bias is None for name in real)
    np.testing.assert_allclose(net(x).numpy(), model(x).numpy(), rtol=1e-4, atol=1e-4)


def test_only_a_batch_norm_that_follows_directly_takes_a_bias():
    rng = np.random.default_rng(0)
    fc = [lambda n, m=m: nn.Linear(n, m, rng=rng) for m in (6, 3)]
    computes_the_same({"a": fc[0](4), "relu": nn.ReLU(), "bn": nn.BatchNorm1d(6), "b": fc[1](6)}, (4,),
                      ["a", "a_bn", "relu", "bn", "b", "b_bn"])
    computes_the_same({"a": fc[0](4), "drop": nn.Dropout(rng=rng), "bn": nn.BatchNorm1d(6)}, (4,),
                      ["a", "a_bn", "drop", "bn"])
    conv = {"conv": nn.Conv2d(1, 2, 3, rng=rng), "pool": nn.MaxPool2d(2), "bn": nn.BatchNorm2d(2)}
    computes_the_same(conv, (1, 8, 8), ["conv", "pool", "bn"])
    computes_the_same(conv, (1, 8, 8), ["conv", "pool", "bn"], activations=True)
    del conv["bn"]
    computes_the_same(conv, (1, 8, 8), ["conv", "conv_bn", "pool"])
    computes_the_same(conv, (1, 8, 8), ["conv", "pool", "conv_bn"], activations=True)


@pytest.mark.parametrize("activations", [True, False])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_batch_norm_of_another_kind_or_size_is_refused(channels, activations):
    rng = np.random.default_rng(0)
    flat = {"conv": nn.Conv2d(1, channels, 3, rng=rng), "flatten": nn.Flatten(), "bn": nn.BatchNorm1d(4 * channels)}
    with pytest.raises(ValueError, match=r"bn is a BatchNorm1d of \d channels behind conv, expected a BatchNorm2d of "):
        binarize(nn.Sequential(flat), activations=activations)
    with pytest.raises(ValueError, match="bn is a BatchNorm1d of 1 channels behind fc, expected a BatchNorm1d of 3"):
        binarize(nn.Sequential({"fc": nn.Linear(2, 3, rng=rng), "bn": nn.BatchNorm1d(1)}), activations=activations)


def test_no_layer_is_lost_to_another_of_its_name():
    rng = np.random.default_rng(0)
    model = nn.Sequential({"fc": nn.Linear(2, 3, rng=rng), "relu": nn.ReLU(), "fc_bn": nn.BatchNorm1d(3)})
    with pytest.raises(ValueError, match=r"two layers would have one name.*'fc_bn', 'relu', 'fc_bn'"):
        binarize(model)


class Shifted(nn.Linear):
    def forward(self, x):
        return super().forward(x) + 1


class Leaky(nn.ReLU):
    pass


@pytest.mark.parametrize("rewrite", [binarize, binarization.pack])
def test_a_subclass_and_double_precision_are_refused(rewrite):
    for name, layer in (("fc2", Shifted(8, 8, rng=np.random.default_rng(0))), ("relu1", Leaky())):
        with pytest.raises(TypeError, match=f"{name}, a {type(layer).__name__}, can't be part of a binary network"):
            rewrite(nn.Sequential(dict(mlp().children()) | {name: layer}))
    wide = mlp()
    wide.bn2.weight.data = wide.bn2.weight.data.astype(np.float64)
    with pytest.raises(TypeError, match=r"bn2\.weight is float64: convert to float32 first"):
        rewrite(wide)


def test_under_a_mask_only_survivors_are_binary(tmp_path):
    for weights in (BinaryConnect, ScaledSign):
        model = mlp()
        nn.project(model.fc2.weight, MagnitudePruning(0.5))
        net = binarize(model, weights)
        form = net.fc2.weight.form()
        assert isinstance(form, Sparse) and isinstance(form.inner, Sign) and form.mask.sum() == 32
        for row, kept, binary in zip(model.fc2.weight.data, form.mask, net.fc2.weight.effective().numpy(), strict=True):
            alpha = 1 if weights is BinaryConnect else abs(row[kept]).mean()
            np.testing.assert_allclose(binary, np.where(kept, alpha * np.sign(row), 0), rtol=1e-6)
        container.save(net, tmp_path / "net.mcz")
        loaded = container.load(tmp_path / "net.mcz")
        assert loaded.fc2.weight.effective().numpy().tobytes() == net.fc2.weight.effective().numpy().tobytes()


@pytest.mark.slow
@pytest.mark.parametrize(("weights", "activations"), [
    (BinaryConnect, False), (BinaryConnect, True), (ScaledSign, True),
    (lambda: StochasticBinaryConnect("real", rng=np.random.default_rng(0)), False)])
def test_it_learns_the_digits(weights, activations):
    """A third of the time that the recipes take, so well short of what they reach; guessing is 90 % wrong."""
    rng = np.random.default_rng(0)
    digits = data.load("digits", validation=0.1, rng=rng)
    net = binarize(models.mlp([64, 128, 128, 10], batch_norm=True, rng=rng), weights, activations=activations)
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    training.fit(net, digits, epochs=12, optimizer=optimizer, schedule=optim.CosineAnnealingLR(optimizer, 12),
                 progress=False, rng=rng)
    assert training.evaluate(net, digits).error < 0.15


@pytest.mark.parametrize("masked", [False, True])
def test_states_go_between_a_model_and_its_file_both_ways(masked, tmp_path):
    model = mlp()
    if masked:
        nn.project(model.fc2.weight, MagnitudePruning(0.5))
    model.fc2.weight.data.flat[np.abs(model.fc2.weight.data).argmax()] = 0  # a survivor, maybe; of a sign all the same
    net = binarize(model, ScaledSign)
    container.save(net, tmp_path / "net.mcz")
    loaded = container.load(tmp_path / "net.mcz")
    assert loaded.state_dict().keys() == net.state_dict().keys()
    before = net.fc2.weight.effective().numpy().copy()
    net.load_state_dict(loaded.state_dict())
    np.testing.assert_array_equal(net.fc2.weight.effective().numpy(), before)
    loaded.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(loaded.fc2.weight.effective().numpy(), before)


def test_weights_of_nothing_and_almost_nothing_are_saved_and_loaded_to_the_bit(tmp_path):
    layer = nn.Linear(4, 3, bias=False, rng=RNG)
    layer.weight.set([[0.0, -0.0, 0, 0], [-1e-45, 0, 0, 0], [1, -1, 2, -2]])  # the mean of row 1 is below any float
    nn.project(layer.weight, ScaledSign())
    assert layer.weight.form().dense().tobytes() == layer.weight.effective().numpy().tobytes()
    container.save(layer, tmp_path / "layer.mcz")
    loaded = container.load(tmp_path / "layer.mcz")
    assert loaded.weight.effective().numpy().tobytes() == layer.weight.effective().numpy().tobytes()
    container.save(loaded, tmp_path / "again.mcz")
    assert (tmp_path / "again.mcz").read_bytes() == (tmp_path / "layer.mcz").read_bytes()


@pytest.mark.parametrize("form", [Sign([[True, False]], [1.0], axis=0), Sign([[True], [False]], [1.0, 1.0], axis=0),
                                  Sign([[True, False]], 1.0), Sign([[True, False]], 0.5),
                                  Sign([[False], [True]], [0.0, 1.0], axis=0)])
def test_a_sign_keeps_its_axis(form):
    assert nn.assign(nn.Parameter.blank(form.shape), form).form() == form


def test_a_sign_activation_is_stored_and_loaded(tmp_path):
    net = binarize(mlp(), activations=True)
    container.save(net, tmp_path / "net.mcz")
    loaded = container.load(tmp_path / "net.mcz")
    assert kinds(loaded) == kinds(net) and isinstance(loaded.sign1, SignActivation)
    x = np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32)
    assert training.predict(loaded, x).tobytes() == training.predict(net, x).tobytes()


def test_what_it_can_not_make_binary_is_refused_with_a_reason():
    rng = np.random.default_rng(0)
    with pytest.raises(TypeError, match="is a Linear, expected a Sequential"):
        binarize(nn.Linear(2, 2, rng=rng))
    for options in ({"weights": BinaryConnect()}, {"weights": "sign"}, {"real": "fc1"}):
        with pytest.raises(TypeError, match=r"expected a function that makes a projection, .* and a list of names"):
            binarize(mlp(), **options)
    with pytest.raises(TypeError, match="body, an Add, can't be part"):
        binarize(nn.Sequential({"body": nn.Add(nn.ReLU(), nn.Identity())}))
    with pytest.raises(ValueError, match=r"real names \['fc9'\], expected some of \['fc1', 'fc2', 'fc3'\]"):
        binarize(mlp(), real=["fc9"])
    with pytest.raises(ValueError, match="conv is followed by average pooling"):
        binarize(nn.Sequential({"conv": nn.Conv2d(1, 2, 3, rng=rng), "pool": nn.AvgPool2d(2)}), activations=True)
    with pytest.raises(ValueError, match="already projected by"):
        binarize(binarize(mlp()))
    with pytest.raises(ValueError, match="evaluation is 'mean'"):
        binarization.StochasticBinaryConnect("mean", rng=rng)
    with pytest.raises(TypeError, match="rng is 3"):
        binarization.StochasticBinaryConnect(rng=3)
    with pytest.raises(ValueError, match="axis is 1"):
        ScaledSign(axis=1)


@pytest.mark.parametrize("make", [BinaryConnect, ScaledSign, lambda: StochasticBinaryConnect("real", rng=RNG)])
def test_projections_refuse_double_precision(make):
    wide = nn.Parameter(np.array([[1.0, -2.0]]))
    assert wide.dtype == np.float64
    with pytest.raises(TypeError, match="weights are float64, expected float32: convert to float32 first"):
        nn.project(wide, make())
    with pytest.raises(TypeError, match="weights are float64, expected float32: convert to float32 first"):
        make().form(wide.data)


def test_a_shuffle_before_the_batch_norm_is_refused_and_behind_it_stays():
    rng = np.random.default_rng(0)
    layers = {"c": nn.Conv2d(2, 4, 3, rng=rng), "bn": nn.BatchNorm2d(4), "s": nn.ChannelShuffle(2), "r": nn.ReLU(),
              "c2": nn.Conv2d(4, 4, 3, rng=rng)}
    assert "s" in dict(binarize(nn.Sequential(layers), activations=True).children())
    with pytest.raises(ValueError, match=r"\['s'\] stands between c and bn"):
        binarize(nn.Sequential({name: layers[name] for name in ("c", "s", "bn", "r", "c2")}), activations=True)
