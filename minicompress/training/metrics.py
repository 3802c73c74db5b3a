"""Classification measures (ME-1), all read off the confusion matrix."""

from dataclasses import dataclass

import numpy as np

from minicompress import expect


def _ratio(part, whole):
    """part/whole, and 0 where it would be 0/0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) != 0)


@dataclass(frozen=True, eq=False)
class Measures:
    """ME-1 of a set of predictions, from ``confusion``, int64 (true class, predicted class).

    Precision, recall and F1 are per class; 0/0 (a class never predicted, or never seen) is defined as 0. The macro
    measures are plain means over the classes, so macro-F1 is not the harmonic mean of the other two.

    >>> of = Measures(np.array([[3, 1], [0, 4]]))
    >>> of.accuracy, of.recall.tolist()
    (0.875, [0.75, 1.0])
    """

    confusion: np.ndarray

    @property
    def accuracy(self):
        """The share of examples whose prediction is right."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @property
    def error(self):
        """The share of examples whose prediction is wrong."""
        return float((self.confusion.sum() - np.trace(self.confusion)) / self.confusion.sum())

    @property
    def precision(self):
        """Per class: of the examples predicted as it, the share that are it."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=0))

    @property
    def recall(self):
        """Per class: of the examples that are it, the share predicted as it."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    @property
    def f1(self):
        """Per class: 2PR/(P+R), the harmonic mean of precision P and recall R."""
        return _ratio(2 * np.diag(self.confusion), self.confusion.sum(axis=0) + self.confusion.sum(axis=1))

    @property
    def macro_precision(self):
        """The mean precision of the classes."""
        return float(self.precision.mean())

    @property
    def macro_recall(self):
        """The mean recall of the classes."""
        return float(self.recall.mean())

    @property
    def macro_f1(self):
        """The mean F1 of the classes."""
        return float(self.f1.mean())


def measures(predictions, labels, num_classes):
    """The `Measures` of predicted against true classes, integers (N,) in 0 … num_classes − 1 (ME-1).

    Raises ValueError for no examples, other shapes, or classes out of range; TypeError for anything but integers.

    >>> measures(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).confusion
    array([[1, 1],
           [0, 1]])
    """
    predictions, labels = (expect.integral(name, classes, 0, num_classes - 1) for name, classes in (
        ("predictions", predictions), ("labels", labels)))
    fits, shapes = predictions.shape == labels.shape, f"predictions {predictions.shape} and labels {labels.shape}"
    expect.that(fits and predictions.ndim == 1 and len(labels), f"{shapes}: expected the same (N,), N > 0")
    pairs = labels.astype(np.int64) * num_classes + predictions.astype(np.int64)
    return Measures(np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes))
