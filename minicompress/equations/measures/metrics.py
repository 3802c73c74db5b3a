"""Measures of classification (ME-1)."""

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import close, hold

MANNING_2008 = Paper("manning2008introduction", ("Manning, Christopher D.", "Raghavan, Prabhakar", "Schütze, Hinrich"),
                     "Introduction to Information Retrieval", 2008, "Cambridge University Press")
MOST_CLASSES = 6


def answers(rng, size):
    """Predictions and labels of 1 to 6 classes, of 3 or more the last never seen; also one example, and all right."""
    classes = one_of(rng, int(rng.integers(3, MOST_CLASSES + 1)), int(rng.integers(1, MOST_CLASSES + 1)))
    seen, n = classes - (classes > 2), one_of(rng, size + 1, size + 1, 1)
    predictions, labels = rng.integers(0, seen, (2, n))
    predictions = one_of(rng, *[predictions] * 5, labels.copy(), np.full_like(labels, predictions[0]))
    return predictions, one_of(rng, *[labels] * 5, np.full_like(labels, labels[0])), classes


def is_a_share(f, *inputs):
    for part in f(*inputs) if len(f.results) > 1 else [f(*inputs)]:
        hold((part >= 0) & (part <= 1), f"{part.tolist()} is outside 0 to 1")


def _measured(pick):
    def adapt(measures):
        return lambda predictions, labels, classes: pick(measures(predictions, labels, classes))
    return adapt


_KNOWN = (np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), 2)
_ONE_CLASS = (np.array([0, 0]), np.array([0, 0]), 1)

# ---------------------------------------------------------------------------------------------------------------------
# ME-1


def precision_recall_f1(predictions, labels, c):
    """(ME-1) Of class c: TP/(TP + FP), TP/(TP + FN), and their harmonic mean 2PR/(P + R); 0/0 is defined as 0.

    >>> precision_recall_f1([0, 1, 1, 1], [0, 0, 1, 1], 0)
    (1.0, 0.5, 0.6666666666666666)
    """
    true_positive = false_positive = false_negative = 0
    for predicted, true in zip(predictions, labels, strict=True):
        if predicted == c and true == c:
            true_positive += 1
        elif predicted == c:
            false_positive += 1
        elif true == c:
            false_negative += 1
    precision = true_positive / (true_positive + false_positive) if true_positive else 0.0
    recall = true_positive / (true_positive + false_negative) if true_positive else 0.0
    f1 = 2 * precision * recall / (precision + recall) if true_positive else 0.0
    return precision, recall, f1


@page("ME-1", cite=MANNING_2008("section 8.3"),
      latex=r"P = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FP}},\quad "
            r"R = \frac{\mathrm{TP}}{\mathrm{TP} + \mathrm{FN}},\quad "
            r"F_1 = \frac{2PR}{P + R} \text{ of each class},\quad 0/0 = 0",
      implementation="minicompress.training.metrics.measures", inputs=answers, cases=(_KNOWN, _ONE_CLASS),
      adapt=_measured(lambda found: (found.precision, found.recall, found.f1)))
def per_class(predictions, labels, classes):
    """precision, recall and F1 of each class

    P = TP/(TP + FP),   R = TP/(TP + FN),   F1 = 2·P·R/(P + R)   of each class,   0/0 = 0

    predictions : predicted classes from 0, (N,)
    labels : true classes, (N,)
    classes : number of classes, seen or not
    precision : P, (classes,)
    recall : R, (classes,)
    f1 : F1, (classes,)

    TP : true positives, examples of the class predicted as it
    FP : false positives, predicted as the class, but of another
    FN : false negatives, of the class, but predicted as another

    >>> per_class([0, 1, 1, 1], [0, 0, 1, 1], 3)
    ((1.0, 0.6666666666666666, 0.0), (0.5, 1.0, 0.0), (0.6666666666666666, 0.8, 0.0))
    """
    return tuple(zip(*(precision_recall_f1(predictions, labels, c) for c in range(classes)), strict=True))


per_class.must("are fractions from 0 to 1", is_a_share)


@per_class.must("F1 is the harmonic mean")
def _harmonic(f, predictions, labels, classes):
    precision, recall, f1 = f(predictions, labels, classes)
    close(f, f1 * (precision + recall), 2 * precision * recall, "f1 is not the harmonic mean of precision and recall",
          16, 1.0)


@per_class.must("exchanging truth and prediction exchanges them")
def _exchange(f, predictions, labels, classes):
    precision, recall, _ = f(predictions, labels, classes)
    turned = f(labels, predictions, classes)
    close(f, turned[0], recall, "with labels and predictions exchanged, precision becomes recall", 4, 1.0)
    close(f, turned[1], precision, "with labels and predictions exchanged, recall becomes precision", 4, 1.0)


