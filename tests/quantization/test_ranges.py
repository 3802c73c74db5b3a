"""Observers say the range that they are defined by, and refuse what has none."""

import numpy as np
import pytest

from minicompress import models
from minicompress.quantization import MinMax, MovingAverage, Percentile, calibrate, prepare

BATCHES = [np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([5.0]), np.array([-1.0, 0.0, 4.0])]


def shown(observer):
    for batch in BATCHES:
        observer.update(batch)
    return observer.range()


def test_min_max_spans_everything():
    assert shown(MinMax()) == (-2.0, 5.0)


def test_a_moving_average_follows_its_recurrence():
    low, high = -2.0, 3.0
    for batch_low, batch_high in ((5.0, 5.0), (-1.0, 4.0)):
        low, high = 0.75 * low + 0.25 * batch_low, 0.75 * high + 0.25 * batch_high
    assert shown(MovingAverage(0.25)) == pytest.approx((low, high))
    assert shown(MovingAverage(1)) == (-1.0, 4.0)


def test_percentiles_are_averaged_over_the_batches():
    expected = np.mean([np.percentile(batch, [10, 90]) for batch in BATCHES], axis=0)
    assert shown(Percentile(90)) == pytest.approx(tuple(expected))
    assert shown(Percentile(100)) == pytest.approx((np.mean([-2, 5, -1]), np.mean([3, 5, 4])))


def test_a_percentile_leaves_an_outlier_out():
    x = np.append(np.linspace(-1, 1, 9999), 1000.0)
    observer = Percentile(99.9)
    observer.update(x)
    assert observer.range()[1] < 1.01


def test_an_observer_in_place_of_what_makes_one_is_refused():
    rng = np.random.default_rng(0)
    prepared = prepare(models.mlp([4, 3, 2], rng=rng))
    with pytest.raises(TypeError, match=r"observer is <.*MinMax.*>, expected a function that makes one"):
        calibrate(prepared, rng.random((5, 4), np.float32), observer=MinMax())


@pytest.mark.parametrize("observer", [MinMax(), MovingAverage(), Percentile()], ids=lambda o: type(o).__name__)
def test_what_has_no_range_is_refused(observer):
    with pytest.raises(ValueError, match=f"{type(observer).__name__} has seen nothing"):
        observer.range()
    for bad in ([], [np.nan, 1.0], [np.inf]):
        with pytest.raises(ValueError, match="expected finite numbers"):
            observer.update(np.array(bad))


@pytest.mark.parametrize("make", [lambda: MovingAverage(0), lambda: MovingAverage(1.5), lambda: Percentile(50),
                                  lambda: Percentile(101)])
def test_options_that_mean_nothing_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()
