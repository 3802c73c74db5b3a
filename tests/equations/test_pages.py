"""The ledger: its pages and the docstrings match, references and implementations hold, traps and mutants don't."""

import ast
import copy
import importlib
import inspect
import itertools
import math
import pkgutil
import re
import sys
import types
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

import minicompress
from minicompress import checker, equations
from minicompress.checker import Page, ledger
from minicompress.checker.call import SINGLE, Misfit
from minicompress.checker.page import resolve
from minicompress.quantization import AffineQuantization, fake
from minicompress.quantization.layers import integer_bias
from tests.equations.literals import debts
from tests.equations.mutants import MUTANTS
from tests.equations.planted import findings, is_caught

ENTRIES = checker.equations()
IDS = [entry.id for entry in ENTRIES]
ID = re.compile(r"\b(?:KD|PR|QU|BI|AR|DY|DD|ME)-\d+\b")


@cache
def trapped(entry_id, name):
    """What the suite finds of a trap at single precision, where learners may be: double is no less strict."""
    entry = checker.equation(entry_id)
    return findings(entry, next(trap.function for trap in entry.traps if trap.name == name), eps=SINGLE)


# ---------------------------------------------------------------------------------------------------------------------
# Entries and docstrings


def docstrings():
    """(dotted name, docstring) of every module, class and function of the package that is no page and no checker."""
    for info in pkgutil.walk_packages(minicompress.__path__, "minicompress."):
        if info.name.startswith(("minicompress.equations", "minicompress.checker", "minicompress.datasets",
                                 "minicompress.__main__")):
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
    assert entry.row in ids_in(resolve(entry.implementation).__doc__)


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
        text = str(checker.equation("KD-2"))
        beyond_the_formula = text.split("source")[1].replace(checker.equation("KD-2").implementation, "")
        assert columns - 15 < max(map(len, beyond_the_formula.splitlines())) <= columns
        assert all(word in text for trap in checker.equation("KD-2").traps for word in trap.says.split())


def test_no_id_is_given_twice(monkeypatch):
    monkeypatch.setattr(ledger, "pages", lambda: [*ENTRIES, ENTRIES[0]])
    with pytest.raises(ValueError, match=f"{IDS[0]} twice"):
        ledger.ledger.__wrapped__()


def modules_of_pages():
    """Every module below the folder of pages that is no folder itself."""
    return [importlib.import_module(info.name) for info in
            pkgutil.walk_packages(equations.__path__, f"{equations.__name__}.") if not info.ispkg]


def test_every_page_is_in_the_ledger():
    pages = [value for module in modules_of_pages() for value in vars(module).values() if isinstance(value, Page)]
    assert set(map(id, pages)) == set(map(id, ENTRIES))
    assert len({page.row for page in pages}) > 30


def test_every_module_has_pages_or_is_used_by_one_that_has():
    """So that no literal function is left that nothing stands on."""
    sources = {module.__name__.rpartition(".")[2]: inspect.getsource(module) for module in modules_of_pages()}
    used = {name for source in sources.values() for name in re.findall(r"^from \.+([\w.]+) import", source, re.M)}
    idle = [module.__name__ for module in modules_of_pages() if module.__name__ not in {e.__module__ for e in ENTRIES}]
    assert [name for name in idle if name.rpartition(".")[2] not in {path.rpartition(".")[2] for path in used}] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_a_page_is_a_section_under_its_id(entry):
    lines = inspect.getsource(importlib.import_module(entry.__module__)).splitlines()
    at = lines.index(f"# {entry.id}")
    assert lines[at - 1] == "# " + 117 * "-"
    headings = [i for i, line in enumerate(lines) if re.fullmatch(r"# [A-Z]{2}-\d+(:[\w-]+)?", line)]
    end = min([i for i in headings if i > at], default=len(lines))
    assert any(line.startswith(f'@page("{entry.id}"') for line in lines[at:end])


