"""Coding, to the letter: CSR, the relative index, Huffman's tree, and the compression rate, in plain loops."""

import heapq
import math


def csr(matrix):
    """(PR-16) ``(data, indices, indptr)`` of a matrix given as a list of rows: 2a + n + 1 numbers. Han 2016, section 2.

    >>> csr([[0, 5], [0, 0], [7, 8]])
    ([5, 7, 8], [1, 0, 1], [0, 1, 1, 3])
    """
    data, indices, indptr = [], [], [0]
    for row in matrix:
        for column, value in enumerate(row):
            if value != 0:
                data.append(value)
                indices.append(column)
        indptr.append(len(data))
    return data, indices, indptr


def csr_dense(data, indices, indptr, columns):
    """(PR-16) The rows of the matrix that `csr` took apart, as lists.

    >>> csr_dense([5, 7, 8], [1, 0, 1], [0, 1, 1, 3], 2)
    [[0, 5], [0, 0], [7, 8]]
    """
    rows = []
    for i in range(len(indptr) - 1):
        row = [0] * columns
        for j in range(indptr[i], indptr[i + 1]):
            row[indices[j]] = data[j]
        rows.append(row)
    return rows


def relative_index(values, k):
    """(PR-17) ``(gaps, stored)``: zeros before each stored value, in k bits, with filler zeros. Han 2016, figure 2.

    >>> relative_index([0, 3, 0, 0, 0, 0, 0, 0, 7], 2)
    ([1, 3, 2], [3, 0, 7])
    """
    gaps, stored, zeros, pending = [], [], 0, 0
    for value in values:
        if value == 0 and zeros < 2**k - 1:
            zeros += 1
            continue
        gaps.append(zeros)
        stored.append(value)
        zeros = 0
        pending = 0 if value != 0 else pending + 1
    # Fillers after the last non-zero say nothing: the size is known.
    return gaps[:len(gaps) - pending], stored[:len(stored) - pending]


def relative_index_dense(gaps, stored, size):
    """(PR-17) The list of ``size`` values that `relative_index` took apart.

    >>> relative_index_dense([1, 3, 2], [3, 0, 7], 9)
    [0, 3, 0, 0, 0, 0, 0, 0, 7]
    """
    values = []
    for gap, value in zip(gaps, stored, strict=True):
        values += [0] * gap + [value]
    return values + [0] * (size - len(values))


def relative_index_bytes(values, k, value_bits):
    """(PR-17) Bytes of the relative index with k-bit gaps, fillers and values counted.

    >>> relative_index_bytes([0, 3, 0, 0, 0, 0, 0, 0, 7], 2, 6)
    3
    """
    gaps, _ = relative_index(values, k)
    return math.ceil(len(gaps) * (k + value_bits) / 8)


def huffman_lengths(counts):
    """(QU-14) Code length of each symbol by Huffman's tree; a symbol that is alone has 1. Huffman 1952.

    >>> huffman_lengths([5, 2, 1, 1, 0])
    [1, 2, 3, 3, 0]
    """
    heap = [(count, symbol, [symbol]) for symbol, count in enumerate(counts) if count > 0]
    lengths = [0] * len(counts)
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        count_a, tie, leaves_a = heapq.heappop(heap)  # the two rarest subtrees …
        count_b, _, leaves_b = heapq.heappop(heap)
        for symbol in leaves_a + leaves_b:  # … go one level down under a common parent
            lengths[symbol] += 1
        heapq.heappush(heap, (count_a + count_b, tie, leaves_a + leaves_b))
    return lengths


def canonical_codes(lengths):
    """(QU-14) Each symbol's code as a string of 0 and 1, counted up from zero in order of length, then of symbol.

    Schwartz & Kallick 1964.

    >>> canonical_codes([2, 1, 0, 2])
    ['10', '0', '', '11']
    """
    codes, code, before = [""] * len(lengths), 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths) if length > 0):
        code <<= length - before
        codes[symbol] = format(code, f"0{length}b")
        code, before = code + 1, length
    return codes


def entropy(counts):
    """(QU-14) H = -Σ p·log₂ p in bits per symbol, with p = counts / Σ counts.

    >>> entropy([4, 2, 1, 1])
    1.75
    """
    total = sum(counts)
    return -sum(c / total * math.log2(c / total) for c in counts if c > 0)


def compression_rate(n, b, k):
    """(QU-13) r = n·b / (n·log₂ k + k·b) for n weights of b bits that share k centroids. Han 2016, equation 1.

    Indices, code tables and headers are not in it: the bytes of the real file always belong beside it.

    >>> compression_rate(16, 32, 4)
    3.2
    """
    return n * b / (n * math.log2(k) + k * b)


def pruned_compression_rate(n, m, b, k, i):
    """(QU-13) r = n·b / (m·(log₂ k + i) + k·b): m of the n weights are kept, each with i bits to say where. Han 2016.

    >>> pruned_compression_rate(160, 16, 32, 4, 6)
    20.0
    """
    return n * b / (m * (math.log2(k) + i) + k * b)
