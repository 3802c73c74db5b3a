"""Linear quantization: real numbers as integers on an even grid, q = clip(round(r/s + z)) and r̂ = s·(q − z)."""

from dataclasses import dataclass

import numpy as np

from minicompress import expect

TINY, HUGE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


def code_range(bits, most=16):
    """(−2^(bits−1), 2^(bits−1) − 1): the signed codes of 1 to 16 bits; ValueError for another width.

    >>> code_range(8)
    (-128, 127)
    """
    bits = expect.integer("bits", bits, 1, most)
    return -(1 << bits - 1), (1 << bits - 1) - 1


def choose_params(r_min, r_max, bits, *, symmetric=False):
    """The scale s and zero point z with which ``bits`` bits cover the range [r_min, r_max] (QU-2).

    asymmetric: s = (r_max − r_min) / (q_max − q_min), z = round(q_min − r_min/s); symmetric: z = 0,
    s = max abs(r) / q_max. The range is first widened to hold 0, which then is a code exactly. Codes are signed, see
    `code_range`; halves are rounded to even; s is rounded to float32.

    Defined apart: a range of nothing but 0 has s = 1; s is never below the least normal float32, 2⁻¹²⁶; symmetric
    with 1 bit, where q_max = 0, has s = 2·max abs(r), the least with which no error exceeds s/2.

    Args:
        r_min, r_max: finite numbers or arrays of one shape, such as a value for each channel (QU-3).
        bits: 1 to 16 (QU-4).

    Returns float32 and int32, arrays of that shape. Raises ValueError for r_min > r_max, for what is not finite, and
    for a range that no float32 scale can cover. Source: Jacob et al. 2018, the section on training
    with simulated quantization.

    >>> scale, zero_point = choose_params(-1.0, 3.0, 2)
    >>> float(scale), int(zero_point)
    (1.3333333730697632, -1)
    """
    low, high = code_range(bits)
    r_min, r_max = np.broadcast_arrays(np.asarray(r_min, np.float64), np.asarray(r_max, np.float64))
    expect.that((np.isfinite(r_min) & np.isfinite(r_max) & (r_min <= r_max)).all(),
                lambda: f"the range is {r_min} to {r_max}, expected finite numbers, the lower one first")
    r_min, r_max = np.minimum(r_min, 0), np.maximum(r_max, 0)
    if symmetric:
        scale = np.maximum(-r_min, r_max) / (high if bits > 1 else 0.5)
    else:
        scale = (r_max - r_min) / (high - low)
    expect.that((scale <= HUGE).all(), lambda: f"a range up to {max(-r_min.min(), r_max.max())} needs a scale of "
                f"{scale.max()}, expected at most {HUGE}")
    scale = np.where(scale > 0, np.maximum(scale, TINY), 1).astype(np.float32)
    zero_point = np.zeros(scale.shape) if symmetric else np.clip(np.rint(low - r_min / scale), low, high)
    return scale, zero_point.astype(np.int32)


def quantize(r, scale, zero_point, quant_min, quant_max, *, add_zero_point="before"):
    """q = clip(round(r/s + z), q_min, q_max) (QU-1): computed in float64, halves rounded to even, clipped, then cast.

    r: an array; scale, zero_point: broadcast against it; quant_min, quant_max: int32 integers. ``add_zero_point``: to
    r/s "before" it is rounded, as Jacob et al., or "after", q = clip(round(r/s) + z), as ONNX's QuantizeLinear and
    PyTorch: for an odd z that is another code at halves. Everything else in this package adds it before.

    Returns the smallest signed integers that hold the codes: int8, int16 or int32. Infinities are clipped. Raises
    ValueError for NaN, which has no code, for q_min > q_max, for a scale that is not a finite number above 0, for a
    zero point that is no code, by which 0 would not be exact, and for another ``add_zero_point``; TypeError for bounds
    and zero points that are no integers, and for what is no real numbers.
    Source: Jacob et al. 2018, eq. 1 and 12; for "after" ONNX's operators, QuantizeLinear.

    >>> quantize([-9.0, 0.25, 0.75, 9.0], 0.5, 0, -2, 1)
    array([-2,  0,  1,  1], dtype=int8)
    >>> [quantize(0.25, 0.5, 1, -8, 7, add_zero_point=when).item() for when in ("before", "after")]
    [2, 1]
    """
    after = expect.one_of("add_zero_point", add_zero_point, ("before", "after")) == "after"
    r, scale, zero_point = _checked(r, scale, zero_point, quant_min, quant_max)
    return _codes(r, scale, zero_point, quant_min, quant_max, rounded_first=after)


