"""Scales of a layer's channels (QU-3), and what a bit is worth (QU-4)."""

import math

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, resolve
from minicompress.checker.properties import close, hold

from .affine import JACOB_2018, MAI_2022, any_shape, code_bounds, dequantize, quantize
from .scales import asymmetric_params, symmetric_scale, symmetric_steps


def numbers(nested):
    """The numbers of a list of lists of …, in order.

    >>> numbers([[1, 2], [[3]]]), numbers(4)
    ([1, 2, 3], [4])
    """
    return [number for part in nested for number in numbers(part)] if isinstance(nested, list) else [nested]


def decibels(r, r_hat):
    """10·log₁₀(Σ r² / Σ (r − r̂)²): the signal-to-noise ratio of a quantizer, ≈ 6.02 more for each bit (QU-4).

    >>> round(decibels([1.0, 1.0], [0.9, 1.1]), 6)
    20.0
    """
    return 10 * math.log10(sum(a * a for a in r) / sum((a - b) ** 2 for a, b in zip(r, r_hat, strict=True)))


# ---------------------------------------------------------------------------------------------------------------------
# QU-3

def _layer(rng, size):
    """Channels of different size, some of zeros alone; now and then filters, one channel, one input, no positive."""
    out, n = one_of(rng, size + 1, size + 1, 1), one_of(rng, size + 1, size + 2, 1)
    w = eighths(rng, one_of(rng, (out, n), (out, n), (out, n, 2, 2), (out, 1, 3, 3)))
    w = one_of(rng, w, w, -np.abs(w)) * rng.integers(0, 3, (out, *[1] * (w.ndim - 1))) + 0.0
    return w, one_of(rng, 1, 2, 4, 8, int(rng.integers(3, 17)))


def _by_channel(choose):
    def function(w, bits):
        rows = w.reshape(len(w), -1)
        return choose(rows.min(axis=1), rows.max(axis=1), bits, symmetric=True)[0]
    return function


@page("QU-3", cite=MAI_2022("section 9.3.1"),
      latex=r"s_c = \frac{m_c}{q_{max}},\quad m_c = \max_i |w_{ci}|;\quad s_c = 2 m_c \text{ with 1 bit, where } "
            r"q_{max} = 0;\quad s_c = 1 \text{ if } m_c = 0",
      implementation="minicompress.quantization.affine.choose_params", adapt=_by_channel, inputs=_layer, single=True,
      cases=((np.array([[0.0, -3.0], [1.0, 2.0], [0.0, 0.0]]), 3), (np.array([[[[-1.0]], [[0.5]]]]), 1)))
def channel_scales(w, bits):
    """a scale for each output channel

    s_c = m_c/q_max,  m_c = max_i |w_ci|;  s_c = 2·m_c with 1 bit, where q_max = 0;  s_c = 1 if m_c = 0

    w : weights, (out, in), or filters, (out, in, rows, columns): a channel is all that has one first index
    bits : of a code, an integer
    s : symmetric scales, (out,)

    m : the largest magnitude of a channel
    q_max : the largest of the signed codes, 2^(bits−1) − 1

    >>> channel_scales([[0.0, -3.0], [1.0, 2.0], [0.0, 0.0]], 2), channel_scales([[[[1.0]], [[-2.0]]]], 1)
    ([3.0, 2.0, 1.0], [4.0])
    """
    return [symmetric_scale(min(numbers(channel)), max(numbers(channel)), bits) for channel in w]


@channel_scales.must("is not above the layer's")
def _not_above_the_layers(f, w, bits):
    layer, used = symmetric_scale(float(w.min()), float(w.max()), bits), w.reshape(len(w), -1).any(axis=1)
    hold((f(w, bits) <= layer * (1 + 8 * f.eps)) | ~used, "a channel's scale is above that of the whole layer")


