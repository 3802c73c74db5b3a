"""Distillation in the one training loop: teachers stay as they are, and are asked no more often than needed."""

import functools

import numpy as np
import pytest

from minicompress import data, models, nn, training
from minicompress.data import Batch, Jitter, Split, batches
from minicompress.distillation import SoftTargets, objective, soft_target_loss
from minicompress.engine import Tensor
from minicompress.training import optim
from tests.mutants import mutate

OPTIONS = {"temperature": 4.0, "alpha": 0.25}


@functools.cache
def digits():
    train = data.load("digits").train
    return Split(train.images[:96], train.labels[:96], train.scale)


def noisy_teacher(seed=0):
    """One that answers differently in training, and changes by it: dropout draws, batch norm remembers."""
    rng = np.random.default_rng(seed)
    teacher = nn.Sequential(nn.Flatten(), nn.Linear(64, 30, rng=rng), nn.BatchNorm1d(30), nn.ReLU(),
                            nn.Dropout(0.5, rng=rng), nn.Linear(30, 10, rng=rng))
    teacher[5].weight.data *= 20  # answers that differ from each other
    return teacher


def student(seed=1):
    return models.mlp([64, 20, 10], rng=np.random.default_rng(seed))


def state(module):
    return ({name: array.tobytes() for name, array in module.state_dict().items()},
            [str(generator.bit_generator.state) for _, generator in module.generators()],
            [m.training for _, m in module.named_modules()], [p.grad for p in module.parameters()])


class Asked:
    """Counts the examples that a module is asked about inside ``with``."""

    def __init__(self, module):
        self.module, self.examples = module, 0
        self.observing = nn.observe(self.note)

    def note(self, module, x, y):
        self.examples += len(x.data) if module is self.module else 0

    def __enter__(self):
        self.observing.__enter__()
        return self

    def __exit__(self, *exception):
        self.observing.__exit__(*exception)


# What holds of the objective, `m` being its module


def law_it_is_the_loss_against_the_teachers_in_evaluation(m):
    teachers, model, rng = [noisy_teacher(0), noisy_teacher(3)], student(), np.random.default_rng(0)
    unequal = {"weights": (0.25, 0.75)}
    for some, how in ((teachers[:1], {"combine": "logits"}), (teachers, {"combine": "probabilities"}),
                      (teachers, unequal), (teachers, {"combine": "logits"} | unequal)):
        objective = m.SoftTargets(some, **OPTIONS, **how)
        for augment in (None, Jitter(1)):
            for batch in batches(digits(), 40, rng=rng, shuffle=True, augment=augment):
                answers = [training.predict(teacher, batch.x) for teacher in some]
                expected = soft_target_loss(model(Tensor(batch.x)), answers, batch.y, **OPTIONS, **how)
                assert objective(model, batch).item() == pytest.approx(expected.item(), rel=1e-5)


def law_teachers_stay_as_they_are(m):
    teacher = noisy_teacher()
    teacher[2].training = False  # flags of its own
    before = state(teacher)
    for augment in (None, Jitter(1)):
        training.fit(student(), digits(), epochs=2, objective=m.SoftTargets(teacher, **OPTIONS), augment=augment,
               progress=False, rng=np.random.default_rng(0))
        assert state(teacher) == before


def law_unchanged_examples_are_asked_about_once(m):
    teacher = noisy_teacher()
    objective = m.SoftTargets(teacher, **OPTIONS)
    with Asked(teacher) as asked:
        for expected in (96, 96):  # the second time nothing is asked
            training.fit(student(), digits(), epochs=3, objective=objective, progress=False,
                         rng=np.random.default_rng(0))
            assert asked.examples == expected
        training.fit(student(), digits(), epochs=2, objective=objective, augment=Jitter(1), progress=False,
               rng=np.random.default_rng(0))
        assert asked.examples == 96 + 2 * 96


def law_other_data_are_not_mistaken(m):
    teacher = noisy_teacher()
    objective = m.SoftTargets(teacher, **OPTIONS)
    other = Split(digits().images[::-1], digits().labels[::-1], digits().scale)
    for split in (digits(), other, digits()):
        for batch in batches(split, 40):
            for known in (batch, Batch(batch.x, batch.y, batch.indices)):
                expected = training.predict(teacher, batch.x)
                np.testing.assert_allclose(objective.logits(known)[0], expected, rtol=0, atol=1e-4)


LAWS = [law for name, law in sorted(globals().items()) if name.startswith("law_")]


