"""Optimizers against scalar references and closed forms, schedules, state, and what they refuse."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicompress.nn import Parameter
from minicompress.pruning import Mask
from minicompress.training import optim
from tests.engine import literal
from tests.mutants import mutate

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
LAYOUTS = pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray,
                                             lambda a: np.repeat(a, 2, 0)[::2]], ids=["C", "Fortran", "strided"])


def path(make, start, gradients, layout=lambda a: a):
    """The weights after each step."""
    p = Parameter(layout(start.copy()))
    optimizer, seen = make([p]), []
    for g in gradients:
        p.grad = layout(g.copy())
        optimizer.step()
        seen.append(p.data.copy())
    return np.array(seen)


def drawn(dtype):
    rng = np.random.default_rng(0)
    return rng.standard_normal((3, 4)).astype(dtype), rng.standard_normal((12, 3, 4)).astype(dtype)


SGD = [{"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.05, "momentum": 0.5, "nesterov": True}, {"lr": 0.0},
       {"lr": 0.1, "weight_decay": 0.2}, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.2, "nesterov": True}]
ADAM = [{"lr": 0.1}, {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3}, {"lr": 0.1, "weight_decay": 0.3},
        {"lr": 0.1, "betas": (0.0, 0.0)}]


def sgd_by_the_letter(optim, options, layout, dtype):
    start, gradients = drawn(dtype)
    got = path(lambda ps: optim.SGD(ps, **options), start, gradients, layout)
    assert got.dtype == dtype
    for index in np.ndindex(3, 4):
        expected = literal.sgd(float(start[index]), [float(g[index]) for g in gradients], **options)
        # a step rounds a few times, and twelve of them add up
        np.testing.assert_allclose(got[:, *index], expected, rtol=0, atol=100 * np.finfo(dtype).eps)


def adam_by_the_letter(optim, options, layout, dtype):
    start, gradients = drawn(dtype)
    got = path(lambda ps: optim.Adam(ps, **options), start, gradients, layout)
    assert got.dtype == dtype
    named = {key: value for key, value in options.items() if key != "betas"}
    named |= dict(zip(("beta1", "beta2"), options.get("betas", (0.9, 0.999)), strict=True))
    for index in np.ndindex(3, 4):
        expected = literal.adam(float(start[index]), [float(g[index]) for g in gradients], **named)
        np.testing.assert_allclose(got[:, *index], expected, rtol=0, atol=200 * np.finfo(dtype).eps)


@DTYPES
@LAYOUTS
@pytest.mark.parametrize("options", SGD, ids=str)
def test_sgd_by_the_letter(options, layout, dtype):
    sgd_by_the_letter(optim, options, layout, dtype)


@DTYPES
@LAYOUTS
@pytest.mark.parametrize("options", ADAM, ids=str)
def test_adam_by_the_letter(options, layout, dtype):
    adam_by_the_letter(optim, options, layout, dtype)


@pytest.mark.parametrize(("old", "new"), [
    ("grad = grad + v * self.momentum if self.nesterov else v", "grad = v"),
    ("grad = grad + v * self.momentum if self.nesterov else v", "grad = v * self.momentum if self.nesterov else v"),
    ("v += grad\n", "v += grad * (1 - self.momentum)\n"), ("m += grad * real(1 - b1)", "m += grad * real(1 - b2)"),
    ("v += grad * grad * real(1 - b2)", "v += abs(grad) * real(1 - b2)"), ("step += real(self.eps)", "pass"),
    ("1 - b2**t", "1"), ("1 - b1**t", "1"), ("self.count[i] += 1", "self.count[i] = np.ones((), int)"),
])
def test_a_planted_bug_is_caught(old, new):
    mutant = mutate(optim, old, new)
    with pytest.raises(AssertionError):
        for options in SGD:
            sgd_by_the_letter(mutant, options, np.ascontiguousarray, np.float64)
        for options in ADAM:
            adam_by_the_letter(mutant, options, np.ascontiguousarray, np.float64)


def test_sgd_on_a_parabola_is_a_geometric_series():
    """f(w) = c·w²/2: w ← (1 − ηc)·w, so after n steps (1 − ηc)ⁿ."""
    p = Parameter(np.array([1.0]))
    optimizer = optim.SGD([p], lr=0.1)
    for _ in range(50):
        p.grad = 3.0 * p.data
        optimizer.step()
    np.testing.assert_allclose(p.data, (1 - 0.3) ** 50, rtol=1e-12)


def test_momentum_under_a_constant_gradient_approaches_lr_over_one_minus_momentum():
    p = Parameter(np.array([0.0]))
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    for _ in range(400):
        before, p.grad = p.data.copy(), np.array([1.0])
        optimizer.step()
    np.testing.assert_allclose(before - p.data, 0.1 / (1 - 0.9), rtol=1e-12)


@given(st.floats(1e-6, 1e6), st.sampled_from([-1, 1]))
def test_adam_first_moves_by_lr_whatever_the_size_of_the_gradient(size, sign):
    p = Parameter(np.array([0.0]))
    p.grad = np.array([sign * size])
    optim.Adam([p], lr=0.5, eps=1e-30).step()
    np.testing.assert_allclose(p.data, -sign * 0.5, rtol=1e-9)


@pytest.mark.parametrize("make", [lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9), lambda ps: optim.Adam(ps)])
def test_gradients_stay_as_they_are_and_none_changes_nothing(make):
    p, q = Parameter(np.ones(3, np.float32)), Parameter(np.ones(3, np.float32))
    p.grad = np.array([1.0, 2.0, 3.0], np.float32)
    make([p, q]).step()
    assert p.grad.tolist() == [1.0, 2.0, 3.0] and q.data.tolist() == [1.0, 1.0, 1.0] and p.data.tolist() != [1.0] * 3


def late_gradients_by_the_letter(optim):
    """The bias correction counts a parameter's own gradients: a first one that comes late is still a first one."""
    late, early = Parameter(np.array([1.0])), Parameter(np.array([1.0]))
    optimizer, given = optim.Adam([late, early], lr=0.1), [None, None, None, 1.0, 1.0, None, -3.0]
    for g in given:
        early.grad = np.array([1.0])
        late.grad = None if g is None else np.array([g])
        optimizer.step()
    expected = literal.adam(1.0, [g for g in given if g is not None], lr=0.1)
    np.testing.assert_allclose(late.data, expected[-1], rtol=1e-12)
    np.testing.assert_allclose(early.data, literal.adam(1.0, [1.0] * len(given), lr=0.1)[-1], rtol=1e-12)
    state = optimizer.state_dict()
    assert (state["count.0"], state["count.1"]) == (3, 7)


