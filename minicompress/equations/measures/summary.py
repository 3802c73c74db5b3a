"""Operations and parameters, counted one by one (ME-3)."""

from itertools import pairwise

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page, resolve
from minicompress.checker.paper import Convention
from minicompress.checker.properties import hold


def linear_macs(out_features, in_features):
    """(ME-3) Multiply-accumulates of y_o = Σ_i W_oi x_i for one example, counted one by one.

    >>> linear_macs(10, 84)
    840
    """
    macs = 0
    for _o in range(out_features):
        for _i in range(in_features):
            macs += 1
    return macs


def parameters(layers):
    """(ME-3) (weights, weights and biases) of a chain of layers, each given as (outputs, inputs read by one output).

    >>> parameters([(300, 784), (100, 300), (10, 100)])
    (266200, 266610)
    >>> parameters([(20, 1 * 5 * 5), (50, 20 * 5 * 5), (500, 50 * 4 * 4), (10, 500)])
    (430500, 431080)
    """
    weights = biases = 0
    for outputs, inputs in layers:
        weights += outputs * inputs
        biases += outputs
    return weights, weights + biases


# ---------------------------------------------------------------------------------------------------------------------
# ME-3

def _convolution_inputs(rng, size):
    """Also depthwise, 1×1, as large as the image, and of images that strides don't divide."""
    groups, kernel = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    filters, channels = (groups * int(rng.integers(1, 4)) for _ in range(2))
    filters, channels = one_of(rng, (filters, channels), (filters, channels), (groups, groups))
    return (filters, channels, kernel, kernel + one_of(rng, 0, *[int(rng.integers(0, size + 1))] * 3),
            int(rng.integers(1, 4)), int(rng.integers(0, 3)), groups)


def _counted(conv2d):
    def function(filters, channels, kernel, size, stride, padding, groups):
        layer = conv2d(channels, filters, kernel, stride, padding, groups, rng=np.random.default_rng(0))
        return layer.summary((channels, size, size)).macs
    return function


@page("ME-3", cite=Convention("counted one by one, for one image, padding's zeros included"),
      latex=r"F \cdot \frac{C}{G} \cdot k^2 \cdot O^2,\quad O = \left\lfloor \frac{H + 2P - k}{S} \right\rfloor + 1",
      implementation="minicompress.nn.layers.Conv2d.macs", adapt=lambda _: _counted(resolve("minicompress.nn.Conv2d")),
      inputs=_convolution_inputs, cases=((20, 1, 5, 28, 1, 0, 1), (4, 4, 3, 6, 2, 1, 4)))
