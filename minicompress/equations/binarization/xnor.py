"""Products of signs by counting bits (BI-8), and what they save in theory (BI-9)."""

import itertools

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page, resolve
from minicompress.checker.properties import hold

from ..quantization.affine import MAI_2022
from .scaling import RASTEGARI_2016


def signs_of(word, n):
    """The n signs that are the bits of an integer, the lowest bit first: 1 is +1, 0 is −1.

    >>> signs_of(5, 4)
    [1, -1, 1, -1]
    """
    return [1 if word >> i & 1 else -1 for i in range(n)]


def dot(a, b):
    """a·b of two lists of ±1, by multiplication: what BI-8 must equal.

    >>> dot([1, -1, 1], [1, 1, 1])
    1
    """
    return sum(x * y for x, y in zip(a, b, strict=True))


def convolution(image, filters, stride, padding):
    """The cross-correlation of one ±1 image, lists [c][h][w], with ±1 filters [f][c][k][k]; zero outside the image.

    >>> convolution([[[1, -1]]], [[[[1]]], [[[-1]]]], 1, 0)
    [[[1, -1]], [[-1, 1]]]
    """
    height, width, k = len(image[0]), len(image[0][0]), len(filters[0][0])
    result = []
    for kernel in filters:
        rows = []
        for top in range(-padding, height + padding - k + 1, stride):
            row = []
            for left in range(-padding, width + padding - k + 1, stride):
                total = 0
                for c, p, q in itertools.product(range(len(image)), range(k), range(k)):
                    if 0 <= top + p < height and 0 <= left + q < width:
                        total += kernel[c][p][q] * image[c][top + p][left + q]
                row.append(total)
            rows.append(row)
        result.append(rows)
    return result


# ---------------------------------------------------------------------------------------------------------------------
# BI-8

def _words(rng, size):
    """Any signs, equal ones, opposite ones, all +1, all −1; of one word, of whole words, of one sign more."""
    n = one_of(rng, *[int(rng.integers(1, 12 * size))] * 4, 64 * int(rng.integers(1, 3)) + int(rng.integers(2)))
    a, b = (int.from_bytes(rng.bytes(n // 8 + 1), "little") % 2**n for _ in range(2))
    return a, one_of(rng, b, b, b, a, 2**n - 1 - a, 2**n - 1, 0), n


def _packed(matmul):
    def function(a, b, n):
        pack = resolve("minicompress.kernels.xnor.pack")
        return matmul(*(pack(np.array([signs_of(word, n)])) for word in (a, b)), n)[0, 0]
    return function


@page("BI-8", cite=(RASTEGARI_2016("section 3.2"), MAI_2022("section 9.3.1")),
      latex=r"a \cdot b = n - 2\,\mathrm{popcount}(a \oplus b)", implementation="minicompress.kernels.xnor.matmul",
      adapt=_packed, inputs=_words,
      cases=((5, 7, 3), (0, 0, 1), (2**65 - 1, 0, 65), (2**64 - 1, 2**63, 64)))
def xnor_dot(a, b, n):
    """a product of signs by counting bits

    a·b = n − 2·popcount(a xor b)

    a : n signs as the bits of an integer, 1 for +1, 0 for −1; the bits behind the n-th are 0
    b : likewise, an integer
    n : number of signs
    dot : a·b, an integer

    popcount : how many bits are 1: those in which a and b differ, whose products are −1

    >>> xnor_dot(5, 7, 3), xnor_dot(0, 0, 4)
    (1, 4)
    """
    differ = 0
    for i in range(n):
        if a >> i & 1 != b >> i & 1:
            differ += 1
    return n - 2 * differ


@xnor_dot.must("is a sum of n signs")
def _parity(f, a, b, n):
    found = f(a, b, n)
    hold((abs(found) <= n) & ((found - n) % 2 == 0),
         f"a sum of {n} numbers ±1 lies within ±{n}, and is even or odd as {n} is")


@xnor_dot.must("a vector times itself is n")
def _itself(f, a, b, n):
    hold(f(a, a, n) == n, "a vector of n signs times itself is n")


@xnor_dot.must("is the sum of the products")
def _multiplied(f, a, b, n):
    expected = dot(signs_of(a, n), signs_of(b, n))
    hold(f(a, b, n) == expected, f"multiplied and added up, the signs of a and b give {expected}")


xnor_dot.must_agree(0)
xnor_dot.trap("tail bits", "the bits behind the last sign are counted too, as if there were a multiple of 64.",
              lambda a, b, n: -(-n // 64) * 64 - 2 * (a ^ b).bit_count())
xnor_dot.trap("once", "each differing bit takes 2 off: it turns +1 into −1.", lambda a, b, n: n - (a ^ b).bit_count())
xnor_dot.trap("and", "this counts where both are +1: where both are −1 the product is +1 too.",
              lambda a, b, n: 2 * (a & b).bit_count() - n)
xnor_dot.trap("turned", "this counts differing bits as +1.", lambda a, b, n: 2 * (a ^ b).bit_count() - n)
xnor_dot.trap("one word", "this looks at the first 64 signs alone.",
              lambda a, b, n: n - 2 * ((a ^ b) % 2**64).bit_count())
xnor_dot.trap("bit lengths", "this counts signs up to the highest bit that is 1: the zeros above it are signs, too.",
              lambda a, b, n: max(a, b).bit_length() - 2 * (a ^ b).bit_count())

# ---------------------------------------------------------------------------------------------------------------------
# BI-9


@page("BI-9", cite=RASTEGARI_2016("Efficiency Analysis"), latex=r"S = \frac{64\, c\, N_W}{c\, N_W + 64}",
      implementation="minicompress.bench.xnor.run", adapt=None,
      inputs=lambda rng, size: (int(rng.integers(1, 64 * size)), one_of(rng, 1, 9, 25, 49)), cases=((256, 9), (1, 1)))
def speedup(c, n_w):
    """theoretical speedup of a binary convolution

    S = 64·c·N_W / (c·N_W + 64)

    c : number of input channels
    n_w : N_W, number of places of a filter
    speedup : S, a number: how many times fewer operations at best. A word of 64 products is one operation, and so is
        each of the scaling's; all traffic to memory is left out, so it is never a measurement

    >>> round(speedup(256, 9), 2)
    62.27
    """
    return 64 * c * n_w / (c * n_w + 64)


@speedup.must("is below 64")
def _at_most_a_word(f, channels, size):
    hold(f(channels, size) < 64, "at best 64 products count as one: the speedup stays below 64")


@speedup.must("grows with the channels")
def _more_is_faster(f, channels, size):
    hold(f(2 * channels, size) > f(channels, size), "more channels must use a word better")


speedup.must_agree(8)
speedup.trap("word only", "this forgets the operations of the scaling.", lambda c, n: 64.0)
speedup.trap("inverted", "this is the share of time that remains.", lambda c, n: (c * n + 64) / (64 * c * n))
speedup.trap("32", "a word holds 64 bits here.", lambda c, n: 32 * c * n / (c * n + 32))
speedup.trap("scaling free", "this counts the scaling as nothing but still divides.", lambda c, n: c * n)
speedup.trap("one channel", "each filter reads all c channels.", lambda c, n: 64 * n / (n + 64))
