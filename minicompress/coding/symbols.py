"""A sequence of symbols as bytes: fixed-width or Huffman-coded, whichever is smaller, with the code table and lanes.

How many symbols there are, and out of how large an alphabet, is known from elsewhere in the file. FORMAT.md has the
layout.
"""

import numpy as np

from minicompress.coding import bits, huffman
from minicompress.coding.bits import CorruptDataError
from minicompress.coding.parts import Writer


def fixed_width(alphabet):
    """Bits per symbol of a fixed-width code: ⌈log₂ alphabet⌉.

    >>> [fixed_width(n) for n in (1, 2, 16, 17)]
    [0, 1, 4, 5]
    """
    return (alphabet - 1).bit_length()


def lane_count(count):
    """How many lanes ``count`` symbols are dealt out to: one per 4096 symbols of a small array, per 512 of a large one.

    A lane costs about a byte, so few lanes keep a small file small; many make long decoding fast.

    >>> [lane_count(n) for n in (1, 4096, 4097, 20_000, 10**6)]
    [1, 1, 2, 5, 1954]
    """
    return -(-count // (1 << min(12, max(9, 19 - count.bit_length() // 2))))


def _tokens(lengths, longest):
    """The code table as ``(values, widths)``: one token per symbol, relative to the last length other than 0.

    0: the same; 10: no code; 11 s 1…10: longer (s = 0) or shorter (s = 1) by as many bits as the last group has digits.
    """
    lengths = np.asarray(lengths, np.int64)
    coded = np.maximum.accumulate(np.where(lengths > 0, np.arange(1, len(lengths) + 1), 0))
    before = np.concatenate([[longest], lengths])[np.concatenate([[0], coded[:-1]])]
    change = np.abs(lengths - before)
    values = np.where(lengths == 0, 0b10, (0b110 + (lengths < before) << change) + (1 << change) - 2)
    widths = np.where(lengths == 0, 2, 3 + change)
    return np.where(lengths == before, 0, values), np.where(lengths == before, 1, widths)


def _write_table(writer, lengths):
    """How many symbols the table covers (those after the last with a code are left out), and their tokens."""
    lengths = np.trim_zeros(lengths, "b")
    writer.number(len(lengths), "code tables")
    writer.put("code tables", bits.pack(*_tokens(lengths, int(lengths.max()))))


def _read_table(reader, alphabet, longest):
    covered = reader.number(1, alphabet, "code table", "code tables")
    data, at, before = reader.data[reader.at:], 0, longest
    lengths = np.zeros(alphabet, np.uint8)

    def bit():
        nonlocal at
        if at >> 3 >= len(data):
            raise CorruptDataError("a code table is cut off")
        at += 1
        return data[at - 1 >> 3] >> (7 - (at - 1 & 7)) & 1

    for symbol in range(covered):
        if bit():
            if not bit():
                continue
            step = -1 if bit() else 1
            before += step
            while bit():
                before += step
            if not 1 <= before <= longest:
                raise CorruptDataError(f"a code length is {before}, expected 1 to {longest}")
        lengths[symbol] = before
    table = reader.take("code tables", (at + 7) // 8)
    if lengths.max() != longest or not lengths[covered - 1] or (at % 8 and table[-1] & (0xFF >> at % 8)):
        raise CorruptDataError("a code table is not in its canonical form")
    return lengths


def _write_lanes(writer, lane_bits):
    """The bits of the shortest lane; then, if there are more, how far each exceeds it."""
    least = int(lane_bits.min())
    writer.number(least, "code tables")
    if len(lane_bits) > 1:
        width = int(lane_bits.max() - least).bit_length()
        writer.byte(width, "code tables")
        writer.put("code tables", bits.pack(lane_bits - least, width))


def _read_lanes(reader, lanes):
    least = reader.number(0, 8 * len(reader.data), "bits of a lane", "code tables")
    if lanes == 1:
        return np.array([least])
    width = reader.byte("code tables")
    if width > 32:
        raise CorruptDataError(f"lane lengths have {width} bits, expected at most 32")
    return bits.unpack(reader.take("code tables", (lanes * width + 7) // 8), width, lanes, np.int64) + least


def estimate(counts, alphabet):
    """Bytes that symbols with these ``counts`` will take, a few more or less for the lanes.

    >>> estimate(np.array([6, 2]), 2)
    1
    """
    lengths = huffman.code_lengths(counts).astype(np.int64)
    total, used = int(counts.sum()), np.trim_zeros(lengths, "b")
    if total == 0:
        return 0
    table = int(_tokens(used, int(used.max()))[1].sum())
    return min(total * fixed_width(alphabet) + 7, int(counts @ lengths) + table + 16 * lane_count(total) + 14) // 8


def write(writer, symbols, alphabet, kind):
    """Write ``symbols``, (n,) integers below ``alphabet``, as a part of the given kind, and their tables.

    Huffman-coded if the writer allows it and that is smaller, else in fixed width.
    """
    if len(symbols) == 0:
        return
    width = fixed_width(alphabet)
    coded = _coded(symbols, alphabet, kind) if writer.entropy else None
    if coded is not None and len(coded) < 1 + (len(symbols) * width + 7) // 8:
        writer.parts += coded.parts
    else:
        writer.byte(0)
        writer.put(kind, bits.pack(symbols, width))


def _coded(symbols, alphabet, kind):
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=alphabet))
    payload, lane_bits = huffman.encode(symbols, lengths, lane_count(len(symbols)))
    coded = Writer()
    coded.byte(int(lengths.max()))
    _write_table(coded, lengths)
    _write_lanes(coded, lane_bits)
    coded.put(kind, payload)
    return coded


def read(reader, count, alphabet, kind):
    """Read what `write` wrote; returns (count,) uint8, or uint16 for an alphabet of over 256.

    Raises CorruptDataError for anything that `write` cannot have written.
    """
    dtype = np.dtype(np.uint8 if alphabet <= 256 else np.uint16)
    reader.claim(2 * count * dtype.itemsize)
    if count == 0:
        return np.zeros(0, dtype)
    longest = reader.byte()
    if longest == 0:
        width = fixed_width(alphabet)
        data = reader.take(kind, (count * width + 7) // 8)
        with reader.working(len(data) + 64 * min(count, bits.CHUNK)):
            symbols = bits.unpack(data, width, count, dtype)
        if symbols.max() >= alphabet:
            raise CorruptDataError(f"a symbol is {symbols.max()}, expected less than {alphabet}")
        return symbols
    if longest > huffman.default_limit(min(alphabet, count)):
        raise CorruptDataError(f"codes of {longest} bits for at most {min(alphabet, count)} symbols")
    lanes = lane_count(count)
    with reader.working(80 * alphabet + 32 * (1 << longest) + 256 * lanes):
        lengths = _read_table(reader, alphabet, longest)
        if longest > huffman.default_limit(np.count_nonzero(lengths)):
            raise CorruptDataError(f"codes of {longest} bits for {np.count_nonzero(lengths)} symbols")
        lane_bits = _read_lanes(reader, lanes)
        payload = reader.take(kind, (int(lane_bits.sum()) + 7) // 8)
        with reader.working(10 * len(payload)):
            return huffman.decode(payload, lengths, count, lane_bits)
