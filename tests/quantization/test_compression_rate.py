"""The compression rate of shared weights (QU-13) beside the literal formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress.equations.quantization import weight_sharing as literal
from minicompress.quantization import compression_rate
from minicompress.quantization import weight_sharing as real
from tests.mutants import mutate


def law_literal(module, n, k, bits):
    assert module.compression_rate(n, k, bits) == literal.compression_rate(n, bits, k)
    assert module.compression_rate(2 * n, k, bits, kept=n, index_bits=5) == literal.pruned_compression_rate(
        2 * n, n, bits, k, 5)


@given(n=st.integers(1, 10**9), k=st.integers(1, 2**16), bits=st.integers(1, 64))
def test_law(n, k, bits):
    law_literal(real, n, k, bits)


def test_hans_example():
    """16 weights of 32 bits share 4 centroids: 3.2 (Han et al. 2016, section 3)."""
    assert compression_rate(16, 4) == compression_rate(np.int64(16), np.uint8(4)) == 3.2


@pytest.mark.parametrize("change", [dict(n=0), dict(k=0), dict(bits=-1), dict(n=2.0), dict(k=True), dict(bits=None),
                                    dict(kept=0), dict(kept=2.5), dict(index_bits=-1)])
def test_bad_arguments(change):
    (name, value), = change.items()
    with pytest.raises(ValueError, match=f"{name} is {value!r}, expected an integer"):
        compression_rate(**dict(n=16, k=4) | change)


def test_more_weights_kept_than_there_are():
    with pytest.raises(ValueError, match="kept is 17, expected an integer from 1 to 16"):
        compression_rate(16, 4, kept=17)


@pytest.mark.parametrize("old, new", [
    ("math.log2(k) + index_bits", "math.ceil(math.log2(k)) + index_bits"), ("index_bits) + k * bits)", "index_bits))"),
    ("bits=32", "bits=16"), ("(kept * (", "(n * ("), ("math.log2(k) + index_bits", "math.log2(k)"),
])
def test_mutants_are_caught(old, new):
    with pytest.raises(AssertionError):
        law_literal(mutate(real, old, new), 100, 6, 32)
        assert mutate(real, old, new).compression_rate(16, 4) == 3.2
