"""Packing and varints."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress.coding import CorruptDataError, bits

NUMBERS = st.lists(st.integers(0, 32).flatmap(lambda w: st.tuples(st.integers(0, max(0, 2**w - 1)), st.just(w))))


@given(NUMBERS)
def test_pack_writes_the_digits_one_after_the_other(numbers):
    digits = "".join(format(value, f"0{width}b") if width else "" for value, width in numbers)
    digits += "0" * (-len(digits) % 8)
    packed = bits.pack(np.array([v for v, _ in numbers], np.uint64), [w for _, w in numbers])
    assert packed == bytes(int(digits[i:i + 8], 2) for i in range(0, len(digits), 8))


@given(st.integers(0, 32), st.data())
def test_unpack_inverts_pack(width, data):
    values = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=50))
    packed = bits.pack(np.array(values, np.uint64), width)
    assert bits.unpack(packed, width, len(values)).tolist() == values


def test_more_numbers_than_a_chunk():
    values = np.arange(3 * bits.CHUNK + 7) % 2**13
    assert np.array_equal(bits.unpack(bits.pack(values, 13), 13, len(values), np.uint16), values)


@pytest.mark.parametrize("values, widths, match", [
    ([4], 2, "does not fit"), ([-1], 8, "negative"), ([1], 33, "0 to 32"), ([1], -1, "0 to 32"), ([1.0], 4, "integers"),
    ([[1]], 4, "one dimension"), ([1], 0, "does not fit"),
])
def test_pack_refuses(values, widths, match):
    with pytest.raises(ValueError, match=match):
        bits.pack(np.array(values), widths)


@pytest.mark.parametrize("data, width, count, match", [
    (b"", 4, 1, "expected 1"), (b"ab", 4, 2, "expected 1"), (b"\x01", 4, 1, "not zero"), (b"\0", 0, 5, "expected 0"),
])
def test_unpack_refuses(data, width, count, match):
    with pytest.raises(CorruptDataError, match=match):
        bits.unpack(data, width, count)


@given(st.integers(0, 2**63 - 1), st.binary(max_size=3))
def test_varint_round_trip(value, rest):
    data = bits.varint(value)
    assert bits.read_varint(b"x" + data + rest, 1) == (value, 1 + len(data))
    for cut in range(len(data)):
        with pytest.raises(CorruptDataError):
            bits.read_varint(data[:cut])


@pytest.mark.parametrize("data", [b"\x80\x00", b"\xff" * 9, b"\xff" * 10 + b"\x01", b"\x80" * 20])
def test_varint_refuses_detours_and_giants(data):
    with pytest.raises(CorruptDataError):
        bits.read_varint(data)


@pytest.mark.parametrize("value", [-1, 2**63])
def test_varint_has_bounds(value):
    with pytest.raises(ValueError, match="expected 0 to"):
        bits.varint(value)
