"""Cutting units and channels out of a network (PR-8), and what they leave behind (PR-6:absorb)."""

import math

import numpy as np

from minicompress.checker.draws import eighths
from minicompress.checker.page import page, resolve, tensor
from minicompress.checker.properties import close

from .filter_norm import LI_2017
from .networks import evaluate
from .slimming import LIU_2017


def relu(x):
    """max(x, 0).

    >>> relu(-1.0), relu(2.0)
    (0.0, 2.0)
    """
    return max(x, 0.0)


def _some_kept(rng, size):
    """A mask of channels that leaves one at least, as a network needs."""
    keep = rng.integers(0, 2, size)
    keep[rng.integers(size)] = 1
    return keep


def _louder(bias, keep):
    """What is cut would speak up by 100."""
    return bias + np.where(keep, 0, 100).astype(bias.dtype)


def _made(model, layers):
    """A Sequential of the package's layers, and their numbers put in: {name: (layer, {name: array})}."""
    parameter = resolve("minicompress.nn.Parameter")
    for layer, arrays in layers.values():
        for name, array in arrays.items():
            setattr(layer, name, parameter(array))
    return model({name: layer for name, (layer, _) in layers.items()})


def _linear(w, b):
    return resolve("minicompress.nn.Linear")(*w.T.shape, rng=None), {"weight": w, "bias": b}


# ---------------------------------------------------------------------------------------------------------------------
# PR-8

def _surgery_inputs(rng, size):
    inputs, hidden, outputs = int(rng.integers(1, 4)), size, int(rng.integers(1, 4))
    shapes = inputs, (hidden, inputs), hidden, (outputs, hidden), outputs
    return *(eighths(rng, shape, 2) for shape in shapes), _some_kept(rng, hidden)


def _cut(cut_channels):
    def function(x, w1, b1, w2, b2, keep):
        model = _made(resolve("minicompress.nn.Sequential"), {
            "fc1": _linear(w1, b1), "act": (resolve("minicompress.nn.ReLU")(), {}), "fc2": _linear(w2, b2)})
        smaller = cut_channels(model, x[None].astype(np.float32), {"fc1": np.flatnonzero(keep)})
        return smaller(tensor(x[None])).numpy()[0]
    return function


@page("PR-8", cite=LI_2017("section 3"),
      latex=r"y = W_2[:, K]\; \mathrm{relu}(W_1[K]\, x + b_1[K]) + b_2",
      implementation="minicompress.pruning.cut.cut_channels", adapt=_cut, inputs=_surgery_inputs,
      cases=((np.array([1.0]), np.array([[1.0], [1.0]]), np.array([0.0, 2.0]), np.array([[1.0, 10.0], [0.0, 1.0]]),
              np.array([0.5, 0.0]), np.array([0, 1])),))
def cut_units(x, w1, b1, w2, b2, keep):
    """cutting units out of a network

    y = W₂[:, K]·relu(W₁[K]·x + b₁[K]) + b₂

    x : input, (in,)
    w1 : W₁, of the first layer, (hidden, in)
    b1 : b₁, its bias, (hidden,)
    w2 : W₂, of the second layer, (out, hidden)
    b2 : b₂, its bias, (out,)
    keep : 1 for a hidden unit that stays, 0 for one that goes, integers, (hidden,)
    y : output, the same as if the second layer read zeros in place of the others, (out,)

    K : the kept units, those whose keep is 1
    relu : relu(x) = max(x, 0)

    >>> cut_units([1.0], [[1.0], [1.0]], [0.0, 2.0], [[1.0, 10.0]], [0.5], [0, 1])
    [30.5]
    """
    y = []
    for row, y_o in zip(w2, b2, strict=True):
        for h, w in enumerate(row):
            if keep[h]:
                y_o += w * relu(b1[h] + sum(w1_i * x_i for w1_i, x_i in zip(w1[h], x, strict=True)))
        y.append(y_o)
    return y


@cut_units.must("keeping all changes nothing")
def _nothing_cut(f, x, w1, b1, w2, b2, keep):
    hidden = np.maximum(w1 @ x + b1, 0)
    close(f, f(x, w1, b1, w2, b2, np.ones_like(keep)), w2 @ hidden + b2, "with all units kept it is the whole network",
          64, 1 + np.abs(w2) @ hidden)


@cut_units.must("what a removed unit says doesn't matter")
def _own_weights_do_not_matter(f, x, w1, b1, w2, b2, keep):
    close(f, f(x, w1, _louder(b1, keep), w2, b2, keep), f(x, w1, b1, w2, b2, keep), "what a removed unit would have "
          "said must not matter, its bias neither", 64, 1 + np.abs(w2).sum() * 100)


