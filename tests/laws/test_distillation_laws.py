"""What must hold of soft targets (KD-1 to KD-5) and of logit regression (KD-23)."""

import importlib
import inspect
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress import distillation
from minicompress.engine import Tensor, gradcheck
from minicompress.equations.distillation.logit_regression import high_temperature_gradient, logit_regression
from minicompress.equations.distillation.soft_targets import (
    divergence,
    gradient_of_parts,
    lambda_loss,
    loss_of_parts,
)
from minicompress.equations.distillation.softened import entropy, softened
from minicompress.equations.distillation.teachers import mean_of_logits, mean_of_probabilities
from tests.mutants import mutate

EPS = np.finfo(np.float64).eps


def on_arrays(m):
    """A module's functions as arrays in, arrays out; of a loss the value and its gradient by z."""
    def differentiated(loss):
        def both(z, *args, **options):
            z = Tensor(z, requires_grad=True)
            value = loss(z, *args, **options)
            value.backward()
            return value.item(), z.grad
        return both

    return SimpleNamespace(
        softened=lambda z, t: m.softened(Tensor(z), t).data,
        log_softened=lambda z, t: m.log_softened(Tensor(z), t).data,
        soft_targets=m.soft_targets, soft_target_loss=differentiated(m.soft_target_loss),
        lambda_loss=differentiated(m.lambda_loss), logit_regression_loss=differentiated(m.logit_regression_loss))


def by_rows(f, *arrays):
    return np.array([f(*rows) for rows in zip(*(np.asarray(a, np.float64).tolist() for a in arrays), strict=True)])


def literally():
    """The literal references behind the same interface."""
    def soft_target_loss(z, v, y, *, temperature, alpha, beta=None, scale="T^2"):
        y = np.zeros_like(z) if y is None else np.eye(z.shape[1])[y] if np.ndim(y) == 1 else y
        parts = temperature, alpha, 1 - alpha if beta is None else beta, {"T^2": temperature**2, "1": 1.0}[scale]
        gradient = by_rows(lambda *rows: gradient_of_parts(*rows, *parts), z, v, y) / len(z)
        return loss_of_parts(z.tolist(), v.tolist(), y.tolist(), *parts), gradient

    def soft_targets(v, *, temperature, weights=None, combine="probabilities"):
        v = v if isinstance(v, list) else [v]
        weights = [1 / len(v)] * len(v) if weights is None else list(weights)
        rule = {"probabilities": mean_of_probabilities, "logits": mean_of_logits}[combine]
        return np.array([rule([x[n].tolist() for x in v], weights, temperature) for n in range(len(v[0]))])

    def with_weight(z, v, y, *, temperature, weight):
        value = lambda_loss(z.tolist(), v.tolist(), y.tolist(), temperature, weight)
        return value, soft_target_loss(z, v, y, temperature=temperature, alpha=1, beta=weight, scale="1")[1]

    return SimpleNamespace(
        softened=lambda z, t: by_rows(lambda row: softened(row, t), z),
        log_softened=lambda z, t: np.log(by_rows(lambda row: softened(row, t), z)),
        soft_targets=soft_targets, soft_target_loss=soft_target_loss, lambda_loss=with_weight,
        logit_regression_loss=lambda z, v: (logit_regression(z.tolist(), v.tolist()), (z - v) / len(z)))


REAL, LITERAL = on_arrays(distillation), literally()

# Logits are eighths, so that shifts and means of two are exact; z and v of one shape, with labels.
SHAPES = st.tuples(st.integers(1, 4), st.integers(2, 5))
EIGHTHS = st.integers(-40, 40).map(lambda n: n / 8)
HUGE = st.integers(-80_000, 80_000).map(lambda n: n / 8)  # up to ±1e4, exact in float32 too
TEMPERATURES = st.sampled_from([0.5, 1.0, 2.0, 3.7, 20.0])


@st.composite
def examples(draw):
    shape = draw(SHAPES)
    z, v = (draw(hnp.arrays(np.float64, shape, elements=EIGHTHS)) for _ in range(2))
    return z, v, draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))


EXAMPLE = (np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]), np.array([[2.0, 0.0, -4.0], [1.0, 1.5, -2.0]]),
           np.array([0, 2]))
LARGE = np.array([[1e4, 9999.0, -1e4]])


