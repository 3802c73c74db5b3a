"""`kmeans` and `optimal` by example; what holds of all inputs stands in tests/laws/test_clustering_laws.py."""

import numpy as np
import pytest

from minicompress import clustering
from minicompress.clustering import kmeans, optimal
from tests.mutants import mutate

BOTH = pytest.mark.parametrize("cluster", [kmeans, optimal])


def error(w, centroids, codes):
    return np.square(w.astype(np.float64) - centroids.astype(np.float64)[codes]).sum()


@BOTH
def test_clusters_that_anyone_would_see(cluster):
    centroids, codes = cluster(np.array([[5.0, 1.0], [1.5, 5.5], [9.0, 0.5]], np.float32), 3)
    assert centroids.tolist() == [1.0, 5.25, 9.0] and centroids.dtype == np.float32
    assert codes.tolist() == [[1, 0], [0, 1], [2, 0]] and codes.dtype == np.uint8


@BOTH
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_one_cluster_is_the_mean(cluster, dtype):
    centroids, codes = cluster(np.array([1, 2, 6], dtype), 1)
    assert centroids.tolist() == [3.0] and centroids.dtype == dtype and codes.tolist() == [0, 0, 0]


@BOTH
def test_all_else_is_taken_as_float64(cluster):
    for w in ([0, 1, 10], np.array([0, 1, 10], np.uint8), np.array([False, True, True])):
        centroids, codes = cluster(w, 2)
        assert centroids.dtype == np.float64 and codes.shape == (3,)


@BOTH
def test_scalars_and_constants(cluster):
    centroids, codes = cluster(np.float32(0.1), 4)
    assert centroids.tolist() == [np.float32(0.1)] and codes.shape == () and codes == 0 and codes.dtype == np.uint8
    centroids, codes = cluster(np.full((2, 3), 0.1), 2)
    assert centroids.tolist() == [0.1] and not codes.any()


@BOTH
def test_numbers_at_the_ends_of_float64(cluster):
    huge = np.array([-1.7e308, -1.6e308, 1.6e308, 1.7e308])
    centroids, codes = cluster(huge, 2)
    np.testing.assert_allclose(centroids, [-1.65e308, 1.65e308])
    assert codes.tolist() == [0, 0, 1, 1]
    centroids, codes = cluster(huge * 1e-308 * 1e-308, 2)  # subnormal
    assert codes.tolist() == [0, 0, 1, 1]


def test_optimal_loses_nothing_of_subnormals_beside_large_numbers():
    w = np.array([0.0, 5e-324, 1e-310, 1.0, 1e308])
    centroids, codes = optimal(w, 5)
    assert np.array_equal(centroids[codes], w)


@BOTH
@pytest.mark.parametrize(("k", "dtype"), [(256, np.uint8), (257, np.uint16), (65536, np.uint16)])
def test_codes_are_as_narrow_as_k_allows(cluster, k, dtype):
    centroids, codes = cluster(np.arange(300.0), k)
    assert codes.dtype == dtype and len(centroids) == min(k, 300)


@pytest.mark.slow
def test_many_clusters_of_many_numbers():
    """k from 2 to n - 1 of the same numbers: the least error falls, and convexly, as the search relies on."""
    w = np.random.default_rng(0).standard_normal(2000)
    errors = np.array([error(w, *optimal(w, k)) for k in (1, 2, 3, 4, 5, 6)])
    assert (np.diff(errors) < 0).all() and (np.diff(errors, 2) > 0).all()
    for k in (100, 1000, 1999):
        centroids, codes = optimal(w, k)
        assert len(centroids) == k and error(w, centroids, codes) < error(w, *kmeans(w, k)) * (1 + 1e-12)


def test_evenly_spaced_numbers_share_out_evenly():
    """Between multiples several numbers of clusters are optimal at one price: the spliced path must have exactly k."""
    w = np.arange(1000.0)
    for k in (7, 10, 64, 300, 499):
        small, more = divmod(1000, k)
        sizes = np.bincount(optimal(w, k)[1])
        assert np.array_equal(np.sort(sizes), np.sort([small] * (k - more) + [small + 1] * more))


def least_error(w, k):
    """The error of the best k intervals of sorted numbers, by the plain layered dynamic programme: O(k·n²)."""
    n, (s1, s2) = len(w), (np.append(0.0, np.cumsum(w ** p)) for p in (1, 2))
    i, j = np.ogrid[:n + 1, :n + 1]
    cost = np.where(i < j, s2[j] - s2[i] - (s1[j] - s1[i]) ** 2 / np.maximum(j - i, 1), np.inf)
    best = cost[0]
    for _ in range(k - 1):
        best = (best[:, None] + cost).min(axis=0)
    return best[n]