@cut_units.must("zeroing what reads the others is the same")
def _as_zeroed(f, x, w1, b1, w2, b2, keep):
    gone = {("fc1", i) for i, kept in enumerate(keep) if not kept}
    network = [("dense", "fc1", w1.tolist(), b1.tolist()), ("relu",), ("dense", "fc2", w2.tolist(), b2.tolist())]
    channels = evaluate(network, [({("", i)}, [[value]]) for i, value in enumerate(x.tolist())], gone=gone)
    close(f, f(x, w1, b1, w2, b2, keep), [image[0][0] for _, image in channels], "the network with zeros where the "
          "second layer reads what is cut says something else", 64, 1 + np.abs(w2).sum() * 9)


def _units(x, w1, b1, w2, b2, act=lambda h: np.maximum(h, 0)):
    return w2 @ act(w1 @ x + b1) + b2


cut_units.must_agree(64, lambda x, w1, b1, w2, b2, keep: 1 + np.abs(w2).sum() * 9)
cut_units.trap("filter zeroed", "this zeroes the unit's weights: its bias still speaks.",
               lambda x, w1, b1, w2, b2, keep: _units(x, w1 * keep[:, None], b1, w2, b2), seen=True)
cut_units.trap("nothing cut", "nothing is cut.", lambda x, w1, b1, w2, b2, keep: _units(x, w1, b1, w2, b2))
cut_units.trap("outputs cut", "this cuts the output, too.",
               lambda x, w1, b1, w2, b2, keep: _units(x, w1, b1, w2 * keep, b2 * keep.min()))
cut_units.trap("no ReLU", "the non-linearity is lost.",
               lambda x, w1, b1, w2, b2, keep: _units(x, w1, b1, w2 * keep, b2, lambda h: h))
cut_units.trap("inverted", "this cuts the units that stay.",
               lambda x, w1, b1, w2, b2, keep: _units(x, w1, b1, w2 * (1 - keep), b2))
cut_units.trap("first columns", "the first columns of W₂ are kept, not those of the units that stay.",
               lambda x, w1, b1, w2, b2, keep: _units(
                   x, w1[keep == 1], b1[keep == 1], w2[:, :keep.sum()], b2))

# ---------------------------------------------------------------------------------------------------------------------
# PR-8:flatten


def _flat(x, gamma, beta, w, b, kept=slice(None), columns=lambda w: w):
    """The network with some channels kept, and of W what ``columns`` makes of (out, channels, pixels)."""
    hidden = np.maximum(gamma[:, None] * x + beta[:, None], 0)[kept]
    return columns(w.reshape(len(w), *x.shape))[:, kept].reshape(len(w), -1) @ hidden.ravel() + b


def _flat_inputs(rng, size):
    channels, pixels, outputs = size, int(rng.integers(1, 4)), int(rng.integers(1, 4))
    return (eighths(rng, (channels, pixels), 2), eighths(rng, channels, 2), eighths(rng, channels, 2),
            eighths(rng, (outputs, channels * pixels), 2), eighths(rng, outputs, 2), _some_kept(rng, channels))


def _cut_before_flatten(cut_channels):
    def function(x, gamma, beta, w, b, keep):
        channels = len(x)
        norm = resolve("minicompress.nn.BatchNorm2d")(channels)
        conv = resolve("minicompress.nn.Conv2d")(channels, channels, 1, bias=False, rng=None)
        model = _made(resolve("minicompress.nn.Sequential"), {
            "conv": (conv, {"weight": np.eye(channels, dtype=x.dtype)[:, :, None, None]}),  # so the norm reads x
            "norm": (norm, {"weight": gamma * math.sqrt(1 + norm.eps), "bias": beta}),
            "act": (resolve("minicompress.nn.ReLU")(), {}), "flat": (resolve("minicompress.nn.Flatten")(), {}),
            "fc": _linear(w, b)})
        image = x[None, :, None]  # (1, C, 1, P)
        smaller = cut_channels(model, image.astype(np.float32), {"conv": np.flatnonzero(keep)}).eval()
        return smaller(tensor(image)).numpy()[0]
    return function


