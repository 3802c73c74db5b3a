"""Linear quantization: codes and what they stand for (QU-1)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

JACOB_2018 = Paper("jacob2018quantization", (
    "Jacob, Benoit", "Kligys, Skirmantas", "Chen, Bo", "Zhu, Menglong", "Tang, Matthew", "Howard, Andrew",
    "Adam, Hartwig", "Kalenichenko, Dmitry"),
    "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018, "CVPR",
    arxiv="1712.05877", doi="10.1109/CVPR.2018.00286")
# The textbook of MindSpore's makers; its section 9.3 is "Model Compression".
MAI_2022 = Paper("mai2022systems", ("Mai, Luo", "Dong, Hao"), "Machine Learning Systems: Design and Implementation",
                 2022, "openmlsys.github.io")
ONNX_2019 = Paper("onnx2019operators", ("ONNX",), "ONNX Operators", 2019, "onnx.ai/onnx/operators")
SCALES = (2.0**-7, 0.25, 0.5, 0.75, 1.0, 3.0)


def code_bounds(bits):
    """(q_min, q_max) of signed codes.

    >>> code_bounds(4)
    (-8, 7)
    """
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def grid(rng, size):
    """(s, z, q_min, q_max) of signed codes, now and then of unsigned ones."""
    bits = one_of(rng, 2, 3, 4, 8)
    low, high = one_of(rng, code_bounds(bits), code_bounds(bits), (0, 2**bits - 1))
    return one_of(rng, *SCALES), int(rng.integers(low, high + 1)), low, high


def any_shape(rng, size):
    """(n,), or of one number, two axes or four."""
    return one_of(rng, (size,), (size,), (1,), (2, size), (size + 1, 2, 1, 2))


# ---------------------------------------------------------------------------------------------------------------------
# QU-1

def _reals_and_grid(rng, size):
    """Any numbers, negative ones alone, or one number many times; in range, or far beyond."""
    r = eighths(rng, size) * one_of(rng, 1, 4, 1024)
    return one_of(rng, r, r, r, -np.abs(r), np.full(size, r[0])), *grid(rng, size)


@page("QU-1", cite=(JACOB_2018("eq. 1 and 12"), MAI_2022("eq. 9.3.1")),
      latex=r"q = \mathrm{clip}(\mathrm{round}(r/s + z),\, q_{min},\, q_{max})",
      implementation="minicompress.quantization.affine.quantize", inputs=_reals_and_grid,
      cases=((np.array([300.0, -300.0]), 1.0, 0, -128, 127), (np.array([0.25, 0.75, 1.25]), 0.5, 1, -8, 7)))
def quantize(r, s, z, q_min, q_max):
    """affine quantization

    q = clip(round(r/s + z), q_min, q_max)

    r : real numbers, (n,)
    s : scale, a number above 0
    z : zero point, an integer from q_min to q_max
    q_min : the least code, an integer
    q_max : the largest code, an integer
    q : codes, (n,)

    round : to the nearest whole number, at halves to the even one. Conventions differ there: ONNX and PyTorch add z
        after rounding (QU-1:after), which for an odd z gives the other neighbour

    >>> quantize([-9.0, -0.25, 0.0, 9.0], 0.5, 1, -2, 1)
    [-2, 0, 1, 1]
    """
    if isinstance(r, list):
        return [quantize(number, s, z, q_min, q_max) for number in r]
    q = r / s + z
    if q <= q_min:
        return q_min
    if q >= q_max:
        return q_max
    return round(q)


@quantize.must("codes are whole numbers in their range")
def _are_codes(f, r, s, z, q_min, q_max):
    q = f(r, s, z, q_min, q_max)
    hold((q >= q_min) & (q <= q_max), f"codes go from {q.min():g} to {q.max():g}, expected {q_min} to {q_max}")
    hold(q == np.rint(q), "codes must be whole numbers")


@quantize.must("0 is exactly z")
def _zero_is_exact(f, r, s, z, q_min, q_max):
    hold(f(np.zeros_like(r), s, z, q_min, q_max) == z, "the real number 0 must have the code z")


@quantize.must("keeps the order")
def _monotone(f, r, s, z, q_min, q_max):
    hold(np.diff(f(np.sort(r), s, z, q_min, q_max).astype(np.float64)) >= 0, "a larger number has a smaller code")


@quantize.must("the error is at most half a step")
def _half_a_step(f, r, s, z, q_min, q_max):
    inside = np.clip(r, s * (q_min - z), s * (q_max - z))
    error = np.abs(s * (f(inside, s, z, q_min, q_max).astype(np.float64) - z) - inside)
    hold(error <= s / 2 * (1 + 64 * f.eps), f"within the range the error is up to {error.max():g}, more than s/2")


@quantize.must("quantizing again changes nothing")
def _twice_is_once(f, r, s, z, q_min, q_max):
    once = f(r, s, z, q_min, q_max)
    hold(f(s * (once.astype(np.float64) - z), s, z, q_min, q_max) == once, "what lies on the grid must keep its code")


def _at_halves(f, s, z, q_min, q_max):
    """The codes of what lies just between two codes."""
    return f(s * (np.arange(q_min, q_max) + 0.5 - z), s, z, q_min, q_max)


@quantize.must("at halves the code is even")
def _even_codes(f, r, s, z, q_min, q_max):
    hold(_at_halves(f, s, z, q_min, q_max) % 2 == 0, "what lies just between two codes has the even one of them")


def _quantized(rounding=np.rint, clip=np.clip, shift=1, inside=True):
    def function(r, s, z, q_min, q_max):
        codes = rounding(r / s + shift * z) if inside else rounding(r / s) + shift * z
        return clip(codes, q_min, q_max)
    return function


def _to_8_bits(q, low, high):
    return np.clip(q.astype(np.int64).astype(np.int8), low, high).astype(int)


quantize.must_agree(0)
quantize.trap("cast before clip", "this casts to 8 bits before it clips: 300 becomes 44.", _quantized(clip=_to_8_bits),
              seen=True)
quantize.trap("not clipped", "codes are not clipped.", _quantized(clip=lambda q, low, high: q))
quantize.trap("bounds of 8 bits", "this clips to −128 and 127: the bounds of the codes are given.",
              _quantized(clip=lambda q, low, high: np.clip(q, -128, 127)))
quantize.trap("clipped too early", "z is added after clipping, which leads out of the range again.",
              lambda r, s, z, low, high: np.clip(np.rint(r / s), low, high) + z)
quantize.trap("cut off", "this cuts off decimals in place of rounding.", _quantized(np.trunc), seen=True)
quantize.trap("halves up", "halves are rounded up: here they go to the even number.",
              _quantized(lambda x: np.floor(x + 0.5)), seen=True)
quantize.trap("z added after rounding", "z is added after rounding, as ONNX and PyTorch do (QU-1:after), which goes "
              "another way at halves.", _quantized(inside=False))
quantize.trap("z taken off", "z is taken off: it is added here, and taken off on the way back.", _quantized(shift=-1))
quantize.trap("not rounded", "this does not round.", _quantized(lambda x: x))
quantize.trap("real numbers", "these are the real numbers s(q − z) again: asked for are the codes.",
              lambda r, s, z, low, high: s * (_quantized()(r, s, z, low, high) - z))
quantize.trap("turned", "the sign of r is turned.", lambda r, s, z, low, high: _quantized()(-r, s, z, low, high))

# ---------------------------------------------------------------------------------------------------------------------
# QU-1:after


@page("QU-1:after", cite=ONNX_2019("QuantizeLinear"),
      latex=r"q = \mathrm{clip}(\mathrm{round}(r/s) + z,\, q_{min},\, q_{max})",
      implementation="minicompress.quantization.affine.quantize", inputs=_reals_and_grid,
      adapt=lambda quantize: lambda *inputs: quantize(*inputs, add_zero_point="after"),
      cases=((np.array([300.0, -300.0]), 1.0, 0, -128, 127), (np.array([0.25, 0.75, 1.25]), 0.5, 1, -8, 7)))
def quantize_after(r, s, z, q_min, q_max):
    """affine quantization, the zero point added after rounding

    q = clip(round(r/s) + z, q_min, q_max)

    r : real numbers, (n,)
    s : scale, a number above 0
    z : zero point, an integer from q_min to q_max
    q_min : the least code, an integer
    q_max : the largest code, an integer
    q : codes, (n,)

    round : to the nearest whole number, at halves to the even one. Conventions differ there: this is that of ONNX and
        PyTorch; the papers, and QU-1, add z before rounding, which for an odd z gives the other neighbour

    >>> quantize_after([-9.0, -0.25, 0.0, 0.25, 9.0], 0.5, 1, -2, 1)
    [-2, 1, 1, 1, 1]
    """
    if isinstance(r, list):
        return [quantize_after(number, s, z, q_min, q_max) for number in r]
    steps = r / s
    if steps <= q_min - z:
        return q_min
    if steps >= q_max - z:
        return q_max
    return round(steps) + z


quantize_after.must("codes are whole numbers in their range", _are_codes)
quantize_after.must("0 is exactly z", _zero_is_exact)
quantize_after.must("keeps the order", _monotone)
quantize_after.must("the error is at most half a step", _half_a_step)
quantize_after.must("quantizing again changes nothing", _twice_is_once)


@quantize_after.must("at halves the code is an even number away from z")
def _even_steps(f, r, s, z, q_min, q_max):
    hold((_at_halves(f, s, z, q_min, q_max) - z) % 2 == 0, "at halves r/s goes to the even number, whatever z is")


quantize_after.must_agree(0)
quantize_after.trap("z added before rounding", "z is added before rounding, as in QU-1, which goes another way at "
                    "halves.", _quantized())
quantize_after.trap("cast before clip", "this casts to 8 bits before it clips: 300 becomes 44.",
                    _quantized(clip=_to_8_bits, inside=False))
quantize_after.trap("not clipped", "codes are not clipped.", _quantized(clip=lambda q, low, high: q, inside=False))
quantize_after.trap("clipped too early", "z is added after clipping, which leads out of the range again.",
                    lambda r, s, z, low, high: np.clip(np.rint(r / s), low, high) + z)
quantize_after.trap("cut off", "this cuts off decimals in place of rounding.", _quantized(np.trunc, inside=False),
                    seen=True)
quantize_after.trap("halves up", "halves are rounded up: here they go to the even number.",
                    _quantized(lambda x: np.floor(x + 0.5), inside=False))
quantize_after.trap("z taken off", "z is taken off: it is added here, and taken off on the way back.",
                    _quantized(shift=-1, inside=False))
quantize_after.trap("not rounded", "this does not round.", _quantized(lambda x: x, inside=False))
quantize_after.trap("turned", "the sign of r is turned.",
                    lambda r, s, z, low, high: _quantized(inside=False)(-r, s, z, low, high))

# ---------------------------------------------------------------------------------------------------------------------
# QU-1:dequantize


def _any_codes(rng, size):
    s, z, q_min, q_max = grid(rng, size)
    return rng.integers(q_min, q_max + 1, any_shape(rng, size)), s, z


@page("QU-1:dequantize", cite=JACOB_2018("eq. 1"), latex=r"\hat r = s (q - z)",
      implementation="minicompress.quantization.affine.dequantize", inputs=_any_codes,
      cases=((np.array([127, -128]), 0.5, -128),))
def dequantize(q, s, z):
    """what a code stands for

    r̂ = s·(q − z)

    q : codes, integers of any shape, (n,) or (…)
    s : scale, a number above 0
    z : zero point, an integer
    r : r̂, real numbers, of q's shape: (n,) or (…)

    >>> dequantize([3, 1], 0.5, 1), dequantize(3, 0.5, 1)
    ([1.0, 0.0], 1.0)
    """
    if isinstance(q, list):
        return [dequantize(code, s, z) for code in q]
    return s * (q - z)


@dequantize.must("z stands for 0")
def _z_is_zero(f, q, s, z):
    hold(f(np.full_like(q, z), s, z) == 0, "the code z must stand for exactly 0")


@dequantize.must("grows with the scale")
def _linear_in_scale(f, q, s, z):
    close(f, f(q, 2 * s, z), 2 * f(q, s, z), "twice the scale must give twice the numbers", 4)


dequantize.must_agree(4)
dequantize.trap("z added", "z is added: it must be taken off.", lambda q, s, z: s * (q + z))
dequantize.trap("z scaled apart", "z is taken off after scaling.", lambda q, s, z: s * q - z)
dequantize.trap("divided", "this divides by the scale.", lambda q, s, z: (q - z) / s)
dequantize.trap("z forgotten", "the zero point is not used.", lambda q, s, z: s * q)
dequantize.trap("8 bits", "q − z overflows 8 bits: of two codes of 8 bits it takes 9.",
                lambda q, s, z: s * (q - z).astype(np.int8), seen=True)
dequantize.trap("positive", "a code below z stands for a negative number.", lambda q, s, z: s * np.abs(q - z))