def test_adam_counts_each_parameters_own_steps():
    late_gradients_by_the_letter(optim)
    with pytest.raises(AssertionError):
        late_gradients_by_the_letter(mutate(optim, "t = int(self.count[i])", "t = self.steps"))


def test_adam_after_two_late_gradients_of_one_has_moved_twice_by_lr():
    """m̂ = 1 and v̂ = 1 after each: w = 1 − 0.1 − 0.1."""
    p, q = Parameter(np.array([1.0])), Parameter(np.array([1.0]))
    optimizer = optim.Adam([p, q], lr=0.1)
    for g in (None, None, None, 1.0, 1.0):
        q.grad, p.grad = np.array([1.0]), None if g is None else np.array([g])
        optimizer.step()
    np.testing.assert_allclose(p.data, 0.8, rtol=1e-7)


def test_zero_grad_forgets():
    p = Parameter([1.0])
    p.grad = np.ones(1, np.float32)
    optim.SGD([p], lr=0.1).zero_grad()
    assert p.grad is None


def test_projections_constrain_after_every_step():
    p = Parameter(np.array([1.0, 2.0], np.float32), projections=[Mask([True, False])])
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        p.grad = np.ones(2, np.float32)
        optimizer.step()
        assert p.data[1] == 0.0 and not np.signbit(p.data[1])


@pytest.mark.parametrize("make", [lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True),
                                  lambda ps: optim.Adam(ps, lr=0.01)])
def test_a_state_dict_goes_on_with_the_same_bits(make):
    start, gradients = drawn(np.float32)
    whole = path(make, start, gradients)
    p = Parameter(start.copy())
    first = make([p])
    for g in gradients[:5]:
        p.grad = g
        first.step()
    first.lr = 0.03
    state = first.state_dict()
    p.grad = gradients[0]
    first.step()  # what happens later does not reach the state
    q = Parameter(whole[4].copy())
    second = make([q])
    second.load_state_dict(state)
    assert (second.lr, second.steps) == (0.03, 5)
    second.lr = second.initial_lr
    for g in gradients[5:]:
        q.grad = g
        second.step()
    assert q.data.tobytes() == whole[-1].tobytes()


