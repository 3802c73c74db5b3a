"""Several teachers (KD-5), mixed as probabilities or as logits."""

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page
from minicompress.checker.properties import close

from .softened import HINTON_2015, TEMPERATURES, is_a_distribution, is_finite, logits, softened, softmax


def _teachers(rng, size):
    """Up to three teachers, whose weights are eighths, 0 among them; now and then of one class."""
    teachers, classes = int(rng.integers(1, 4)), one_of(rng, *[size + 1] * 5, 1)
    w = rng.multinomial(8, np.ones(teachers) / teachers)
    return logits(rng, (teachers, classes)), w / 8, one_of(rng, *TEMPERATURES)


def _mixed(combine):
    return lambda soft_targets: lambda v, w, T: soft_targets(
        list(v[:, None]), temperature=T, weights=w, combine=combine)[0]


def _one_teacher(f, v, w, T):
    close(f, f(v[:1], np.ones(1, v.dtype), T), softened.reference(v[0], T), "one teacher is its own softened softmax",
          1024, 1.0)


def _arithmetic(v, w, T):
    return w @ softmax(v / T)


def _geometric(v, w, T):
    return softmax(w @ v / T)


def _enter_common_traps(page):
    page.trap("unweighted", "the weights are not used.", lambda v, w, T: softmax(v / T).mean(axis=0))
    page.trap("sum", "this sums over the teachers without weights.", lambda v, w, T: softmax(v / T).sum(axis=0))
    page.trap("T forgotten", "the temperature is not used.", lambda v, w, T: w @ softmax(v))
    page.trap("first teacher", "this listens to the first teacher alone.", lambda v, w, T: softmax(v[0] / T))
    page.trap("over teachers", "this softens over the teachers: it is each one's classes that sum to 1.",
              lambda v, w, T: w @ softmax(v.T / T).T)


TWO = np.array([[8.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), np.array([0.75, 0.25]), 2.0

# ---------------------------------------------------------------------------------------------------------------------
# KD-5


@page("KD-5", cite=HINTON_2015("section 1 (the arithmetic mean)"), latex=r"p = \sum_k w_k\, \sigma(v_k; T)",
      implementation="minicompress.distillation.teachers.soft_targets", adapt=_mixed("probabilities"), digits=True,
      inputs=_teachers, cases=(TWO,))
def mean_of_probabilities(v, w, T):
    """several teachers, mixed as probabilities

    p = Σ_k w_k·σ(v_k; T)

    v : the teachers' logits of one example, (K, classes)
    w : their weights, none negative, of sum 1, (K,)
    T : temperature, a number above 0
    p : probabilities, (classes,)

    σ : softened softmax (KD-1), probabilities of the classes
    k : teacher, an integer from 1 to K

    >>> mean_of_probabilities([[1.0, 1.0], [2.0, 2.0]], [0.25, 0.75], 3.0)
    [0.5, 0.5]
    """
    p = [0] * len(v[0])
    for v_k, w_k in zip(v, w, strict=True):
        for i, p_i in enumerate(softened(v_k, T)):
            p[i] += w_k * p_i
    return p


mean_of_probabilities.must("is finite for large logits", is_finite)
mean_of_probabilities.must("probabilities sum to 1", is_a_distribution)
mean_of_probabilities.must("one teacher is KD-1", _one_teacher)
mean_of_probabilities.must_agree(1024, lambda *_: 1.0)
mean_of_probabilities.trap("mean logits", "this is the softmax of the mean logits, the other way to mix teachers.",
                           _geometric)
mean_of_probabilities.trap("overflow", "exp overflows: subtract the largest logit first.",
                           lambda v, w, T: w @ (np.exp(v / T) / np.exp(v / T).sum(axis=1, keepdims=True)))
_enter_common_traps(mean_of_probabilities)

# ---------------------------------------------------------------------------------------------------------------------
# KD-5:logits


@page("KD-5:logits", cite=HINTON_2015("section 1 (the geometric mean)"),
      latex=r"p = \sigma\left(\sum_k w_k v_k;\; T\right)",
      implementation="minicompress.distillation.teachers.soft_targets", adapt=_mixed("logits"), digits=True,
      inputs=_teachers, cases=(TWO,))
def mean_of_logits(v, w, T):
    """several teachers, mixed as logits

    p = σ(Σ_k w_k·v_k; T)

    v : the teachers' logits of one example, (K, classes)
    w : their weights, none negative, of sum 1, (K,)
    T : temperature, a number above 0
    p : probabilities, (classes,)

    σ : softened softmax (KD-1), probabilities of the classes
    k : teacher, an integer from 1 to K

    >>> mean_of_logits([[0.0, 2.0], [2.0, 0.0]], [0.5, 0.5], 3.0)
    [0.5, 0.5]
    """
    mean = [0] * len(v[0])
    for v_k, w_k in zip(v, w, strict=True):
        for i, v_i in enumerate(v_k):
            mean[i] += w_k * v_i
    return softened(mean, T)


mean_of_logits.must("is finite for large logits", is_finite)
mean_of_logits.must("probabilities sum to 1", is_a_distribution)
mean_of_logits.must("one teacher is KD-1", _one_teacher)
mean_of_logits.must_agree(4096, lambda *_: 1.0)
mean_of_logits.trap("mean probabilities", "this mixes probabilities, the other way to mix teachers.", _arithmetic)
mean_of_logits.trap("overflow", "exp overflows: subtract the largest logit first.",
                    lambda v, w, T: np.exp(w @ v / T) / np.exp(w @ v / T).sum())
_enter_common_traps(mean_of_logits)
