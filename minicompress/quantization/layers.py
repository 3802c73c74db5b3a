"""The layers of a converted network: integers in, integers out, and no float between `Quantize` and `Dequantize`.

Each tensor between layers holds codes on one `Grid`, whose three numbers stand in the config() of the layers that write
and read it. Weights are Parameters in the form Affine (under a mask, if pruned), biases int32 on the grid S₁·S₂.
"""

from fractions import Fraction

import numpy as np

from minicompress import expect
from minicompress.engine import Codes, Tensor
from minicompress.forms import Affine, Sparse
from minicompress.kernels import integer
from minicompress.nn import Conv2d, Module, Parameter, register
from minicompress.nn.layers.pooling import Pool

from .affine import Grid, code_range


def integers(form):
    """The integers q − z of weights in the form Affine, 0 where a mask prunes, and their scale, () or (out,).

    Raises TypeError for any other form, from which no integers follow.

    >>> integers(Affine(np.array([[3, -1]]), 0.5, 1, bits=3))
    (array([[ 2, -2]], dtype=int32), array(0.5, dtype=float32))
    """
    if isinstance(form, Sparse):
        values, scale = integers(form.inner)
        return np.where(form.mask, values, 0), scale
    expect.a(Affine, "the form of the weights", form, "one on a grid (Affine), which integers can name")
    zero_point = form.zero_point.reshape(form.zero_point.shape + (1,) * (form.codes.ndim - form.zero_point.ndim))
    return form.codes - zero_point, form.scale


def integer_bias(bias, in_scale, weight_scale):
    """round(b / (S₁·S₂)) as int32 (out,), halves to even: biases on the grid of the accumulator (Jacob 2018, eq. 11).

    Raises ValueError for a bias that does not fit, FloatingPointError for one that is not finite.

    >>> integer_bias(np.array([1.0, -0.3]), 0.5, np.float32(0.25))
    array([ 8, -2], dtype=int32)
    """
    expect.that(np.isfinite(bias).all(), lambda: f"the bias of channel {np.argmin(np.isfinite(bias))} is not finite",
                FloatingPointError)
    codes = np.rint(np.asarray(bias, np.float64) / (in_scale * np.asarray(weight_scale, np.float64)))
    worst = np.argmax(np.abs(codes))
    expect.that(np.abs(codes[worst]) <= integer.INT32, lambda: f"the bias of channel {worst} is {bias[worst]}, or "
                f"{codes[worst]:.3g} on the grid of its products: expected at most 2^31 - 1, as its weights are too "
                "small beside it")
    return codes.astype(np.int32)


def _codes(layer, x):
    expect.that(isinstance(x, Codes), lambda: f"{type(layer).__name__} takes codes, got {x.dtype}: put Quantize before "
                "it", TypeError)
    return x.data


def _clipped(values, grid):
    """Integers moved by the zero point and clipped to the codes of a grid."""
    low, high = code_range(grid.bits)
    values += grid.zero_point
    return Codes(np.clip(values, low, high, out=values).astype(np.int8 if grid.bits <= 8 else np.int16))


class _Border(Module):
    """Where real numbers become codes of a grid, or codes real numbers."""

    def __init__(self, scale, zero_point, bits=8):
        super().__init__()
        self.grid = Grid(scale, zero_point, bits)

    def config(self):
        """[scale, zero_point, bits]"""
        return self.grid.config()


@register
class Quantize(_Border):
    """Real numbers to codes: q = clip(round(r/s + z)) (QU-1), where a converted network begins.

    >>> Quantize(0.5, 0)(Tensor([1.0, -0.6])).numpy()
    array([ 2, -1], dtype=int8)
    """

    def forward(self, x):
        return Codes(self.grid.quantize(x.data))


@register
class Dequantize(_Border):
    """Codes to real numbers: r̂ = s·(q − z) (QU-1), where a converted network ends.

    >>> Dequantize(0.5, 0)(Codes(np.array([2, -1], np.int8))).numpy()
    array([ 1. , -0.5], dtype=float32)
    """

    def forward(self, x):
        return Tensor(self.grid.dequantize(_codes(self, x)))


