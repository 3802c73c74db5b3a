"""The same numbers as PyTorch, where it is installed; nothing depends on it."""

import numpy as np
import pytest

from minicompress import engine, nn, training
from minicompress.engine import Tensor

torch = pytest.importorskip("torch")


def both(ours, theirs, *arrays, rtol=1e-11):
    """Values, and gradients of a random linear function of them, agree in float64."""
    leaves = [Tensor(a.copy(), requires_grad=True) for a in arrays]
    peers = [torch.tensor(a, requires_grad=True) for a in arrays]
    y, z = ours(*leaves), theirs(*peers)
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=rtol, atol=1e-12)
    u = np.random.default_rng(5).standard_normal(y.shape)
    y.backward(u)
    z.backward(torch.tensor(u))
    for leaf, peer in zip(leaves, peers, strict=True):
        np.testing.assert_allclose(leaf.grad, peer.grad.numpy(), rtol=rtol, atol=1e-12)


def normal(*shape):
    return np.random.default_rng(6).standard_normal(shape)


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"padding": 2}, {"stride": 3, "padding": 1},
                                     {"groups": 2, "padding": 1}, {"groups": 4}])
def test_conv2d(options):
    weight = normal(8, 4 // options.get("groups", 1), 3, 3)
    both(lambda x, w, b: engine.conv2d(x, w, b, **options),
         lambda x, w, b: torch.nn.functional.conv2d(x, w, b, **options), normal(3, 4, 9, 8), weight, normal(8))


@pytest.mark.parametrize(("kernel", "stride"), [(2, None), (3, 1), (2, 3)])
def test_pooling(kernel, stride):
    x = np.round(normal(2, 3, 8, 9))  # many ties
    for name in ("max_pool2d", "avg_pool2d"):
        both(lambda x, name=name: getattr(engine, name)(x, kernel, stride),
             lambda x, name=name: getattr(torch.nn.functional, name)(x, kernel, stride), x)


def test_losses_and_activations():
    z, labels = 5 * normal(6, 4), np.array([0, 3, 1, 1, 2, 0])
    both(lambda z: nn.functional.cross_entropy(z, labels),
         lambda z: torch.nn.functional.cross_entropy(z, torch.tensor(labels)), z)
    p = np.abs(normal(6, 4))
    p /= p.sum(axis=1, keepdims=True)
    both(lambda z: nn.functional.cross_entropy(z, p),
         lambda z: torch.nn.functional.cross_entropy(z, torch.tensor(p)), z)
    for name in ("relu", "tanh", "sigmoid"):
        both(getattr(engine, name), getattr(torch, name), z)
    for name in ("softmax", "log_softmax", "logsumexp"):
        both(getattr(engine, name), lambda z, name=name: getattr(torch, name)(z, dim=-1), z)


@pytest.mark.parametrize(("ours", "theirs", "options"), [
    (training.optim.SGD, torch.optim.SGD, {"lr": 0.1}),
    (training.optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    (training.optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (training.optim.Adam, torch.optim.Adam, {"lr": 0.01}),
    (training.optim.Adam, torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}),
])
def test_optimizers(ours, theirs, options):
    start, gradients = normal(5, 3), normal(20, 5, 3)
    p, q = nn.Parameter(start.copy()), torch.tensor(start, requires_grad=True)
    optimizer, peer = ours([p], **options), theirs([q], **options)
    for g in gradients:
        p.grad, q.grad = g.copy(), torch.tensor(g)
        optimizer.step()
        peer.step()
    np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-10)


def test_batch_norm_and_its_running_statistics():
    x = normal(5, 3, 4, 4).astype(np.float32)
    ours, theirs = nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    for _ in range(3):
        y, z = ours(Tensor(x)), theirs(torch.tensor(x))
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy(), rtol=1e-5)
    y, z = ours.eval()(Tensor(x)), theirs.eval()(torch.tensor(x))
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_lenet_5():
    from minicompress import models
    model = models.lenet_5(rng=np.random.default_rng(0))
    layer = torch.nn
    peer = layer.Sequential(layer.Conv2d(1, 20, 5), layer.MaxPool2d(2), layer.Conv2d(20, 50, 5), layer.MaxPool2d(2),
                            layer.Flatten(), layer.Linear(800, 500), layer.ReLU(), layer.Linear(500, 10))
    for ours, theirs in zip(model.parameters(), peer.parameters(), strict=True):
        theirs.data = torch.tensor(ours.data)
    x, labels = normal(8, 1, 28, 28).astype(np.float32), np.arange(8)
    loss = nn.functional.cross_entropy(model(Tensor(x)), labels)
    loss.backward()
    expected = torch.nn.functional.cross_entropy(peer(torch.tensor(x)), torch.tensor(labels))
    expected.backward()
    assert abs(loss.item() - expected.item()) < 1e-6
    for ours, theirs in zip(model.parameters(), peer.parameters(), strict=True):
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), rtol=1e-3, atol=1e-6)
