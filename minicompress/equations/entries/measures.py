"""Entries of measures: of classification (ME-1), of files (ME-2), of operations and parameters (ME-3)."""

from itertools import pairwise

import numpy as np

from .. import measures as literal
from ..ledger import Equation, Trap, resolve
from ..suite import agrees, close, hold
from .draw import listed

TEXTBOOK = "Manning et al. 2008, Introduction to Information Retrieval"
PREDICTIONS = {"predictions": "predicted classes, (N,)", "labels": "true classes, (N,)"}


MOST_CLASSES = 6


def answers(rng, size):
    """Predictions and labels of 3 to 6 classes, the last of which is never seen."""
    classes = int(rng.integers(3, MOST_CLASSES + 1))
    return *rng.integers(0, classes - 1, (2, size + 1)), classes


def is_a_share(f, *inputs):
    for part in f(*inputs) if len(f.results) > 1 else [f(*inputs)]:
        hold((part >= 0) & (part <= 1), f"{part.tolist()} is outside 0 to 1")


def _measured(pick):
    def adapt(measures):
        return lambda predictions, labels, classes: pick(measures(predictions, labels, classes))
    return adapt


# ---------------------------------------------------------------------------------------------------------------------
# ME-1


def _right_is_perfect(f, predictions, labels):
    hold(f(labels, labels) == 1, "predictions that are all right have accuracy 1")


def _names_do_not_matter(f, predictions, labels):
    turned = MOST_CLASSES - 1 - predictions, MOST_CLASSES - 1 - labels
    hold(f(*turned) == f(predictions, labels), "classes may be numbered otherwise")


ACCURACY = Equation(
    id="ME-1:accuracy", title="accuracy", source=TEXTBOOK,
    latex=r"\frac{1}{N} \sum_n \mathbf{1}[\hat y_n = y_n]", formula="(number of right predictions) / N",
    arguments=PREDICTIONS, results={"accuracy": "a number"},
    implementation="minicompress.nn.metrics.measures",
    adapt=lambda measures: lambda predictions, labels: measures(predictions, labels, MOST_CLASSES).accuracy,
    reference=listed(literal.accuracy), inputs=lambda rng, size: answers(rng, size)[:2],
    properties={"is a fraction from 0 to 1": is_a_share, "all right is 1": _right_is_perfect,
                "names of classes don't matter": _names_do_not_matter,
                "is what the formula gives": agrees(listed(literal.accuracy), 4)},
    traps=(Trap("error", "this is the error, the share of wrong predictions.", lambda p, y: np.mean(p != y)),
           Trap("percent", "this is a percentage: shares are fractions here.", lambda p, y: 100.0 * np.mean(p == y)),
           Trap("of one class", "this looks at class 1 alone.", lambda p, y: np.mean((p == 1) == (y == 1))),
           Trap("product", "this is 1 where classes agree and are not 0.", lambda p, y: np.mean((p == y) & (y > 0)))))


def _counts_all(f, predictions, labels, classes):
    hold(f(predictions, labels, classes).sum() == len(labels), "every example counts once")


def _rows_are_true(f, predictions, labels, classes):
    hold(f(predictions, labels, classes).sum(axis=1) == np.bincount(labels, minlength=classes),
         "row c sums to the examples whose true class is c")


CONFUSION = Equation(
    id="ME-1:confusion", title="confusion matrix", source=TEXTBOOK,
    latex=r"M_{cd} = \#\{n : y_n = c, \hat y_n = d\}", formula="M[c][d] = number of examples of class c predicted as d",
    arguments=PREDICTIONS | {"classes": "their number"}, results={"table": "(classes, classes), true by predicted"},
    implementation="minicompress.nn.metrics.measures", adapt=_measured(lambda found: found.confusion),
    reference=listed(literal.confusion), inputs=answers,
    properties={"every example counts once": _counts_all, "rows are the true classes": _rows_are_true,
                "is what the formula gives": agrees(listed(literal.confusion), 0)},
    traps=(Trap("transposed", "rows and columns have changed places: a row is a true class.",
                lambda p, y, k: np.array(literal.confusion(y.tolist(), p.tolist(), k))),
           Trap("last wins", "equal pairs count once: `table[labels, predictions] += 1` does not add up.",
                lambda p, y, k: (np.array(literal.confusion(p.tolist(), y.tolist(), k)) > 0).astype(int)),
           Trap("shares", "these are shares of each class: asked for are counts.",
                lambda p, y, k: np.nan_to_num(np.array(literal.confusion(p.tolist(), y.tolist(), k))
                                              / np.bincount(y, minlength=k)[:, None]))))