def _exchanged(predictions, labels, classes):
    return per_class.reference(labels, predictions, classes)


def _arithmetic(predictions, labels, classes):
    precision, recall, _ = per_class.reference(predictions, labels, classes)
    return precision, recall, np.add(precision, recall) / 2


def _one_for_zero(p, y, k):
    classes = np.arange(k)
    seen = (np.isin(classes, p), np.isin(classes, y), np.isin(classes, np.append(p, y)))
    return tuple(np.where(there, part, 1.0) for there, part in zip(seen, per_class.reference(p, y, k), strict=True))


def _nan_for_zero(p, y, k):
    there = np.bincount(np.append(p, y), minlength=k) > 0
    return tuple(np.where(there, part, np.nan) for part in per_class.reference(p, y, k))


def _with_true_negatives(p, y, k):
    return np.array([np.mean((p == c) == (y == c)) for c in range(k)]), *per_class.reference(p, y, k)[1:]


def _micro(p, y, k):
    return (np.full(k, np.mean(p == y)),) * 3


per_class.must_agree(8, lambda *_: 1.0)
per_class.trap("exchanged", "precision and recall have changed places.", _exchanged, seen=True)
per_class.trap("arithmetic mean", "this F1 is the arithmetic mean: it is the harmonic one.", _arithmetic)
per_class.trap("0/0 is 1", "a class never predicted, or never seen, has 0/0, which is defined as 0 here.",
               _one_for_zero)
per_class.trap("percent", "these are percentages: shares are fractions here.",
               lambda p, y, k: tuple(100.0 * np.array(part) for part in per_class.reference(p, y, k)))
per_class.trap("0/0 is NaN", "0/0 is left as NaN: it is defined as 0.", _nan_for_zero, seen=True)
per_class.trap("accuracy of the class", "this precision counts true negatives too: it is the class's accuracy.",
               _with_true_negatives)
per_class.trap("of all classes", "these are the measures of all classes together, which are the accuracy.", _micro)

# ---------------------------------------------------------------------------------------------------------------------
# ME-1:accuracy


@page("ME-1:accuracy", cite=MANNING_2008("section 8.3"), latex=r"A = \frac{1}{N} \sum_n \mathbf{1}[\hat y_n = y_n]",
      implementation="minicompress.training.metrics.measures", inputs=lambda rng, size: answers(rng, size)[:2],
      adapt=lambda measures: lambda predictions, labels: measures(predictions, labels, MOST_CLASSES).accuracy,
      cases=(_KNOWN[:2], _ONE_CLASS[:2]))
def accuracy(predictions, labels):
    """accuracy

    A = (1/N) Σ_n 1[ŷ_n = y_n]

    predictions : ŷ, predicted classes from 0, (N,)
    labels : y, true classes, (N,)
    accuracy : A, the share of right predictions, a fraction

    N : how many examples there are

    >>> accuracy([0, 1, 1, 1], [0, 0, 1, 1])
    0.75
    """
    right = 0
    for predicted, true in zip(predictions, labels, strict=True):
        if predicted == true:
            right += 1
    return right / len(labels)


accuracy.must("is a fraction from 0 to 1", is_a_share)


@accuracy.must("all right is 1")
def _right_is_perfect(f, predictions, labels):
    hold(f(labels, labels) == 1, "predictions that are all right have accuracy 1")


@accuracy.must("names of classes don't matter")
def _names_do_not_matter(f, predictions, labels):
    turned = MOST_CLASSES - 1 - predictions, MOST_CLASSES - 1 - labels
    hold(f(*turned) == f(predictions, labels), "classes may be numbered otherwise")


accuracy.must_agree(4)
accuracy.trap("error", "this is the error, the share of wrong predictions.", lambda p, y: np.mean(p != y))
accuracy.trap("percent", "this is a percentage: shares are fractions here.", lambda p, y: 100.0 * np.mean(p == y))
accuracy.trap("of one class", "this looks at class 1 alone.", lambda p, y: np.mean((p == 1) == (y == 1)))
accuracy.trap("product", "this is 1 where classes agree and are not 0.", lambda p, y: np.mean((p == y) & (y > 0)))
accuracy.trap("count", "this is the number of right predictions: it is divided by how many there are.",
              lambda p, y: np.sum(p == y))
accuracy.trap("mean of the classes", "this is the mean of the classes' own shares: every example counts alike.",
              lambda p, y: np.mean([np.mean(p[y == c] == c) for c in np.unique(y)]))

# ---------------------------------------------------------------------------------------------------------------------
# ME-1:confusion


