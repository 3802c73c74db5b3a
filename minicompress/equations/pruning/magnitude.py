"""Pruning by magnitude: sparsity (PR-1), and masks by rank, by threshold and over a whole network (PR-2)."""

import math

import numpy as np

from minicompress.checker.draws import eighths, fraction, one_of, weights
from minicompress.checker.page import page
from minicompress.checker.paper import Convention, Paper
from minicompress.checker.properties import close, hold

from ..quantization.affine import MAI_2022, any_shape
from ..quantization.clustering import shaped
from ..quantization.weights import numbers

HAN_2015 = Paper("han2015learning", ("Han, Song", "Pool, Jeff", "Tran, John", "Dally, William J."),
                 "Learning both Weights and Connections for Efficient Neural Networks", 2015, "NIPS",
                 arxiv="1506.02626")


def _weights(rng, shape):
    """Full of ties and zeros, or eighths; now and then negative alone, or all the same."""
    w = weights(rng, shape)
    return one_of(rng, w, w, w, -np.abs(w), np.full(shape, w.flat[0]))


# ---------------------------------------------------------------------------------------------------------------------
# PR-1

def _weights_or_mask(rng, size):
    x = rng.integers(-1, 2, size)
    return one_of(rng, x * one_of(rng, 1.0, 0.125, 2.0**-40), x * one_of(rng, 1.0, 0.125, 2.0**-40), np.abs(x)),


@page("PR-1", cite=MAI_2022("section 9.3.2"), latex=r"s = \frac1n \sum_i \mathbf{1}[x_i = 0]",
      implementation="minicompress.pruning.sparsity", inputs=_weights_or_mask,
      cases=((np.zeros(1),), (np.array([-2.0, -0.0, 0.0]),)))
def sparsity(x):
    """sparsity

    s = 1/n·Σ_i 1[x_i = 0]

    x : weights, or a mask of integers 0 and 1, (n,); a zero of either sign is one
    s : the share of zeros, a fraction from 0 to 1

    n : how many numbers x has
    1[…] : 1 where it is true, else 0

    >>> sparsity([0, 3, 0, -1])
    0.5
    """
    zeros = 0
    for value in x:
        if value == 0:
            zeros += 1
    return zeros / len(x)


@sparsity.must("is a fraction from 0 to 1")
def _is_a_fraction(f, x):
    hold((f(x) >= 0) & (f(x) <= 1), f"{f(x)} is no fraction from 0 to 1")


@sparsity.must("zeros count and others don't")
def _all_zeros_and_none(f, x):
    hold(f(np.zeros_like(x)) == 1, "an array of zeros has sparsity 1")
    hold(f(np.ones_like(x)) == 0, "an array without a zero has sparsity 0")


@sparsity.must("a product of masks is sparser")
def _products_are_sparser(f, x):
    turned = np.roll(x, 1)
    hold(f(x * turned) >= max(f(x), f(turned)), "the product of two masks is at least as sparse as each")


sparsity.must_agree(2)
sparsity.trap("percent", "this is a percentage: sparsity is a fraction everywhere here.",
              lambda x: 100.0 * np.mean(x == 0))
sparsity.trap("density", "this is the density, the share of numbers that are not zero.", lambda x: np.mean(x != 0))
sparsity.trap("count", "this is the number of zeros, not their share.", lambda x: float(np.sum(x == 0)))
sparsity.trap("nearly zero", "this counts small numbers too: only what is exactly 0 is pruned.",
              lambda x: np.mean(np.abs(x) < 0.01))
sparsity.trap("whole numbers", "this cuts off decimals first: 0.5 is no zero.", lambda x: np.mean(x.astype(int) == 0))
sparsity.trap("negative too", "this counts what is not positive: a negative weight is no zero.",
              lambda x: np.mean(x <= 0))

# ---------------------------------------------------------------------------------------------------------------------
# PR-2


def ranked(w, s, key=np.abs, count=lambda s, n: round(s * n)):
    """The mask by rank with any key and any rounding: what the traps vary."""
    mask = np.ones(w.size, bool)
    mask[np.argsort(key(w.ravel()), kind="stable")[:count(s, w.size)]] = False
    return mask.reshape(w.shape)


BY_INDEX = Convention("round(s·n) weights go, a half rounded to the even number, and of equal magnitudes the earlier")


