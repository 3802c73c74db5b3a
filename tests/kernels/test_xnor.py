"""Products on packed bits: every number of bits, every shape of tail, every padding, against loops over ±1."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import engine
from minicompress.engine import Tensor
from minicompress.equations.binarization import xnor as literal
from minicompress.equations.binarization.weights import sign
from minicompress.kernels import xnor
from tests.mutants import mutate


def plus_minus(shape, seed):
    return np.random.default_rng(seed).choice(np.float32([-1, 1]), shape)


def packs_the_signs(m, x):
    """Bit i of word w of a row is the sign of number 64·w + i, and behind the last all is 0."""
    words = m.pack(x)
    assert words.dtype == np.uint64 and words.shape == (len(x), -(-x.shape[1] // 64), *x.shape[2:])
    for place in np.ndindex(len(x), *x.shape[2:]):
        row = x[place[0], :, *place[1:]]
        number = sum(int(w) << 64 * i for i, w in enumerate(words[place[0], :, *place[1:]]))
        assert number == sum((sign(v) > 0) << i for i, v in enumerate(row.tolist()))


def product_is_exact(m, rows, columns, n, seed):
    a, b = plus_minus((rows, n), seed), plus_minus((columns, n), seed + 1)
    result = m.matmul(m.pack(a), m.pack(b), n)
    assert result.dtype == np.int32 and result.shape == (rows, columns)
    expected = [[literal.dot(x, y) for y in b.astype(int).tolist()] for x in a.astype(int).tolist()]
    assert result.tolist() == expected


def convolution_is_exact(m, batch, channels, filters, size, k, stride, padding, seed):
    x, w = plus_minus((batch, channels, *size), seed), plus_minus((filters, channels, k, k), seed + 1)
    result = m.conv2d(m.pack(x), m.pack(w), channels, stride=stride, padding=padding)
    assert result.dtype == np.int32
    expected = [literal.convolution(image, w.astype(int).tolist(), stride, padding) for image in x.astype(int).tolist()]
    assert result.tolist() == expected


CONVOLUTIONS = [(2, 3, 4, (5, 6), 3, 1, 0), (1, 65, 2, (3, 3), 3, 1, 1), (3, 64, 1, (4, 3), 2, 2, 1),
                (1, 1, 3, (2, 5), 1, 1, 2), (2, 5, 2, (4, 4), 4, 1, 3)]


def all_laws(m):
    for n in (1, 2, 63, 64, 65, 128, 130):
        packs_the_signs(m, plus_minus((3, n), n))
        product_is_exact(m, 5, 3, n, n)
        product_is_exact(m, 2, 7, n, n)
    packs_the_signs(m, np.array([[0.0, -0.0, 1e-30, -1e-30, np.inf, -np.inf]]))
    packs_the_signs(m, plus_minus((2, 70, 3, 2), 0))
    for case in CONVOLUTIONS:
        convolution_is_exact(m, *case, seed=1)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 200), st.integers(0, 2**32))
def test_a_product_is_that_of_the_numbers(rows, columns, n, seed):
    product_is_exact(xnor, rows, columns, n, seed)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 70), st.integers(1, 3), st.tuples(st.integers(1, 5), st.integers(1, 5)),
       st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2**32))
def test_a_convolution_is_that_of_the_numbers(batch, channels, filters, size, k, stride, padding, seed):
    if min(size) + 2 * padding >= k:
        convolution_is_exact(xnor, batch, channels, filters, size, k, stride, padding, seed)


def test_the_laws_hold_at_the_edges_of_words():
    all_laws(xnor)


def test_a_product_in_several_blocks(monkeypatch):
    monkeypatch.setattr(xnor, "BLOCK", 40)
    monkeypatch.setattr(xnor, "WIDE", 4)
    product_is_exact(xnor, 11, 7, 200, 3)
    product_is_exact(xnor, 3, 10, 1000, 4)


@pytest.mark.parametrize("n", [64 * 1024, 64 * 1023 + 1])
def test_sums_that_leave_16_bits(n):
    """All signs differ, so the count is n itself: 65 536 and more don't fit in 16 bits."""
    a = np.ones((2, n), np.float32)
    assert (xnor.matmul(xnor.pack(a), xnor.pack(-a), n) == -n).all()


def test_long_rows_are_worked_on_in_small_blocks():
    """2^16 signs a row, 2^20 words: at a time one block, a byte for each of its words, and two parts of the array."""
    a, b = (np.zeros((n, 1024), np.uint64, order="F") for n in (1024, 1))
    tracemalloc.start()
    result = xnor.matmul(a, b, 64 * 1024)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (result == 64 * 1024).all() and peak < 4 * 8 * xnor.BLOCK


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_has_an_empty_product(rows, columns):
    product_is_exact(xnor, rows, columns, 70, 0)


def test_no_image_has_no_convolution():
    words = xnor.pack(np.ones((0, 3, 5, 4))), xnor.pack(np.ones((2, 3, 3, 3)))
    result = xnor.conv2d(*words, 3, padding=1)
    assert result.shape == (0, 2, 5, 4) and result.dtype == np.int32


def test_the_number_of_signs_is_an_integer_of_any_kind():
    a = plus_minus((3, 70), 0)
    images, filters = plus_minus((1, 3, 4, 4), 0), plus_minus((2, 3, 3, 3), 0)
    result = xnor.matmul(xnor.pack(a), xnor.pack(a), np.int64(70))
    assert result.dtype == np.int32 and result.tolist() == (a @ a.T).tolist()
    assert xnor.conv2d(xnor.pack(images), xnor.pack(filters), np.int64(3), padding=1).dtype == np.int32
    for n in (70.0, 70.5, np.float64(70), True, "70"):
        with pytest.raises(TypeError, match=r"n for 2 .* is .*, expected an integer"):
            xnor.matmul(xnor.pack(a), xnor.pack(a), n)


