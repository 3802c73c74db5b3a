"""What must hold of one-dimensional k-means (QU-11, QU-12): each law takes the implementation, a module or the like."""

import itertools
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress import clustering
from minicompress.equations.quantization import clustering as pages
from minicompress.equations.quantization import partitions as literal
from tests.laws.holding import hold
from tests.mutants import mutate

DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
SEEDS = st.integers(0, 2**32 - 1)
# Steps of a coarse grid (many ties and equal values), and numbers that differ by powers (many scales at once).
GRID = st.integers(-8, 8).map(float)
SCALES = st.builds(lambda sign, power, digits: sign * 10.0**power * digits, st.sampled_from([-1, 1]),
                   st.integers(-30, 30), st.integers(1, 9))


def weights(dtype, elements, most=10):
    return hnp.arrays(dtype, st.integers(1, most), elements=elements)


NUMBERS = DTYPES.flatmap(lambda t: weights(t, GRID | st.floats(-100, 100, width=16), 40))
FEW = weights(np.float64, GRID) | weights(np.float64, SCALES)


def normal(seed, n=300):
    return np.random.default_rng(seed).standard_normal(n)


def error(w, result):
    """The squared error of (centroids, codes), in exact arithmetic rounded once."""
    centroids, codes = result
    pairs = zip(w.ravel().tolist(), centroids[codes].ravel().tolist(), strict=True)
    return float(sum((Fraction(a) - Fraction(b)) ** 2 for a, b in pairs))


def partition_error(w, codes):
    """The error of the partition with its exact means: what `optimal` minimises, before centroids are rounded."""
    return float(literal.partition_error([Fraction(a) for a in w.tolist()], codes.tolist()))


def both(implementation):
    return [implementation.kmeans, implementation.optimal]


# ---------------------------------------------------------------------------------------------------------------------
# Laws


def law_centroids_ascend_and_every_one_is_used(implementation, w, k):
    for cluster in both(implementation):
        centroids, codes = cluster(w, k)
        assert codes.shape == w.shape and codes.dtype == (np.uint8 if k <= 256 else np.uint16)
        assert centroids.dtype == w.dtype and centroids.ndim == 1 and 1 <= len(centroids) <= k
        assert (np.diff(centroids.astype(np.float64)) > 0).all()
        assert np.array_equal(np.unique(codes), np.arange(len(centroids)))


def law_no_single_code_step_lowers_the_error(implementation, w, k):
    """Exactly, for the centroids as returned; and of two nearest ones the lower."""
    for cluster in both(implementation):
        centroids, codes = cluster(w, k)
        assert codes.tolist() == pages.assign([Fraction(a) for a in w.tolist()],
                                                [Fraction(a) for a in centroids.tolist()])


def law_moving_a_centroid_does_not_lower_the_error(implementation, w, k):
    """Each centroid is its cluster's mean, to a rounding for each number summed."""
    for cluster in both(implementation):
        centroids, codes = cluster(w, k)
        for c, centroid in enumerate(centroids.tolist()):
            members = [Fraction(a) for a in w[codes == c].tolist()]
            assert abs(sum(members) / len(members) - Fraction(centroid)) <= len(members) * np.spacing(np.abs(w).max())


def law_the_error_never_rises(implementation, w, k, start):
    errors = [error(w, implementation.kmeans(w, k, max_iter=t, **start())) for t in range(1, 16)]
    rounding = w.size * np.finfo(np.float64).eps * np.square(w).sum()
    assert all(b <= a + rounding for a, b in itertools.pairwise(errors)), errors


def law_nothing_is_lost_with_enough_clusters(implementation, w, k):
    if k >= len(np.unique(w)):
        for cluster in both(implementation):
            centroids, codes = cluster(w, k)
            assert np.array_equal(centroids[codes], w)


def law_no_cluster_is_wasted(implementation, w, k):
    """As many clusters as asked for, if there are as many distinct values."""
    for cluster in both(implementation):
        assert len(np.unique(cluster(w, k)[1])) == min(k, len(np.unique(w)))


def law_optimal_is_optimal(implementation, w, k):
    """Not above the best of all partitions, in exact arithmetic, however many scales w mixes."""
    best = float(literal.least_interval_error([Fraction(a) for a in w.tolist()], k))
    assert partition_error(w, implementation.optimal(w, k)[1]) <= best * (1 + 1e-12)


def law_optimal_is_the_layered_programmes(implementation, w, k):
    best = literal.layered_error(w.tolist(), k)
    found = partition_error(w, implementation.optimal(w, k)[1])
    assert found == pytest.approx(best, rel=1e-9, abs=1e-13 * np.square(w).sum())


def law_optimal_is_not_above_lloyds(implementation, w, k, start):
    best = error(w, implementation.optimal(w, k))
    assert best <= error(w, implementation.kmeans(w, k, **start())) * (1 + 1e-12)


