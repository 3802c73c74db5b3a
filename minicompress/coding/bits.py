"""Numbers in bits: fixed-width and variable-width packing, and varints. The first bit is the most significant one.

Bit 0 of a stream is the highest bit of its first byte, and a number is written from its highest bit down, as one would
write it on paper (`numpy.packbits` does the same). The last byte is filled up with zeros.
"""

import numpy as np

from minicompress import expect

CHUNK = 1 << 14  # numbers unpacked at once: the working space stays small whatever the length


class CorruptDataError(ValueError):
    """Bytes that no encoder of this package can have written."""


def integers(**arrays):
    """The given arrays as int64; ValueError, with the name, for one that holds anything but integers.

    >>> integers(codes=[1, 2])
    [array([1, 2])]
    """
    return [np.asarray(expect.integral(name, array, kind=ValueError), np.int64) for name, array in arrays.items()]


def pack(values, widths):
    """Write each number with its own width, one after the other, highest bit first; returns bytes.

    values : (n,) non-negative integers, each below 2^width
    widths : bits per number, 0 to 32: one for all, or (n,)

    Raises ValueError for a width out of range and for a number that does not fit.

    >>> pack([1, 2, 3], 4).hex()
    '1230'
    >>> pack([1, 0, 5], [1, 1, 3]).hex()  # 1 0 101 and three zeros
    'a8'
    """
    values = np.asarray(values)
    expect.that(not values.size or (values.ndim == 1 and values.dtype.kind in "iub"),
                lambda: f"values are {values.dtype} of shape {values.shape}, expected integers in one dimension")
    widths = expect.integral("widths", np.broadcast_to(np.asarray(widths, np.int64), values.shape), 0, 32)
    fit = np.all(values >= 0) and not np.any(values.astype(np.uint64) >> widths.astype(np.uint64))
    expect.that(fit, "a value is negative or does not fit its width")
    ends = np.cumsum(widths)
    total = int(ends[-1]) if ends.size else 0
    starts = ends - widths
    # Each number in a window of two 32-bit words. No two numbers share a bit, so the sum over a word is its bitwise
    # or, and sums below 2^32 are exact in bincount's float64.
    window = values.astype(np.uint64) << (64 - widths - (starts & 31)).astype(np.uint64)
    word, words = starts >> 5, (total + 31) // 32 + 1
    packed = np.bincount(word, (window >> np.uint64(32)).astype(np.float64), words)
    packed[1:] += np.bincount(word, (window & np.uint64(0xFFFFFFFF)).astype(np.float64), words)[:words - 1]
    return packed.astype(">u4").tobytes()[:(total + 7) // 8]


def windows(data):
    """The 64 bits that begin at each byte of ``data``, zeros beyond its end: an overlapping view, (n + 8,) big-endian.

    >>> hex(windows(b"abc")[1])
    '0x6263000000000000'
    """
    padded = bytes(data) + bytes(16)
    return np.ndarray(len(padded) - 8, ">u8", padded, strides=(1,))


def unpack(data, width, count, dtype=np.uint32):
    """Read ``count`` numbers of ``width`` bits: the inverse of `pack`, into an array of the given integer ``dtype``.

    Raises CorruptDataError if the bytes are not just as many as ``count`` numbers take, or end in bits that are not 0.

    >>> unpack(bytes.fromhex("1230"), 4, 3).tolist()
    [1, 2, 3]
    """
    expect.integer("width", width, 0, 32)
    used = width * count
    if len(data) != (used + 7) // 8:
        raise CorruptDataError(f"{len(data)} bytes for {count} numbers of {width} bits, expected {(used + 7) // 8}")
    if used % 8 and data[-1] & (0xFF >> used % 8):
        raise CorruptDataError("the bits that fill the last byte are not zero")
    out = np.zeros(count, dtype)
    if width == 0:
        return out
    window = windows(data)
    for begin in range(0, count, CHUNK):
        start = np.arange(begin, min(begin + CHUNK, count)) * width
        bits = window[start >> 3].astype(np.uint64) << (start & 7).astype(np.uint64)
        out[begin:begin + CHUNK] = bits >> np.uint64(64 - width)
    return out


def varint(value):
    """A non-negative integer below 2^63 as LEB128: seven bits per byte, lowest first, the high bit says "more follows".

    >>> varint(300).hex()
    'ac02'
    """
    expect.that(0 <= value < 1 << 63, f"value is {value}, expected 0 to 2^63 - 1")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data, offset=0):
    """Read a LEB128 number at ``offset``; returns ``(value, offset of what follows)``.

    Raises CorruptDataError if the bytes end too early, the number is 2^63 or more, or is not in its shortest form.

    >>> read_varint(b"\\xac\\x02")
    (300, 2)
    """
    value = 0
    for place, byte in enumerate(data[offset:offset + 9]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if byte == 0 and place:
                raise CorruptDataError("a varint is longer than it needs to be")
            return value, offset + place + 1
    raise CorruptDataError("a varint is cut off or exceeds 63 bits")