def test_a_state_that_does_not_fit_changes_nothing():
    optimizer = optim.SGD([Parameter([1.0, 2.0]), Parameter([3.0])], lr=0.1, momentum=0.9)
    before = {name: np.asarray(value).tobytes() for name, value in optimizer.state_dict().items()}
    with pytest.raises(KeyError, match=r"mean.0.*expected.*velocity.0"):
        optimizer.load_state_dict(optim.Adam([Parameter([1.0, 2.0]), Parameter([3.0])]).state_dict())
    other = optim.SGD([Parameter([5.0, 6.0]), Parameter([3.0, 4.0])], lr=0.2, momentum=0.9)
    other.velocity[0] += 1
    with pytest.raises(ValueError, match=r"the state's velocity.1 has shape \(2,\), expected \(1,\)"):
        optimizer.load_state_dict(other.state_dict())
    assert {name: np.asarray(value).tobytes() for name, value in optimizer.state_dict().items()} == before


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda p: optim.SGD([], lr=0.1), ValueError, "0 parameters"),
    (lambda p: optim.SGD([p, p], lr=0.1), ValueError, "none twice"),
    (lambda p: optim.SGD([p.data], lr=0.1), TypeError, "ndarray"),
    (lambda p: optim.SGD([Parameter.blank((2,))], lr=0.1), ValueError, "blank"),
    (lambda p: optim.SGD([p], lr=-0.1), ValueError, "lr is -0.1"),
    (lambda p: optim.SGD([p], lr=math.nan), ValueError, "lr is nan"),
    (lambda p: optim.SGD([p], lr=0.1, momentum=1.0), ValueError, "momentum is 1.0"),
    (lambda p: optim.SGD([p], lr=0.1, nesterov=True), ValueError, "expected a momentum with it"),
    (lambda p: optim.SGD([p], lr=0.1, weight_decay=-1), ValueError, "weight_decay is -1"),
    (lambda p: optim.Adam([p], betas=(0.9, 1.0)), ValueError, "betas"),
    (lambda p: optim.Adam([p], eps=0), ValueError, "eps is 0"),
    (lambda p: optim.Adam([p], weight_decay=math.nan), ValueError, "weight_decay is nan"),
    (lambda p: optim.Adam([p], eps=math.nan), ValueError, "eps is nan"),
    (lambda p: optim.SGD([p], lr=0.1, weight_decay=math.nan), ValueError, "weight_decay is nan"),
    (lambda p: optim.StepLR(optim.SGD([p], lr=0.1), 1, gamma=0), ValueError, "gamma is 0"),
    (lambda p: optim.StepLR(optim.SGD([p], lr=0.1), 1, gamma=math.nan), ValueError, "gamma is nan"),
    (lambda p: optim.StepLR(optim.SGD([p], lr=0.1), 0), ValueError, "step_size is 0"),
    (lambda p: optim.CosineAnnealingLR(optim.SGD([p], lr=0.1), 0), ValueError, "T_max is 0"),
    (lambda p: optim.LinearLR(optim.SGD([p], lr=0.1), -0.1), ValueError, "start_factor is -0.1"),
    (lambda p: optim.LinearLR(optim.SGD([p], lr=0.1), 0.5, 0), ValueError, "total_epochs is 0"),
])
def test_what_cannot_train_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make(Parameter([1.0, 2.0]))


def test_a_misspelled_attribute_is_refused():
    optimizer = optim.Adam([Parameter([1.0])])
    with pytest.raises(AttributeError, match="Adam has no attribute 'weight_deca'; did you mean 'weight_decay'"):
        optimizer.weight_deca = 0.1
    with pytest.raises(AttributeError, match="no attribute 'learning_rate'"):
        optimizer.learning_rate = 0.1
    optimizer.lr = 0.5


def rates(make, steps, steps_per_epoch):
    optimizer = optim.SGD([Parameter([1.0])], lr=0.8)
    schedule, seen = make(optimizer), []
    for step in range(steps):
        schedule(step, steps_per_epoch)
        seen.append(optimizer.lr)
    return seen


def test_step_schedule_by_the_letter():
    expected = [0.8 * 0.5 ** ((step // 4) // 3) for step in range(40)]
    np.testing.assert_allclose(rates(lambda o: optim.StepLR(o, 3, gamma=0.5), 40, 4), expected, rtol=1e-15)


def test_cosine_schedule_by_the_letter():
    seen = rates(lambda o: optim.CosineAnnealingLR(o, 5, eta_min=0.1), 40, 4)
    expected = [0.1 + 0.7 * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(20)] + [0.1] * 20
    np.testing.assert_allclose(seen, expected, rtol=1e-14)
    assert seen[0] == 0.8 and all(a >= b for a, b in pairwise(seen))


def test_linear_warm_up_scales_what_stands_before_it():
    optimizer = optim.SGD([Parameter([1.0])], lr=0.4)
    cosine, warm = optim.CosineAnnealingLR(optimizer, 5), optim.LinearLR(optimizer, 0.2, total_epochs=2)
    seen, plain = [], []
    for step in range(20):
        cosine(step, 4)
        plain.append(optimizer.lr)
        warm(step, 4)
        seen.append(optimizer.lr)
    factors = [0.2 + 0.1 * step for step in range(8)] + [1.0] * 12
    np.testing.assert_allclose(seen, np.multiply(plain, factors), rtol=1e-12)
