"""Losses on features, at layers of any model."""

import numpy as np
import pytest

from minicompress import data, models, nn, training
from minicompress.distillation import Match, Matching, SoftTargets, tapped
from minicompress.engine import Tensor
from tests.mutants import mutate

RNG = np.random.default_rng


def distance(student, teacher):
    return ((student - teacher) ** 2).mean()


def teacher():
    """Of another depth than the student, with batch norm and dropout, whose modes are told from each other."""
    model = nn.Sequential({"body": nn.Sequential({"fc": nn.Linear(6, 5, rng=RNG(1)), "bn": nn.BatchNorm1d(5),
                                                  "relu": nn.ReLU(), "drop": nn.Dropout(0.5, rng=RNG(2))}),
                           "head": nn.Linear(5, 3, rng=RNG(3))})
    model.body.bn.running_mean = RNG(4).normal(0, 1, 5).astype(np.float32)
    return model


def batch_of(x, y=None):
    return next(iter(data.batches((x, y) if y is not None else x, len(x))))


X, Y = RNG(5).normal(0, 1, (8, 6)).astype(np.float32), np.arange(8) % 3


def law_the_sum_of_its_parts(matching_class):
    """Of weighted losses, each on what the named layers give, and the inner objective, in one pass of the student."""
    student, guide, calls = models.mlp([6, 5, 3], rng=RNG(0)), teacher(), []
    objective = matching_class(guide, Match(distance, "relu1", "body.relu", weight=0.5), Match(distance, "fc2", "head"),
                               objective=lambda model, batch: calls.append(1) or training.supervised(model, batch))
    batch = batch_of(X, Y)
    found = objective(student, batch)
    with nn.evaluating(guide):
        inner = guide.body.relu(guide.body.bn(guide.body.fc(Tensor(X)))).data
        outer = guide(Tensor(X)).data
    hidden = student.relu1(student.fc1(Tensor(X)))
    expected = (0.5 * distance(hidden, inner) + distance(student.fc2(hidden), outer)
                + training.supervised(student, batch))
    np.testing.assert_allclose(found.item(), expected.item(), rtol=1e-6)
    assert len(calls) == 1 and guide.training and guide.body.drop.training
    found.backward()
    assert student.fc1.weight.grad.any() and guide.body.fc.weight.grad is None


def test_the_loss_is_the_sum_of_its_parts():
    law_the_sum_of_its_parts(Matching)


@pytest.mark.parametrize(("old", "new"), [
    ("_answer(self.teacher, batch.x)", "self.teacher(Tensor(batch.x))"), ("match.weight * match.loss", "match.loss"),
    ("[own, *parts[1:]]", "parts[1:]"), ("[own, *parts[1:]]", "[own]"),
    ("teacher[theirs].data", "student[ours].data"),
])
def test_a_planted_bug_is_caught(old, new):
    from minicompress.distillation import matching
    with pytest.raises((AssertionError, KeyError, ValueError)):
        law_the_sum_of_its_parts(mutate(matching, old, new).Matching)


def test_without_another_objective_no_labels_are_needed():
    student, guide = models.mlp([6, 5, 3], rng=RNG(0)), models.mlp([6, 5, 3], rng=RNG(1))
    history = training.fit(student, X, epochs=20, objective=Matching(guide, Match(distance, "fc2"), objective=None),
                           progress=False, rng=RNG(2))
    assert history.loss[-1] < history.loss[0] / 2


def test_soft_targets_and_features_together_resume_with_the_same_bits(tmp_path):
    def run(epochs, **options):
        student, guide = models.mlp([6, 5, 3], rng=RNG(0)), models.mlp([6, 5, 3], rng=RNG(1))
        objective = Matching(guide, Match(distance, "relu1"), objective=SoftTargets(guide, temperature=2, alpha=0.5))
        stop = [len(X) // 4 * epochs]

        def until(step, steps_per_epoch):
            if step == stop[0]:
                raise KeyboardInterrupt
        training.fit(student, (X, Y), epochs=4, batch_size=4, objective=objective, schedule=until, progress=False,
                     rng=RNG(2), **options)
        return {name: array.tobytes() for name, array in student.state_dict().items()}

    whole = run(9)
    run(2, checkpoint=tmp_path / "run")
    assert run(9, checkpoint=tmp_path / "run", resume=True) == whole


def test_any_named_layer_is_tapped_once():
    model, shared = None, nn.Linear(6, 6, rng=RNG(0))
    model = nn.Sequential({"a": shared, "inner": nn.Sequential({"relu": nn.ReLU()}), "b": shared})
    with tapped(model, ["a", "b", "inner.relu", "inner", ""]) as features:
        y = model(Tensor(X))
    assert features["b"] is features["a"]  # one layer under two names
    assert features["a"].data.tobytes() == shared(Tensor(X)).data.tobytes() and features[""] is y
    assert features["inner.relu"] is features["inner"]


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: Match(3, "fc1"), TypeError, "loss is 3, expected a callable"),
    (lambda: Match(distance, "fc1", weight=-1), ValueError, "weight is -1"),
    (lambda: Matching("big", Match(distance, "fc1")), TypeError, "teacher is a str, expected a Module"),
    (lambda: Matching(teacher()), ValueError, "expected one Match or more"),
    (lambda: Matching(teacher(), distance), ValueError, "expected one Match or more"),
    (lambda: Matching(teacher(), Match(distance, "fc9"))(models.mlp([6, 3], rng=RNG(0)), batch_of(X, Y)), ValueError,
     r"layers \['fc9'\], expected some of"),
    (lambda: Matching(teacher(), Match(distance, "fc1", "relu7"))(models.mlp([6, 3], rng=RNG(0)), batch_of(X, Y)),
     ValueError, r"layers \['relu7'\], expected some of"),
])
def test_what_makes_no_objective_is_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()