def law_starts_are_as_printed(implementation, w, k):
    values = w.tolist()
    for init, centroids in (("linear", literal.linear_centroids(values, k)),
                            ("density", literal.density_centroids(values, k))):
        named = implementation.kmeans(w, k, init=init, max_iter=1)
        given_start = implementation.kmeans(w, k, init=centroids, max_iter=1)
        np.testing.assert_allclose(named[0], given_start[0], rtol=1e-12, atol=1e-14)
        assert np.array_equal(named[1], given_start[1])


def law_forgy_draws_without_replacement(implementation, w, seed):
    """All n of n distinct numbers, so that one iteration loses nothing; and the same seed gives the same bits."""
    def draw(k):
        return implementation.kmeans(w, k, init="forgy", rng=np.random.default_rng(seed), max_iter=1)

    centroids, codes = draw(w.size)
    assert np.array_equal(centroids[codes], w)
    few = draw(3)
    assert few[0].tobytes() == draw(3)[0].tobytes() and few[1].tobytes() == draw(3)[1].tobytes()


def law_only_values_and_their_counts_matter(implementation, w, k, seed):
    """Order and shape do not; a power of two scales the centroids exactly."""
    order = np.random.default_rng(seed).permutation(w.size)
    for cluster in both(implementation):
        centroids, codes = cluster(w, k)
        shuffled, shuffled_codes = cluster(w[order].reshape(1, -1), k)
        assert shuffled.tobytes() == centroids.tobytes() and np.array_equal(shuffled_codes[0], codes[order])
        scaled, scaled_codes = cluster(w * 2.0**-9, k)
        assert np.array_equal(scaled, centroids * 2.0**-9) and np.array_equal(scaled_codes, codes)


