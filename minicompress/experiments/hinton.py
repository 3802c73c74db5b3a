"""Hinton, Vinyals & Dean 2015, section 3: what a small network learns about MNIST from a large one's soft targets.

Three questions: how much better is a student that learns from a teacher than the same student trained on labels? What
does it know of a class that it has never seen an example of? And what if it sees two classes of ten?
"""

import time
from dataclasses import asdict, dataclass, replace

import numpy as np

from minicompress import models, nn, training
from minicompress.claims import Claim, Quantity, count, percent, seconds
from minicompress.data import Split
from minicompress.distillation import SoftTargets
from minicompress.recipes.lab import Lab
from minicompress.training import Training

VALIDATION = 1 / 60  # of the training images: a bias is chosen by them, and no epoch; the rest is for learning
PAPER = {"teacher_errors": 67, "plain_errors": 146, "distilled_errors": 74,
         "without_3s": {"errors": 206, "class_errors": 133, "as_the_paper": {"errors": 109, "class_errors": 14}},
         "only_7s_and_8s": {"errors": 4730, "as_the_paper": {"errors": 1320}}}  # of 10 000; 14 of the 1010 threes


@dataclass(frozen=True)
class Plan:
    """Sizes of hidden layers, and how they train: the teacher by ``teach``, all students by one tuning, ``learn``.

    ``dropout`` is that of the teacher's hidden units, ``max_norm`` the limit on their incoming weights; ``pair_epochs``
    are for the transfer set of two classes, which is a fifth as large. ``alpha`` and ``beta`` are the parts of labels
    and soft targets (KD-2).
    """

    teacher: tuple = (1200, 1200)
    student: tuple = (800, 800)
    # The warm-up: at once, the first steps towards logits of 20 and more are so large that units die.
    teach: Training = Training(70, 0.1, 128, warm_up=3.0, jitter=2)  # noqa: RUF009 - frozen
    learn: Training = Training(60, 0.05, 128, warm_up=3.0)  # noqa: RUF009
    pair_epochs: int = 40
    dropout: float = 0.2
    max_norm: float = 2.0
    temperature: float = 20.0
    alpha: float = 0.0
    beta: float = 1.0


def run(lab, plan=Plan(), data="mnist"):
    """One seed of the whole experiment; returns what was measured, a dict ready for JSON.

    Numbers of test errors: ``teacher_errors``, ``plain_errors`` of the student trained on labels, ``distilled_errors``;
    ``fewer_share`` is the share of the plain student's that the distilled one does not make. Two more students learn
    from transfer sets ``without_3s`` and with ``only_7s_and_8s``: their ``errors``, of which ``class_errors`` in those
    classes, and ``right``, the share of those classes' test examples that are right; then the same with one bias
    changed, ``corrected`` by validation data, which have all classes, and ``as_the_paper`` did, by the test set.
    ``paper`` has the paper's own figures under the same names.

    Raises `fresh.FreshProcessError` for a file that doesn't compute what its network does, KeyboardInterrupt after
    Ctrl-C.
    """
    begin, sets = time.perf_counter(), lab.load(data, VALIDATION)

    def train(name, model, split, training, **options):
        lab.train(name, model, training, split=split, **options)
        lab.write(name, model, check=True)
        return count_errors(model, sets)

    def student(name, split, objective, training=plan.learn):
        own = np.random.default_rng([lab.seed, 1])  # all students begin with the same weights and see the same order
        model = small_network(sets, plan, rng=own)
        return model, train(name, model, split, training, objective=objective, rng=own)

    teacher = large_network(sets, plan, rng=lab.rng)
    teacher_errors = train("teacher", teacher, sets.train, plan.teach)
    _, plain = student("plain", sets.train, training.supervised)
    _, distilled = student("distilled", sets.train, soft_targets(teacher, plan))
    alone = soft_targets(teacher, plan, alpha=0.0)  # labels would say that the missing classes are never right
    without, _ = student("without_3s", only(sets.train, set(range(sets.num_classes)) - {3}), alone)
    pair, _ = student("only_7s_and_8s", only(sets.train, {7, 8}), alone, replace(plan.learn, epochs=plan.pair_epochs))
    return {"teacher_errors": teacher_errors, "plain_errors": plain, "distilled_errors": distilled,
            "fewer_share": 1 - distilled / plain, "without_3s": corrections(without, sets, [3]),
            "only_7s_and_8s": corrections(pair, sets, [7, 8]), "paper": PAPER, "plan": asdict(plan),
            "seconds": time.perf_counter() - begin}


def large_network(sets, plan, *, rng):
    """The teacher: dropout after each hidden layer, whose units' incoming weights are kept within `Plan.max_norm`."""
    model = models.mlp([int(np.prod(sets.image_shape)), *plan.teacher, sets.num_classes], dropout=plan.dropout, rng=rng)
    for layer in [layer for layer in model if isinstance(layer, nn.Linear)][:-1]:
        nn.project(layer.weight, nn.MaxNorm(plan.max_norm))
    return model


def small_network(sets, plan, *, rng):
    """The student, an MLP."""
    return models.mlp([int(np.prod(sets.image_shape)), *plan.student, sets.num_classes], rng=rng)


def soft_targets(teacher, plan, **changes):
    """The objective of distillation as a plan has it, but for ``changes``."""
    options = {"temperature": plan.temperature, "alpha": plan.alpha, "beta": plan.beta}
    return SoftTargets(teacher, **options | changes)


def only(split, classes):
    """The examples of these classes.

    >>> only(Split(np.eye(3), np.array([7, 3, 8])), {7, 8}).labels.tolist()
    [7, 8]
    """
    kept = np.isin(split.labels, list(classes))
    return Split(split.images[kept], split.labels[kept], split.scale)


