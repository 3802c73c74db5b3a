"""Entries of pruning by magnitude (PR-1, 2) and of its schedule (PR-9)."""

import numpy as np

from .. import pruning as literal
from ..ledger import Equation, Trap
from ..subject import SINGLE
from ..suite import agrees, close, hold
from .draw import eighths, fraction, listed, one_of, weights

HAN = "Han et al. 2015, section 3"

# ---------------------------------------------------------------------------------------------------------------------
# PR-1


def is_a_fraction(f, x):
    hold((f(x) >= 0) & (f(x) <= 1), f"{f(x)} is no fraction from 0 to 1")


def all_zeros_and_none(f, x):
    hold(f(np.zeros_like(x)) == 1, "an array of zeros has sparsity 1")
    hold(f(np.ones_like(x)) == 0, "an array without a zero has sparsity 0")


def products_are_sparser(f, x):
    turned = np.roll(x, 1)
    hold(f(x * turned) >= max(f(x), f(turned)), "the product of two masks is at least as sparse as each")


SPARSITY = Equation(
    id="PR-1", title="sparsity", source="MindSpore's textbook, section 9.3",
    latex=r"s = \frac{\#\{i : x_i = 0\}}{n}", formula="s = (number of zeros) / n, a fraction in [0, 1]",
    arguments={"x": "weights or a mask, (n,)"}, results={"s": "a number"},
    implementation="minicompress.pruning.sparsity", reference=listed(literal.sparsity),
    inputs=lambda rng, size: (rng.integers(-1, 2, size) * one_of(rng, 1.0, 0.125, 2.0**-40),),
    properties={"is a fraction from 0 to 1": is_a_fraction, "zeros count and others don't": all_zeros_and_none,
                "a product of masks is sparser": products_are_sparser,
                "is what the formula gives": agrees(listed(literal.sparsity), 2)},
    traps=(Trap("percent", "this is a percentage: sparsity is a fraction everywhere here.",
                lambda x: 100.0 * np.mean(x == 0)),
           Trap("density", "this is the density, the share of numbers that are not zero.", lambda x: np.mean(x != 0)),
           Trap("count", "this is the number of zeros, not their share.", lambda x: float(np.sum(x == 0))),
           Trap("nearly zero", "this counts small numbers too: only what is exactly 0 is pruned.",
                lambda x: np.mean(np.abs(x) < 0.01)),
           Trap("whole numbers", "this cuts off decimals first: 0.5 is no zero.",
                lambda x: np.mean(x.astype(int) == 0)),
           Trap("negative too", "this counts what is not positive: a negative weight is no zero.",
                lambda x: np.mean(x <= 0))))

# ---------------------------------------------------------------------------------------------------------------------
# PR-2


def ranked(w, s, key=np.abs, count=lambda s, n: round(s * n)):
    """The mask by rank with any key and any rounding: what the traps vary."""
    mask = np.ones(w.size, bool)
    mask[np.argsort(key(w.ravel()), kind="stable")[:count(s, w.size)]] = False
    return mask.reshape(w.shape)


def is_zero_or_one(f, w, *rest):
    hold(np.isin(f(w, *rest), (0, 1)), "a mask holds 0 and 1 (or False and True) alone")


def count_is_exact(f, w, s):
    zeros = int(np.sum(f(w, s) == 0))
    hold(zeros == round(s * w.size), f"the mask has {zeros} zeros of {w.size}, expected round({s}·{w.size}) = "
                                     f"{round(s * w.size)}")


def kept_are_larger(f, w, s):
    mask = f(w, s) != 0
    if mask.any() and not mask.all():
        hold(np.abs(w[~mask]).max() <= np.abs(w[mask]).min(), "a magnitude that is pruned is above one that is kept")


def higher_prunes_a_superset(f, w, s):
    low, high = f(w, s / 2) != 0, f(w, s) != 0
    hold(~(high & ~low), f"what is pruned at sparsity {s / 2} must be pruned at {s} too")


def signs_do_not_matter(f, w, *rest):
    hold(f(w, *rest) == f(-w, *rest), "a weight and its negative have one magnitude, so one mask")


def _survivors_only(w, s):
    mask = w != 0
    mask[mask] = ranked(w[mask], s)
    return mask


def _by_quantile(w, s):
    size, count = np.sort(np.abs(w), axis=None), round(s * w.size)
    return np.abs(w) > (size[count - 1] if count else -1.0)


