"""Entries of coding: CSR and the relative index (PR-16, 17), Huffman (QU-14)."""

import math
from itertools import pairwise

import numpy as np

from .. import coding as literal
from ..ledger import Equation, Trap
from ..suite import agrees, close, hold
from .draw import eighths, listed, one_of

HAN = "Han 2016, section 2"

# ---------------------------------------------------------------------------------------------------------------------
# PR-16


def sparse(rng, shape):
    """Eighths, most of them zero."""
    return np.where(rng.random(shape) < 0.4, eighths(rng, shape, 1), 0.0)


def _rows_add_up(f, matrix):
    data, indices, indptr = f(matrix)
    hold(indptr.shape == (len(matrix) + 1,), f"indptr has {indptr.size} numbers, expected one more than rows")
    hold(indptr[0] == 0 and indptr[-1] == data.size == indices.size, "indptr goes from 0 to the number of values")
    hold(np.diff(indptr) == np.count_nonzero(matrix, axis=1), "indptr grows by the number of non-zeros of each row")


def _round_trip(f, matrix):
    data, indices, indptr = f(matrix)
    found = literal.csr_dense(data.tolist(), indices.astype(int).tolist(), indptr.astype(int).tolist(), matrix.shape[1])
    close(f, np.reshape(found, matrix.shape), matrix, "the three arrays do not give the matrix back", 0)


def _counts(matrix):
    """The row pointer without its cumulative sum."""
    data, indices, _ = literal.csr(matrix.tolist())
    return data, indices, np.append(0, np.count_nonzero(matrix, axis=1))


def _csc(matrix):
    return tuple(map(np.array, literal.csr(matrix.T.tolist())))


def _coordinates(matrix):
    rows, columns = np.nonzero(matrix)
    return matrix[rows, columns], columns, rows


CSR = Equation(
    id="PR-16", title="compressed sparse rows", source=HAN,
    latex=r"\text{data}, \text{indices}: a \text{ numbers},\quad \text{indptr}: n + 1",
    formula="row i: data[indptr[i] : indptr[i+1]], in the columns indices[indptr[i] : indptr[i+1]]: 2a + n + 1 numbers",
    arguments={"matrix": "(n, m), mostly zeros"},
    results={"data": "the a non-zeros, row by row, (a,)", "indices": "their columns, (a,)",
             "indptr": "where each row begins, and the end, (n + 1,)"},
    implementation="minicompress.coding.csr.encode", reference=listed(literal.csr),
    inputs=lambda rng, size: (sparse(rng, (1 + int(rng.integers(size)), size)),),
    cases=((np.zeros((2, 3)),), (np.ones((2, 2)),), (np.array([[0.0, 5.0], [0.0, 0.0], [7.0, 8.0]]),)),
    properties={"indptr counts the rows' non-zeros": _rows_add_up, "the matrix comes back": _round_trip,
                "is what the formula gives": agrees(listed(literal.csr), 0)}, fixed_shape=False,
    traps=(Trap("counts", "indptr holds each row's count: its cumulative sum says where rows begin.", _counts),
           Trap("columns", "this goes down the columns: that is CSC, the format of compressed columns.", _csc),
           Trap("coordinates", "the last array holds each value's row: that is the coordinate format.", _coordinates),
           Trap("positive only", "negative numbers are no zeros.",
                lambda m: literal.csr(np.maximum(m, 0).tolist()))))


def _csr_times(data, indices, indptr, x):
    return [sum(data[j] * x[indices[j]] for j in range(indptr[i], indptr[i + 1])) for i in range(len(indptr) - 1)]


def _csr_inputs(rng, size):
    """Eightieths, so that the order of a sum matters, in rows of very different size, so that sums across rows do."""
    matrix = sparse(rng, (1 + int(rng.integers(size)), size)) / 10
    matrix *= rng.choice([1.0, 1.0, 1e8, 1e16], (len(matrix), 1))
    data, indices, indptr = literal.csr(matrix.tolist())
    return (np.array(data, np.float64), np.array(indices, int), np.array(indptr, int), rng.integers(-30, 31, size) / 10)


def _row_by_row(f, y, expected, inputs, message):
    """`hold` that each row's sum is right but for rounding, in whatever order it is summed.

    A row of k products adds k − 1 times, so each product is rounded k times with its own rounding, here and in the
    reference, and twice more in float32, which rounds both factors: by eps/2 of its size each time.
    """
    data, indices, indptr, x = inputs
    sizes = np.array([np.abs(data[a:b] * x[indices[a:b]]).sum() for a, b in pairwise(indptr)])
    hold(np.abs(y - expected) <= (np.diff(indptr) + 2) * f.eps * sizes, message)


def _printed_product(f, *inputs):
    _row_by_row(f, f(*inputs), _csr_times(*inputs), inputs, "y is not what the formula gives")


def _linear_in_x(f, *inputs):
    *matrix, x = inputs
    _row_by_row(f, f(*matrix, 2 * x), 2 * f(*inputs), [*matrix, 2 * x], "twice x must give twice y")


def _empty_rows_are_zero(f, data, indices, indptr, x):
    hold(f(data, indices, indptr, x)[np.diff(indptr) == 0] == 0, "a row without values gives 0")