def _per_class(predictions, labels, classes):
    return tuple(zip(*(literal.precision_recall_f1(predictions, labels, c) for c in range(classes)), strict=True))


def _harmonic(f, predictions, labels, classes):
    precision, recall, f1 = f(predictions, labels, classes)
    close(f, f1 * (precision + recall), 2 * precision * recall, "f1 is not the harmonic mean of precision and recall",
          16, 1.0)


def _exchange(f, predictions, labels, classes):
    precision, recall, _ = f(predictions, labels, classes)
    turned = f(labels, predictions, classes)
    close(f, turned[0], recall, "with labels and predictions exchanged, precision becomes recall", 4, 1.0)
    close(f, turned[1], precision, "with labels and predictions exchanged, recall becomes precision", 4, 1.0)


def _exchanged(predictions, labels, classes):
    return _per_class(labels.tolist(), predictions.tolist(), classes)


def _arithmetic(predictions, labels, classes):
    precision, recall, _ = _per_class(predictions.tolist(), labels.tolist(), classes)
    return precision, recall, (np.array(precision) + recall) / 2


PER_CLASS = Equation(
    id="ME-1", title="precision, recall and F1 of each class", source=TEXTBOOK,
    latex=r"P = \frac{TP}{TP + FP},\quad R = \frac{TP}{TP + FN},\quad F_1 = \frac{2PR}{P + R}",
    formula="P = TP/(TP + FP),   R = TP/(TP + FN),   F1 = 2PR/(P + R),   0/0 = 0",
    arguments=PREDICTIONS | {"classes": "their number"},
    results={"precision": "(classes,)", "recall": "(classes,)", "f1": "(classes,)"},
    implementation="minicompress.nn.metrics.measures",
    adapt=_measured(lambda found: (found.precision, found.recall, found.f1)), reference=listed(_per_class),
    inputs=answers,
    properties={"are fractions from 0 to 1": is_a_share, "F1 is the harmonic mean": _harmonic,
                "exchanging truth and prediction exchanges them": _exchange,
                "is what the formula gives": agrees(listed(_per_class), 8, lambda *_: 1.0)},
    traps=(Trap("exchanged", "precision and recall have changed places.", _exchanged),
           Trap("arithmetic mean", "this F1 is the arithmetic mean: it is the harmonic one.",
                _arithmetic),
           Trap("0/0 is 1", "a class never predicted, or never seen, has 0/0, which is defined as 0 here.",
                lambda p, y, k: tuple(np.where(np.isin(np.arange(k), seen), part, 1.0) for seen, part in zip(
                    (p, y, np.append(p, y)), _per_class(p.tolist(), y.tolist(), k), strict=True))),
           Trap("percent", "these are percentages: shares are fractions here.",
                lambda p, y, k: tuple(100.0 * np.array(part) for part in _per_class(p.tolist(), y.tolist(), k))),
           Trap("0/0 is NaN", "0/0 is left as NaN: it is defined as 0.", lambda p, y, k: tuple(
               np.where(np.bincount(np.append(p, y), minlength=k) > 0, part, np.nan)
               for part in _per_class(p.tolist(), y.tolist(), k))),
           Trap("accuracy of the class", "this precision counts true negatives too: it is the class's accuracy.",
                lambda p, y, k: (np.array([np.mean((p == c) == (y == c)) for c in range(k)]),
                                 *_per_class(p.tolist(), y.tolist(), k)[1:]))))


def _macro_of_macros(p, y, k):
    precision, recall, _ = (np.mean(part) for part in _per_class(p.tolist(), y.tolist(), k))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _perfect_of_seen(f, predictions, labels, classes):
    close(f, f(labels, labels, classes), np.unique(labels).size / classes,
          "with all predictions right, each class seen has F1 1, and each other class 0", 8)