MAGNITUDE = Equation(
    id="PR-2", title="magnitude mask, by rank", source=HAN,
    latex=r"m_i = 0 \text{ for the } \mathrm{round}(s \cdot n) \text{ smallest } |w_i|,\; 1 \text{ for the others}",
    formula="m_i = 0 for the round(s·n) smallest |w_i|, else 1; of equal magnitudes the earlier goes first",
    arguments={"w": "weights, (n,)", "s": "sparsity, a fraction"}, results={"m": "mask, (n,), 0 or 1"},
    implementation="minicompress.pruning.magnitude_mask", reference=listed(literal.magnitude_mask),
    inputs=lambda rng, size: (weights(rng, size), fraction(rng)),
    cases=((np.arange(100.0), 0.29), (np.array([0.0, 0.0, 2.0, 1.0]), 0.5), (np.ones(4), 0.5)),
    properties={"is a mask": is_zero_or_one, "exactly round(s·n) are pruned": count_is_exact,
                "kept magnitudes are the larger ones": kept_are_larger,
                "a higher sparsity prunes a superset": higher_prunes_a_superset, "signs don't matter":
                signs_do_not_matter, "ties go by index": agrees(listed(literal.magnitude_mask), 0)},
    traps=(Trap("missing abs", "this ranks the weights themselves: abs is missing, so the most negative go first.",
                lambda w, s: ranked(w, s, key=lambda v: v)),
           Trap("floor", "this rounds s·n down: int(0.29·100) is 28, because 0.29 is no binary fraction.",
                lambda w, s: ranked(w, s, count=lambda s, n: int(s * n))),
           Trap("ties together", "this prunes everything up to a threshold, ties included: too many go.", _by_quantile),
           Trap("rate on survivors", "this is a rate on the weights that are not zero yet, not on all of them.",
                _survivors_only),
           Trap("inverted", "this is the mask of what is pruned: 1 must mean kept.",
                lambda w, s: ~ranked(w, s)),
           Trap("ties from the end", "of equal magnitudes this prunes the later first.",
                lambda w, s: ranked(w[::-1], s)[::-1]),
           Trap("weights", "these are the pruned weights: asked for is the mask, 0 or 1.",
                lambda w, s: w * ranked(w, s)),
           Trap("percent", "this takes s for a percentage: it is a fraction.",
                lambda w, s: ranked(w, s, count=lambda s, n: round(s / 100 * n)))))

THRESHOLD = Equation(
    id="PR-2:threshold", title="magnitude mask, by threshold", source=HAN,
    latex=r"m_i = \mathbf{1}[|w_i| > t]", formula="m_i = 1[|w_i| > t]",
    arguments={"w": "weights, (n,)", "t": "threshold, at least 0"}, results={"m": "mask, (n,), 0 or 1"},
    implementation="minicompress.pruning.threshold_mask", reference=listed(literal.threshold_mask),
    inputs=lambda rng, size: (weights(rng, size), one_of(rng, 0.0, 0.5, 1.0, 2.0)),
    properties={"is a mask": is_zero_or_one, "signs don't matter": signs_do_not_matter,
                "keeps what is above": agrees(listed(literal.threshold_mask), 0)},
    traps=(Trap("missing abs", "abs is missing: every negative weight is pruned.", lambda w, t: w > t),
           Trap("at the threshold", "this keeps a weight of exactly the threshold: m = 1 needs abs(w) > t.",
                lambda w, t: np.abs(w) >= t),
           Trap("weights", "these are the pruned weights: asked for is the mask, 0 or 1.",
                lambda w, t: np.where(np.abs(w) > t, w, 0))))


def _deviation_reference(w, q):
    threshold = literal.generated_threshold(w.tolist(), q)
    return literal.threshold_mask(w.tolist(), threshold)


def _off_the_edge(f, w, q):
    """Where a magnitude is the threshold but for rounding, either answer is right."""
    threshold = literal.generated_threshold(w.tolist(), q)
    clear = np.abs(np.abs(w) - threshold) > 64 * f.eps * (1 + threshold)
    close(f, f(w, q)[clear], np.array(_deviation_reference(w, q))[clear], "m is not what the formula gives", 0)


