"""Similarities by example; the laws stand on the page and in tests/laws/test_feature_losses.py."""

import numpy as np
import pytest

from minicompress import models, training
from minicompress.distillation import Match, Matching, similarity_loss
from minicompress.engine import Tensor
from tests.equations.planted import is_caught


def test_maps_of_images_are_compared_example_by_example():
    rng = np.random.default_rng(0)
    maps, rows = rng.normal(0, 1, (4, 3, 2, 2)), rng.normal(0, 1, (4, 6))
    assert similarity_loss(Tensor(maps), rows).item() == similarity_loss(Tensor(maps.reshape(4, -1)), rows).item()


def test_a_narrow_student_learns_who_is_like_whom():
    """Without labels, and of another width: no adapter is needed."""
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (60, 8)).astype(np.float32)
    teacher, student = models.mlp([8, 30, 5], rng=rng), models.mlp([8, 6, 5], rng=rng)
    objective = Matching(teacher, Match(similarity_loss, "relu1"), objective=None)
    history = training.fit(student, x, training.Training(60, 0.01, adam=True), objective=objective, progress=False,
                           rng=rng)
    assert history.loss[-1] < 0.5 * history.loss[0]


@pytest.mark.parametrize(("student", "teacher", "words"), [
    (np.zeros((3, 2)), np.zeros((2, 2)), r"the teacher's features have shape \(2, 2\), expected \(3, …\)"),
    (np.zeros(3), np.zeros((3, 2)), r"expected \(3, …\), as the student's"),
    (np.zeros((3, 2)), np.full((3, 2), np.inf), "the teacher's features hold 6 NaN or infinite"),
])
def test_other_batches_are_refused(student, teacher, words):
    with pytest.raises(ValueError, match=words):
        similarity_loss(Tensor(student), teacher)


@pytest.mark.parametrize(("old", "new"), [
    ("/ len(t) ** 2", "/ len(t)"), ("axis=1, keepdims=True", "keepdims=True"), ("** 2).sum()", "** 4).sum()"),
    ("q @ q.T", "q @ q.T + 1"), ("(squares.data == 0)", "(squares.data < 0)"), (").sqrt()", ")"),
])
def test_a_planted_mutant_is_caught(old, new):
    assert is_caught("KD-10", old, new)
