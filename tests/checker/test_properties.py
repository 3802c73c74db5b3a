"""The words that properties are written in, and which failure is shown."""

import copy
import importlib

import numpy as np
import pytest

from minicompress import checker, pruning
from minicompress.checker.call import Subject
from minicompress.checker.properties import close
from minicompress.checker.trial import weight
from minicompress.checker.words import inputs_in_words


def test_close_counts_roundings_of_the_largest_number():
    f, eps = Subject(None, ("p",)), np.finfo(float).eps
    close(f, [1.0, 4.0 + 60 * 4 * eps], [1.0, 4.0], "off")
    close(f, [1.0 + 60 * 4 * eps, 4.0], [1.0, 4.0], "off")
    with pytest.raises(AssertionError, match="off"):
        close(f, [1.0, 4.0 + 68 * 4 * eps], [1.0, 4.0], "off")
    with pytest.raises(AssertionError, match="off"):
        close(f, [1.0 + 68 * 4 * eps, 4.0], [1.0, 4.0], "off")


def test_the_smallest_input_has_the_fewest_numbers_then_the_smallest():
    least = [(np.array([1.0]), 1), (np.array([-2.0]), 1), (np.array([0.0, 1.0]), 1), (np.array([3.0, 1.0]), 1)]
    assert sorted(reversed(least), key=weight) == least


def test_verify_shows_the_smallest_input(monkeypatch):
    monkeypatch.setattr(pruning, "sparsity", lambda x: 2.0)
    row, = checker.verify(["PR-1"], examples=20).report["equations"]
    entry = checker.equation("PR-1")
    assert {failure["inputs"] for failure in row["failures"] if failure["property"] == "is a fraction from 0 to 1"} == {
        inputs_in_words(entry, min(entry.examples(20), key=weight))}


def test_verify_holds_doubles_to_double_precision(monkeypatch):
    right = pruning.sparsity
    monkeypatch.setattr(pruning, "sparsity", lambda x: right(x) * (1 - 1e-9))
    assert not checker.verify(["PR-1"], examples=20)


def test_verify_looks_at_the_reference_too(monkeypatch):
    wrong = copy.copy(checker.equation("PR-1"))
    wrong.reference = lambda x: 2.0
    module = importlib.import_module("minicompress.checker.verify")  # the package's attribute is its function
    monkeypatch.setattr(module, "equations", lambda ids: [wrong])
    row, = checker.verify(["PR-1"], examples=5).report["equations"]
    assert "reference" in {failure["side"] for failure in row["failures"]}