DEVIATION = Equation(
    id="PR-2:deviation", title="magnitude mask, the threshold from the layer's deviation", source=HAN,
    latex=r"m_i = \mathbf{1}[|w_i| > q \cdot \mathrm{std}(w)]",
    formula="m_i = 1[|w_i| > t],  t = q·std(w),  std(w)² = Σ (w_i − mean)² / n",
    arguments={"w": "weights, (n,)", "q": "quality, at least 0"}, results={"m": "mask, (n,), 0 or 1"},
    implementation="minicompress.pruning.std_mask", reference=_deviation_reference,
    inputs=lambda rng, size: (eighths(rng, size + 1) + one_of(rng, 0, 4), one_of(rng, 0.25, 0.75, 1.5, 2.0)),
    cases=((np.array([3.0, 5.0]), 2.0),),
    properties={"is a mask": is_zero_or_one, "signs don't matter": signs_do_not_matter,
                "is what the formula gives": _off_the_edge},
    traps=(Trap("root mean square", "this is the root mean square: the deviation is taken around the mean.",
                lambda w, q: np.abs(w) > q * np.sqrt(np.mean(w * w))),
           Trap("variance", "this is the variance: its root is the deviation.", lambda w, q: np.abs(w) > q * np.var(w)),
           Trap("centred", "this takes the mean off the weights: only the threshold knows the mean.",
                lambda w, q: np.abs(w - w.mean()) > q * w.std()),
           Trap("missing abs", "abs is missing: every negative weight is pruned.", lambda w, q: w > q * w.std()),
           Trap("weights", "these are the pruned weights: asked for is the mask, 0 or 1.",
                lambda w, q: np.where(np.abs(w) > q * w.std(), w, 0))))


def _network_reference(a, b, s):
    return tuple(literal.global_magnitude_masks([a.tolist(), b.tolist()], s))


def _exact_over_all(f, a, b, s):
    zeros = sum(int(np.sum(mask == 0)) for mask in f(a, b, s))
    wanted = round(s * (a.size + b.size))
    hold(zeros == wanted, f"both masks have {zeros} zeros together, expected round({s}·{a.size + b.size}) = {wanted}")


def _named(global_masks):
    def function(a, b, s):
        return tuple(global_masks({"a": a, "b": b}, s).values())
    return function


NETWORK = Equation(
    id="PR-2:network", title="magnitude masks over a whole network", source=HAN,
    latex=r"m = 0 \text{ for the } \mathrm{round}(s \cdot (n_a + n_b)) \text{ smallest of all } |a_i|, |b_j|",
    formula="the layers a and b ranked as one: the round(s·n) smallest magnitudes of all get 0, a before b at ties",
    arguments={"a": "weights of a layer, (n_a,)", "b": "weights of the next, (n_b,)", "s": "sparsity, a fraction"},
    results={"m_a": "mask, (n_a,)", "m_b": "mask, (n_b,)"},
    implementation="minicompress.pruning.global_magnitude_masks", adapt=_named, reference=_network_reference,
    inputs=lambda rng, size: (weights(rng, size) / 4, weights(rng, size + 1), fraction(rng)),
    properties={"exactly round(s·n) are pruned in all": _exact_over_all,
                "is what the formula gives": agrees(_network_reference, 0)},
    traps=(Trap("layer by layer", "this ranks each layer by itself: asked for is one ranking over both.",
                lambda a, b, s: (ranked(a, s), ranked(b, s))),
           Trap("missing abs", "abs is missing: the most negative go first.",
                lambda a, b, s: tuple(np.split(ranked(np.append(a, b), s, key=lambda v: v), [a.size]))),
           Trap("ties together", "this prunes everything up to one threshold, ties included: too many go.",
                lambda a, b, s: tuple(np.split(_by_quantile(np.append(a, b), s), [a.size])))))

# ---------------------------------------------------------------------------------------------------------------------
# PR-9


def _is(f, found, s):
    """Whether an answer is s to the last bit, or s in float32 where answers are held to that."""
    return found in ({s, float(np.float32(s))} if f.eps == SINGLE else {s})


