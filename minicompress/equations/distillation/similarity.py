"""Who is like whom in a batch: similarity-preserving distillation (KD-10)."""

import numpy as np

from minicompress.checker.draws import eighths, one_of
from minicompress.checker.page import page, tensor
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

TUNG_2019 = Paper("tung2019similarity", ("Tung, Frederick", "Mori, Greg"),
                  "Similarity-Preserving Knowledge Distillation", 2019, "ICCV", arxiv="1907.09682")

# ---------------------------------------------------------------------------------------------------------------------
# KD-10


def _features(rng, size):
    """Some examples, one among them, of features of two widths, here and there all zero."""
    examples = one_of(rng, size + 1, size + 1, 2, 1)
    s, t = (eighths(rng, (examples, int(rng.integers(1, size + 2)))) for _ in "st")
    s[rng.random(examples) < 0.1] = 0
    return s, t


@page("KD-10", cite=TUNG_2019("section 3"),
      latex=r"L = \frac{1}{b^2} \sum_i \sum_j (G_{ij}(s) - G_{ij}(t))^2,\quad "
            r"G_{ij}(q) = \frac{q_i \cdot q_j}{\sqrt{\sum_k (q_i \cdot q_k)^2}}",
      implementation="minicompress.distillation.similarity_loss", inputs=_features,
      adapt=lambda loss: lambda s, t: loss(tensor(s), t).item(),
      cases=((np.array([[1.0], [1.0]]), np.eye(2)), (np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([[3.0], [1.0]])),
             (np.array([[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]]))))
def similarity(s, t):
    """similarity-preserving distillation

    L = 1/b²·Σ_i Σ_j (G_ij(s) − G_ij(t))²,   G_ij(q) = q_i·q_j / √(Σ_k (q_i·q_k)²)

    s : the student's features of b examples, (b, width)
    t : the teacher's, whose width may be another, (b, width)
    L : the loss, a number

    b : number of examples
    q : features, the student's or the teacher's, (b, width)
    i : an index of each example, an integer
    j : an index of each example, an integer
    k : an index of each example, an integer
    G : similarities of the examples, its rows of length 1; a row of 0 stays 0, by convention of this project, (b, b)

    >>> round(similarity([[1], [1]], [[1, 0], [0, 1]]), 6)
    0.292893
    """
    def similarities(q):
        rows = []
        for q_i in q:
            row = []
            for q_j in q:
                product = 0
                for x, y in zip(q_i, q_j, strict=True):
                    product += x * y
                row.append(product)
            length = sum(x * x for x in row) ** 0.5
            rows.append([x / length if length else x for x in row])
        return rows

    total = 0
    for row_s, row_t in zip(similarities(s), similarities(t), strict=True):
        for x, y in zip(row_s, row_t, strict=True):
            total += (x - y) ** 2
    return total / len(s) ** 2


@similarity.must("is 0 for the same features")
def _same(f, s, t):
    hold(np.abs(f(t, t)) <= 64 * f.eps, "equal features have loss 0")


@similarity.must("is at most 4/b")
def _bound(f, s, t):
    hold((f(s, t) >= 0) & (f(s, t) <= (4 + 64 * f.eps) / len(s)),
         "the loss is a number from 0 to 4/b: two rows of length 1 are at most 2 apart")


@similarity.must("ignores one factor and the order of features")
def _factor(f, s, t):
    close(f, f(-4 * s[:, ::-1], t), f(s, t), "another unit, sign or order of all features must change nothing", 64, 1)
    close(f, f(s, 4 * t), f(s, t), "another unit of the teacher's features must change nothing", 64, 1)


@similarity.must("examples are alike")
def _order(f, s, t):
    close(f, f(s[::-1], t[::-1]), f(s, t), "exchanging examples in both must change nothing", 64, 1)


@similarity.must("a batch twice has half the loss")
def _twice(f, s, t):
    close(f, f(np.concatenate([s, s]), np.concatenate([t, t])), f(s, t) / 2, "each row has twice as many elements, of "
          "squares half as large, in twice as many rows, over 4 times b²", 64, 1)


similarity.must_agree(64, lambda s, t: 1)


def _gram(q):
    return q @ q.T


def _rows(g):
    length = np.linalg.norm(g, axis=1, keepdims=True)
    return g / np.where(length, length, 1)


def _over(g, length):
    return g / np.where(length, length, 1)


def _loss(similarities, mean=lambda d, b: (d**2).sum() / b**2):
    return lambda s, t: mean(similarities(s) - similarities(t), len(s))


similarity.trap("not normalised", "the rows are not divided by their length.", _loss(_gram))
similarity.trap("whole matrix", "this divides by the length of the whole matrix: each row has its own.",
                _loss(lambda q: _over(_gram(q), np.linalg.norm(_gram(q)))))
similarity.trap("student as it is", "only the teacher's rows are divided by their length.", lambda s, t: (
    (_gram(s) - _rows(_gram(t))) ** 2).sum() / len(s) ** 2)
similarity.trap("cosines", "the examples are made as long as 1 first: then only angles count.",
                _loss(lambda q: _rows(_gram(_rows(q)))))
similarity.trap("divided by b", "this divides by b: by b² is asked.", _loss(lambda q: _rows(_gram(q)),
                                                                             lambda d, b: (d**2).sum() / b))
similarity.trap("not squared", "this is the length of the difference: its square is asked.",
                _loss(lambda q: _rows(_gram(q)), lambda d, b: np.linalg.norm(d) / b**2))
similarity.trap("sums of rows", "rows are divided by their sums: by their lengths is asked.",
                _loss(lambda q: _over(_gram(q), np.abs(_gram(q)).sum(axis=1, keepdims=True))))
similarity.trap("no zero", "an example whose features are all 0 gives 0/0.",
                _loss(lambda q: _gram(q) / np.linalg.norm(_gram(q), axis=1, keepdims=True)))
similarity.trap("centred", "the mean of the features is taken off first.",
                _loss(lambda q: _rows(_gram(q - q.mean(axis=0)))))
similarity.trap("first example", "only the first example's similarities are compared.",
                _loss(lambda q: _rows(_gram(q))[:1]))