@channel_scales.must("channels are apart")
def _channels_apart(f, w, bits):
    close(f, f(w[::-1], bits), f(w, bits)[::-1], "exchanging channels must exchange their scales", 8)
    close(f, f(w[:1], bits), f(w, bits)[:1], "a channel has another scale among others than alone", 8)


def _magnitudes(w):
    return np.abs(w).reshape(len(w), -1).max(axis=1)


def _by(largest, steps=symmetric_steps):
    def function(w, bits):
        s = largest(w) / steps(bits)
        return np.where(s > 0, s, 1.0)
    return function


channel_scales.must_agree(8)
channel_scales.trap("columns", "these are scales of the columns, which are inputs: weights are (out, in).",
                    _by(lambda w: np.resize(_magnitudes(np.moveaxis(w, 1, 0)), len(w))), seen=True)
channel_scales.trap("one for all", "this is the layer's one scale, repeated.",
                    _by(lambda w: np.full(len(w), np.abs(w).max())))
channel_scales.trap("1 bit", "with 1 bit q_max is 0: the scale is 2·max |w|.",
                    _by(_magnitudes, lambda bits: max(code_bounds(bits)[1], 1)))
channel_scales.trap("missing abs", "abs is missing: a channel may be mostly negative.",
                    _by(lambda w: w.reshape(len(w), -1).max(axis=1)))
channel_scales.trap("range", "this is the whole range: twice as much as a symmetric scale needs.",
                    _by(lambda w: np.ptp(w.reshape(len(w), -1), axis=1)))
channel_scales.trap("first input", "this looks at a filter's first input channel alone.",
                    _by(lambda w: _magnitudes(w[:, :1])))
channel_scales.trap("first weight", "this looks at the first weight of each row: a filter has rows of its own.",
                    _by(lambda w: _magnitudes(w[..., :1])))
channel_scales.trap("scale of 0", "a channel of zeros gets a scale of 0, by which nothing can be divided.",
                    lambda w, bits: _magnitudes(w) / symmetric_steps(bits), seen=True)

# ---------------------------------------------------------------------------------------------------------------------
# QU-4


def _reals(rng, size):
    """Numbers of any range: on both sides of 0 or on one, all equal, one alone; to many bits."""
    r = eighths(rng, any_shape(rng, size + 1))
    r = one_of(rng, r, r, np.abs(r), -np.abs(r), np.full(r.shape, r.flat[0]))
    return r * one_of(rng, 1.0, 2.0**-20, 1000.0), int(rng.integers(1, one_of(rng, 9, 17)))


def _there_and_back(choose_params):
    def function(r, bits):
        s, z = choose_params(r.min(), r.max(), bits)
        codes = resolve("minicompress.quantization.affine.quantize")(r, s, z, *code_bounds(bits))
        return resolve("minicompress.quantization.affine.dequantize")(codes, s, z)
    return function


@page("QU-4", cite=(JACOB_2018("eq. 1"), MAI_2022("section 9.3.1")),
      latex=r"\hat r = s\,(q - z),\quad q = \mathrm{clip}(\mathrm{round}(r/s + z),\, q_{min},\, q_{max}),\quad "
            r"(s, z) = \mathrm{asymmetric}(\min r, \max r, \mathrm{bits})",
      implementation="minicompress.quantization.affine.choose_params", adapt=_there_and_back, inputs=_reals,
      single=True, cases=((np.zeros(2), 3), (np.array([-3.0, -1.0]), 2)))
def there_and_back(r, bits):
    """what numbers become at so many bits

    r̂ = s·(q − z),  q = clip(round(r/s + z), q_min, q_max),  (s, z) = asymmetric(min r, max r, bits)

    r : real numbers of any shape, (n,) or (…)
    bits : of a code, an integer
    r_hat : r̂, of r's shape, (n,) or (…)

    q : codes, QU-1
    s, z : the asymmetric scale and zero point of the range of all of r together, QU-2
    q_min, q_max : −2^(bits−1) and 2^(bits−1) − 1

    >>> there_and_back([-0.9, 0.2, 0.6], 1), there_and_back([[3.0], [0.4]], 2)
    ([-1.5, 0.0, 0.0], [[3.0], [0.0]])
    """
    s, z = asymmetric_params(min(numbers(r)), max(numbers(r)), bits)
    return dequantize(quantize(r, s, z, *code_bounds(bits)), s, z)