def _exact_ends(f, t, s_i, s_f, t_0, n, dt):
    # s_f + (s_i − s_f)·0 is s_f, whatever is rounded. s_f + (s_i − s_f)·1 is s_i where nothing is, or but for rounding
    # twice, three times in float32, which rounds s_i as well.
    exact = s_i in (0, s_f) or all((64 * s).is_integer() for s in (s_i, s_f))
    for when, t in (("before", t_0 - 3), ("at", t_0)):
        found = float(f(t, s_i, s_f, t_0, n, dt))
        hold(_is(f, found, s_i) if exact else abs(found - s_i) <= f.eps * (s_i + s_f),
             f"{when} t_0 = {t_0} the sparsity is s_i = {s_i}, {'exactly' if exact else 'but for rounding'}")
    for when, t in (("at", t_0 + n * dt), ("after", t_0 + n * dt + 5)):
        hold(_is(f, float(f(t, s_i, s_f, t_0, n, dt)), s_f), f"{when} the end, t = {t}, the sparsity is s_f = {s_f}, "
                                                              "exactly: add what vanishes to s_f")


def _monotone(f, t, s_i, s_f, t_0, n, dt):
    path = [float(f(t_0 + dt * i, s_i, s_f, t_0, n, dt)) for i in range(-1, n + 2)]
    hold(np.diff(path) >= -8 * f.eps, f"the sparsity must not fall from one multiple of Δt to the next: {path}")


def _schedule_inputs(rng, size):
    """Sparsities in eighths, in hundredths, which no binary fraction is, and any at all."""
    s_i, s_f = sorted(one_of(rng, rng.integers(0, 9, 2) / 8, rng.integers(0, 101, 2) / 100, rng.random(2)).tolist())
    t_0, n, dt = int(rng.integers(0, 9)), int(rng.integers(1, size + 2)), int(rng.integers(1, 4))
    return t_0 + dt * int(rng.integers(-1, n + 2)), s_i, s_f, t_0, n, dt


def _printed_schedule(gradual_sparsity):
    def function(t, s_i, s_f, t_0, n, dt):
        return gradual_sparsity(t, initial=s_i, final=s_f, begin=t_0, end=t_0 + n * dt, every=dt)
    return function


def _cubic(u, s_i, s_f, power=3):
    return s_f + (s_i - s_f) * (1 - u) ** power


def _clipped(t, t_0, n, dt):
    return min(max((t - t_0) / (n * dt), 0.0), 1.0)


SCHEDULE = Equation(
    id="PR-9", title="gradual sparsity", source="Zhu & Gupta 2017, eq. 1",
    latex=r"s_t = s_f + (s_i - s_f)(1-u)^3,\quad u = \mathrm{clip}\left(\frac{t - t_0}{n\,\Delta t}, 0, 1\right)",
    formula="s_t = s_f + (s_i − s_f)·(1 − u)³,   u = clip((t − t_0)/(n·Δt), 0, 1)",
    arguments={"t": "step, a whole multiple of Δt away from t_0", "s_i": "initial sparsity", "s_f": "final sparsity",
               "t_0": "first step", "n": "number of prunings", "dt": "Δt, steps between them"},
    results={"s": "sparsity at step t"},
    implementation="minicompress.pruning.gradual_sparsity", adapt=_printed_schedule, reference=literal.gradual_sparsity,
    inputs=_schedule_inputs, cases=((0, 0.0, 0.75, 4, 2, 2), (12, 0.0, 0.75, 4, 2, 2)),
    properties={"the ends are exact": _exact_ends, "never falls": _monotone,
                "is what the formula gives": agrees(literal.gradual_sparsity, 8, lambda *_: 1.0)},
    traps=(Trap("unclipped", "u is not clipped: before t_0 and after the end the sparsity runs away.",
                lambda t, s_i, s_f, t_0, n, dt: _cubic((t - t_0) / (n * dt), s_i, s_f)),
           Trap("linear", "this is a straight line: the rest (1 − u) is cubed.",
                lambda t, s_i, s_f, t_0, n, dt: _cubic(_clipped(t, t_0, n, dt), s_i, s_f, 1)),
           Trap("slow first", "this cubes u, so it prunes slowly at first: (1 − u) is what is cubed.",
                lambda t, s_i, s_f, t_0, n, dt: s_i + (s_f - s_i) * _clipped(t, t_0, n, dt) ** 3),
           Trap("ends swapped", "initial and final sparsity have changed places.",
                lambda t, s_i, s_f, t_0, n, dt: _cubic(_clipped(t, t_0, n, dt), s_f, s_i)),
           Trap("t_0 forgotten", "t_0 is not taken off t.",
                lambda t, s_i, s_f, t_0, n, dt: _cubic(_clipped(t, 0, n, dt), s_i, s_f))))

ENTRIES = (SPARSITY, MAGNITUDE, THRESHOLD, DEVIATION, NETWORK, SCHEDULE)
