"""Entries of linear quantization: codes (QU-1), scales (QU-2, QU-3), and what a bit is worth (QU-4)."""

import numpy as np

from .. import affine as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, close, hold
from .draw import eighths, listed, one_of

JACOB = "Jacob et al. 2018, "
SCALES = (0.25, 0.5, 0.75, 1.0)

# ---------------------------------------------------------------------------------------------------------------------
# QU-1


def grid(rng, size):
    """(s, z, q_min, q_max) of signed codes."""
    bits = one_of(rng, 2, 3, 4, 8)
    low, high = literal.code_bounds(bits)
    return one_of(rng, *SCALES), int(rng.integers(low, high + 1)), low, high


def _codes(r, s, z, q_min, q_max):
    return [literal.affine_quantize(x, s, z, q_min, q_max) for x in r]


def _are_codes(f, r, s, z, q_min, q_max):
    q = f(r, s, z, q_min, q_max)
    hold((q >= q_min) & (q <= q_max), f"codes go from {q.min():g} to {q.max():g}, expected {q_min} to {q_max}")
    hold(q == np.rint(q), "codes must be whole numbers")


def _zero_is_exact(f, r, s, z, q_min, q_max):
    hold(f(np.zeros_like(r), s, z, q_min, q_max) == z, "the real number 0 must have the code z")


def _monotone(f, r, s, z, q_min, q_max):
    hold(np.diff(f(np.sort(r), s, z, q_min, q_max).astype(np.float64)) >= 0, "a larger number has a smaller code")


def _half_a_step(f, r, s, z, q_min, q_max):
    inside = np.clip(r, s * (q_min - z), s * (q_max - z))
    error = np.abs(s * (f(inside, s, z, q_min, q_max).astype(np.float64) - z) - inside)
    hold(error <= s / 2 * (1 + 64 * f.eps), f"within the range the error is up to {error.max():g}, more than s/2")


def _twice_is_once(f, r, s, z, q_min, q_max):
    once = f(r, s, z, q_min, q_max)
    hold(f(s * (once.astype(np.float64) - z), s, z, q_min, q_max) == once, "what lies on the grid must keep its code")


def _quantized(rounding=np.rint, clip=np.clip, shift=1, inside=True):
    def function(r, s, z, q_min, q_max):
        codes = rounding(r / s + shift * z) if inside else rounding(r / s) + shift * z
        return clip(codes, q_min, q_max)
    return function


QUANTIZE = Equation(
    id="QU-1", title="affine quantization", source=JACOB + "eq. 1 and 12; MindSpore's textbook, eq. 9.3.1",
    latex=r"q = \mathrm{clip}(\mathrm{round}(r/s + z),\, q_{min},\, q_{max})",
    formula="q = clip(round(r/s + z), q_min, q_max), halves rounded to even",
    arguments={"r": "real numbers, (n,)", "s": "scale, above 0", "z": "zero point, an integer",
               "q_min": "the least code", "q_max": "the largest code"}, results={"q": "codes, (n,)"},
    implementation="minicompress.quantization.affine.quantize", reference=listed(_codes),
    inputs=lambda rng, size: (eighths(rng, size) * one_of(rng, 1, 4), *grid(rng, size)),
    cases=((np.array([300.0, -300.0]), 1.0, 0, -128, 127), (np.array([0.25, 0.75, 1.25]), 0.5, 1, -8, 7)),
    properties={"codes are whole numbers in their range": _are_codes, "0 is exactly z": _zero_is_exact,
                "keeps the order": _monotone, "the error is at most half a step": _half_a_step,
                "quantizing again changes nothing": _twice_is_once,
                "is what the formula gives": agrees(listed(_codes), 0)},
    traps=(Trap("cast before clip", "this casts to 8 bits before it clips: 300 becomes 44.", _quantized(
               clip=lambda q, low, high: np.clip(q.astype(np.int64).astype(np.int8), low, high).astype(int))),
           Trap("not clipped", "codes are not clipped.", _quantized(clip=lambda q, low, high: q)),
           Trap("cut off", "this cuts off decimals in place of rounding.", _quantized(np.trunc)),
           Trap("halves up", "halves are rounded up: here they go to the even number.",
                _quantized(lambda x: np.floor(x + 0.5))),
           Trap("z added after rounding", "z is added after rounding, which goes another way at halves.",
                _quantized(inside=False)),
           Trap("z taken off", "z is taken off: it is added here, and taken off on the way back.",
                _quantized(shift=-1)),
           Trap("not rounded", "this does not round.", _quantized(lambda x: x)),
           Trap("real numbers", "these are the real numbers s(q − z) again: asked for are the codes.",
                lambda r, s, z, low, high: s * (_quantized()(r, s, z, low, high) - z)),
           Trap("turned", "the sign of r is turned.", lambda r, s, z, low, high: _quantized()(-r, s, z, low, high))))


