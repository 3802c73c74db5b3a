"""The relative index (PR-17) beside the literal loops, with fillers and with escapes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress.coding import CorruptDataError, relative_index
from minicompress.equations.coding import relative_index as literal
from tests.mutants import mutate

RUNS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from([1.5, -2.0, float("inf")])), max_size=12)
SPARSE = st.builds(lambda runs, tail: [x for zeros, v in runs for x in [0.0] * zeros + [v]] + [0.0] * tail,
                   RUNS, st.integers(0, 20))


def law_literal(relative_index, values, bits):
    """The loops give the same gaps and values, and both read them back."""
    array = np.array(values, np.float32)
    gaps, stored = relative_index.encode(array, bits)
    assert (gaps.tolist(), stored.tolist()) == literal.relative_index(values, bits)
    assert relative_index.decode(gaps, stored, len(values)).tobytes() == array.tobytes()
    assert literal.relative_index_dense(gaps.tolist(), stored.tolist(), len(values)) == values


def law_least_bytes(relative_index, values, value_bits):
    """No k takes fewer bytes than the one chosen."""
    k = relative_index.best_bits(relative_index.gaps(np.array(values) != 0), value_bits)
    costs = [literal.relative_index_bytes(values, k, value_bits) for k in range(1, 17)]
    assert costs[k - 1] == min(costs)


def law_escapes(relative_index, mask, bits):
    """Escapes and gaps lead to the true entries, in symbols of so many bits; with one bit they are the mask itself."""
    gaps = relative_index.gaps(mask)
    symbols = relative_index.escape(gaps, bits)
    assert symbols.max(initial=0) < 2**bits and np.count_nonzero(symbols) == np.count_nonzero(mask)
    assert relative_index.unescape(symbols, bits, len(mask)).tolist() == np.flatnonzero(mask).tolist()
    if bits == 1:
        assert symbols.tolist() == np.trim_zeros(np.array(mask, int), "b").tolist()


@given(SPARSE, st.integers(1, 16))
def test_laws(values, bits):
    law_literal(relative_index, values, bits)
    law_escapes(relative_index, np.array(values, bool), bits)


@given(SPARSE, st.integers(1, 32))
def test_k_is_chosen_for_least_bytes(values, value_bits):
    law_least_bytes(relative_index, values, value_bits)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3, 4, 6, 7, 8, 9, 15, 16, 1000])
def test_around_the_largest_gap(zeros):
    for bits in (1, 2, 3):
        law_literal(relative_index, [0.0] * zeros + [2.0], bits)
        law_escapes(relative_index, np.array([False] * zeros + [True]), bits)


def test_the_default_k_counts_the_values_bits():
    values = np.zeros(1000, np.float32)
    values[::17] = 1
    gaps, stored = relative_index.encode(values)
    assert gaps.max() == 16 and len(gaps) == len(stored) == 59
    assert relative_index.encode(np.zeros(5))[0].size == 0


@pytest.mark.parametrize("call", [
    lambda: relative_index.decode([5], [1.0], 5), lambda: relative_index.decode([1, 2], [1.0], 9),
    lambda: relative_index.decode([-1], [1.0], 9), lambda: relative_index.unescape([6], 3, 5),
    lambda: relative_index.unescape([1, 0], 3, 99), lambda: relative_index.unescape([0, 1], 3, 7),
])
def test_gaps_that_lead_astray(call):
    with pytest.raises(CorruptDataError):
        call()


@pytest.mark.parametrize("call, match", [
    (lambda: relative_index.encode(np.zeros((2, 2))), "one dimension"),
    (lambda: relative_index.encode([1.0], 0), "1 to 16"), (lambda: relative_index.encode([1.0], 17), "1 to 16"),
])
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize("old, new", [
    ("slots = (gap >> bits) + 1", "slots = gap // (2**bits - 1) + 1"),
    ("2**bits - 1, np.uint16)", "2**bits - 2, np.uint16)"),
    ("gap & 2**bits - 1", "gap % (2**bits - 1)"),
    ("at = np.cumsum(skipped + 1) - 1", "at = np.cumsum(skipped)"),
    ("prepend=-1) - 1", "prepend=0) - 1"),
    ("    symbols[at] = rest + 1", "    symbols[at] = rest"),
    ("np.where(symbols == 0, 2**bits - 1, symbols)", "np.where(symbols == 0, 2**bits, symbols)"),
    ("(k + value_bits) for k", "k for k"),
    ("((different >> k) + 1) @ times", "(different >> k) @ times"),
])
def test_mutants_are_caught(old, new):
    mutant = mutate(relative_index, old, new)
    values = [0.0] * 9 + [1.0, 0.0, 2.0, 3.0] + [0.0] * 22 + [4.0] + [0.0] * 8 + [5.0] + [0.0] * 5
    with pytest.raises((AssertionError, ValueError)):
        for bits in (2, 3):
            law_literal(mutant, values, bits)
            law_escapes(mutant, np.array(values, bool), bits)
        for value_bits in (1, 8):
            law_least_bytes(mutant, values, value_bits)
        law_least_bytes(mutant, [1.0] * 20 + [0.0] * 30 + [1.0], 4)


def test_gaps_that_overflow_or_are_no_integers_are_refused():
    with pytest.raises(CorruptDataError, match="a gap is"):
        relative_index.decode([2**62] * 4 + [3], [1] * 5, 9)
    with pytest.raises(ValueError, match=r"gaps of shape \(1,\) are float64, expected integers"):
        relative_index.decode([1.5], [1], 9)


@pytest.mark.parametrize("bits", [2.5, 2.0, True, "2", 0, 17])
def test_a_width_that_is_none_is_refused(bits):
    with pytest.raises(ValueError, match=f"bits is {bits!r}, expected an integer from 1 to 16"):
        relative_index.encode([0, 1], bits)
