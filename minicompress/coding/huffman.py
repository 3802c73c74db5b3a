"""Huffman coding (QU-14): optimal code lengths, canonical codes, and a decoder that works on many lanes at once.

Decoding is serial by nature, since a code begins where the last one ended, and a Python loop per symbol is slow. So the
symbols are dealt out to *lanes*, symbol i to lane i mod L, each lane has its own bit stream, and every NumPy call does
one step of all lanes: look at the next bits, look them up in a table, move on by the length found. All that this adds
to the file is the length of each lane.
"""

import numpy as np

from minicompress import expect
from minicompress.claims import Method
from minicompress.coding.bits import CorruptDataError, pack, windows

LONGEST = 20  # bits: a decoding table has 2^20 entries at most


def default_limit(used):
    """The default bound on code length for ``used`` symbols: 4 bits more than a fixed width needs, and at least 12.

    The table of 2^12 entries fits a first-level cache, and what the bound costs is a fraction of a per mille.

    >>> default_limit(2), default_limit(2**16)
    (12, 20)
    """
    return max(12, (max(int(used), 1) - 1).bit_length() + 4)


def code_lengths(counts, max_bits=None):
    """Length in bits of each symbol's code in a prefix code of least mean length (QU-14).

    The least Σ counts·lengths among all prefix codes with no length over ``max_bits``. That is Huffman's code wherever
    his fits the bound, and the length-limited one of the package-merge algorithm otherwise. A symbol that does not
    occur gets length 0, a single symbol that does gets 1 bit.

    counts : (symbols,) non-negative integers
    max_bits : bound on a length; by default `default_limit`: max(12, ⌈log₂ symbols used⌉ + 4)

    Raises ValueError for negative counts, a sum of 2^53 or more, and a bound too tight for that many symbols.

    Source: Huffman 1952; Larmore & Hirschberg 1990 (package-merge). A length ℓ is seen as ℓ coins of widths 2^-1 … 2^-ℓ
    and value ``count`` each; the least set of coins of total width (symbols - 1) is an optimal code. From the narrowest
    width up, coins of one width are paired in order of value, and the pairs join the coins of the next width.

    >>> code_lengths([5, 2, 1, 1, 0]).tolist()
    [1, 2, 3, 3, 0]
    >>> code_lengths([8, 4, 2, 1, 1], max_bits=3).tolist()
    [1, 3, 3, 3, 3]
    """
    counts = np.asarray(counts)
    fit = counts.ndim == 1 and (not counts.size or (counts.dtype.kind in "iu" and counts.min() >= 0))
    expect.that(fit, f"counts are {counts.dtype} of shape {counts.shape}, expected integers ≥ 0 in one dimension")
    total = counts.sum(dtype=np.float64)
    expect.that(total < 2**53, f"counts sum to {total:g}, expected less than 2^53")
    lengths = np.zeros(len(counts), np.uint8)
    used = np.flatnonzero(counts)
    max_bits = default_limit(len(used)) if max_bits is None else max_bits
    expect.that(max_bits >= 1 and len(used) <= 1 << min(max_bits, 32),
                f"max_bits is {max_bits}, too few for {len(used)} symbols")
    if len(used) <= 1:
        lengths[used] = 1
        return lengths
    used = used[np.argsort(counts[used], kind="stable")]
    values = counts[used].astype(np.int64)
    levels, pairs = [], values[:0]
    for _ in range(min(max_bits, len(used) - 1, 255)):  # counts below 2^53 reach no depth of 255
        coins = np.concatenate([values, pairs])
        order = np.argsort(coins, kind="stable")
        levels.append(order < len(values))  # True: a single coin, False: a pair
        coins = coins[order][:len(coins) // 2 * 2]
        pairs = coins[::2] + coins[1::2]
    ranks, chosen = np.zeros(len(used), np.uint8), 2 * (len(used) - 1)
    for single in reversed(levels):  # of every width the cheapest are chosen, and what a chosen pair is made of
        singles = int(np.count_nonzero(single[:chosen]))
        ranks[:singles] += 1
        chosen = 2 * (chosen - singles)
    lengths[used] = ranks
    return lengths


def canonical(lengths):
    """The symbols in canonical order (by length, then by number), and their codes: ``(symbols, codes)`` (QU-14).

    Written as binary fractions the codes count up from zero, each by 2^-length, so the lengths say everything.

    Raises CorruptDataError unless the code is complete: Kraft's sum Σ 2^-length is 1 (or one symbol has 1 bit).

    >>> symbols, codes = canonical([2, 1, 0, 2])
    >>> symbols.tolist(), [f"{c:b}" for c in codes]
    ([1, 0, 3], ['0', '10', '11'])
    """
    lengths = np.asarray(lengths)
    symbols = np.flatnonzero(lengths)
    symbols = symbols[np.argsort(lengths[symbols], kind="stable")]
    sizes = lengths[symbols].astype(np.int64)
    if not sizes.size or sizes[-1] > LONGEST:
        raise CorruptDataError(f"code lengths go up to {lengths.max(initial=0)}, expected 1 to {LONGEST}")
    shares = 1 << sizes[-1] - sizes  # of the 2^longest points on the unit interval
    if shares.sum() != 1 << sizes[-1] and not (len(symbols) == 1 and sizes[0] == 1):
        raise CorruptDataError(f"Kraft's sum of the code lengths is {shares.sum() / 2.0 ** sizes[-1]}, expected 1")
    return symbols, (np.cumsum(shares) - shares) >> sizes[-1] - sizes


def encode(symbols, lengths, lanes=1):
    """Write symbols with the canonical code of the given lengths; returns ``(payload, lane_bits)``.

    symbols : (n,) integers, each with a length
    lengths : (alphabet,) bits per symbol, from `code_lengths`
    lanes : number L of lanes, 1 to n; symbol i is in lane i mod L, and the lanes follow one another in the payload

    Returns the payload, bytes, and the bits of each lane, (lanes,) int64. Raises ValueError for symbols without a code,
    for what are no integers, and for another number of lanes.

    >>> payload, lane_bits = encode([0, 1, 0, 0], [1, 1])
    >>> f"{payload[0]:08b}", lane_bits
    ('01000000', array([4]))
    """
    symbols, lengths = (expect.integral(name, array, kind=ValueError)
                        for name, array in (("symbols", symbols), ("lengths", lengths)))
    expect.that(symbols.ndim == lengths.ndim == 1, f"symbols have shape {symbols.shape} and lengths {lengths.shape}, "
                "expected one dimension")
    expect.integer(f"lanes for {symbols.size} symbols", lanes, 1, max(1, symbols.size))
    if symbols.size == 0:
        return b"", np.zeros(lanes, np.int64)
    known = 0 <= symbols.min() <= symbols.max() < len(lengths) and lengths[symbols].all()
    expect.that(known, lambda: f"symbols span {symbols.min()} to {symbols.max()}, and not all have a code")
    order, codes = canonical(lengths)
    code_of = np.zeros(len(lengths), np.int64)
    code_of[order] = codes
    padded = np.full(-(-symbols.size // lanes) * lanes, -1, np.int64)
    padded[:symbols.size] = symbols
    by_lane = padded.reshape(-1, lanes).T  # (rows, lanes) -> (lanes, rows)
    widths = np.where(by_lane < 0, 0, lengths[by_lane]).astype(np.int64)
    codes = np.where(by_lane < 0, 0, code_of[by_lane])
    return pack(codes.ravel(), widths.ravel()), widths.sum(axis=1)


def decode(payload, lengths, count, lane_bits):
    """Read ``count`` symbols back: the inverse of `encode`; returns (count,) uint8, or uint16 for over 256 symbols.

    Raises CorruptDataError if the code is incomplete or over-full, or if any lane does not end exactly where it should.

    >>> decode(*encode([2, 0, 2, 1], [2, 2, 1], lanes=2)[:1], [2, 2, 1], 4, [2, 4]).tolist()
    [2, 0, 2, 1]
    """
    lengths, lane_bits = np.asarray(lengths), np.asarray(lane_bits, np.int64)
    dtype = np.uint8 if len(lengths) <= 256 else np.uint16
    if count == 0:
        return np.zeros(0, dtype)
    lanes, total = len(lane_bits), int(lane_bits.sum())
    if not 1 <= lanes <= count or lane_bits.min() < 0 or len(payload) != (total + 7) // 8:
        raise CorruptDataError(f"{len(payload)} bytes of payload for {total} bits and {count} symbols in {lanes} lanes")
    order, _ = canonical(lengths)
    longest = int(lengths[order[-1]])
    table = np.repeat(order, 1 << longest - lengths[order].astype(np.int64))  # left-justified codes count up: no gaps
    if len(order) == 1:
        table = np.repeat(order, 2)  # a lone 1-bit code: the other bit means nothing and is refused below
    length_of, symbol_of = lengths.astype(np.uint64)[table], table.astype(dtype)
    ends = np.cumsum(lane_bits).astype(np.uint64)
    position = ends - lane_bits.astype(np.uint64)
    window = windows(payload).astype(np.uint64)
    out = _decode_lanes(window, position, longest, length_of, symbol_of, count)
    if not np.array_equal(position, ends) or (len(order) == 1 and any(payload)) or \
            (total % 8 and payload[-1] & (0xFF >> total % 8)):
        raise CorruptDataError("the payload does not hold exactly the symbols that it should")
    return out


def _decode_lanes(window, position, longest, length_of, symbol_of, count):
    """Advance ``position`` (lanes,) over all symbols of every lane; returns the symbols in order, (count,)."""
    lanes = len(position)
    rows = -(-count // lanes)
    last = count - (rows - 1) * lanes  # lanes that have a symbol in the last row
    out = np.empty((rows, lanes), symbol_of.dtype)
    held = min(57 // longest, 8)  # a window holds 57 bits from any bit of its first byte: so many whole codes
    bits, step = np.empty(lanes, np.uint64), np.empty(lanes, np.uint64)
    index, length = np.empty((held, lanes), np.uint64), np.empty((held, lanes), np.uint64)
    entry = index.view(np.int64)  # the same memory: `take` wants signed indices, and a cast would cost another pass
    for row in range(0, rows, held):
        np.right_shift(position, 3, out=step)
        window.take(step.view(np.int64), out=bits, mode="clip")
        np.bitwise_and(position, 7, out=step)
        np.left_shift(bits, step, out=bits)
        many = min(held, rows - row)
        for k in range(many):
            np.right_shift(bits, 64 - longest, out=index[k])
            length_of.take(entry[k], out=length[k], mode="clip")
            np.left_shift(bits, length[k], out=bits)
        if row + many == rows:
            length[many - 1, last:] = 0
        np.add.reduce(length[:many], axis=0, out=step)
        np.add(position, step, out=position)
        symbol_of.take(entry[:many], out=out[row:row + many], mode="clip")
    return out.reshape(-1)[:count]


METHODS = (Method("huffman", (), "Huffman codes are how the file is written, so they come last",
                  lambda model, tuning: model, last=True),)