def _times(csr):
    return lambda data, indices, indptr, x: csr(data, indices, indptr, (len(indptr) - 1, len(x))) @ x


def _reduceat(data, indices, indptr, x):
    products = np.append(data * x[indices], 0.0)
    return np.add.reduceat(products, indptr[:-1])


def _running_sums(data, indices, indptr, x):
    return np.diff(np.append(0.0, np.cumsum(data * x[indices]))[indptr])


CSR_PRODUCT = Equation(
    id="PR-16:product", title="a sparse matrix times a vector", source=HAN,
    latex=r"y_i = \sum_{j = p_i}^{p_{i+1} - 1} \text{data}_j \, x_{\text{indices}_j}",
    formula="y_i = Σ data[j] · x[indices[j]]  over j from indptr[i] to indptr[i+1] − 1",
    arguments={"data": "(a,)", "indices": "(a,)", "indptr": "(n + 1,)", "x": "(m,)"}, results={"y": "(n,)"},
    implementation="minicompress.kernels.csr", reference=listed(_csr_times),
    adapt=lambda csr: _times(csr.CSR), inputs=_csr_inputs,
    cases=((np.array([1e17, 3.0]), np.array([0, 0]), np.array([0, 1, 2]), np.array([1.0])),),
    properties={"rows without values give 0": _empty_rows_are_zero, "is linear in x": _linear_in_x,
                "each row is what the formula gives": _printed_product},
    traps=(Trap("running sums", "a difference of running sums has no digits left for a small row behind a large one: "
                "add up each row apart.", _running_sums),
           Trap("reduceat", "np.add.reduceat gives an empty row its neighbour's first product: leave empty rows out.",
                _reduceat),
           Trap("x in order", "x is read from its beginning: `indices` says which of its numbers belong to the values.",
                lambda data, indices, indptr, x: np.array([
                    data[a:b] @ np.resize(x, b - a) for a, b in pairwise(indptr)])),
           Trap("squared", "x is used twice.", lambda data, indices, indptr, x: np.array([
               data[a:b] @ x[indices[a:b]] ** 2 for a, b in pairwise(indptr)]))))

# ---------------------------------------------------------------------------------------------------------------------
# PR-17


def _gaps_fit(f, values, bits):
    gaps, stored = f(values, bits)
    hold(gaps.shape == stored.shape, "there must be as many gaps as stored values")
    hold((gaps >= 0) & (gaps < 2**bits), f"gaps are {gaps.tolist()}, {bits} bits hold 0 to {2**bits - 1}")


def _values_come_back(f, values, bits):
    gaps, stored = f(values, bits)
    found = literal.relative_index_dense(gaps.astype(int).tolist(), stored.tolist(), values.size)
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


RELATIVE = Equation(
    id="PR-17", title="relative index with fillers", source="Han 2016, figure 2",
    latex=r"\text{gap} \in \{0, \dots, 2^k - 1\},\; \text{a filler zero after } 2^k - 1 \text{ zeros}",
    formula="gap = zeros since the last stored value, in k bits; after 2^k − 1 zeros a further zero is stored,"
            "\na filler; fillers behind the last non-zero are left out",
    arguments={"values": "(n,), mostly zeros", "bits": "k"},
    results={"gaps": "(slots,), 0 to 2^k − 1", "stored": "(slots,), fillers included"},
    implementation="minicompress.coding.relative_index.encode", reference=listed(literal.relative_index),
    inputs=lambda rng, size: (sparse(rng, 3 * size), one_of(rng, 1, 2, 3)), fixed_shape=False,
    cases=((np.array([0, 3, 0, 0, 0, 0, 0, 0, 7.0]), 2), (np.array([0, 0, 0, 0, 7.0]), 2), (np.zeros(9), 2)),
    properties={"gaps fit in k bits": _gaps_fit, "the array comes back": _values_come_back,
                "is what the formula gives": agrees(listed(literal.relative_index), 0)},
    traps=(Trap("no fillers", "gaps grow beyond k bits: a filler zero must be stored where they would.", _no_fillers),
           Trap("positions", "this is the step from one value to the next: asked for is how many zeros are skipped.",
                _positions),
           Trap("filler too early", "this stores a filler after 2^k − 2 zeros: k bits can say 2^k − 1.",
                _too_early),
           Trap("fillers at the end", "fillers behind the last non-zero say nothing: the size is known.",
                lambda values, bits: _relative(values, 2**bits - 1))))

# ---------------------------------------------------------------------------------------------------------------------
# QU-14


def fibonacci(n):
    """The counts whose codes are longest: n − 1 bits."""
    counts = [1, 1]
    while len(counts) < n:
        counts.append(counts[-1] + counts[-2])
    return np.array(counts)


def _counted(rng, size):
    """Counts much alike, or very skewed ones."""
    return one_of(rng, rng.integers(0, 9, size + 1), 2 ** rng.integers(0, 20, size + 1)) + np.eye(
        size + 1, dtype=int)[0]


def _used_have_codes(f, counts):
    hold((f(counts) > 0) == (counts > 0), "symbols that occur have a length, and only they; one alone has 1 bit")


