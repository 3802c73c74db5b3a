"""Observers: which range of real numbers should the codes cover? Each sees batch after batch, then says."""

import numpy as np

from minicompress import expect


class MinMax:
    """From the least to the largest number seen.

    >>> observer = MinMax()
    >>> observer.update(np.array([1.0, 3.0])); observer.update(np.array([-1.0]))
    >>> observer.range()
    (-1.0, 3.0)
    """

    def __init__(self):
        self.seen = None

    def update(self, x):
        """Look at one batch, an array; ValueError if it is empty or holds what is not finite."""
        low, high = _extremes(x)
        self.seen = (low, high) if self.seen is None else (min(low, self.seen[0]), max(high, self.seen[1]))

    def range(self):
        """(r_min, r_max); ValueError before anything was seen."""
        expect.that(self.seen, f"this {type(self).__name__} has seen nothing yet: calibrate on some data first")
        return self.seen


class MovingAverage(MinMax):
    """An exponential moving average of each batch's least and largest number: range ← (1−m)·range + m·batch.

    momentum: m in (0, 1]. Outliers of single batches count little. Source: Jacob et al. 2018, section 3.1.

    >>> observer = MovingAverage(0.5)
    >>> observer.update(np.array([0.0, 4.0])); observer.update(np.array([0.0, 2.0]))
    >>> observer.range()
    (0.0, 3.0)
    """

    def __init__(self, momentum=0.1):
        super().__init__()
        self.momentum = expect.number("momentum", momentum, above=0, most=1)

    def update(self, x):
        low, high = _extremes(x)
        old, m = self.seen or (low, high), self.momentum
        self.seen = (1 - m) * old[0] + m * low, (1 - m) * old[1] + m * high


class Percentile(MinMax):
    """From the (100−p)-th to the p-th percentile: the mean of the batches' percentiles, each batch counted alike.

    percentile: p in (50, 100]; 100 gives the mean of the batches' extremes.

    >>> observer = Percentile(75)
    >>> observer.update(np.arange(5.0))
    >>> observer.range()
    (1.0, 3.0)
    """

    def __init__(self, percentile=99.99):
        super().__init__()
        self.percentile, self.batches = expect.number("percentile", percentile, above=50, most=100), 0

    def update(self, x):
        _extremes(x)
        new, old = np.percentile(x, (100 - self.percentile, self.percentile)), self.seen or (0.0, 0.0)
        self.batches += 1
        self.seen = tuple(float(a + (b - a) / self.batches) for a, b in zip(old, new, strict=True))


def _extremes(x):
    x = np.asarray(x)
    low, high = (float(f(x)) if x.size else np.nan for f in (np.min, np.max))
    expect.that(np.isfinite(low) and np.isfinite(high), f"an observed array of shape {x.shape} spans {low} to {high}, "
                "expected finite numbers")
    return low, high
