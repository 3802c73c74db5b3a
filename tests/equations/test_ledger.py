"""The ledger: its entries and the docstrings match, references and implementations hold, traps and mutants don't."""

import ast
import importlib
import inspect
import pkgutil
import re
import warnings
from functools import cache

import numpy as np
import pytest

import minicompress
from minicompress import equations, nn
from minicompress.equations import ledger, suite
from minicompress.equations.subject import SINGLE, Misfit
from minicompress.quantization import fake
from minicompress.quantization.layers import integer_bias
from minicompress.quantization.projections import AffineQuantization
from tests.equations.mutants import MUTANTS
from tests.mutants import mutate

ENTRIES = equations.equations()
IDS = [entry.id for entry in ENTRIES]
ID = re.compile(r"\b(?:KD|PR|QU|BI|AR|DY|DD|ME)-\d+\b")


@cache
def trapped(entry_id, name):
    """What the suite finds of a trap at single precision, where learners may be: double is no less strict."""
    entry = equations.equation(entry_id)
    return findings(entry, next(trap.function for trap in entry.traps if trap.name == name), eps=SINGLE)


def findings(entry, function, *, examples=36, **options):
    with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
        return suite.run(entry, entry.subject(function, **options), entry.examples(examples))


# ---------------------------------------------------------------------------------------------------------------------
# Entries and docstrings


def docstrings():
    """(dotted name, docstring) of every module, class and function of the package that is no equation itself."""
    for info in pkgutil.walk_packages(minicompress.__path__, "minicompress."):
        if info.name.startswith(("minicompress.equations", "minicompress.datasets", "minicompress.__main__")):
            continue
        try:
            module = importlib.import_module(info.name)
        except ModuleNotFoundError:  # a benchmark whose peer is not installed
            continue
        yield info.name, module.__doc__ or ""
        for name, value in vars(module).items():
            if getattr(value, "__module__", None) == info.name and callable(value):
                yield f"{info.name}.{name}", value.__doc__ or ""
                if inspect.isclass(value):
                    for method, function in vars(value).items():
                        yield f"{info.name}.{name}.{method}", getattr(function, "__doc__", None) or ""


def ids_in(text):
    """All IDs of a text, those of "KD-1 to KD-5" and "PR-16, 17" too as far as they are written out."""
    return set(ID.findall(text))


def test_every_id_in_a_docstring_has_an_entry():
    rows = {entry.row for entry in ENTRIES}
    missing = {id: name for name, text in docstrings() for id in ids_in(text) if id not in rows}
    assert missing == {}


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_the_implementation_names_its_equation(entry):
    assert entry.row in ids_in(ledger.resolve(entry.implementation).__doc__)


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_an_entry_is_complete(entry):
    assert not re.search(r"\bD[0-4]\b", entry.source), "a source is a paper or a book that a reader can find"
    assert entry.title and entry.source and entry.latex and entry.formula
    assert all(0 < len(text) for text in (entry.arguments | entry.results).values())
    assert len(entry.properties) >= 2 and len(entry.traps) >= 3
    assert len({trap.name for trap in entry.traps}) == len(entry.traps)
    assert all(trap.says.endswith(".") for trap in entry.traps), "a trap says what is wrong in a sentence"
    assert entry.latex.count("{") == entry.latex.count("}") and entry.latex.isascii()
    for inputs in entry.examples(8):
        assert len(inputs) == len(entry.arguments)


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_an_entry_fits_a_terminal(entry):
    formula = str(entry).split("source")[0]
    assert max(map(len, formula.splitlines())) <= 120
    assert entry.signature in str(entry) and entry.implementation in str(entry)


def test_an_entry_is_as_wide_as_the_terminal(monkeypatch):
    for columns in (60, 100):
        monkeypatch.setenv("COLUMNS", str(columns))
        text = str(equations.equation("KD-2"))
        beyond_the_formula = text.split("source")[1].replace(equations.equation("KD-2").implementation, "")
        assert columns - 15 < max(map(len, beyond_the_formula.splitlines())) <= columns
        assert all(word in text for trap in equations.equation("KD-2").traps for word in trap.says.split())


def test_no_id_is_given_twice(monkeypatch):
    monkeypatch.setattr("minicompress.equations.entries.all_entries", lambda: [*ENTRIES, ENTRIES[0]])
    with pytest.raises(ValueError, match=f"{IDS[0]} twice"):
        ledger.ledger.__wrapped__()


def test_every_literal_reference_has_an_entry():
    import minicompress.equations as room
    named = set()
    for info in pkgutil.iter_modules(room.__path__):
        if info.name in LITERAL:
            source = importlib.import_module(f"{room.__name__}.{info.name}")
            for function in vars(source).values():
                if inspect.isfunction(function) and function.__doc__:
                    named |= set(re.findall(r"^\(([A-Z]{2}-\d+)", function.__doc__))
    assert named <= {entry.row for entry in ENTRIES}
    assert len(named) > 30


# ---------------------------------------------------------------------------------------------------------------------
# What runs

