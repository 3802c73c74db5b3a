"""Hinton, Vinyals & Dean 2015, section 3: what a small network learns about MNIST from a large one's soft targets.

Three questions: how much better is a student that learns from a teacher than the same student trained on labels? What
does it know of a class that it has never seen an example of? And what if it sees two classes of ten?
"""

import time
from dataclasses import asdict, dataclass, replace

import numpy as np

from minicompress import data, models, nn
from minicompress.data import Split
from minicompress.distillation import SoftTargets
from minicompress.nn import optim

from .course import Course, jitter

VALIDATION = 1 / 60  # of the training images: a bias is chosen by them, and no epoch; the rest is for learning
PAPER = {"teacher_errors": 67, "plain_errors": 146, "distilled_errors": 74,
         "without_3s": {"errors": 206, "class_errors": 133, "as_the_paper": {"errors": 109, "class_errors": 14}},
         "only_7s_and_8s": {"errors": 4730, "as_the_paper": {"errors": 1320}}}  # of 10 000; 14 of the 1010 threes


@dataclass(frozen=True)
class Plan:
    """Sizes of hidden layers, epochs, learning rates at the start of a cosine; all students share one tuning.

    ``dropout`` is that of the teacher's hidden units, ``max_norm`` the limit on their incoming weights, ``jitter`` in
    pixels, ``warm_up`` in epochs; ``pair_epochs`` are for the transfer set of two classes, which is a fifth as large.
    ``alpha`` and ``beta`` are the parts of labels and soft targets (KD-2).
    """

    teacher: tuple = (1200, 1200)
    student: tuple = (800, 800)
    teacher_epochs: int = 70
    student_epochs: int = 60
    pair_epochs: int = 40
    teacher_lr: float = 0.1
    student_lr: float = 0.05
    warm_up: float = 3.0  # epochs: at once, the first steps towards logits of 20 and more are so large that units die
    dropout: float = 0.2
    max_norm: float = 2.0
    jitter: int = 2
    temperature: float = 20.0
    alpha: float = 0.0
    beta: float = 1.0
    batch_size: int = 128


def hinton_2015(seed, *, folder, resume=False, progress=None, say=None, dataset="mnist", plan=None):
    """One seed of the whole experiment; returns what was measured, a dict ready for JSON.

    Numbers of test errors: ``teacher_errors``, ``plain_errors`` of the student trained on labels, ``distilled_errors``;
    ``fewer_share`` is the share of the plain student's that the distilled one does not make. Two more students learn
    from transfer sets ``without_3s`` and with ``only_7s_and_8s``: their ``errors``, of which ``class_errors`` in those
    classes, and ``right``, the share of those classes' test examples that are right; then the same with one bias
    changed, ``corrected`` by validation data, which have all classes, and ``as_the_paper`` did, by the test set.
    ``paper`` has the paper's own figures under the same names.

    Args:
        folder: here the networks are saved, each checked in a fresh process, and a killed run goes on with
            ``resume=True``, as in every `Course`. ``say`` is called with a `Stage` for each; ``progress`` as for
            `nn.fit`.
        dataset: what `data.load` takes; ``plan`` is a `Plan`, by default the tuned one.

    Raises `fresh.FreshProcessError` for a file that doesn't compute what its network does, KeyboardInterrupt after
    Ctrl-C.
    """
    plan, rng, begin = plan or Plan(), np.random.default_rng(seed), time.perf_counter()
    sets = data.load(dataset, validation=VALIDATION, rng=rng)
    course = Course(sets, folder, batch_size=plan.batch_size, resume=resume, progress=progress, say=say, rng=rng)

    def train(name, model, split, epochs, lr, **options):
        fit(model, split, plan, epochs, lr, course=course, name=name, **options)
        course.write(name, model, check=True)
        return count_errors(model, sets)

    def student(name, split, objective, epochs=plan.student_epochs):
        own = np.random.default_rng([seed, 1])  # all students begin with the same weights and see the same order
        model = small_network(sets, plan, rng=own)
        return model, train(name, model, split, epochs, plan.student_lr, objective=objective, rng=own)

    teacher = large_network(sets, plan, rng=rng)
    teacher_errors = train("teacher", teacher, sets.train, plan.teacher_epochs, plan.teacher_lr,
                           augment=jitter(plan.jitter))
    _, plain = student("plain", sets.train, nn.cross_entropy)
    _, distilled = student("distilled", sets.train, soft_targets(teacher, plan))
    alone = soft_targets(teacher, plan, alpha=0.0)  # labels would say that the missing classes are never right
    without, _ = student("without_3s", only(sets.train, set(range(sets.num_classes)) - {3}), alone)
    pair, _ = student("only_7s_and_8s", only(sets.train, {7, 8}), alone, plan.pair_epochs)
    return {"seed": seed, "teacher_errors": teacher_errors, "plain_errors": plain, "distilled_errors": distilled,
            "fewer_share": 1 - distilled / plain, "without_3s": corrections(without, sets, [3]),
            "only_7s_and_8s": corrections(pair, sets, [7, 8]), "paper": PAPER, "plan": asdict(plan),
            "seconds": time.perf_counter() - begin}