MACRO = Equation(
    id="ME-1:macro-f1", title="macro F1", source=TEXTBOOK, latex=r"\frac{1}{K} \sum_c F_{1,c}",
    formula="the mean over all classes of their F1", arguments=PREDICTIONS | {"classes": "their number"},
    results={"f1": "a number"}, implementation="minicompress.nn.metrics.measures",
    adapt=_measured(lambda found: found.macro_f1), reference=listed(literal.macro_f1), inputs=answers,
    properties={"is a fraction from 0 to 1": is_a_share, "classes never seen count as 0": _perfect_of_seen,
                "is what the formula gives": agrees(listed(literal.macro_f1), 16, lambda *_: 1.0)},
    traps=(Trap("harmonic mean of the macros", "this is the harmonic mean of macro precision and macro recall.",
                _macro_of_macros),
           Trap("micro", "this is micro F1, which is the accuracy.", lambda p, y, k: np.mean(p == y)),
           Trap("sum", "this is the sum over the classes, not their mean.",
                lambda p, y, k: k * literal.macro_f1(p.tolist(), y.tolist(), k)),
           Trap("seen classes only", "this leaves out classes that do not occur: all count.",
                lambda p, y, k: literal.macro_f1(p.tolist(), y.tolist(), k) * k / len(np.unique(np.append(p, y))))))

# ---------------------------------------------------------------------------------------------------------------------
# ME-2


def _ratio(dense_bytes, parts):
    return literal.compression_ratio(dense_bytes, sum(parts))


def _splitting_changes_nothing(f, dense_bytes, parts):
    close(f, f(dense_bytes, np.append(parts, 0)), f(dense_bytes, parts), "an empty part changes nothing", 4)
    close(f, f(dense_bytes, np.array([parts.sum()])), f(dense_bytes, parts), "only the sum of the parts matters", 4)


def _same_size_is_one(f, dense_bytes, parts):
    close(f, f(int(parts.sum()), parts), 1.0, "a file as large as the dense one has ratio 1", 4)


RATIO = Equation(
    id="ME-2", title="compression ratio", source="beside every result here",
    latex=r"r = \frac{\text{bytes of the dense float32 file}}{\text{bytes of the compressed file}}",
    formula="r = bytes of the dense float32 file of the original model / bytes of the compressed file",
    arguments={"dense_bytes": "of the dense file", "parts": "bytes of each part of the compressed file, (parts,)"},
    results={"r": "a number"}, implementation="minicompress.recipes.files.dense_size", adapt=None,
    reference=listed(_ratio),
    inputs=lambda rng, size: (1000 * int(rng.integers(1, 10 * size + 1)), rng.integers(1, 100, size + 1)),
    properties={"only the sum of the parts matters": _splitting_changes_nothing,
                "the dense file's own ratio is 1": _same_size_is_one,
                "is what the formula gives": agrees(listed(_ratio), 4)},
    traps=(Trap("headers forgotten", "one part is left out: headers and tables are bytes of the file too.",
                lambda dense, parts: dense / parts[1:].sum() if len(parts) > 1 else dense / parts.sum()),
           Trap("inverted", "this is the share that remains: the ratio is its inverse.",
                lambda dense, parts: parts.sum() / dense),
           Trap("saved", "this is the share of bytes saved.", lambda dense, parts: 1 - parts.sum() / dense)))

# ---------------------------------------------------------------------------------------------------------------------
# ME-3


def _grows_with_filters(f, filters, *rest):
    hold(f(2 * filters, *rest) == 2 * f(filters, *rest), "twice the filters take twice the operations")


def _grows_with_channels(f, filters, channels, kernel, size, stride, padding, groups):
    more = f(filters, 2 * channels, kernel, size, stride, padding, groups)
    hold(more == 2 * f(filters, channels, kernel, size, stride, padding, groups),
         "twice the input channels take twice the operations")


def _convolution_inputs(rng, size):
    groups, kernel = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    return (groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), kernel,
            kernel + int(rng.integers(0, size + 1)), int(rng.integers(1, 3)), int(rng.integers(0, 2)), groups)


def _counted(conv2d):
    def function(filters, channels, kernel, size, stride, padding, groups):
        layer = conv2d(channels, filters, kernel, stride, padding, groups, rng=np.random.default_rng(0))
        return layer.summary((channels, size, size)).macs
    return function