@page("PR-2", cite=(HAN_2015("section 3"), BY_INDEX),
      latex=r"m_i = \mathbf{1}[\text{rank}_i \ge \text{round}(s \cdot n)],\quad \text{rank}_i = \text{number of } j "
            r"\text{ with } |w_j| < |w_i|, \text{ or } |w_j| = |w_i| \text{ and } j < i",
      implementation="minicompress.pruning.magnitude_mask",
      inputs=lambda rng, size: (_weights(rng, size), fraction(rng)),
      cases=((np.arange(100.0), 0.29), (np.array([0.0, 0.0, 2.0, 1.0]), 0.5), (np.ones(4), 0.5),
             (np.array([-2.0, 1.0]), 0.25), (np.array([3.0]), 0.5)))
def magnitude_mask(w, s):
    """magnitude mask, by rank

    m_i = 1[rank_i ≥ round(s·n)],   rank_i = number of j with |w_j| < |w_i|, or |w_j| = |w_i| and j < i

    w : weights, (n,)
    s : sparsity, a fraction from 0 to 1
    m : mask, (n,), 1 where a weight stays, 0 where it goes: round(s·n) zeros

    n : number of weights, those that are 0 already too
    i, j : places in w, integers from 0
    1[…] : 1 where it is true, else 0
    round : to the nearest whole number, at halves to the even one, as Python's and NumPy's

    >>> magnitude_mask([2, -1, 1, 3], 0.25)
    [1, 0, 1, 1]
    """
    order = sorted(range(len(w)), key=lambda i: (abs(w[i]), i))
    m = [1] * len(w)
    for i in order[:round(s * len(w))]:
        m[i] = 0
    return m


def _is_zero_or_one(f, w, *rest):
    hold(np.isin(f(w, *rest), (0, 1)), "a mask holds 0 and 1 (or False and True) alone")


def _signs_do_not_matter(f, w, *rest):
    hold(f(w, *rest) == f(-w, *rest), "a weight and its negative have one magnitude, so one mask")


magnitude_mask.must("is a mask", _is_zero_or_one)


@magnitude_mask.must("exactly round(s·n) are pruned")
def _count_is_exact(f, w, s):
    zeros = int(np.sum(f(w, s) == 0))
    hold(zeros == round(s * w.size), f"the mask has {zeros} zeros of {w.size}, expected round({s}·{w.size}) = "
                                     f"{round(s * w.size)}")


@magnitude_mask.must("kept magnitudes are the larger ones")
def _kept_are_larger(f, w, s):
    mask = f(w, s) != 0
    if mask.any() and not mask.all():
        hold(np.abs(w[~mask]).max() <= np.abs(w[mask]).min(), "a magnitude that is pruned is above one that is kept")


@magnitude_mask.must("a higher sparsity prunes a superset")
def _higher_prunes_a_superset(f, w, s):
    low, high = f(w, s / 2) != 0, f(w, s) != 0
    hold(~(high & ~low), f"what is pruned at sparsity {s / 2} must be pruned at {s} too")


magnitude_mask.must("signs don't matter", _signs_do_not_matter)
magnitude_mask.must_agree(0, name="ties go by index")


def _survivors_only(w, s):
    mask = w != 0
    mask[mask] = ranked(w[mask], s)
    return mask


def _by_quantile(w, s):
    size, count = np.sort(np.abs(w), axis=None), round(s * w.size)
    return np.abs(w) > (size[count - 1] if count else -1.0)


magnitude_mask.trap(
    "missing abs", "this ranks the weights themselves: abs is missing, so the most negative go first.",
    lambda w, s: ranked(w, s, key=lambda v: v), seen=True)
magnitude_mask.trap("floor", "this rounds s·n down: int(0.29·100) is 28, because 0.29 is no binary fraction.",
                    lambda w, s: ranked(w, s, count=lambda s, n: int(s * n)), seen=True)
magnitude_mask.trap("halves up", "this rounds halves up: round goes to the even number there.",
                    lambda w, s: ranked(w, s, count=lambda s, n: math.floor(s * n + 0.5)))
magnitude_mask.trap("ties together", "this prunes everything up to a threshold, ties included: too many go.",
                    _by_quantile, seen=True)
magnitude_mask.trap("rate on survivors", "this is a rate on the weights that are not zero yet, not on all of them.",
                    _survivors_only, seen=True)
magnitude_mask.trap("inverted", "this is the mask of what is pruned: 1 must mean kept.", lambda w, s: ~ranked(w, s))
magnitude_mask.trap("ties from the end", "of equal magnitudes this prunes the later first.",
                    lambda w, s: ranked(w[::-1], s)[::-1])
magnitude_mask.trap("weights", "these are the pruned weights: asked for is the mask, 0 or 1.",
                    lambda w, s: w * ranked(w, s))
magnitude_mask.trap("percent", "this takes s for a percentage: it is a fraction.",
                    lambda w, s: ranked(w, s, count=lambda s, n: round(s / 100 * n)), seen=True)

# ---------------------------------------------------------------------------------------------------------------------
# PR-2:threshold