def _linear_in_scale(f, q, s, z):
    close(f, f(q, 2 * s, z), 2 * f(q, s, z), "twice the scale must give twice the numbers", 4)


def _z_is_zero(f, q, s, z):
    hold(f(np.full_like(q, z), s, z) == 0, "the code z must stand for exactly 0")


def _any_codes(rng, size):
    s, z, q_min, q_max = grid(rng, size)
    return rng.integers(q_min, q_max + 1, size), s, z


DEQUANTIZE = Equation(
    id="QU-1:dequantize", title="what a code stands for", source=JACOB + "eq. 1",
    latex=r"\hat r = s (q - z)", formula="r̂ = s·(q − z)",
    arguments={"q": "codes, (n,)", "s": "scale", "z": "zero point"}, results={"r": "real numbers, (n,)"},
    implementation="minicompress.quantization.affine.dequantize",
    reference=listed(lambda q, s, z: [literal.affine_dequantize(code, s, z) for code in q]),
    inputs=_any_codes, cases=((np.array([127, -128]), 0.5, -128),),
    properties={"z stands for 0": _z_is_zero, "grows with the scale": _linear_in_scale, "is what the formula gives":
                agrees(listed(lambda q, s, z: [literal.affine_dequantize(code, s, z) for code in q]), 4)},
    traps=(Trap("z added", "z is added: it must be taken off.", lambda q, s, z: s * (q + z)),
           Trap("z scaled apart", "z is taken off after scaling.", lambda q, s, z: s * q - z),
           Trap("divided", "this divides by the scale.", lambda q, s, z: (q - z) / s),
           Trap("z forgotten", "the zero point is not used.", lambda q, s, z: s * q),
           Trap("8 bits", "q − z overflows 8 bits: of two codes of 8 bits it takes 9.",
                lambda q, s, z: s * (q - z).astype(np.int8))))

# ---------------------------------------------------------------------------------------------------------------------
# QU-2 to QU-4


def _range(rng, size):
    low, high = sorted(eighths(rng, 2, size))
    return float(low), float(high), one_of(rng, 1, 2, 3, 4, 8)


def _holds_zero(f, r_min, r_max, bits):
    _, z = f(r_min, r_max, bits)
    q_min, q_max = literal.code_bounds(bits)
    hold((z == np.rint(z)) & (z >= q_min) & (z <= q_max),
         f"z is {z:g}, expected a whole number from {q_min} to {q_max}, so that 0 is a code")


def _covers(f, r_min, r_max, bits):
    s, z = f(r_min, r_max, bits)
    q_min, q_max = literal.code_bounds(bits)
    for end in (r_min, r_max):
        code = min(max(round(end / s + z), q_min), q_max)
        hold(abs(s * (code - z) - end) <= s / 2 * (1 + 2.0 ** (bits + 1) * max(f.eps, 1e-9)),
             f"the range's end {end:g} is more than half a step away from every number of the grid")


def _printed_params(f, r_min, r_max, bits):
    """The scale to rounding; z is a whole number nearest to q_min − r_min/s, either one at a half."""
    s, z = f(r_min, r_max, bits)
    expected, _ = literal.asymmetric_params(r_min, r_max, bits)
    close(f, s, expected, "s is not what the formula gives", 8)
    wanted = literal.code_bounds(bits)[0] - min(r_min, 0.0) / float(s)
    hold(abs(z - wanted) <= 0.5 + 2**18 * f.eps, f"z is {z:g}, expected round({wanted:g})")