@page("PR-8:flatten", cite=LI_2017("section 3"),
      latex=r"y = \sum_{c \in K} \sum_p W[:, c \cdot P + p] \cdot \mathrm{relu}(\gamma_c x_{cp} + \beta_c) + b",
      implementation="minicompress.pruning.cut.cut_channels", adapt=_cut_before_flatten, inputs=_flat_inputs,
      cases=((np.ones((2, 2)), np.ones(2), np.ones(2), np.array([[1.0, 2.0, 3.0, 4.0]]), np.zeros(1), np.array([1, 0])),
             (np.ones((3, 2)), np.ones(3), np.ones(3), np.arange(12.0).reshape(2, 6), np.zeros(2),
              np.array([0, 1, 1]))))
def cut_channels(x, gamma, beta, w, b, keep):
    """cutting channels before a batch norm and a flatten

    y = Σ_{c∈K} Σ_p W[:, c·P + p]·relu(γ_c·x_cp + β_c) + b

    x : normalised maps, (channels, P)
    gamma : γ, scales of the batch norm, (channels,)
    beta : β, its shifts, (channels,)
    w : W, of the dense layer, (out, channels·P): behind the flatten each channel has P columns, one next to the other
    b : b, its bias, (out,)
    keep : 1 for a channel that stays, 0 for one that goes, integers, (channels,)
    y : output, (out,)

    K : the kept channels, those whose keep is 1
    c, p : channel and pixel, integers from 0
    P : number of pixels of a channel
    relu : relu(x) = max(x, 0)

    >>> cut_channels([[1.0, 1.0], [2.0, 2.0]], [1.0, 1.0], [1.0, 1.0], [[1.0, 2.0, 3.0, 4.0]], [0.5], [1, 0])
    [6.5]
    """
    y = []
    for row, y_o in zip(w, b, strict=True):
        for c, pixels in enumerate(x):
            for p, x_cp in enumerate(pixels):
                if keep[c]:
                    y_o += row[c * len(pixels) + p] * relu(gamma[c] * x_cp + beta[c])
        y.append(y_o)
    return y


@cut_channels.must("keeping all changes nothing")
def _flat_nothing_cut(f, x, gamma, beta, w, b, keep):
    close(f, f(x, gamma, beta, w, b, np.ones_like(keep)), _flat(x, gamma, beta, w, b),
          "with all channels kept it is the whole network", 64, 1 + np.abs(w).sum() * 6)


@cut_channels.must("what a removed channel says doesn't matter")
def _flat_silenced(f, x, gamma, beta, w, b, keep):
    close(f, f(x, gamma, _louder(beta, keep), w, b, keep), f(x, gamma, beta, w, b, keep), "what a removed channel "
          "would have said must not matter, its β neither", 64, 1 + np.abs(w).sum() * 106)


@cut_channels.must("zeroing what reads the others is the same")
def _flat_as_zeroed(f, x, gamma, beta, w, b, keep):
    gone = {("norm", c) for c, kept in enumerate(keep) if not kept}
    network = [("norm", "norm", gamma.tolist(), beta.tolist(), [0.0] * len(x), [1.0] * len(x), 0.0), ("relu",),
               ("flatten",), ("dense", "fc", w.tolist(), b.tolist())]
    channels = evaluate(network, [({("", c)}, [row]) for c, row in enumerate(x.tolist())], gone=gone)
    close(f, f(x, gamma, beta, w, b, keep), [image[0][0] for _, image in channels], "the network with zeros where the "
          "dense layer reads what is cut says something else", 64, 1 + np.abs(w).sum() * 6)


cut_channels.must_agree(64, lambda x, gamma, beta, w, b, keep: 1 + np.abs(w).sum() * 6)
cut_channels.trap("γ zeroed", "this zeroes the channel before the batch norm adds β: relu(β) still speaks.",
                  lambda x, gamma, beta, w, b, keep: _flat(x, gamma * keep, beta, w, b), seen=True)
cut_channels.trap("pixels first", "the columns are taken as if pixels came first: behind a flatten channel c has "
                  "columns c·P to c·P + P − 1.", lambda x, gamma, beta, w, b, keep: _flat(
                      x, gamma, beta, w, b, keep == 1, lambda w: w.reshape(len(w), *x.T.shape).swapaxes(1, 2)))
cut_channels.trap("first columns", "the first columns are kept, not those of the channels that stay.",
                  lambda x, gamma, beta, w, b, keep: _flat(
                      x, gamma, beta, w, b, keep == 1, lambda w: w[:, np.cumsum(keep) - 1]))