@page("PR-2:threshold", cite=HAN_2015("section 3"), latex=r"m_i = \mathbf{1}[|w_i| > t]",
      implementation="minicompress.pruning.threshold_mask",
      inputs=lambda rng, size: (_weights(rng, any_shape(rng, size)), one_of(rng, 0.0, 0.5, 1.0, 2.0)),
      cases=((np.array([[-1.0, 0.0], [1.0, 2.0]]), 1.0),))
def threshold_mask(w, t):
    """magnitude mask, by threshold

    m_i = 1[|w_i| > t]

    w : weights, (n,) or of any other shape
    t : threshold, a number of at least 0
    m : mask of w's shape, (n,), 1 where a weight stays, 0 where it goes

    1[…] : 1 where it is true, else 0

    >>> threshold_mask([1, -3, 2], 2), threshold_mask([[1], [-3]], 2)
    ([0, 1, 0], [[0], [1]])
    """
    if isinstance(w, list):
        return [threshold_mask(part, t) for part in w]
    return 1 if abs(w) > t else 0


threshold_mask.must("is a mask", _is_zero_or_one)
threshold_mask.must("signs don't matter", _signs_do_not_matter)
threshold_mask.must_agree(0, name="keeps what is above")
threshold_mask.trap("missing abs", "abs is missing: every negative weight is pruned.", lambda w, t: w > t)
threshold_mask.trap("at the threshold", "this keeps a weight of exactly the threshold: m = 1 needs |w| > t.",
                    lambda w, t: np.abs(w) >= t)
threshold_mask.trap("weights", "these are the pruned weights: asked for is the mask, 0 or 1.",
                    lambda w, t: np.where(np.abs(w) > t, w, 0))
threshold_mask.trap("inverted", "this is the mask of what is pruned: 1 must mean kept.", lambda w, t: np.abs(w) <= t)
threshold_mask.trap("relative", "this takes t for a share of the largest magnitude: it is a number to compare with.",
                    lambda w, t: np.abs(w) > t * np.abs(w).max())

# ---------------------------------------------------------------------------------------------------------------------
# PR-2:deviation


def generated_threshold(w, q):
    """t = q·std(w), the deviation of all n weights of a flat list.

    >>> generated_threshold([1, -1, 1, -1], 2)
    2.0
    """
    mean = math.fsum(w) / len(w)
    return q * math.sqrt(math.fsum((w_i - mean) ** 2 for w_i in w) / len(w))


@page("PR-2:deviation", cite=HAN_2015("section 4"),
      latex=r"m_i = \mathbf{1}[|w_i| > t],\quad t = q \cdot \text{std}(w),\quad "
            r"\text{std}(w)^2 = \frac1n \sum_i (w_i - \text{mean}(w))^2",
      implementation="minicompress.pruning.std_mask",
      inputs=lambda rng, size: (eighths(rng, any_shape(rng, size + 1)) + one_of(rng, 0, 4, -4),
                                one_of(rng, 0.0, 0.25, 0.75, 1.5, 2.0)),
      cases=((np.array([3.0, 5.0]), 2.0), (np.array([1.0, -1.0]), 0.75), (np.full((2, 2), 3.0), 1.0),
             (np.array([[1.0, 1.0], [4.0, 4.0]]), 1.0)))
def std_mask(w, q):
    """magnitude mask, the threshold from the layer's deviation

    m_i = 1[|w_i| > t],   t = q·std(w),   std(w)² = 1/n·Σ_i (w_i − mean(w))²

    w : weights, (n,) or of any other shape
    q : quality, a number of at least 0
    m : mask of w's shape, (n,), 1 where a weight stays, 0 where it goes

    n : number of weights, those that are 0 too
    t : the layer's threshold, a number
    1[…] : 1 where it is true, else 0

    >>> std_mask([1, -1, 1, -1, 3, -3], 1), std_mask([[1, -1, 1], [-1, 3, -3]], 1)
    ([0, 0, 0, 0, 1, 1], [[0, 0, 0], [0, 1, 1]])
    """
    return threshold_mask(w, generated_threshold(numbers(w), q))


std_mask.must("is a mask", _is_zero_or_one)
std_mask.must("signs don't matter", _signs_do_not_matter)


@std_mask.must("is what the formula gives")
def _off_the_edge(f, w, q):
    """Where a magnitude is the threshold but for rounding, either answer is right."""
    threshold = generated_threshold(w.ravel().tolist(), q)
    clear = np.abs(np.abs(w) - threshold) > 64 * f.eps * (1 + threshold)
    close(f, f(w, q)[clear], np.array(std_mask.reference(w, q))[clear], "m is not what the formula gives", 0)