def _asymmetric(low=lambda r: min(r, 0.0), high=lambda r: max(r, 0.0), steps=lambda bits: 2**bits - 1, sign=-1,
                unsigned=0, rounding=round):
    def function(r_min, r_max, bits):
        a, b = low(r_min), high(r_max)
        s = (b - a) / steps(bits) or 1.0
        return s, rounding((0 if unsigned else literal.code_bounds(bits)[0]) + sign * a / s)
    return function


ASYMMETRIC = Equation(
    id="QU-2", title="asymmetric scale and zero point",
    source=JACOB + "the section on training with simulated quantization",
    latex=r"s = \frac{r_{max} - r_{min}}{q_{max} - q_{min}},\quad z = \mathrm{round}(q_{min} - r_{min}/s)",
    formula="s = (r_max − r_min)/(q_max − q_min),  z = round(q_min − r_min/s), the range first widened to hold 0;\n"
            "signed codes, q_min = −2^(bits−1), q_max = 2^(bits−1) − 1; s = 1 for a range of nothing but 0",
    arguments={"r_min": "the least number", "r_max": "the largest number", "bits": "of a code"},
    results={"s": "scale, above 0", "z": "zero point"}, implementation="minicompress.quantization.affine.choose_params",
    reference=literal.asymmetric_params, inputs=_range, single=True,
    cases=((0.0, 0.0, 4), (-1.0, 2.0, 2), (1.0, 3.0, 3), (-3.0, -1.0, 4)),
    properties={"0 is a code": _holds_zero, "the range is covered": _covers,
                "is what the formula gives": _printed_params},
    traps=(Trap("range not widened", "the range is not widened to hold 0, so 0 has no code.",
                _asymmetric(low=lambda r: r, high=lambda r: r)),
           Trap("2^bits steps", "2^bits codes have 2^bits − 1 steps between them.", _asymmetric(lambda r: min(r, 0.0),
                                                                                          steps=lambda bits: 2**bits)),
           Trap("sign of r_min", "r_min/s is added to q_min: it must be taken off.", _asymmetric(sign=1)),
           Trap("unsigned", "these are unsigned codes from 0: here they are signed.", _asymmetric(unsigned=1)),
           Trap("not rounded", "z must be rounded: it is a code.", _asymmetric(rounding=lambda x: x)),
           Trap("symmetric", "this is the symmetric scale: one that wastes codes where the range is one-sided.",
                lambda r_min, r_max, bits: literal.symmetric_params(r_min, r_max, bits))))


def _largest_is_a_code(f, r_min, r_max, bits):
    s, largest = f(r_min, r_max, bits), max(abs(r_min), abs(r_max))
    if largest:
        close(f, s * _symmetric_steps(bits), largest, "s·q_max, s/2 with 1 bit, must be the largest magnitude", 8)


def _symmetric_steps(bits):
    """q_max, and half a step where that is 0."""
    return literal.code_bounds(bits)[1] or 0.5


def _sides_alike(f, r_min, r_max, bits):
    close(f, f(-r_max, -r_min, bits), f(r_min, r_max, bits), "turning the range round must change nothing", 8)


def _positive(f, r_min, r_max, bits):
    hold(f(r_min, r_max, bits) > 0, "a scale must be above 0: nothing can be divided by it otherwise")


def _symmetric(r_min, r_max, bits):
    return literal.symmetric_params(r_min, r_max, bits)[0]


