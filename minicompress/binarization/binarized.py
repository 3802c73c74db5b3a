"""From an ordinary network to a binary one: a sign where the ReLU was, and binary weights in the layers."""

import copy

import numpy as np

from minicompress import expect, nn
from minicompress.claims import Method
from minicompress.engine import surrogate

from .weights import BinaryConnect, ScaledSign

NORM_AFTER = {nn.Linear: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d}


@nn.graph.register
class SignActivation(nn.Module):
    """+1 where x ≥ 0, else −1 (BI-1); the gradient passes where |x| ≤ 1 (BI-3). Source: Courbariaux et al. 2016.

    >>> from minicompress import Tensor
    >>> SignActivation()(Tensor([-0.5, 0.0])).numpy()
    array([-1.,  1.], dtype=float32)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return surrogate.sign(x)


def binarize(model, weights=BinaryConnect, *, activations=False, real=()):
    """A new network with binary weights and, if ``activations``, ±1 between its layers: a BinaryConnect net or a BNN.

    model : a Sequential of the library's layers, trained or not; it stays as it is
    weights : a function without arguments that makes the projection of one layer: BinaryConnect, ScaledSign, or
        ``lambda: StochasticBinaryConnect(rng=rng)``. Masks that a weight has stay, and only survivors are binarized
    activations : put a `SignActivation` behind every weighted layer but the last, in place of its ReLU
    real : names of layers whose weights stay real; by default none does, as in both papers' MLPs. In small
        convolutional networks the first and the last are the usual ones: they hold few weights and lose most

    A weighted layer loses its bias to the batch norm that follows directly, or behind max pooling; where none does, one
    is put in, named NAME_bn: ±1 has no scale of its own, and no other layer hands a constant on as it is. With sign
    activations the order is always layer, max pooling, batch norm, sign, whatever it was (pooled signs would nearly all
    be +1). The latent weights are stretched to fill ±1, which for Adam is the same
    as the papers' learning rate scaled by each layer's initial range; not for `ScaledSign`, whose α they make.

    Raises TypeError for anything but a flat Sequential, in float32, of the library's own Linear, Conv2d, batch norm,
    pooling, ReLU, SignActivation, Flatten, ImageInput and Dropout; ValueError for a name in ``real`` that is no
    weighted layer's, a batch norm of another kind or size than the layer before it, and average pooling before a sign.

    >>> import numpy as np
    >>> from minicompress import models
    >>> net = models.mlp([4, 8, 3], batch_norm=True, rng=np.random.default_rng(0))
    >>> [name for name, _ in binarize(net, activations=True).children()]
    ['flatten', 'fc1', 'bn1', 'sign1', 'fc2', 'fc2_bn']
    """
    expect.that(callable(weights) and not isinstance(weights, nn.Projection) and not isinstance(real, str),
                lambda: f"weights {weights!r} and real {real!r}: expected a function that makes a projection, such as "
                "BinaryConnect, and a list of names", TypeError)
    inputs, blocks = split(model)
    expect.some_of("real names", real, [block[0][0] for block in blocks])
    layers = list(inputs)
    for i, block in enumerate(blocks):
        layers += _binary_block(block, weights, activations, last=i == len(blocks) - 1, real=block[0][0] in real)
    expect.that(len(dict(layers)) == len(layers),
                f"two layers would have one name, rename yours: {[name for name, _ in layers]}")
    return nn.Sequential(dict(layers))


def split(model):
    """The (name, layer) pairs of a Sequential before its first weighted layer, and from each weighted one to the next.

    Raises TypeError for layers that a binary network can't have, and for any other precision than float32.
    """
    expect.that(type(model) is nn.Sequential, lambda: f"model is a {type(model).__name__}, expected a Sequential",
                TypeError)
    for name, parameter in model.named_parameters():
        expect.that(parameter.dtype == np.float32, f"{name} is {parameter.dtype}: convert to float32 first", TypeError)
    inputs, blocks = [], []
    for name, layer in model.children():
        if role(layer, name) == "weights":
            blocks.append([])
        (blocks[-1] if blocks else inputs).append((name, layer))
    return inputs, blocks


def _binary_block(block, weights, activations, last, real):
    """One weighted layer and what follows it, as (name, layer) pairs."""
    (name, layer), *rest = copy.deepcopy(block)
    norm_kind, channels = NORM_AFTER[type(layer)], layer.weight.shape[0]
    moved = [key for key, after in rest if role(after) == "moves" and not isinstance(after, nn.Flatten | nn.ImageInput)]
    for key, norm in (pair for pair in rest if role(pair[1]) == "norm"):
        keys = [other for other, _ in rest]
        expect.that(not moved or keys.index(moved[0]) > keys.index(key), f"{moved} stands between {name} and {key}, a "
                    "batch norm that counts the channels in another order: put it behind")
        expect.that(type(norm) is norm_kind and norm.weight.size == channels, f"{key} is a {type(norm).__name__} of "
                    f"{norm.weight.size} channels behind {name}, expected a {norm_kind.__name__} of {channels}")
    if activations:
        rest = _ordered(name, rest, last)
    pools = next((i for i, (_, after) in enumerate(rest) if role(after) != "max pool"), len(rest))
    follows = rest[pools][1] if pools < len(rest) else None
    if type(follows) is not norm_kind:
        follows = norm_kind(channels)
        rest.insert(pools if activations else 0, (f"{name}_bn", follows))
    if layer.bias is not None:  # the batch norm takes any constant away; so it must take away one less
        follows.running_mean = follows.running_mean - layer.bias.effective().numpy()
        layer.bias = None
    if not real:
        _project(layer.weight, weights())
    return [(name, layer), *rest]


def _ordered(name, rest, last):
    """Pooling, batch norm, sign, and then the rest; no sign behind the last layer."""
    pools, norms, acts, others, means = ([pair for pair in rest if role(pair[1]) in kinds] for kinds in (
        ["max pool"], ["norm"], ["relu", "sign"], ["moves", "dropout"], ["mean"]))
    expect.that(not means, f"{name} is followed by average pooling, whose sums are no ±1: pool by the maximum")
    sign = acts[0][0].replace("relu", "sign") if acts else f"{name}_sign"
    return [*pools, *norms, *([] if last else [(sign, SignActivation())]), *others]


def _project(weight, projection):
    masks = [p for p in weight.projections if p.survivors() is not None]
    expect.that(len(masks) == len(weight.projections),
                f"the weights are already projected by {weight.projections}: only masks can stay")
    if not isinstance(projection, ScaledSign) and (largest := abs(weight.data).max()) > 0:
        weight.set(weight.data / largest)
    nn.project(weight, *masks, projection)


_ROLES = nn.Rules("can't be part of a binary network", {kind: lambda layer, path, role=role: role for role, kinds in {
    "weights": NORM_AFTER, "norm": NORM_AFTER.values(), "max pool": [nn.MaxPool2d], "mean": [nn.AvgPool2d],
    "relu": [nn.ReLU], "sign": [SignActivation], "dropout": [nn.Dropout], "moves": [nn.Moves],
}.items() for kind in kinds})


def role(layer, name="a layer"):
    """What a layer does in a binary network, a word; TypeError, with its name, for what there is none for."""
    return _ROLES(layer, name)


def _binary(model, tuning):
    model = binarize(model, ScaledSign)
    tuning.fit(model, adam=1e-3)
    return model


METHODS = (Method("binary", ("pruned",), {
    "cut": "a binary network makes up in width what its weights lack; cutting channels takes just that away",
    "": "a weight has one code: each of the two would replace the other's"}, _binary, "binary weights"),)