def law_equal_numbers_count_each(implementation, w, k, times):
    """Repeating every number keeps the optimum, in exact arithmetic `times` the error."""
    again = np.repeat(w, times)
    assert partition_error(again, implementation.optimal(again, k)[1]) == pytest.approx(
        partition_error(w, implementation.optimal(w, k)[1]) * times, rel=1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# The implementation keeps them


@given(NUMBERS, st.integers(1, 12))
def test_laws_of_codes_and_centroids(w, k):
    law_centroids_ascend_and_every_one_is_used(clustering, w, k)
    law_no_single_code_step_lowers_the_error(clustering, w, k)


@given(weights(np.float64, SCALES), st.integers(1, 12))
def test_codes_are_exact_over_many_scales(w, k):
    law_no_single_code_step_lowers_the_error(clustering, w, k)


@given(DTYPES, SEEDS, st.integers(1, 20))
def test_centroids_are_means(dtype, seed, k):
    law_moving_a_centroid_does_not_lower_the_error(clustering, normal(seed, 60).astype(dtype).astype(np.float64), k)


@given(SEEDS, st.integers(1, 6), st.integers(1, 12))
def test_kmeans_is_lloyds(seed, k, iterations):
    """Both sides keep no cluster empty where the literal loops don't: the start is k of 60 numbers."""
    w = normal(seed, 60)
    hold("QU-11:lloyd", w, np.sort(w[:k]), iterations)


@given(st.builds(normal, SEEDS, st.just(50)) | weights(np.float64, GRID, 40), st.integers(1, 20), SEEDS)
def test_the_error_never_rises(w, k, seed):
    for init in ("linear", "density", [0.0, 1e-3, 100.0][:k]):
        law_the_error_never_rises(clustering, w, k, start=lambda: {"init": init})  # noqa: B023 - called at once
    law_the_error_never_rises(clustering, w, k, start=lambda: {"init": "forgy", "rng": np.random.default_rng(seed)})


@given(NUMBERS, st.integers(1, 50))
def test_nothing_is_lost_with_enough_clusters(w, k):
    law_nothing_is_lost_with_enough_clusters(clustering, w, k)


@given(st.builds(normal, SEEDS, st.integers(1, 40)) | weights(np.float64, GRID, 40), st.integers(1, 45))
def test_no_cluster_is_wasted(w, k):
    law_no_cluster_is_wasted(clustering, w, k)


@given(FEW, st.integers(1, 11))
def test_optimal_is_optimal(w, k):
    law_optimal_is_optimal(clustering, w, k)


# Evenly spaced values and nested gaps: several numbers of clusters are optimal at one price, and paths are spliced.
EVEN = np.arange(45.0)
CANTOR = np.array([sum(2 * (i >> b & 1) / 3 ** (6 - b) for b in range(6)) for i in range(64)])


@given(st.sampled_from([EVEN, CANTOR, normal(0, 60) ** 3, np.round(normal(1, 90) * 4), np.exp(8 * normal(2, 40))]),
       st.integers(1, 40))
def test_optimal_is_the_layered_programmes(w, k):
    law_optimal_is_the_layered_programmes(clustering, w, k)


@given(SEEDS, st.integers(1, 40), st.sampled_from(["linear", "density", "forgy"]))
def test_optimal_is_not_above_lloyds(seed, k, init):
    rng = np.random.default_rng(seed)
    law_optimal_is_not_above_lloyds(clustering, normal(seed, 150), k, start=lambda: {"init": init, "rng": rng})


@given(SEEDS, st.integers(1, 12))
def test_starts_are_as_printed(seed, k):
    law_starts_are_as_printed(clustering, normal(seed, 31), k)


@given(SEEDS)
def test_forgy_draws_without_replacement(seed):
    law_forgy_draws_without_replacement(clustering, normal(seed, 20), seed)


@given(NUMBERS, st.integers(1, 12), SEEDS)
def test_only_values_and_their_counts_matter(w, k, seed):
    law_only_values_and_their_counts_matter(clustering, w.astype(np.float64), k, seed)


@given(weights(np.float64, GRID, 20), st.integers(1, 6), st.integers(2, 5))
def test_equal_numbers_count_each(w, k, times):
    law_equal_numbers_count_each(clustering, w, k, times)


CODES = hnp.arrays(np.uint8, (4, 5), elements=st.integers(0, 5))
GRADIENTS = hnp.arrays(np.float64, (4, 5), elements=st.integers(-9, 9).map(float))


@given(GRADIENTS, CODES)
def test_centroid_gradient(gradient, codes):
    hold("QU-12", gradient, codes.astype(int), 7)


@given(weights(np.float64, GRID, 7), st.integers(1, 4))
def test_the_ledgers_properties(w, k):
    hold("QU-11", w, k)


@given(weights(np.float64, GRID, 6), st.integers(1, 3))
def test_the_best_clusters_are_intervals(w, k):
    """Why sorting is enough: the literal minimum over all codes is the one over intervals, and over layers."""
    values = [Fraction(a) for a in w.tolist()]
    assert literal.least_error(values, k) == literal.least_interval_error(values, k) == literal.layered_error(values, k)


# ---------------------------------------------------------------------------------------------------------------------
# The traps: what the laws must not let through

LINES = np.array([0.0, 1.0, 10.0])


def textbook_kmeans(w, k):
    centroids, codes = pages.lloyd(w.tolist(), literal.linear_centroids(w.tolist(), k), 20)
    return np.array(centroids), np.array(codes, np.uint8)


def test_textbook_lloyd_is_not_lossless_with_enough_clusters():
    """(0, 1, 10) from (0, 5, 10): the middle cluster stays empty. The optimum loses nothing, nor does re-seeding."""
    textbook = SimpleNamespace(kmeans=textbook_kmeans, optimal=clustering.optimal)
    assert error(LINES, textbook.kmeans(LINES, 3)) == 0.5
    for law in (law_nothing_is_lost_with_enough_clusters, law_no_cluster_is_wasted):
        law(clustering, LINES, 3)
        with pytest.raises(AssertionError):
            law(textbook, LINES, 3)


def test_lloyd_is_not_optimal():
    lloyd_only = SimpleNamespace(kmeans=clustering.kmeans, optimal=clustering.kmeans)
    with pytest.raises(AssertionError):
        law_optimal_is_optimal(lloyd_only, np.array([0.0, 4.0, 6.0, 8.0, 10.0, 11.0]), 3)


def prefix_sum_optimum(w, k):
    """The layered programme with interval errors from plain prefix sums, Σx² - (Σx)²/m, as one finds it everywhere."""
    x, (i, j) = np.sort(w), np.triu_indices(w.size + 1, 1)
    s1, s2 = np.append(0, np.cumsum(x)), np.append(0, np.cumsum(x * x))
    cost = np.full((w.size + 1, w.size + 1), np.inf)
    cost[i, j] = s2[j] - s2[i] - (s1[j] - s1[i]) ** 2 / (j - i)
    layers, end = [cost[0]], w.size
    for _ in range(k - 1):
        layers.append(np.min(layers[-1][:, None] + cost, axis=0))
    codes = np.zeros(w.size, np.uint8)
    for layer in reversed(layers[:-1]):
        end = int(np.argmin(layer + cost[:, end]))
        codes += w >= x[end]
    return np.array([w[codes == c].mean() for c in range(k)]), codes


def test_plain_prefix_sums_cancel():
    """Small clusters far from 0: their errors drown in the rounding of the sums, and the wrong partition wins."""
    prefix_sums = SimpleNamespace(optimal=prefix_sum_optimum)
    law_optimal_is_optimal(prefix_sums, normal(0, 10), 3)
    far = np.array([0.0, 0.25, *(1000 + np.array([0.0, 1e-6, 3e-6, 7e-6, 9e-6]))])
    law_optimal_is_optimal(clustering, far, 4)
    with pytest.raises(AssertionError):
        law_optimal_is_optimal(prefix_sums, far, 4)


def test_pruned_zeros_take_centroids_from_the_survivors():
    w = normal(3, 200)
    w[np.abs(w) < 1.0] = 0.0
    alive = w != 0
    everything, survivors = clustering.optimal(w, 4), clustering.optimal(w[alive], 4)
    assert error(w[alive], survivors) < 0.6 * error(w[alive], (everything[0], everything[1][alive]))


def ulps_around_one():
    """1 and 1 + 3 steps a hundred times, 1 + 2 steps once: halfway is 1 + 1.5 steps, which float64 cannot write."""
    step = np.finfo(np.float64).eps
    return np.repeat([1.0, 1.0 + 2 * step, 1.0 + 3 * step], [100, 1, 100])


def on(law, *cases):
    """The law on fixed cases, as a function of the implementation."""
    def check(implementation):
        for case in cases:
            law(implementation, *case)
    return check


FLOAT16 = np.array([2052, 2056, 2060, 2076, 2090, 2094, 2096, 2100, 2100], np.float16)  # steps of 2

EXACT = on(law_optimal_is_optimal, *[(np.round(normal(seed, 9) * 3), k) for seed in range(12) for k in (2, 3)])
LAYERED = on(law_optimal_is_the_layered_programmes,
             *[(w, k) for w in (normal(5, 90), EVEN, CANTOR) for k in (5, 11, 20, 30)])
NEAREST = on(law_no_single_code_step_lowers_the_error,
             (np.array([0.0, 0.0, 3.0, 4.0, 5.0, 6.0]), 2), (ulps_around_one(), 2), (FLOAT16, 4))
STARTS = on(law_starts_are_as_printed, (normal(1, 31), 4))
LOSSLESS = on(law_nothing_is_lost_with_enough_clusters, (LINES, 3), (np.array([0.1] * 3 + [0.7]), 2))
MEANS = on(law_moving_a_centroid_does_not_lower_the_error, (normal(2, 60) + 1e6, 5))
USED = on(law_centroids_ascend_and_every_one_is_used, (normal(2, 60).astype(np.float32), 5), (normal(2, 600), 256),
          (normal(2, 600), 257))
RISING = on(law_the_error_never_rises, (normal(0, 50) ** 3, 9, dict))
FORGY = on(law_forgy_draws_without_replacement, (normal(2, 20), 1))

MUTANTS = [
    (NEAREST, 'w.astype(np.float64), side="left")', 'w.astype(np.float64), side="right")'),
    (NEAREST, "np.where(error < 0,", "np.where(error < -1,"),
    (NEAREST, "_boundaries(centroids), w", "_boundaries(np.ldexp(mean, exponent)), w"),
    (MEANS, "middle = x[len(x) // 2]  #", "middle, x = 0.0, x - x[0]  #"),
    (USED, "np.uint8 if k <= 256", "np.uint8 if k < 256"),
    (USED, "np.uint8 if k <= 256", "np.uint8 if k <= 257"),
    (STARTS, "np.arange(k) + 0.5)", "np.arange(k) + 0.0)"),
    (STARTS, "high / 2, k, dtype=np.float64)", "high / 2, k + 1, dtype=np.float64)[:-1]"),
    (FORGY, "replace=False", "replace=True"),
    (LOSSLESS, "moved = _reseed(x, count, edges, moved)", "pass"),
    (RISING, "centroids[target] =", "centroids[c] ="),
    (EXACT, "count.astype(np.float64), exponent", "np.ones(len(x)), exponent"),
    (EXACT, "value <= F[done] + price", "value <= F[done] + 3 * price"),
    (EXACT, "if links == k or (", "if links >= 1 or ("),
    (LAYERED, "value <= F[done] + price", "value <= F[done] + 3 * price"),
    (LAYERED, "best[0], best[rows + 1] = low, high", "best[0], best[rows + 1] = low + 1, high"),
    (LAYERED, "many[ahead + 1:ahead + len(few)]", "many[ahead:ahead + len(few) - 1]"),
    (LAYERED, "(1 - 1e-12) * total(few", "(1 - 1e-1) * total(few"),
    (LAYERED, "np.cumsum(moment[:, 1, :-1]", "np.cumsum(moment[:, 1, 1:]"),
]


@pytest.mark.parametrize(("law", "old", "new"), MUTANTS, ids=lambda part: part if isinstance(part, str) else "")
def test_planted_mutants_are_caught(law, old, new):
    law(clustering)
    with pytest.raises((AssertionError, IndexError, ValueError, RuntimeWarning)):
        law(mutate(clustering, old, new))