# ---------------------------------------------------------------------------------------------------------------------
# What runs


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_reference_and_implementation_hold(entry):
    verification = checker.verify([entry.id], examples=36)
    assert isinstance(verification, checker.Verification)
    assert verification, str(verification)


def test_what_public_code_got_wrong_is_marked():
    """Which traps those are, and where they stood, says the commit that marked them."""
    seen = {(entry.id, trap.name) for entry in checker.equations() for trap in entry.traps if trap.seen}
    assert {("KD-2", "c = 1"), ("BI-1", "np.sign"), ("QU-1", "cast before clip")} <= seen and len(seen) >= 58
    assert "c = 1 (seen in public code): " in str(checker.equation("KD-2"))


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


@pytest.mark.parametrize(("id", "module", "old", "new"), MUTANTS, ids=[f"{m[0]} {m[2]} -> {m[3]}" for m in MUTANTS])
def test_a_planted_mutant_is_caught(id, module, old, new):
    assert is_caught(id, old, new, module)


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
    row, = checker.verify("QU-9", examples=16).report["equations"]
    assert {failure["side"] for failure in row["failures"]} == {"implementation"}


def test_a_misfit_is_told_apart_by_the_suite():
    entry = checker.equation("PR-1")
    assert {f.kind for f in findings(entry, lambda x: None).failures} == {"nothing"}
    assert {f.kind for f in findings(entry, lambda x: [0.5]).failures} == {"shape"}
    with pytest.raises(Misfit, match="3 results"):
        checker.equation("PR-16").subject(lambda matrix: 1.0)(np.eye(2))


def test_verify_tells_what_fails(monkeypatch):
    entry = checker.equation("PR-1")
    monkeypatch.setattr("minicompress.pruning.sparsity", lambda x: 100 * float(np.mean(np.asarray(x) == 0)))
    verification = checker.verify([entry.id], examples=10)
    assert not verification
    row, = verification.report["equations"]
    assert {failure["side"] for failure in row["failures"]} == {"implementation"}
    assert "FAILS  PR-1" in str(verification) and "is a fraction from 0 to 1" in str(verification)


# ---------------------------------------------------------------------------------------------------------------------
# Names and independence


def test_a_row_stands_for_its_parts_and_a_part_for_itself():
    assert [e.id for e in checker.equations(["PR-2"])] == ["PR-2", "PR-2:deviation", "PR-2:network", "PR-2:threshold"]
    assert [e.id for e in checker.equations("pr-2:threshold")] == ["PR-2:threshold"]
    assert checker.equation("kd-1").id == "KD-1"


@pytest.mark.parametrize("call", [lambda: checker.equations(["KD-99"]), lambda: checker.equation("KD-99"),
                                  lambda: checker.equation(3), lambda: checker.verify(["KD-1"], examples=0)])
def test_unknown_names_and_no_examples_are_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def test_examples_grow_and_are_the_same_for_the_same_seed():
    entry = checker.equation("PR-10")
    once, again, more = entry.examples(30), entry.examples(30), entry.examples(60)
    assert repr(once) == repr(again) == repr(more[:30])
    assert repr(entry.examples(30, seed=1)) != repr(once)
    sizes = [len(w) for w, *_ in more[len(entry.cases):]]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_a_literal_function_owes_nothing_to_anybody(entry):
    """So that it can judge the package: it, and all that it calls, use the standard library and each other alone."""
    assert debts(entry) == []


def pure(x, half=Fraction(1, 2)):
    """With a global module, a class, a Page, constants, a nested function and a default."""
    def again(y):
        return y if y < LEAST else pure(y - 1)
    return math.sqrt(sum(map(again, [x]))) + SPARSITY(x) * half


def of_numpy(x):
    return np.sum(x)


def of_the_package(x):
    return minicompress.pruning.sparsity(x)