def _macs(filters, channels, kernel, size, stride, padding, groups, *, square=True):
    out = (size + 2 * padding - kernel) // stride + 1
    return filters * (channels // groups) * kernel ** (2 if square else 1) * out * out


MACS = Equation(
    id="ME-3", title="multiply-accumulates of a convolution", source="counted",
    latex=r"F \cdot \tfrac{C}{\text{groups}} \cdot k^2 \cdot O^2,\quad O = \lfloor (size + 2P - k)/S \rfloor + 1",
    formula="F · C/groups · k² · O²,   O = ⌊(size + 2·padding − k)/stride⌋ + 1, for one image",
    arguments={"filters": "F", "channels": "C, of the input", "kernel": "k", "size": "rows and columns of the image",
               "stride": "S", "padding": "P, zeros on each side", "groups": "divides F and C"},
    results={"macs": "a whole number"}, implementation="minicompress.nn.layers.Conv2d.macs",
    adapt=lambda _: _counted(resolve("minicompress.nn.Conv2d")), reference=literal.conv2d_macs,
    inputs=_convolution_inputs, cases=((20, 1, 5, 28, 1, 0, 1),),
    properties={"grows with the filters": _grows_with_filters, "grows with the channels": _grows_with_channels,
                "is what the formula gives": agrees(literal.conv2d_macs, 0)},
    traps=(Trap("groups forgotten", "each filter reads only C/groups channels.",
                lambda f, c, k, n, s, p, g: _macs(f, c, k, n, s, p, 1)),
           Trap("input size", "these are the places of the input: operations happen at each place of the output.",
                lambda f, c, k, n, s, p, g: f * (c // g) * k * k * n * n),
           Trap("parameters", "these are the weights: each is used at every place of the output.",
                lambda f, c, k, n, s, p, g: f * (c // g) * k * k),
           Trap("operations", "this counts multiplications and additions apart: one of each is one MAC.",
                lambda f, c, k, n, s, p, g: 2 * _macs(f, c, k, n, s, p, g)),
           Trap("biases", "this counts biases too: they are added, not multiplied.",
                lambda f, c, k, n, s, p, g: _macs(f, c, k, n, s, p, g) + f),
           Trap("one for all filters", "each filter takes its own operations.",
                lambda f, c, k, n, s, p, g: _macs(1, c, k, n, s, p, g))))


def _mlp(sizes):
    return literal.parameters([(outputs, inputs) for inputs, outputs in pairwise(sizes)])


def _difference_is_biases(f, sizes):
    weights, total = f(sizes)
    hold(total - weights == sum(sizes[1:]), "each unit behind the input has one bias")


def _summarised(summary):
    def function(sizes):
        model = resolve("minicompress.models.mlp")(sizes.tolist(), rng=np.random.default_rng(0))
        found = summary(model)
        return found.macs, found.parameters  # one MAC a weight
    return function


PARAMETERS = Equation(
    id="ME-3:parameters", title="parameters of a multilayer perceptron", source="counted",
    latex=r"\sum_l n_l n_{l+1} \;\text{ and }\; \sum_l n_{l+1}(n_l + 1)",
    formula="weights Σ n_l·n_{l+1}; with biases Σ n_{l+1}·(n_l + 1)",
    arguments={"sizes": "units of each layer, the input's first, (layers,)"},
    results={"weights": "a whole number", "parameters": "weights and biases"},
    implementation="minicompress.nn.Module.summary", adapt=_summarised, reference=listed(_mlp),
    inputs=lambda rng, size: (rng.integers(1, 9, int(rng.integers(2, 5))),), cases=((np.array([784, 300, 100, 10]),),),
    properties={"a bias for each unit": _difference_is_biases, "is what the formula gives": agrees(listed(_mlp), 0)},
    traps=(Trap("biases of the input", "the input has no biases: only units that are computed have one.",
                lambda sizes: (_mlp(sizes.tolist())[0], _mlp(sizes.tolist())[0] + int(sizes.sum()))),
           Trap("pairs of layers", "weights join neighbouring layers alone: this multiplies more.",
                lambda sizes: (int(np.prod(sizes)), int(np.prod(sizes) + sizes[1:].sum()))),
           Trap("without biases", "the second number counts biases too.",
                lambda sizes: (_mlp(sizes.tolist())[0],) * 2)))

ENTRIES = (PER_CLASS, ACCURACY, CONFUSION, MACRO, RATIO, MACS, PARAMETERS)