def _checked(r, scale, zero_point, quant_min, quant_max):
    """The arguments of `quantize` as arrays, each with its number and its kind."""
    for name, bound in (("quant_min", quant_min), ("quant_max", quant_max)):
        expect.integral(name, bound, -(2**31), 2**31 - 1)
    expect.that(quant_min <= quant_max, f"codes from {quant_min} to {quant_max}: expected the lower bound first")
    r = expect.reals("r", r)
    expect.that(not np.isnan(r).any(), f"NaN in an array of shape {r.shape} has no code")
    return r, _positive(scale), expect.integral("zero_point", zero_point, quant_min, quant_max)


def _positive(scale):
    expect.that(((np.asarray(scale) > 0) & np.isfinite(scale)).all(),
                lambda: f"scale is {scale}, expected finite numbers above 0")
    return np.asarray(scale)


def _codes(r, scale, zero_point, low, high, *, rounded_first=False):
    """`quantize` for what a mask may hide: NaN, too, becomes some code."""
    codes = np.asarray(r / np.asarray(scale, np.float64))  # NumPy gives a number, not an array, for no axes
    if rounded_first:
        np.rint(codes, codes)
    codes += zero_point
    codes = np.fmax(np.fmin(np.rint(codes, out=codes), high, out=codes), low, out=codes)
    return codes.astype(np.result_type(np.min_scalar_type(min(low, -1)), np.min_scalar_type(-1 - high)))


def dequantize(q, scale, zero_point):
    """r̂ = s·(q − z) in float32, rounded once (QU-1).

    q: integers of up to 16 bits, signed or not; scale (float32), zero_point: broadcast against them. Raises TypeError
    for codes or zero points that are no integers, ValueError for longer ones and for a scale that is not a finite
    number above 0. Source: Jacob et al. 2018, eq. 1.

    >>> dequantize(np.array([-2, 1]), 0.5, -1)
    array([-0.5,  1. ], dtype=float32)
    """
    q, zero_point = (codes if getattr(codes, "dtype", None) in (np.int8, np.int16)  # of which all are short
                     else expect.integral(name, codes, -(2**15), 2**16 - 1)
                     for name, codes in (("q", q), ("zero_point", zero_point)))
    difference = np.asarray(q, np.int32) - np.asarray(zero_point, np.int32)  # exact, also as float32: at most 17 bits
    return difference.astype(np.float32) * _positive(scale).astype(np.float32)


@dataclass(frozen=True)
class Grid:
    """The even grid that a whole tensor lies on: numbers that describe it in a layer's ``config()``.

    ``scale`` is a positive float32, as a Python float; ``zero_point`` lies in the codes of ``bits``. Raises ValueError
    for anything else.

    >>> grid = Grid(0.5, -8, 4)
    >>> grid.quantize(np.array([0.0, 1.2], np.float32)), grid.low, grid.high
    (array([-8, -6], dtype=int8), 0.0, 7.5)
    """

    scale: float
    zero_point: int
    bits: int = 8

    def __post_init__(self):
        low, high = code_range(self.bits)
        scale = expect.number("scale", self.scale, 2.0**-149, HUGE, kind=ValueError)  # a positive float32
        numbers = {"scale": float(np.float32(scale)), "bits": int(self.bits),
                   "zero_point": expect.integer("zero_point", self.zero_point, low, high)}
        for name, value in numbers.items():
            object.__setattr__(self, name, value)

    @classmethod
    def over(cls, r_min, r_max, bits=8):
        """The asymmetric grid of ``bits`` bits over a range, by `choose_params`."""
        scale, zero_point = choose_params(r_min, r_max, bits)
        return cls(float(scale), int(zero_point), bits)

    @property
    def reach(self):
        """The largest abs(q − z) of any code."""
        low, high = code_range(self.bits)
        return max(self.zero_point - low, high - self.zero_point)

    @property
    def low(self):
        """The least number on the grid."""
        return self.scale * (code_range(self.bits)[0] - self.zero_point)

    @property
    def high(self):
        """The largest number on the grid."""
        return self.scale * (code_range(self.bits)[1] - self.zero_point)

    def config(self):
        """[scale, zero_point, bits]"""
        return [self.scale, self.zero_point, self.bits]

    def quantize(self, r):
        """The codes of an array (QU-1)."""
        return quantize(r, self.scale, self.zero_point, *code_range(self.bits))

    def dequantize(self, q):
        """The float32 numbers that codes stand for (QU-1)."""
        return dequantize(q, self.scale, self.zero_point)