std_mask.trap("root mean square", "this is the root mean square: the deviation is taken around the mean.",
              lambda w, q: np.abs(w) > q * np.sqrt(np.mean(w * w)))
std_mask.trap("variance", "this is the variance: its root is the deviation.", lambda w, q: np.abs(w) > q * np.var(w))
std_mask.trap("n − 1", "this divides by n − 1, which guesses the deviation of others: it is that of these n weights.",
              lambda w, q: np.abs(w) > q * np.sqrt(np.sum((w - w.mean()) ** 2) / max(w.size - 1, 1)), seen=True)
std_mask.trap("row by row", "each row has a threshold of its own: the deviation is that of the whole layer.",
              lambda w, q: np.abs(w) > q * w.std(axis=-1, keepdims=True))
std_mask.trap("centred", "this takes the mean off the weights: only the threshold knows the mean.",
              lambda w, q: np.abs(w - w.mean()) > q * w.std())
std_mask.trap("missing abs", "abs is missing: every negative weight is pruned.", lambda w, q: w > q * w.std())
std_mask.trap("weights", "these are the pruned weights: asked for is the mask, 0 or 1.",
              lambda w, q: np.where(np.abs(w) > q * w.std(), w, 0))

# ---------------------------------------------------------------------------------------------------------------------
# PR-2:network


def _two_layers(rng, size):
    return _weights(rng, any_shape(rng, size)) / 4, _weights(rng, any_shape(rng, size + 1)), fraction(rng)


def _named(global_masks):
    def function(a, b, s):
        return tuple(global_masks({"a": a, "b": b}, s).values())
    return function


@page("PR-2:network", cite=(HAN_2015("section 3"), BY_INDEX),
      latex=r"m_i = \mathbf{1}[\text{rank}_i \ge \text{round}(s \cdot n)] \text{ as in PR-2},\quad w = (a, b),\; "
            r"m = (m_a, m_b),\; n = n_a + n_b",
      implementation="minicompress.pruning.global_magnitude_masks", adapt=_named, inputs=_two_layers,
      cases=((np.ones((2, 2)), np.ones(2), 0.5), (np.array([1.0]), np.array([-2.0, 3.0]), 0.5)))
def global_magnitude_masks(a, b, s):
    """magnitude masks over a whole network

    m_i = 1[rank_i ≥ round(s·n)] as in PR-2,   w = (a, b), m = (m_a, m_b), n = n_a + n_b

    a : weights of a layer, (n_a,) or of any other shape
    b : weights of the next, (n_b,) or of any other shape
    s : sparsity, a fraction from 0 to 1
    m_a : mask of a, of its shape, (n_a,)
    m_b : mask of b, of its shape, (n_b,)

    w : the weights of both layers, a before b, ranked as one, (n,)
    n : number of weights in both
    1[…] : 1 where it is true, else 0

    >>> global_magnitude_masks([1, 4], [[2], [3]], 0.5)
    ([0, 1], [[0], [1]])
    """
    left = iter(magnitude_mask(numbers(a) + numbers(b), s))
    return shaped(left, a), shaped(left, b)


@global_magnitude_masks.must("exactly round(s·n) are pruned in all")
def _exact_over_all(f, a, b, s):
    zeros = sum(int(np.sum(mask == 0)) for mask in f(a, b, s))
    wanted = round(s * (a.size + b.size))
    hold(zeros == wanted, f"both masks have {zeros} zeros together, expected round({s}·{a.size + b.size}) = {wanted}")


def _together(mask):
    """Of both layers, ``mask(w, s)`` being that of one behind the other."""
    def function(a, b, s):
        m = mask(np.concatenate([a.ravel(), b.ravel()]), s)
        return m[:a.size].reshape(a.shape), m[a.size:].reshape(b.shape)
    return function


global_magnitude_masks.must_agree(0)
global_magnitude_masks.trap("layer by layer", "this ranks each layer by itself: asked for is one ranking over both.",
                            lambda a, b, s: (ranked(a, s), ranked(b, s)))
global_magnitude_masks.trap("missing abs", "abs is missing: the most negative go first.",
                            _together(lambda w, s: ranked(w, s, key=lambda v: v)))
global_magnitude_masks.trap("ties together", "this prunes everything up to one threshold, ties included: too many go.",
                            _together(_by_quantile), seen=True)
global_magnitude_masks.trap("b before a", "of equal magnitudes this prunes those of b first: a comes before b.",
                            lambda a, b, s: _together(ranked)(b, a, s)[::-1])
global_magnitude_masks.trap("inverted", "these are the masks of what is pruned: 1 must mean kept.",
                            _together(lambda w, s: ~ranked(w, s)))