SYMMETRIC = Equation(
    id="QU-2:symmetric", title="symmetric scale", source="MindSpore's textbook, section 9.3",
    latex=r"s = \frac{\max |r|}{q_{max}},\quad z = 0",
    formula="s = max(|r_min|, |r_max|) / q_max,  z = 0,  q_max = 2^(bits−1) − 1; s = 1 for a range of nothing but 0;\n"
            "with 1 bit, where q_max = 0, s = 2·max(|r_min|, |r_max|)",
    arguments={"r_min": "the least number", "r_max": "the largest number", "bits": "of a code"},
    results={"s": "scale, above 0"}, implementation="minicompress.quantization.affine.choose_params",
    adapt=lambda choose: lambda r_min, r_max, bits: choose(r_min, r_max, bits, symmetric=True)[0],
    reference=_symmetric, inputs=_range, cases=((0.0, 0.0, 4), (0.0, 0.0, 1), (-1.0, 3.0, 1)), single=True,
    properties={"is above 0": _positive, "the largest magnitude is a code": _largest_is_a_code,
                "both sides are alike": _sides_alike, "is what the formula gives": agrees(_symmetric, 8)},
    traps=(Trap("missing abs", "abs is missing: the negative side may be the longer one.",
                lambda low, high, bits: max(high, 0.0) / _symmetric_steps(bits) or 1.0),
           Trap("1 bit", "with 1 bit q_max is 0, and 2·max |r| the least scale with an error of at most s/2.",
                lambda low, high, bits: max(abs(low), abs(high)) / max(literal.code_bounds(bits)[1], 1) or 1.0),
           Trap("2^(bits − 1)", "q_max is 2^(bits−1) − 1: 2^(bits−1) is no code.",
                lambda low, high, bits: max(abs(low), abs(high)) / 2 ** (bits - 1) or 1.0),
           Trap("2^bits − 1", "this spreads the codes over one side: half of them are for the other sign.",
                lambda low, high, bits: max(abs(low), abs(high)) / (2**bits - 1) or 1.0),
           Trap("scale of 0", "a range of nothing but 0 gets a scale of 0.",
                lambda low, high, bits: max(abs(low), abs(high)) / _symmetric_steps(bits))))


def _channel_scales(w, bits):
    return [_symmetric(min(row), max(row), bits) for row in w]


def _not_above_the_layers(f, w, bits):
    layer = _symmetric(w.min(), w.max(), bits)
    hold((f(w, bits) <= layer * (1 + 8 * f.eps)) | ~w.any(axis=1), "a channel's scale is above that of the whole layer")


def _rows_are_apart(f, w, bits):
    close(f, f(w[::-1], bits), f(w, bits)[::-1], "exchanging channels must exchange their scales", 8)


def _by(largest, steps=_symmetric_steps):
    def function(w, bits):
        s = largest(w) / steps(bits)
        return np.where(s > 0, s, 1.0)
    return function


CHANNELS = Equation(
    id="QU-3", title="a scale for each output channel", source="MindSpore's textbook, section 9.3",
    latex=r"s_c = \frac{\max_i |w_{ci}|}{q_{max}}",
    formula="s_c = max_i |w_ci| / q_max for each row c, symmetric, 2·max_i |w_ci| with 1 bit;\n"
            "s_c = 1 for a row of zeros",
    arguments={"w": "weights, (out, in)", "bits": "of a code"}, results={"s": "scales, (out,)"},
    implementation="minicompress.quantization.affine.choose_params", reference=listed(_channel_scales), single=True,
    adapt=lambda choose: lambda w, bits: choose(w.min(axis=1), w.max(axis=1), bits, symmetric=True)[0],
    inputs=lambda rng, size: (eighths(rng, (size + 1, size + 1)) * rng.integers(0, 3, (size + 1, 1)) + 0.0,
                              one_of(rng, 1, 2, 4, 8)),
    properties={"is not above the layer's": _not_above_the_layers, "channels are apart": _rows_are_apart,
                "is what the formula gives": agrees(listed(_channel_scales), 8)},
    traps=(Trap("columns", "these are scales of the columns, which are inputs: weights are (out, in).",
                _by(lambda w: np.abs(w).max(axis=0))),
           Trap("one for all", "this is the layer's one scale, repeated.",
                _by(lambda w: np.full(len(w), np.abs(w).max()))),
           Trap("1 bit", "with 1 bit q_max is 0: the scale is 2·max |w|.",
                _by(lambda w: np.abs(w).max(axis=1), lambda bits: max(literal.code_bounds(bits)[1], 1))),
           Trap("missing abs", "abs is missing: a channel may be mostly negative.", _by(lambda w: w.max(axis=1))),
           Trap("range", "this is the whole range: twice as much as a symmetric scale needs.",
                _by(lambda w: w.max(axis=1) - w.min(axis=1)))))


