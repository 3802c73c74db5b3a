"""What must hold of every loss on features, whichever there are: a function (student, teacher) of the chapter."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicompress import distillation
from minicompress.engine import Tensor, gradcheck

from .test_distillation_laws import on_arrays

LOSSES = {name: value for name, value in vars(distillation).items() if name.endswith("_loss")
          and list(inspect.signature(value).parameters)[:2] == ["student", "teacher"]}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def features(seed, shape=(4, 3, 2, 2)):
    return np.random.default_rng(seed).normal(0, 1, (2, *shape))


def law_loss(loss, seed, order):
    """A number from 0 on, 0 for the teacher's own features, the same for examples in another order."""
    student, teacher = features(seed)
    found = loss(Tensor(student), teacher).item()
    assert np.isfinite(found) and found >= 0
    assert loss(Tensor(teacher), teacher).item() == pytest.approx(0, abs=1e-12)
    assert loss(Tensor(student[order]), teacher[order]).item() == pytest.approx(found, rel=1e-9, abs=1e-12)


@every_loss
@settings(max_examples=20)
@given(st.integers(0, 2**32), st.permutations(range(4)))
def test_a_loss_is_a_distance_of_batches(loss, seed, order):
    law_loss(loss, seed, list(order))


@every_loss
def test_the_gradient_is_the_students_alone(loss):
    student, teacher = features(0)
    gradcheck(lambda x: loss(x, teacher), [student])
    guide, x = Tensor(teacher, requires_grad=True), Tensor(student, requires_grad=True)
    loss(x, guide).backward()
    assert x.grad.any() and guide.grad is None


@every_loss
@pytest.mark.parametrize("student", [np.zeros((3, 4)), np.ones((3, 4))])
def test_what_is_all_the_same_gives_no_nan(loss, student):
    x = Tensor(student.astype(np.float32), requires_grad=True)
    value = loss(x, np.zeros((3, 4), np.float32))
    value.backward()
    assert value.dtype == np.float32 and np.isfinite(value.item()) and np.isfinite(x.grad).all()


@every_loss
@pytest.mark.parametrize("teacher", [np.zeros((2, 4)), np.zeros((0, 4)), np.full((3, 4), np.nan),
                                     np.zeros((3, 4), int)])
def test_another_batch_or_none_is_refused(loss, teacher):
    with pytest.raises((TypeError, ValueError)):
        loss(Tensor(np.zeros((3, 4))), teacher)
    with pytest.raises(TypeError, match="student is a ndarray, expected a Tensor"):
        loss(np.zeros((3, 4)), np.zeros((3, 4)))


def test_no_loss_of_the_chapter_is_forgotten():
    known = LOSSES.keys() | vars(on_arrays(distillation)).keys()
    assert {name for name in vars(distillation) if name.endswith("_loss")} <= known


@pytest.mark.parametrize("loss", [
    lambda s, t: (s - t).sum(), lambda s, t: ((s - 1) ** 2).sum(), lambda s, t: ((s - t)[0] ** 2).sum(),
    lambda s, t: ((s - t) ** 2).sum() + 1,
])
def test_what_is_no_such_loss_breaks_a_law(loss):
    with pytest.raises(AssertionError):
        for seed in range(4):
            law_loss(loss, seed, [3, 1, 0, 2])