def conv2d_macs(filters, channels, kernel, size, stride=1, padding=0, groups=1):
    """multiply-accumulates of a convolution

    F · C/G · k² · O²,   O = ⌊(H + 2·P − k)/S⌋ + 1

    filters : F, an integer
    channels : C, of the input, an integer
    kernel : k, rows and columns of a filter, an integer
    size : H, rows and columns of the image, an integer
    stride : S, an integer
    padding : P, an integer: zeros on each side
    groups : G, an integer that divides F and C: each filter reads C/G channels
    macs : for one image, an integer

    O : rows and columns of the output

    >>> conv2d_macs(2, 3, 3, 5), conv2d_macs(2, 2, 3, 6, stride=2, padding=1, groups=2)
    (486, 162)
    """
    macs = 0
    for _f in range(filters):
        for _y in range(0, size + 2 * padding - kernel + 1, stride):
            for _x in range(0, size + 2 * padding - kernel + 1, stride):
                for _c in range(channels // groups):
                    for _dy in range(kernel):
                        for _dx in range(kernel):
                            macs += 1
    return macs


@conv2d_macs.must("grows with the filters")
def _grows_with_filters(f, filters, *rest):
    hold(f(2 * filters, *rest) == 2 * f(filters, *rest), "twice the filters take twice the operations")


@conv2d_macs.must("grows with the channels")
def _grows_with_channels(f, filters, channels, kernel, size, stride, padding, groups):
    more = f(filters, 2 * channels, kernel, size, stride, padding, groups)
    hold(more == 2 * f(filters, channels, kernel, size, stride, padding, groups),
         "twice the input channels take twice the operations")


@conv2d_macs.must("as large as the padded image it has one place")
def _one_place(f, filters, channels, kernel, size, stride, padding, groups):
    found = f(filters, channels, kernel, kernel, stride, 0, groups)
    expected = filters * (channels // groups) * kernel * kernel
    hold(found == expected, f"a filter as large as the image is used once: {expected} operations, not {found}")


def _out(n, k, s, p):
    return (n + 2 * p - k) // s + 1


def _macs(f, c, k, n, s, p, g, *, out=_out):
    return f * (c // g) * k * k * out(n, k, s, p) ** 2


conv2d_macs.must_agree(0)
conv2d_macs.trap("groups forgotten", "each filter reads only C/G channels.",
                 lambda f, c, k, n, s, p, g: _macs(f, c, k, n, s, p, 1))
conv2d_macs.trap("input size", "these are the places of the input: operations happen at each place of the output.",
                 lambda *sizes: _macs(*sizes, out=lambda n, k, s, p: n))
conv2d_macs.trap("stride forgotten", "the stride is not used: it leaves places out.",
                 lambda *sizes: _macs(*sizes, out=lambda n, k, s, p: _out(n, k, 1, p)))
conv2d_macs.trap("padding on one side", "padding is on both sides.",
                 lambda *sizes: _macs(*sizes, out=lambda n, k, s, p: (n + p - k) // s + 1 if n + p >= k else 0))
conv2d_macs.trap("rounded up", "a place that a stride reaches only in part is none: this rounds up.",
                 lambda *sizes: _macs(*sizes, out=lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1))
conv2d_macs.trap("one row", "places have rows and columns: this counts one row of them.",
                 lambda f, c, k, n, s, p, g: f * (c // g) * k * k * _out(n, k, s, p))
conv2d_macs.trap("parameters", "these are the weights: each is used at every place of the output.",
                 lambda f, c, k, n, s, p, g: f * (c // g) * k * k)
conv2d_macs.trap("operations", "this counts multiplications and additions apart: one of each is one MAC.",
                 lambda *sizes: 2 * _macs(*sizes))
conv2d_macs.trap("biases", "this counts biases too: they are added, not multiplied.",
                 lambda f, *sizes: _macs(f, *sizes) + f, seen=True)
conv2d_macs.trap("one for all filters", "each filter takes its own operations.", lambda f, *sizes: _macs(1, *sizes))
conv2d_macs.trap("one for all channels", "each channel that a filter reads takes its own operations.",
                 lambda f, c, k, n, s, p, g: _macs(f, g, k, n, s, p, g))

# ---------------------------------------------------------------------------------------------------------------------
# ME-3:parameters


def _summarised(summary):
    def function(sizes):
        model = resolve("minicompress.models.mlp")(sizes.tolist(), rng=np.random.default_rng(0))
        found = summary(model)
        return found.macs, found.parameters  # one MAC a weight
    return function


@page("ME-3:parameters", cite=Convention("counted one by one"),
      latex=r"\sum_l n_l\, n_{l+1} \;\text{ and }\; \sum_l (n_l + 1)\, n_{l+1}",
      implementation="minicompress.nn.Module.summary", adapt=_summarised,
      inputs=lambda rng, size: (rng.integers(1, 9, int(rng.integers(2, 7))) * one_of(rng, 1, 1, 10),),
      cases=((np.array([784, 300, 100, 10]),), (np.array([1, 1]),)))
def mlp_parameters(sizes):
    """parameters of a multilayer perceptron

    Σ_l n_l·n_{l+1} and Σ_l (n_l + 1)·n_{l+1}

    sizes : n, units of each layer, the input's first, (layers,)
    weights : an integer
    parameters : weights and biases, an integer

    >>> mlp_parameters([784, 300, 100, 10])
    (266200, 266610)
    """
    return parameters([(outputs, inputs) for inputs, outputs in pairwise(sizes)])


@mlp_parameters.must("a bias for each unit")
def _difference_is_biases(f, sizes):
    weights, total = f(sizes)
    hold(total - weights == sum(sizes[1:]), "each unit behind the input has one bias")


@mlp_parameters.must("another output costs its weights")
def _bottleneck(f, sizes):
    found, before = f(np.append(sizes, 1))[0], f(sizes)[0]
    hold(found - before == sizes[-1], f"one output more takes {sizes[-1]} weights more, not {found - before}")


def _weights(sizes):
    return mlp_parameters.reference(sizes)[0]


mlp_parameters.must_agree(0)
mlp_parameters.trap("biases of the input", "the input has no biases: only units that are computed have one.",
                    lambda sizes: (_weights(sizes), _weights(sizes) + int(sizes.sum())))
mlp_parameters.trap("pairs of layers", "weights join neighbouring layers alone: this multiplies more.",
                    lambda sizes: (int(np.prod(sizes)), int(np.prod(sizes) + sizes[1:].sum())))
mlp_parameters.trap("without biases", "the second number counts biases too.", lambda sizes: (_weights(sizes),) * 2)
mlp_parameters.trap("one bias a layer", "each unit has a bias of its own, not each layer.",
                    lambda sizes: (_weights(sizes), _weights(sizes) + len(sizes) - 1))
mlp_parameters.trap("first layer alone", "this counts the first layer alone.",
                    lambda sizes: mlp_parameters.reference(sizes[:2]))