@pytest.mark.parametrize("law", LAWS)
def test_law(law):
    law(objective)


@pytest.mark.parametrize(("old", "new"), [
    ("with evaluating(teacher):\n        return", "if True:\n        return"),
    ("if batch.split is None:", "if False:"),
    ("if batch.split is None:", "if True:"),
    ("if batch.split is not self._split:", "if self._split is None:"),
    ("if batch.split is not self._split:", "if True:"),
    ("logits[batch.indices]", "logits[:len(batch.indices)]"),
    ("for teacher in self.teachers]\n        return", "for teacher in self.teachers[:1]]\n        return"),
    ("batch.y, **self.options)", "batch.y, **self.options | {'temperature': 1.0})"),
    ("_answer(teacher, batch.x)", "_answer(teacher.train(), batch.x)"),
    ("mixture(weights, len", "mixture(None, len"),
])
def test_a_planted_bug_is_caught(old, new):
    mutant = mutate(objective, old, new)
    with pytest.raises((AssertionError, ValueError, IndexError, AttributeError, TypeError)):
        for law in LAWS:
            law(mutant)


def run(kill_at=None, checkpoint=None, resume=False, augment=None):
    """One run of distillation, everything in it made afresh; killed in a step, or to its end."""
    teacher, model, moments = noisy_teacher(), student(), iter([step == kill_at for step in range(100)])
    objective = SoftTargets([teacher, noisy_teacher(5)], **OPTIONS)

    def until_killed(step, steps_per_epoch):
        if next(moments):
            raise SystemExit

    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    training.fit(model, digits(), epochs=4, objective=objective, optimizer=optimizer, schedule=until_killed,
                 augment=augment, batch_size=32, checkpoint=checkpoint, resume=resume, progress=False,
                 rng=np.random.default_rng(2))
    return state(model)[0]


@pytest.mark.parametrize("augment", [None, Jitter(1)])
def test_a_killed_run_resumes_with_the_same_bits(augment, tmp_path):
    expected = run(augment=augment)
    for step in (0, 4, 11):
        with pytest.raises(SystemExit):
            run(step, tmp_path / f"{step}", augment=augment)
        assert run(checkpoint=tmp_path / f"{step}", resume=True, augment=augment) == expected


def test_a_student_learns_from_unlabelled_examples():
    """The answers of a trained teacher are enough, labels or none: it agrees with most of them, unseen ones too."""
    sets, rng = data.load("digits"), np.random.default_rng(0)
    teacher, model = models.mlp([64, 60, 10], rng=rng), student()
    training.fit(teacher, sets, epochs=15, progress=False, rng=rng)
    unlabelled = Split(sets.train.images, scale=sets.scale)
    training.fit(model, unlabelled, epochs=15, objective=SoftTargets(teacher, temperature=8.0, alpha=0.0),
                 progress=False, rng=rng)
    agreed = training.predict(model, sets.test).argmax(axis=1) == training.predict(teacher, sets.test).argmax(axis=1)
    assert agreed.mean() > 0.9


def test_without_labels_alpha_must_be_zero():
    with pytest.raises(ValueError, match=r"alpha is 0\.25, expected 0, as there are no labels"):
        training.fit(student(), Split(digits().images), epochs=1, objective=SoftTargets(noisy_teacher(), **OPTIONS),
               progress=False, rng=np.random.default_rng(0))


@pytest.mark.parametrize(("teacher", "options", "error", "message"), [
    (None, {}, TypeError, "teacher is a NoneType, expected a Module or a list"),
    ([], {}, ValueError, "for 0 teachers"),
    (student(), {"temperature": 0.0}, ValueError, "temperature is 0.0"),
    (student(), {"alpha": 2.0}, ValueError, "alpha is 2.0"),
    (student(), {"scale": 1}, ValueError, "scale is 1, expected"),
    ([student(), student()], {"weights": [0.5, 0.6]}, ValueError, "of sum 1"),
])
def test_what_does_not_fit_is_refused_before_training(teacher, options, error, message):
    with pytest.raises(error, match=message):
        SoftTargets(teacher, **OPTIONS | options)


def test_a_teacher_of_other_classes_is_refused():
    objective = SoftTargets(models.mlp([64, 9], rng=np.random.default_rng(0)), **OPTIONS)
    with pytest.raises(ValueError, match=r"shape \(64, 9\), expected the student's, \(64, 10\)"):
        training.fit(student(), digits(), epochs=1, objective=objective, progress=False, rng=np.random.default_rng(0))
