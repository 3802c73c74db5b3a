"""The relative index (PR-17)."""

import math

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Convention
from minicompress.checker.properties import close, hold

from ..quantization.clustering import HAN_2016
from .csr import sparse

# ---------------------------------------------------------------------------------------------------------------------
# PR-17


@page("PR-17", cite=(HAN_2016("figure 2"), Convention("a gap counts the zeros that are skipped, so k bits reach 2^k "
                                                      "places on, and fillers behind the last non-zero are left out")),
      latex=r"\text{stored}_j = \text{values}[p_j],\quad \text{gap}_j = p_j - p_{j-1} - 1,\quad "
            r"p_j = \min(\text{next}_j,\; p_{j-1} + 2^k),\quad p_0 = -1",
      implementation="minicompress.coding.relative_index.encode", fixed_shape=False,
      inputs=lambda rng, size: (sparse(rng, 3 * size), one_of(rng, 1, 2, 3, 4)),
      cases=((np.array([0, 3, 0, 0, 0, 0, 0, 0, 7.0]), 2), (np.array([0, 0, 0, 0, 7.0]), 2), (np.zeros(9), 2),
             (np.append(np.zeros(256), -1.0), 8), (np.append(np.zeros(255), -1.0), 8)))
def relative_index(values, bits):
    """relative index with fillers

    stored_j = values[p_j],   gap_j = p_j − p_(j−1) − 1,   p_j = min(next_j, p_(j−1) + 2^k),   p_0 = −1

    values : the array, (n,), mostly zeros
    bits : k, an integer of at least 1
    gaps : zeros skipped before each stored value, integers from 0 to 2^k − 1, (slots,)
    stored : the non-zeros, and the zeros that fill where a gap would be too large, (slots,)

    p : place in the array of each stored value, an integer from 0; the last one is that of the last non-zero
    next_j : the place of the first non-zero behind p_(j−1), an integer

    >>> relative_index([0, 3, 0, 0, 0, 0, 0, 0, 7], 2)
    ([1, 3, 2], [3, 0, 7])
    """
    gaps, stored, zeros, pending = [], [], 0, 0
    for value in values:
        if value == 0 and zeros < 2**bits - 1:
            zeros += 1
            continue
        gaps.append(zeros)
        stored.append(value)
        zeros = 0
        pending = 0 if value != 0 else pending + 1
    # Fillers after the last non-zero say nothing: the size is known.
    return gaps[:len(gaps) - pending], stored[:len(stored) - pending]


def relative_index_dense(gaps, stored, size):
    """The list of ``size`` values that `relative_index` took apart.

    >>> relative_index_dense([1, 3, 2], [3, 0, 7], 9)
    [0, 3, 0, 0, 0, 0, 0, 0, 7]
    """
    values = []
    for gap, value in zip(gaps, stored, strict=True):
        values += [0] * gap + [value]
    return values + [0] * (size - len(values))


def relative_index_bytes(values, k, value_bits):
    """Bytes of the relative index with k-bit gaps, fillers and values counted.

    >>> relative_index_bytes([0, 3, 0, 0, 0, 0, 0, 0, 7], 2, 6)
    3
    """
    gaps, _ = relative_index(values, k)
    return math.ceil(len(gaps) * (k + value_bits) / 8)


@relative_index.must("gaps fit in k bits")
def _gaps_fit(f, values, bits):
    gaps, stored = f(values, bits)
    hold(gaps.shape == stored.shape, "there must be as many gaps as stored values")
    hold((gaps >= 0) & (gaps < 2**bits), f"gaps are {gaps.tolist()}, {bits} bits hold 0 to {2**bits - 1}")


@relative_index.must("the array comes back")
def _values_come_back(f, values, bits):
    gaps, stored = f(values, bits)
    found = relative_index_dense(gaps.astype(int).tolist(), stored.tolist(), values.size)
    close(f, np.array(found, np.float64), values, "gaps and values do not give the array back", 0)


def _relative(values, most):
    """A filler after so many zeros, also behind the last non-zero."""
    gaps, stored, zeros = [], [], 0
    for v in values.tolist():
        if v == 0 and zeros < most:
            zeros += 1
            continue
        gaps.append(zeros)
        stored.append(v)
        zeros = 0
    return np.array(gaps, int), np.array(stored, np.float64)


def _too_early(values, bits):
    last = np.flatnonzero(values).max(initial=-1)
    return _relative(values[:last + 1], 2**bits - 2)


def _no_fillers(values, bits):
    at = np.flatnonzero(values)
    return np.diff(at, prepend=-1) - 1, values[at]


def _positions(values, bits):
    at = np.flatnonzero(values)
    return np.diff(at, prepend=0), values[at]


def _remainders(values, bits):
    gaps, stored = _no_fillers(values, bits)
    return gaps % 2**bits, stored


relative_index.must_agree(0)
relative_index.trap("no fillers", "gaps grow beyond k bits: a filler zero must be stored where they would.",
                    _no_fillers)
relative_index.trap("positions", "this is the step from one value to the next: asked for is how many zeros are "
                    "skipped.", _positions)
relative_index.trap("filler too early", "this stores a filler after 2^k − 2 zeros: k bits can say 2^k − 1.", _too_early)
relative_index.trap("fillers at the end", "fillers behind the last non-zero say nothing: the size is known.",
                    lambda values, bits: _relative(values, 2**bits - 1))
relative_index.trap("cut to k bits", "only the lowest k bits of a gap are kept: where more are needed, a filler says "
                    "so.", _remainders)
relative_index.trap("whole numbers", "this cuts off decimals: 0.5 is no zero.",
                    lambda values, bits: relative_index(np.trunc(values).tolist(), bits))
