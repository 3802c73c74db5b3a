"""Huffman coding (QU-14): optimal lengths, canonical codes, lanes; and mutants that the laws must catch."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress.coding import CorruptDataError, huffman
from minicompress.equations.coding import huffman as literal
from tests.mutants import mutate

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=40)


def feasible(symbols, longest):
    """Every choice of lengths 1 … longest for so many symbols that a prefix code can have, (choices, symbols)."""
    return np.array([choice for choice in itertools.product(range(1, longest + 1), repeat=symbols)
                     if sum(2 ** (longest - l) for l in choice) <= 2**longest])


FEASIBLE = {case: feasible(*case) for case in [(2, 1), (3, 2), (4, 2), (4, 3), (5, 3), (5, 4), (6, 3), (6, 5)]}


def law_optimal(huffman, counts):
    """Kraft's sum is 1, H ≤ mean length < H + 1, and Huffman's tree is no better; one symbol has 1 bit."""
    lengths = huffman.code_lengths(np.array(counts), max_bits=64).tolist()
    assert [l > 0 for l in lengths] == [c > 0 for c in counts]
    used = sum(c > 0 for c in counts)
    cost = sum(c * l for c, l in zip(counts, lengths, strict=True))
    assert cost == sum(c * l for c, l in zip(counts, literal.huffman_lengths(counts), strict=True))
    if used == 1:
        assert sum(lengths) == 1
    if used >= 2:
        assert sum(2.0**-l for l in lengths if l) == 1
        mean, entropy = cost / sum(counts), literal.entropy(counts)
        assert entropy - 1e-9 <= mean < entropy + 1


def law_limited(huffman, counts, longest):
    """Within a bound on length, nothing that brute force finds is better."""
    lengths = huffman.code_lengths(np.array(counts), max_bits=longest)
    assert 1 <= lengths.min() <= lengths.max() <= longest
    assert sum(2.0 ** -lengths.astype(float)) <= 1
    assert lengths @ np.array(counts) == (FEASIBLE[len(counts), longest] @ np.array(counts)).min()


def law_round_trip(huffman, symbols, alphabet, lanes):
    """Encoding and decoding gives the same symbols, and the payload has the digits of the literal canonical codes."""
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=alphabet))
    payload, lane_bits = huffman.encode(np.array(symbols, np.int64), lengths, lanes)
    decoded = huffman.decode(payload, lengths, len(symbols), lane_bits)
    assert decoded.dtype == (np.uint8 if alphabet <= 256 else np.uint16) and decoded.tolist() == symbols
    codes = literal.canonical_codes(lengths.tolist())
    by_lane = ["".join(codes[s] for s in symbols[lane::lanes]) for lane in range(lanes)]
    assert [len(digits) for digits in by_lane] == lane_bits.tolist()
    digits = "".join(by_lane)
    assert "".join(f"{byte:08b}" for byte in payload)[:len(digits)] == digits
    assert len(payload) == math.ceil(len(digits) / 8)


@given(COUNTS)
def test_optimal(counts):
    law_optimal(huffman, counts)


@given(st.sampled_from(sorted(FEASIBLE)), st.data())
def test_brute_force_finds_nothing_better(case, data):
    counts = data.draw(st.lists(st.integers(1, 60), min_size=case[0], max_size=case[0]))
    law_limited(huffman, counts, case[1])


@given(st.lists(st.integers(0, 11) | st.just(3), min_size=1, max_size=300), st.integers(1, 12))
def test_round_trip(symbols, lanes):
    law_round_trip(huffman, symbols, 12, min(lanes, len(symbols)))


@given(st.data())
def test_round_trip_of_wide_alphabets(data):
    alphabet = data.draw(st.integers(257, 5000))
    symbols = data.draw(st.lists(st.integers(0, alphabet - 1), min_size=1, max_size=100))
    law_round_trip(huffman, symbols, alphabet, data.draw(st.integers(1, min(9, len(symbols)))))


def test_empty_single_and_constant():
    assert huffman.code_lengths(np.zeros(5, int)).tolist() == [0] * 5
    assert huffman.code_lengths(np.zeros(0, int)).tolist() == []
    payload, lane_bits = huffman.encode([], [0, 0])
    assert payload == b"" and huffman.decode(payload, [0, 0], 0, lane_bits).size == 0
    law_round_trip(huffman, [2], 3, 1)
    law_round_trip(huffman, [7] * 1001, 8, 4)  # a constant is not nothing


def test_all_of_65536_symbols():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 100, 2**16)
    assert huffman.code_lengths(counts, 64) @ counts == np.array(literal.huffman_lengths(counts.tolist())) @ counts
    lengths = huffman.code_lengths(counts)
    assert sum(2.0 ** -lengths.astype(float)) == 1 and lengths.max() <= 20
    symbols = rng.permutation(np.concatenate([np.arange(2**16), rng.integers(0, 2**16, 1000)]))
    payload, lane_bits = huffman.encode(symbols, lengths, 100)
    assert np.array_equal(huffman.decode(payload, lengths, len(symbols), lane_bits), symbols)


def test_fibonacci_counts_stay_small():
    counts = [1, 1]
    while len(counts) < 60:
        counts.append(counts[-1] + counts[-2])
    assert huffman.code_lengths(np.array(counts), max_bits=64).max() == 59  # Huffman's own, far over 32 bits
    assert huffman.default_limit(60) == 12
    symbols = [s for s in range(60) for _ in range(3)] + [59] * 2000
    tracemalloc.start()
    lengths = huffman.code_lengths(np.array(counts))
    payload, lane_bits = huffman.encode(symbols, lengths, 3)
    decoded = huffman.decode(payload, lengths, len(symbols), lane_bits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lengths.max() == 12 and sum(2.0 ** -lengths.astype(float)) == 1
    assert decoded.tolist() == symbols and peak < 2**20


@pytest.mark.parametrize("lengths", [[1, 1, 1], [2, 2, 2], [1, 2], [2], [0, 0], [3, 3, 2, 2, 2, 2], [21, 1]])
def test_over_full_and_incomplete_codes_are_refused(lengths):
    with pytest.raises(CorruptDataError):
        huffman.canonical(lengths)
    with pytest.raises(CorruptDataError):
        huffman.decode(b"\0", lengths, 1, [1])


@pytest.mark.parametrize("payload, count, lane_bits", [
    (b"\x40", 3, [4]), (b"\x40", 5, [4]), (b"", 4, [4]), (b"\x40\0", 4, [4]), (b"\x41", 4, [4]), (b"\x40", 4, [3]),
    (b"\x40", 4, [1, 2]), (b"\x40", 1, [1, 1]), (b"\x40", 4, []), (b"\x40", 4, [8, -4]),
])
def test_payloads_that_do_not_hold_their_symbols(payload, count, lane_bits):
    assert huffman.decode(b"\x40", [1, 1], 4, [4]).tolist() == [0, 1, 0, 0]
    with pytest.raises(CorruptDataError):
        huffman.decode(payload, [1, 1], count, lane_bits)


def test_the_other_bit_of_a_lone_code_is_refused():
    with pytest.raises(CorruptDataError):
        huffman.decode(b"\x40", [0, 1], 4, [4])


@pytest.mark.parametrize("call, match", [
    (lambda: huffman.code_lengths([1, -1]), "≥ 0"), (lambda: huffman.code_lengths([0.5]), "integers"),
    (lambda: huffman.code_lengths([1, 1, 1], max_bits=1), "too few"),
    (lambda: huffman.code_lengths([2**53, 1]), "less than 2"),
    (lambda: huffman.encode([2], [1, 0, 0]), "have a code"), (lambda: huffman.encode([3], [1, 1]), "have a code"),
])
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize("old, new", [
    ("chosen = 2 * (chosen - singles)", "chosen = chosen - singles"),
    ("2 * (len(used) - 1)", "2 * len(used) - 3"),
    ("coins[::2] + coins[1::2]", "np.maximum(coins[::2], coins[1::2])"),
    ("order < len(values)", "order <= len(values)"),
    ("    lengths[used] = ranks", "    lengths[used] = ranks[::-1]"),
    ("        lengths[used] = 1\n", ""),
    ("min(max_bits, len(used) - 1, 255)", "min(max_bits, len(used) - 2, 255)"),
])
def test_mutants_of_code_lengths_are_caught(old, new):
    mutant, caught = mutate(huffman, old, new), 0
    for counts in [[5], [1, 1, 2, 3, 5, 8], [9, 1, 1, 1], [4, 3, 2, 1, 0]]:
        try:
            law_optimal(mutant, counts)
            if (len(counts), 3) in FEASIBLE:
                law_limited(mutant, counts, 3)
        except (AssertionError, ValueError, IndexError):
            caught += 1
    assert caught


@pytest.mark.parametrize("old, new", [
    ("(np.cumsum(shares) - shares)", "np.cumsum(shares)"),
    ("argsort(lengths[symbols], kind=\"stable\")", "argsort(-lengths[symbols], kind=\"stable\")"),
    ("        if row + many == rows:\n            length[many - 1, last:] = 0\n", ""),
    ("57 // longest", "80 // longest"),
    ("np.bitwise_and(position, 7, out=step)", "np.bitwise_and(position, 3, out=step)"),
    ("padded.reshape(-1, lanes).T", "padded.reshape(lanes, -1)"),
    ("ends - lane_bits.astype(np.uint64)", "ends"),
    ("<= 256 else np.uint16", "<= 512 else np.uint16"),
])
def test_mutants_of_coding_are_caught(old, new):
    rng = np.random.default_rng(1)
    symbols = np.minimum(rng.geometric(0.3, 500), 290).tolist()
    mutant = mutate(huffman, old, new)
    with pytest.raises((AssertionError, ValueError, IndexError)):
        law_round_trip(mutant, [*symbols, 280], 300, 7)
        law_round_trip(mutant, list(range(300)), 300, 7)


def test_the_trap_of_a_constant_that_decodes_to_nothing():
    trap = mutate(huffman, "        lengths[used] = 1\n", "")
    with pytest.raises((AssertionError, ValueError)):
        law_round_trip(trap, [7] * 100, 8, 1)


@pytest.mark.parametrize("lanes", [0, -1, 5])
def test_lanes_without_a_symbol_are_refused(lanes):
    with pytest.raises(ValueError, match=f"lanes for 4 symbols is {lanes}, expected an integer from 1 to 4"):
        huffman.encode([0, 1, 0, 0], [1, 1], lanes)


@pytest.mark.parametrize(("symbols", "lengths", "message"), [
    ([0.5], [1, 1], r"symbols of shape \(1,\) are float64, expected integers"),
    ([[0], [1]], [1, 1], r"symbols have shape \(2, 1\) and lengths \(2,\), expected one dimension"),
    ([0], [1.0, 1.0], r"lengths of shape \(2,\) are float64, expected integers"),
    ([True], [1, 1], "symbols .* are bool, expected integers"),
])
def test_what_are_no_symbols_is_refused(symbols, lengths, message):
    with pytest.raises(ValueError, match=message):
        huffman.encode(symbols, lengths)