def law_tens_of_clusters_are_the_plain_programmes(implementation):
    """With so many numbers the search for a price goes on to small differences; with a few it is over at once."""
    for draw, n, k in (("standard_normal", 800, 40), ("standard_t", 1000, 50), ("random", 1200, 60)):
        w = np.sort(getattr(np.random.default_rng(n), draw)(*[2] * (draw == "standard_t"), n))
        assert error(w, *implementation.optimal(w, k)) == pytest.approx(least_error(w, k), rel=1e-9)


def test_tens_of_clusters_are_the_plain_programmes():
    law_tens_of_clusters_are_the_plain_programmes(clustering)
    with pytest.raises(AssertionError):
        law_tens_of_clusters_are_the_plain_programmes(mutate(clustering, "(1 - 1e-12) * total", "(1 - 1e-3) * total"))


def test_a_number_midway_between_two_centroids_goes_to_the_lower_one():
    centroids, codes = kmeans(np.array([0.0, 1.0, 2.0]), 2)  # starts at 0 and 2
    assert centroids.tolist() == [0.5, 2.0] and codes.tolist() == [0, 0, 1]


def test_starts_differ():
    w = np.random.default_rng(1).standard_normal(500)
    rng = np.random.default_rng(2)
    ends = [kmeans(w, 8, init=init, rng=rng, max_iter=2)[0] for init in ("linear", "density", "forgy", "forgy")]
    assert len({end.tobytes() for end in ends}) == 4


def test_a_start_may_be_given_in_any_order():
    w = np.array([0.0, 1.0, 10.0, 12.0])
    centroids, codes = kmeans(w, 2, init=np.array([12.0, 0.0]))
    assert centroids.tolist() == [0.5, 11.0] and codes.tolist() == [0, 0, 1, 1]


def test_an_empty_cluster_goes_where_the_error_is():
    w = np.concatenate([np.linspace(0.0, 1.0, 100), [1000.0]])
    centroids, _ = kmeans(w, 3)  # starts at 0, 500 and 1000
    np.testing.assert_allclose(centroids, [0.25, 0.75, 1000.0], atol=0.01)


def test_tolerance_stops_earlier():
    w = np.random.default_rng(3).standard_normal(3000)
    rough, fixed = error(w, *kmeans(w, 16, tol=0.01)), error(w, *kmeans(w, 16, max_iter=2000))
    assert fixed < rough
    assert np.array_equal(kmeans(w, 16, max_iter=2000)[0], kmeans(w, 16, max_iter=3000)[0])


@BOTH
@pytest.mark.parametrize(("w", "k", "message"), [
    ([], 2, "empty"), ([1.0, np.nan], 2, "1 NaN or infinite of 2"), ([1.0, np.inf], 2, "NaN or infinite"),
    ([1.0], 0, "k is 0, expected an integer from 1 to 65536"), ([1.0], 65537, "k is 65537"), ([1.0], -1, "k is -1"),
    ([1.0], 2.0, "k is 2.0, expected an integer"), ([1.0], True, "k is True"), ([1.0], None, "k is None"),
    ([1j], 2, "complex128, expected real"), (["a"], 2, "expected real"),
])
def test_bad_input(cluster, w, k, message):
    with pytest.raises((ValueError, TypeError), match=message):
        cluster(w, k)


@pytest.mark.parametrize(("options", "message"), [
    ({"init": "random"}, 'init is \'random\', expected "linear"'), ({"init": "forgy"}, "rng is a NoneType, expected"),
    ({"init": "forgy", "rng": 3}, "rng is an int, expected"),
    ({"init": [1.0, 2.0, 3.0]}, r"shape \(3,\), expected 1 to k = 2"),
    ({"init": [[1.0]]}, r"shape \(1, 1\)"), ({"init": [np.nan]}, "finite"), ({"init": []}, r"shape \(0,\)"),
    ({"max_iter": 0}, "max_iter is 0"), ({"max_iter": 1.5}, "max_iter is 1.5"), ({"tol": -1}, "tol is -1"),
    ({"tol": np.nan}, "tol is nan"),
])
def test_bad_options_of_kmeans(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        kmeans([1.0, 2.0], 2, **options)