@register
class QuantizedReLU(Module):
    """max(q, z): the ReLU that no layer before it could take into its clipping.

    >>> QuantizedReLU(-3)(Codes(np.array([-5, 4], np.int8))).numpy()
    array([-3,  4], dtype=int8)
    """

    def __init__(self, zero_point):
        super().__init__()
        self.zero_point = Grid(1.0, zero_point, 16).zero_point

    def config(self):
        """[zero_point]"""
        return [self.zero_point]

    def forward(self, x):
        codes = _codes(self, x)
        held = np.iinfo(codes.dtype)
        expect.that(held.min <= self.zero_point <= held.max,
                    f"zero_point is {self.zero_point}, which is no code of the {codes.dtype} that it is given")
        return Codes(np.maximum(codes, codes.dtype.type(self.zero_point)))


@register
class QuantizedAvgPool2d(Pool):
    """The mean of each window of codes, rounded to an integer, halves up; the grid stays the same.

    >>> QuantizedAvgPool2d(2)(Codes(np.array([[[[1, 2], [2, 1]]]], np.int8))).numpy()
    array([[[[2]]]], dtype=int8)
    """

    def forward(self, x):
        return Codes(integer.average(_codes(self, x), self.kernel_size, self.stride))


@register
class QuantizedAdd(Module):
    """The sum of the first half of the channels and the second, each on its own grid, rounded once onto a third.

    q₃ = clip(Z₃ + round((q₁−Z₁)·S₁/S₃ + (q₂−Z₂)·S₂/S₃)), both quotients as integers over one power of two: behind a
    `Concatenate`, a residual add. The arguments are the three grids. Raises ValueError for an odd number of channels.

    >>> QuantizedAdd(1.0, 0, 8, 0.5, 0, 8, 1.0, 0, 8)(Codes(np.array([[3, 4]], np.int8))).numpy()
    array([[5]], dtype=int8)
    """

    def __init__(self, scale_1, zero_point_1, bits_1, scale_2, zero_point_2, bits_2, scale, zero_point, bits):
        super().__init__()
        self.first, self.second = Grid(scale_1, zero_point_1, bits_1), Grid(scale_2, zero_point_2, bits_2)
        self.grid = Grid(scale, zero_point, bits)
        self.factors, self.shift = integer.shared_fixed_point(
            [Fraction(grid.scale) / Fraction(self.grid.scale) for grid in (self.first, self.second)])

    def config(self):
        """The three grids, [scale, zero_point, bits] each"""
        return [*self.first.config(), *self.second.config(), *self.grid.config()]

    def forward(self, x):
        codes = _codes(self, x)
        expect.shaped("the input of QuantizedAdd", x, "(N, 2·C, …), two halves to be added", codes.shape[1] % 2 == 0)
        half = codes.shape[1] // 2
        total = 0
        for part, grid, factor in zip((codes[:, :half], codes[:, half:]), (self.first, self.second), self.factors,
                                      strict=True):
            total = total + (part.astype(np.int64) - grid.zero_point) * factor  # below 2^(17 + 31) each
        return _clipped(integer.rescale(total, 1, self.shift), self.grid)