def of_the_package_by_name(x):
    return [(lambda y: resolve("minicompress.pruning.sparsity")(y))(part) for part in x]


def of_numpy_imported_inside(x):
    import numpy
    return numpy.sum(x)


def of_the_package_imported_inside(x):
    from minicompress.pruning import sparsity
    return sparsity(x)


def of_what_imports(x):
    return __import__("numpy").sum(x)


def of_what_is_evaluated(x):
    return eval("np.sum(x)")


def of_importlib(x):
    return importlib.import_module("numpy").sum(x)


def of_a_default(x, total=np.sum):
    return total(x)


def of_an_array(x):
    return x + ARRAY[0]


def of_a_helper(x):
    return helper(x)


def helper(x):
    return later(x)


def later(x):
    return of_numpy(x)


def enclosed(total):
    def of_what_encloses_it(x):
        return total(x)
    return of_what_encloses_it


LEAST, ARRAY, SPARSITY = 1, np.zeros(1), checker.equation("PR-1")


@pytest.mark.parametrize(("function", "words"), [
    (of_numpy, "of_numpy uses np"), (of_the_package, "of_the_package uses minicompress"),
    (of_the_package_by_name, "of_the_package_by_name uses resolve"),
    (of_numpy_imported_inside, "of_numpy_imported_inside uses numpy"),
    (of_the_package_imported_inside, "of_the_package_imported_inside uses minicompress.pruning"),
    (of_what_imports, "of_what_imports uses __import__"), (of_what_is_evaluated, "of_what_is_evaluated uses eval"),
    (of_importlib, "of_importlib uses importlib"), (of_a_default, "of_a_default uses a default"),
    (of_an_array, "of_an_array uses ARRAY"), (enclosed(np.sum), "of_what_encloses_it uses total"),
    (of_a_helper, "of_a_helper > helper > later > of_numpy uses np")], ids=lambda value: getattr(value, "__name__", ""))
def test_a_debt_is_found_however_it_is_hidden(function, words, monkeypatch):
    for below in (helper, later, of_numpy):  # as if they stood in a page
        monkeypatch.setattr(below, "__module__", "minicompress.equations.pruning.magnitude")
    assert debts(function) == [words]


def test_what_a_literal_function_may_use_is_no_debt(monkeypatch):
    monkeypatch.setattr(pure, "__module__", "minicompress.equations.pruning.magnitude")
    assert debts(pure) == []


def test_a_debt_to_a_page_below_is_found():
    """A page that calls another page, whose literal function is of NumPy."""
    clean = checker.equation("PR-2")
    spoiled = copy.copy(clean)
    spoiled.literal = of_numpy
    caller = types.FunctionType(checker.equation("PR-2:network").literal.__code__, {
        **checker.equation("PR-2:network").literal.__globals__, "magnitude_mask": spoiled}, "caller")
    assert debts(caller) == ["caller > of_numpy uses np"]


def test_the_package_is_imported_by_name_in_one_place_alone():
    """In `checker.page`; the ledger imports its pages so."""
    rooms = itertools.chain.from_iterable(pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
                                          for room in (equations, checker))
    for info in rooms:
        source = inspect.getsource(importlib.import_module(info.name))
        allowed = info.name in ("minicompress.checker.page", "minicompress.checker.ledger")
        assert ("import_module" in source) == allowed, info.name
        assert "__import__" not in source


def test_pages_import_the_checker_numpy_and_the_standard_library_alone():
    for module in modules_of_pages():
        nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
        names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
        outside = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
        assert {name for name in outside if not name.startswith("minicompress.checker.")} <= {"numpy"}, module.__name__


def test_markdown_holds_the_formula():
    entry = checker.equation("KD-1")
    assert f"$${entry.latex}$$" in entry._repr_markdown_()
    assert all(trap.says in entry._repr_markdown_() for trap in entry.traps)
    assert entry.report()["properties"] == list(entry.properties)
