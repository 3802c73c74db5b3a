"""Generated networks whose channels are to be cut, what the literal evaluation makes of them, and what rounding may."""

import numpy as np
from hypothesis import strategies as st

from minicompress import nn
from minicompress.equations.pruning.networks import evaluate, together


def randomise(model, rng, dtype):
    """Weights, statistics and β at random, in a dtype: an untrained batch norm would hide half of all mistakes."""
    for parameter in model.parameters():
        parameter.data = rng.uniform(-1, 1, parameter.shape).astype(dtype)
    for name, buffer in model.named_buffers():
        low = 0.25 if name.endswith("var") else -1
        model.set_buffer(name, rng.uniform(low, 1, buffer.shape))
    return model.eval()


@st.composite
def networks(draw, absorbing=False):
    """(model, images (2, C, H, W)): convolutions, depthwise ones, batch norm, pooling, residuals, concatenation, dense.

    With ``absorbing`` batch norm follows all that mixes channels, and nothing pads.
    """
    rng, dtype = np.random.default_rng(draw(st.integers(0, 2**32 - 1))), draw(st.sampled_from([np.float32, np.float64]))
    channels, size = draw(st.integers(1, 2)), draw(st.integers(5, 6))
    layers, shape = {}, (channels, size)
    for i in range(draw(st.integers(1, 3))):
        block, shape = draw(_block(rng, shape, absorbing))
        layers[f"block{i}"] = block
    features = shape[0] * shape[1] ** 2
    layers["flatten"] = nn.Flatten()
    if draw(st.booleans()):
        hidden = draw(st.integers(1, 4))
        layers |= {"fc": nn.Linear(features, hidden, rng=rng), "bn": nn.BatchNorm1d(hidden), "relu": nn.ReLU()}
        features = hidden
    layers["out"] = nn.Linear(features, 2, bias=draw(st.booleans()), rng=rng)
    return randomise(nn.Sequential(layers), rng, dtype), rng.uniform(-1, 1, (2, channels, size, size)).astype(dtype)


@st.composite
def _block(draw, rng, shape, absorbing):
    channels, size = shape
    kind = draw(st.sampled_from(["convolution", "depthwise", "residual", "concatenation"]))
    padding = 0 if absorbing else 1

    def mixing(out, kernel, pad):
        conv = nn.Conv2d(channels, out, kernel, padding=pad, bias=draw(st.booleans()), rng=rng)
        tail = {"bn": nn.BatchNorm2d(out)} if absorbing or draw(st.booleans()) else {}
        return nn.Sequential({"conv": conv, **tail, **({"relu": nn.ReLU()} if draw(st.booleans()) else {})})

    if kind == "residual":
        shortcut = nn.Identity() if draw(st.booleans()) else mixing(channels, 1, 0)
        return nn.Add({"body": mixing(channels, 1 + 2 * padding, padding), "shortcut": shortcut}), shape
    if kind == "concatenation":
        branches = {"a": mixing(draw(st.integers(1, 3)), 1, 0), "b": nn.Identity(),
                    "c": mixing(draw(st.integers(1, 2)), 1 + 2 * padding, padding)}
        made = channels + branches["a"][0].weight.shape[0] + branches["c"][0].weight.shape[0]
        return nn.Concatenate(branches), (made, size)
    if kind == "depthwise" and channels > 1:
        kernel = draw(st.sampled_from([k for k in (1, 3) if k <= size]))
        factor, pad = draw(st.integers(1, 2)), padding * (kernel // 2)
        block = {"depthwise": nn.Conv2d(channels, factor * channels, kernel, padding=pad, groups=channels, rng=rng)}
        out, size = factor * channels, size + 2 * pad - kernel + 1
        if draw(st.booleans()):
            block["bn"] = nn.BatchNorm2d(out)
    else:
        out, stride = draw(st.integers(1, 4)), draw(st.integers(1, 2))
        block = {"conv": nn.Conv2d(channels, out, min(3, size), stride, padding, rng=rng), "bn": nn.BatchNorm2d(out)}
        size = (size + 2 * padding - min(3, size)) // stride + 1
    block["relu"] = nn.ReLU()
    if size > 1 and draw(st.booleans()):
        pool, stride = draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d])), draw(st.integers(1, 2))
        block["pool"], size = pool(2, stride), (size - 2) // stride + 1
    return nn.Sequential(block), (out, size)