@page("ME-1:confusion", cite=MANNING_2008("section 14.5"), latex=r"M_{cd} = \#\{n : y_n = c,\; \hat y_n = d\}",
      implementation="minicompress.training.metrics.measures", adapt=_measured(lambda found: found.confusion),
      inputs=answers, cases=(_KNOWN, _ONE_CLASS))
def confusion(predictions, labels, classes):
    """confusion matrix

    M_cd = #{n : y_n = c, ŷ_n = d}

    predictions : ŷ, predicted classes from 0, (N,)
    labels : y, true classes, (N,)
    classes : number of classes, seen or not
    table : M, (classes, classes): how many examples of each true class, a row, were predicted as each, a column

    n : which example
    c : true class
    d : predicted class

    >>> confusion([0, 1, 1], [0, 0, 1], 2)
    [[1, 1], [0, 1]]
    """
    table = [[0] * classes for _ in range(classes)]
    for predicted, true in zip(predictions, labels, strict=True):
        table[true][predicted] += 1
    return table


@confusion.must("every example counts once")
def _counts_all(f, predictions, labels, classes):
    hold(f(predictions, labels, classes).sum() == len(labels), "every example counts once")


@confusion.must("rows are the true classes")
def _rows_are_true(f, predictions, labels, classes):
    hold(f(predictions, labels, classes).sum(axis=1) == np.bincount(labels, minlength=classes),
         "row c sums to the examples whose true class is c")


def _table(p, y, k):
    return np.array(confusion.reference(p, y, k))


def _shares(p, y, k):
    return np.nan_to_num(_table(p, y, k) / np.bincount(y, minlength=k)[:, None])


confusion.must_agree(0)
confusion.trap("transposed", "rows and columns have changed places: a row is a true class.",
               lambda p, y, k: _table(y, p, k), seen=True)
confusion.trap("last wins", "equal pairs count once: `table[labels, predictions] += 1` does not add up.",
               lambda p, y, k: (_table(p, y, k) > 0).astype(int))
confusion.trap("shares", "these are shares of each class: asked for are counts.", _shares)
confusion.trap("right ones alone", "only right predictions are counted: wrong ones stand beside the diagonal.",
               lambda p, y, k: np.diag(np.diag(_table(p, y, k))))

# ---------------------------------------------------------------------------------------------------------------------
# ME-1:macro-f1


@page("ME-1:macro-f1", cite=MANNING_2008("sections 8.3 and 13.6"), latex=r"\bar F = \frac{1}{K} \sum_c F_{1,c}",
      implementation="minicompress.training.metrics.measures",
      adapt=_measured(lambda found: found.macro_f1), inputs=answers, cases=(_KNOWN, _ONE_CLASS))
def macro_f1(predictions, labels, classes):
    """macro F1

    F̄ = (1/K) Σ_c F1_c

    predictions : predicted classes from 0, (N,)
    labels : true classes, (N,)
    classes : K, number of classes, seen or not
    f1 : F̄, the mean over all classes of their F1 (ME-1), a number

    c : a class

    >>> macro_f1([0, 1, 1, 1], [0, 0, 1, 1], 2)
    0.7333333333333334
    """
    total = 0.0
    for c in range(classes):
        total += precision_recall_f1(predictions, labels, c)[2]
    return total / classes


macro_f1.must("is a fraction from 0 to 1", is_a_share)


@macro_f1.must("classes never seen count as 0")
def _perfect_of_seen(f, predictions, labels, classes):
    close(f, f(labels, labels, classes), np.unique(labels).size / classes,
          "with all predictions right, each class seen has F1 1, and each other class 0", 8)


def _macro_of_macros(p, y, k):
    precision, recall, _ = (np.mean(part) for part in per_class.reference(p, y, k))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _weighted(p, y, k):
    return np.average(per_class.reference(p, y, k)[2], weights=np.bincount(y, minlength=k))


macro_f1.must_agree(16, lambda *_: 1.0)
macro_f1.trap("harmonic mean of the macros", "this is the harmonic mean of macro precision and macro recall.",
              _macro_of_macros, seen=True)
macro_f1.trap("micro", "this is micro F1, which is the accuracy.", lambda p, y, k: np.mean(p == y))
macro_f1.trap("sum", "this is the sum over the classes, not their mean.",
              lambda p, y, k: k * macro_f1.reference(p, y, k))
macro_f1.trap("seen classes only", "this leaves out classes that do not occur: all count.",
              lambda p, y, k: macro_f1.reference(p, y, k) * k / len(np.unique(np.append(p, y))), seen=True)
macro_f1.trap("weighted", "each class counts by its examples here: all count alike.", _weighted)
