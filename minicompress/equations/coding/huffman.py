"""Huffman's code (QU-14)."""

import heapq
import math

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Convention, Paper
from minicompress.checker.properties import hold

HUFFMAN_1952 = Paper("huffman1952method", ("Huffman, David A.",),
                     "A Method for the Construction of Minimum-Redundancy Codes", 1952, "Proceedings of the IRE",
                     doi="10.1109/JRPROC.1952.273898")
SCHWARTZ_1964 = Paper("schwartz1964generating", ("Schwartz, Eugene S.", "Kallick, Bruce"),
                      "Generating a canonical prefix encoding", 1964, "Communications of the ACM")


def entropy(counts):
    """H = −Σ p·log₂ p in bits per symbol, with p = counts / Σ counts.

    >>> entropy([4, 2, 1, 1])
    1.75
    """
    total = sum(counts)
    return -sum(c / total * math.log2(c / total) for c in counts if c > 0)


def fibonacci(n):
    """The counts whose codes are longest: n − 1 bits."""
    counts = [1, 1]
    while len(counts) < n:
        counts.append(counts[-1] + counts[-2])
    return np.array(counts)


def _counted(rng, size):
    """Counts much alike, all the same, or very skewed ones; one symbol at least occurs."""
    n = size + 1
    counts = one_of(rng, rng.integers(0, 9, n), 2 ** rng.integers(0, 20, n), np.full(n, rng.integers(9)))
    counts[rng.integers(n)] += 1
    return counts


# ---------------------------------------------------------------------------------------------------------------------
# QU-14

@page("QU-14", cite=(HUFFMAN_1952("the whole paper"), Convention("a symbol that is alone has 1 bit")),
      latex=r"\min_l \sum_i n_i l_i \;\text{ with }\; \sum_i 2^{-l_i} \le 1,\quad l_i \ge 1,"
            r"\;\text{ over the symbols that occur}",
      implementation="minicompress.coding.huffman.code_lengths",
      adapt=lambda code_lengths: lambda counts: code_lengths(counts, max_bits=255),
      inputs=lambda rng, size: (_counted(rng, size),),
      cases=((np.array([3]),), (np.array([0, 7, 0]),), (fibonacci(6),), (np.ones(6, int),), (fibonacci(40),)))
def huffman_lengths(counts):
    """Huffman code lengths

    min Σ_i n_i·l_i  with  Σ_i 2^(−l_i) ≤ 1,   l_i ≥ 1,   over the symbols that occur

    counts : n, how often each symbol occurs, integers, (symbols,)
    lengths : l, bits of each symbol's code, integers, 0 for a symbol that does not occur, 1 for one that is alone,
        (symbols,)

    the tree : the two rarest subtrees become one, until one is left; a symbol's length is its depth

    >>> huffman_lengths([5, 2, 1, 1, 0])
    [1, 2, 3, 3, 0]
    """
    heap = [(count, symbol, [symbol]) for symbol, count in enumerate(counts) if count > 0]
    lengths = [0] * len(counts)
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        count_a, tie, leaves_a = heapq.heappop(heap)  # the two rarest subtrees …
        count_b, _, leaves_b = heapq.heappop(heap)
        for symbol in leaves_a + leaves_b:  # … go one level down under a common parent
            lengths[symbol] += 1
        heapq.heappush(heap, (count_a + count_b, tie, leaves_a + leaves_b))
    return lengths


@huffman_lengths.must("symbols that occur have a code")
def _used_have_codes(f, counts):
    hold((f(counts) > 0) == (counts > 0), "symbols that occur have a length, and only they; one alone has 1 bit")


@huffman_lengths.must("Kraft's sum is 1")
def _kraft(f, counts):
    lengths = f(counts)[counts > 0].astype(np.float64)
    if len(lengths) > 1:
        hold(np.sum(2.0 ** -lengths) == 1, f"Kraft's sum Σ 2^-length is {np.sum(2.0 ** -lengths)}, expected 1")


@huffman_lengths.must("the mean length is within a bit of the entropy")
def _near_entropy(f, counts):
    if np.count_nonzero(counts) > 1:
        mean, least = counts @ f(counts) / counts.sum(), entropy(counts.tolist())
        hold(least - 1e-9 <= mean < least + 1, f"the mean length is {mean:.4g} bits, outside H to H + 1, "
                                               f"H = {least:.4g}")


@huffman_lengths.must("no prefix code is shorter")
def _least_mean(f, counts):
    found, best = counts @ f(counts), counts @ np.array(huffman_lengths(counts.tolist()))
    hold(found == best, f"all symbols together take {found} bits, {best} can be reached")


def _shannon(counts):
    p = counts / counts.sum()
    return np.array([max(1, math.ceil(-math.log2(x))) if x else 0 for x in p])


def _fixed(counts):
    used = np.count_nonzero(counts)
    return np.where(counts > 0, max(1, math.ceil(math.log2(used))), 0)


def _unary(counts):
    order, used = np.argsort(-counts, kind="stable"), np.count_nonzero(counts)
    lengths = np.zeros(len(counts), int)
    lengths[order[:used]] = np.minimum(np.arange(1, used + 1), max(used - 1, 1))
    return lengths


def _alone_has(bits):
    return lambda counts: np.where((counts > 0) & (np.count_nonzero(counts) == 1), bits,
                                   huffman_lengths(counts.tolist()))


