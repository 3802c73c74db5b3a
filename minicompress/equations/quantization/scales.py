"""The scale and zero point of a range of numbers (QU-2)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page
from minicompress.checker.properties import close, hold

from .affine import JACOB_2018, MAI_2022, code_bounds

# ---------------------------------------------------------------------------------------------------------------------
# QU-2


def _range(rng, size):
    """The ends of a range, also equal ones, on one side of 0 or on both; wide, narrow, and of any number of bits."""
    low, high = (sorted(eighths(rng, 2, size)) * np.array(one_of(rng, 1.0, 1.0, 2.0**-20, 1000.0))).tolist()
    return low, one_of(rng, high, high, high, low), one_of(rng, 1, 2, 3, 4, 8, int(rng.integers(5, 17)))


@page("QU-2", cite=JACOB_2018("the section on training with simulated quantization"),
      latex=r"s = \frac{b - a}{q_{max} - q_{min}},\quad z = \mathrm{round}(q_{min} - a/s),\quad a = \min(r_{min}, 0),"
            r"\quad b = \max(r_{max}, 0);\quad s = 1 \text{ if } a = b",
      implementation="minicompress.quantization.affine.choose_params", inputs=_range, single=True,
      cases=((0.0, 0.0, 4), (-1.0, 2.0, 2), (1.0, 3.0, 3), (-3.0, -1.0, 4), (0.0, 0.0, 1), (2.0, 2.0, 4),
             (-2.0, -2.0, 8)))
def asymmetric_params(r_min, r_max, bits):
    """asymmetric scale and zero point

    s = (b − a)/(q_max − q_min),  z = round(q_min − a/s),  a = min(r_min, 0),  b = max(r_max, 0);  s = 1 if a = b

    r_min : the least number
    r_max : the largest number
    bits : of a code, an integer
    s : scale, a number above 0
    z : zero point, an integer from q_min to q_max; at a half either neighbour

    a, b : the ends of the range, widened to hold 0
    q_min : the least of the signed codes, −2^(bits−1)
    q_max : the largest, 2^(bits−1) − 1

    >>> asymmetric_params(-1.0, 2.0, 2), asymmetric_params(0.0, 0.0, 2)
    ((1.0, -1), (1.0, -2))
    """
    q_min, q_max = code_bounds(bits)
    a, b = min(r_min, 0.0), max(r_max, 0.0)
    if a == b:
        return 1.0, q_min
    s = (b - a) / (q_max - q_min)
    return s, round(q_min - a / s)


@asymmetric_params.must("0 is a code")
def _holds_zero(f, r_min, r_max, bits):
    _, z = f(r_min, r_max, bits)
    q_min, q_max = code_bounds(bits)
    hold((z == np.rint(z)) & (z >= q_min) & (z <= q_max),
         f"z is {z:g}, expected a whole number from {q_min} to {q_max}, so that 0 is a code")


@asymmetric_params.must("the range is covered")
def _covers(f, r_min, r_max, bits):
    s, z = f(r_min, r_max, bits)
    q_min, q_max = code_bounds(bits)
    for end in (r_min, r_max):
        code = min(max(round(end / s + z), q_min), q_max)
        hold(abs(s * (code - z) - end) <= s / 2 * (1 + 2.0 ** (bits + 1) * max(f.eps, 1e-9)),
             f"the range's end {end:g} is more than half a step away from every number of the grid")


@asymmetric_params.must("is what the formula gives")
def _printed_params(f, r_min, r_max, bits):
    """The scale to rounding; z is a whole number nearest to q_min − a/s, either one at a half."""
    s, z = f(r_min, r_max, bits)
    expected, _ = asymmetric_params(r_min, r_max, bits)
    close(f, s, expected, "s is not what the formula gives", 8)
    wanted = code_bounds(bits)[0] - min(r_min, 0.0) / float(s)
    hold(abs(z - wanted) <= 0.5 + 2**18 * f.eps, f"z is {z:g}, expected round({wanted:g})")


def _asymmetric(low=lambda r: min(r, 0.0), high=lambda r: max(r, 0.0), steps=lambda bits: 2**bits - 1, sign=-1,
                unsigned=0, rounding=np.rint, of_nothing=1.0):
    def function(r_min, r_max, bits):
        a, b = low(r_min), high(r_max)
        s = np.float64(b - a) / steps(bits) or np.float64(of_nothing)
        return s, rounding((0 if unsigned else code_bounds(bits)[0]) + sign * a / s)
    return function


asymmetric_params.trap("range not widened", "the range is not widened to hold 0, so 0 has no code.",
                       _asymmetric(low=lambda r: r, high=lambda r: r), seen=True)
asymmetric_params.trap("widened downwards alone", "the range is widened at its lower end alone: one below 0 has no 0.",
                       _asymmetric(high=lambda r: r))
asymmetric_params.trap("2^bits steps", "2^bits codes have 2^bits − 1 steps between them.",
                       _asymmetric(steps=lambda bits: 2**bits))
asymmetric_params.trap("always 8 bits", "this is the scale of 8 bits: how many there are is an argument.",
                       _asymmetric(steps=lambda bits: 255))
asymmetric_params.trap("sign of r_min", "a/s is added to q_min: it must be taken off.", _asymmetric(sign=1))
asymmetric_params.trap("unsigned", "these are unsigned codes from 0: here they are signed.", _asymmetric(unsigned=1))
asymmetric_params.trap("not rounded", "z must be rounded: it is a code.", _asymmetric(rounding=lambda x: x))
asymmetric_params.trap("scale of 0", "a range of nothing but 0 gets a scale of 0, by which nothing can be divided.",
                       _asymmetric(of_nothing=0.0), seen=True)
asymmetric_params.trap("symmetric", "this is the symmetric scale: one that wastes codes where the range is one-sided.",
                       lambda r_min, r_max, bits: (symmetric_scale(r_min, r_max, bits), 0))

# ---------------------------------------------------------------------------------------------------------------------
# QU-2:symmetric


@page("QU-2:symmetric", cite=MAI_2022("section 9.3.1"),
      latex=r"s = \frac{m}{q_{max}},\quad z = 0,\quad m = \max(|r_{min}|, |r_{max}|);\quad s = 2m \text{ with 1 bit, "
            r"where } q_{max} = 0;\quad s = 1 \text{ if } m = 0",
      implementation="minicompress.quantization.affine.choose_params", inputs=_range, single=True,
      adapt=lambda choose: lambda r_min, r_max, bits: choose(r_min, r_max, bits, symmetric=True)[0],
      cases=((0.0, 0.0, 4), (0.0, 0.0, 1), (-1.0, 3.0, 1), (-2.0, -2.0, 4)))
def symmetric_scale(r_min, r_max, bits):
    """symmetric scale

    s = m/q_max,  z = 0,  m = max(|r_min|, |r_max|);  s = 2·m with 1 bit, where q_max = 0;  s = 1 if m = 0

    r_min : the least number
    r_max : the largest number
    bits : of a code, an integer
    s : scale, a number above 0

    z : zero point
    m : the largest magnitude
    q_max : the largest of the signed codes, 2^(bits−1) − 1

    >>> symmetric_scale(-1.0, 3.0, 3), symmetric_scale(-1.0, 3.0, 1), symmetric_scale(0.0, 0.0, 3)
    (1.0, 6.0, 1.0)
    """
    m = max(abs(r_min), abs(r_max))
    if m == 0:
        return 1.0
    if bits == 1:
        return 2 * m
    return m / code_bounds(bits)[1]


def symmetric_steps(bits):
    """q_max, and half a step where that is 0."""
    return code_bounds(bits)[1] or 0.5


@symmetric_scale.must("is above 0")
def _positive(f, r_min, r_max, bits):
    hold(f(r_min, r_max, bits) > 0, "a scale must be above 0: nothing can be divided by it otherwise")


@symmetric_scale.must("the largest magnitude is a code")
def _largest_is_a_code(f, r_min, r_max, bits):
    s, largest = f(r_min, r_max, bits), max(abs(r_min), abs(r_max))
    if largest:
        close(f, s * symmetric_steps(bits), largest, "s·q_max, s/2 with 1 bit, must be the largest magnitude", 8)


@symmetric_scale.must("both sides are alike")
def _sides_alike(f, r_min, r_max, bits):
    close(f, f(-r_max, -r_min, bits), f(r_min, r_max, bits), "turning the range round must change nothing", 8)


def _by_magnitude(largest=lambda low, high: max(abs(low), abs(high)), steps=symmetric_steps, of_nothing=1.0):
    return lambda low, high, bits: largest(low, high) / steps(bits) or of_nothing


symmetric_scale.must_agree(8)
symmetric_scale.trap("missing abs", "abs is missing: the negative side may be the longer one.",
                     _by_magnitude(lambda low, high: max(high, 0.0)))
symmetric_scale.trap("lower end alone", "this looks at the lower end alone: the other side may be the longer one.",
                     _by_magnitude(lambda low, high: abs(low)))
symmetric_scale.trap("1 bit", "with 1 bit q_max is 0, and 2·max |r| the least scale with an error of at most s/2.",
                     _by_magnitude(steps=lambda bits: max(code_bounds(bits)[1], 1)))
symmetric_scale.trap("2^(bits − 1)", "q_max is 2^(bits−1) − 1: 2^(bits−1) is no code.",
                     _by_magnitude(steps=lambda bits: 2 ** (bits - 1)), seen=True)
symmetric_scale.trap("2^bits − 1", "this spreads the codes over one side: half of them are for the other sign.",
                     _by_magnitude(steps=lambda bits: 2**bits - 1))
symmetric_scale.trap("always 8 bits", "this is the scale of 8 bits: how many there are is an argument.",
                     _by_magnitude(steps=lambda bits: 127))
symmetric_scale.trap("scale of 0", "a range of nothing but 0 gets a scale of 0.", _by_magnitude(of_nothing=0.0))
