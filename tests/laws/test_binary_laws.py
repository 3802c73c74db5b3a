"""The laws of binary networks (BI-1 to BI-5, BI-7, BI-10): on the package, on known traps, and on planted bugs."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress import nn
from minicompress.binarization import SignActivation, packed
from minicompress.binarization import weights as projections
from minicompress.engine import Codes, Tensor, surrogate
from minicompress.equations.binarization import scaling, weights
from minicompress.equations.binarization.packed import batch_norm_sign, threshold_signs
from minicompress.forms import Sign
from minicompress.nn import Parameter, Projection
from minicompress.training.optim import SGD
from tests.mutants import mutate

EDGES = np.float32([-2.5, -1.0000001, -1.0, -0.3, -1e-38, -0.0, 0.0, 1e-38, 0.7, 1.0, 1.0000001, 3.0])
REAL = SimpleNamespace(sign=surrogate.sign, fold=packed.fold,
                       **{name: vars(projections)[name] for name in
                          ("BinaryConnect", "StochasticBinaryConnect", "ScaledSign")})


def gradient(f, x, g):
    """What f passes back to x when g arrives."""
    x = Tensor(x, requires_grad=True)
    f(x).backward(np.broadcast_to(np.float32(g), x.shape))
    return x.grad


# The laws


def signs_are_never_zero(m):
    """(BI-1), and −0.0 counts as ≥ 0."""
    expected = [weights.sign(x) for x in EDGES.tolist()]
    for f in (m.sign, m.BinaryConnect()):
        y = f(Tensor(EDGES)).numpy()
        assert y.tolist() == expected and y.dtype == np.float32
    assert m.BinaryConnect().form(EDGES).dense().tolist() == expected


def gradients_pass_within_one(m):
    """(BI-3) for activations and weights, drawn ones too."""
    expected = np.float32([weights.straight_through(x, 2.5) for x in EDGES.tolist()])
    for f in (m.sign, m.BinaryConnect(), m.StochasticBinaryConnect(rng=np.random.default_rng(0))):
        np.testing.assert_array_equal(gradient(f, EDGES, 2.5), expected)


def draws_have_their_probability(m, n=20_000):
    """(BI-2) The share of +1 within 5 standard deviations; no chance is left from |x| = 1 on."""
    projection = m.StochasticBinaryConnect(rng=np.random.default_rng(3))
    for x in (-1.5, -1.0, -0.6, 0.0, 0.25, 0.9, 1.0, 2.0):
        p = weights.probability_of_plus(x)
        draws = projection(Tensor(np.full(n, x, np.float32), requires_grad=True)).numpy()
        assert set(draws.tolist()) <= {-1.0, 1.0}
        assert abs((draws > 0).mean() - p) <= 5 * np.sqrt(p * (1 - p) / n)
    one, two = (m.StochasticBinaryConnect(rng=np.random.default_rng(3))(Tensor(EDGES)).numpy() for _ in range(2))
    np.testing.assert_array_equal(one, two)


def evaluation_is_the_one_named(m):
    """(BI-2) Without a graph the weights are the real ones, as in the paper, or their signs."""
    w = np.clip(EDGES, -1, 1)
    for evaluation, expected in (("real", w), ("sign", [weights.sign(x) for x in w.tolist()])):
        parameter = nn.project(Parameter(w), m.StochasticBinaryConnect(evaluation, rng=np.random.default_rng(0)))
        with nn.evaluating(nn.Sequential()):
            np.testing.assert_array_equal(parameter.effective().numpy(), expected)


def steps_stay_within_one(m):
    """(BI-4) A step is the literal one, through the sign."""
    for make in (m.BinaryConnect, lambda: m.StochasticBinaryConnect(rng=np.random.default_rng(0))):
        w = np.float32([-1.0, -0.875, -0.25, 0.5, 0.75, 1.0])
        parameter, slopes = nn.project(Parameter(w), make()), np.float32([3, 2, -1, -4, 0.5, 1])
        optimizer = SGD([parameter], lr=0.25)
        for _ in range(3):
            expected = [weights.clipped_step(x, g, 0.25)
                        for x, g in zip(parameter.data.tolist(), slopes.tolist(), strict=True)]
            optimizer.zero_grad()
            parameter.effective().backward(slopes)
            optimizer.step()
            assert parameter.data.tolist() == expected


def no_scaled_sign_is_better(m, w):
    """(BI-5) Beside all 2ⁿ signs, each with its own best scale."""
    form = m.ScaledSign(axis=None).fit(w).form(w)
    error = float(((w.astype(float) - form.dense().astype(float)) ** 2).sum())
    assert error <= scaling.least_error(w.astype(float).tolist()) + 1e-6 * float((w.astype(float) ** 2).sum())
    alpha, signs = scaling.scaling(w.astype(float).tolist())
    np.testing.assert_allclose(form.alpha, alpha, rtol=1e-6)
    assert np.where(form.bits, 1, -1).tolist() == signs


def each_channel_has_its_scale_and_gradient(m):
    """(BI-5, BI-7) Of the survivors only, if there is a mask."""
    rng = np.random.default_rng(1)
    w, g = rng.normal(0, 0.8, (4, 3, 2, 2)).astype(np.float32), rng.normal(size=(4, 3, 2, 2)).astype(np.float32)
    for where in (None, rng.random(w.shape) < 0.6):
        keep = np.ones(w.shape, bool) if where is None else where
        projection = m.ScaledSign().fit(w, where=where)
        effective, back = projection(Tensor(w)).numpy(), gradient(projection, w, np.where(keep, g, 0))
        for channel in range(4):
            kept = keep[channel]
            alpha, signs = scaling.scaling(w[channel][kept].astype(float).tolist())
            np.testing.assert_allclose(effective[channel][kept], np.multiply(alpha, signs), rtol=1e-6)
            expected = scaling.scaling_gradient(*(a[channel][kept].astype(float).tolist() for a in (w, g)))
            np.testing.assert_allclose(back[channel][kept], expected, rtol=1e-5, atol=1e-6)
            assert not back[channel][~kept].any()


def norm_of(gamma, beta, mean, var, eps=1e-5):
    norm = nn.BatchNorm1d(len(gamma), eps=eps)
    norm.weight.set(gamma)
    norm.bias.set(beta)
    norm.set_buffer("running_mean", mean)
    norm.set_buffer("running_var", var)
    return norm.eval()


def norms(seed, channels=200):
    """Batch norms of all kinds: γ of both signs and 0, integers that tie, thresholds beyond all products."""
    rng = np.random.default_rng(seed)
    gamma = rng.normal(size=channels) * rng.choice([0, 1e-6, 1, 1, 1e3], channels)
    beta = rng.normal(size=channels) * rng.choice([0, 0, 1, 30], channels)
    mean = np.where(rng.random(channels) < 0.5, rng.integers(-9, 10, channels), rng.normal(0, 8, channels))
    var = rng.choice([0, 1, 3.7, 80], channels)
    tied = (mean - rng.integers(-9, 10, channels)) * gamma / np.sqrt(var + 1e-5)  # 0 at an integer, but for rounding
    return norm_of(gamma, np.where(rng.random(channels) < 0.3, tied, beta), mean, var)


def a_threshold_is_the_batch_norms_sign(m, norm, n):
    """(BI-10) For every integer that a dot product of n signs can be."""
    y = np.repeat(np.arange(-n, n + 1, dtype=np.int32)[:, None], norm.weight.size, axis=1)
    signs = m.fold(norm, n)(Codes(y)).data
    assert signs.dtype == np.int8
    np.testing.assert_array_equal(signs, np.where(norm(Tensor(y.astype(np.float32))).numpy() >= 0, 1, -1))


def all_laws(m):
    for law in (signs_are_never_zero, gradients_pass_within_one, draws_have_their_probability,
                evaluation_is_the_one_named, steps_stay_within_one, each_channel_has_its_scale_and_gradient):
        law(m)
    for seed in range(20):
        no_scaled_sign_is_better(m, np.random.default_rng(seed).normal(size=1 + seed % 8).astype(np.float32))
        for n in (1, 2, 11, 30):
            a_threshold_is_the_batch_norms_sign(m, norms(seed), n)


# On the package


def test_the_laws_hold():
    all_laws(REAL)


def test_the_activation_is_the_same_sign():
    for law in (signs_are_never_zero, gradients_pass_within_one):
        law(SimpleNamespace(**{**vars(REAL), "sign": SignActivation()}))


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=9))
def test_no_scaled_sign_is_better(values):
    no_scaled_sign_is_better(REAL, np.float32(values))


@given(st.lists(st.tuples(st.floats(-4, 4, width=32), st.floats(-8, 8, width=32), st.floats(-50, 50, width=32),
                          st.floats(0, 1e4, width=32)), min_size=1, max_size=5), st.integers(1, 300))
def test_any_batch_norm_is_a_threshold(parts, n):
    a_threshold_is_the_batch_norms_sign(REAL, norm_of(*np.float32(parts).T), n)


# On the literal references and known traps

RATIONALS = st.fractions(-20, 20, max_denominator=6)


@given(st.integers(-30, 30), RATIONALS, st.fractions("1/6", 9, max_denominator=6), RATIONALS, RATIONALS)
def test_on_paper_the_threshold_is_the_batch_norm(x, mean, deviation, gamma, beta):
    assert threshold_signs(x, mean, deviation, gamma, beta) == \
        batch_norm_sign(x, mean, deviation, gamma, beta)
    if gamma:
        tie = mean - beta * deviation / gamma
        assert threshold_signs(tie, mean, deviation, gamma, beta) == 1


def test_the_scale_of_the_paper_is_exact_in_fractions():
    w = [Fraction(3), Fraction(-1, 2), Fraction(0), Fraction(2, 3)]
    alpha, signs = scaling.scaling(w)
    assert sum((x - alpha * b) ** 2 for x, b in zip(w, signs, strict=True)) == scaling.least_error(w)


class _Signum(projections.BinaryConnect):
    def __call__(self, latent):
        return surrogate.straight_through(latent, np.sign(latent.data), np.abs(latent.data) <= 1)


def _paper_threshold(norm, n):
    """τ = μ − β·σ/γ in float32, rounded up for γ > 0 and down for γ < 0: what rounding makes of the formula."""
    gamma, beta = norm.weight.data, norm.bias.data
    sigma = np.sqrt(norm.running_var + np.float32(norm.eps))
    tau = norm.running_mean - beta * sigma / np.where(gamma == 0, np.float32(1), gamma)
    layer = packed.Threshold(gamma.size)
    steps = np.where(gamma > 0, np.ceil(tau), np.floor(tau) + 1)
    steps = np.where(gamma == 0, np.where(beta >= 0, packed.ALWAYS, packed.NEVER), steps)
    layer.threshold = np.clip(steps.astype(np.int64), packed.ALWAYS, packed.NEVER).astype(np.int32)
    nn.assign(layer.direction, Sign(gamma >= 0, 1.0))
    return layer


def _ties_go_down(norm, n):
    """x < τ in place of x ≤ τ for γ < 0, as where the row is negated without a thought of the tie."""
    layer = packed.fold(norm, n)
    layer.threshold = np.where(layer.direction.form().bits, layer.threshold, layer.threshold - 1)
    return layer


TRAPS = {"signum": {"BinaryConnect": _Signum}, "the threshold as printed, in float32": {"fold": _paper_threshold},
         "ties for γ < 0": {"fold": _ties_go_down}}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_caught(trap, monkeypatch):
    with pytest.raises(AssertionError):
        all_laws(SimpleNamespace(**{**vars(REAL), **TRAPS[trap]}))


MUTANTS = [
    (surrogate, "np.where(x.data >= 0, one, -one)", "np.where(x.data > 0, one, -one)"),
    (surrogate, "-one), np.abs(x.data) <= 1", "-one), np.abs(x.data) < 1"),
    (surrogate, "-one), np.abs(x.data) <= 1", "-one)"),
    (projections, "np.clip(w, -1, 1, out=w)", "np.clip(w, -2, 2, out=w)"),
    (projections, "np.clip(w, -1, 1, out=w)", "np.clip(w, -1, 0.9, out=w)"),
    (projections, "< (w + 1) / 2", "< w / 2"),
    (projections, "< (w + 1) / 2", "< (w + 1)"),
    (projections, "np.where(plus, one, -one), np.abs(w) <= 1", "np.where(plus, one, -one)"),
    (projections, 'latent if self.evaluation == "real" else', ""),
    (projections, "(total / _number(w, counts, axes))", "(total / w.size)"),
    (projections, "(total / _number(w, counts, axes))", "np.sqrt(total / _number(w, counts, axes))"),
    (projections, "np.where(w >= 0, g, -g) / number", "np.where(w >= 0, g, g) / number"),
    (projections, "np.where(w >= 0, g, -g) / number", "g / number"),
    (projections, "tuple(range(axis is not None, w.ndim))\n    total", "tuple(range(w.ndim))\n    total"),
    (packed, "(high - low > 1).any()", "(high - low > 2).any()"),
    (packed, "data.ravel() >= 0", "data.ravel() > 0"),
    (packed, "begins != ends, high", "begins != ends, low"),
    (packed, "np.where(begins, ALWAYS, NEVER)", "np.where(begins, NEVER, ALWAYS)"),
    (packed, "Sign(ends | ~begins, 1.0)", "Sign(ends, 1.0)"),
    (packed, "Sign(ends | ~begins, 1.0)", "Sign(~begins, 1.0)"),
    (packed, "np.full(channels, -n), np.full(channels, n)", "np.full(channels, -n + 1), np.full(channels, n)"),
    (packed, "np.full(channels, -n), np.full(channels, n)", "np.full(channels, -n), np.full(channels, n - 1)"),
    (packed, "norm = copy.deepcopy(norm).eval()", "norm = copy.deepcopy(norm).train()"),
    (packed, "(x.data >= self.threshold", "(x.data > self.threshold"),
]


@pytest.mark.parametrize(("module", "old", "new"), MUTANTS, ids=[f"{old} -> {new}" for _, old, new in MUTANTS])
def test_a_planted_bug_is_caught(module, old, new, monkeypatch):
    monkeypatch.setattr(Projection, "_of_form", dict(Projection._of_form))  # mutants register themselves, too
    monkeypatch.setattr(nn.graph, "LAYERS", {name: layer for name, layer in nn.graph.LAYERS.items()
                                             if layer.__module__ != packed.__name__})
    mutant = vars(mutate(module, old, new))
    with pytest.raises((AssertionError, ValueError)):
        all_laws(SimpleNamespace(**{name: mutant.get(name, real) for name, real in vars(REAL).items()}))