def close(found, expected, ulps=100):
    """Within so many roundings, of the largest element's size."""
    size = 1 + np.max(np.abs(expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=ulps * EPS * size)


# ---------------------------------------------------------------------------------------------------------------------
# KD-1


def law_softened_is_the_printed_one(kd, z=EXAMPLE[0], t=2.0):
    close(kd.softened(z, t), by_rows(lambda row: softened(row, t), z))
    close(kd.log_softened(z, t), by_rows(lambda row: [math.log(p) for p in softened(row, t)], z))


def law_softened_is_a_distribution_that_keeps_order_and_ignores_shifts(kd, z=EXAMPLE[0], t=2.0, shift=16.0):
    p = kd.softened(z, t)
    assert (p >= 0).all()
    close(p.sum(axis=1), np.ones(len(z)))
    for row, probabilities in zip(z, p, strict=True):
        assert (np.diff(probabilities[np.argsort(row, kind="stable")]) >= 0).all()
    close(kd.softened(z + shift, t), p)


def law_entropy_grows_with_temperature(kd, z=EXAMPLE[0], t=2.0):
    for cold, warm in zip(kd.softened(z, t), kd.softened(z, 1.5 * t), strict=True):
        assert entropy(warm.tolist()) >= entropy(cold.tolist()) - 1e-14
    spread = np.ptp(z)
    assert np.abs(kd.softened(z, 1e6) - 1 / z.shape[1]).max() <= 2 * spread / 1e6 + EPS


def law_temperature_one_is_softmax(kd, z=EXAMPLE[0]):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    close(kd.softened(z, 1.0), e / e.sum(axis=1, keepdims=True), ulps=4)


def law_nothing_overflows(kd, z=LARGE, t=1e-3):
    for dtype in (np.float32, np.float64):
        p, logs = kd.softened(z.astype(dtype), t), kd.log_softened(z.astype(dtype), t)
        assert p.dtype == logs.dtype == dtype
        assert np.isfinite(p).all() and np.isfinite(logs).all(), "a logarithm must not be one of an underflown p"
        np.testing.assert_allclose(np.exp(logs), p, rtol=1e-5, atol=1e-30)


def law_the_maximum_is_subtracted_before_dividing(kd):
    z = np.array([[2.0**110, 2.0**110 - 2.0**90]], np.float32)
    np.testing.assert_array_equal(kd.softened(z, 1e-6), [[1, 0]])  # 2^110/1e-6 is no float32
    np.testing.assert_allclose(kd.log_softened(z, 1e-6), [[0, -1e6 * 2.0**90]], rtol=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# KD-2 and KD-3


def law_loss_and_gradient_are_the_printed_ones(kd, example=EXAMPLE, t=3.0, alpha=0.3, beta=None):
    z, v, y = example
    for scale in ("T^2", "1"):
        for target in (y, np.eye(z.shape[1])[y], np.full(z.shape, 1 / z.shape[1])):
            options = {"temperature": t, "alpha": alpha, "beta": beta, "scale": scale}
            value, gradient = kd.soft_target_loss(z, v, target, **options)
            expected, expected_gradient = LITERAL.soft_target_loss(z, v, target, **options)
            close(value, expected, ulps=1000)
            close(gradient, expected_gradient, ulps=1000)


def law_defaults_are_the_square_and_the_rest(kd, example=EXAMPLE, t=3.0, alpha=0.25):
    z, v, y = example
    value, gradient = kd.soft_target_loss(z, v, y, temperature=t, alpha=alpha)
    spelled = kd.soft_target_loss(z, v, y, temperature=t, alpha=alpha, beta=1 - alpha, scale="T^2")
    close(value, spelled[0]), close(gradient, spelled[1])


def law_alpha_one_is_cross_entropy(kd, example=EXAMPLE, t=3.0):
    z, v, y = example
    value, gradient = kd.soft_target_loss(z, v, y, temperature=t, alpha=1.0)
    p = by_rows(lambda row: softened(row, 1.0), z)
    close(value, -np.log(p[np.arange(len(y)), y]).mean())
    close(gradient, (p - np.eye(z.shape[1])[y]) / len(z))


def law_it_is_the_divergence_but_for_a_constant_of_z(kd, example=EXAMPLE, t=3.0):
    """KL(teacher‖student), not the other way round: the difference of two losses tells."""
    z, v, _ = example
    losses, divergences = [], []
    for student in (z, z[:, ::-1], np.zeros_like(z)):
        losses.append(kd.soft_target_loss(student, v, None, temperature=t, alpha=0.0, scale="1")[0])
        divergences.append(np.mean([divergence(softened(a, t), softened(b, t))
                                    for a, b in zip(v.tolist(), student.tolist(), strict=True)]))
    close(np.diff(losses), np.diff(divergences), ulps=1000)


def law_the_soft_gradient_keeps_its_size(kd, example=EXAMPLE):
    """With c = τ² it tends to ((z − z̄) − (v − v̄))/N as τ → ∞; the next term is of order 1/τ.

    Rounding: τ times the difference of two softmaxes of N classes, near 1/N each, off by ε for the exponential, ε/2 for
    the quotient and (N − 1)·ε/2 for the sum, relatively; so by (N + 2)·ε·τ/N in all.
    """
    z, v, _ = example
    centred = (z - z.mean(axis=1, keepdims=True)) - (v - v.mean(axis=1, keepdims=True))
    spread = max(np.ptp(z), np.ptp(v), 1)
    for dtype, t in ((np.float32, 1e2 * spread), (np.float32, 1e3 * spread), (float, 1e3 * spread),
                     (float, 1e4 * spread)):
        _, gradient = kd.soft_target_loss(z.astype(dtype), v.astype(dtype), None, temperature=t, alpha=0.0)
        limit = centred / z.size
        rounded = (z.shape[1] + 2) * np.finfo(dtype).eps * t / z.size
        assert np.abs(gradient - limit).max() <= 2 * spread**2 / t / len(z) + rounded


def law_nothing_is_nan_where_probabilities_underflow(kd, z=LARGE):
    for dtype in (np.float32, np.float64):
        a, b = z.astype(dtype), z[:, ::-1].astype(dtype)
        for t in (1.0, 20.0):
            value, gradient = kd.soft_target_loss(a, b, np.zeros(len(z), int), temperature=t, alpha=0.5)
            assert np.isfinite(value) and np.isfinite(gradient).all()
            assert gradient.dtype == dtype


def law_the_teacher_is_the_target_in_the_lambda_form(kd, example=EXAMPLE, t=3.0, weight=0.7):
    z, v, y = example
    value, gradient = kd.lambda_loss(z, v, y, temperature=t, weight=weight)
    close(value, lambda_loss(z.tolist(), v.tolist(), y.tolist(), t, weight), ulps=1000)
    same = kd.soft_target_loss(z, v, y, temperature=t, alpha=1.0, beta=weight, scale="1")
    close(value, same[0]), close(gradient, same[1])


# ---------------------------------------------------------------------------------------------------------------------
# KD-4, KD-5, KD-23


def law_the_limit_of_high_temperature(kd, example=EXAMPLE):
    """(KD-4) For means of zero: what is left is of order T⁻³."""
    z, v = (a - a.mean(axis=1, keepdims=True) for a in example[:2])
    spread = max(np.abs(z).max(), np.abs(v).max(), 1.0)
    for t in (20 * spread, 1000 * spread):
        _, gradient = kd.soft_target_loss(z, v, None, temperature=t, alpha=0.0, scale="1")
        limit = by_rows(lambda *rows, t=t: high_temperature_gradient(*rows, t), z, v) / len(z)
        assert np.abs(gradient - limit).max() <= 2 * spread**2 / t**3 / z.size + 10 * EPS / t
        _, regression = kd.logit_regression_loss(z, v)
        close(limit * z.shape[1] * t**2, regression)


def law_a_mixture_of_teachers_is_a_distribution(kd, teachers=(EXAMPLE[0], EXAMPLE[1]), weights=(0.25, 0.75), t=3.0):
    teachers = list(teachers)
    for combine, rule in (("probabilities", mean_of_probabilities), ("logits", mean_of_logits)):
        p = kd.soft_targets(teachers, temperature=t, weights=list(weights), combine=combine)
        assert (p >= 0).all()
        close(p.sum(axis=1), np.ones(len(p)))
        close(p, [rule([v[n].tolist() for v in teachers], list(weights), t) for n in range(len(p))])
        close(kd.soft_targets(teachers, temperature=t, combine=combine),
              kd.soft_targets(teachers, temperature=t, weights=[1 / len(teachers)] * len(teachers), combine=combine))
        close(kd.soft_targets([teachers[0]], temperature=t, combine=combine), kd.softened(teachers[0], t))
        close(kd.soft_targets(teachers[0], temperature=t, combine=combine), kd.softened(teachers[0], t))


def law_the_two_mixtures_differ(kd):
    arithmetic, geometric = (kd.soft_targets([EXAMPLE[0], EXAMPLE[1]], temperature=1.0, combine=combine)
                             for combine in ("probabilities", "logits"))
    assert np.abs(arithmetic - geometric).max() > 0.01


def law_regression_is_half_the_squared_distance(kd, example=EXAMPLE):
    z, v, _ = example
    value, gradient = kd.logit_regression_loss(z, v)
    close(value, logit_regression(z.tolist(), v.tolist()))
    close(gradient, (z - v) / len(z))
    assert kd.logit_regression_loss(z, z)[0] == 0 and (value > 0) == (z != v).any()


# ---------------------------------------------------------------------------------------------------------------------
# The laws hold of the implementation, and those of moderate logits of the literal references

OVERFLOWING = [law_nothing_overflows, law_the_maximum_is_subtracted_before_dividing,
               law_nothing_is_nan_where_probabilities_underflow]
LAWS = [law for name, law in sorted(globals().items()) if name.startswith("law_")]


@pytest.mark.parametrize("law", LAWS)
def test_law(law):
    law(REAL)


@pytest.mark.parametrize("law", [law for law in LAWS if law not in OVERFLOWING])
def test_the_literal_reference_passes(law):
    law(LITERAL)


@given(examples(), TEMPERATURES, st.integers(-1000, 1000))
def test_laws_of_softened(example, t, shift):
    law_softened_is_the_printed_one(REAL, example[0], t)
    law_softened_is_a_distribution_that_keeps_order_and_ignores_shifts(REAL, example[0], t, shift)
    law_entropy_grows_with_temperature(REAL, example[0], t)
    law_temperature_one_is_softmax(REAL, example[0])


@given(hnp.arrays(np.float64, (2, 3), elements=HUGE), st.sampled_from([1e-3, 0.1, 1.0, 20.0, 1e6]))
def test_laws_of_huge_logits(z, t):
    law_nothing_overflows(REAL, z, t)
    law_nothing_is_nan_where_probabilities_underflow(REAL, z)
    for dtype in (np.float32, np.float64):  # shifts are exact, so not a bit may change
        np.testing.assert_array_equal(REAL.softened(z.astype(dtype), t), REAL.softened((z + 16).astype(dtype), t))


@given(examples(), TEMPERATURES, st.floats(0, 1), st.none() | st.floats(0.125, 2))
def test_laws_of_the_loss(example, t, alpha, beta):
    law_loss_and_gradient_are_the_printed_ones(REAL, example, t, alpha, beta)
    law_alpha_one_is_cross_entropy(REAL, example, t)
    law_it_is_the_divergence_but_for_a_constant_of_z(REAL, example, t)
    law_the_soft_gradient_keeps_its_size(REAL, example)
    law_the_teacher_is_the_target_in_the_lambda_form(REAL, example, t, 0.5 if beta is None else beta)
    law_the_limit_of_high_temperature(REAL, example)
    law_regression_is_half_the_squared_distance(REAL, example)


@given(examples(), TEMPERATURES, st.floats(0, 1))
def test_laws_of_several_teachers(example, t, w):
    law_a_mixture_of_teachers_is_a_distribution(REAL, example[:2], (w, 1 - w), t)


@given(examples(), TEMPERATURES)
def test_the_derivative_is_the_difference_quotients(example, t):
    z, v, y = example
    gradcheck(lambda z: distillation.soft_target_loss(z, v, y, temperature=t, alpha=0.5, beta=2.0), [z])
    gradcheck(lambda z: distillation.soft_target_loss(z, [v, v[:, ::-1]], None, temperature=t, alpha=0.0), [z])
    gradcheck(lambda z: distillation.lambda_loss(z, v, y, temperature=t, weight=0.5), [z])
    gradcheck(lambda z: distillation.logit_regression_loss(z, v), [z])
    gradcheck(lambda z: distillation.softened(z, t), [z])
    gradcheck(lambda z: distillation.log_softened(z, t), [z])


# ---------------------------------------------------------------------------------------------------------------------
# The laws have teeth: planted bugs, and what public implementations got wrong

ROOMS = [importlib.import_module(f"minicompress.distillation.{name}")  # functions of their names hide them
         for name in ("softened", "teachers", "soft_targets", "logit_regression")]  # each reads only those before it
SOFTENED, TEACHERS, SOFT_TARGETS, REGRESSION = ROOMS


def with_a_bug(room, old, new):
    """The chapter's functions with a bug planted in one room, and all rooms made anew that may read of it."""
    functions = {}
    for module in ROOMS:
        source = inspect.getsource(module)
        made = vars(mutate(module, old, new) if module is room else mutate(module, source, source))
        made.update({name: function for name, function in functions.items() if name in made})
        functions |= {name: made[name] for name, value in vars(module).items() if inspect.isfunction(value)}
    return SimpleNamespace(**functions)


MUTANTS = [
    (SOFTENED, "(logits - logits.data.max(axis=1, keepdims=True)) / require_temperature(temperature)",
     "logits / require_temperature(temperature)"),
    (SOFTENED, "(logits - logits.data.max(axis=1, keepdims=True)) / require_temperature(temperature)",
     "(lambda z: z - z.data.max(axis=1, keepdims=True))(logits / require_temperature(temperature))"),
    (SOFTENED, "logits.data.max(axis=1, keepdims=True)", "logits.data.max(axis=0, keepdims=True)"),
    (SOFTENED, "/ require_temperature(temperature)", "* require_temperature(temperature)"),
    (SOFTENED, "return log_softmax(cooled(logits, temperature))", "return softened(logits, temperature).log()"),
    (SOFT_TARGETS, '"T^2": lambda temperature: temperature**2', '"T^2": lambda temperature: 1.0'),
    (SOFT_TARGETS, '"T^2": lambda temperature: temperature**2', '"T^2": lambda temperature: temperature'),
    (SOFT_TARGETS, "functional.cross_entropy(z, p)", "functional.cross_entropy(functional.Tensor(z.data, True), p)"),
    (SOFT_TARGETS, "functional.cross_entropy(z, p)", "functional.cross_entropy(z, p) * z.shape[0]"),
    (SOFT_TARGETS, "functional.cross_entropy(z, p)", "functional.cross_entropy(z, p) / z.shape[1]"),
    (SOFT_TARGETS, "functional.cross_entropy(z, p)",
     "(functional.softmax(z) * (functional.log_softmax(z) - np.log(p))).sum() / len(p)"),
    (SOFT_TARGETS, "functional.cross_entropy(z, p)", "-(functional.softmax(z).log() * p).sum() / len(p)"),
    (SOFT_TARGETS, "functional.cross_entropy(z, p)",
     "functional.cross_entropy(functional.Tensor(p).log(), functional.softmax(z))"),
    (SOFT_TARGETS, "z = cooled(student_logits, temperature)", "z = student_logits"),
    (SOFT_TARGETS, "alpha * functional.cross_entropy(student_logits, target)",
     "alpha * functional.cross_entropy(cooled(student_logits, temperature), target)"),
    (SOFT_TARGETS, "alpha * functional.cross_entropy(student_logits, target) if alpha else 0.0",
     "functional.cross_entropy(student_logits, target) if alpha else 0.0"),
    (SOFT_TARGETS, "beta = 1 - alpha if beta is None else beta", "beta = 1 if beta is None else beta"),
    (SOFT_TARGETS,
     "return soft_target_loss(student_logits, teacher_logits, target, temperature=temperature, alpha=1.0,\n"
     '                            beta=expect.number("weight", weight, 0)',
     "z, v = cooled(student_logits, temperature), cooled(functional.Tensor(teacher_logits), temperature)\n    "
     "return functional.cross_entropy(student_logits, target) - weight * (functional.softmax(z) * "
     "functional.log_softmax(v)).sum() / len(student_logits)\n    "
     "soft_target_loss(None, None, 0, temperature=0, alpha=0"),  # the student as the target of the λ form
    (SOFT_TARGETS, 'scale="1")', 'scale="T^2")'),
    (TEACHERS, "v.dtype.type(w) * v", "v"),
    (TEACHERS, "if weights is None else np.asarray", "if True else np.asarray"),
    (TEACHERS, 'if combine == "probabilities":\n        teachers', 'if True:\n        teachers'),
    (TEACHERS, 'return mixed if combine == "probabilities" else', "return"),
    (REGRESSION, "/ (2 * len(v))", "/ len(v)"),
    (REGRESSION, "/ (2 * len(v))", "/ (2 * v.size)"),
    (REGRESSION, "z - v.astype", "z.detach() - v.astype"),
]


@pytest.mark.parametrize(("room", "old", "new"), MUTANTS, ids=[f"{old} -> {new}" for _, old, new in MUTANTS])
def test_a_planted_bug_is_caught(room, old, new):
    mutant = on_arrays(with_a_bug(room, old, new))
    with pytest.raises((AssertionError, RuntimeError, RuntimeWarning, TypeError, ValueError, AttributeError)):
        for law in LAWS:
            law(mutant)


def test_without_a_planted_bug_the_rooms_made_anew_hold_the_laws():
    for law in LAWS:
        law(on_arrays(with_a_bug(None, "", "")))