cut_channels.trap("nothing cut", "nothing is cut.", lambda x, gamma, beta, w, b, keep: _flat(x, gamma, beta, w, b))
cut_channels.trap("inverted", "this cuts the channels that stay.",
                  lambda x, gamma, beta, w, b, keep: _flat(x, gamma, beta, w, b, keep == 0))

# ---------------------------------------------------------------------------------------------------------------------
# PR-6:absorb


def _constants(rng, size):
    channels, outputs = size, int(rng.integers(1, 4))
    return (eighths(rng, channels, 2), eighths(rng, (outputs, channels), 2), eighths(rng, outputs, 2),
            _some_kept(rng, channels))


def _absorbing(cut_channels):
    def function(beta, w, b, keep):
        linear = resolve("minicompress.nn.Linear")(1, len(beta), rng=np.random.default_rng(0))
        norm = resolve("minicompress.nn.BatchNorm1d")(len(beta))
        model = _made(resolve("minicompress.nn.Sequential"), {
            "fc1": (linear, {}), "norm": (norm, {"weight": np.float32(keep), "bias": np.float32(beta)}),  # γ = 0: cut
            "act": (resolve("minicompress.nn.ReLU")(), {}), "fc2": _linear(np.float32(w), np.float32(b))})
        smaller = cut_channels(model, np.zeros((1, 1), np.float32), {"fc1": np.flatnonzero(keep)}, absorb_bias=True)
        return smaller.fc2.bias.numpy()
    return function


@page("PR-6:absorb", cite=LIU_2017("section 3"),
      latex=r"b'_i = b_i + \sum_{j \notin K} W_{ij}\, \mathrm{relu}(\beta_j)",
      implementation="minicompress.pruning.cut.cut_channels", adapt=_absorbing, inputs=_constants,
      cases=((np.array([1.0, 2.0]), np.array([[1.0, 3.0]]), np.array([0.5]), np.array([1, 0])),
             (np.array([-1.0, 2.0, 3.0]), np.array([[1.0, 3.0, 5.0], [0.0, -1.0, 1.0]]), np.array([0.5, 0.0]),
              np.array([0, 0, 1]))))
def absorbed_bias(beta, w, b, keep):
    """what a channel with γ = 0 still says

    b'_i = b_i + Σ_{j∉K} W_ij·relu(β_j)

    beta : β, shifts of the batch norm, (channels,): with γ_j = 0 channel j emits relu(β_j), whatever the input is
    w : W, of the dense layer behind it, (out, channels)
    b : its bias, (out,)
    keep : 1 for a channel that stays, 0 for one that goes, integers, (channels,)
    bias : b', the bias with what the channels that go have said, (out,)

    K : the kept channels, those whose keep is 1
    relu : relu(x) = max(x, 0)

    >>> absorbed_bias([3.0, 4.0], [[1.0, 10.0]], [0.5], [1, 0])
    [40.5]
    """
    bias = []
    for row, b_i in zip(w, b, strict=True):
        for j, w_ij in enumerate(row):
            if not keep[j]:
                b_i += w_ij * relu(beta[j])
        bias.append(b_i)
    return bias


@absorbed_bias.must("silent channels add nothing")
def _silent_add_nothing(f, beta, w, b, keep):
    close(f, f(-np.abs(beta), w, b, keep), b, "a channel with β ≤ 0 emits relu(β) = 0, which leaves the bias alone", 16)


@absorbed_bias.must("what is kept is not absorbed")
def _kept_speak_for_themselves(f, beta, w, b, keep):
    close(f, f(beta, w, b, np.ones_like(keep)), b, "what is kept is not absorbed: with all kept the bias stays", 16)


absorbed_bias.must_agree(64)
absorbed_bias.trap("β forgotten", "nothing is absorbed: with γ = 0 the channel still emits relu(β).",
                   lambda beta, w, b, keep: b, seen=True)
absorbed_bias.trap("no ReLU", "the activation is missing: what is emitted is relu(β).",
                   lambda beta, w, b, keep: b + w @ np.where(keep, 0, beta))
absorbed_bias.trap("all channels", "this absorbs the channels that are kept, too, which still speak for themselves.",
                   lambda beta, w, b, keep: b + w @ np.maximum(beta, 0))
absorbed_bias.trap("kept channels", "this absorbs the channels that stay: those that go need it.",
                   lambda beta, w, b, keep: b + w @ np.where(keep, np.maximum(beta, 0), 0))
absorbed_bias.trap("weights forgotten", "the weights are missing that the next layer reads the channels with.",
                   lambda beta, w, b, keep: b + np.maximum(beta, 0) @ (keep == 0))