def _kraft(f, counts):
    lengths = f(counts)[counts > 0].astype(np.float64)
    if len(lengths) > 1:
        hold(np.sum(2.0 ** -lengths) == 1, f"Kraft's sum Σ 2^-length is {np.sum(2.0 ** -lengths)}, expected 1")


def _near_entropy(f, counts):
    if np.count_nonzero(counts) > 1:
        mean, entropy = counts @ f(counts) / counts.sum(), literal.entropy(counts.tolist())
        hold(entropy - 1e-9 <= mean < entropy + 1, f"the mean length is {mean:.4g} bits, outside H to H + 1, "
                                                   f"H = {entropy:.4g}")


def _least_mean(f, counts):
    found, best = counts @ f(counts), counts @ np.array(literal.huffman_lengths(counts.tolist()))
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


def _constant_is_nothing(counts):
    return np.array(literal.huffman_lengths(counts.tolist())) * (np.count_nonzero(counts) > 1)


HUFFMAN = Equation(
    id="QU-14", title="Huffman code lengths", source="Huffman 1952",
    latex=r"\min \sum_i n_i \ell_i \;\text{ with }\; \sum_i 2^{-\ell_i} \le 1",
    formula="the two rarest subtrees become one, until one is left; a symbol's length is its depth;"
            "\nH ≤ mean length < H + 1; a symbol that is alone has 1 bit, one that does not occur 0",
    arguments={"counts": "how often each symbol occurs, (symbols,)"},
    results={"lengths": "bits of each code, (symbols,)"},
    implementation="minicompress.coding.huffman.code_lengths",
    adapt=lambda code_lengths: lambda counts: code_lengths(counts, max_bits=255),
    reference=listed(literal.huffman_lengths), inputs=lambda rng, size: (_counted(rng, size),),
    cases=((np.array([3]),), (np.array([0, 7, 0]),), (fibonacci(6),), (np.ones(6, int),), (fibonacci(40),)),
    properties={"symbols that occur have a code": _used_have_codes, "Kraft's sum is 1": _kraft,
                "the mean length is within a bit of the entropy": _near_entropy,
                "no prefix code is shorter": _least_mean},
    traps=(Trap("Shannon", "this is ⌈−log₂ p⌉, Shannon's code: Huffman's is shorter.", _shannon),
           Trap("fixed width", "this is one width for all: frequent symbols deserve shorter codes.", _fixed),
           Trap("unary", "this chain of 1, 2, 3 … bits is the best code for very skewed counts alone.", _unary),
           Trap("at most 16 bits", "codes are cut to 16 bits: very skewed counts need longer ones.",
                lambda counts: np.minimum(literal.huffman_lengths(counts.tolist()), 16)),
           Trap("constant is nothing", "a symbol that is alone gets 0 bits, and nothing can be decoded from nothing.",
                _constant_is_nothing)))


def _prefix_free(f, lengths):
    codes = [code for code in f(lengths).tolist() if code]
    for a in codes:
        hold(sum(b.startswith(a) for b in codes) == 1, f"{a} is the beginning of another code")


def _have_their_lengths(f, lengths):
    hold([len(code) for code in f(lengths).tolist()] == lengths.tolist(), "a code has another length than asked for")


def _canonical_codes(canonical):
    def function(lengths):
        codes = [""] * len(lengths)
        for symbol, code in zip(*canonical(lengths), strict=True):
            codes[symbol] = format(int(code), f"0{lengths[symbol]}b")
        return codes
    return function


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


CANONICAL = Equation(
    id="QU-14:canonical", title="canonical prefix codes", source="Schwartz & Kallick 1964",
    latex=r"\text{code}_{i+1} = (\text{code}_i + 1) \cdot 2^{\ell_{i+1} - \ell_i}",
    formula="codes count up from 0 in order of length, then of symbol: next = (code + 1) << (length − length before)",
    arguments={"lengths": "bits of each code, 0 for none, (symbols,)"},
    results={"codes": "a string of 0 and 1 for each symbol, empty for none, (symbols,)"},
    implementation="minicompress.coding.huffman.canonical", adapt=_canonical_codes,
    reference=listed(literal.canonical_codes),
    inputs=lambda rng, size: (np.array(literal.huffman_lengths(_counted(rng, size).tolist())),),
    cases=((np.array(literal.huffman_lengths(fibonacci(21).tolist())),),),
    properties={"have their lengths": _have_their_lengths, "none begins another": _prefix_free,
                "is what the formula gives": agrees(listed(literal.canonical_codes), 0)},
    traps=(Trap("by symbol", "codes are handed out in the order of symbols: order by length first.", _by_symbol),
           Trap("each length from zero", "each length counts from 0 anew, so short codes begin longer ones.",
                _counted_from_zero),
           Trap("leading zeros lost", "leading zeros are lost: a code of length 3 has three digits, 001.",
                lambda lengths: [code.lstrip("0") for code in literal.canonical_codes(lengths.tolist())])))

ENTRIES = (CSR, CSR_PRODUCT, RELATIVE, HUFFMAN, CANONICAL)