LITERAL = {"affine", "binarization", "channels", "coding", "distillation", "engine", "measures", "pruning",
           "quantization"}


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_reference_and_implementation_hold(entry):
    verification = equations.verify([entry.id], examples=36)
    assert verification, str(verification)


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_every_trap_is_caught(entry):
    """By a property, not as a misfit."""
    for trap in entry.traps:
        found = trapped(entry.id, trap.name)
        assert found.failed, f"{trap.name} passes"
        assert not [failure for failure in found.failures if failure.property is None], trap.name


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_every_property_catches_something(entry):
    caught = set().union(*(trapped(entry.id, trap.name).failed for trap in entry.traps))
    assert caught == set(entry.properties)


@pytest.fixture
def registries(monkeypatch):
    """Classes that a mutant defines leave no trace among the projections and layers that a file may name."""
    monkeypatch.setattr(nn.Projection, "_of_form", dict(nn.Projection._of_form))
    monkeypatch.setattr(nn.graph, "LAYERS", Overwritable(nn.graph.LAYERS))


class Overwritable(dict):
    """Takes a layer's mutant under the name that the layer has."""

    def setdefault(self, name, layer):
        self[name] = layer
        return layer


@pytest.mark.parametrize(("id", "module", "old", "new"), MUTANTS, ids=[f"{m[0]} {m[2]} -> {m[3]}" for m in MUTANTS])
def test_a_planted_mutant_is_caught(id, module, old, new, registries):
    entry, real = equations.equation(id), importlib.import_module(module)
    mutant = getattr(mutate(real, old, new), entry.implementation.rpartition(".")[2])
    assert not findings(entry, entry.adapt(mutant), examples=60, eps=SINGLE if entry.single else None).passed


PLANTED_BELOW_CONVERT = {
    "a product of floats": (fake.FakeQuantized, "codes", lambda self, x: self.grid().quantize(self.real(
        minicompress.Tensor(x)).data)),
    "weights fitted again": (AffineQuantization, "form", lambda self, w, form=AffineQuantization.form: form(
        AffineQuantization(self.bits, per_channel=self.per_channel).fit(w), w)),
    "a bias of 8 bits": (fake, "integer_bias", lambda *bias: np.clip(integer_bias(*bias), -128, 127)),
}


@pytest.mark.parametrize("name", PLANTED_BELOW_CONVERT)
def test_what_is_planted_below_convert_is_caught(name, monkeypatch):
    monkeypatch.setattr(*PLANTED_BELOW_CONVERT[name])
    row, = equations.verify("QU-9", examples=16).report["equations"]
    assert {failure["side"] for failure in row["failures"]} == {"implementation"}


def test_a_misfit_is_told_apart_by_the_suite():
    entry = equations.equation("PR-1")
    assert {f.kind for f in findings(entry, lambda x: None).failures} == {"nothing"}
    assert {f.kind for f in findings(entry, lambda x: [0.5]).failures} == {"shape"}
    with pytest.raises(Misfit, match="3 results"):
        equations.equation("PR-16").subject(lambda matrix: 1.0)(np.eye(2))


def test_verify_tells_what_fails(monkeypatch):
    entry = equations.equation("PR-1")
    monkeypatch.setattr("minicompress.pruning.sparsity", lambda x: 100 * float(np.mean(np.asarray(x) == 0)))
    verification = equations.verify([entry.id], examples=10)
    assert not verification
    row, = verification.report["equations"]
    assert {failure["side"] for failure in row["failures"]} == {"implementation"}
    assert "FAILS  PR-1" in str(verification) and "is a fraction from 0 to 1" in str(verification)


# ---------------------------------------------------------------------------------------------------------------------
# Names and independence


def test_a_row_stands_for_its_parts_and_a_part_for_itself():
    assert [e.id for e in equations.equations(["PR-2"])] == ["PR-2", "PR-2:deviation", "PR-2:network", "PR-2:threshold"]
    assert [e.id for e in equations.equations("pr-2:threshold")] == ["PR-2:threshold"]
    assert equations.equation("kd-1").id == "KD-1"


@pytest.mark.parametrize("call", [lambda: equations.equations(["KD-99"]), lambda: equations.equation("KD-99"),
                                  lambda: equations.equation(3), lambda: equations.verify(["KD-1"], examples=0)])
def test_unknown_names_and_no_examples_are_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def test_examples_grow_and_are_the_same_for_the_same_seed():
    entry = equations.equation("KD-1")
    once, again, more = entry.examples(30), entry.examples(30), entry.examples(60)
    assert repr(once) == repr(again) == repr(more[:30])
    assert repr(entry.examples(30, seed=1)) != repr(once)
    sizes = [len(z) for z, _ in more[len(entry.cases):]]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_references_use_the_standard_library_alone():
    """So that they can judge the package, whose functions the ledger names as text."""
    room = equations.__path__[0]
    for name in LITERAL:
        with open(f"{room}/{name}.py", encoding="utf-8") as file:
            tree = ast.parse(file.read())
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert imported <= {"math", "itertools", "heapq", "decimal", "fractions"}, name


def test_the_package_is_imported_by_name_in_one_place_alone():
    for info in pkgutil.walk_packages(equations.__path__, "minicompress.equations."):
        source = inspect.getsource(importlib.import_module(info.name))
        assert ("import_module" in source) == (info.name == "minicompress.equations.ledger"), info.name
        assert "__import__" not in source


def test_markdown_holds_the_formula():
    entry = equations.equation("KD-1")
    assert f"$${entry.latex}$$" in entry._repr_markdown_()
    assert all(trap.says in entry._repr_markdown_() for trap in entry.traps)
    assert entry.report()["properties"] == list(entry.properties)
