"""The gradual schedule (PR-9)."""

import numpy as np

from minicompress.checker.call import SINGLE
from minicompress.checker.draws import one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Paper
from minicompress.checker.properties import hold

ZHU_2017 = Paper("zhu2017prune", ("Zhu, Michael", "Gupta, Suyog"),
                 "To prune, or not to prune: exploring the efficacy of pruning for model compression", 2017,
                 "arXiv preprint", arxiv="1710.01878")

# ---------------------------------------------------------------------------------------------------------------------
# PR-9


def _schedule_inputs(rng, size):
    """Sparsities in eighths, in hundredths, which no binary fraction is, and any at all."""
    s_i, s_f = sorted(one_of(rng, rng.integers(0, 9, 2) / 8, rng.integers(0, 101, 2) / 100, rng.random(2)).tolist())
    t_0, n, dt = int(rng.integers(0, 9)), int(rng.integers(1, size + 2)), int(rng.integers(1, 4))
    return t_0 + dt * int(rng.integers(-1, n + 2)), s_i, s_f, t_0, n, dt


def _by_names(gradual_sparsity):
    def function(t, s_i, s_f, t_0, n, dt):
        return gradual_sparsity(t, initial=s_i, final=s_f, begin=t_0, end=t_0 + n * dt, every=dt)
    return function


@page("PR-9", cite=ZHU_2017("eq. 1"),
      latex=r"s_t = s_f + (s_i - s_f)(1-u)^3,\quad u = \mathrm{clip}\left(\frac{t - t_0}{n\,\Delta t}, 0, 1\right)",
      implementation="minicompress.pruning.gradual_sparsity", adapt=_by_names, inputs=_schedule_inputs,
      cases=((0, 0.0, 0.75, 4, 2, 2), (12, 0.0, 0.75, 4, 2, 2)))
def gradual_sparsity(t, s_i, s_f, t_0, n, dt):
    """gradual sparsity

    s_t = s_f + (s_i − s_f)·(1 − u)³,   u = clip((t − t_0)/(n·Δt), 0, 1)

    t : step, an integer, a whole multiple of Δt away from t_0
    s_i : initial sparsity, a fraction
    s_f : final sparsity, a fraction of at least s_i
    t_0 : first step, an integer
    n : number of prunings
    dt : Δt, steps between them, an integer
    s : sparsity at step t, a fraction

    u : the share of the way that is gone, a fraction

    >>> [gradual_sparsity(t, 0.0, 0.5, 0, 2, 1) for t in (-1, 0, 1, 2, 3)]
    [0.0, 0.0, 0.4375, 0.5, 0.5]
    """
    u = (t - t_0) / (n * dt)
    if u < 0:
        u = 0
    if u > 1:
        u = 1
    return s_f + (s_i - s_f) * (1 - u) ** 3


def _is(f, found, s):
    """Whether an answer is s to the last bit, or s in float32 where answers are held to that."""
    return found in ({s, float(np.float32(s))} if f.eps == SINGLE else {s})


@gradual_sparsity.must("the ends are exact")
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


@gradual_sparsity.must("never falls")
def _monotone(f, t, s_i, s_f, t_0, n, dt):
    path = [float(f(t_0 + dt * i, s_i, s_f, t_0, n, dt)) for i in range(-1, n + 2)]
    hold(np.diff(path) >= -8 * f.eps, f"the sparsity must not fall from one multiple of Δt to the next: {path}")


def _cubic(u, s_i, s_f, power=3):
    return s_f + (s_i - s_f) * (1 - u) ** power


def _clipped(t, t_0, n, dt):
    return min(max((t - t_0) / (n * dt), 0.0), 1.0)


gradual_sparsity.must_agree(8, lambda *_: 1.0)
gradual_sparsity.trap("unclipped", "u is not clipped: before t_0 and after the end the sparsity runs away.",
                      lambda t, s_i, s_f, t_0, n, dt: _cubic((t - t_0) / (n * dt), s_i, s_f))
gradual_sparsity.trap("linear", "this is a straight line: the rest (1 − u) is cubed.",
                      lambda t, s_i, s_f, t_0, n, dt: _cubic(_clipped(t, t_0, n, dt), s_i, s_f, 1))
gradual_sparsity.trap("slow first", "this cubes u, so it prunes slowly at first: (1 − u) is what is cubed.",
                      lambda t, s_i, s_f, t_0, n, dt: s_i + (s_f - s_i) * _clipped(t, t_0, n, dt) ** 3)
gradual_sparsity.trap("ends swapped", "initial and final sparsity have changed places.",
                      lambda t, s_i, s_f, t_0, n, dt: _cubic(_clipped(t, t_0, n, dt), s_f, s_i))
gradual_sparsity.trap("t_0 forgotten", "t_0 is not taken off t.",
                      lambda t, s_i, s_f, t_0, n, dt: _cubic(_clipped(t, 0, n, dt), s_i, s_f))
