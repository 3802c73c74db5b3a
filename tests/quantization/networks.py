"""Small networks of every layer that can be quantized, generated, and data for them."""

import numpy as np

from minicompress import nn


def images(seed=0, count=32, shape=(2, 8, 8)):
    return np.random.default_rng(seed).uniform(-0.5, 1, (count, *shape)).astype(np.float32)


def residual(seed=0):
    """Batch norm, a depthwise layer, both poolings, a residual add with its ReLU, a ReLU alone, dropout."""
    rng = np.random.default_rng(seed)
    body = nn.Sequential({"depthwise": nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False, rng=rng),
                          "norm1": nn.BatchNorm2d(6), "relu": nn.ReLU(), "pointwise": nn.Conv2d(6, 6, 1, rng=rng),
                          "norm2": nn.BatchNorm2d(6)})
    model = nn.Sequential({
        "input": nn.ImageInput(2, 8, 8), "conv": nn.Conv2d(2, 6, 3, padding=1, rng=rng), "norm": nn.BatchNorm2d(6),
        "relu": nn.ReLU(), "block": nn.Add({"body": body, "shortcut": nn.Identity()}), "relu2": nn.ReLU(),
        "average": nn.AvgPool2d(2), "relu3": nn.ReLU(), "max": nn.MaxPool2d(2), "flatten": nn.Flatten(),
        "dropout": nn.Dropout(0.3, rng=rng), "fc": nn.Linear(24, 5, rng=rng)})
    return settled(model, rng)


def settled(model, rng):
    """Batch norms with statistics and parameters of their own, as if the model had been trained."""
    for _, module in model.named_modules():
        if isinstance(module, nn.BatchNorm1d):
            n = module.weight.size
            module.weight.set(rng.uniform(-1.5, 1.5, n))
            module.bias.set(rng.normal(0, 0.3, n))
            module.running_mean = rng.normal(0, 0.2, n).astype(np.float32)
            module.running_var = rng.uniform(0.05, 2, n).astype(np.float32)
    return model


def generated(seed):
    """A network drawn at random from the layers that can be quantized, for images (N, 2, 8, 8)."""
    rng, layers, channels, size = np.random.default_rng(seed), {}, 2, 8
    for i in range(int(rng.integers(1, 5))):
        kind = rng.choice(["conv", "depthwise", "max", "average", "add", "relu"])
        if kind == "conv":
            out, stride = int(rng.integers(1, 7)), int(rng.integers(1, 3))
            layers[f"conv{i}"] = nn.Conv2d(channels, out, 3, stride, 1, bias=bool(rng.integers(2)), rng=rng)
            channels, size = out, (size - 1) // stride + 1
        elif kind == "depthwise":
            layers[f"depthwise{i}"] = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, rng=rng)
        elif kind in ("max", "average") and size >= 3:
            layers[f"{kind}{i}"] = (nn.MaxPool2d if kind == "max" else nn.AvgPool2d)(2, int(rng.integers(1, 3)))
            size = (size - 2) // layers[f"{kind}{i}"].stride + 1
        elif kind == "add":
            layers[f"add{i}"] = nn.Add(nn.Conv2d(channels, channels, 1, rng=rng), nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1, rng=rng), nn.ReLU()) if rng.integers(2) else nn.Identity())
        if kind in ("conv", "depthwise") and rng.integers(2):
            layers[f"norm{i}"] = nn.BatchNorm2d(channels)
        if kind == "relu" or rng.integers(2):
            layers[f"relu{i}"] = nn.ReLU()
    layers |= {"flatten": nn.Flatten(), "fc": nn.Linear(channels * size * size, 3, rng=rng)}
    return settled(nn.Sequential(layers), rng)
