"""A bug planted in the package's code: whether the properties of an equation see it."""

import importlib
import warnings

import numpy as np
import pytest

from minicompress import checker, nn
from minicompress.checker import trial
from minicompress.checker.call import SINGLE
from minicompress.checker.page import resolve
from tests.mutants import mutate


def findings(entry, function, *, examples=36, **options):
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        return trial.run(entry, entry.subject(function, **options), entry.examples(examples))


class Overwritable(dict):
    """Takes a layer's mutant under the name that the layer has."""

    def setdefault(self, name, layer):
        self[name] = layer
        return layer


def is_caught(id, old, new, module=None):
    """Whether the properties of an equation fail for its implementation with the source text ``old`` replaced.

    ``module``: dotted name of the module that holds the text, by default the implementing function's own. Classes that
    a mutant defines leave no trace among the projections and layers that a file may name.
    """
    entry = checker.equation(id)
    real = importlib.import_module(module or resolve(entry.implementation).__module__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Projection, "_of_form", dict(nn.Projection._of_form))
        patch.setattr(nn.graph, "LAYERS", Overwritable(nn.graph.LAYERS))
        mutant = getattr(mutate(real, old, new), entry.implementation.rpartition(".")[2])
        return not findings(entry, entry.adapt(mutant), examples=60, eps=SINGLE if entry.single else None).passed