class _Weighted(Module):
    """q₃ = clip(Z₃ + round(M·(b + Σ (q₁−Z₁)(q₂−Z₂)))), M = S₁S₂/S₃ for each output channel (QU-10)."""

    buffers, trains = ("bias",), False

    def __init__(self, shape, grids):
        super().__init__()
        self.reads, self.grid = Grid(*grids[:3]), Grid(*grids[3:])
        self.weight, self.bias = Parameter.blank(shape), np.broadcast_to(np.int32(0), shape[:1])
        self.lowered = None  # what `forward` computes with, and the arrays that it was made of

    def lower(self, form, bias):
        """(weights as floats of the type that is exact, b, M₀, shift), for weights in a form and int32 biases."""
        weight, scale = integers(form)
        dtype = integer.exact_dtype(integer.accumulator_bound(weight, self.reads.reach, bias))
        m0, shift = integer.fixed_point_quotients(self.reads.scale, scale.reshape(-1), self.grid.scale)
        trailing = (1,) * (weight.ndim - 2)
        order = "F" if weight.ndim == 2 else "C"  # as engine.linear wants it
        return weight.astype(dtype, order=order), *(array.reshape(-1, *trailing) for array in (bias, m0, shift))

    def validate(self):
        """Raise ValueError unless the arrays are in the forms that this layer computes with."""
        try:
            self.lower(self.weight.form(), self.bias)  # refuses sums beyond int32 and scales beyond what M may be
        except TypeError as error:
            raise ValueError(str(error)) from None

    def run(self, codes, weight, bias, m0, shift):
        """The layer's codes for input codes, given what `lower` made of the weights."""
        accumulator = self.product(codes, weight)
        accumulator += bias
        return _clipped(integer.rescale(accumulator, m0, shift), self.grid)

    def forward(self, x):
        made_of = self.weight.data, self.weight.projections, self.bias
        if self.lowered is None or any(a is not b for a, b in zip(made_of, self.lowered[0], strict=True)):
            self.lowered = made_of, self.lower(self.weight.form(), self.bias)
        return self.run(_codes(self, x), *self.lowered[1])


@register
class QuantizedLinear(_Weighted):
    """A Linear layer in integers (QU-10), for codes (N, in_features); source: Jacob et al. 2018, section 2.

    Args: in_features, out_features; scale, zero point and bits of the codes it reads, then of those it writes. The
    weights are blank until assigned in the form Affine, the biases 0. The result is rounded once, halves up.

    >>> layer = QuantizedLinear(2, 1, 1.0, 0, 8, 1.0, 0, 8)
    >>> from minicompress.nn import assign
    >>> _ = assign(layer.weight, Affine(np.array([[1, 2]]), 0.5, 0, bits=8))
    >>> layer(Codes(np.array([[1, 2]], np.int8))).numpy()  # 2.5
    array([[3]], dtype=int8)
    """

    def __init__(self, in_features, out_features, in_scale, in_zero_point, in_bits, scale, zero_point, bits):
        super().__init__(tuple(expect.integers(1, out_features=out_features, in_features=in_features)),
                         (in_scale, in_zero_point, in_bits, scale, zero_point, bits))

    def config(self):
        """[in_features, out_features, and both grids]"""
        return [*self.weight.shape[::-1], *self.reads.config(), *self.grid.config()]

    def product(self, codes, weight):
        return integer.linear(codes, self.reads.zero_point, weight)

    def macs(self, output_shape):
        """Multiply-accumulates for one example: out · in (ME-3)."""
        return self.weight.size


@register
class QuantizedConv2d(_Weighted):
    """A Conv2d layer in integers (QU-10), for codes (N, C, H, W); source: Jacob et al. 2018, section 2.

    Args: as for Conv2d; then scale, zero point and bits of the codes it reads, and of those it writes. Padding is the
    real number 0, the code Z₁. Otherwise as `QuantizedLinear`.

    >>> QuantizedConv2d(1, 4, 3, 1, 1, 1, 1.0, 0, 8, 1.0, 0, 8).weight.shape
    (4, 1, 3, 3)
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride, padding, groups,
                 in_scale, in_zero_point, in_bits, scale, zero_point, bits):
        like = Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups, rng=None)  # checks its sizes
        super().__init__(like.weight.shape, (in_scale, in_zero_point, in_bits, scale, zero_point, bits))
        self.stride, self.padding, self.groups = like.stride, like.padding, like.groups

    def config(self):
        """[in_channels, out_channels, kernel_size, stride, padding, groups, and both grids]"""
        f, c_group, k, _ = self.weight.shape
        return [c_group * self.groups, f, k, self.stride, self.padding, self.groups, *self.reads.config(),
                *self.grid.config()]

    def product(self, codes, weight):
        return integer.conv2d(codes, self.reads.zero_point, weight, stride=self.stride, padding=self.padding,
                              groups=self.groups)

    def macs(self, output_shape):
        """Multiply-accumulates for one example: k² · C/groups · F · H_out · W_out (ME-3)."""
        return self.weight.size * output_shape[1] * output_shape[2]