def _every_symbol(counts):
    """Symbols that do not occur get a code, too."""
    return np.array(huffman_lengths(np.maximum(len(counts) * counts, 1).tolist()))


huffman_lengths.trap("Shannon", "this is ⌈−log₂ p⌉, Shannon's code: Huffman's is shorter.", _shannon)
huffman_lengths.trap("fixed width", "this is one width for all: frequent symbols deserve shorter codes.", _fixed)
huffman_lengths.trap("unary", "this chain of 1, 2, 3 … bits is the best code for very skewed counts alone.", _unary)
huffman_lengths.trap("at most 16 bits", "codes are cut to 16 bits: very skewed counts need longer ones.",
                     lambda counts: np.minimum(huffman_lengths(counts.tolist()), 16))
huffman_lengths.trap("constant is nothing", "a symbol that is alone gets 0 bits, and nothing can be decoded from "
                     "nothing.", _alone_has(0), seen=True)
huffman_lengths.trap("codes for all", "symbols that do not occur get a code: it takes room from the others.",
                     _every_symbol)
huffman_lengths.trap("one level too deep", "the tree's root is counted, too: a length is the number of steps down from "
                     "it.", lambda counts: np.array(huffman_lengths(counts.tolist())) + (counts > 0))

# ---------------------------------------------------------------------------------------------------------------------
# QU-14:canonical


def _in_digits(canonical):
    def function(lengths):
        codes = [""] * len(lengths)
        for symbol, code in zip(*canonical(lengths), strict=True):
            codes[symbol] = format(int(code), f"0{lengths[symbol]}b")
        return codes
    return function


@page("QU-14:canonical", cite=SCHWARTZ_1964("the whole paper"),
      latex=r"\text{code}_{j+1} = (\text{code}_j + 1) \cdot 2^{l_{j+1} - l_j},\quad \text{code}_1 = 0",
      implementation="minicompress.coding.huffman.canonical", adapt=_in_digits,
      inputs=lambda rng, size: (np.array(huffman_lengths(_counted(rng, size).tolist())),),
      cases=((np.array(huffman_lengths(fibonacci(21).tolist())),), (np.array([0, 1]),), (np.array([2, 1, 0, 2]),)))
def canonical_codes(lengths):
    """canonical prefix codes

    code_(j+1) = (code_j + 1)·2^(l_(j+1) − l_j),   code_1 = 0

    lengths : l, bits of each code, integers, 0 for none; of a full tree, or one alone of 1 bit, (symbols,)
    codes : text, a string of 0 and 1 for each symbol, of its length, empty for none, (symbols,)

    code_j : the number that the j-th code is in binary, an integer; codes are in order of length, then of symbol

    >>> canonical_codes([2, 1, 0, 2])
    ['10', '0', '', '11']
    """
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths) if length > 0):
        code <<= length - before
        codes[symbol] = format(code, f"0{length}b")
        code, before = code + 1, length
    return codes


@canonical_codes.must("have their lengths")
def _have_their_lengths(f, lengths):
    hold([len(code) for code in f(lengths).tolist()] == lengths.tolist(), "a code has another length than asked for")


@canonical_codes.must("none begins another")
def _prefix_free(f, lengths):
    codes = [code for code in f(lengths).tolist() if code]
    for a in codes:
        hold(sum(b.startswith(a) for b in codes) == 1, f"{a} is the beginning of another code")


def _by_symbol(lengths):
    """Codes handed out in order of symbols: right only if the lengths ascend."""
    codes, code, before = [""] * len(lengths), 0, 0
    for symbol in np.flatnonzero(lengths):
        shift = int(lengths[symbol]) - before
        code = code << shift if shift > 0 else code >> -shift
        codes[symbol] = format(code, f"0{lengths[symbol]}b")
        code, before = code + 1, int(lengths[symbol])
    return codes


def _counted_from_zero(lengths):
    seen, codes = {}, [""] * len(lengths)
    for symbol in np.flatnonzero(lengths):
        length = int(lengths[symbol])
        codes[symbol] = format(seen.get(length, 0), f"0{length}b")
        seen[length] = seen.get(length, 0) + 1
    return codes


def _turned(change):
    """The right codes, each of them changed."""
    return lambda lengths: [change(code) for code in canonical_codes(lengths.tolist())]


def _last_symbol_first(lengths):
    return canonical_codes(lengths[::-1].tolist())[::-1]


canonical_codes.must_agree(0)
canonical_codes.trap("by symbol", "codes are handed out in the order of symbols: order by length first.", _by_symbol)
canonical_codes.trap("each length from zero", "each length counts from 0 anew, so short codes begin longer ones.",
                     _counted_from_zero)
canonical_codes.trap("leading zeros lost", "leading zeros are lost: a code of length 3 has three digits, 001.",
                     _turned(lambda code: code.lstrip("0")))
canonical_codes.trap("digits reversed", "the digits are reversed: the first one is the highest, the step from the "
                     "root.", _turned(lambda code: code[::-1]))
canonical_codes.trap("from the ones", "this counts down from all ones: codes count up from 0.",
                     _turned(lambda code: code.translate({48: "1", 49: "0"})))
canonical_codes.trap("later symbols first", "of equal lengths the later symbol comes first: it goes by symbols.",
                     _last_symbol_first)
