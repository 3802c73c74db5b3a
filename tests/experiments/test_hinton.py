"""The experiment on soft targets, small: who learns from what, what a bias makes good, and that a seed is a run."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicompress import container, data, nn, training
from minicompress.distillation import SoftTargets
from minicompress.experiments import hinton
from minicompress.recipes import Lab
from minicompress.training import Training
from tests.mutants import mutate

pytestmark = pytest.mark.usefixtures("in_this_process")
PLAN = hinton.Plan(teacher=(30, 30), student=(20,), teach=Training(6, 0.1, 64, warm_up=3, jitter=1),
                   learn=Training(5, 0.05, 64, warm_up=3), pair_epochs=4, alpha=0.25, beta=0.5)


def run(folder, seed=0, **options):
    return hinton.run(Lab(seed, folder, progress=False, **options), PLAN, "digits")


def test_who_learns_from_what(tmp_path, fits):
    said = []
    report = run(tmp_path, say=said.append)
    teacher, *students = fits
    assert [stage.name for stage in said] == ["teacher", "plain", "distilled", "without_3s", "only_7s_and_8s"]
    assert [sorted(set(call.data.labels)) for call in students] == [
        [*range(10)], [*range(10)], [0, 1, 2, 4, 5, 6, 7, 8, 9], [7, 8]]
    assert [call.options["epochs"] for call in fits] == [6, 5, 5, 5, 4]
    assert teacher.options["augment"] == data.Jitter(1) and teacher.follows_cosine(PLAN.teach.lr, warm_up=3)
    assert not any(call.options.get("augment") for call in students), "students see no jitter"
    assert students[0].options["objective"] is training.supervised
    for call in students:
        assert call.follows_cosine(PLAN.learn.lr, warm_up=3) and call.options["batch_size"] == PLAN.learn.batch_size
        same_weights, _, same_order = call.begins_as(students[0])
        assert same_weights and same_order, "all begin alike"
        assert [layer for layer in call.model if isinstance(layer, nn.Dropout)] == []
    for alpha, call in zip((0.25, 0, 0), students[1:], strict=True):
        objective = call.options["objective"]
        assert isinstance(objective, SoftTargets) and objective.teachers == [teacher.model]
        assert {"temperature": 20, "alpha": alpha, "beta": 0.5, "scale": "T^2"}.items() <= objective.options.items()
    test = data.load("digits").test
    for stage, errors in zip(said, [report["teacher_errors"], report["plain_errors"], report["distilled_errors"],
                                    report["without_3s"]["errors"], report["only_7s_and_8s"]["errors"]], strict=True):
        loaded = container.load(stage.path)
        assert np.sum(training.predict(loaded, test).argmax(axis=1) != test.labels) == errors
        assert stage.error == errors / len(test.images) and stage.bytes == stage.path.stat().st_size
    assert report["fewer_share"] == 1 - report["distilled_errors"] / report["plain_errors"]
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report, allow_nan=False))


def test_the_same_seed_gives_the_same_files(tmp_path):
    for folder in "ab":
        run(tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        if path.suffix == ".mcz":
            assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_run_that_is_interrupted_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("minicompress.recipes.lab.fit", lambda *_, **__: training.History(interrupted=True))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)


def test_the_teacher_keeps_its_weights_within_the_limit():
    sets, plan = data.load("digits"), replace(PLAN, max_norm=0.4)
    model = hinton.large_network(sets, plan, rng=np.random.default_rng(0))
    names = [name for name, _ in model.children()]
    assert names == ["flatten", "fc1", "relu1", "drop1", "fc2", "relu2", "drop2", "fc3"]
    training.fit(model, sets.train, Training(2, 0.5, 64, warm_up=3), progress=False, rng=np.random.default_rng(0))
    for layer, limited in ((model.fc1, True), (model.fc2, True), (model.fc3, False)):
        norms = np.linalg.norm(layer.weight.data, axis=1)
        assert (norms.max() <= 0.4 * (1 + 1e-5)) == limited


# The bias


def law_no_other_shift_leaves_fewer_errors(m, logits, labels, classes):
    inside = np.isin(np.arange(logits.shape[1]), classes)

    def errors(shift):
        return int(np.sum((logits + shift * inside).argmax(axis=1) != labels))

    found = m.best_shift(logits, labels, classes)
    thresholds = np.unique(logits[:, ~inside].max(axis=1) - logits[:, inside].max(axis=1))
    between = (thresholds[1:] + thresholds[:-1]) / 2  # every count that there is is reached at one of these
    candidates = [thresholds[0] - 1, *between, thresholds[-1] + 1]
    assert isinstance(found, float) and np.isfinite(found)
    assert errors(found) == min(map(errors, candidates))
    assert np.abs(thresholds - found).min() >= 1 / 16, "the middle of an interval, not its edge"


TIED = np.array([[-3.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), np.array([1, 1, 0]), [1]  # two go over at once: gain and loss
CASES = st.integers(2, 5).flatmap(lambda c: st.tuples(
    st.integers(1, 12).flatmap(lambda n: st.tuples(
        hnp.arrays(np.float64, (n, c), elements=st.integers(-24, 24).map(lambda i: i / 8)),
        hnp.arrays(np.int64, n, elements=st.integers(0, c - 1)))),
    st.lists(st.integers(0, c - 1), min_size=1, max_size=c - 1, unique=True)))


@given(CASES)
def test_no_other_shift_leaves_fewer_errors(case):
    (logits, labels), classes = case
    law_no_other_shift_leaves_fewer_errors(hinton, logits, labels, classes)


def test_examples_of_one_threshold_go_over_together():
    law_no_other_shift_leaves_fewer_errors(hinton, *TIED)


@pytest.mark.parametrize(("old", "new"), [
    ("others.max(axis=1) - within.max(axis=1)", "within.max(axis=1) - others.max(axis=1)"),
    ("edges[widest] + widths[widest] / 2", "edges[widest]"),
    ("np.where(widths > 0, right, -np.inf)", "right"),
    ("gained[order]", "gained"),
    ("[0], np.cumsum", "[1], np.cumsum"),
    ("np.where(inside, -np.inf, logits)", "logits"),
])
def test_a_planted_bug_is_caught(old, new):
    mutant, rng = mutate(hinton, old, new), np.random.default_rng(0)
    with pytest.raises((AssertionError, IndexError)):
        law_no_other_shift_leaves_fewer_errors(mutant, *TIED)
        for n in range(40):
            logits = rng.integers(-24, 24, (1 + n % 12, 4)) / 8
            law_no_other_shift_leaves_fewer_errors(mutant, logits, rng.integers(0, 4, len(logits)), [1, 2])


def test_corrections_shift_the_classes_alone():
    digits, rng = data.load("digits", validation=0.1, rng=np.random.default_rng(0)), np.random.default_rng(1)
    model = hinton.small_network(digits, PLAN, rng=rng)
    others = hinton.only(digits.train, {*range(10)} - {3})
    training.fit(model, others, replace(PLAN.learn, lr=0.1), progress=False, rng=rng)
    found = hinton.corrections(model, digits, [3])
    logits, labels = training.predict(model, digits.test), digits.test.labels
    assert found["shift"] == 0 and found["errors"] == np.sum(logits.argmax(axis=1) != labels)
    for result in (found, found["corrected"], found["as_the_paper"]):
        wrong = (logits + np.float32(result["shift"]) * (np.arange(10) == 3)).argmax(axis=1) != labels
        assert result["errors"] == wrong.sum() and result["class_errors"] == wrong[labels == 3].sum()
        assert result["right"] == pytest.approx(1 - wrong[labels == 3].mean())
    assert found["as_the_paper"]["errors"] <= min(found["errors"], found["corrected"]["errors"])
    assert found["as_the_paper"]["shift"] == hinton.best_shift(logits, labels, [3])
    validation = training.predict(model, digits.validation)
    assert found["corrected"]["shift"] == hinton.best_shift(validation, digits.validation.labels, [3])


def test_error_against_temperature_has_a_number_for_each_student():
    plan = replace(PLAN, teach=replace(PLAN.teach, epochs=1), learn=replace(PLAN.learn, epochs=1))
    students = hinton.error_against_temperature([1, 20], widths=(5, 9), seeds=(3, 4), plan=plan, progress=False)
    assert list(students) == [5, 9]
    for errors in students.values():
        assert errors["distilled"].shape == (2, 2) and errors["plain"].shape == (2,)
        assert all(((0 < part) & (part <= 1)).all() for part in errors.values())
    again = hinton.error_against_temperature([20], widths=(9,), seeds=(4,), plan=plan, progress=False)
    assert again[9]["distilled"][0, 0] == students[9]["distilled"][1, 1]
    assert again[9]["plain"][0] == students[9]["plain"][1]


def test_each_student_has_its_temperature_and_each_seed_its_networks(fits):
    fits.trains = False
    hinton.error_against_temperature([1, 20], widths=(5, 9), seeds=(3, 4), plan=PLAN, progress=False)
    seeds = fits[:7], fits[7:]
    for teacher, *students in seeds:
        assert [call.model.fc1.weight.shape for call in students] == [(5, 64)] * 3 + [(9, 64)] * 3
        for temperature, call in zip([None, 1, 20] * 2, students, strict=True):
            objective = call.options["objective"]
            if temperature is None:
                assert objective is training.supervised
            else:
                assert objective.options["temperature"] == temperature and objective.teachers == [teacher.model]
        for plain, *distilled in (students[:3], students[3:]):
            assert [call.begins_as(plain) for call in distilled] == [[True] * 3] * 2
    for one, other in zip(*seeds, strict=True):
        assert one.begins_as(other) == [False, True, False], "other weights and order, the same images"
