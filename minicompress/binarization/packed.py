"""The layers of a binary network on packed bits, and the rewrite of a trained one into them.

Between these layers travel `engine.Codes`: products as int32, signs as int8 ±1. Max pooling and flattening move them as
they are, and whatever would mix them with floats is a TypeError.
"""

import copy
import math

import numpy as np

from minicompress import expect, nn
from minicompress.engine import Codes, Tensor, no_grad
from minicompress.forms import Sign
from minicompress.kernels import xnor

from .binarized import role, split

NEVER, ALWAYS = np.iinfo(np.int32).max, np.iinfo(np.int32).min  # thresholds that no product reaches, or any


class _Binary(nn.Module):
    """A weight of signs, stored as bits, and packed into words of 64 at its first use.

    New weights (`nn.assign`, `Parameter.set`) are packed anew; changes within the same array are not seen.
    """

    trains = False

    def __init__(self, like):
        super().__init__()
        self.weight = like.weight  # blank, and its sizes are checked
        self._words = None, None  # of which latent array, and what they are

    def words(self):
        """The packed weights, uint64; ValueError for weights that are not ±1."""
        of, words = self._words
        if of is not self.weight.data:
            words = xnor.pack(_signs(self.weight, type(self).__name__))
            self._words = self.weight.data, words
        return words

    def validate(self):
        """Raise ValueError unless the arrays are in the forms that this layer computes with."""
        _signs(self.weight, type(self).__name__)


@nn.graph.register
class BinaryLinear(_Binary):
    """y = x·Wᵀ in integers, of signs x (N, in) and ±1 weights W (out, in) (BI-8).

    x : `Codes` or a float Tensor, whose signs are taken (BI-1); y : `Codes`, int32 (N, out)

    >>> layer = BinaryLinear(3, 1)
    >>> _ = nn.assign(layer.weight, Sign([[True, True, False]], 1.0))
    >>> layer(Tensor([[1.0, -1.0, -1.0]])).numpy()
    array([[1]], dtype=int32)
    """

    def __init__(self, in_features, out_features):
        super().__init__(nn.Linear(in_features, out_features, bias=False, rng=None))

    def config(self):
        """[in_features, out_features]"""
        return list(self.weight.shape[::-1])

    def forward(self, x):
        n = self.weight.shape[1]
        expect.that(x.ndim == 2 and x.shape[1] == n, lambda: f"this layer reads signs (N, {n}), got {x.shape}")
        return Codes(xnor.matmul(xnor.pack(x.data), self.words(), n))

    def macs(self, output_shape):
        """The products of signs for one example, out · in: 64 of them are one XOR and one count (ME-3)."""
        return self.weight.size


