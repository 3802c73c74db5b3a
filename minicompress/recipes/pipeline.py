"""Which methods compose, in which order, and what each does to a trained network."""

import copy
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

from minicompress import container, expect, nn, training
from minicompress.claims import declared
from minicompress.data import Dataset
from minicompress.training import Training

ROOMS = ("pruning", "quantization", "binarization", "coding")  # where methods declare themselves


@dataclass(frozen=True)
class Settings:
    """How much, and how long: fractions in [0, 1], a number of clusters, the fine-tuning after each method."""

    sparsity: float = 0.9
    channels_kept: float = 0.5
    clusters: int = 16
    training: Training = Training(10, 0.02)  # noqa: RUF009 - frozen

    def __post_init__(self):
        expect.fraction("sparsity", self.sparsity)
        expect.fraction("channels_kept", self.channels_kept, above=0)
        expect.integers(1, clusters=self.clusters, epochs=self.training.epochs)


class Tuning:
    """What a `Method` is applied with: the ``dataset``, the ``settings``, and `fit`, under the method's ``name``."""

    def __init__(self, lab, name, settings, objective):
        self.lab, self.name, self.settings, self.objective, self.dataset = lab, name, settings, objective, lab.dataset

    def fit(self, model, *, adam=None, **options):
        """Fine-tune as the settings say, or by Adam from the learning rate ``adam``; the rest is `fit`'s."""
        training = self.settings.training
        training = training if adam is None else replace(training, lr=adam, adam=True)
        self.lab.train(self.name, model, training, objective=self.objective, **options)


@cache
def methods():
    """{name: `Method`} of all that declare themselves, those that may come after others behind them."""
    found = {method.name: method for _, declaration in declared("METHODS", *(f"minicompress.{room}" for room in ROOMS))
             for method in declaration}

    def depth(method):
        return len(found) if method.last else 1 + max((depth(found[name]) for name in method.after), default=0)
    return dict(sorted(found.items(), key=lambda item: depth(item[1])))


def may_follow(first, second):
    """Whether a `Method` may come behind another; of "cut:criterion" the part before the colon counts."""
    return not first.last and (second.last or first.name.partition(":")[0] in second.after)


def require_composable(names):
    """ValueError, with the reason, unless these methods can follow each other in this order.

    >>> require_composable(["pruned", "int4", "huffman"])
    >>> require_composable(["int4", "pruned"])
    Traceback (most recent call last):
    ValueError: int4, then pruned: which weights are small is asked of real weights, so prune before int4
    """
    known = methods()
    expect.that(not isinstance(names, str), f"methods is {names!r}, expected a list of some of {', '.join(known)}",
                TypeError)
    expect.some_of("methods", names, known)
    for first, second in combinations([known[name] for name in names], 2):
        if first is second or not may_follow(first, second):
            raise ValueError(f"{first.name}, then {second.name}: {_reason(first, second)}")


def _reason(first, second):
    if first is second:
        return "once is enough"
    because = first.because if first.last else second.because
    because = because if isinstance(because, str) else because.get(first.name.partition(":")[0], because[""])
    return because.format(first=first.name)


def combine(lab, model, names, *, settings=None, objective=training.supervised):
    """A new network, compressed by several methods one after the other, each followed by fine-tuning.

    Args:
        lab: a `Lab` with a dataset, whose validation split weights are chosen on; its folder is for checkpoints.
        model: a trained Sequential; it stays as it is.
        names: of `methods`, in their order, such as "cut" (channels), "pruned", "clustered", "int8", "binary";
            "huffman" changes nothing but the file: see `write`.
        settings: a `Settings`.
        objective: of all fine-tuning, such as a `distillation.SoftTargets`.

    Raises ValueError, with the reason, for methods that don't compose, TypeError for a model or a dataset of another
    kind, and whatever the methods refuse.
    """
    require_composable(names)
    expect.a(nn.Sequential, "model", model)
    expect.a(Dataset, "dataset", lab.dataset, "a data.Dataset, with the validation split to choose weights on")
    settings, model = settings or Settings(), copy.deepcopy(model)
    for name in names:
        model = methods()[name].apply(model, Tuning(lab, name, settings, objective))
    return model


def write(model, names, path):
    """Save what `combine` made: with Huffman codes only if they are among the methods; returns the `Inspection`."""
    return container.save(model, path, entropy="huffman" in names)