# ---------------------------------------------------------------------------------------------------------------------
# A model as the lists of `equations.channels`

def spelled(model, path="", magnitudes=False):
    """The literal network of a model; with ``magnitudes`` of every number's magnitude, for bounds on rounding."""
    size = np.abs if magnitudes else np.asarray

    def numbers(array):
        return size(np.asarray(array, np.float64)).tolist()

    def inner(name):
        return f"{path}.{name}" if path else name

    if isinstance(model, nn.Sequential):
        return [layer for name, child in model.children() for layer in spelled(child, inner(name), magnitudes)]
    if isinstance(model, nn.Add | nn.Concatenate):
        branches = [spelled(child, inner(name), magnitudes) for name, child in model.children()]
        return [("add" if isinstance(model, nn.Add) else "concat", branches)]
    if isinstance(model, nn.Linear | nn.Conv2d):
        bias = numbers(np.zeros(len(model.weight.data)) if model.bias is None else model.bias.data)
        if isinstance(model, nn.Linear):
            return [("dense", path, numbers(model.weight.data), bias)]
        return [("conv", path, numbers(model.weight.data), bias, model.stride, model.padding, model.groups)]
    if isinstance(model, nn.BatchNorm1d):
        mean = -np.abs(model.running_mean) if magnitudes else model.running_mean
        return [("norm", path, numbers(model.weight.data), numbers(model.bias.data),
                 np.asarray(mean, np.float64).tolist(), model.running_var.tolist(), model.eps)]
    if isinstance(model, nn.MaxPool2d | nn.AvgPool2d):
        return [("max" if isinstance(model, nn.MaxPool2d) else "mean", model.kernel_size, model.stride)]
    return {nn.ReLU: [("relu",)], nn.Flatten: [("flatten",)], nn.Identity: []}[type(model)]


def channels_of(image):
    """One image (C, H, W) as channels."""
    return [({("", c)}, plane) for c, plane in enumerate(np.asarray(image, np.float64).tolist())]


def values(channels):
    """The outputs of a dense last layer, (classes,)."""
    return np.array([image[0][0] for _, image in channels])


def rounding(model, images):
    """A bound on what rounding can do to each output: eps · operations on the way · magnitudes (Higham 2002, ch. 3)."""
    operations = 0
    for _, module in model.named_modules():
        weight = getattr(module, "weight", None)
        operations += 8 + (weight.size // weight.shape[0] if weight is not None else 4)
    magnitude = values(evaluate(spelled(model, magnitudes=True), channels_of(np.abs(images).max(axis=0))))
    return 2 * np.finfo(images.dtype).eps * operations * magnitude


# ---------------------------------------------------------------------------------------------------------------------
# What to cut

def groups_of(model, image):
    """The sets of channels that can be cut, each only as a whole: none of the input's and none of the output's."""
    groups = together(spelled(model), channels_of(image))
    last = list(dict(model.named_modules()))[-1]
    return [group for group in groups if not any(layer in ("", last) for layer, _ in group)]


def sizes_of(model):
    """{dotted name: channels} of the layers that hold weights."""
    return {name: len(module.weight.data) for name, module in model.named_modules()
            if getattr(module, "weight", None) is not None}


@st.composite
def cuts(draw, absorbing=False):
    """(model, images, keep, the origins that are gone): some sets of channels, and for each one layer that names it."""
    model, images = draw(networks(absorbing))
    left, keep_out, gone = dict(sizes_of(model)), {}, set()
    for group in sorted(groups_of(model, images[0]), key=sorted):
        layers = [layer for layer, _ in sorted(group)]
        if draw(st.booleans()) and all(left[layer] > layers.count(layer) for layer in layers):
            for layer in layers:
                left[layer] -= 1
            gone |= group
            keep_out.setdefault(draw(st.sampled_from(layers)), None)
    keep = {layer: [i for i in range(sizes_of(model)[layer]) if (layer, i) not in gone] for layer in keep_out}
    return model, images, keep, gone