@nn.graph.register
class BinaryConv2d(_Binary):
    """Cross-correlation in integers of sign images (N, C, H, W) with ±1 filters (F, C, k, k), exactly 0 outside (BI-8).

    Input and result are as `BinaryLinear`'s.

    >>> layer = BinaryConv2d(2, 1, 1)
    >>> _ = nn.assign(layer.weight, Sign([[[[True]], [[True]]]], 1.0))
    >>> layer(Codes(np.array([[[[1]], [[-1]]]], np.int8))).numpy()
    array([[[[0]]]], dtype=int32)
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0):
        like = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False, rng=None)
        super().__init__(like)
        self.stride, self.padding = like.stride, like.padding

    def config(self):
        """[in_channels, out_channels, kernel_size, stride, padding]"""
        out, channels, k, _ = self.weight.shape
        return [channels, out, k, self.stride, self.padding]

    def forward(self, x):
        channels = self.weight.shape[1]
        expect.that(x.ndim == 4 and x.shape[1] == channels,
                    lambda: f"this layer reads images (N, {channels}, H, W), got {x.shape}")
        return Codes(xnor.conv2d(xnor.pack(x.data), self.words(), channels, stride=self.stride, padding=self.padding))

    def macs(self, output_shape):
        """The products of signs for one example (ME-3)."""
        return self.weight.size * math.prod(output_shape[1:])


@nn.graph.register
class Threshold(nn.Module):
    """Batch norm and sign in one comparison of integers: +1 where x ≥ τ, or where x < τ if ``direction`` is −1 (BI-10).

    x : `Codes`, int32 (N, C, …); the result : `Codes`, int8 ±1. `fold` finds τ and direction, one a channel.

    >>> layer = Threshold(2)
    >>> layer.threshold = np.array([1, 1], np.int32)
    >>> _ = nn.assign(layer.direction, Sign([True, False], 1.0))
    >>> layer(Codes(np.array([[0, 0], [1, 1]], np.int32))).numpy()
    array([[-1,  1],
           [ 1, -1]], dtype=int8)
    """

    buffers = ("threshold",)

    def __init__(self, num_features):
        super().__init__()
        checked = nn.BatchNorm1d(num_features, blank=True)
        self.direction = nn.Parameter.blank(checked.weight.shape)
        self.threshold = np.broadcast_to(np.int32(0), self.direction.shape)

    def config(self):
        """[num_features]"""
        return [self.direction.size]

    def validate(self):
        """Raise ValueError unless the arrays are in the forms that this layer computes with."""
        _signs(self.direction, "Threshold")

    def forward(self, x):
        expect.that(isinstance(x, Codes) and x.ndim >= 2 and x.shape[1] == self.direction.size, lambda: "Threshold "
                    f"takes codes of {self.direction.size} channels, got {x.dtype} {x.shape}")
        channels = (1, -1) + (1,) * (x.ndim - 2)
        upward = _signs(self.direction, "Threshold")
        plus = (x.data >= self.threshold.reshape(channels)) == upward.reshape(channels)
        return Codes(plus.view(np.int8) * np.int8(2) - np.int8(1))


@nn.graph.register
class ToFloat(nn.Module):
    """`Codes` as float32, exactly: the border between the binary layers and the last batch norm.

    >>> ToFloat()(Codes(np.array([3], np.int32))).numpy()
    array([3.], dtype=float32)
    """

    def config(self):
        """[]"""
        return []

    def forward(self, x):
        return Tensor(x.data.astype(np.float32))


def pack(model):
    """The same binary network on packed bits: what `binarize(…, activations=True)` made, trained, as integer layers.

    The first weighted layer reads real inputs, so it, its batch norm and its sign stay as they are (in the file its
    weights are bits all the same); every later one computes in integers from signs to signs: `BinaryLinear` or
    `BinaryConv2d`, max pooling, and batch norm and sign as a `Threshold`. The last one's products become floats for its
    batch norm. All logits are those of ``model`` in evaluation, bit for bit: its own sums of ±1 are integers
    below 2^24, so exact too, and each threshold is found by asking its batch norm itself.

    Raises TypeError for layers that `binarize` does not leave, subclasses of them included, ValueError for a layer
    behind the first whose weights are not all ±1 (real, scaled or pruned), that has a bias or groups, or 2^24 inputs
    or more.

    >>> from minicompress import models
    >>> from minicompress.binarization import binarize
    >>> net = binarize(models.mlp([4, 8, 8, 3], rng=np.random.default_rng(0)), activations=True)
    >>> [name for name, _ in pack(net).children()]
    ['flatten', 'fc1', 'fc1_bn', 'sign1', 'fc2', 'fc2_bn', 'fc3', 'fc3_float', 'fc3_bn']
    """
    inputs, blocks = split(model)
    expect.that(blocks and (len(blocks) == 1 or any(role(layer) == "sign" for _, layer in blocks[0])),
                "the first weighted layer is not followed by a sign: binarize with activations=True first", TypeError)
    layers = dict(copy.deepcopy([*inputs, *blocks[0]]))
    for block in blocks[1:]:
        layers |= _packed_block(block, last=block is blocks[-1])
    return nn.Sequential(layers)


def _packed_block(block, last):
    """One binary layer and what follows it, as {name: layer}."""
    (name, layer), *rest = block
    follows = [after for _, after in rest if role(after) not in ("max pool", "moves", "dropout")]
    expect.that([role(after) for after in follows] == ["norm", "sign"][:2 - last], lambda: f"{name} is followed by "
                f"{[type(after).__name__ for after in follows]}, expected one batch norm and, unless it is last, a "
                "sign: binarize with activations=True first", TypeError)
    packed = {name: _packed_weights(name, layer)}
    for key, after in rest:
        if role(after) == "norm":
            packed |= {f"{name}_float": ToFloat(), key: copy.deepcopy(after)} if last else {
                key: fold(after, _inputs(layer))}
        elif role(after) not in ("sign", "dropout"):
            packed[key] = copy.deepcopy(after)
    return packed


def _inputs(layer):
    return math.prod(layer.weight.shape[1:])


def _packed_weights(name, layer):
    bits = _signs(layer.weight, name)
    n = _inputs(layer)
    expect.that(layer.bias is None and n < 1 << 24 and getattr(layer, "groups", 1) == 1,
                f"{name} has a bias, groups or {n} inputs: expected none, and fewer than 2^24")
    packed = PACKED[type(layer)](layer)
    nn.assign(packed.weight, Sign(bits, 1.0))
    return packed


PACKED = {nn.Linear: lambda layer: BinaryLinear(*layer.config()[:2]),
          nn.Conv2d: lambda layer: BinaryConv2d(*layer.config()[:5])}


def _signs(parameter, name):
    form = parameter.form()
    known = f"Sign of alpha {form.alpha}" if isinstance(form, Sign) else type(form).__name__
    expect.that(isinstance(form, Sign) and form.axis is None and form.alpha == 1,
                f"{name} needs weights of ±1, got a {known}")
    return form.bits


def fold(norm, n):
    """The `Threshold` that is the sign of a batch norm in evaluation, for all integers from −n to n (BI-10).

    On paper τ = μ − β·σ/γ. In floats that is rounded, and so is the batch norm; but the norm as computed is monotone
    too, so bisection over the integers finds where its sign changes, exactly: 1 + log₂ n evaluations. Where the sign
    never changes (γ = 0, or β large) the threshold is out of reach.

    >>> norm = nn.BatchNorm1d(1).eval()
    >>> norm.set_buffer("running_mean", [2.5])
    >>> fold(norm, 10).threshold
    array([3], dtype=int32)
    """
    norm = copy.deepcopy(norm).eval()
    shape = (1, -1, 1, 1) if isinstance(norm, nn.BatchNorm2d) else (1, -1)

    def plus(x):  # the sign, as the float network computes it, of one integer a channel
        with no_grad():
            return norm(Tensor(x.astype(np.float32).reshape(shape))).data.ravel() >= 0

    channels = norm.weight.size
    low, high = np.full(channels, -n), np.full(channels, n)
    begins, ends = plus(low), plus(high)
    while (high - low > 1).any():  # the sign of low is that of −n; that of high is that of n
        middle = (low + high) // 2
        changed = plus(middle) == ends
        low, high = np.where(changed, low, middle), np.where(changed, middle, high)
    threshold = Threshold(channels)
    threshold.threshold = np.where(begins != ends, high, np.where(begins, ALWAYS, NEVER)).astype(np.int32)
    nn.assign(threshold.direction, Sign(ends | ~begins, 1.0))
    return threshold