def _steps(r, bits):
    """s, in float64."""
    return (max(float(r.max()), 0.0) - min(float(r.min()), 0.0)) / (2**bits - 1)


@there_and_back.must("the error is at most half a step")
def _error_is_bounded(f, r, bits):
    error = np.abs(f(r, bits) - r).max()
    bound = _steps(r, bits) / 2 * (1 + 2.0 ** (bits + 2) * f.eps)
    hold(error <= bound, f"with {bits} bits the error is {error:g}, half a step is {bound:g}")


@there_and_back.must("no more values than codes")
def _few_values(f, r, bits):
    many = np.linspace(r.min() - 1, r.max() + 1, 2 ** min(bits + 2, 11))
    found = np.unique(f(many, bits)).size
    hold(found <= 2**bits, f"{bits} bits tell {2**bits} numbers apart, there are {found}")


@there_and_back.must("numbers are whole steps")
def _on_the_grid(f, r, bits):
    s = _steps(r, bits)
    if s:
        steps = f(r, bits) / s
        hold(np.abs(steps - np.rint(steps)) <= 2.0 ** (bits + 2) * f.eps,
             f"r̂/s is {steps.tolist()}, expected the whole numbers q − z")


@there_and_back.must("0 stays 0")
def _zero_stays(f, r, bits):
    hold(f(np.append(r, 0.0), bits)[-1] == 0, "0 must stay exactly 0")


def _uniform(bits_of=lambda bits: bits, low=lambda r: min(r.min(), 0.0), rounding=np.rint):
    def function(r, bits):
        a, b = low(r), max(r.max(), 0.0)
        s = (b - a) / (2 ** bits_of(bits) - 1) or 1.0
        z = np.rint(-a / s) if a == min(r.min(), 0.0) else -a / s
        return s * (np.clip(rounding(r / s + z), 0, 2 ** bits_of(bits) - 1) - z)
    return function


def _symmetric(r, bits):
    s = np.abs(r).max() / symmetric_steps(bits) or 1.0
    return s * np.clip(np.rint(r / s), *code_bounds(bits))


there_and_back.trap("one bit lost", "this has half as many codes: the sign needs no bit of its own here.",
                    _uniform(lambda bits: max(bits - 1, 1)))
there_and_back.trap("one bit too many", "this has twice as many values as there are codes.",
                    _uniform(lambda bits: bits + 1))
there_and_back.trap("range not widened", "0 is no longer 0: z must be rounded, in a range that holds 0.",
                    _uniform(low=lambda r: r.min() - 0.3))
there_and_back.trap("few numbers", "this leaves r as it is where there are codes enough: they lie on an even grid.",
                    lambda r, bits: r if np.unique(r).size <= 2**bits else _uniform()(r, bits))
there_and_back.trap("cut off", "this cuts off decimals in place of rounding: the error is up to a step.",
                    _uniform(rounding=np.floor))
there_and_back.trap("symmetric", "this grid is symmetric, which wastes codes where the range is not.", _symmetric)
there_and_back.trap("row by row", "each row has a range of its own: asked for is the range of all numbers together.",
                    lambda r, bits: np.array([_uniform()(row, bits) for row in (r if r.ndim > 1 else r[None])])
                    .reshape(r.shape))
there_and_back.trap("codes", "these are the codes: asked for are the numbers that they stand for.",
                    lambda r, bits: np.rint(r / (_steps(r, bits) or 1.0)))