def _copied(r, bits):
    s, z = literal.asymmetric_params(min(r), max(r), bits)
    bounds = literal.code_bounds(bits)
    return [literal.affine_dequantize(literal.affine_quantize(x, s, z, *bounds), s, z) for x in r]


def _steps(r, bits):
    return (max(r.max(), 0) - min(r.min(), 0)) / (2**bits - 1)


def _error_is_bounded(f, r, bits):
    error = np.abs(f(r, bits) - r).max()
    bound = _steps(r, bits) / 2 * (1 + 2.0 ** (bits + 2) * f.eps)
    hold(error <= bound, f"with {bits} bits the error is {error:g}, half a step is {bound:g}")


def _few_values(f, r, bits):
    many = np.linspace(r.min() - 1, r.max() + 1, 2 ** min(bits + 2, 11))
    found = np.unique(f(many, bits)).size
    hold(found <= 2**bits, f"{bits} bits tell {2**bits} numbers apart, there are {found}")


def _on_the_grid(f, r, bits):
    s = _steps(r, bits)
    if s:
        steps = f(r, bits) / s
        hold(np.abs(steps - np.rint(steps)) <= 2.0 ** (bits + 2) * f.eps,
             f"r̂/s is {steps.tolist()}, expected the whole numbers q − z")


def _zero_stays(f, r, bits):
    hold(f(np.append(r, 0.0), bits)[-1] == 0, "0 must stay exactly 0")


def _uniform(bits_of, low=lambda r: min(r.min(), 0.0), rounding=np.rint):
    def function(r, bits):
        a, b = low(r), max(r.max(), 0.0)
        s = (b - a) / (2 ** bits_of(bits) - 1) or 1.0
        z = np.rint(-a / s) if a == min(r.min(), 0.0) else -a / s
        return s * (np.clip(rounding(r / s + z), 0, 2 ** bits_of(bits) - 1) - z)
    return function


def _copying(choose_params):
    def function(r, bits):
        s, z = choose_params(r.min(), r.max(), bits)
        codes = resolve("minicompress.quantization.affine.quantize")(r, s, z, *literal.code_bounds(bits))
        return resolve("minicompress.quantization.affine.dequantize")(codes, s, z)
    return function


WIDTHS = Equation(
    id="QU-4", title="what numbers become at so many bits", source="MindSpore's textbook, section 9.3",
    latex=r"\hat r = s\,(\mathrm{quantize}(r; s, z) - z),\quad"
          r"|r - \hat r| \le s/2 = \frac{r_{max} - r_{min}}{2(2^b - 1)}",
    formula="r̂ = s·(q − z) with the asymmetric s and z of QU-2 for r's own range, and q of QU-1",
    arguments={"r": "real numbers, (n,)", "bits": "of a code"}, results={"r_hat": "(n,)"},
    implementation="minicompress.quantization.affine.choose_params", adapt=_copying, reference=listed(_copied),
    inputs=lambda rng, size: (eighths(rng, size + 1), int(rng.integers(1, one_of(rng, 9, 17)))), single=True,
    cases=((np.zeros(2), 3),),
    properties={"the error is at most half a step": _error_is_bounded, "no more values than codes": _few_values,
                "numbers are whole steps": _on_the_grid, "0 stays 0": _zero_stays},
    traps=(Trap("one bit lost", "this has half as many codes: the sign needs no bit of its own here.",
                _uniform(lambda bits: max(bits - 1, 1))),
           Trap("one bit too many", "this has twice as many values as there are codes.",
                _uniform(lambda bits: bits + 1)),
           Trap("range not widened", "0 is no longer 0: z must be rounded, in a range that holds 0.",
                _uniform(lambda bits: bits, low=lambda r: r.min() - 0.3)),
           Trap("few numbers", "this leaves r as it is where there are codes enough: they lie on an even grid.",
                lambda r, bits: r if np.unique(r).size <= 2**bits else _uniform(lambda bits: bits)(r, bits)),
           Trap("cut off", "this cuts off decimals in place of rounding: the error is up to a step.",
                _uniform(lambda bits: bits, rounding=np.floor))))

ENTRIES = (QUANTIZE, DEQUANTIZE, ASYMMETRIC, SYMMETRIC, CHANNELS, WIDTHS)