def test_booleans_are_signs():
    bits = np.random.default_rng(0).random((3, 70)) < 0.5
    np.testing.assert_array_equal(xnor.pack(bits), xnor.pack(np.where(bits, 1, -1)))


def test_words_in_any_memory_order():
    a, b = plus_minus((5, 130), 0), plus_minus((4, 130), 1)
    words = np.ascontiguousarray(xnor.pack(a))
    np.testing.assert_array_equal(xnor.matmul(words, xnor.pack(b), 130), (a @ b.T).astype(int))


def test_a_convolution_pads_as_the_engine_does():
    x, w = plus_minus((2, 20, 7, 6), 0), plus_minus((3, 20, 5, 5), 1)
    expected = engine.conv2d(Tensor(x), Tensor(w), padding=2).numpy()
    np.testing.assert_array_equal(xnor.conv2d(xnor.pack(x), xnor.pack(w), 20, padding=2), expected)


def test_numpys_buffer_is_left_as_it_was():
    words = xnor.pack(plus_minus((3, 100), 0))
    with np.errstate():
        np.setbufsize(4096)  # of no other test
        xnor.matmul(words, words, 100)
        assert np.getbufsize() == 4096


def test_what_does_not_fit_is_refused():
    words = xnor.pack(plus_minus((3, 100), 0))
    with pytest.raises(ValueError, match=r"n for 1 words of 64 bits is 128, expected .* from 1 to 64"):
        xnor.matmul(words[:, :1], words[:, :1], 128)
    with pytest.raises(ValueError, match="n for 2 words of 64 bits is 64, expected"):
        xnor.matmul(words, words, 64)
    with pytest.raises(ValueError, match="2 and 1 words"):
        xnor.matmul(words, words[:, :1], 100)
    with pytest.raises(TypeError, match="a_words is float32"):
        xnor.matmul(plus_minus((3, 2), 0), words, 100)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        xnor.pack(np.ones(3))
    with pytest.raises(TypeError, match="x is an array of complex128, expected real"):
        xnor.pack(np.ones((1, 2), complex))
    with pytest.raises(ValueError, match=r"shape \(3, 0\), expected 2 axes and a word a row"):
        xnor.matmul(words[:, :0], words, 100)
    images, filters = xnor.pack(plus_minus((1, 3, 4, 4), 0)), xnor.pack(plus_minus((2, 3, 5, 5), 0))
    with pytest.raises(ValueError, match="no larger than the padded images"):
        xnor.conv2d(images, filters, 3)


@pytest.mark.parametrize("bit", [1, 36, 63])
def test_bits_behind_the_last_sign_are_refused(bit):
    """They would be counted."""
    images, filters = xnor.pack(plus_minus((2, 64, 3, 3), 0)), xnor.pack(plus_minus((1, 64, 3, 3), 0))
    clean, dirty = (np.ascontiguousarray(xnor.pack(plus_minus((2, 65), i))) for i in (0, 1))
    images, filters = (np.concatenate([words, 0 * words], axis=1) for words in (images, filters))  # a channel of -1
    for words, at in ((dirty, (1, 1)), (images, (1, 1, 2, 0)), (filters, (0, 1, 0, 1))):
        words[at] |= np.uint64(1 << bit)
    for call, name in ((lambda: xnor.matmul(dirty, clean, 65), "a_words"),
                       (lambda: xnor.matmul(clean, dirty, 65), "b_words"),
                       (lambda: xnor.conv2d(images, 0 * filters, 65), "x_words"),
                       (lambda: xnor.conv2d(0 * images, filters, 65), "weight_words")):
        with pytest.raises(ValueError, match=f"{name} has bits set behind the 65-th of a row, expected none there"):
            call()
    full = ~np.zeros((1, 2), np.uint64)
    assert xnor.matmul(full, full, 128).tolist() == [[128]]  # where nothing is behind


@pytest.mark.parametrize(("old", "new"), [
    ("else x >= 0, 1, -1)", "else x > 0, 1, -1)"),
    ("words = np.zeros(", "words = ~np.zeros("),
    ("n - 2 * _differing(a_words, b_words)", "WORD * a_words.shape[1] - 2 * _differing(a_words, b_words)"),
    ("np.bitwise_xor(block", "np.bitwise_or(block"),
    ("-(-x.shape[1] // WORD)", "x.shape[1] // WORD + 1"),
    ("n * k * k - 2 * differ", "n * k * k - differ"),
    ("    if p:\n", "    if p > 1:\n"),
    ("outside[p:p + height, p:p + width] = 0", "outside[:] = 0"),
    ("((1, 2), (2, 3))", "((2, 1), (2, 3))"),
    ("transpose(0, 4, 5, 1, 2, 3)", "transpose(0, 5, 4, 1, 2, 3)"),
    ("return _differing(b, a).T", "return _differing(b, a)"),
    ('bitorder="little"', 'bitorder="big"'),
])
def test_a_planted_bug_is_caught(old, new):
    mutant = SimpleNamespace(**vars(mutate(xnor, old, new)))
    with pytest.raises((AssertionError, ValueError, IndexError)):
        all_laws(mutant)