def count_errors(model, sets):
    """How many test examples a model gets wrong."""
    return int(np.sum(training.predict(model, sets.test).argmax(axis=1) != sets.test.labels))


def corrections(model, sets, classes):
    """Test errors as they are, and with one bias for ``classes`` chosen on validation data, and on the test set."""
    test, known = training.predict(model, sets.test), training.predict(model, sets.validation)
    of_classes = np.isin(sets.test.labels, classes)

    def shifted(shift):
        logits = test.copy()
        logits[:, classes] += np.float32(shift)
        wrong = logits.argmax(axis=1) != sets.test.labels
        return {"shift": shift, "errors": int(wrong.sum()), "class_errors": int(wrong[of_classes].sum()),
                "right": 1 - float(wrong[of_classes].mean())}

    return shifted(0.0) | {"corrected": shifted(best_shift(known, sets.validation.labels, classes)),
                           "as_the_paper": shifted(best_shift(test, sets.test.labels, classes))}


def best_shift(logits, labels, classes):
    """The number that, added to the logits (N, C) of some classes, leaves the fewest errors: exactly, by one sort.

    Example n goes to one of ``classes`` where the shift exceeds t_n, the best other logit less the best of theirs. So
    the count changes only at the sorted t_n; of the widest interval with the fewest errors it is the middle.

    >>> best_shift(np.array([[5.0, 1.0], [3.0, 1.0], [9.0, 1.0]]), np.array([0, 1, 0]), [1])
    3.0
    """
    inside = np.isin(np.arange(logits.shape[1]), classes)
    within, others = np.where(inside, logits, -np.inf), np.where(inside, -np.inf, logits)
    thresholds = (others.max(axis=1) - within.max(axis=1)).astype(np.float64)
    order = np.argsort(thresholds)
    gained = (within.argmax(axis=1) == labels).astype(int) - (others.argmax(axis=1) == labels)
    right = np.concatenate([[0], np.cumsum(gained[order])])  # when 0, 1, … N examples have gone over
    edges = thresholds[order[0]] - 1, *thresholds[order], thresholds[order[-1]] + 1
    widths = np.diff(edges)
    best = np.where(widths > 0, right, -np.inf)  # examples of one threshold go over together
    widest = np.where(best == best.max(), widths, 0).argmax()
    return float(edges[widest] + widths[widest] / 2)


DIGITS = Plan(teacher=(300, 300), teach=Training(60, 0.1, 32, warm_up=3.0, jitter=1),
              learn=Training(60, 0.02, 32, warm_up=3.0))


def error_against_temperature(temperatures, *, widths=(300, 30), seeds=(0, 1, 2), data="digits", plan=DIGITS,
                              progress=None):
    """Test errors of students with two hidden layers of several widths, each distilled at several temperatures.

    Returns {units: {"distilled": (seeds, temperatures), "plain": (seeds,)}}, arrays of fractions; each seed has its
    own teacher. ``plan`` gives the rest.
    """
    plain, distilled = {n: [] for n in widths}, {n: [] for n in widths}
    for seed in seeds:
        lab = Lab(seed, progress=progress)
        sets = lab.load(data, validation=0)
        teacher = large_network(sets, plan, rng=lab.rng)
        lab.train("teacher", teacher, plan.teach, split=sets.train)

        def error(units, objective, lab=lab, sets=sets):
            rng = np.random.default_rng([lab.seed, 1])
            student = small_network(sets, replace(plan, student=(units, units)), rng=rng)
            lab.train("student", student, plan.learn, split=sets.train, objective=objective, rng=rng)
            return training.evaluate(student, sets).error

        for units in widths:
            plain[units].append(error(units, training.supervised))
            distilled[units].append([error(units, soft_targets(teacher, plan, temperature=t)) for t in temperatures])
    return {n: {"distilled": np.array(distilled[n]), "plain": np.array(plain[n])} for n in widths}


CLAIMS = {"hinton-2015": Claim(run, (
    Quantity("teacher_errors", count, "test errors: teacher 1200-1200, dropout, jitter", at_most=80, paper=67),
    Quantity("plain_errors", count, "student 800-800 on labels", at_most=160, paper=146),
    Quantity("distilled_errors", count, "the same student on soft targets, T = 20", at_most=90, paper=74),
    Quantity("fewer_share", percent, "… fewer errors than on labels", at_least=0.35, paper=1 - 74 / 146),
    Quantity("without_3s.errors", count, "without 3s in the transfer set", paper=206),
    Quantity("without_3s.right", percent, "… of the 3s right", paper=1 - 133 / 1010),
    Quantity("without_3s.corrected.errors", count, "… one bias corrected on validation data", at_most=150),
    Quantity("without_3s.corrected.right", percent, "… of the 3s right", at_least=0.95),
    Quantity("without_3s.as_the_paper.errors", count, "… corrected on the test set, as the paper did", paper=109),
    Quantity("without_3s.as_the_paper.right", percent, "… of the 3s right", paper=1 - 14 / 1010),
    Quantity("only_7s_and_8s.errors", count, "only 7s and 8s in the transfer set", paper=4730),
    Quantity("only_7s_and_8s.right", percent),
    Quantity("only_7s_and_8s.corrected.errors", count, "… corrected on validation data"),
    Quantity("only_7s_and_8s.corrected.right", percent),
    Quantity("only_7s_and_8s.as_the_paper.errors", count, "… corrected on the test set, as the paper did", paper=1320),
    Quantity("only_7s_and_8s.as_the_paper.right", percent),
    Quantity("seconds", seconds, "seconds", at_most=3600)), model="mlp:784,800,800,10")}