def fit(model, split, plan, epochs, lr, *, course=None, name=None, **options):
    """Train as all networks here are trained: with momentum, and a cosine after a warm-up.

    A ``course`` keeps a checkpoint under a ``name``; ``options`` are `nn.fit`'s. KeyboardInterrupt passes on.
    """
    course = course or Course(None, None, batch_size=plan.batch_size, rng=None)
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    course.train(name, model, optimizer, epochs, split=split,
                 schedules=[optim.LinearLR(optimizer, 0.0, plan.warm_up)], **options)


def large_network(sets, plan, *, rng):
    """The teacher: dropout after each hidden layer, whose units' incoming weights are kept within `Plan.max_norm`."""
    sizes = [np.prod(sets.image_shape), *plan.teacher, sets.num_classes]
    layers = {}
    for name, layer in models.mlp([int(size) for size in sizes], rng=rng).children():
        layers[name] = layer
        if name.startswith("relu"):
            layers[name.replace("relu", "drop")] = nn.Dropout(plan.dropout, rng=rng)
    model = nn.Sequential(layers)
    for name, layer in model.children()[:-1]:
        if name.startswith("fc"):
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
    return int(np.sum(nn.predict(model, sets.test).argmax(axis=1) != sets.test.labels))


def corrections(model, sets, classes):
    """Test errors as they are, and with one bias for ``classes`` chosen on validation data, and on the test set."""
    test, known = nn.predict(model, sets.test), nn.predict(model, sets.validation)
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


DIGITS = Plan(teacher=(300, 300), teacher_epochs=60, student_epochs=60, student_lr=0.02, dropout=0.2, jitter=1,
              alpha=0.0, beta=1.0, batch_size=32)


def error_against_temperature(temperatures, *, widths=(300, 30), seeds=(0, 1, 2), dataset="digits", plan=DIGITS,
                              progress=None):
    """Test errors of students with two hidden layers of several widths, each distilled at several temperatures.

    Returns {units: {"distilled": (seeds, temperatures), "plain": (seeds,)}}, arrays of fractions; each seed has its
    own teacher. ``plan`` gives the rest.
    """
    sets, plain, distilled = data.load(dataset), {n: [] for n in widths}, {n: [] for n in widths}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        teacher = large_network(sets, plan, rng=rng)
        fit(teacher, sets.train, plan, plan.teacher_epochs, plan.teacher_lr, augment=jitter(plan.jitter),
            progress=progress, rng=rng)

        def error(units, objective, seed=seed):
            rng = np.random.default_rng([seed, 1])
            student = small_network(sets, replace(plan, student=(units, units)), rng=rng)
            fit(student, sets.train, plan, plan.student_epochs, plan.student_lr, objective=objective,
                progress=progress, rng=rng)
            return nn.evaluate(student, sets).error

        for units in widths:
            plain[units].append(error(units, nn.cross_entropy))
            distilled[units].append([error(units, soft_targets(teacher, plan, temperature=t)) for t in temperatures])
    return {n: {"distilled": np.array(distilled[n]), "plain": np.array(plain[n])} for n in widths}
